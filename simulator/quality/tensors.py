"""Stored tensors of an ONNX model: read as numbers, and written back in their own format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.importers.onnx_model import one_line
from simulator.weights.layout import Array

if TYPE_CHECKING:
    import onnx

FLOATS = {1: "<f4", 10: "<f2", 11: "<f8", 16: "<u2"}
"""Formats of weights by number of `onnx.TensorProto.DataType`; numpy has no bf16: its bits."""

BF16 = 16


class Tensors:
    """The tensors that a model stores, as initializers or as constants, by name.

    Parameters
    ----------
    model : ModelProto
        Its tensors are replaced in place.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._protos = {tensor.name: tensor for tensor in model.graph.initializer}
        self._protos |= {node.output[0]: value for node, value in _constants(model.graph)}

    def __contains__(self, name: str) -> bool:
        return name in self._protos

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._protos[name].dims)

    def is_float(self, name: str) -> bool:
        """Whether it is in a format of weights, not of integers or of packed numbers."""
        return self._protos[name].data_type in FLOATS

    def array(self, name: str) -> Array:
        """Its numbers: fp64 as they are, all others as fp32, exactly."""
        from onnx import numpy_helper

        stored = numpy_helper.to_array(self._protos[name])
        return stored if stored.dtype == np.float64 else stored.astype(np.float32)

    def replace(self, name: str, values: Array) -> None:
        """Other numbers of the same shape, rounded to the tensor's own format."""
        import onnx

        proto = self._protos[name]
        bits = _bf16_bits(values) if proto.data_type == BF16 else values
        raw = np.ascontiguousarray(bits, dtype=FLOATS[proto.data_type]).tobytes()
        proto.CopyFrom(
            onnx.TensorProto(
                name=proto.name, data_type=proto.data_type, dims=proto.dims, raw_data=raw
            )
        )


def load_external(path: Path, model: onnx.ModelProto) -> list[Path]:
    """Bring what lies in files beside the model into it; return those files.

    Raises
    ------
    WorkloadError
        If one cannot be read, or lies outside of the model's folder.
    """
    from onnx import external_data_helper

    tensors = [*model.graph.initializer, *(value for _, value in _constants(model.graph))]
    outside = [t for t in tensors if external_data_helper.uses_external_data(t)]
    files = {e.value for t in outside for e in t.external_data if e.key == "location"}
    with one_line(path):
        for tensor in outside:
            external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
            tensor.data_location = tensor.DEFAULT
            tensor.ClearField("external_data")
    return [path.parent / name for name in sorted(files)]


def _constants(graph: onnx.GraphProto) -> list[tuple[onnx.NodeProto, onnx.TensorProto]]:
    return [
        (node, attribute.t)
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    ]


def _bf16_bits(values: Array) -> Any:
    """The nearest bf16 of finite numbers, ties to even: the upper half of an fp32."""
    bits = values.astype(np.float32).view(np.uint32)
    return (bits + (np.uint32(0x7FFF) + (bits >> 16 & 1))) >> 16
