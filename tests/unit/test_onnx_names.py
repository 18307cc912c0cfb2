"""Is a layer of an ONNX model called as its weights are, where their name says whose they are?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from simulator import load_model
from simulator.importers import import_workload
from simulator.importers.onnx_names import SCOPES, module_of, spoken
from simulator.weights.files import Tensor, write_safetensors
from simulator.workload import Stream
from tests.onnx_models import LIGHT, OCR, graph_of, imported_from, node, weights

SPEAKING = {
    # torch
    "convs.0.weight": "convs.0",
    "0.weight": "0",
    "encoder.layer.0.attention.self.query.weight": "encoder.layer.0.attention.self.query",
    "mha.in_proj_weight": "mha.in_proj_weight",
    "par": "par",
    "p_linear_weight": "p_linear_weight",
    # TensorFlow and Keras
    "dense/kernel:0": "dense",
    "dense_1.kernel": "dense_1",
    "conv/weights:0": "conv/weights",
    # Paddle, Caffe2
    "conv2d_10.w_0": "conv2d_10",
    "conv2_se_1_weights": "conv2_se_1_weights",
    "gpu_0/res2_0_branch2a_w_0": "gpu_0/res2_0_branch2a_w_0",
    # onnxruntime
    "ConvBnFusion_W_convs.0.weight": "convs.0",
    "head.weight_Transposed_quantized": "head",
    "par_quantized": "par",
}  # fmt: skip

SILENT = [
    "", "12", "1000", "w", "W", "w1", "weight", "weights", "Weight", "kernel", ".weight",
    "onnx::MatMul_123", "onnx::Conv_23", "val_3", "val_46_quantized", "_v_12", "getitem_weight",
    "const_5", "Constant_5", "/model/Constant_output_0", "Constant_5_output_0",
    "/tail/Transpose_output_0", "/bn/BatchNormalization_output_0_weight",
    "/tied/Transpose_output_0_quantized", "const_fold_opt__12", "const_fold_opt__12:0",
    "sequential/dense/MatMul/ReadVariableOp:0", "hidden/Cast/ReadVariableOp_1", "reorder",
    "reorder_token_2",
]  # fmt: skip


@pytest.mark.parametrize(("tensor", "name"), SPEAKING.items())
def test_a_name_that_speaks(tensor: str, name: str) -> None:
    assert spoken(tensor) == name


@pytest.mark.parametrize("tensor", SILENT)
def test_a_name_that_a_tool_made(tensor: str) -> None:
    assert spoken(tensor) == ""


def noted(name: str, *scopes: str) -> onnx.NodeProto:
    """A product as torch exports it: with its modules, if there are any."""
    made = node("MatMul", ["x", "val_0"], ["y"], name=name)
    if scopes:
        entry = made.metadata_props.add()
        entry.key, entry.value = SCOPES, str(list(scopes))
    return made


@pytest.mark.parametrize(
    ("product", "module"),
    [
        (noted("node_MatMul_1", "", "layer.0.query", "linear"), "layer.0.query"),
        (noted("node_matmul_2", "", "matmul_2"), ""),
        (noted("node_matmul_2", "matmul_2"), ""),
        (noted("/encoder/layer.0/query/MatMul"), "encoder.layer.0.query"),
        (noted("/convs.0/Conv_1"), "convs.0"),
        (noted("/value/MatMul/MatMulAddFusion"), "value"),
        (noted("/mha/Gemm_MatMul_quant"), "mha"),
        (noted("/MatMul_1"), ""),
        (noted("p2o.MatMul.0"), ""),
        (noted("sequential/dense/MatMul"), ""),
        (noted("/a/b"), ""),
        (noted("/"), ""),
        (noted(""), ""),
    ],
    ids=lambda value: value.name if isinstance(value, onnx.NodeProto) else repr(value),
)
def test_the_module_that_torch_tells(product: onnx.NodeProto, module: str) -> None:
    assert module_of(product) == module


def layer_names(imported: Any) -> list[str]:
    return [x.name for x in imported.workload.layers if not isinstance(x, Stream)]


def test_tensor_then_module_then_operator(tmp_path: Path) -> None:
    """And what belongs to an operator is called after its layer."""
    product = noted("node_MatMul_1", "", "block.fc", "linear")
    product.output[0] = "a"
    nodes = [
        node("Conv", ["image", "stem.weight"], ["c"], name="node_Conv_63"),
        product,
        node("MatMul", ["a", "val_1"], ["b"], name="node_linear_7"),
        node("MatMul", ["b", "val_1"], ["d"]),
        node("Gemm", ["d", "head.weight", "x"], ["e"], name="node_Gemm_9"),
        node("MatMul", ["e", "d2"], ["y"], name="/attention/MatMul_1"),
    ]
    sizes = {"stem.weight": (8, 3, 3, 3)} | dict.fromkeys(("val_0", "val_1", "head.weight"), (4, 4))
    model = graph_of(
        nodes,
        {"image": [1, 3, 8, 8], "x": [4, 4], "d2": [4, 4]},
        [weights(name, *dims) for name, dims in sizes.items()],
    )
    imported = imported_from(tmp_path, model)
    assert layer_names(imported) == [
        "stem", "block.fc", "node_linear_7", "d", "head", "/attention/MatMul_1",
    ]  # fmt: skip
    assert "head.add" in {layer.name for layer in imported.workload.layers}
    assert imported.stored["stem"].names == ("stem.weight",)
    assert imported.stored["node_linear_7"].names == ("val_1",)


def test_two_layers_of_one_tensor_have_two_names(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "fc.weight"], ["a"], name="first"),
        node("MatMul", ["a", "fc.weight"], ["y"], name="second"),
    ]
    model = graph_of(nodes, {"x": [2, 4]}, [weights("fc.weight", 4, 4)])
    imported = imported_from(tmp_path, model)
    assert layer_names(imported) == ["fc", "fc.2"]
    path = tmp_path / "made.onnx"
    assert list(load_model(path, path)[1]) == ["fc", "fc.2"]


def test_weights_join_from_the_model_and_from_a_checkpoint(tmp_path: Path) -> None:
    """By stored names; and a folded tensor by the module that torch tells."""
    random = np.random.default_rng(5)
    query, head = (random.standard_normal((8, 8)).astype(np.float32) for _ in range(2))
    nodes = [
        node("MatMul", ["x", "onnx::MatMul_7"], ["a"], name="/att/query/MatMul"),
        node("Gemm", ["a", "head.weight"], ["y"], name="/head/Gemm", transB=1),
    ]
    stored = {"onnx::MatMul_7": np.ascontiguousarray(query.T), "head.weight": head}
    tensors = [onnx.numpy_helper.from_array(values, name) for name, values in stored.items()]
    path = tmp_path / "made.onnx"
    imported_from(tmp_path, graph_of(nodes, {"x": [4, 8]}, tensors))
    checkpoint = tmp_path / "model.safetensors"
    state = {"model.att.query.weight": query, "model.head.weight": head}
    write_safetensors(checkpoint, {n: Tensor(n, "fp32", v) for n, v in state.items()})
    for file in (path, checkpoint):
        workload, found = load_model(path, file)
        assert [layer.name for layer in workload.layers] == ["att.query", "head"]
        np.testing.assert_array_equal(found["att.query"], query)
        np.testing.assert_array_equal(found["head"], head)


def test_real_networks() -> None:
    """A recogniser by Paddle: every layer with weights is called as Paddle called it."""
    recogniser = import_workload(OCR / "ch_PP-OCRv4_rec_infer.onnx", {})
    names = layer_names(recogniser)
    assert {"conv2d_10", "conv2d_157", "linear_77", "linear_85"} <= set(names)
    assert all(name.startswith(("conv2d_", "linear_")) for name in recogniser.stored)
    squeezenet = import_workload(LIGHT / "light_squeezenet.onnx", {})
    assert layer_names(squeezenet)[:2] == ["conv1_w_0", "fire2/squeeze1x1_w_0"]
