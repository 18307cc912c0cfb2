"""Kernels of several layers: what may be one, and what it then reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from simulator.workload.graph import (
    Node,
    holder,
    is_product,
    joined,
    readers_of,
    relinked,
)
from simulator.workload.layer import Conv, Gemm, Layer, Stream
from simulator.workload.operators import parts_of

Alike = Callable[[Layer], Hashable]

OVER_ROWS = frozenset({"softmax", "normalization"})
"""Operators that reduce rows: elementwise ones before them are computed as rows are read."""

ALONE = OVER_ROWS | {"pool"}
"""Operators whose outputs no kernel computes further."""


def merged_products(nodes: list[Node], alike: Alike) -> list[Node]:
    """Linear layers that read the same and follow each other are one, of all their outputs."""
    kept: list[Node] = []
    held: dict[Node, Node] = {}
    for _, run in groupby(nodes, key=lambda node: _merge_key(node, alike)):
        same = list(run)
        if len(same) == 1:
            kept += same
            continue
        layers = [node.layer for node in same if isinstance(node.layer, Gemm)]
        layer = replace(layers[0], name=joined(layers), m=sum(layer.m for layer in layers))
        whole = Node(layer, tuple(name for node in same for name in node.members), same[0].reads)
        kept.append(whole)
        held |= dict.fromkeys(same, whole)
    return relinked(kept, held)


def _merge_key(node: Node, alike: Alike) -> Hashable:
    """Equal for linear layers that may be one; of its own for all others."""
    layer = node.layer
    if not isinstance(layer, Gemm) or layer.batch > 1 or layer.accumulate or not node.is_stated:
        return id(node)
    sizes = layer.n, layer.k, layer.dtype, layer.repeat, layer.epilogue
    return (*sizes, alike(layer), *(one if isinstance(one, str) else id(one) for one in node.reads))


def out_of_epilogues(nodes: Iterable[Node], epilogues: frozenset[str]) -> list[Node]:
    """Operators from the first on that the kernel of a product does not take become kernels."""
    inside = epilogues | {"add"}  # one that accumulates has added already
    kept: list[Node] = []
    held: dict[Node, Node] = {}
    for node in nodes:
        if not held.keys().isdisjoint(node.reads):
            node.reads = [holder(one, held) if isinstance(one, Node) else one for one in node.reads]
        kept.append(node)
        epilogue = node.epilogue
        first = next((i for i, op in enumerate(epilogue) if op not in inside), len(epilogue))
        if first == len(epilogue):
            continue
        node.changes["epilogue"] = epilogue[:first]
        last = node
        for at, op in enumerate(epilogue[first:], first):
            again = epilogue[:at].count(op)
            last = _following(node, last, op, f"{op}{again + 1}" if again else op)
            kept.append(last)
        held[node] = last
    return kept


def _following(product: Node, last: Node, op: str, called: str) -> Node:
    """A kernel that applies an operator to all outputs of a product."""
    layer, size = product.layer, product.outputs
    name = f"{layer.name}.{called}"
    stream = Stream(name, reads=size, writes=size, op=op, dtype=layer.dtype, repeat=layer.repeat)
    return Node(stream, (name,), [last])


def into_epilogues(
    nodes: list[Node], epilogues: frozenset[str], adds_in_convolutions: bool
) -> list[Node]:
    """Operators that nobody but they read a product for join its epilogue."""
    readers, held = readers_of(nodes), dict[Node, Node]()
    number = {node: at for at, node in enumerate(nodes)}
    for node in nodes:
        layer = node.layer
        if not isinstance(layer, Stream) or ALONE.intersection(parts_of(layer.op)):
            continue
        sources = [holder(one, held) for one in node.reads if isinstance(one, Node)]
        host = max(sources, key=lambda one: number[one], default=None)
        if host is None or not _hosts(host, layer, readers[host]):
            continue
        rest = [one for one in node.reads if isinstance(one, str) or holder(one, held) is not host]
        if adds_in_convolutions and _adds(layer, host, rest):
            host.changes["accumulate"] = True
            host.reads = [*dict.fromkeys([*host.reads, *rest])]
        elif layer.op not in epilogues or layer.reads != host.outputs or rest:
            continue
        host.changes["epilogue"] = (*host.epilogue, layer.op)
        host.members += node.members
        held[node] = host
        readers[host] = readers[node]
    return relinked(nodes, held)


def _hosts(host: Node, stream: Stream, readers: int) -> bool:
    """Whether a product's kernel could write what a stream makes of its outputs."""
    layer = host.layer
    return (
        is_product(layer)
        and readers == 1
        and stream.writes == host.outputs
        and (stream.dtype, stream.repeat) == (layer.dtype, layer.repeat)
    )


