"""Do layers take the dtypes and patterns that a configuration names, and do notes say the rest?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.errors import WorkloadError
from simulator.workload import Gemm, Matmul, Workload
from tests.unit.test_hf_config import GPT2, LLAMA, VIT, read

SMALL = {
    **LLAMA, "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
    "num_key_value_heads": 2, "num_hidden_layers": 4, "vocab_size": 100,
}  # fmt: skip
FP8, INT8 = {"num_bits": 8, "type": "float"}, {"num_bits": 8, "type": "int"}
INT4, FP4 = {"num_bits": 4, "type": "int"}, {"num_bits": 4, "type": "float"}


def quantised(folder: Path, config: Any, base: Any = SMALL) -> Workload:
    return read(folder, {**base, "quantization_config": config})


def groups(weights: Any, activations: Any, **others: Any) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": weights, "input_activations": activations}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group},
            "ignore": ["lm_head"], **others}  # fmt: skip


def sparse(**others: Any) -> dict[str, Any]:
    """2:4 as compressed-tensors writes it."""
    return {"quant_method": "compressed-tensors", "sparsity_config": {
        "format": "sparse-24-bitmask", "sparsity_structure": "2:4", "targets": ["Linear"],
        "ignore": ["lm_head"], **others,
    }}  # fmt: skip


def formats(workload: Workload) -> dict[str, str]:
    """Dtype and pattern of every product with weights."""
    return {
        layer.name: f"{layer.dtype} {layer.pattern}" if layer.pattern else layer.dtype
        for layer in workload.layers
        if isinstance(layer, Gemm)
    }


LINEARS = ("query", "key", "value", "output", "gate", "up", "down")


def blocks(dtype: str, head: str = "bf16") -> dict[str, str]:
    return dict.fromkeys(LINEARS, dtype) | {"head": head}


def of_blocks(blocks: str, dtype: str, *left: str) -> dict[str, str]:
    """The linear layers of some blocks, and those of them that are left as they were."""
    return {f"{blocks}.{name}": "bf16" if name in left else dtype for name in LINEARS}


def said(workload: Workload) -> list[str]:
    """Notes besides the summary and the parameters."""
    return list(workload.notes[2:])


@pytest.mark.parametrize(
    ("config", "dtype"),
    [
        ({"quant_method": "fp8", "activation_scheme": "dynamic"}, "fp8"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8"),
        ({"quant_method": "fbgemm_fp8", "modules_to_not_convert": ["lm_head"]}, "fp8"),
        (groups(FP8, FP8), "fp8"),
        (groups(INT8, INT8), "int8"),
        (groups(INT4, INT4), "int4"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8"),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8"),
        ({"quant_method": "modelopt", "quantization": {"quant_algo": "INT8_SQ"}}, "int8"),
        ({"quant_method": "torchao", "quant_type": "int8_dynamic_activation_int8_weight"}, "int8"),
        ({"quant_method": "torchao", "quant_type": {
            "default": {"_type": "Float8DynamicActivationFloat8WeightConfig"}}}, "fp8"),
        ({"quant_method": "quanto", "weights": "float8", "activations": "float8"}, "fp8"),
        ({"quant_method": "quark", "global_quant_config": {
            "weight": {"dtype": "fp8_e4m3"}, "input_tensors": {"dtype": "fp8_e4m3"}}}, "fp8"),
    ],
)  # fmt: skip
def test_one_format_of_weights_and_activations_is_the_dtype(
    tmp_path: Path, config: Any, dtype: str
) -> None:
    workload = quantised(tmp_path, config)
    assert formats(workload) == blocks(dtype)
    assert {x.dtype for x in workload.layers if not isinstance(x, Gemm)} == {"bf16"}
    assert all("left as bf16" in note for note in said(workload))


@pytest.mark.parametrize(
    ("config", "dtype", "weights"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "bf16", "4-bit int"),
        ({"quant_method": "awq", "bits": 4}, "bf16", "4-bit int"),
        ({"bits": 3, "group_size": 64}, "bf16", "3-bit int"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bf16", "4-bit int"),
        (groups(INT4, None), "bf16", "4-bit int"),
        (groups(FP8, None), "bf16", "8-bit float"),
        (groups(INT4, INT8), "int8", "4-bit int"),
        (groups(INT4, FP8), "fp8", "4-bit int"),
        (groups(FP4, FP4), "bf16", "4-bit float"),
        ({"quant_method": "mxfp4"}, "bf16", "4-bit float"),
        ({"quant_method": "modelopt", "quant_algo": "W4A16_AWQ"}, "bf16", "4-bit int"),
        ({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"}, "fp8", "4-bit int"),
        ({"quant_method": "modelopt", "quant_algo": "W4A8_NVFP4_FP8"}, "fp8", "4-bit float"),
        ({"quant_method": "modelopt", "quant_algo": "W4A16_NVFP4"}, "bf16", "4-bit float"),
        ({"quant_method": "torchao", "quant_type": "int4_weight_only"}, "bf16", "4-bit int"),
        ({"quant_method": "quanto", "weights": "int8", "activations": None}, "bf16", "8-bit int"),
    ],
)  # fmt: skip
def test_what_one_dtype_cannot_say_is_a_note(
    tmp_path: Path, config: Any, dtype: str, weights: str
) -> None:
    workload = quantised(tmp_path, config)
    assert formats(workload) == blocks(dtype)
    (note,) = (note for note in said(workload) if "one dtype" in note)
    assert f"{weights} weights" in note
    assert f"counted as {dtype}" in note


@pytest.mark.parametrize(
    "config",
    [None, {}, {"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": False},
     {"quant_method": "gptq", "bits": 16}, groups(None, None),
     sparse(sparsity_structure="0:0", format="dense", global_sparsity=0.0001)],
)  # fmt: skip
def test_what_changes_nothing_is_not_noted(tmp_path: Path, config: Any) -> None:
    workload = quantised(tmp_path, config)
    assert formats(workload) == blocks("bf16")
    assert said(workload) == []


def test_modules_that_are_ignored_stay(tmp_path: Path) -> None:
    """Blocks that differ are taken apart."""
    names = ["model.layers.0", "re:.*k_proj", "*.3.mlp.down_proj", "lm_head"]
    found = formats(quantised(tmp_path, {"quant_method": "fp8", "ignored_layers": names}))
    assert found == {
        **of_blocks("0", "bf16"),
        **of_blocks("1-2", "fp8", "key"),
        **of_blocks("3", "fp8", "key", "down"),
        "head": "bf16",
    }


def test_names_are_matched_in_whole_parts(tmp_path: Path) -> None:
    """``gate`` is not ``gate_proj``, and block 1 is not block 10."""
    config = {**SMALL, "num_hidden_layers": 11}
    names = ["gate", "layers.1", "mlp.down"]
    found = formats(
        quantised(tmp_path, {"quant_method": "fp8", "modules_to_not_convert": names}, config)
    )
    assert {name: dtype for name, dtype in found.items() if dtype == "bf16"} == {
        **of_blocks("1", "bf16"),
        "head": "bf16",
    }


def test_a_pattern_is_on_what_it_targets(tmp_path: Path) -> None:
    assert formats(quantised(tmp_path, sparse())) == blocks("bf16 2:4")
    assert formats(quantised(tmp_path, sparse(ignore=[]))) == blocks("bf16 2:4", "bf16 2:4")
    mlp = formats(quantised(tmp_path, sparse(targets=["re:.*mlp.*"], sparsity_structure="1:4")))
    assert mlp == blocks("bf16") | dict.fromkeys(("gate", "up", "down"), "bf16 1:4")
    assert formats(quantised(tmp_path, {**groups(FP8, FP8), **sparse()})) == blocks("fp8 2:4")
    assert formats(quantised(tmp_path, groups(INT4, None, format="marlin-24"))) == (
        blocks("bf16 2:4")
    )


def test_patches_and_conv1d_are_modules_too(tmp_path: Path) -> None:
    vit = {"quantization_config": sparse(targets=["Conv2d", "classifier"])}
    patterns = {x.name: str(x.pattern) for x in read(tmp_path, {**VIT, **vit}).layers
                if x.name in ("patch", "query", "head") and not isinstance(x, Matmul)}  # fmt: skip
    assert patterns == {"patch": "2:4", "query": "None", "head": "2:4"}
    ignore = {"quant_method": "fp8", "modules_to_not_convert": ["transformer.h.3.mlp"]}
    workload = read(tmp_path, {**GPT2, "quantization_config": ignore})
    assert {x.name for x in workload.layers if x.dtype == "fp16" and isinstance(x, Gemm)} == {
        "3.mlp.fc1", "3.mlp.fc2", "head",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "note"),
    [
        ({"quant_method": "superq"}, "what superq does is not known here"),
        ({"group_size": 3}, "a quantiser without a name"),
        ({"quant_method": "modelopt", "quant_algo": "MIXED"}, "what modelopt does is not known"),
        (groups(FP8, FP8, kv_cache_scheme=FP8), "kv_cache_scheme: keys and values are counted as"),
        ({"quant_method": "gptq", "bits": 4, "dynamic": {"-:.*mlp.*": {}}}, "dynamic: formats of"),
        (sparse(sparsity_structure="unstructured", global_sparsity=0.5), "50% zeros that follow"),
        (sparse(sparsity_structure="block"), "'block' is no keep:group"),
        (sparse(targets=["LlamaRotary"]), "its targets are none of the layers here"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_noted(tmp_path: Path, config: Any, note: str) -> None:
    assert any(note in one for one in said(quantised(tmp_path, config)))


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ("fp8", "quantization_config: must be an object, got 'fp8'"),
        ([4], "quantization_config: must be an object"),
        ({"quant_method": 8}, "quantization_config.quant_method: must be a name, got 8"),
        ({"quant_method": "gptq", "bits": "4"}, "quantization_config.bits: must be a size"),
        ({"quant_method": "fp8", "ignored_layers": "re:("}, "not a regular expression"),
        ({"quant_method": "fp8", "ignored_layers": ["re:(.+)+x"]}, "may not end"),
        ({"quant_method": "fp8", "ignored_layers": [7]}, "ignored_layers: must be a list of names"),
        (groups({"num_bits": True}, None), "weights.num_bits: must be a size"),
        (groups({"type": "complex"}, None), "weights.type: unknown kind of numbers"),
        (groups(8, 8), "config_groups.group_0.weights: must be an object, got 8"),
        (sparse(sparsity_structure="4:2"), "sparsity_structure: a group cannot keep more"),
        (sparse(sparsity_structure=24), "sparsity_structure: must be a name, got 24"),
    ],
)
def test_what_no_quantiser_writes_is_one_line(tmp_path: Path, config: Any, what: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        quantised(tmp_path, config)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)
