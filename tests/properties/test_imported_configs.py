"""Are the layers of a configuration, and what it is said to lack, all products of the model?

The counter here goes through the raw configuration block by block and module by module, from the
definitions, and shares nothing with the importer.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import WorkloadError
from simulator.importers import import_workload
from simulator.workload import Conv, Gemm, Matmul, Stream
from tests.bare import of_earlier

Raw = dict[str, Any]
Products = list[tuple[str, int]]
"""A module's full name, empty for a product of activations, and its MACs."""

LIBRARY = {"llama": "model", "mistral": "model", "qwen2": "model", "qwen3": "model"}


@st.composite
def decoders(draw: st.DrawFn) -> Raw:
    """Kinds with grouped heads and a gated MLP, some of them with experts."""
    kv, group, depth = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    raw: Raw = {
        "model_type": draw(st.sampled_from(sorted(LIBRARY))),
        "hidden_size": kv * group * draw(st.integers(1, 9)),
        "num_attention_heads": kv * group,
        "num_key_value_heads": kv,
        "num_hidden_layers": depth,
        "intermediate_size": draw(st.integers(1, 50)),
        "vocab_size": draw(st.integers(1, 99)),
        "torch_dtype": draw(st.sampled_from(["float16", "bfloat16"])),
    }
    if draw(st.booleans()):
        raw["head_dim"] = draw(st.integers(1, 9))
    if draw(st.booleans()):
        raw["intermediate_size"] = draw(
            st.lists(st.integers(1, 50), min_size=depth, max_size=depth)
        )
    if draw(st.booleans()):
        raw |= draw(experts(depth))
    if draw(st.booleans()):
        raw["quantization_config"] = draw(quantisers(depth))
    return raw


@st.composite
def experts(draw: st.DrawFn, depth: int) -> Raw:
    count = draw(st.integers(2, 6))
    raw: Raw = {
        draw(st.sampled_from(["num_local_experts", "num_experts", "n_routed_experts"])): count,
        "num_experts_per_tok": draw(st.integers(1, count)),
    }
    optional = {
        "moe_intermediate_size": st.integers(1, 20),
        "first_k_dense_replace": st.integers(0, depth),
        "mlp_only_layers": st.lists(st.integers(0, depth - 1), max_size=2),
        "decoder_sparse_step": st.integers(1, 3),
    }
    raw |= {key: draw(values) for key, values in optional.items() if draw(st.booleans())}
    shared = {"n_shared_experts": st.integers(1, 2),
              "shared_expert_intermediate_size": st.integers(1, 20)}  # fmt: skip
    if draw(st.booleans()):
        key = draw(st.sampled_from(sorted(shared)))
        raw[key] = draw(shared[key])
    return raw


@st.composite
def quantisers(draw: st.DrawFn, depth: int) -> Raw:
    """fp8 everywhere but in some modules, 2:4 in some."""
    names = ["q_proj", "k_proj", "o_proj", "up_proj", "lm_head", f"layers.{depth - 1}.self_attn"]
    left = draw(st.lists(st.sampled_from(names), unique=True))
    eight = {"num_bits": 8, "type": "float"}
    raw: Raw = {"quant_method": "compressed-tensors", "ignore": left, "config_groups": {
        "group_0": {"targets": ["Linear"], "weights": eight, "input_activations": eight},
    }}  # fmt: skip
    if draw(st.booleans()):
        raw["sparsity_config"] = {"format": "sparse-24-bitmask", "sparsity_structure": "2:4",
                                  "targets": ["Linear"], "ignore": left}  # fmt: skip
    return raw


