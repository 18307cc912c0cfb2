"""Operators that an exporter wrote as several: GELU, layer norm, softmax, rotary embedding.

However they are written, all that lies between the tensor that they read and the one that they
write is used nowhere else. So they are found as in a compiler's graph of control flow: where
tensors meet, the latest tensor that all of them stem from, their dominator, is what the whole
reads (Cooper, Harvey and Kennedy, A Simple, Fast Dominance Algorithm, 2001). What it is its
operators tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from simulator.importers.onnx_graph import OnnxGraph
from simulator.importers.onnx_kinds import (
    CONSTANTS,
    KINDS,
    MADE_OF,
    POINTWISE,
    RANDOM,
    REDUCTIONS,
    SLICES,
    VIEWS,
)
from simulator.importers.onnx_shapes import bodies, read_by

if TYPE_CHECKING:
    import onnx

PARTS = POINTWISE | REDUCTIONS | VIEWS | {"Concat"}
"""Operators that others may be made of."""

LONGEST = 32
"""Operators of one, at most, on the way from where it reads to where it writes."""

AFFINE = frozenset({"Add", "Sub", "Mul"})
"""What a normalisation ends with: gain and shift, which are constants."""

ACTIVATIONS = frozenset({"gelu", "silu", "hardswish"})
OVER_ROWS = frozenset({"normalization", "softmax"})


@dataclass(frozen=True)
class Composite:
    """An operator, whether one of the graph or several.

    Attributes
    ----------
    kind : str
        Of `operators.OPERATORS`.
    name : str
        Of its first operator.
    inputs, outputs : tuple of str
        Tensors that it reads, without constants, and writes.
    nodes : frozenset of int
        The ids of its operators.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: frozenset[int]

    def then(self, other: Composite) -> Composite:
        """Both, of which the other reads what this one writes and nobody else does."""
        inputs = dict.fromkeys((*self.inputs, *other.inputs))
        left = tuple(name for name in inputs if name not in self.outputs)
        nodes = self.nodes | other.nodes
        return Composite(other.kind, self.name, left, other.outputs, nodes)


def is_fixed(node: onnx.NodeProto, constants: Mapping[str, object]) -> bool:
    """Is the operator's output known before the model runs?"""
    inputs = [name for name in node.input if name]
    if node.op_type in ("Shape", "Size"):
        return True
    if any(name not in constants for name in inputs) or node.op_type in RANDOM:
        return False
    return (bool(inputs) or node.op_type in CONSTANTS) and not bodies(node)


