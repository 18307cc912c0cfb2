"""``ONNX -> {layer: weights}``: what the stored tensors are once the model has rearranged them.

Exporters leave casts, scales and transpositions between a stored tensor and the operator that
reads it. Those are computed here, from a fixed list of operators, by onnx's reference runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.importers.onnx_graph import Operand
from simulator.importers.onnx_model import one_line, parse, read_with_operands
from simulator.importers.onnx_shapes import evaluate
from simulator.weights.files import Tensor
from simulator.workload import Conv, Gemm

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]

REARRANGING = frozenset(
    {"Cast", "Mul", "Div", "Add", "Sub", "Transpose", "Constant", "ConstantOfShape", "Identity"}
    | {"DequantizeLinear", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Concat", "Split", "Slice"}
)
"""Operators that may stand between a stored tensor and the operator that multiplies it."""

LARGEST_ELEMENTS = 2**31
"""Of a tensor that is computed: 8 GiB of fp32, more than any file of ONNX's own format holds."""


def read_onnx_weights(path: Path, parameters: Mapping[str, int]) -> dict[str, Array]:
    """Weights by layer, output features first.

    Layers whose weights are made by operators outside `REARRANGING` are left out.

    Returns
    -------
    dict of str to array
        Of a `Gemm` (batch * m, k), of a `Conv` (out, in / groups, kernel_h, kernel_w).

    Raises
    ------
    SimulatorError
        If the model cannot be read, or holds weights that are NaN or infinite.
    """
    imported, operands = read_with_operands(path, parameters)
    values = _Values(path, parse(path))
    found = {}
    for layer in imported.workload.layers:
        operand = operands.get(layer.name)
        if operand is None or not isinstance(layer, Gemm | Conv):
            continue
        array = values.of(operand.tensor)
        if array is not None:
            array = np.asarray(array, dtype=_format(array.dtype))
            rows = _rows(path, layer, array, operand)
            found[layer.name] = Tensor(layer.name, str(array.dtype), rows).values()
    if not found:
        raise WeightsError(str(path), "holds no weights that can be read")
    return found


class _Values:
    """The constants of a model, computed where they are asked for."""

    def __init__(self, path: Path, model: onnx.ModelProto) -> None:
        self.path, self.model = path, model
        self.stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self.makers = {name: node for node in model.graph.node for name in node.output if name}

    def of(self, tensor: str) -> Array | None:
        """A constant's value; None if it is made by an operator that is not run here."""
        with one_line(self.path):
            return self._value(tensor, {})

    def _value(self, tensor: str, known: dict[str, Array | None]) -> Array | None:
        if tensor not in known:
            known[tensor] = self._computed(tensor, known)
        return known[tensor]

    def _computed(self, tensor: str, known: dict[str, Array | None]) -> Array | None:
        from onnx import numpy_helper

        if tensor in self.stored:
            found: Array = numpy_helper.to_array(self.stored[tensor], str(self.path.parent))
            return found
        node = self.makers.get(tensor)
        if node is None or node.op_type not in REARRANGING:
            return None
        inputs: dict[str, Array] = {}
        for name in filter(None, node.input):
            value = self._value(name, known)
            if value is None:
                return None
            inputs[name] = value
        if node.op_type == "ConstantOfShape":
            size = prod(int(side) for side in inputs[node.input[0]].ravel())
            if not 0 <= size <= LARGEST_ELEMENTS:
                raise WeightsError(str(self.path), "makes a tensor of absurd size", got=size)
        if node.op_type == "DequantizeLinear":
            return _dequantized(node, *inputs.values())
        outputs = evaluate(self.model, node, inputs)
        return None if outputs is None else outputs[list(node.output).index(tensor)]


def _dequantized(
    node: onnx.NodeProto, stored: Array, scale: Array, zero: Array | None = None
) -> Array | None:
    """``(stored - zero) * scale``, a tensor or a channel; None in blocks.

    onnx's runtime knows the operator only in some versions. Source: ONNX, DequantizeLinear-13.
    """
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    if scale.ndim > 1 or not -stored.ndim <= axis < stored.ndim:
        return None
    shape = [1] * stored.ndim
    shape[axis] = scale.size
    if scale.size not in (1, stored.shape[axis]):
        return None
    offset = 0 if zero is None else zero.astype(np.float32).reshape(shape)
    scaled: Array = (stored.astype(np.float32) - offset) * scale.astype(np.float32).reshape(shape)
    return scaled


def _format(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Numbers that numpy calculates with: bf16, fp8 and int4 widened, others as they are."""
    if dtype.kind in "iu" and dtype.isbuiltin:
        return dtype
    return dtype if dtype in (np.float16, np.float32) else np.dtype(np.float32)


def _rows(path: Path, layer: Gemm | Conv, array: Array, operand: Operand) -> Array:
    """Output features first, whatever the operator wants."""
    if isinstance(layer, Conv):
        shape: tuple[int, ...] = (
            layer.out_channels, layer.in_channels // layer.groups, *layer.pair("kernel")
        )  # fmt: skip
    elif operand.inputs_first:
        shape = (layer.batch, layer.k, layer.m)
    else:
        shape = (layer.batch, layer.m, layer.k)
    if array.size != prod(shape):
        raise WeightsError(
            f"{path} {operand.stored}", "has another size than its operator", got=array.shape,
            want=f"{prod(shape)} elements",
        )  # fmt: skip
    shaped = array.reshape(shape)
    if isinstance(layer, Conv):
        return shaped
    rows = shaped.swapaxes(1, 2) if operand.inputs_first else shaped
    return np.ascontiguousarray(rows).reshape(-1, layer.k)
