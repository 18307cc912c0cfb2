"""ONNX operators that only move data: which kernels they are, and what each reads and writes.

Model: a compiler runs operators that work element by element in one kernel where they follow each
other. So what follows a convolution or a product and needs no other activation is part of its
epilogue and free, as in the presets; other runs of such operators are one streaming layer, which
reads each outside tensor and writes each tensor that is used outside. A LayerNorm that an exporter
wrote as nine operators is one layer, too. Views move nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.importers.imported import Tally
from simulator.importers.onnx_graph import DTYPES, OnnxGraph
from simulator.workload.layer import Stream

if TYPE_CHECKING:
    import onnx

VIEWS = frozenset(
    {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast", "CastLike"}
    | {"Transpose", "Slice", "Split", "Expand"}
)
"""Operators that a compiler folds into how the next one reads."""

REDUCTIONS = frozenset(
    {"ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceMax", "ReduceMin", "ReduceProd"}
    | {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"}
)

POINTWISE = frozenset(
    {"Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Clip", "Sigmoid"}
    | {"HardSigmoid", "HardSwish", "Swish", "Tanh", "Gelu", "Mish", "Softplus", "Softsign", "Erf"}
    | {"Add", "Sub", "Mul", "Div", "Sum", "Mean", "Max", "Min", "Pow", "Sqrt", "Reciprocal", "Exp"}
    | {"Log", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Sin", "Cos", "Where", "Not", "And"}
    | {"Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "IsNaN", "Mod"}
    | {"BatchNormalization", "BiasGelu", "FastGelu", "QuickGelu"}
)

STREAMS = {
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "MaxRoiPool", "RoiAlign"), "pool"),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), "pool"),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), "softmax"),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "LRN"), "normalization"),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), "normalization"),
    **dict.fromkeys(("LpNormalization", "MeanVarianceNormalization"), "normalization"),
    **dict.fromkeys(("SkipLayerNormalization", "EmbedLayerNormalization"), "normalization"),
    "SimplifiedLayerNormalization": "normalization",
    "SkipSimplifiedLayerNormalization": "normalization",
}
"""Kernels of their own, by kind; operators not listed anywhere are elementwise ones."""

TABLES = frozenset({"Gather", "GatherElements", "GatherND"})
"""Operators that pick from a table, of which only what is picked is read."""


@dataclass
class _Run:
    """Operators of one kernel: an epilogue, or a streaming layer in the making."""

    nodes: set[int]
    tensors: dict[str, None]
    name: str = ""
    is_epilogue: bool = False
    kind: str = "elementwise"
    reads: dict[str, None] = field(default_factory=dict)


class Fusion:
    """Collects operators into kernels, in the order of the graph.

    Only the latest kernel is open, so that merging never reorders operators.
    """

    def __init__(self, graph: OnnxGraph, tally: Tally) -> None:
        self.graph, self.tally = graph, tally
        self.counts: Counter[str] = Counter()
        self.run: _Run | None = None
        self.users: dict[str, set[int]] = defaultdict(set)
        for node in graph.nodes:
            for name in node.input:
                self.users[name].add(id(node))

    def open_epilogue(self, node: onnx.NodeProto) -> None:
        """What follows may be part of this operator, which is a layer already."""
        self.run = _Run({id(node)}, dict.fromkeys(node.output), is_epilogue=True)

    def view(self, node: onnx.NodeProto) -> None:
        """An operator that moves nothing: its outputs are where its input is."""
        if self.run is not None and node.input[0] in self.run.tensors:
            self.run.nodes.add(id(node))
            self.run.tensors |= dict.fromkeys(node.output)
        self.counts["operators taken as views, which move nothing"] += 1

    def stream(self, node: onnx.NodeProto) -> None:
        """An operator that moves data.

        Raises
        ------
        UnknownShapeError
            If the size of what it moves is not known.
        """
        inputs = self.graph.activations(node)
        written = [n for n in node.output if n and (self.users[n] or n in self.graph.outputs)]
        outputs = written or [node.output[0]]
        for name in (*inputs, *outputs):
            self.graph.size(name)
        reduces = node.op_type in REDUCTIONS
        if not reduces and node.op_type not in POINTWISE:
            self.close()
            kind = STREAMS.get(node.op_type, "elementwise")
            # Of a table, such as an embedding's, as much is read as is written.
            table = node.op_type in TABLES and node.input[0] not in inputs
            self._emit(node.name or outputs[0], inputs + outputs * table, outputs, kind)
            return
        run = self.run
        if run is not None and run.is_epilogue and not reduces:
            if all(name in run.tensors for name in inputs):
                run.nodes.add(id(node))
                run.tensors |= dict.fromkeys(node.output)
                self.counts["operators folded into epilogues"] += 1
                return
        elif run is not None and not run.is_epilogue and run.tensors.keys() & set(inputs):
            self._join(run, node, inputs)
            return
        self.close()
        self.run = _Run(set(), {}, node.name or node.output[0])
        self._join(self.run, node, inputs)

    def _join(self, run: _Run, node: onnx.NodeProto, inputs: list[str]) -> None:
        run.reads.update((name, None) for name in inputs if name not in run.tensors)
        run.nodes.add(id(node))
        run.tensors |= dict.fromkeys(name for name in node.output if name)
        if node.op_type in REDUCTIONS:
            run.kind = "normalization"

    def close(self) -> None:
        """End the open kernel; a streaming one becomes a layer."""
        run, self.run = self.run, None
        if run is None or run.is_epilogue:
            return
        outside = [
            name
            for name in run.tensors
            if name in self.graph.outputs or self.users[name] - run.nodes
        ]
        self._emit(run.name, list(run.reads), outside or list(run.tensors)[-1:], run.kind)
        if len(run.nodes) > 1:
            self.counts["elementwise operators merged into the kernel before them"] += (
                len(run.nodes) - 1
            )

    def _emit(self, name: str, reads: list[str], writes: list[str], kind: str) -> None:
        sizes = [
            sum(self.graph.size(tensor) for tensor in tensors if tensor in self.graph.shapes)
            for tensors in (reads, writes)
        ]
        if sizes[1] == 0:
            return
        dtype = DTYPES.get(self.graph.types.get(writes[0], 1), "fp16")
        reads_total = max(sizes[0], 1)
        layer = Stream(self.tally.name(name), reads_total, sizes[1], kind, dtype)
        # Model: what is summed over lies along the last axis.
        row = (1, *self.graph.shapes.get(writes[0], ()))[-1]
        self.tally.add(layer.over_rows(row))
