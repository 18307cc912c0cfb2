"""``Hugging Face config.json -> Imported``: the sizes of a transformer, without its framework.

``FAMILIES`` lists the kinds of models. Their layers are those of the presets of the same kind in
``workloads/``, where the sources stand.

Model: biases, scaling and masks are folded into epilogues; embeddings are left out; the causal half
of the scores is computed as well; a language model's head sees the last token of each sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simulator.errors import SimulatorError, WorkloadError, did_you_mean
from simulator.importers.imported import Imported, Stored, Tally
from simulator.importers.json_file import read_json
from simulator.workload.layer import MAX_SIZE, Conv, Gemm, Layer, Matmul, Stream

MAX_FILE_BYTES = 16 * 2**20

DTYPES = {"float32": "fp16", "float16": "fp16", "bfloat16": "bf16"}
"""``torch_dtype`` and the format that the layers are computed in; float32 as the presets are."""


def read_hf_config(path: Path, parameters: Mapping[str, int]) -> Imported:
    """Read the layers that a configuration stands for.

    Parameters
    ----------
    path : Path
    parameters : mapping of str to int
        ``batch``; ``seq``, tokens of a sequence; and, of decoders, ``context``, tokens attended to.

    Raises
    ------
    WorkloadError
        If the kind of model is not known, or a size is missing or not one.
    """
    config = _Config(path, _object(path))
    kind = config.text("model_type")
    if kind not in FAMILIES:
        raise WorkloadError(
            f"{path} model_type", "unknown kind of model", got=kind,
            hint=did_you_mean(kind, FAMILIES),
        )  # fmt: skip
    family = FAMILIES[kind]
    tokens = _tokens(config, family, parameters)
    try:
        layers = family.layers(config, tokens)
    except SimulatorError as error:
        if error.where.startswith(str(path)):
            raise
        raise WorkloadError(str(path), str(error)) from None
    tally = Tally(path)
    for layer in layers:
        tally.add(_cached(layer) if "context" in family.parameters else layer)
    tally.stored |= family.stored
    tally.imported = sum(layer.repeat for layer in layers if not isinstance(layer, Stream))
    tally.notes += _notes(config, family, tokens)
    return tally.result(path.parent.resolve().name if path.stem == "config" else path.stem)


def _cached(layer: Layer) -> Layer:
    """A layer of a decoder, which keeps the keys and values of its products."""
    return replace(layer, cached=True) if isinstance(layer, Matmul) else layer


@dataclass(frozen=True)
class _Tokens:
    """Sequences, tokens of each, and tokens that each attends to."""

    batch: int
    seq: int
    context: int


class _Config:
    """A configuration whose every size is checked where it is read."""

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self.path, self.values = path, values

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str):
            raise WorkloadError(f"{self.path} {key}", "must be a name", got=value)
        return value

    def size(self, key: str, default: int | None = None) -> int:
        """A count of one or more; ``default`` where it is missing or null."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SIZE:
            raise WorkloadError(
                f"{self.path} {key}", "must be a size", got=value, want=f"1 to {MAX_SIZE}"
            )
        return value

    def share(self, whole: str, parts: str, default: int | None = None) -> int:
        """``whole / parts``, which must be whole, such as channels of a head."""
        total, count = self.size(whole), self.size(parts, default)
        if total % count:
            raise WorkloadError(
                f"{self.path} {parts}", f"must divide {whole}", got=count, want=f"of {total}"
            )
        return total // count

    @property
    def dtype(self) -> str:
        name = self.values.get("torch_dtype") or self.values.get("dtype") or "float16"
        return DTYPES.get(str(name), "fp16")


def _object(path: Path) -> Mapping[str, Any]:
    values = read_json(path, MAX_FILE_BYTES)
    if not isinstance(values, dict) or "model_type" not in values:
        raise WorkloadError(
            str(path), "not a model's config.json", want="an object with 'model_type'"
        )
    return values


