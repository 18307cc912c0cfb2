"""Does every product of an ONNX file become a layer, or stand by name among what is missing?

The oracle counts in the raw protobuf: it knows names of operators and nothing of shapes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from simulator.errors import WorkloadError
from simulator.importers import Imported
from simulator.workload import Conv, Gemm, Matmul
from tests.bare import of_earlier
from tests.onnx_models import FLOAT, graph_of, imported_from, node, numbers, weights

PRODUCTS = {
    "MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "LSTM", "GRU", "RNN", "MatMulInteger",
    "ConvInteger", "QLinearMatMul", "QLinearConv", "DeformConv", "Attention",
}  # fmt: skip
HARMLESS = {"FastGelu", "SkipLayerNormalization"}
"""Of the operators below that are not ONNX's own, those that multiply nothing."""

WIDTH, ROWS = 8, 6


def naive_count(model: onnx.ModelProto) -> int:
    """Products of a file: those of its graph, of bodies, and of functions where they are called."""
    functions = {(f.domain, f.name): f.node for f in model.functions}

    def of(nodes: Iterable[onnx.NodeProto]) -> int:
        total = 0
        for one in nodes:
            called = functions.get((one.domain, one.op_type))
            if called is not None:
                total += of(called)
            elif one.domain:
                total += one.op_type not in HARMLESS
            else:
                total += one.op_type in PRODUCTS
            for attribute in one.attribute:
                total += of(attribute.g.node) + sum(of(graph.node) for graph in attribute.graphs)
        return total

    return of(model.graph.node)


# Steps of a random model: from a tensor of (1, ROWS, WIDTH), if that is known, to another.

Step = Callable[[str, str], list[onnx.NodeProto]]


def body(source: str, operators: Iterable[str]) -> onnx.GraphProto:
    """A chain of products of constants; outer tensors are read by name."""
    nodes, last = [], source
    for index, op in enumerate(operators):
        other = "w" if op == "MatMul" else "bias"
        nodes.append(node(op, [last, other], [f"{source}.{index}"]))
        last = f"{source}.{index}"
    nodes.append(node("Identity", [last], ["o"]))
    return helper.make_graph(
        nodes, "body", [], [helper.make_tensor_value_info("o", FLOAT, None)]
    )  # fmt: skip


def chosen(source: str, target: str, one: list[str], other: list[str]) -> list[onnx.NodeProto]:
    return [
        node("If", ["flag"], [target], then_branch=body(source, one),
             else_branch=body(source, other)),
    ]  # fmt: skip


STEPS: dict[str, Step] = {
    "weights": lambda a, b: [node("MatMul", [a, "w"], [b])],
    "weights on the left": lambda a, b: [node("MatMul", ["left", a], [b])],
    "two activations": lambda a, b: [
        node("Transpose", [a], [f"{b}t"], perm=[0, 2, 1]),
        node("MatMul", [f"{b}t", a], [f"{b}s"]),
        node("MatMul", [a, f"{b}s"], [b]),
    ],
    "gemm": lambda a, b: [
        node("Squeeze", [a, "zero"], [f"{b}q"]),
        node("Gemm", [f"{b}q", "w"], [f"{b}g"], alpha=0.5, transB=1),
        node("Unsqueeze", [f"{b}g", "zero"], [b]),
    ],
    "a shape computed inside": lambda a, b: [
        node("Shape", [a], [f"{b}s"]),
        node("Reshape", [a, f"{b}s"], [b]),
    ],
    "relu": lambda a, b: [node("Relu", [a], [b])],
    "einsum": lambda a, b: [node("Einsum", [a, "w"], [b], equation="bij,jk->bik")],
    "unknown": lambda a, b: [node("Own", [a], [b], domain="vendor")],
    "known shape again": lambda a, b: [node("Reshape", [a, "shape"], [b])],
    "constants": lambda a, b: [
        node("MatMul", ["w", "w"], [f"{b}c"]),
        node("MatMul", [a, f"{b}c"], [b]),
    ],
    "no values": lambda a, b: [node("NonZero", [a], [f"{b}n"]), node("Relu", [a], [b])],
    "function": lambda a, b: [node("Linear", [a, "w"], [b], domain="mine")],
    "functions in it": lambda a, b: [node("Twice", [a, "w"], [b], domain="mine")],
    "fused": lambda a, b: [node("FusedMatMul", [a, "w"], [b], domain="com.microsoft", transB=1)],
    "harmless": lambda a, b: [node("FastGelu", [a], [b], domain="com.microsoft")],
    "experts": lambda a, b: [node("MoE", [a, a, "w", "w"], [b], domain="com.microsoft")],
    "branches": lambda a, b: chosen(a, b, ["MatMul"], ["MatMul", "MatMul"]),
    "harmless branches": lambda a, b: chosen(a, b, ["Add"], ["Sub", "Add"]),
}


