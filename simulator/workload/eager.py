"""What PyTorch runs, operator by operator, beside the operators that a network is described by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Final, NamedTuple

from simulator.workload.graph import Node, relinked
from simulator.workload.heads import attentions
from simulator.workload.layer import Stream


class Step(NamedTuple):
    """A kernel of an operator: what it is, and what it moves for an element that is written."""

    op: str
    reads: Fraction
    writes: Fraction


WHOLE, HALF, QUARTER = Fraction(1), Fraction(1, 2), Fraction(1, 4)

COMPOSED: Final[dict[str, tuple[Step, ...]]] = {
    # Hugging Face's apply_rotary_pos_emb, of queries and then of keys, a half each:
    # x * cos + cat(-x2, x1) * sin.
    "rotary": (
        Step("scale", HALF, HALF),
        Step("scale", QUARTER, QUARTER),
        Step("copy", HALF, HALF),
        Step("scale", HALF, HALF),
        Step("add", WHOLE, HALF),
    )
    * 2,
    # silu(gate) * up, of two inputs.
    "silu": (Step("silu", WHOLE, WHOLE), Step("scale", 2 * WHOLE, WHOLE)),
}
"""Operators that PyTorch has no kernel for, as Hugging Face's models write them."""


def composed(nodes: list[Node]) -> list[Node]:
    """Operators that are several kernels as those, one behind the other."""
    kept: list[Node] = []
    held: dict[Node, Node] = {}
    for node in nodes:
        layer = node.layer
        is_composed = isinstance(layer, Stream) and _is_composed(layer)
        steps = [*_steps(node, layer)] if isinstance(layer, Stream) and is_composed else []
        kept += steps or [node]
        if steps:
            held[node] = steps[-1]
    return relinked(kept, held)


def _is_composed(layer: Stream) -> bool:
    """Whether an operator is one of these; a plain SiLU is a kernel."""
    return layer.op in COMPOSED and (layer.op != "silu" or layer.reads == 2 * layer.writes)


def _steps(node: Node, layer: Stream) -> Iterable[Node]:
    reads = node.reads
    for number, step in enumerate(COMPOSED[layer.op], 1):
        name = f"{layer.name}.{step.op}{number}"
        stream = replace(
            layer,
            name=name,
            op=step.op,
            reads=max(1, int(layer.writes * step.reads)),
            writes=max(1, int(layer.writes * step.writes)),
            row=None,
        )
        made = Node(stream, (name,), reads, node.is_stated)
        reads = [made]
        yield made


def with_copies(nodes: list[Node]) -> list[Node]:
    """Heads copied apart before the products of every attention, and together behind them.

    PyTorch's batched product views ``[batch, seq, heads, d]`` as heads times sequences only where
    there is one sequence, or one position; else `reshape` copies. A cache of keys and values is
    concatenated with what is new, which copies all of it.
    """
    before: dict[Node, list[Node]] = {}
    behind: dict[Node, Node] = {}
    for found in attentions(nodes):
        first, last = found.nodes[0], found.nodes[-1]
        scores, keys = found.scores, found.scores.batch * found.scores.m * found.scores.k
        are_many, is_long = found.batch > 1, found.seq > 1
        grows = scores.cached and found.seq < scores.m
        if first.reads:
            one, other = first.reads[0], first.reads[-1]
            moved = _copies(first, one, "keys", keys, are_many or grows)
            turned = _copies(first, other, "queries", last.outputs, are_many and is_long)
            operands = next(iter(moved), one), next(iter(turned), other)
            first.reads = [*dict.fromkeys(operands)]
            before[first] = moved + turned
        if last.reads and last.reads[0] not in found.nodes:
            moved = _copies(last, last.reads[0], "values", keys, are_many or grows)
            last.reads = [*(moved or last.reads[:1]), *last.reads[1:]]
            before[last] = moved
        if is_long and found.heads > 1 and not _is_copied(nodes, last):
            behind[last] = _copy(last, last, "heads", last.outputs)
    kept: list[Node] = []
    for node in nodes:
        node.reads = [behind.get(one, one) if isinstance(one, Node) else one for one in node.reads]
        kept += [*before.get(node, ()), node, *([behind[node]] if node in behind else ())]
    return kept


def _copies(node: Node, source: Node | str, what: str, size: int, needed: bool) -> list[Node]:
    """A copy of an operand, where it is needed and none yet."""
    is_copy = isinstance(source, Node) and _is_copy(source)
    return [_copy(node, source, what, size)] if needed and not is_copy else []


def _copy(node: Node, source: Node | str, what: str, size: int) -> Node:
    layer, name = node.layer, f"{node.layer.name}.{what}"
    stream = Stream(name, size, size, op="copy", dtype=layer.dtype, repeat=layer.repeat)
    return Node(stream, (name,), [source], node.is_stated)


def _is_copied(nodes: list[Node], last: Node) -> bool:
    return any(_is_copy(node) for node in nodes if last in node.reads)


def _is_copy(node: Node) -> bool:
    return isinstance(node.layer, Stream) and node.layer.op == "copy"
