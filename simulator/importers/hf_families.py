"""The kinds of Hugging Face models that can be read, and the layers of each.

The layers are those of the presets of the same kind in ``workloads/``, where the sources stand.

Model: biases, scaling and masks are folded into epilogues; embeddings are left out; the causal half
of the scores is computed as well; a language model's head sees the last token of each sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from simulator.importers.hf_blocks import Builder, Heads, Part, Tokens
from simulator.importers.hf_experts import dense_width, expert_layers, experts_of
from simulator.importers.hf_values import Config
from simulator.importers.imported import INPUT
from simulator.workload.layer import Conv

KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")

BIASED = ("bias",)
"""What follows the products of families that are older than LLaMA."""

CAUSAL = ("scale", "causal")
"""What follows the scores of decoders."""

Layers = Callable[[Config, Tokens], list[Part]]


@dataclass(frozen=True)
class Family:
    """A kind of model: how its layers are made, and which parameters it takes.

    Attributes
    ----------
    block, before, after : callable
        Layers of one block, and those before and after all of them.
    depth : str
        The key that holds the number of blocks.
    prefix : str
        What the library puts before the names of modules that are not a head.
    heads : tuple of str
        Ends of the architectures whose head is among the layers; of others it is left out.
    seq : int
        The default.
    longest : str
        The key that holds the number of positions, a limit only where positions are learned.
    sees : callable
        The tokens that blocks see, where those are not the ones that were asked for.
    has_experts : bool
        Whether its MLPs may be mixtures of experts.
    has_window : bool
        Whether a window counts where no key switches it on.
    has_pooler : bool
        Whether an architecture without a head ends in a pooler.
    """

    block: Layers
    after: Layers
    parameters: tuple[str, ...]
    prefix: str
    heads: tuple[str, ...] = ()
    depth: str = "num_hidden_layers"
    before: Layers = lambda _config, _tokens: []
    seq: int = 1
    longest: str = ""
    has_learned_positions: bool = True
    sees: Callable[[Config, Tokens], Tokens] = lambda _config, tokens: tokens
    has_experts: bool = False
    has_window: bool = True
    has_pooler: bool = False


def _heads(
    config: Config, hidden: str = "hidden_size", count: str = "num_attention_heads"
) -> Heads:
    """Grouped heads: Ainslie et al., arXiv:2305.13245."""
    heads = config.size(count)
    key = next((key for key in KV_HEADS if config.values.get(key) is not None), None)
    kv = 1 if key is None and config.flag("multi_query") else heads
    if key is not None:
        config.share(count, key)
        kv = config.size(key)
    size = config.size("head_dim", 0) or config.share(hidden, count)
    return Heads(heads, kv, size)


def _bert(config: Config, tokens: Tokens) -> list[Part]:
    """Devlin et al., NAACL 2019, section 3."""
    hidden, inner = config.size("hidden_size"), config.size("intermediate_size")
    heads, block = _heads(config), Builder(tokens, config.dtype, BIASED, ("scale", "mask"))
    features = {"query": heads.width, "key": heads.kv_width, "value": heads.kv_width}
    home = "encoder.layer.{}"
    return [
        *(
            block.linear(name, hidden, {f"{home}.attention.self.{name}": width}).after(INPUT)
            for name, width in features.items()
        ),
        *block.attention(heads, "context", list(features)),
        block.linear("attention.output", heads.width, {f"{home}.attention.output.dense": hidden}),
        block.add("attention.add", hidden, "attention.output", INPUT),
        block.norm("attention.norm", hidden),
        block.linear("intermediate", hidden, {f"{home}.intermediate.dense": inner}),
        block.stream("gelu", "gelu", inner, inner),
        block.linear("output", inner, {f"{home}.output.dense": hidden}),
        block.add("output.add", hidden, "output", "attention.norm"),
        block.norm("output.norm", hidden),
    ]


@dataclass(frozen=True)
class _Gelu:
    """Sizes and names of a block that normalises first: GPT-2's and the vision transformer's."""

    hidden: int
    inner: int
    heads: Heads
    attend: str
    qkv: dict[str, dict[str, int]]
    projection: str
    fc1: str
    fc2: str
    inputs_first: bool = False

    def layers(self, block: Builder) -> list[Part]:
        hidden, inner, first = self.hidden, self.inner, self.inputs_first
        return [
            block.norm("norm1", hidden),
            *(
                block.linear(name, hidden, modules, inputs_first=first).after("norm1")
                for name, modules in self.qkv.items()
            ),
            *block.attention(self.heads, self.attend, list(self.qkv)),
            block.linear(
                "projection", self.heads.width, {self.projection: hidden}, inputs_first=first
            ),
            block.add("attention.add", hidden, "projection", INPUT),
            block.norm("norm2", hidden),
            block.linear("mlp.fc1", hidden, {self.fc1: inner}, inputs_first=first),
            block.stream("mlp.gelu", "gelu", inner, inner),
            block.linear("mlp.fc2", inner, {self.fc2: hidden}, inputs_first=first),
            block.add("mlp.add", hidden, "mlp.fc2", "attention.add"),
        ]


def _gpt2(config: Config, tokens: Tokens) -> list[Part]:
    """Radford et al., 2019, table 2."""
    hidden, heads = config.size("n_embd"), _heads(config, "n_embd", "n_head")
    block = _Gelu(
        hidden, config.size("n_inner", 4 * hidden), heads, "attend",
        {"qkv": {"h.{}.attn.c_attn": heads.width + 2 * heads.kv_width}},
        "h.{}.attn.c_proj", "h.{}.mlp.c_fc", "h.{}.mlp.c_proj", inputs_first=True,
    )  # fmt: skip
    return block.layers(Builder(tokens, config.dtype, BIASED, CAUSAL))


def _llama(config: Config, tokens: Tokens) -> list[Part]:
    """Touvron et al., 2023, section 2.2."""
    hidden, heads = config.size("hidden_size"), _heads(config)
    block, experts = Builder(tokens, config.dtype, scores=CAUSAL), experts_of(config)
    attention = "layers.{}.self_attn"
    features = {"query": heads.width, "key": heads.kv_width, "value": heads.kv_width}
    rotated = heads.width + heads.kv_width
    mlp = (
        expert_layers(block, hidden, experts, "mlp.norm")
        if experts
        else _gated_mlp(block, hidden, dense_width(config))
    )
    return [
        block.norm("attention.norm", hidden),
        *(
            block.linear(name, hidden, {f"{attention}.{name[0]}_proj": width}).after(
                "attention.norm"
            )
            for name, width in features.items()
        ),
        block.stream("rotary", "rotary", rotated, rotated).after("key", "query"),
        *block.attention(heads, "attend", ("rotary", "rotary", "value")),
        block.linear("output", heads.width, {f"{attention}.o_proj": hidden}),
        block.add("attention.add", hidden, "output", INPUT),
        block.norm("mlp.norm", hidden),
        *mlp,
        block.add("mlp.add", hidden, mlp[-1].layer.name, "attention.add"),
    ]


def _gated_mlp(block: Builder, hidden: int, inner: int) -> list[Part]:
    home = "layers.{}.mlp"
    return [
        *(
            block.linear(name, hidden, {f"{home}.{name}_proj": inner}).after("mlp.norm")
            for name in ("gate", "up")
        ),
        block.stream("silu.mul", "silu", 2 * inner, inner).after("gate", "up"),
        block.linear("down", inner, {f"{home}.down_proj": hidden}),
    ]


def _patches(config: Config, tokens: Tokens) -> list[Part]:
    """Dosovitskiy et al., ICLR 2021, section 3.1."""
    hidden, image = config.size("hidden_size"), config.size("image_size", 224)
    patch, channels = config.size("patch_size", 16), config.size("num_channels", 3)
    layer = Conv(
        "patch", channels, hidden, image, image, kernel=patch, stride=patch, batch=tokens.batch,
        dtype=config.dtype, epilogue=BIASED,
    )  # fmt: skip
    return [Part(layer, (("embeddings.patch_embeddings.projection", hidden),))]


def _patch_tokens(config: Config, tokens: Tokens) -> Tokens:
    """Patches and a class token."""
    patches = _patches(config, tokens)[0].layer
    assert isinstance(patches, Conv)
    seq = patches.out_h * patches.out_w + 1
    return Tokens(tokens.batch, seq, seq)


def _vit(config: Config, tokens: Tokens) -> list[Part]:
    """Dosovitskiy et al., ICLR 2021, section 3.1."""
    hidden, heads = config.size("hidden_size"), _heads(config)
    home = "encoder.layer.{}"
    features = {"query": heads.width, "key": heads.kv_width, "value": heads.kv_width}
    block = _Gelu(
        hidden, config.size("intermediate_size"), heads, "context",
        {name: {f"{home}.attention.attention.{name}": width} for name, width in features.items()},
        f"{home}.attention.output.dense", f"{home}.intermediate.dense", f"{home}.output.dense",
    )  # fmt: skip
    return block.layers(Builder(tokens, config.dtype, BIASED))


def _classes(config: Config, tokens: Tokens) -> list[Part]:
    """Norm of all tokens; what an image is, of the first, where the configuration has labels."""
    hidden, labels = config.size("hidden_size"), config.values.get("id2label")
    norm = Builder(tokens, config.dtype).norm("norm", hidden)
    count = len(labels) if isinstance(labels, dict) else config.count("num_labels")
    if not count or not has_head(config, _IMAGE_HEADS):
        return [norm]
    block = Builder(tokens.last, config.dtype, BIASED)
    return [norm, block.linear("head", hidden, {"classifier": count}, is_usual=False)]


def _vocabulary(hidden_key: str, embedding: str) -> Layers:
    """Norm and vocabulary of the last token of each sequence."""

    def layers(config: Config, tokens: Tokens) -> list[Part]:
        hidden, block = config.size(hidden_key), Builder(tokens.last, config.dtype)
        norm = block.norm("norm", hidden)
        if not has_head(config, _LM_HEADS):
            return [norm]
        rows = {"lm_head": config.size("vocab_size")}
        return [norm, block.linear("head", hidden, rows, tied=embedding, is_usual=False)]

    return layers


def has_head(config: Config, heads: tuple[str, ...]) -> bool:
    """Whether an architecture ends as one of ``heads``, or none is named."""
    named = config.names("architectures")
    return not named or any(name.endswith(heads) for name in named)


def is_bare(architecture: str) -> bool:
    """Whether an architecture has no head: ``LlamaModel``, not ``GPT2LMHeadModel``."""
    return architecture.endswith("Model") and not architecture.endswith("HeadModel")


_DECODER = ("batch", "seq", "context")
_LM_HEADS = ("ForCausalLM", "LMHeadModel")
_IMAGE_HEADS = ("ForImageClassification",)
_BERT = Family(
    _bert, lambda _config, _tokens: [], ("batch", "seq"), "bert.", seq=128,
    longest="max_position_embeddings", has_pooler=True,
)  # fmt: skip
_GPT2 = Family(
    _gpt2, _vocabulary("n_embd", "wte.weight"), _DECODER, "transformer.", _LM_HEADS,
    depth="n_layer", seq=1024, longest="n_positions",
)  # fmt: skip
_LLAMA = Family(
    _llama, _vocabulary("hidden_size", "embed_tokens.weight"), _DECODER, "model.", _LM_HEADS,
    seq=2048, longest="max_position_embeddings", has_learned_positions=False, has_experts=True,
)  # fmt: skip
_QWEN = replace(_LLAMA, has_window=False)
_VIT = Family(
    _vit, _classes, ("batch",), "vit.", _IMAGE_HEADS, before=_patches,
    sees=_patch_tokens, has_pooler=True,
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    "bert": _BERT,
    "roberta": replace(_BERT, prefix="roberta."),
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _QWEN,
    "qwen3": _QWEN,
    "vit": _VIT,
}