class Composites:
    """The operators of a graph that are made of several.

    Attributes
    ----------
    ends : dict of int to Composite
        By the id of the last operator.
    inner : set of int
        The ids of the others.
    users : dict of str to set of int
        The ids of the operators that read a tensor.
    """

    def __init__(self, graph: OnnxGraph) -> None:
        self.graph = graph
        self.users: dict[str, set[int]] = defaultdict(set)
        self.ends: dict[int, Composite] = {}
        self._by_id = {id(node): node for node in graph.nodes}
        self._places = {key: place for place, key in enumerate(self._by_id)}
        self._makers: dict[str, onnx.NodeProto] = {}
        self._dominators: dict[str, str] = {}
        self._fixed = dict.fromkeys(graph.constants)
        for node in graph.nodes:
            for name in read_by(node):
                self.users[name].add(id(node))
        self._find()
        self.inner = {i for end, one in self.ends.items() for i in one.nodes if i != end}

    def kind_of(self, node: onnx.NodeProto) -> str:
        """What a single operator is."""
        if node.op_type not in ("Add", "Sub"):
            return KINDS.get(node.op_type, "elementwise")
        inputs = self._activations(node)
        if len(inputs) < 2:
            return "bias"
        return "add" if len(self._whole(node, inputs)) > 1 else "mask"

    def slicers(self, tensor: str) -> set[int]:
        """The ids of the operators that read a part of a tensor, such as queries beside keys."""
        nodes = ((one, self._by_id[one]) for one in self.users[tensor])
        return {one for one, node in nodes if node.op_type in SLICES or self.picks(node)}

    def picks(self, node: onnx.NodeProto) -> bool:
        """Whether an operator picks one part of a tensor, as queries of what holds keys, too."""
        if node.op_type != "Gather" or node.input[0] in self._fixed:
            return False
        return node.input[1] in self._fixed and self._size(node.input[1]) == 1

    def _find(self) -> None:
        """Fill `ends`: the largest that there are, each with what belongs to it."""
        found: dict[str, Composite] = {}  # by what each writes
        for node in self.graph.nodes:
            if is_fixed(node, self._fixed):
                self._fixed.update(dict.fromkeys(node.output))
            elif node.op_type in PARTS and (one := self._read(node)) is not None:
                for inner in one.nodes:
                    found.pop(self._by_id[inner].output[0], None)
                found[one.outputs[0]] = one
        taken = {key for one in found.values() for key in one.nodes}
        for one in list(found.values()):
            before = found.get(one.inputs[0])  # what takes the mean or the maximum off
            kinds = {before.kind, one.kind} if before else {""}
            if before and kinds <= OVER_ROWS and self.users[one.inputs[0]] <= one.nodes:
                del found[before.outputs[0]]
                found[one.outputs[0]] = before.then(one)
        for one in found.values():
            grown = self._grown(one, taken)
            taken |= grown.nodes
            self.ends[max(grown.nodes, key=self._places.__getitem__)] = grown

    def _read(self, node: onnx.NodeProto) -> Composite | None:
        """Note where an operator's output stems from; what it ends, if it joins what stems so."""
        inputs = self._activations(node)
        entry = self._common(inputs)
        if not entry:  # tables of sines, masks: what is broadcast is read beside it
            inputs = self._whole(node, inputs)
            entry = self._common(inputs)
        if not entry:
            return None
        for name in node.output:
            self._makers[name], self._dominators[name] = node, entry
        return self._between(entry, node) if len(inputs) > 1 else None

    def _activations(self, node: onnx.NodeProto) -> list[str]:
        return list(dict.fromkeys(n for n in node.input if n and n not in self._fixed))

    def _whole(self, node: onnx.NodeProto, inputs: Iterable[str]) -> list[str]:
        """Inputs that are not broadcast."""
        size = self._size(node.output[0])
        return [name for name in inputs if self._size(name) >= size]

    def _size(self, tensor: str) -> int:
        return prod(self.graph.shapes.get(tensor, ()))

    def _common(self, tensors: list[str]) -> str:
        """The latest tensor that all stem from; empty if there is none."""
        if not tensors:
            return ""
        first, *others = (dict.fromkeys(self._stem(tensor)) for tensor in tensors)
        return next((name for name in first if all(name in other for other in others)), "")

    def _stem(self, tensor: str) -> Iterator[str]:
        """A tensor, its dominator, and so on."""
        for _ in range(LONGEST):
            yield tensor
            if tensor not in self._dominators:
                return
            tensor = self._dominators[tensor]

    def _between(self, entry: str, last: onnx.NodeProto) -> Composite | None:
        """All operators from a tensor to an operator, unless something else reads of it."""
        if entry in self._makers and self._makers[entry].op_type == "Exp":  # a softmax begins
            entry = self._dominators[entry]
        nodes: dict[int, onnx.NodeProto] = {}
        inputs, stack = {entry: None}, [last]
        while stack:
            node = stack.pop()
            if id(node) in nodes:
                continue
            nodes[id(node)] = node
            for name in self._activations(node):
                if name == entry:
                    continue
                if name in self._makers and entry in self._stem(name):
                    stack.append(self._makers[name])
                else:
                    inputs[name] = None
            if len(nodes) > LONGEST:
                return None
        made = {name for node in nodes.values() if node is not last for name in node.output}
        if any(self.users[name] - nodes.keys() or name in self.graph.outputs for name in made):
            return None
        ops = {node.op_type for node in nodes.values()}
        kind = next((kind for needed, kind in MADE_OF if needed <= ops), "")
        if not kind:
            return None
        first = nodes[min(nodes, key=self._places.__getitem__)]
        name = first.name or first.output[0]
        return Composite(kind, name, tuple(inputs), (last.output[0],), frozenset(nodes))

    def _grown(self, one: Composite, taken: Set[int]) -> Composite:
        """A composite with the operators behind it that belong to it."""
        while True:
            tensor = one.outputs[0]
            path = self._path(tensor)
            if not path or any(id(node) in taken for node in path):
                return one
            node, read = path[-1], path[-2].output[0] if len(path) > 1 else tensor
            others = [name for name in self._activations(node) if name != read]
            if not self._belongs(one, node, others):
                return one
            nodes = frozenset(map(id, path))
            one = one.then(Composite(one.kind, "", (tensor, *others), (node.output[0],), nodes))

    def _path(self, tensor: str) -> list[onnx.NodeProto]:
        """The one operator that reads a tensor, casts on the way included; else nothing."""
        path: list[onnx.NodeProto] = []
        while len(self.users[tensor]) == 1 and tensor not in self.graph.outputs:
            path.append(self._by_id[next(iter(self.users[tensor]))])
            if path[-1].op_type not in ("Cast", "CastLike", "Identity"):
                return path
            tensor = path[-1].output[0]
        return []

    def scales(self, node: onnx.NodeProto) -> bool:
        """Whether an operator multiplies by a number what nothing but products read."""
        inputs = [name for name in node.input if name and name not in self._fixed]
        numbers = [name for name in node.input if name in self._fixed]
        is_number = len(numbers) == 1 and self._size(numbers[0]) == 1
        is_scale = node.op_type in ("Mul", "Div") and len(inputs) == 1 and is_number
        if not is_scale or id(node) in self.ends:
            return False
        tensors = [node.output[0]]
        for tensor in tensors:
            readers = [self._by_id[one] for one in self.users[tensor]]
            if not readers or tensor in self.graph.outputs:
                return False
            views = [one for one in readers if one.op_type in VIEWS]
            if any(one.op_type != "MatMul" for one in readers if one not in views):
                return False
            tensors += [name for one in views for name in one.output]
        return True

    def _belongs(self, one: Composite, node: onnx.NodeProto, others: list[str]) -> bool:
        """Whether an operator that reads a composite, and ``others``, ends it.

        A normalisation ends with its gain and shift, an activation with a number or with what it
        gates.
        """
        if one.kind == "normalization":
            return node.op_type in AFFINE and not others
        if one.kind not in ACTIVATIONS or node.op_type not in ("Mul", "Div"):
            return False
        size = self._size(one.outputs[0])
        if others:
            return len(one.inputs) == 1 and [self._size(name) for name in others] == [size]
        constants = [name for name in node.input if name in self._fixed]
        return all(self._size(name) == 1 for name in constants)
