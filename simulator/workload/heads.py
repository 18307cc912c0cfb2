"""Attention among the layers of a network: two products with a softmax between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.workload.attention import Attention
from simulator.workload.graph import Node, joined, readers_of, relinked
from simulator.workload.layer import Gemm, Matmul, Stream

BETWEEN = frozenset({"scale", "mask", "causal", "elementwise", "add", "cast"})
"""What may stand between the scores and what they weigh, beside the softmax."""


@dataclass(frozen=True)
class Found:
    """One attention: its kernels in order, and what its heads are.

    Attributes
    ----------
    nodes : tuple of Node
        The product of scores first, the product that they weigh last.
    heads, kv_heads, seq, batch : int
        As in `Attention`; where the network does not tell, sequences count as heads.
    """

    nodes: tuple[Node, ...]
    heads: int
    kv_heads: int
    seq: int
    batch: int

    @property
    def scores(self) -> Matmul:
        layer = self.nodes[0].layer
        assert isinstance(layer, Matmul)
        return layer

    @property
    def is_causal(self) -> bool:
        streams = (node.layer for node in self.nodes)
        ops = {layer.op for layer in streams if isinstance(layer, Stream)}
        is_masked = "causal" in ops or "causal" in self.scores.epilogue
        return is_masked and self.scores.m >= self.seq

    @property
    def layer(self) -> Attention:
        """The same as one layer."""
        scores, last = self.scores, self.nodes[-1].layer
        assert isinstance(last, Matmul)
        products = [n.layer for n in self.nodes if not _is_elementwise(n)]
        return Attention(
            joined(products), self.heads, self.kv_heads, self.seq, scores.m, scores.k,
            batch=self.batch, causal=self.is_causal, dtype=scores.dtype, repeat=scores.repeat,
            cached=scores.cached or last.cached, epilogue=last.epilogue,
        )  # fmt: skip


def fused_attention(nodes: list[Node]) -> list[Node]:
    """Every attention that is found as one layer, where its last product was."""
    held: dict[Node, Node] = {}
    kept = list(nodes)
    for found in attentions(nodes):
        first, last = found.nodes[0], found.nodes[-1]
        names = tuple(name for node in found.nodes for name in node.members)
        reads = [*reversed(first.reads), *(one for one in last.reads if one not in found.nodes)]
        is_stated = first.is_stated and last.is_stated
        whole = Node(found.layer, names, [*dict.fromkeys(reads)], is_stated)
        kept[kept.index(last)] = whole
        held |= dict.fromkeys(found.nodes, whole)
    return relinked(kept, held)


def attentions(nodes: list[Node]) -> Iterator[Found]:
    """Each, by its softmax."""
    if not any(isinstance(node.layer, Matmul) for node in nodes):
        return
    readers, taken = readers_of(nodes), set[Node]()
    reader = {one: node for node in nodes for one in node.reads if isinstance(one, Node)}
    for node in nodes:
        if isinstance(node.layer, Stream) and node.layer.op == "softmax":
            chain = _chain(node, readers, reader)
            if chain and _fits(chain) and taken.isdisjoint(chain):
                taken.update(chain)
                yield _found(chain)


def _chain(softmax: Node, readers: Counter[Node], reader: dict[Node, Node]) -> tuple[Node, ...]:
    """Kernels from one product over a softmax to the next, each read by the next alone."""
    chain = [*_scores(softmax, readers), softmax]
    if len(chain) == 1:
        return ()
    while not isinstance(chain[-1].layer, Matmul):
        after = reader.get(chain[-1])
        if after is None or not (_is_elementwise(after) or isinstance(after.layer, Matmul)):
            return ()
        chain.append(after)
    return tuple(chain) if all(readers[node] == 1 for node in chain[:-1]) else ()


def _scores(softmax: Node, readers: Counter[Node]) -> tuple[Node, ...]:
    """The product that a softmax is of, and what stands between; masks may be read there, too."""
    paths: list[tuple[Node, ...]] = [(softmax,)]
    while paths:
        path = paths.pop()
        for one in reversed(path[0].reads):
            if not isinstance(one, Node) or readers[one] > 1:
                continue
            if isinstance(one.layer, Matmul):
                return (one, *path[:-1])
            if _is_elementwise(one):
                paths.append((one, *path))
    return ()


def _is_elementwise(node: Node) -> bool:
    return isinstance(node.layer, Stream) and node.layer.op in BETWEEN


def _fits(chain: tuple[Node, ...]) -> bool:
    """Whether sizes and formats are those of one attention."""
    scores, last = chain[0].layer, chain[-1].layer
    if not isinstance(scores, Matmul) or not isinstance(last, Matmul):
        return False
    sizes = last.m, last.n, last.k, last.batch
    size = chain[0].outputs
    streams = [node.layer for node in chain if isinstance(node.layer, Stream)]
    return (
        sizes == (scores.k, scores.n, scores.m, scores.batch)
        and BETWEEN.issuperset(scores.epilogue)
        and all(layer.writes == size <= layer.reads for layer in streams)
        and all(layer.row in (None, scores.m) for layer in streams)
        and len({(node.layer.dtype, node.layer.repeat) for node in chain}) == 1
    )


def _found(chain: tuple[Node, ...]) -> Found:
    """What heads an attention has: as the linear layers that feed it tell."""
    scores = chain[0].layer
    assert isinstance(scores, Matmul)
    unknown = Found(chain, scores.batch, scores.batch, scores.n, 1)
    queries, keys = _linear(chain[0].reads[-1:]), _linear(chain[0].reads[:1])
    if queries is None or keys is None:
        return unknown
    heads, rest = divmod(scores.batch * scores.n, queries.n)
    width, odd = divmod(keys.m, scores.k)
    kv_heads = width if width <= heads else (width - heads) // 2  # queries lie in the same layer
    if rest or odd or not kv_heads or heads % kv_heads or scores.batch % kv_heads:
        return unknown
    batch = scores.batch // kv_heads
    seq, rest = divmod(queries.n, batch)
    is_whole = scores.cached or keys.n == batch * scores.m  # a cache has more than what is new
    if rest or seq * heads != scores.n * kv_heads or not is_whole:
        return unknown
    return Found(chain, heads, kv_heads, seq, batch)


def _linear(reads: list[Node | str]) -> Gemm | None:
    """The linear layer whose outputs these are, moved or turned on the way."""
    while reads and isinstance(reads[0], Node):
        layer = reads[0].layer
        if isinstance(layer, Gemm):
            return layer
        reads = reads[0].reads if isinstance(layer, Stream) else []
    return None
