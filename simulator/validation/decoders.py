"""Language models that generate: ``Decoder -> Workload`` of a prompt, or of one token more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from simulator.workload import Gemm, Layer, Matmul, Stream, Workload


@dataclass(frozen=True)
class Decoder:
    """A decoder, by its sizes.

    Attributes
    ----------
    parallel : bool
        Attention and MLP read the same normalised input, and their outputs are added at once.
    rotary : bool
        Queries and keys are rotated.
    """

    name: str
    blocks: int
    hidden: int
    heads: int
    mlp: int
    vocabulary: int
    parallel: bool = False
    rotary: bool = False

    def workload(self, batch: int, seq: int, context: int, dtype: str = "fp16") -> Workload:
        """``seq`` new tokens of each sequence, which see ``context`` in all, and one next token."""
        layers = (*self._block(batch, seq, context, dtype), *self._head(batch, dtype))
        return Workload(self.name, layers)

    def _block(self, batch: int, seq: int, context: int, dtype: str) -> Iterator[Layer]:
        """All blocks, a line a layer."""
        n, hidden, size = batch * seq, self.hidden, batch * seq * self.hidden
        dim, pairs = hidden // self.heads, batch * self.heads * seq * context
        repeat = self.blocks

        def linear(name: str, m: int, k: int, *inputs: str, bias: bool = True) -> Gemm:
            epilogue = ("bias",) * bias
            return Gemm(name, m, n, k, 1, dtype, None, repeat, epilogue=epilogue, inputs=inputs)

        def stream(name: str, op: str, reads: int, writes: int, *inputs: str) -> Stream:
            return Stream(name, reads, writes, op, dtype, repeat, inputs=inputs)

        def product(name: str, m: int, k: int, *inputs: str) -> Matmul:
            heads = batch * self.heads
            return Matmul(name, m, seq, k, heads, dtype, repeat, cached=True, inputs=inputs)

        yield stream("norm1", "normalization", size, size, "input")
        yield linear("qkv", 3 * hidden, hidden, "norm1", bias=not self.parallel)
        if self.rotary:
            yield stream("rotary", "rotary", 2 * size, 2 * size, "qkv")
        scores = product("scores", context, dim, "rotary" if self.rotary else "qkv")
        yield replace(scores, epilogue=("scale", "causal"))
        yield stream("softmax", "softmax", pairs, pairs, "scores").over_rows(context)
        yield product("attend", dim, context, "qkv", "softmax")
        yield linear("projection", hidden, hidden, "attend", bias=not self.parallel)
        if not self.parallel:
            yield stream("attention.add", "add", 2 * size, size, "projection", "input")
            yield stream("norm2", "normalization", size, size, "attention.add")
        yield linear("fc1", self.mlp, hidden, "norm1" if self.parallel else "norm2")
        yield stream("gelu", "gelu", n * self.mlp, n * self.mlp, "fc1")
        yield linear("fc2", hidden, self.mlp, "gelu")
        first = ("projection", "input") if self.parallel else ("attention.add",)
        yield stream("add", "add", (1 + len(first)) * size, size, "fc2", *first)

    def _head(self, batch: int, dtype: str) -> Iterator[Layer]:
        """The last token of each sequence over the vocabulary; what stays in 16 bits where products
        are in 8."""
        wide = "fp16" if dtype == "fp8" else dtype
        size = batch * self.hidden
        yield Stream("norm", size, size, "normalization", inputs=("add",), dtype=wide)
        yield Gemm("head", self.vocabulary, batch, self.hidden, inputs=("norm",), dtype=wide)


GPT_6_7B: Final = Decoder("gpt-6.7b", 32, 4096, 32, 16384, 50257)
"""Brown et al., 2020, table 2.1."""

GPT_J: Final = Decoder("gpt-j-6b", 28, 4096, 16, 16384, 50400, parallel=True, rotary=True)
"""Wang and Komatsuzaki, 2021: the configuration that its repository publishes."""

DECODERS: Final = {decoder.name: decoder for decoder in (GPT_6_7B, GPT_J)}
