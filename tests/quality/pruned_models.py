"""Small random ONNX models that can be pruned, and what onnxruntime makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper

from simulator.quality.calibration import Calibration, model_inputs
from tests.onnx_models import Dims, graph_of, node

Array = npt.NDArray[Any]


def random(*shape: int, seed: int = 0, kind: npt.DTypeLike = np.float32) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(kind)


def written(
    folder: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, Dims],
    tensors: Mapping[str, Array],
    kind: int = TensorProto.FLOAT,
) -> Path:
    """A model file; its last node's output is the model's."""
    stored = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    model = graph_of(nodes, inputs, stored, kind)
    model.ir_version = 9
    path = folder / "made.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def perceptron(folder: Path) -> Path:
    """Two Gemms with a ReLU between, 32 -> 48 -> 16; weights [in, out] and [out, in]."""
    nodes = [
        node("Gemm", ["x", "first.weight"], ["a"], "first"),
        node("Relu", ["a"], ["b"]),
        node("Gemm", ["b", "second.weight"], ["y"], "second", transB=1),
    ]
    tensors = {"first.weight": random(32, 48), "second.weight": random(16, 48, seed=1)}
    return written(folder, nodes, {"x": ["n", 32]}, tensors)


def fed(path: Path, *batches: Mapping[str, Array]) -> Calibration:
    """A calibration of these batches."""

    def given() -> Iterator[Mapping[str, Any]]:
        return iter(batches)

    return Calibration("given", "", given, model_inputs(onnx.load(path)))


def outputs_of(path: Path, feeds: Mapping[str, Array]) -> list[Array]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(None, dict(feeds))
    return found


def stored(path: Path) -> dict[str, Array]:
    """All initializers of a file."""
    model = onnx.load(path)
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
