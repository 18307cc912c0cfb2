"""Are onnxruntime's own operators read, and what follows them, and are all others named?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from simulator.errors import WorkloadError
from simulator.workload import Attention, Conv, Gemm, Layer, Matmul, Stream
from tests.bare import bare
from tests.onnx_models import FLOAT, graph_of, imported_from, node, numbers, weights

CONTRIB = "com.microsoft"
UINT8, FLOAT16 = TensorProto.UINT8, TensorProto.FLOAT16


@pytest.fixture
def read(tmp_path: Path) -> Any:
    return partial(imported_from, tmp_path)


def contrib(op: str, inputs: str, **attributes: Any) -> onnx.NodeProto:
    """An operator that writes y; inputs are separated by spaces, ``-`` is none."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return node(op, names, ["y"], domain=CONTRIB, name="op", **attributes)


def products(layers: tuple[Layer, ...]) -> list[Layer]:
    return [layer for layer in bare(layers) if not isinstance(layer, Stream)]


def scalar(name: str, kind: int = FLOAT) -> TensorProto:
    return helper.make_tensor(name, kind, [], [1])


X, W = {"x": [2, 5, 64]}, weights("w", 64, 32)
Q = weights("q", 64, 32, kind=UINT8)
S, Z = scalar("s"), scalar("z", UINT8)
IMAGE = {"x": [2, 8, 9, 3]}

