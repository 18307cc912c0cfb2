"""An ONNX graph with its shapes, as the importer's steps share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.workload.layer import Layer

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]

DTYPES = {
    **dict.fromkeys((1, 11), "fp16"),  # float and double, as the presets compute them
    10: "fp16",
    16: "bf16",
    **dict.fromkeys((17, 18, 19, 20), "fp8"),
    **dict.fromkeys((2, 3, 9), "int8"),
    **dict.fromkeys((21, 22), "int4"),
    **dict.fromkeys((4, 5, 6, 7, 12, 13), "int32"),
}
"""By number of `onnx.TensorProto.DataType`; what is missing is read as fp16."""

NARROW = {
    "fp8": frozenset({"fp8"}),
    "int8": frozenset({"int8", "int4"}),
    "int4": frozenset({"int4"}),
}
"""Formats that quantised operands are multiplied in, and those of operands that meet there."""

INTEGER = frozenset(
    {"MatMulInteger", "ConvInteger", "QLinearConv", "QLinearMatMul", "QGemm", "QAttention"}
    | {"MatMulIntegerToFloat", "DynamicQuantizeMatMul"}
)
"""Operators that multiply integers of 8 bits, whatever they write."""


class UnknownShapeError(Exception):
    """Shape inference left a hole."""


class UnsupportedError(Exception):
    """An operator in a form that has no layer; the message says which."""


@dataclass(frozen=True)
class Call:
    """An operator and what is known of its inputs.

    Attributes
    ----------
    node : NodeProto
    shapes : mapping of str to tuple of int
        By tensor.
    values : mapping of str to array
        Of small constants.
    """

    node: onnx.NodeProto
    shapes: Mapping[str, Shape]
    values: Mapping[str, Any] = field(default_factory=dict)

    def has(self, index: int) -> bool:
        """Is the input given? Optional ones may be left out."""
        return index < len(self.node.input) and bool(self.node.input[index])

    def shape(self, index: int) -> Shape:
        """The shape of an input.

        Raises
        ------
        UnknownShapeError
            If it is not known, or the input is not given.
        """
        name = self.node.input[index] if self.has(index) else ""
        if name not in self.shapes:
            raise UnknownShapeError(name)
        return self.shapes[name]

    def integer(self, name: str, default: int = 0) -> int:
        """An attribute; the default where it is missing or no integer."""
        found = attributes(self.node).get(name, default)
        return found if isinstance(found, int) else default


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Integers, lists of them, and text; tensors and bodies are of no use here."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type == attribute.INT:
            found[attribute.name] = attribute.i
        elif attribute.type == attribute.INTS:
            found[attribute.name] = tuple(attribute.ints)
        elif attribute.type == attribute.STRING:
            found[attribute.name] = attribute.s.decode(errors="replace")
    return found


def is_standard(node: onnx.NodeProto) -> bool:
    """Is the operator of ONNX's own domain?"""
    return node.domain in ("", "ai.onnx")


def is_contrib(node: onnx.NodeProto) -> bool:
    """Is the operator one of onnxruntime's own?"""
    return node.domain in ("com.microsoft", "com.ms.internal.nhwc")


@dataclass(frozen=True)
class Operand:
    """Where an operator's weights are.

    Attributes
    ----------
    tensor : str
        What the operator reads.
    stored : str
        The stored tensor that it is made of.
    inputs_first : bool
        The last two axes are (k, m) instead of (m, k).
    zero_point : str
        The tensor of integers that count as zero, one or one an output feature; empty if it is 0.
    output : str
        The first tensor that the operator writes, which tells it from all others.
    """

    tensor: str
    stored: str
    inputs_first: bool
    zero_point: str = ""
    output: str = ""


Read = list[tuple[Layer, Operand | None]]
"""The layers of one operator, and where the weights of each are. Their inputs are tensors, or
others of these layers (`own`); none are all that the operator reads."""


def own(layer: str) -> str:
    """A layer of the same operator, among the tensors that one reads."""
    return f"\0{layer}"


@dataclass
class OnnxGraph:
    """A graph whose shapes are known as far as they can be.

    Attributes
    ----------
    nodes : list of NodeProto
        Topologically sorted.
    shapes : dict of str to tuple of int
        By tensor; one that is missing is unknown.
    types : dict of str to int
        ``TensorProto.DataType`` by tensor.
    constants : dict of str to str
        Tensors that do not depend on the inputs, and the stored tensor that each is made of.
    outputs : set of str
    quantised : dict of str to int
        Tensors that stand for narrow numbers, what DequantizeLinear writes, and the
        ``TensorProto.DataType`` of those.
    values : mapping of str to array
        Of small constants.
    turned : set of str
        Constants that are transposed beside the stored tensor that they are made of.
    """

    path: Path
    nodes: list[onnx.NodeProto]
    shapes: dict[str, Shape]
    types: dict[str, int]
    constants: dict[str, str]
    outputs: set[str]
    quantised: dict[str, int] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    turned: set[str] = field(default_factory=set)

    def shape(self, tensor: str) -> Shape:
        if tensor not in self.shapes:
            raise UnknownShapeError(tensor)
        return self.shapes[tensor]

    def size(self, tensor: str) -> int:
        """Elements of a tensor."""
        return prod(self.shape(tensor))

    def operand(
        self, tensor: str, inputs_first: bool = False, zero_point: str = ""
    ) -> Operand | None:
        """A constant operand; None if the tensor depends on the model's inputs."""
        if tensor not in self.constants:
            return None
        return Operand(tensor, self.constants[tensor], inputs_first, zero_point)

    def input_at(self, node: onnx.NodeProto, index: int) -> str:
        """An operator's input; empty if it has none there."""
        return node.input[index] if 0 <= index < len(node.input) else ""

    def activations(self, node: onnx.NodeProto) -> list[str]:
        """Inputs that depend on the model's inputs."""
        return [name for name in node.input if name and name not in self.constants]

    def dtype(self, node: onnx.NodeProto, data: str, weights: str) -> str:
        """The format that a product is computed in.

        Model: operands that both come from DequantizeLinear are multiplied as the numbers that
        they stand for, in the wider format of the two, as runtimes do with quantised models.
        """
        if node.op_type in INTEGER:
            return "int8"
        stored = {DTYPES.get(self.quantised.get(name, 0), "") for name in (data, weights)}
        meeting = next((one for one in NARROW if one in stored), "")
        if stored <= NARROW.get(meeting, frozenset()):
            return meeting
        return DTYPES.get(self.types.get(data, 1), "fp16")
