"""Are ONNX models read as the layers that they are, and is what cannot be read told?"""

from __future__ import annotations

import random
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from simulator.errors import WorkloadError
from simulator.importers import Imported, import_workload, load_workload
from simulator.workload import Conv, Gemm, Layer, Matmul, Stream
from tests.onnx_models import (
    FLOAT,
    LIGHT,
    OCR,
    Dims,
    graph_of,
    imported_from,
    node,
    numbers,
    weights,
)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Import a model made in the test."""

    return partial(imported_from, tmp_path)


def weight_names(imported: Imported) -> dict[str, str]:
    """By layer, the one tensor that holds its weights."""
    assert all(len(stored.names) == 1 for stored in imported.stored.values())
    return {layer: stored.names[0] for layer, stored in imported.stored.items()}


def macs_bearing(imported: Imported) -> list[Layer]:
    return [layer for layer in imported.workload.layers if not isinstance(layer, Stream)]


# Real models

REAL_GMACS = {
    # At batch 1 and 224 x 224. ResNet-50 v1.5, VGG-19 and DenseNet-121 as torchvision counts them;
    # AlexNet as published, with two groups; ShuffleNet v1, three groups.
    "light_resnet50": (4.089, 54),
    "light_vgg19": (19.632, 19),
    "light_densenet121": (2.834, 121),
    "light_bvlc_alexnet": (0.655, 8),
    "light_shufflenet": (0.125, 50),
    "light_squeezenet": (0.349, 26),
    "light_inception_v1": (1.432, 58),
    "light_inception_v2": (2.019, 70),
    "light_zfnet512": (1.482, 8),
}


@pytest.mark.parametrize("name", REAL_GMACS)
def test_real_networks_have_the_published_macs(name: str) -> None:
    gmacs, operators = REAL_GMACS[name]
    imported = import_workload(LIGHT / f"{name}.onnx", {})
    assert round(imported.workload.macs / 1e9, 3) == gmacs
    assert (imported.imported, imported.macs_bearing) == (operators, operators)
    assert len(weight_names(imported)) == operators


@pytest.mark.parametrize(
    ("name", "height", "width", "gmacs", "operators"),
    [
        ("ch_PP-OCRv4_det_infer", 640, 640, 2.302, 64),
        ("ch_PP-OCRv4_rec_infer", 48, 320, 0.702, 51),
        ("ch_ppocr_mobile_v2.0_cls_infer", 48, 192, 0.016, 54),
    ],
)
def test_dynamic_networks_are_read_at_the_size_asked_for(
    name: str, height: int, width: int, gmacs: float, operators: int
) -> None:
    path = OCR / f"{name}.onnx"
    imported = import_workload(path, {"height": height, "width": width})
    assert round(imported.workload.macs / 1e9, 3) == gmacs
    assert (imported.imported, imported.macs_bearing) == (operators, operators)
    four = load_workload(path, batch=4, height=height, width=width)
    assert four.macs == 4 * imported.workload.macs
    assert import_workload(path, {"x.2": height, "x.3": width}).workload == imported.workload


def test_residual_additions_and_pools_move_bytes_as_in_the_preset() -> None:
    layers = load_workload(LIGHT / "light_resnet50.onnx").layers
    moved = [(x.reads, x.writes) for x in layers if isinstance(x, Stream) and x.op == "elementwise"]
    preset = [
        (x.reads, x.writes)
        for x in load_workload("resnet50").layers
        if isinstance(x, Stream) and x.op == "elementwise"
        for _ in range(x.repeat)
    ]
    assert moved == preset


# Convolutions


@pytest.mark.parametrize(
    ("attributes", "shape", "kernel", "layer"),
    [
        ({"pads": [1, 1, 1, 1]}, (2, 3, 8, 9), (4, 3, 3, 3),
         Conv("c", 3, 4, 8, 9, kernel=3, padding=1, batch=2)),
        ({"strides": [2, 1], "dilations": [1, 2], "group": 2}, (1, 4, 8, 9), (6, 2, 3, 2),
         Conv("c", 4, 6, 8, 9, kernel=(3, 2), stride=(2, 1), dilation=(1, 2), groups=2)),
        ({"pads": [0, 1, 2, 3]}, (1, 3, 8, 9), (4, 3, 3, 3),
         Conv("c", 3, 4, 8, 9, kernel=3, padding=(0, 1, 2, 3))),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (1, 3, 8, 9), (4, 3, 3, 3),
         Conv("c", 3, 4, 8, 9, kernel=3, stride=2, padding=(0, 1, 1, 1))),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, (1, 3, 8, 9), (4, 3, 3, 3),
         Conv("c", 3, 4, 8, 9, kernel=3, stride=2, padding=(1, 1, 0, 1))),
        ({"auto_pad": "VALID"}, (1, 3, 8, 9), (4, 3, 3, 3), Conv("c", 3, 4, 8, 9, kernel=3)),
        ({"pads": [2, 1], "strides": [3]}, (1, 3, 9), (4, 3, 5),
         Conv("c", 3, 4, 1, 9, kernel=(1, 5), stride=(1, 3), padding=(0, 2, 0, 1))),
    ],
)  # fmt: skip
def test_convolutions(
    read: Any, attributes: dict[str, Any], shape: Dims, kernel: tuple[int, ...], layer: Conv
) -> None:
    conv = node("Conv", ["x", "w"], ["y"], name="c", **attributes)
    model = graph_of([conv], {"x": shape}, [weights("w", *kernel)])
    imported = read(model)
    assert imported.workload.layers == (layer,)
    assert weight_names(imported) == {"c": "w"}
    inferred = onnx.shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape.dim
    sizes = [dim.dim_value for dim in inferred][2:]
    assert sizes in ([layer.out_h, layer.out_w], [layer.out_w])


def test_a_transposed_convolution_is_the_gemm_of_its_columns(read: Any) -> None:
    up = node("ConvTranspose", ["x", "w"], ["y"], name="up", strides=[2, 2], group=2)
    imported = read(graph_of([up], {"x": [3, 8, 5, 6]}, [weights("w", 8, 7, 2, 2)]))
    assert imported.workload.layers == (Gemm("up", m=7 * 4, n=3 * 30, k=4, batch=2),)
    assert "ConvTranspose read as the GEMM of its columns: 1" in imported.workload.notes


# Products


@pytest.mark.parametrize(
    ("op", "left", "right", "layer"),
    [
        ("MatMul", "x 5 4", "w 4 8", Gemm("y", m=8, n=5, k=4)),
        ("MatMul", "x 2 5 4", "w 4 8", Gemm("y", m=8, n=10, k=4)),
        ("MatMul", "x 6 2 5 4", "w 2 4 8", Gemm("y", m=8, n=30, k=4, batch=2)),
        ("MatMul", "x 4", "w 4 8", Gemm("y", m=8, n=1, k=4)),
        ("MatMul", "w 5 4", "x 4 8", Gemm("y", m=5, n=8, k=4)),
        ("MatMul", "w 5 4", "x 3 4 8", Gemm("y", m=5, n=24, k=4)),
        ("MatMul", "x 3 5 4", "z 3 4 8", Matmul("y", m=8, n=5, k=4, batch=3)),
        ("MatMul", "x 3 1 5 4", "z 2 4 8", Matmul("y", m=8, n=5, k=4, batch=6)),
        ("Gemm", "x 5 4", "w 4 8", Gemm("y", m=8, n=5, k=4)),
        ("Gemm transB", "x 5 4", "w 8 4", Gemm("y", m=8, n=5, k=4)),
        ("Gemm transA", "x 4 5", "z 4 8", Matmul("y", m=8, n=5, k=4)),
    ],
)  # fmt: skip
def test_products(read: Any, op: str, left: str, right: str, layer: Layer) -> None:
    shapes = {text[0]: [int(size) for size in text.split()[1:]] for text in (left, right)}
    tensors = [weights("w", *shapes.pop("w"))] if "w" in shapes else []
    kind, *flags = op.split()
    product = node(kind, [left[0], right[0]], ["y"], **dict.fromkeys(flags, 1))
    imported = read(graph_of([product], shapes, tensors))
    assert imported.workload.layers == (layer,)
    assert weight_names(imported) == ({"y": "w"} if tensors else {})


def test_weights_are_found_behind_what_only_rearranges_them(read: Any) -> None:
    nodes = [
        node("Cast", ["w"], ["w1"], to=TensorProto.FLOAT16),
        node("Mul", ["w1", "scale"], ["w2"]),
        node("Transpose", ["w2"], ["w3"]),
        node("Identity", ["w3"], ["w4"]),
        node("MatMul", ["x", "w4"], ["y"]),
        node("ConstantOfShape", ["shape"], ["v"]),
        node("Unsqueeze", ["v", "axis"], ["v1"]),
        node("Reshape", ["v1", "shape"], ["v2"]),
        node("MatMul", ["y", "v2"], ["z"]),
        node("Constant", [], ["c"], value=weights("", 64, 32)),
        node("MatMul", ["z", "c"], ["q"]),
    ]
    tensors = [weights("w", 48, 64), weights("scale", 1, kind=TensorProto.FLOAT16)]
    imported = read(
        graph_of(nodes, {"x": [2, 64]}, [*tensors, numbers("shape", 48, 64), numbers("axis", 0)])
    )
    assert imported.workload.layers == (
        Gemm("y", m=48, n=2, k=64), Gemm("z", m=64, n=2, k=48), Gemm("q", m=32, n=2, k=64),
    )  # fmt: skip
    assert weight_names(imported) == {"y": "w", "z": "v", "q": "c"}


# Integers


def test_integer_operators_are_int8(read: Any) -> None:
    int8 = TensorProto.INT8
    nodes = [
        node("MatMulInteger", ["x", "w"], ["y"]),
        node("ConvInteger", ["c", "k"], ["z"]),
        node("QLinearMatMul", ["x", "s", "o", "w", "s", "o", "s", "o"], ["q"]),
        node("QLinearConv", ["c", "s", "o", "k", "s", "o", "s", "o"], ["r"]),
    ]
    tensors = [weights("w", 4, 8, kind=int8), weights("k", 6, 3, 3, 3, kind=int8)]
    scales = [helper.make_tensor("s", FLOAT, [], [1.0]), helper.make_tensor("o", int8, [], [0])]
    imported = read(
        graph_of(nodes, {"x": [5, 4], "c": [1, 3, 8, 8]}, [*tensors, *scales], kind=int8)
    )
    gemm, conv = Gemm("y", m=8, n=5, k=4, dtype="int8"), Conv("z", 3, 6, 8, 8, 3, dtype="int8")
    kinds = [(type(x), x.macs, x.dtype) for x in macs_bearing(imported)]
    assert kinds == [(type(x), x.macs, "int8") for x in (gemm, conv, gemm, conv)]


@pytest.mark.parametrize(("both", "dtype"), [(True, "int8"), (False, "fp16")])
def test_a_product_of_dequantised_operands_is_one_of_integers(
    read: Any, both: bool, dtype: str
) -> None:
    nodes = [
        node("QuantizeLinear", ["x", "s", "o"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "o"], ["xd"]),
        node("DequantizeLinear", ["w", "s", "o"], ["wd"]),
        node("MatMul", ["xd" if both else "x", "wd"], ["y"]),
    ]
    scales = [
        helper.make_tensor("s", FLOAT, [], [1.0]),
        helper.make_tensor("o", TensorProto.INT8, [], [0]),
    ]
    tensors = [weights("w", 64, 32, kind=TensorProto.INT8), *scales]
    imported = read(graph_of(nodes, {"x": [5, 64]}, tensors))
    assert imported.workload.layers == (Gemm("y", m=32, n=5, k=64, dtype=dtype),)
    assert weight_names(imported) == {"y": "w"}
    assert any("weights of 8 bits" in note for note in imported.workload.notes) is not both


@pytest.mark.parametrize(
    ("data", "stored", "dtype"),
    [
        (TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E4M3FN, "fp8"),
        (TensorProto.INT8, TensorProto.INT4, "int8"),
        (TensorProto.INT4, TensorProto.INT4, "int4"),
        (TensorProto.INT16, TensorProto.INT8, "fp16"),
    ],
)
def test_dequantised_operands_meet_in_the_wider_of_their_formats(
    read: Any, data: int, stored: int, dtype: str
) -> None:
    nodes = [
        node("QuantizeLinear", ["x", "s", "o"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "o"], ["xd"]),
        node("Transpose", ["xd"], ["xt"], perm=[1, 0]),
        node("DequantizeLinear", ["w", "s"], ["wd"]),
        node("MatMul", ["xt", "wd"], ["y"]),
    ]
    tensors = [
        weights("w", 64, 32, kind=stored),
        helper.make_tensor("s", FLOAT, [], [1.0]),
        helper.make_tensor("o", data, [], [0]),
    ]
    model = graph_of(nodes, {"x": [64, 5]}, tensors)
    model.opset_import[0].version = 21
    assert read(model).workload.layers == (Gemm("y", m=32, n=5, k=64, dtype=dtype),)


# What moves data


def test_what_follows_a_product_alone_is_part_of_its_epilogue(read: Any) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["a"], name="fc"),
        node("Add", ["a", "b"], ["c"]),
        node("Sigmoid", ["c"], ["s"]),
        node("Mul", ["c", "s"], ["d"]),
        node("Add", ["d", "x"], ["e"], name="residual"),
        node("Softmax", ["e"], ["y"], name="probabilities"),
    ]
    imported = read(graph_of(nodes, {"x": [5, 8]}, [weights("w", 8, 8), weights("b", 8)]))
    assert imported.workload.layers == (
        Gemm("fc", m=8, n=5, k=8),
        Stream("residual", reads=80, writes=40),
        Stream("probabilities", reads=40, writes=40, op="softmax", row=8),
    )
    assert "operators folded into epilogues: 3" in imported.workload.notes


def test_a_layer_norm_in_nine_operators_is_one_kernel(read: Any) -> None:
    nodes = [
        node("ReduceMean", ["x"], ["mean"], name="norm", axes=[-1]),
        node("Sub", ["x", "mean"], ["d"]),
        node("Pow", ["d", "two"], ["d2"]),
        node("ReduceMean", ["d2"], ["v"], axes=[-1]),
        node("Add", ["v", "eps"], ["v1"]),
        node("Sqrt", ["v1"], ["s"]),
        node("Div", ["d", "s"], ["n"]),
        node("Mul", ["n", "gain"], ["g"]),
        node("Add", ["g", "gain"], ["o"]),
        node("MatMul", ["o", "w"], ["y"]),
    ]
    tensors = [weights("two"), weights("eps"), weights("gain", 8), weights("w", 8, 8)]
    imported = read(graph_of(nodes, {"x": [5, 8]}, tensors))
    assert imported.workload.layers == (
        Stream("norm", reads=40, writes=40, op="normalization", row=8), Gemm("y", m=8, n=5, k=8),
    )  # fmt: skip


# Dimensions


def attention(layers: int, heads: int, hidden: int) -> onnx.ModelProto:
    """Self-attention as PyTorch's exporter writes it: shapes computed in the model."""
    nodes: list[onnx.NodeProto] = []
    tensors = [numbers("zero", 0), numbers("one", 1), numbers("heads", heads),
               numbers("head", hidden // heads), numbers("hidden", hidden),
               numbers("minus", -1)]  # fmt: skip
    x = "x"
    for i in range(layers):
        tensors += [weights(f"{i}.{name}", hidden, hidden) for name in ("q", "k", "v", "o")]
        nodes += [
            node("Shape", [x], [f"{i}.shape"]),
            node("Gather", [f"{i}.shape", "zero"], [f"{i}.batch"]),
            node("Gather", [f"{i}.shape", "one"], [f"{i}.seq"]),
            node("Concat", [f"{i}.batch", f"{i}.seq", "heads", "head"], [f"{i}.split"], axis=0),
            node("Mul", [f"{i}.seq", "one"], [f"{i}.seq1"]),
            node("Concat", [f"{i}.batch", f"{i}.seq1", "hidden"], [f"{i}.join"], axis=0),
        ]
        for name, axes in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            nodes += [
                node("MatMul", [x, f"{i}.{name}"], [f"{i}.{name}1"]),
                node("Reshape", [f"{i}.{name}1", f"{i}.split"], [f"{i}.{name}2"]),
                node("Transpose", [f"{i}.{name}2"], [f"{i}.{name}3"], perm=axes),
            ]
        nodes += [
            node("MatMul", [f"{i}.q3", f"{i}.k3"], [f"{i}.scores"]),
            node("Softmax", [f"{i}.scores"], [f"{i}.soft"]),
            node("MatMul", [f"{i}.soft", f"{i}.v3"], [f"{i}.sum"]),
            node("Transpose", [f"{i}.sum"], [f"{i}.sum1"], perm=[0, 2, 1, 3]),
            node("Reshape", [f"{i}.sum1", f"{i}.join"], [f"{i}.sum2"]),
            node("MatMul", [f"{i}.sum2", f"{i}.o"], [f"{i}.out"]),
        ]
        x = f"{i}.out"
    return graph_of(nodes, {"x": ["batch_size", "sequence", hidden]}, tensors)


def test_attention_with_computed_shapes(read: Any) -> None:
    imported = read(attention(3, 4, 64), batch=2, seq=10)
    products = [
        *(Gemm(f"0.{name}", m=64, n=20, k=64) for name in ("q", "k", "v")),
        Matmul("0.scores", m=10, n=10, k=16, batch=8),
        Matmul("0.sum", m=16, n=10, k=10, batch=8),
        Gemm("0.o", m=64, n=20, k=64),
    ]
    layers = macs_bearing(imported)
    assert layers[:6] == products
    assert imported.workload.macs == 3 * sum(layer.macs for layer in products)
    assert weight_names(imported)["2.o"] == "2.o"
    # Softmax reads and writes the scores; nothing else moves.
    streams = [x for x in imported.workload.layers if isinstance(x, Stream)]
    assert streams == [Stream(f"{i}.soft", 800, 800, op="softmax", row=10) for i in range(3)]


SYMBOLIC = graph_of(
    [node("MatMul", ["x", "w"], ["y"])], {"x": ["batch", "tokens", 4]}, [weights("w", 4, 8)]
)


def test_dimensions_that_nobody_fixes_are_one_and_noted(read: Any) -> None:
    imported = read(SYMBOLIC, tokens=7)
    assert macs_bearing(imported) == [Gemm("y", m=8, n=7, k=4)]
    assert [x for x in imported.workload.notes if "taken as 1" in x] == [
        "WARNING: input x (batch, tokens, 4): dimensions taken as 1: batch; set with --dim batch=8"
    ]
    assert not any("taken as 1" in x for x in read(SYMBOLIC, tokens=7, batch=2).workload.notes)
    assert macs_bearing(read(SYMBOLIC, seq=9)) == [Gemm("y", m=8, n=9, k=4)]


def test_dimensions_that_are_not_there_or_fixed_are_refused(read: Any) -> None:
    with pytest.raises(WorkloadError, match=r"no such dimension .did you mean 'tokens'"):
        read(SYMBOLIC, token=7)
    fixed = graph_of([node("MatMul", ["x", "w"], ["y"])], {"x": [1, 4]}, [weights("w", 4, 8)])
    assert read(fixed, batch=1).workload.macs == 32
    with pytest.raises(WorkloadError, match=r"fixes this dimension at 1, got 8 .export it"):
        read(fixed, batch=8)
    with pytest.raises(WorkloadError, match="it fixes all of them"):
        read(fixed, height=8)


# What cannot be read

PRODUCT = node("MatMul", ["x", "w"], ["last"])


def body(op: str, *inputs: str) -> onnx.GraphProto:
    output = helper.make_tensor_value_info("inner", FLOAT, None)
    return helper.make_graph([node(op, list(inputs), ["inner"])], "body", [], [output])


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        (node("LSTM", ["t", "k", "r"], ["y"], hidden_size=8), "LSTM"),
        (node("GRU", ["t", "k", "r"], ["y"], hidden_size=8), "GRU"),
        (node("RNN", ["t", "k", "r"], ["y"], hidden_size=8), "RNN"),
        (node("Einsum", ["x", "w"], ["y"], equation="ij,jk->ik"), "Einsum"),
        (node("Attention", ["x"], ["y"], domain="vendor"), "vendor.Attention"),
        (node("Conv", ["v", "vk"], ["y"]), "Conv (3-D)"),
        (node("MatMul", ["two", "unknown"], ["y"]), "MatMul (shape unknown)"),
        (node("If", ["t"], ["y"], then_branch=body("MatMul", "x", "w"),
              else_branch=body("Relu", "x")), "MatMul in If"),
    ],
)  # fmt: skip
def test_what_bears_macs_and_is_not_read_is_counted(
    read: Any, operator: onnx.NodeProto, reason: str
) -> None:
    tensors = [weights("w", 4, 4), weights("k", 1, 32, 4), weights("r", 1, 32, 8)]
    tensors += [weights("vk", 6, 4, 3, 3, 3), weights("two", 4, 2)]
    unknown = node("NonZero", ["x"], ["unknown"])
    model = graph_of(
        [unknown, operator, PRODUCT], {"x": [5, 4], "t": [5, 1, 4], "v": [1, 4, 9, 9, 9]}, tensors,
        domains=["vendor"],
    )  # fmt: skip
    imported = read(model)
    assert imported.skipped == {reason: 1}
    assert imported.summary == f"1 of 2 MAC-bearing operators imported; skipped: {reason} x1"
    assert imported.workload.notes[0] == f"made.onnx: {imported.summary}"
    del model.graph.node[2]
    model.graph.output[0].name = "y"
    with pytest.raises(WorkloadError, match="0 of 1 MAC-bearing operators imported"):
        read(model)


