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

from simulator.errors import WeightsError
from simulator.importers.onnx_graph import Operand, attributes
from simulator.importers.onnx_model import one_line, parse, read_with_operands
from simulator.importers.onnx_values import BROADCASTING, evaluate
from simulator.weights.files import Tensor, check_baked
from simulator.weights.layout import Array
from simulator.workload import Conv, Gemm

if TYPE_CHECKING:
    import onnx


REARRANGING = frozenset(
    {"Cast", "Mul", "Div", "Add", "Sub", "Transpose", "Constant", "ConstantOfShape", "Identity"}
    | {"DequantizeLinear", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Concat", "Split", "Slice"}
)
"""Operators that may stand between a stored tensor and the operator that multiplies it."""

LARGEST_ELEMENTS = 2**31
"""Of a tensor that is computed: 8 GiB of fp32, more than any file of ONNX's own format holds."""


def read_onnx_weights(path: Path, parameters: Mapping[str, int]) -> dict[str, Array]:
    """Weights by layer, output features first.

    Layers whose weights are made by operators outside `REARRANGING` are left out, and those whose
    zero points are not known before the model runs.

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
    check_baked(str(path), (operand.stored for operand in operands.values()))
    values = _Values(path, parse(path))
    found = {}
    for layer in imported.workload.layers:
        operand = operands.get(layer.name)
        if operand is None or not isinstance(layer, Gemm | Conv):
            continue
        array = values.of(operand.tensor)
        if array is None:
            continue
        rows = _rows(path, layer, np.asarray(array, _format(array.dtype)), operand)
        zero = values.of(operand.zero_point) if operand.zero_point else None
        counted = _from_zero(layer, rows, zero) if operand.zero_point else rows
        if counted is not None:
            found[layer.name] = Tensor(layer.name, str(counted.dtype), counted, str(path)).values()
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
        size = 0
        if node.op_type == "ConstantOfShape":
            size = prod(int(side) for side in inputs[node.input[0]].ravel())
        elif node.op_type in BROADCASTING:
            size = prod(np.broadcast_shapes(*(value.shape for value in inputs.values())))
        if not 0 <= size <= LARGEST_ELEMENTS:
            raise WeightsError(str(self.path), "makes a tensor of absurd size", got=size)
        if node.op_type == "DequantizeLinear":
            return _dequantized(node, *inputs.values())
        outputs = evaluate(self.model, node, inputs)
        return None if outputs is None else outputs[list(node.output).index(tensor)]


def _dequantized(
    node: onnx.NodeProto, stored: Array, scale: Array, zero: Array | None = None
) -> Array | None:
    """``(stored - zero) * scale``, with a scale a tensor, a channel, or a block of an axis.

    onnx's runtime knows the operator only in some versions. Source: ONNX, DequantizeLinear-21.
    """
    given = attributes(node)
    axis, block = given.get("axis", 1), given.get("block_size", 0)
    if not -stored.ndim <= axis < stored.ndim:
        axis, block = 0, 0
    parts = [part for part in (scale, zero) if part is not None]
    if block:
        if any(part.ndim != stored.ndim for part in parts):
            return None
        index = np.arange(stored.shape[axis]) // block
        if any(part.shape[axis] * block < stored.shape[axis] for part in parts):
            return None
        parts = [np.take(part, index, axis) for part in parts]
    else:
        shape = [1] * stored.ndim
        shape[axis] = -1
        parts = [part.reshape(shape if part.size > 1 else [1] * stored.ndim) for part in parts]
    wide = [part.astype(np.float32) for part in (stored, *parts)]
    if np.broadcast_shapes(*(part.shape for part in wide)) != stored.shape:
        return None
    offset = wide[2] if zero is not None else np.float32(0)
    scaled: Array = (wide[0] - offset) * wide[1]
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


def _from_zero(layer: Gemm | Conv, rows: Array, zero: Array | None) -> Array | None:
    """Rows of integers counted from their zero point, one of all or one an output feature.

    Returns
    -------
    array or None
        fp32, which holds every difference of 8-bit integers; None where zero points do not fit.
    """
    if zero is None:
        return None
    outputs = layer.m if isinstance(layer, Gemm) else layer.out_channels
    if zero.size not in (1, outputs, len(rows)):
        return None
    column = np.resize(zero.astype(np.float32), len(rows))  # the same for every matrix of a stack
    return rows.astype(np.float32) - column.reshape(-1, *(1,) * (rows.ndim - 1))