def _tokens(config: _Config, family: _Family, parameters: Mapping[str, int]) -> _Tokens:
    for name in parameters:
        if name not in family.parameters:
            raise WorkloadError(
                f"{config.path} {name}",
                "a model of this kind has no such parameter",
                hint=did_you_mean(name, family.parameters),
            )
    longest = config.size(family.longest, MAX_SIZE) if family.longest else MAX_SIZE
    seq = parameters.get("seq", min(family.seq, longest))
    context = parameters.get("context", seq)
    if max(seq, context) > longest and family.has_learned_positions:
        raise WorkloadError(
            f"{config.path} seq", "longer than the model's positions", got=max(seq, context),
            want=f"at most {longest}",
        )  # fmt: skip
    if context < seq:
        raise WorkloadError(
            f"{config.path} context", "tokens attend to themselves at least", got=context,
            want=f"at least seq = {seq}",
        )  # fmt: skip
    return _Tokens(parameters.get("batch", 1), seq, context)


def _notes(config: _Config, family: _Family, tokens: _Tokens) -> list[str]:
    sizes = {"batch": tokens.batch, "seq": tokens.seq, "context": tokens.context}
    notes = [", ".join(f"{name} = {sizes[name]}" for name in family.parameters)]
    if str(config.values.get("torch_dtype") or config.values.get("dtype")) == "float32":
        notes.append("fp32 weights read as fp16")
    window = config.values.get("sliding_window")
    if isinstance(window, int) and tokens.context > window:
        notes.append(f"attention reaches all of the context, not a sliding window of {window}")
    return notes