# An operator, inputs by shape, tensors, and its layers. All write (..., 32) or (..., 7).
READ: list[tuple[onnx.NodeProto, dict[str, Any], list[TensorProto], list[Layer]]] = [
    (contrib("MatMulNBits", "x b s", K=64, N=32, bits=4, block_size=32), X,
     [weights("b", 32, 2, 16, kind=UINT8), S], [Gemm("op", 32, 10, 64)]),
    (contrib("MatMulBnb4", "x b s", K=64, N=32, block_size=64, quant_type=1), X,
     [weights("b", 1024, kind=UINT8), S], [Gemm("op", 32, 10, 64)]),
    (contrib("FusedMatMul", "x w", alpha=0.5), X, [W], [Gemm("op", 32, 10, 64)]),
    (contrib("FusedMatMul", "x w", transB=1), X, [weights("w", 32, 64)], [Gemm("op", 32, 10, 64)]),
    (contrib("FusedMatMul", "x u", transA=1), {"x": [2, 64, 5], "u": [2, 64, 32]}, [],
     [Matmul("op", 32, 5, 64, batch=2)]),
    (contrib("FusedMatMul", "x u", transBatchA=1, transBatchB=1),
     {"x": [5, 2, 64], "u": [64, 2, 32]}, [], [Matmul("op", 32, 5, 64, batch=2)]),
    (contrib("TransposeMatMul", "x w"), X, [W], [Gemm("op", 32, 10, 64)]),
    (contrib("FusedGemm", "x w c", activation="Relu"), {"x": [10, 64]}, [W, weights("c", 32)],
     [Gemm("op", 32, 10, 64)]),
    (contrib("GemmFastGelu", "x w"), X, [W], [Gemm("op", 32, 10, 64)]),
    (contrib("QGemm", "x s z q s z - s z", transB=0), {"x": [10, 64]}, [Q, S, Z],
     [Gemm("op", 32, 10, 64, dtype="int8")]),
    (contrib("MatMulIntegerToFloat", "x q s s z z"), X, [Q, S, Z],
     [Gemm("op", 32, 10, 64, dtype="int8")]),
    (contrib("DynamicQuantizeMatMul", "x q s z"), X, [Q, S, Z],
     [Gemm("op", 32, 10, 64, dtype="int8")]),
    (contrib("FusedConv", "x k", activation="Relu", pads=[1, 1, 1, 1]), {"x": [2, 3, 8, 32]},
     [weights("k", 7, 3, 3, 3)], [Conv("op", 3, 7, 8, 32, 3, padding=1, batch=2)]),
    (contrib("NhwcConv", "x k", pads=[1, 1, 1, 1], strides=[2, 1]), IMAGE,
     [weights("k", 7, 3, 3, 3)], [Conv("op", 3, 7, 8, 9, 3, stride=(2, 1), padding=1, batch=2)]),
    (contrib("QLinearConv", "x s z k s z s z", channels_last=1), IMAGE,
     [weights("k", 7, 3, 1, 1, kind=UINT8), S, Z], [Conv("op", 3, 7, 8, 9, batch=2, dtype="int8")]),
    (contrib("Attention", "x w b", num_heads=4), X, [weights("w", 64, 96), weights("b", 96)],
     [Gemm("op.qkv", 96, 10, 64), Attention("op.attention", 4, 4, 5, 5, 8, batch=2)]),
    (contrib("QAttention", "x q b s s - z z", num_heads=4), X,
     [weights("q", 64, 96, kind=UINT8), weights("b", 96), S, Z],
     [Gemm("op.qkv", 96, 10, 64, dtype="int8"),
      Attention("op.attention", 4, 4, 5, 5, 8, batch=2)]),
    (contrib("MultiHeadAttention", "x u u", num_heads=4), {"x": [2, 5, 32], "u": [2, 7, 32]}, [],
     [Attention("op", 4, 4, 5, 7, 8, batch=2)]),
    (contrib("MultiHeadAttention", "x u u - - - p p", num_heads=4, unidirectional=1),
     {"x": [2, 5, 32], "u": [2, 5, 32], "p": [2, 4, 3, 8]}, [],
     [Attention("op", 4, 4, 5, 8, 8, batch=2, causal=True)]),
    (contrib("GroupQueryAttention", "x u u p p n t", num_heads=4, kv_num_heads=2),
     {"x": [2, 5, 32], "u": [2, 5, 16], "p": [2, 2, 20, 8], "n": [2]}, [numbers("t", 12)],
     [Attention("op", 4, 2, 5, 12, 8, batch=2, causal=True)]),
    (contrib("GroupQueryAttention", "x - - p p n t", num_heads=4, kv_num_heads=2),
     {"x": [2, 5, 64], "p": [2, 2, 20, 8], "n": [2], "t": [1]}, [],
     [Attention("op", 4, 2, 5, 25, 8, batch=2, causal=True)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "inputs", "tensors", "layers"),
    READ,
    ids=[f"{index} {case[0].op_type}" for index, case in enumerate(READ)],
)
def test_products_and_what_follows_them(
    read: Any,
    operator: onnx.NodeProto,
    inputs: dict[str, Any],
    tensors: list[TensorProto],
    layers: list[Layer],
) -> None:
    """A product after the operator is read only if its output's shape is known."""
    last = {"FusedConv": 32, "NhwcConv": 7, "QLinearConv": 7}.get(operator.op_type, 32)
    nodes = [operator, node("MatMul", ["y", "after"], ["last"])]
    model = graph_of(nodes, inputs, [*tensors, weights("after", last, 6)], domains=[CONTRIB])
    imported = read(model)
    assert products(imported.workload.layers)[:-1] == layers
    assert (imported.imported, imported.skipped) == (2, {})
    assert products(imported.workload.layers)[-1].macs % (6 * last) == 0


def test_packed_weights_are_told_of(read: Any) -> None:
    operator = contrib("MatMulNBits", "x b s", K=64, N=32, bits=4, block_size=32)
    model = graph_of([operator], X, [weights("b", 32, 2, 16, kind=UINT8), S], kind=FLOAT16,
                     domains=[CONTRIB])  # fmt: skip
    note = "weights of 4 bits in the file, read and moved in the format of their activations: 1"
    assert note in read(model).workload.notes


@pytest.mark.parametrize(
    "operator",
    [
        contrib("SkipLayerNormalization", "x x g"),
        contrib("SkipSimplifiedLayerNormalization", "x x g"),
        contrib("BiasGelu", "x g"),
        contrib("FastGelu", "x"),
        contrib("QuickGelu", "x"),
        contrib("RotaryEmbedding", "x p c c"),
        contrib("QLinearAdd", "x s z x s z s z"),
        contrib("QLinearSigmoid", "x s z s z"),
        contrib("QuantizeLinear", "x s z"),
        contrib("DequantizeLinear", "x s z"),
        node("SimplifiedLayerNormalization", ["x", "g"], ["y"]),
    ],
    ids=lambda operator: operator.op_type,
)
def test_what_keeps_a_shape_loses_nothing_and_is_no_product(
    read: Any, operator: onnx.NodeProto
) -> None:
    tensors = [S, Z, weights("g", 64), weights("c", 8, 32), numbers("p", 0), W]
    model = graph_of(
        [operator, node("MatMul", ["y", "w"], ["last"])], X, tensors, domains=[CONTRIB]
    )
    imported = read(model)
    assert [layer.macs for layer in products(imported.workload.layers)] == [32 * 10 * 64]
    assert (imported.macs_bearing, imported.skipped) == (1, {})


def test_an_embedding_and_a_gated_unit_have_shapes(read: Any) -> None:
    nodes = [
        node("EmbedLayerNormalization", ["ids", "", "table", "places", "", "g", "g"], ["e", "mask"],
             domain=CONTRIB),
        node("BiasSplitGelu", ["e", "g"], ["half"], domain=CONTRIB),
        node("MatMul", ["half", "w"], ["y"]),
    ]  # fmt: skip
    tensors = [weights("table", 99, 128), weights("places", 16, 128), weights("g", 128), W]
    model = graph_of(nodes, {"ids": [2, 5]}, tensors, kind=TensorProto.INT32, domains=[CONTRIB])
    assert products(read(model).workload.layers) == [Gemm("y", 32, 10, 64)]


@pytest.mark.parametrize("layers", [1, 2])
def test_the_cache_of_grouped_queries_is_handed_on(read: Any, layers: int) -> None:
    """The present keys of one call are the past ones of the next."""
    attributes: dict[str, Any] = {"num_heads": 4, "kv_num_heads": 2, "domain": CONTRIB}
    nodes = [
        node("GroupQueryAttention", [f"x{i}", "u", "u", f"k{i}", f"v{i}"],
             [f"x{i + 1}", f"k{i + 1}", f"v{i + 1}"], **attributes)
        for i in range(layers)
    ]  # fmt: skip
    inputs = {"x0": [2, 1, 32], "u": [2, 1, 16], "k0": [2, 2, 20, 8], "v0": [2, 2, 20, 8]}
    found = products(read(graph_of(nodes, inputs, domains=[CONTRIB])).workload.layers)
    assert [x.context for x in found if isinstance(x, Attention)] == [21 + i for i in range(layers)]


def test_attention_of_onnx_itself(read: Any) -> None:
    four = node("Attention", ["q", "k", "v"], ["y"], name="op")
    model = graph_of([four], {"q": [2, 4, 5, 8], "k": [2, 2, 7, 8], "v": [2, 2, 7, 6]})
    model.opset_import[0].version = 23
    assert bare(read(model).workload.layers) == (
        Matmul("op.scores", 7, 10, 8, batch=4), Matmul("op.values", 6, 10, 7, batch=4),
    )  # fmt: skip
    three = node("Attention", ["q", "k", "k", "", "p", "p"], ["y"], name="op",
                 q_num_heads=4, kv_num_heads=2)  # fmt: skip
    model = graph_of([three], {"q": [2, 5, 32], "k": [2, 7, 16], "p": [2, 2, 3, 8]})
    model.opset_import[0].version = 23
    assert bare(read(model).workload.layers) == (Attention("op", 4, 2, 5, 10, 8, batch=2),)
    del model.graph.node[0].attribute[:]
    with pytest.raises(WorkloadError, match=r"0 heads of queries and 0 of keys\) x1"):
        read(model)


# What is named


@pytest.mark.parametrize(
    ("operator", "name"),
    [
        (contrib("MoE", "x x w w"), "com.microsoft.MoE"),
        (contrib("QMoE", "x x w w"), "com.microsoft.QMoE"),
        (contrib("SparseAttention", "x x x"), "com.microsoft.SparseAttention"),
        (contrib("CDist", "x x"), "com.microsoft.CDist"),
        (node("Gelu", ["x"], ["y"], domain="vendor"), "vendor.Gelu"),
        (node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml"), "ai.onnx.ml.LinearRegressor"),
        (node("FlexAttention", ["x", "x", "x"], ["y"], domain="ai.onnx.preview"),
         "ai.onnx.preview.FlexAttention"),
        (node("NotOfOnnx", ["x", "w"], ["y"]), "NotOfOnnx"),
        (node("DeformConv", ["i", "k", "i"], ["y"]), "DeformConv"),
        (node("LinearAttention", ["x", "x", "x"], ["y"]), "LinearAttention"),
        (node("CausalConvWithState", ["x", "w"], ["y"]), "CausalConvWithState"),
        (node("Einsum", ["w", "w"], ["y"], equation="ij,jk->ik"), "Einsum (of constants)"),
        (node("MatMul", ["w", "v"], ["y"]), "MatMul (of constants)"),
        (node("Own", ["w"], ["y"], domain="vendor"), "vendor.Own (of constants)"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.op_type,
)  # fmt: skip
def test_what_may_bear_macs_is_named(read: Any, operator: onnx.NodeProto, name: str) -> None:
    domains = [CONTRIB, "vendor", "ai.onnx.ml", "ai.onnx.preview"]
    tensors = [W, weights("v", 32, 16), weights("k", 4, 3, 3, 3)]
    model = graph_of([operator, node("MatMul", ["x", "w"], ["last"])],
                     {**X, "i": [1, 3, 8, 8]}, tensors, domains=domains)  # fmt: skip
    imported = read(model)
    assert imported.skipped == {name: 1}
    assert (imported.imported, imported.macs_bearing) == (1, 2)


@pytest.mark.parametrize("name", ["Scaler", "LabelEncoder", "ZipMap", "TreeEnsembleRegressor"])
def test_what_multiplies_no_matrices_is_not_named(read: Any, name: str) -> None:
    operator = node(name, ["x"], ["y"], domain="ai.onnx.ml")
    model = graph_of([operator, node("MatMul", ["x", "w"], ["last"])], X, [W],
                     domains=["ai.onnx.ml"])  # fmt: skip
    assert read(model).skipped == {}


def test_products_in_bodies_are_named_one_by_one(read: Any) -> None:
    """Whatever operator holds the body, and however deep."""

    def body(*nodes: onnx.NodeProto, inputs: Any = (), outputs: Any = ("o",)) -> onnx.GraphProto:
        values = [helper.make_tensor_value_info(name, FLOAT, None) for name in inputs]
        made = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
        return helper.make_graph(nodes, "body", values, made)

    inner = body(node("MatMul", ["x", "w"], ["i"]), node("Own", ["i"], ["o"], domain="vendor"))
    plain = body(node("Relu", ["x"], ["o"]))
    nested = body(node("If", ["c"], ["o"], then_branch=inner, else_branch=plain))
    mapped = body(node("Gemm", ["a", "w"], ["o"]), inputs=["a"])
    nodes = [
        node("Cast", ["x"], ["c"], to=TensorProto.BOOL),
        node("If", ["c"], ["y"], then_branch=nested, else_branch=inner),
        node("SplitToSequence", ["x"], ["parts"]),
        node("SequenceMap", ["parts"], ["maps"], body=mapped),
        node("MatMul", ["x", "w"], ["last"]),
    ]
    imported = read(graph_of(nodes, X, [W], domains=["vendor"]))
    assert imported.skipped == {
        "MatMul in If in If": 1, "vendor.Own in If in If": 1,
        "MatMul in If": 1, "vendor.Own in If": 1, "Gemm in SequenceMap": 1,
    }  # fmt: skip


def test_functions_in_functions_and_bodies_are_read(read: Any) -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    linear = helper.make_function("mine", "Linear", ["a", "b"], ["c"],
                                  [node("MatMul", ["a", "b"], ["c"])], opsets)  # fmt: skip
    twice = helper.make_function(
        "mine", "Twice", ["a", "b"], ["c"],
        [node("Linear", ["a", "b"], ["t"], domain="mine"),
         node("Linear", ["t", "b"], ["c"], domain="mine")], opsets,
    )  # fmt: skip
    branch = helper.make_graph([node("Twice", ["x", "w"], ["o"], domain="mine")], "b", [],
                               [helper.make_tensor_value_info("o", FLOAT, None)])  # fmt: skip
    nodes = [
        node("Cast", ["x"], ["c"], to=TensorProto.BOOL),
        node("If", ["c"], ["z"], then_branch=branch, else_branch=branch),
        node("Twice", ["x", "w"], ["y"], domain="mine"),
    ]
    model = graph_of(nodes, {"x": [10, 64]}, [weights("w", 64, 64)], domains=["mine"],
                     functions=[linear, twice])  # fmt: skip
    imported = read(model)
    assert [layer.macs for layer in products(imported.workload.layers)] == [10 * 64 * 64] * 2
    assert imported.skipped == {"MatMul in If": 4}


def test_a_gemm_with_an_activation_added_reads_it(read: Any) -> None:
    gemm = node("Gemm", ["x", "w", "c"], ["y"], name="op", alpha=0.5, beta=2.0)
    layers = read(graph_of([gemm], {"x": [10, 64], "c": [10, 32]}, [W])).workload.layers
    assert bare(layers) == (Gemm("op", 32, 10, 64), Stream("op.add", 640, 320, op="add"))
    assert layers[1].inputs == ("op", "input")
    bias = read(graph_of([gemm], {"x": [10, 64]}, [W, weights("c", 32)])).workload.layers
    assert bias == (Gemm("op", 32, 10, 64, epilogue=("bias",), inputs=("input",)),)
