"""A small ONNX model with two layers that can be pruned, and inputs for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from onnx_models import graph_of, node

INPUTS, HIDDEN, CLASSES = 32, 64, 16


def perceptron(path: Path, seed: int = 0) -> Path:
    """``x -> x first -> relu -> . second``, from a seed."""
    random = np.random.default_rng(seed)
    first = random.normal(size=(INPUTS, HIDDEN)).astype(np.float32)
    second = random.normal(size=(HIDDEN, CLASSES)).astype(np.float32)
    model = graph_of(
        [
            node("MatMul", ["x", "first.weight"], ["hidden"]),
            node("Relu", ["hidden"], ["positive"]),
            node("MatMul", ["positive", "second.weight"], ["scores"]),
        ],
        {"x": ["samples", INPUTS]},
        [
            numpy_helper.from_array(first, "first.weight"),
            numpy_helper.from_array(second, "second.weight"),
        ],
    )
    model.ir_version = 8
    onnx.save(model, path)
    return path


def samples(count: int = 40, seed: int = 1) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, INPUTS)).astype(np.float32)


def inputs_file(path: Path, count: int = 40, seed: int = 1) -> Path:
    np.savez(path, x=samples(count, seed))
    return path