def functions() -> list[onnx.FunctionProto]:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    once = [node("MatMul", ["a", "b"], ["c"])]
    twice = [node("Linear", ["a", "b"], ["t"], domain="mine"),
             node("Linear", ["t", "b"], ["c"], domain="mine")]  # fmt: skip
    bodies = {"Linear": once, "Twice": twice}
    return [
        helper.make_function("mine", name, ["a", "b"], ["c"], nodes, opsets)
        for name, nodes in bodies.items()
    ]


def built(steps: list[str]) -> onnx.ModelProto:
    nodes: list[onnx.NodeProto] = [node("Cast", ["x"], ["flag"], to=TensorProto.BOOL)]
    last = "x"
    for index, step in enumerate(steps):
        nodes += STEPS[step](last, f"t{index}")
        last = f"t{index}"
    nodes.append(node("MatMul", ["x", "w"], ["last"]))  # so that something can always be read
    tensors = [weights("w", WIDTH, WIDTH), weights("left", ROWS, ROWS), weights("bias", WIDTH),
               numbers("zero", 0), numbers("shape", 1, ROWS, WIDTH)]  # fmt: skip
    return graph_of(nodes, {"x": [1, "rows", WIDTH]}, tensors, functions=functions(),
                     domains=["vendor", "mine", "com.microsoft"])  # fmt: skip


def read(model: onnx.ModelProto) -> Imported:
    with tempfile.TemporaryDirectory() as folder:
        return imported_from(Path(folder), model, rows=ROWS)


STEP_LISTS = st.lists(st.sampled_from(sorted(STEPS)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(STEP_LISTS)
def test_imported_and_missing_are_all_products_of_the_file(steps: list[str]) -> None:
    model = built(steps)
    imported = read(model)
    assert imported.imported + sum(imported.skipped.values()) == naive_count(model)
    assert imported.macs_bearing == naive_count(model)
    named = imported.workload.notes[0]
    assert all(f"{name} x{count}" in named for name, count in imported.skipped.items())
    layers = [x for x in imported.workload.layers if isinstance(x, Gemm | Matmul | Conv)]
    assert len(layers) == imported.imported
    assert of_earlier(imported.workload)


DERIVABLE = sorted(set(STEPS) - {"unknown", "experts", "einsum"})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(DERIVABLE), max_size=10))
def test_nothing_is_of_unknown_shape_where_all_can_be_derived(steps: list[str]) -> None:
    assert not any("unknown" in name for name in read(built(steps)).skipped)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(DERIVABLE), max_size=8), st.data())
def test_notes_of_another_size_change_nothing(steps: list[str], data: Any) -> None:
    model = built(steps)
    right = read(model).workload.layers
    tensors = sorted({name for one in model.graph.node for name in one.output})
    for name in data.draw(st.lists(st.sampled_from(tensors), unique=True)):
        dims = data.draw(st.lists(st.sampled_from([1, 3, WIDTH, "rows", "other"]), max_size=3))
        model.graph.value_info.append(helper.make_tensor_value_info(name, FLOAT, dims))
    assert read(model).workload.layers == right


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["unknown", "einsum", "constants", "branches"]), min_size=1))
def test_a_file_of_which_nothing_can_be_read_says_of_how_much(steps: list[str]) -> None:
    """The first loses the shape of its output, or the rest is no product of the graph itself."""
    model = built(["unknown", *steps])
    del model.graph.node[-1]
    model.graph.output[0].name = model.graph.node[-1].output[0]
    with pytest.raises(WorkloadError, match=f"0 of {naive_count(model)} MAC-bearing"):
        read(model)
