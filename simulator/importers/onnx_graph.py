"""An ONNX graph with its shapes, as the importer's steps share it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

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


class UnknownShapeError(Exception):
    """Shape inference left a hole."""


class UnsupportedError(Exception):
    """An operator in a form that has no layer; the message says which."""


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
    """

    tensor: str
    stored: str
    inputs_first: bool


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
    quantised : set of str
        Tensors that stand for integers: what DequantizeLinear writes.
    """

    path: Path
    nodes: list[onnx.NodeProto]
    shapes: dict[str, Shape]
    types: dict[str, int]
    constants: dict[str, str]
    outputs: set[str]
    quantised: set[str] = field(default_factory=set)

    def shape(self, tensor: str) -> Shape:
        if tensor not in self.shapes:
            raise UnknownShapeError(tensor)
        return self.shapes[tensor]

    def size(self, tensor: str) -> int:
        """Elements of a tensor."""
        return prod(self.shape(tensor))

    def operand(self, tensor: str, inputs_first: bool = False) -> Operand | None:
        """A constant operand; None if the tensor depends on the model's inputs."""
        if tensor not in self.constants:
            return None
        return Operand(tensor, self.constants[tensor], inputs_first)

    def activations(self, node: onnx.NodeProto) -> list[str]:
        """Inputs that depend on the model's inputs."""
        return [name for name in node.input if name and name not in self.constants]

    def dtype(self, node: onnx.NodeProto, data: str, weights: str) -> str:
        """The format that a product is computed in.

        Model: operands that both come from DequantizeLinear are multiplied as integers, as
        runtimes do with quantised models.
        """
        if "Integer" in node.op_type or node.op_type.startswith("QLinear"):
            return "int8"
        if data in self.quantised and weights in self.quantised:
            return "int8"
        return DTYPES.get(self.types.get(data, 1), "fp16")
