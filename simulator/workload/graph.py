"""Layers as nodes of a graph: what each reads, who reads it, and what a kernel of it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from simulator.workload.attention import Attention
from simulator.workload.layer import Conv, Gemm, Layer, Matmul, Stream


@dataclass(eq=False)
class Node:
    """A kernel to be, and what it reads.

    Attributes
    ----------
    layer : Layer
    members : tuple of str
        Names of the network's layers that it holds, in order.
    reads : list of Node or str
        The nodes whose outputs it reads; a name where no layer before it is called so.
    is_stated : bool
        Whether the network says what it reads.
    changes : dict
        Fields in which its layer is to become another, beside its inputs: what follows it.
    """

    layer: Layer
    members: tuple[str, ...]
    reads: list[Node | str]
    is_stated: bool = True
    changes: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def outputs(self) -> int:
        """Elements that its layer writes."""
        return outputs_of(self.layer)

    @property
    def epilogue(self) -> tuple[str, ...]:
        said: tuple[str, ...] = self.changes.get("epilogue", getattr(self.layer, "epilogue", ()))
        return said

    @property
    def built(self) -> Layer:
        """The layer as it has become."""
        names = (one if isinstance(one, str) else one.layer.name for one in self.reads)
        inputs = tuple(names) if self.is_stated else ()
        if inputs != self.layer.inputs:
            self.changes["inputs"] = inputs
        if not self.changes:
            return self.layer
        layer = copy(self.layer)  # not replace(): what a layer holds has been checked
        layer.__dict__.update(self.changes)
        return layer


def graph_of(layers: Sequence[Layer]) -> list[Node]:
    """A node a layer, in order; a name means the last layer before that is called so.

    Where no layer says what it reads, each reads the one before it, if that has so many outputs.
    """
    is_stated = any(layer.inputs for layer in layers)
    nodes: list[Node] = []
    named: dict[str, Node] = {}
    for layer in layers:
        reads: list[Node | str] = [named.get(name, name) for name in layer.inputs]
        if not is_stated and nodes and nodes[-1].outputs in operands_of(layer):
            reads = [nodes[-1]]
        node = Node(layer, (layer.name,), reads, bool(layer.inputs))
        nodes.append(node)
        named[layer.name] = node
    return nodes


def readers_of(nodes: Iterable[Node]) -> Counter[Node]:
    """How many nodes read each."""
    return Counter(one for node in nodes for one in node.reads if isinstance(one, Node))


def relinked(nodes: list[Node], held: dict[Node, Node]) -> list[Node]:
    """Nodes without those that others hold now, which are read instead."""
    if not held:
        return nodes
    kept = [node for node in nodes if node not in held]
    for node in kept:
        if held.keys().isdisjoint(node.reads):
            continue
        found = (holder(one, held) if isinstance(one, Node) else one for one in node.reads)
        node.reads = [*dict.fromkeys(one for one in found if one is not node)]
    return kept


def holder(node: Node, held: dict[Node, Node]) -> Node:
    """The node that holds another by now; itself, if none does."""
    while node in held:
        node = held[node]
    return node


def joined(layers: Sequence[Layer]) -> str:
    """A name of several: ``block.query+key``, what later ones share with the first left out."""
    first = layers[0].name
    prefix = first[: first.rfind(".") + 1]
    return "+".join((first, *(layer.name.removeprefix(prefix) for layer in layers[1:])))


def outputs_of(layer: Layer) -> int:
    """Elements that a layer writes."""
    if isinstance(layer, Stream):
        return layer.writes
    if isinstance(layer, Conv):
        return layer.batch * layer.out_channels * layer.out_h * layer.out_w
    if isinstance(layer, Attention):
        return layer.batch * layer.heads * layer.seq * layer.head_dim
    return layer.batch * layer.m * layer.n


def operands_of(layer: Layer) -> tuple[int, ...]:
    """Elements of each input that a layer reads, weights apart."""
    if isinstance(layer, Stream):
        return (layer.reads,)
    if isinstance(layer, Conv):
        return (layer.batch * layer.in_channels * layer.in_h * layer.in_w,)
    if isinstance(layer, Attention):
        keys = layer.batch * layer.kv_heads * layer.context * layer.head_dim
        return outputs_of(layer), keys, keys
    columns = layer.batch * layer.n * layer.k
    return (columns,) if isinstance(layer, Gemm) else (layer.batch * layer.m * layer.k, columns)


def is_product(layer: Layer) -> bool:
    """Whether operators may follow in its epilogue."""
    return isinstance(layer, Gemm | Conv | Matmul)