def test_control_flow_without_macs_is_only_noted(read: Any) -> None:
    branch = node("If", ["x"], ["y"], then_branch=body("Relu", "x"), else_branch=body("Abs", "x"))
    imported = read(graph_of([branch, PRODUCT], {"x": [5, 4]}, [weights("w", 4, 4)]))
    assert imported.skipped == {}
    assert "If without MACs left out: 1" in imported.workload.notes


def test_functions_of_the_model_are_read_inside(read: Any) -> None:
    inner = [node("MatMul", ["a", "b"], ["c"])]
    function = helper.make_function(
        "mine", "Linear", ["a", "b"], ["c"], inner, [helper.make_opsetid("", 17)]
    )
    call = node("Linear", ["x", "w"], ["y"], domain="mine")
    model = graph_of([call], {"x": [5, 4]}, [weights("w", 4, 8)], domains=["mine"],
                     functions=[function])  # fmt: skip
    assert [layer.macs for layer in macs_bearing(read(model))] == [5 * 4 * 8]


def test_external_data_is_not_needed(read: Any) -> None:
    model = graph_of([PRODUCT], {"x": [5, 64]}, [weights("w", 64, 64)])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../nowhere.bin")
    assert read(model).workload.macs == 5 * 64 * 64


def absurd(*dims: int) -> TensorProto:
    return TensorProto(name="w", data_type=FLOAT, dims=dims)


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (graph_of([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])], {"x": [4]}),
         "Add: reads a tensor that no earlier operator writes, got 'b' .the graph has a cycle"),
        (graph_of([PRODUCT], {"x": [5, 4]}, [absurd(2**62, 2**62)]), "a tensor of absurd size"),
        (graph_of([PRODUCT], {"x": [5, 4]}, [absurd(-4, 4)]), "a tensor of absurd size"),
        (graph_of([PRODUCT], {"x": [2**41, 4]}, [weights("w", 4, 4)]), r"last.n: out of range"),
        (graph_of([PRODUCT], {"x": [5, 3]}, [weights("w", 4, 4)]),
         "last: reductions of 3 and 4 meet"),
        (graph_of([PRODUCT], {"x": [5, 4]}, [weights("w", 4, 0)]), "operand without elements"),
        (graph_of([node("Conv", ["x", "w"], ["y"])], {"x": [1, 3, "h", "w"]},
                  [weights("w", 4, 3, 3, 3)]), r"kernel is larger.*dimensions taken as 1: h, w"),
        (graph_of([node("Conv", ["x", "w"], ["y"], group="a", strides=3)], {"x": [1, 3, 8, 8]},
                  [weights("w", 4, 3, 3, 3)]), "y.group: must be 1 or more, got 'a'"),
        (graph_of([node("Conv", ["x", "w"], ["y"], strides=3)], {"x": [1, 3, 8, 8]},
                  [weights("w", 4, 3, 3, 3)]), "strides, dilations or pads are no lists"),
        (graph_of([node("Conv", ["x"], ["y"])], {"x": [1, 3, 8, 8]}), "not a model"),
        (onnx.ModelProto(), "without operators"),
    ],
)  # fmt: skip
def test_models_that_cannot_be_are_one_line(read: Any, model: Any, what: str) -> None:
    with pytest.raises(WorkloadError, match=what) as caught:
        read(model)
    assert "made.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_files_end_in_one_error(tmp_path: Path) -> None:
    whole = (LIGHT / "light_squeezenet.onnx").read_bytes()
    path, source = tmp_path / "damaged.onnx", random.Random(7)
    for cut in (0, 1, 100, 5000, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(WorkloadError, match="not an ONNX model"):
            load_workload(path)
    refused = 0
    for _ in range(40):
        data = bytearray(whole)
        for _ in range(source.choice([1, 8, 64])):
            data[source.randrange(len(data))] = source.randrange(256)
        path.write_bytes(data)
        try:
            load_workload(path)
        except WorkloadError:
            refused += 1
    assert refused > 10


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(WorkloadError, match="export the model to ONNX"):
        load_workload(path)


def test_without_onnx_the_error_names_the_extra(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from simulator import WorkloadError, load_workload\n"
        f"try: load_workload({str(path)!r})\n"
        "except WorkloadError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "nmsim[onnx]"' in done.stdout


# Small files that would fill memory, and what third parties print


def test_a_range_of_any_length_is_not_written_out(read: Any) -> None:
    """onnx's propagation of data would: 8 TiB here."""
    scalars = [helper.make_tensor(n, TensorProto.INT64, [], [v]) for n, v in
               (("zero", 0), ("limit", 2**40), ("one", 1))]  # fmt: skip
    nodes = [
        node("Range", ["zero", "limit", "one"], ["r"]),
        node("Add", ["r", "r"], ["a"]),
        node("Reshape", ["x", "a"], ["q"]),
        node("Relu", ["q"], ["s"]),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    imported = read(graph_of(nodes, {"x": [1, 4]}, [weights("w", 4, 4), *scalars]))
    assert imported.workload.macs == 16


def test_small_tensors_that_broadcast_to_large_ones_are_not_computed(read: Any) -> None:
    tensors = [numbers("a", *range(1024)), numbers("b", *range(1024)), numbers("c", *range(1024))]
    for axis, tensor in enumerate(tensors):
        tensor.dims[:] = [1024 if i == axis else 1 for i in range(3)]
    nodes = [
        node("Max", ["a", "b", "c"], ["m"]),
        node("Reshape", ["x", "m"], ["q"]),
        node("Unknown", ["q"], ["r"]),
        node("Relu", ["r"], ["s"]),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    imported = read(graph_of(nodes, {"x": [1, 4]}, [weights("w", 4, 4), *tensors]))
    assert imported.workload.macs == 16


def test_names_in_notes_are_printable(read: Any) -> None:
    nodes = [
        node("\x1b[31mOwn\n", ["x"], ["z"], domain="o\u2028wn"),
        node("MatMul", ["x", "w"], ["y"]),
    ]
    imported = read(
        graph_of(nodes, {"x": ["\x1b[1m", 4]}, [weights("w", 4, 4)], domains=["o\u2028wn"])
    )
    assert imported.summary == "1 of 2 MAC-bearing operators imported; skipped: o wn. [31mOwn x1"
    assert all(note.isprintable() for note in imported.workload.notes)


def test_what_onnxslim_prints_is_not_printed(read: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """It tells of an output without a type."""
    nodes = [
        node("MatMul", ["x", "w"], ["y"]),
        node("Unknown", ["x"], ["u"]),
        node("Relu", ["u"], ["v"]),
        node("Unknown", ["v"], ["z"]),
    ]
    read(graph_of(nodes, {"x": [1, 4]}, [weights("w", 4, 4)]))
    assert capfd.readouterr() == ("", "")


def test_of_a_table_as_much_is_read_as_is_written(read: Any) -> None:
    pick = node("Gather", ["table", "x"], ["rows"], name="embedding")
    nodes = [pick, node("MatMul", ["rows", "w"], ["y"])]
    tensors = [weights("table", 3000, 64), weights("w", 64, 16)]
    model = graph_of(nodes, {"x": [4, 8]}, tensors, kind=TensorProto.INT64)
    first = read(model).workload.layers[0]
    assert isinstance(first, Stream)
    assert (first.reads, first.writes) == (4 * 8 + 4 * 8 * 64, 4 * 8 * 64)
