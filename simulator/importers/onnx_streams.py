"""ONNX operators that only move data: what each is, reads and writes, and which follow a product.

What follows a convolution or a product and needs no other tensor of its size is noted in the
layer's epilogue; a stack says later which of it is free. Other operators are streaming layers, each
its own; those that an exporter wrote as several are one (`onnx_composites`). Views move nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING

from simulator.importers.imported import INPUT, Producers, Tally
from simulator.importers.onnx_composites import Composite, Composites
from simulator.importers.onnx_graph import DTYPES, OnnxGraph, attributes, is_contrib
from simulator.importers.onnx_kinds import KINDS, TABLES
from simulator.importers.onnx_shapes import read_by
from simulator.workload.layer import Layer, Matmul, Stream

if TYPE_CHECKING:
    import onnx

FOLLOWING = frozenset(
    {"bias", "scale", "mask", "relu", "batchnorm", "gelu", "silu", "hardswish", "sigmoid", "tanh"}
    | {"elementwise", "add"}
)
"""Kinds that may follow a product: those that work element by element."""

BIAS_AT = {
    **dict.fromkeys(("Conv", "FusedConv", "NhwcConv", "NhwcFusedConv", "ConvTranspose"), 2),
    **dict.fromkeys(("Gemm", "FusedGemm", "GemmFastGelu"), 2),
    **{"QLinearConv": 8, "QGemm": 6, "DynamicQuantizeMatMul": 4, "MatMulIntegerToFloat": 6},
    "MatMulNBits": 5,
}
"""Where products have a bias among their inputs."""


def activation_of(node: onnx.NodeProto) -> str | None:
    """What a product that was fused with its activation ends with."""
    if node.op_type == "GemmFastGelu":
        return "gelu"
    named = attributes(node).get("activation")
    return KINDS.get(named, "elementwise") if is_contrib(node) and named else None


class Streams:
    """Adds streaming layers, or the operator to the epilogue of the product that it follows."""

    def __init__(self, graph: OnnxGraph, tally: Tally) -> None:
        self.graph, self.tally = graph, tally
        self.counts: Counter[str] = Counter()
        self.made = Producers()
        self.owners: dict[str, str] = {}  # the layer whose epilogue writes a tensor
        self.scaled: set[str] = set()  # by a number, with which products commute
        self.composites = Composites(graph)
        written = {name for node in graph.nodes for name in node.output}
        read = self.composites.users.keys() - written - graph.constants.keys()
        self.made.note(read, [INPUT])

    def follows(self, node: onnx.NodeProto, last: Layer) -> None:
        """The operator's ``last`` layer is added: what reads it may follow in its epilogue."""
        self.made.note(node.output, (last.name,))
        if isinstance(last, Stream):
            return
        self.owners.update(dict.fromkeys(node.output, last.name))
        if self.scaled.intersection(node.input):
            self.tally.follow(last.name, "scale")
        if self.graph.input_at(node, BIAS_AT.get(node.op_type, -1)) in self.graph.constants:
            self.tally.follow(last.name, "bias")
        if (kind := activation_of(node)) is not None:
            self.tally.follow(last.name, kind)

    def reads(self, node: onnx.NodeProto) -> list[str]:
        """Tensors that an operator and its bodies read, without constants."""
        return [name for name in read_by(node) if name not in self.graph.constants]

    def view(self, node: onnx.NodeProto) -> None:
        """An operator that moves nothing: its outputs are where its input is."""
        readers = {id(node)} | self.composites.slicers(node.input[0])
        if self._is_alone(node.input[0], readers) and node.input[0] in self.owners:
            self.owners.update(dict.fromkeys(node.output, self.owners[node.input[0]]))
        self.passes(node, node.input[:1])
        if node.input[0] in self.scaled:
            self.scaled.update(node.output)
        if id(node) not in self.composites.inner:
            self.counts["operators taken as views, which move nothing"] += 1

    def passes(self, node: onnx.NodeProto, inputs: Iterable[str] | None = None) -> None:
        """No layer: what it writes was made by those who made what it reads."""
        read = self.reads(node) if inputs is None else inputs
        self.made.note(node.output, self.made.of(read))

    def stream(self, node: onnx.NodeProto) -> None:
        """An operator that moves data, or the last of several that are one.

        Raises
        ------
        UnknownShapeError
            If the size of what it moves is not known.
        """
        if id(node) in self.composites.inner:
            return
        if self.composites.scales(node):
            self.passes(node)
            self.scaled.update(node.output)
            return
        one = self.composites.ends.get(id(node)) or self._alone(node)
        sizes = {name: self.graph.size(name) for name in (*one.inputs, *one.outputs)}
        largest = max(sizes[name] for name in one.outputs)
        whole = [name for name in one.inputs if sizes[name] >= largest]
        owner = self._owner(one, whole)
        if owner and all(sizes[name] == largest for name in whole):
            self.tally.follow(owner, self._kind(one, owner))
            self.owners.update(dict.fromkeys(one.outputs, owner))
            self.made.note(one.outputs, (owner,))
            self.counts["operators folded into epilogues"] += 1
        else:
            self._emit(one)

    def _alone(self, node: onnx.NodeProto) -> Composite:
        """An operator by itself."""
        inputs = list(dict.fromkeys(self.graph.activations(node)))
        used = [n for n in node.output if self.composites.users[n] or n in self.graph.outputs]
        outputs = [name for name in used if name] or [node.output[0]]
        # Of a table, such as an embedding's, as much is read as is written.
        if node.op_type in TABLES and node.input[0] not in inputs:
            inputs += outputs
        return Composite(
            self.composites.kind_of(node), node.name or outputs[0], tuple(inputs), tuple(outputs),
            frozenset({id(node)}),
        )  # fmt: skip

    def _owner(self, one: Composite, whole: Sequence[str]) -> str:
        """The product that an operator may follow; empty if there is none."""
        if one.kind not in FOLLOWING or len(whole) != 1 or not self._is_alone(whole[0], one.nodes):
            return ""
        owner = self.owners.get(whole[0], "")
        others = self.made.of(name for name in one.inputs if name != whole[0])
        return owner if all(self.tally.is_before(name, owner) for name in others) else ""

    def _kind(self, one: Composite, owner: str) -> str:
        """What follows a product; a constant that is added to scores is a mask, no bias."""
        is_mask = one.kind == "bias" and isinstance(self.tally[owner], Matmul)
        return "mask" if is_mask else one.kind

    def _is_alone(self, tensor: str, nodes: Set[int]) -> bool:
        """Whether nothing but some operators reads a tensor."""
        return self.composites.users[tensor] <= nodes and tensor not in self.graph.outputs

    def _emit(self, one: Composite) -> None:
        reads, writes = (
            sum(map(self.graph.size, tensors)) for tensors in (one.inputs, one.outputs)
        )
        inputs = self.made.of(one.inputs)
        if writes == 0:
            self.made.note(one.outputs, inputs)
            return
        name = self.tally.name(one.name)
        dtype = DTYPES.get(self.graph.types.get(one.outputs[0], 1), "fp16")
        layer = Stream(name, max(reads, 1), writes, one.kind, dtype, inputs=inputs)
        # Model: what is summed over lies along the last axis.
        row = (1, *self.graph.shapes.get(one.outputs[0], ()))[-1]
        self.tally.add(layer.over_rows(row))
        self.made.note(one.outputs, (name,))
