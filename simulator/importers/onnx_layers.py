"""Which operators of an ONNX graph become layers, which join one, and which are only counted."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING

from simulator.errors import SimulatorError
from simulator.importers.imported import Stored, Tally, located
from simulator.importers.onnx_graph import (
    OnnxGraph,
    Operand,
    UnknownShapeError,
    UnsupportedError,
)
from simulator.importers.onnx_operators import OPERATORS
from simulator.importers.onnx_streams import CUSTOM, VIEWS, Fusion

if TYPE_CHECKING:
    import onnx

CONSTANTS = frozenset({"Constant", "ConstantOfShape", "EyeLike", "Shape", "Size", "Range"})
"""Operators whose outputs are known once shapes are."""

RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"}
    | {"Bernoulli"}
)

QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear"})

SKIPPED = frozenset(
    {"LSTM", "GRU", "RNN", "Einsum", "DeformConv", "Attention", "Loop", "If", "Scan"}
)
"""Operators that bear MACs, or may, and are counted instead of imported."""


class Reader:
    """Walks the operators in order."""

    def __init__(self, graph: OnnxGraph, tally: Tally) -> None:
        self.graph, self.tally = graph, tally
        self.fusion = Fusion(graph, tally)
        self.operands: dict[str, Operand] = {}
        self.counts: Counter[str] = Counter()

    def read(self, node: onnx.NodeProto) -> None:
        """One operator: constant, MAC-bearing, or streaming."""
        graph, op = self.graph, node.op_type
        if self._folds(node):
            return
        standard = node.domain in ("", "ai.onnx")
        if standard and op in OPERATORS:
            self._layer(node)
        elif standard and op in QUANTISERS:
            self.counts["quantisation folded into epilogues"] += 1
            if graph.types.get(node.input[0]) in (2, 3, 17, 18, 19, 20, 21, 22):
                graph.quantised.update(node.output)
            self.fusion.view(node)
        elif standard and op in SKIPPED:
            self._skip(node)
        elif not standard and op not in CUSTOM:
            self.tally.skip(f"{node.domain}.{op}")
            self.fusion.close()
        elif op in VIEWS:
            self.fusion.view(node)
        else:
            self._stream(node)

    def _folds(self, node: onnx.NodeProto) -> bool:
        """Is the operator's output known before the model runs? Then note what it is made of."""
        graph, inputs = self.graph, [name for name in node.input if name]
        known = [name for name in inputs if name in graph.constants]
        if node.op_type in ("Shape", "Size"):
            known = inputs = []
        elif node.op_type in SKIPPED | RANDOM or len(known) < len(inputs):
            return False
        if not inputs and node.op_type not in CONSTANTS:
            return False
        if node.op_type in CONSTANTS:
            known = []
        elif node.op_type == "DequantizeLinear":
            graph.quantised.update(node.output)
        source = max(known, key=lambda name: prod(graph.shapes.get(name, (0,))), default="")
        for output in node.output:
            graph.constants[output] = graph.constants[source] if source else output
        graph.quantised.update(node.output if source in graph.quantised else ())
        return True

    def _layer(self, node: onnx.NodeProto) -> None:
        label = node.name or node.output[0]
        try:
            layer, operand = OPERATORS[node.op_type](self.graph, node, self.tally.name(label))
        except UnknownShapeError:
            self.tally.skip(f"{node.op_type} (shape unknown)")
            self.fusion.close()
        except UnsupportedError as reason:
            self.tally.skip(f"{node.op_type} ({reason})")
            self.fusion.close()
        except SimulatorError as error:
            ones = next((n for n in self.tally.notes if n.startswith("dimensions taken")), None)
            raise located(self.graph.path, label, error, ones) from None
        else:
            self.fusion.close()
            self.tally.add(layer)
            if operand is not None:
                self.operands[layer.name] = operand
                self.tally.stored[layer.name] = Stored((operand.stored,), operand.inputs_first)
            if node.op_type == "ConvTranspose":
                self.counts["ConvTranspose read as the GEMM of its columns"] += 1
            self.fusion.open_epilogue(node)

    def _skip(self, node: onnx.NodeProto) -> None:
        """Control flow counts only where something inside bears MACs."""
        self.fusion.close()
        bodies = [a.g for a in node.attribute if a.HasField("g")]
        if bodies and not any(_bears_macs(body) for body in bodies):
            self.counts[f"{node.op_type} without MACs left out"] += 1
        else:
            self.tally.skip(node.op_type)

    def _stream(self, node: onnx.NodeProto) -> None:
        try:
            self.fusion.stream(node)
        except UnknownShapeError:
            self.counts["streaming operators of unknown shape left out"] += 1


def _bears_macs(graph: onnx.GraphProto) -> bool:
    """Does a body of control flow hold an operator that multiplies and accumulates, or may?"""
    for node in graph.node:
        bodies = [a.g for a in node.attribute if a.HasField("g")]
        if bodies and any(_bears_macs(body) for body in bodies):
            return True
        if node.op_type in OPERATORS or (node.op_type in SKIPPED and not bodies):
            return True
        if node.domain not in ("", "ai.onnx") and node.op_type not in CUSTOM:
            return True
    return False


def read_operators(graph: OnnxGraph, tally: Tally) -> dict[str, Operand]:
    """Add every operator's layer to ``tally``, or its count; return where layers' weights are."""
    reader = Reader(graph, tally)
    for node in graph.nodes:
        reader.read(node)
    reader.fusion.close()
    reader.counts.update(reader.fusion.counts)
    if any(graph.types.get(name) in (1, 11) for name in graph.types):
        tally.notes.append("fp32 tensors read as fp16")
    tally.notes += [f"{text}: {count}" for text, count in sorted(reader.counts.items())]
    return reader.operands