def decoder_products(raw: Raw, batch: int, seq: int, context: int) -> Products:
    """Every product of every token, one after another."""
    hidden, heads, kv = (raw[key] for key in ("hidden_size", "num_attention_heads",
                                              "num_key_value_heads"))  # fmt: skip
    head = raw.get("head_dim", hidden // heads)
    tokens, found = batch * seq, []
    for block in range(raw["num_hidden_layers"]):
        home = f"model.layers.{block}"
        for name, m, k in (("q", heads * head, hidden), ("k", kv * head, hidden),
                           ("v", kv * head, hidden), ("o", hidden, heads * head)):  # fmt: skip
            found.append((f"{home}.self_attn.{name}_proj", tokens * m * k))
        for _ in range(batch * heads):
            found += [("", seq * context * head)] * 2  # scores, and the sum of values
        found += _mlp_products(raw, block, home, tokens)
    return [*found, ("lm_head", batch * raw["vocab_size"] * hidden)]


def _mlp_products(raw: Raw, block: int, home: str, tokens: int) -> Products:
    hidden, inner = raw["hidden_size"], raw["intermediate_size"]
    inner = inner[block] if isinstance(inner, list) else inner
    count = sum(raw.get(k, 0) for k in ("num_local_experts", "num_experts", "n_routed_experts"))
    is_dense = (
        not count
        or block < raw.get("first_k_dense_replace", 0)
        or block in raw.get("mlp_only_layers", [])
        or (block + 1) % raw.get("decoder_sparse_step", 1) != 0
    )

    def gated(name: str, width: int, times: int) -> Products:
        return [(f"{name}.{part}_proj", times * hidden * width) for part in ("gate", "up", "down")]

    if is_dense:
        return gated(f"{home}.mlp", inner, tokens)
    narrow = raw.get("moe_intermediate_size", inner)
    found = [(f"{home}.mlp.gate", tokens * hidden * count)]
    found += gated(f"{home}.mlp.experts.0", narrow, tokens * raw["num_experts_per_tok"])
    if "n_shared_experts" in raw:
        found += gated(f"{home}.mlp.shared", raw["n_shared_experts"] * narrow, tokens)
    if "shared_expert_intermediate_size" in raw:
        found += gated(f"{home}.mlp.shared", raw["shared_expert_intermediate_size"], tokens)
        found.append((f"{home}.mlp.shared_expert_gate", tokens * hidden))
    return found


def formats(raw: Raw, products: Products) -> Counter[tuple[str, str]]:
    """MACs by dtype and pattern."""
    plain = {"float16": "fp16", "bfloat16": "bf16"}[raw["torch_dtype"]]
    quantised = raw.get("quantization_config")
    macs: Counter[tuple[str, str]] = Counter()
    for name, count in products:
        left = quantised is None or any(part in name for part in quantised["ignore"])
        if not name or left:
            macs[plain, ""] += count
        else:
            macs["fp8", "2:4" if "sparsity_config" in quantised else ""] += count
    return macs


def imported_formats(path: Path, raw: Raw, sizes: dict[str, int]) -> Counter[tuple[str, str]]:
    path.write_text(json.dumps(raw))
    imported = import_workload(path, sizes)
    assert not imported.skipped
    assert of_earlier(imported.workload)
    macs: Counter[tuple[str, str]] = Counter()
    for layer in imported.workload.layers:
        if not isinstance(layer, Stream):
            pattern = str(layer.pattern or "") if isinstance(layer, Gemm | Conv) else ""
            macs[layer.dtype, pattern] += layer.macs * layer.repeat
    assert imported.imported == sum(
        layer.repeat for layer in imported.workload.layers if not isinstance(layer, Stream)
    )
    return macs


def fresh(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("config") / "config.json"


@settings(max_examples=200, deadline=None)
@given(decoders(), st.integers(1, 3), st.integers(1, 7), st.integers(0, 9))
def test_decoders_have_all_products_in_their_formats(
    tmp_path_factory: pytest.TempPathFactory, raw: Raw, batch: int, seq: int, past: int
) -> None:
    if "num_local_experts" in raw and "quantization_config" in raw:
        raw["quantization_config"]["ignore"] = []  # other names: tests/unit/test_hf_experts.py
        raw["quantization_config"].get("sparsity_config", {})["ignore"] = []
    sizes = {"batch": batch, "seq": seq, "context": seq + past}
    naive = formats(raw, decoder_products(raw, batch, seq, seq + past))
    assert imported_formats(fresh(tmp_path_factory), raw, sizes) == naive


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_other_kinds_have_all_products(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    heads, head, depth, inner, batch = (data.draw(st.integers(1, 6)) for _ in range(5))
    hidden, kind = heads * head, data.draw(st.sampled_from(["bert", "gpt2", "vit"]))
    seq = data.draw(st.integers(1, 9))
    sizes = {"batch": batch, "seq": seq}
    other = 0
    if kind == "gpt2":
        raw: Raw = {"n_embd": hidden, "n_head": heads, "n_layer": depth, "n_inner": inner,
                    "n_positions": 64, "vocab_size": 7}  # fmt: skip
        other = batch * hidden * 7
    else:
        raw = {"hidden_size": hidden, "num_attention_heads": heads, "num_hidden_layers": depth,
               "intermediate_size": inner}  # fmt: skip
    if kind == "vit":
        patch, patches = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
        raw |= {"patch_size": patch, "image_size": patch * patches, "num_channels": 2,
                "id2label": {"0": "cat", "1": "dog", "2": "cow"}}  # fmt: skip
        seq, sizes = patches**2 + 1, {"batch": batch}
        other = batch * (patches**2 * hidden * 2 * patch**2 + 3 * hidden)
    linear = batch * seq * (4 * hidden * hidden + 2 * hidden * inner)
    attention = 2 * batch * heads * seq * seq * head
    raw |= {"model_type": kind, "torch_dtype": "float16"}
    found = imported_formats(fresh(tmp_path_factory), raw, sizes)
    assert found == {("fp16", ""): depth * (linear + attention) + other}


MISSING = {
    "add_cross_attention": True, "cross_attention_layers": [0], "is_encoder_decoder": True,
    "vision_config": {"hidden_size": 8}, "audio_config": {"d_model": 8}, "vision_tower": "clip",
    "text_config": {"model_type": "llama"}, "q_lora_rank": 4, "kv_lora_rank": 4, "adapters": ["a"],
    "layer_types": ["mamba"], "ssm_state_size": 8, "num_null_experts": 2,
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(decoders(), st.sampled_from(sorted(MISSING)))
def test_layers_that_would_be_missing_are_named(
    tmp_path_factory: pytest.TempPathFactory, raw: Raw, key: str
) -> None:
    """An error names the key; of experts whose number is known, a note does."""
    path = fresh(tmp_path_factory)
    path.write_text(json.dumps({**raw, key: MISSING[key]}))
    if key == "num_null_experts" and "num_experts_per_tok" in raw:
        assert any(note.startswith(key) for note in import_workload(path, {}).workload.notes)
        return
    with pytest.raises(WorkloadError, match=f"{key}: .*missing"):
        import_workload(path, {})
    path.write_text(json.dumps({**raw, key: None}))
    layers = import_workload(path, {}).workload.layers
    assert any(isinstance(layer, Matmul) for layer in layers)
