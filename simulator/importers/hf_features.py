"""What a configuration says that is not among its family's layers: an error, or a note.

Layers that would be missing are an error; what is counted otherwise than it runs is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from simulator.errors import WorkloadError
from simulator.importers.hf_blocks import Tokens
from simulator.importers.hf_experts import expert_count, not_understood, refuse_unknown_experts
from simulator.importers.hf_families import FAMILIES, Family, has_head, is_bare
from simulator.importers.hf_values import WIDER, Config

MISSING = {
    r".*cross_att.*": "cross attention",
    r"is_encoder_decoder|(num_)?(encoder|decoder)_layers|encoder|decoder":
        "the layers of an encoder beside a decoder",
    r"(vision|visual|audio|speech|image|video)(_config|_tower|_model|_encoder)?|mm_\w*tower":
        "a tower for images or sound",
    r"(text|llm|language|thinker|talker)_config": "a model within the model",
    r"(q|kv|o)_lora_rank|qk_(nope|rope)_head_dim|v_head_dim": "latent attention",
    r"ssm_\w+|mamba_\w+|state_size|linear_(num|key|value|conv)_\w+|attn_layer_(period|offset)":
        "layers that are no attention",
    r"(use_)?(adapters?|lora)(_\w+)?": "adapters",
    r"block_configs": "blocks of different kinds",
}  # fmt: skip
"""Keys, as regular expressions, and the layers that they stand for."""

UNCOUNTED = {
    r"num_nextn_predict_layers|(num_)?mtp_\w+|medusa_\w+|eagle_\w+":
        "heads that predict further tokens are left out",
    r"pruned_heads": "heads that were pruned are counted",
}  # fmt: skip
"""Keys, and what is counted otherwise than it runs."""

ATTENTION = ("full_attention", "sliding_attention", "chunked_attention", "attention")
LAYER_LISTS = ("layer_types", "layers_block_type")


def family_of(config: Config) -> Family:
    """The family of a configuration's kind.

    Raises
    ------
    WorkloadError
        If the kind is not known. None is suggested: a name that looks alike may be of another kind.
    """
    kind = config.text("model_type")
    if kind in FAMILIES:
        return FAMILIES[kind]
    hint = "known: " + ", ".join(sorted(FAMILIES))
    nested = config.values.get("text_config")
    if isinstance(nested, dict) and nested.get("model_type") in tuple(FAMILIES):
        hint += "; its 'text_config' is one, and can be read from a file of its own"
    raise config.error("model_type", "unknown kind of model", hint=hint)


def refuse_missing(config: Config, family: Family) -> None:
    """Refuse a configuration with layers that its family does not have.

    Raises
    ------
    WorkloadError
        With the key that says so, and what would be missing.
    """
    for key, what in _matches(config, MISSING):
        raise config.error(
            key, f"{what} would be missing", hint="export the model to ONNX to read all of it"
        )
    for key in LAYER_LISTS:
        for kind in config.names(key):
            if kind not in ATTENTION:
                raise WorkloadError(
                    config.where(key), "layers of this kind would be missing", got=kind,
                    want=" or ".join(ATTENTION),
                )  # fmt: skip
    refuse_unknown_experts(config)
    if expert_count(config) and not family.has_experts:
        having = ", ".join(sorted(kind for kind, one in FAMILIES.items() if one.has_experts))
        raise WorkloadError(
            config.where("model_type"), "layers of experts would be missing",
            got=config.values.get("model_type"), want=f"one of {having}",
        )  # fmt: skip


def feature_notes(config: Config, family: Family, depth: int, tokens: Tokens) -> Iterator[str]:
    """What is counted otherwise than it runs."""
    if config.dtype_name in WIDER:
        yield f"{WIDER[config.dtype_name]} weights read as fp16"
    if not has_head(config, family.heads):
        names = config.names("architectures")
        ending = ", ".join(name for name in names if family.has_pooler or not is_bare(name))
        if ending:
            yield f"poolers and heads of {ending} are left out"
    yield from _window_notes(config, family, depth, tokens)
    for key, what in _matches(config, UNCOUNTED):
        yield f"{key}: {what}"
    if expert_count(config):
        yield "tokens are spread evenly over experts"
        for key in not_understood(config):
            yield f"{key}: not understood; layers of experts may be missing"


def _matches(config: Config, table: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Keys in use that a table of expressions has, and what it says of them."""
    any_of = re.compile("|".join(table))
    for key in config.keys_in_use():
        if any_of.fullmatch(key):
            yield key, next(what for keys, what in table.items() if re.fullmatch(keys, key))


def _window_notes(config: Config, family: Family, depth: int, tokens: Tokens) -> Iterator[str]:
    for key, what in (("sliding_window", "sliding window"), ("attention_chunk_size", "chunk")):
        value = config.values.get(key)
        if value is None or (isinstance(value, int) and value <= 0):
            continue
        blocks = _windowed_blocks(config, family, depth)
        window = config.size(key) if blocks else tokens.context
        if tokens.context > window:
            some = "" if blocks == depth else f" in {blocks} of {depth} blocks"
            yield f"attention reaches all of the context, not a {what} of {window}{some}"


def _windowed_blocks(config: Config, family: Family, depth: int) -> int:
    """Blocks whose attention has a window: all, unless a key switches it off for some."""
    if not config.flag("use_sliding_window", default=family.has_window):
        return 0
    kinds = config.names("layer_types")
    if kinds:
        return sum(kind in ("sliding_attention", "chunked_attention") for kind in kinds)
    first = config.count("max_window_layers")
    return max(0, depth - first) if first else depth