@dataclass(frozen=True)
class _Block:
    """What the layers of one kind of block share."""

    tokens: _Tokens
    dtype: str
    repeat: int

    @property
    def rows(self) -> int:
        return self.tokens.batch * self.tokens.seq

    def linear(self, name: str, m: int, k: int) -> Layer:
        return Gemm(name, m=m, n=self.rows, k=k, dtype=self.dtype, repeat=self.repeat)

    def stream(self, name: str, op: str, reads: int, writes: int) -> Layer:
        """``reads`` and ``writes`` are elements a token."""
        moved = (reads * self.rows, writes * self.rows)
        return Stream(name, *moved, op=op, dtype=self.dtype, repeat=self.repeat)

    def attention(self, heads: int, head: int, kv_heads: int, last: str) -> list[Layer]:
        """Scores, softmax and the sum of values.

        Query heads that share keys and values are rows of one product, which reads those once.
        """
        seq, context, batch = self.tokens.seq, self.tokens.context, self.tokens.batch
        rows, count = seq * (heads // kv_heads), batch * kv_heads
        shared: dict[str, Any] = {"batch": count, "dtype": self.dtype, "repeat": self.repeat}
        return [
            Matmul("scores", m=context, n=rows, k=head, **shared),
            self.stream("softmax", "softmax", heads * context, heads * context),
            Matmul(last, m=head, n=rows, k=context, **shared),
        ]


def _bert(config: _Config, tokens: _Tokens) -> list[Layer]:
    """Devlin et al., NAACL 2019, section 3."""
    hidden, inner = config.size("hidden_size"), config.size("intermediate_size")
    heads, head = (
        config.size("num_attention_heads"),
        config.share("hidden_size", "num_attention_heads"),
    )
    block = _Block(tokens, config.dtype, config.size("num_hidden_layers"))
    return [
        *(block.linear(name, hidden, hidden) for name in ("query", "key", "value")),
        *block.attention(heads, head, heads, "context"),
        block.linear("attention.output", hidden, hidden),
        block.stream("attention.add", "elementwise", 2 * hidden, hidden),
        block.stream("attention.norm", "normalization", hidden, hidden),
        block.linear("intermediate", inner, hidden),
        block.stream("gelu", "elementwise", inner, inner),
        block.linear("output", hidden, inner),
        block.stream("output.add", "elementwise", 2 * hidden, hidden),
        block.stream("output.norm", "normalization", hidden, hidden),
    ]


def _gelu_block(block: _Block, hidden: int, inner: int, heads: int, attend: str) -> list[Layer]:
    """A block that normalises first: GPT-2's and the vision transformer's."""
    return [
        block.stream("norm1", "normalization", hidden, hidden),
        block.linear("qkv", 3 * hidden, hidden),
        *block.attention(heads, hidden // heads, heads, attend),
        block.linear("projection", hidden, hidden),
        block.stream("attention.add", "elementwise", 2 * hidden, hidden),
        block.stream("norm2", "normalization", hidden, hidden),
        block.linear("mlp.fc1", inner, hidden),
        block.stream("mlp.gelu", "elementwise", inner, inner),
        block.linear("mlp.fc2", hidden, inner),
        block.stream("mlp.add", "elementwise", 2 * hidden, hidden),
    ]


def _gpt2(config: _Config, tokens: _Tokens) -> list[Layer]:
    """Radford et al., 2019, table 2."""
    hidden, heads = config.size("n_embd"), config.size("n_head")
    config.share("n_embd", "n_head")
    block = _Block(tokens, config.dtype, config.size("n_layer"))
    inner = config.size("n_inner", 4 * hidden)
    head = _head(config, tokens, hidden, config.size("vocab_size"))
    return [*_gelu_block(block, hidden, inner, heads, "attend"), *head]


def _llama(config: _Config, tokens: _Tokens) -> list[Layer]:
    """Touvron et al., 2023, section 2.2; grouped heads: Ainslie et al., arXiv:2305.13245."""
    hidden, inner = config.size("hidden_size"), config.size("intermediate_size")
    heads = config.size("num_attention_heads")
    kv_heads = config.size("num_key_value_heads", heads)
    config.share("num_attention_heads", "num_key_value_heads", heads)
    head = config.size("head_dim", 0) or config.share("hidden_size", "num_attention_heads")
    width = heads * head
    block = _Block(tokens, config.dtype, config.size("num_hidden_layers"))
    rotated = width + kv_heads * head
    return [
        block.stream("attention.norm", "normalization", hidden, hidden),
        block.linear("qkv", width + 2 * kv_heads * head, hidden),
        block.stream("rotary", "elementwise", rotated, rotated),
        *block.attention(heads, head, kv_heads, "attend"),
        block.linear("output", hidden, width),
        block.stream("attention.add", "elementwise", 2 * hidden, hidden),
        block.stream("mlp.norm", "normalization", hidden, hidden),
        block.linear("gate.up", 2 * inner, hidden),
        block.stream("silu.mul", "elementwise", 2 * inner, inner),
        block.linear("down", hidden, inner),
        block.stream("mlp.add", "elementwise", 2 * hidden, hidden),
        *_head(config, tokens, hidden, config.size("vocab_size")),
    ]


def _vit(config: _Config, tokens: _Tokens) -> list[Layer]:
    """Dosovitskiy et al., ICLR 2021, section 3.1: patches and a class token."""
    hidden, heads = config.size("hidden_size"), config.size("num_attention_heads")
    config.share("hidden_size", "num_attention_heads")
    image, patch = config.size("image_size", 224), config.size("patch_size", 16)
    channels = config.size("num_channels", 3)
    patches = Conv(
        "patch", channels, hidden, image, image, kernel=patch, stride=patch, batch=tokens.batch,
        dtype=config.dtype,
    )  # fmt: skip
    seq = patches.out_h * patches.out_w + 1
    tokens = _Tokens(tokens.batch, seq, seq)
    block = _Block(tokens, config.dtype, config.size("num_hidden_layers"))
    layers = [
        patches,
        *_gelu_block(block, hidden, config.size("intermediate_size"), heads, "context"),
    ]
    labels = config.values.get("id2label")
    final = _Block(tokens, config.dtype, 1).stream("norm", "normalization", hidden, hidden)
    if not isinstance(labels, dict) or not labels:
        return [*layers, final]
    head = Gemm("head", m=len(labels), n=tokens.batch, k=hidden, dtype=config.dtype)
    return [*layers, final, head]


def _head(config: _Config, tokens: _Tokens, hidden: int, vocabulary: int) -> list[Layer]:
    """Norm and vocabulary of the last token of each sequence."""
    last = _Block(_Tokens(tokens.batch, 1, 1), config.dtype, 1)
    norm = last.stream("norm", "normalization", hidden, hidden)
    return [norm, last.linear("head", vocabulary, hidden)]


@dataclass(frozen=True)
class _Family:
    """A kind of model: how its layers are made, and which parameters it takes.

    ``seq`` is the default; ``longest`` the key that holds the number of positions, a limit only
    where positions are learned; ``stored`` the tensors that hold the weights of each layer, by the
    names that the transformers library gives them.
    """

    layers: Callable[[_Config, _Tokens], list[Layer]]
    parameters: tuple[str, ...]
    seq: int = 1
    longest: str = ""
    has_learned_positions: bool = True
    stored: Mapping[str, Stored] = field(default_factory=dict)


_ENCODER = "encoder.layer.{}"
_ENCODER_MLP = {
    "intermediate": Stored((f"{_ENCODER}.intermediate.dense.weight",)),
    "output": Stored((f"{_ENCODER}.output.dense.weight",)),
}
_BERT = _Family(
    _bert, ("batch", "seq"), 128, "max_position_embeddings",
    stored={
        **{name: Stored((f"{_ENCODER}.attention.self.{name}.weight",))
           for name in ("query", "key", "value")},
        "attention.output": Stored((f"{_ENCODER}.attention.output.dense.weight",)),
        **_ENCODER_MLP,
    },
)  # fmt: skip
_GPT2 = _Family(
    _gpt2, ("batch", "seq", "context"), 1024, "n_positions",
    stored={
        "qkv": Stored(("h.{}.attn.c_attn.weight",), inputs_first=True),
        "projection": Stored(("h.{}.attn.c_proj.weight",), inputs_first=True),
        "mlp.fc1": Stored(("h.{}.mlp.c_fc.weight",), inputs_first=True),
        "mlp.fc2": Stored(("h.{}.mlp.c_proj.weight",), inputs_first=True),
        "head": Stored(("lm_head.weight",), tied="wte.weight"),
    },
)  # fmt: skip
_LLAMA = _Family(
    _llama, ("batch", "seq", "context"), 2048, "max_position_embeddings", False,
    stored={
        "qkv": Stored(tuple(f"layers.{{}}.self_attn.{part}_proj.weight" for part in "qkv")),
        "output": Stored(("layers.{}.self_attn.o_proj.weight",)),
        "gate.up": Stored(("layers.{}.mlp.gate_proj.weight", "layers.{}.mlp.up_proj.weight")),
        "down": Stored(("layers.{}.mlp.down_proj.weight",)),
        "head": Stored(("lm_head.weight",), tied="embed_tokens.weight"),
    },
)  # fmt: skip
_VIT = _Family(
    _vit, ("batch",),
    stored={
        "patch": Stored(("embeddings.patch_embeddings.projection.weight",)),
        "qkv": Stored(tuple(f"{_ENCODER}.attention.attention.{part}.weight"
                            for part in ("query", "key", "value"))),
        "projection": Stored((f"{_ENCODER}.attention.output.dense.weight",)),
        "mlp.fc1": _ENCODER_MLP["intermediate"],
        "mlp.fc2": _ENCODER_MLP["output"],
        "head": Stored(("classifier.weight",)),
    },
)  # fmt: skip

FAMILIES: dict[str, _Family] = {
    "bert": _BERT,
    "roberta": _BERT,
    "gpt2": _GPT2,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "vit": _VIT,
}