def _adds(stream: Stream, host: Node, rest: Sequence[Node | str]) -> bool:
    """Whether a stream adds one tensor of the same size to what a convolution computes."""
    layer = host.layer
    is_free = isinstance(layer, Conv) and not (layer.accumulate or "accumulate" in host.changes)
    return is_free and stream.op == "add" and len(rest) == 1 and stream.reads == 2 * host.outputs


def merged_streams(nodes: list[Node]) -> list[Node]:
    """Elementwise operators, and what reads them, are one kernel where the order allows it."""
    number = {node: at for at, node in enumerate(nodes)}
    readers: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node in nodes:
        for one in node.reads:
            if isinstance(one, Node):
                readers[one].append(node)
    runs: dict[Node, list[Node]] = {}
    for node in nodes:
        if not isinstance(node.layer, Stream) or "pool" in parts_of(node.layer.op):
            continue
        runs[node] = [node]
        for one in node.reads:
            run = runs.get(one, []) if isinstance(one, Node) else []
            others = (reader for first in run for reader in readers[first] if reader not in run)
            if (
                run
                and run is not runs[node]
                and all(_continues(first, node) for first in run)
                and all(number[reader] >= number[node] for reader in others)
            ):
                runs |= dict.fromkeys(whole := run + runs[node], whole)
    held: dict[Node, Node] = {}
    for last, run in runs.items():
        if last is run[-1] and len(run) > 1:
            held |= dict.fromkeys(run[:-1], last)
            _become_one(run, readers)
    return relinked(nodes, held)


def _continues(first: Node, node: Node) -> bool:
    """Whether a streaming kernel may compute another's operators before its own."""
    layer, then = first.layer, node.layer
    return (
        isinstance(layer, Stream)
        and isinstance(then, Stream)
        and ALONE.isdisjoint(parts_of(layer.op))
        and layer.writes <= then.reads
        and (layer.dtype, layer.repeat) == (then.dtype, then.repeat)
    )


def _become_one(run: Sequence[Node], readers: Mapping[Node, Sequence[Node]]) -> None:
    """Make the last of some streaming kernels all of them.

    It reads what they do, less what they read of each other, and writes what none of them reads
    alone. One that says it reads less than its inputs hold reads nothing else.
    """
    layers = [node.layer for node in run if isinstance(node.layer, Stream)]
    inside = [sum(one.outputs for one in run if one in node.reads) for node in run]
    written = [
        node.outputs for node in run if not readers[node] or not set(run).issuperset(readers[node])
    ]
    last = run[-1]
    last.layer = replace(
        layers[-1],
        name=joined(layers),
        op="+".join(layer.op for layer in layers),
        reads=sum(max(0, layer.reads - own) for layer, own in zip(layers, inside, strict=True)),
        writes=sum(written),
    )
    last.members = tuple(name for node in run for name in node.members)
    last.is_stated = all(node.is_stated for node in run)
    last.reads = [*dict.fromkeys(one for node in run for one in node.reads if one not in run)]


def over_loops(nodes: list[Node], is_loop: bool) -> list[Node]:
    """What ends a block that is run again, and the normalization that begins it, are one kernel.

    Blocks are layers that follow each other and are repeated as often; the whole workload, if it is
    a loop. Model: the first block's normalization and the last block's end are counted as one, too.
    """
    kept: list[Node] = []
    held: dict[Node, Node] = {}
    for repeat, run in groupby(nodes, key=lambda node: node.layer.repeat):
        block = list(run)
        if (repeat > 1 or (is_loop and len(block) == len(nodes))) and _meet(block):
            first, *block = block
            _close(first, block)
            held[first] = block[-1]
        kept += block
    return relinked(kept, held)


def _meet(block: Sequence[Node]) -> bool:
    """Whether a block begins with a normalization of what the one before it ends in."""
    first, last = block[0], block[-1]
    layer, end = first.layer, last.layer
    return (
        isinstance(layer, Stream)
        and isinstance(end, Stream)
        and layer.op == "normalization"
        and ALONE.isdisjoint(parts_of(end.op))
        and layer.reads == end.writes
        and layer.dtype == end.dtype
        and len(first.reads) == 1
        and not any(one in block for one in first.reads)
        and not any(last in node.reads for node in block)
    )


def _close(first: Node, block: Sequence[Node]) -> None:
    """Let the end of a block normalize; what read the normalization reads the block's input."""
    last = block[-1]
    layer, end = first.layer, last.layer
    assert isinstance(layer, Stream)
    assert isinstance(end, Stream)
    last.layer = replace(
        layer,
        name=joined((end, layer)),
        op=f"{end.op}+{layer.op}",
        reads=end.reads,
        writes=end.writes + layer.writes,
    )
    last.members += first.members
    for node in block:
        found = (first.reads[0] if one is first else one for one in node.reads)
        node.reads = [*dict.fromkeys(found)]
