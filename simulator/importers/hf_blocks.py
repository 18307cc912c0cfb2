"""What the layers of a transformer are made of: tokens, products, and the modules they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.importers.imported import INPUT, Stored
from simulator.workload.layer import Gemm, Layer, Matmul, Stream


@dataclass(frozen=True)
class Tokens:
    """Sequences, tokens of each, and tokens that each attends to."""

    batch: int
    seq: int
    context: int

    @property
    def rows(self) -> int:
        """Tokens of all sequences."""
        return self.batch * self.seq

    @property
    def last(self) -> Tokens:
        """The last token of each sequence, as a language model's head sees it."""
        return Tokens(self.batch, 1, 1)


@dataclass(frozen=True)
class Part:
    """A layer, and the modules of the model that it stands for.

    Attributes
    ----------
    modules : tuple of (str, int)
        Names as the transformers library gives them, ``{}`` for the number of the block and
        ``{expert}`` for that of an expert, and output features of each.
    inputs_first : bool
        Stored (k, m), as GPT-2's Conv1D.
    tied : str
        The tensor to take where the module has none of its own.
    experts : range
        Those that a product of many experts stands for.
    is_usual : bool
        Whether quantisers take it unless told not to; heads and routers they leave.
    """

    layer: Layer
    modules: tuple[tuple[str, int], ...] = ()
    inputs_first: bool = False
    tied: str = ""
    experts: range = range(0)
    is_usual: bool = True

    @property
    def stored(self) -> Stored | None:
        """The tensors that hold its weights."""
        names = tuple(f"{name}.weight" for name, _ in self.modules)
        return Stored(names, self.inputs_first, self.tied, self.experts) if names else None

    def after(self, *names: str) -> Part:
        """The part, with the layers that it reads."""
        return replace(self, layer=replace(self.layer, inputs=names))


def chained(parts: Sequence[Part]) -> list[Part]:
    """Parts that do not say what they read read the one before; the first, what the block does."""
    before = (INPUT, *(part.layer.name for part in parts))
    pairs = zip(parts, before, strict=False)
    return [part if part.layer.inputs else part.after(name) for part, name in pairs]


@dataclass(frozen=True)
class Builder:
    """Makes the layers of one block.

    Attributes
    ----------
    epilogue : tuple of str
        Operators that follow each product with weights.
    scores : tuple of str
        Operators that follow the scores.
    """

    tokens: Tokens
    dtype: str
    epilogue: tuple[str, ...] = ()
    scores: tuple[str, ...] = ("scale",)

    def linear(self, name: str, k: int, modules: Mapping[str, int], **about: Any) -> Part:
        """A product of every token; ``modules`` and their output features follow each other."""
        m, n = sum(modules.values()), self.tokens.rows
        layer = Gemm(name, m=m, n=n, k=k, dtype=self.dtype, epilogue=self.epilogue)
        return Part(layer, tuple(modules.items()), **about)

    def stream(self, name: str, op: str, reads: int, writes: int, row: int = 1) -> Part:
        """``reads`` and ``writes`` are elements a token; ``row`` of what is summed over."""
        rows = self.tokens.rows
        layer = Stream(name, reads * rows, writes * rows, op=op, dtype=self.dtype)
        return Part(layer.over_rows(row))

    def norm(self, name: str, hidden: int) -> Part:
        return self.stream(name, "normalization", hidden, hidden, hidden)

    def add(self, name: str, hidden: int, *inputs: str) -> Part:
        return self.stream(name, "add", 2 * hidden, hidden).after(*inputs)

    def attention(self, heads: Heads, last: str, made: Sequence[str]) -> list[Part]:
        """Scores, softmax and the sum of values.

        Query heads that share keys and values are rows of one product, which reads those once.

        Parameters
        ----------
        last : str
            The name of the sum of values.
        made : sequence of str
            The layers that make queries, keys and values, in this order; one may make them all.
        """
        seq, context, batch = self.tokens.seq, self.tokens.context, self.tokens.batch
        rows, count = seq * (heads.count // heads.kv), batch * heads.kv
        scores = Matmul(
            "scores", m=context, n=rows, k=heads.size, batch=count, dtype=self.dtype,
            epilogue=self.scores,
        )  # fmt: skip
        values = Matmul(last, m=heads.size, n=rows, k=context, batch=count, dtype=self.dtype)
        size = heads.count * context
        softmax = self.stream("softmax", "softmax", size, size, context)
        operands = dict.fromkeys(reversed(made[:2]))
        return [
            Part(scores).after(*operands), softmax, Part(values).after(made[-1], "softmax")
        ]  # fmt: skip


@dataclass(frozen=True)
class Heads:
    """Query heads, heads of keys and values, and channels of each."""

    count: int
    kv: int
    size: int

    @property
    def width(self) -> int:
        """Features of all queries."""
        return self.count * self.size

    @property
    def kv_width(self) -> int:
        """Features of all keys, or of all values."""
        return self.kv * self.size
