"""Small ONNX models for tests, and where packages keep real ones."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from simulator.importers import Imported, import_workload

Dims = Sequence[int | str]
FLOAT = TensorProto.FLOAT


def package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


LIGHT = package("onnx") / "backend" / "test" / "data" / "light"
OCR = package("rapidocr_onnxruntime") / "models"


def weights(name: str, *dims: int, kind: int = FLOAT) -> TensorProto:
    """A tensor of zeros."""
    array = np.zeros(dims, helper.tensor_dtype_to_np_dtype(kind))
    return onnx.numpy_helper.from_array(array, name)


def numbers(name: str, *values: int) -> TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def graph_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Dims],
    tensors: Sequence[TensorProto] = (),
    kind: int = FLOAT,
    domains: Sequence[str] = (),
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A model whose last node's first output is its output."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, kind, dims) for name, dims in inputs.items()],
        [helper.make_empty_tensor_value_info(nodes[-1].output[0])],
        list(tensors),
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions))


node = helper.make_node


def imported_from(folder: Path, model: onnx.ModelProto, **parameters: int) -> Imported:
    """What a model is read as, once it is a file."""
    path = folder / "made.onnx"
    path.write_bytes(model.SerializeToString())
    return import_workload(path, parameters)
