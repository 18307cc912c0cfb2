"""Do shapes follow from the sizes asked for, whatever the exporter wrote beside the operators?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from simulator.errors import WorkloadError
from simulator.workload import Gemm, Layer, Matmul, Stream
from tests.bare import bare
from tests.onnx_models import FLOAT, Dims, graph_of, imported_from, node, numbers, weights


@pytest.fixture
def read(tmp_path: Path) -> Any:
    return partial(imported_from, tmp_path)


def noted(model: onnx.ModelProto, shapes: Mapping[str, Dims], kind: int = FLOAT) -> onnx.ModelProto:
    """The model with shapes beside its tensors, as an exporter leaves them."""
    for name, dims in shapes.items():
        model.graph.value_info.append(helper.make_tensor_value_info(name, kind, dims))
    return model


def masked(rows: int | str) -> onnx.ModelProto:
    """A mask of a computed shape is added, and the sum multiplied."""
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "one"], ["rows"]),
        node("Unsqueeze", ["rows", "zero"], ["rows1"]),
        node("Concat", ["rows1", "unit"], ["target"], axis=0),
        node("ConstantOfShape", ["target"], ["mask"]),
        node("Add", ["x", "mask"], ["sum"]),
        node("MatMul", ["sum", "w"], ["y"]),
    ]
    tensors = [helper.make_tensor("one", TensorProto.INT64, [], [1]), numbers("zero", 0),
               numbers("unit", 1), weights("w", 64, 32)]  # fmt: skip
    return graph_of(nodes, {"x": [1, rows, 64]}, tensors)


def products(layers: tuple[Layer, ...]) -> list[Layer]:
    return [layer for layer in bare(layers) if not isinstance(layer, Stream)]


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_shape_computed_inside_is_found_at_every_size(read: Any, rows: int) -> None:
    imported = read(masked("rows"), rows=rows)
    assert products(imported.workload.layers) == [Gemm("y", m=32, n=rows, k=64)]
    assert products(read(masked("rows")).workload.layers) == [Gemm("y", m=32, n=1, k=64)]


@pytest.mark.parametrize(
    "stale",
    [
        {"sum": [1, 5, 64]},
        {"mask": [5, 1], "sum": [1, 5, 64]},
        {"sum": [5, 64]},
        {"sum": [1, "other", 64]},
        {"target": [3], "rows1": [2], "shape": [4]},
        {"y": [9, 9, 9]},
    ],
)
def test_stale_notes_change_nothing(read: Any, stale: dict[str, Dims]) -> None:
    clean = read(masked("rows"), rows=3).workload.layers
    model = noted(masked("rows"), stale)
    assert read(model, rows=3).workload.layers == clean
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", FLOAT, [1, 5, 32]))
    assert read(model, rows=3).workload.layers == clean


def test_stale_notes_in_a_body_change_nothing(read: Any) -> None:
    """An If hands on what its branches write."""
    branches = []
    for op in ("Relu", "Abs"):
        output = helper.make_tensor_value_info("inner", FLOAT, [1, 5, 64])
        inner = [node(op, ["x"], ["t"]), node("Neg", ["t"], ["inner"])]
        graph = helper.make_graph(inner, "body", [], [output])
        graph.value_info.append(helper.make_tensor_value_info("t", FLOAT, [1, 6, 64]))
        branches.append(graph)
    nodes = [
        node("Cast", ["flag"], ["condition"], to=TensorProto.BOOL),
        node("If", ["condition"], ["z"], then_branch=branches[0], else_branch=branches[1]),
        node("MatMul", ["z", "w"], ["y"]),
    ]
    model = graph_of(nodes, {"x": [1, "rows", 64], "flag": [1]}, [weights("w", 64, 32)])
    assert products(read(model, rows=3).workload.layers) == [Gemm("y", m=32, n=3, k=64)]


def test_notes_serve_where_nothing_else_tells(read: Any) -> None:
    """With the sizes that were asked for, and told of."""
    nodes = [node("Own", ["x"], ["z"], domain="vendor"), node("MatMul", ["z", "w"], ["y"])]
    model = graph_of(nodes, {"x": ["a", "b", 64]}, [weights("w", 48, 32)], domains=["vendor"])
    noted(model, {"z": ["a", "2*b", 48]})
    imported = read(model, a=2, b=5)
    assert products(imported.workload.layers) == [Gemm("y", m=32, n=20, k=48)]
    assert imported.skipped == {"vendor.Own": 1}
    assert "shapes that only the exporter's notes tell: 1" in imported.workload.notes
    unfixed = noted(graph_of(nodes, {"x": ["a", "b", 64]}, [weights("w", 48, 32)],
                             domains=["vendor"]), {"z": ["a", "c", 48]})  # fmt: skip
    with pytest.raises(WorkloadError, match=r"MatMul \(shape unknown\)"):
        read(unfixed, a=2, b=5)


def test_an_unknown_operator_loses_nothing_that_is_derivable(read: Any) -> None:
    nodes = [
        node("Own", ["x"], ["z"], domain="vendor"),
        node("Reshape", ["z", "shape"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
        node("MatMul", ["x", "v"], ["q"]),
        node("MatMul", ["z", "w"], ["lost"]),
    ]
    tensors = [numbers("shape", 2, 5, 48), weights("w", 48, 32), weights("v", 64, 16)]
    imported = read(graph_of(nodes, {"x": [2, 5, 64]}, tensors, domains=["vendor"]))
    assert products(imported.workload.layers) == [
        Gemm("y", m=32, n=10, k=48), Gemm("q", m=16, n=10, k=64),
    ]  # fmt: skip
    assert imported.skipped == {"vendor.Own": 1, "MatMul (shape unknown)": 1}


def test_an_operator_that_fits_nothing_loses_only_itself(read: Any) -> None:
    """onnx refuses to infer a Concat of other ranks."""
    nodes = [
        node("Concat", ["x", "w"], ["z"], axis=7),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    imported = read(graph_of(nodes, {"x": [2, 5, 64]}, [weights("w", 64, 32)]))
    assert products(imported.workload.layers) == [Gemm("y", m=32, n=10, k=64)]


def test_parts_of_a_shape_are_taken_apart(read: Any) -> None:
    """Shape with bounds, Size and Split, as newer exporters write them."""
    nodes = [
        node("Shape", ["x"], ["batch"], start=0, end=1),
        node("Shape", ["x"], ["rest"], start=-2),
        node("Split", ["rest"], ["rows", "width"], axis=0),
        node("Concat", ["batch", "width", "rows"], ["turned"], axis=0),
        node("Reshape", ["x", "turned"], ["z"]),
        node("MatMul", ["x", "z"], ["y"]),
    ]
    layers = read(graph_of(nodes, {"x": [3, 5, 64]})).workload.layers
    assert products(layers) == [Matmul("y", m=5, n=5, k=64, batch=3)]
