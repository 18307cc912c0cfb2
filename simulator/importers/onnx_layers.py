"""Which operators of an ONNX graph become layers, which join one, and which are only counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from simulator.errors import SimulatorError
from simulator.importers.imported import Stored, Tally, located
from simulator.importers.onnx_composites import is_fixed
from simulator.importers.onnx_contrib import HARMLESS
from simulator.importers.onnx_graph import (
    DTYPES,
    NARROW,
    OnnxGraph,
    Operand,
    Read,
    UnknownShapeError,
    UnsupportedError,
    attributes,
    is_contrib,
    is_standard,
    own,
)
from simulator.importers.onnx_kinds import CONSTANTS, VIEWS
from simulator.importers.onnx_names import module_of, spoken
from simulator.importers.onnx_operators import operator_of
from simulator.importers.onnx_shapes import bodies
from simulator.importers.onnx_streams import Streams
from simulator.units import DTYPE_BITS

if TYPE_CHECKING:
    import onnx

QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear"})

SKIPPED = frozenset(
    {"LSTM", "GRU", "RNN", "Einsum", "DeformConv", "LinearAttention", "CausalConvWithState"}
)
"""Operators of ONNX itself that bear MACs and are counted instead of imported."""

PACKED = frozenset({"MatMulNBits", "MatMulBnb4", "MatMulFpQ4"})

LEARNING = frozenset(
    {"ArrayFeatureExtractor", "Binarizer", "CastMap", "CategoryMapper", "DictVectorizer"}
    | {"FeatureVectorizer", "Imputer", "LabelEncoder", "Normalizer", "OneHotEncoder", "Scaler"}
    | {"TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor", "ZipMap"}
)
"""Operators of ai.onnx.ml that multiply no matrices."""


def unread(node: onnx.NodeProto) -> str | None:
    """The name of an operator that bears MACs, or may, and that nothing here reads."""
    import onnx

    op = node.op_type
    if is_standard(node):
        is_known = onnx.defs.has(op) or op in HARMLESS
        return op if op in SKIPPED or not is_known else None
    harmless = (is_contrib(node) and op in HARMLESS) or (
        node.domain == "ai.onnx.ml" and op in LEARNING
    )
    return None if harmless else f"{node.domain}.{op}"


def inside(node: onnx.NodeProto) -> Iterator[str]:
    """Operators in the bodies of control flow that bear MACs, or may."""
    for body in bodies(node):
        for inner in body.node:
            found = inner.op_type if operator_of(inner) is not None else unread(inner)
            if found is not None:
                yield f"{found} in {node.op_type}"
            yield from (f"{name} in {node.op_type}" for name in inside(inner))


def _label(node: onnx.NodeProto) -> str:
    """What an operator is called: nothing has to name it."""
    return node.name or node.output[0]


def _turns(node: onnx.NodeProto) -> bool:
    """Does an operator exchange the last two axes, as before a product with weights of torch?"""
    order = attributes(node).get("perm", (1, 0))
    return node.op_type == "Transpose" and order[-2:] == (len(order) - 1, len(order) - 2)


def _named(graph: OnnxGraph, node: onnx.NodeProto, found: Read) -> tuple[str, Stored | None]:
    """What an operator's layers are called, and where a file of weights holds those it has.

    A tensor that a tool made is in no file but the model's own. Where torch tells its module, that
    is what a checkpoint calls it, with output features first.
    """
    operand = next((operand for _, operand in found if operand is not None), None)
    if operand is not None:
        inputs_first = operand.inputs_first != (operand.tensor in graph.turned)
        tensor, stored = operand.stored, Stored((operand.stored,), inputs_first)
    elif node.op_type in PACKED:
        tensor, stored = node.input[1], None
    else:
        return _label(node), None
    name, module = spoken(tensor), module_of(node)
    if name or not module:
        return name or _label(node), stored
    turned = node.op_type == "ConvTranspose"
    return module, Stored((f"{module}.weight",), turned) if stored else None


class Reader:
    """Walks the operators in order."""

    def __init__(self, graph: OnnxGraph, tally: Tally) -> None:
        self.graph, self.tally = graph, tally
        self.streams = Streams(graph, tally)
        self.operands: dict[str, Operand] = {}
        self.counts: Counter[str] = Counter()

    def read(self, node: onnx.NodeProto) -> None:
        """One operator: constant, MAC-bearing, or streaming."""
        held = list(inside(node))
        for name in held:
            self.tally.skip(name)
        if self._folds(node):
            return
        missing = unread(node)
        if operator_of(node) is not None:
            self._layer(node)
        elif missing is not None or held:
            self.streams.passes(node)
            if missing is not None:
                self.tally.skip(missing)
        elif bodies(node):
            self.streams.passes(node)
            self.counts[f"{node.op_type} without MACs left out"] += 1
        elif node.op_type in QUANTISERS:
            self._quantise(node)
        elif node.op_type in VIEWS or self.streams.composites.picks(node):
            self._stands_for(node, self.graph.quantised.get(node.input[0], 0))
            self.streams.view(node)
        else:
            self._stream(node)

    def _quantise(self, node: onnx.NodeProto) -> None:
        self.counts["quantisation folded into epilogues"] += 1
        if node.op_type == "DequantizeLinear":
            self._stands_for(node, self.graph.types.get(node.input[0], 0))
        self.streams.view(node)

    def _stands_for(self, node: onnx.NodeProto, stored: int) -> None:
        """What an operator writes are numbers of the format ``stored``, if that is a narrow one."""
        if DTYPES.get(stored) in NARROW:
            self.graph.quantised.update(dict.fromkeys(node.output, stored))

    def _folds(self, node: onnx.NodeProto) -> bool:
        """Is the operator's output known before the model runs? Then note what it is made of."""
        graph = self.graph
        if not is_fixed(node, graph.constants):
            return False
        known = [name for name in node.input if name in graph.constants]
        missing = node.op_type if operator_of(node) is not None else unread(node)
        if missing is not None:
            self.tally.skip(f"{missing} (of constants)")
        if node.op_type in CONSTANTS:
            known = []
        elif node.op_type == "DequantizeLinear":
            self._stands_for(node, graph.types.get(node.input[0], 0))
        source = max(known, key=lambda name: prod(graph.shapes.get(name, (0,))), default="")
        for output in node.output:
            graph.constants[output] = graph.constants[source] if source else output
            if _turns(node) != (source in graph.turned):
                graph.turned.add(output)
        if source in graph.quantised:
            self._stands_for(node, graph.quantised[source])
        return True

    def _layer(self, node: onnx.NodeProto) -> None:
        label, read = _label(node), operator_of(node)
        assert read is not None
        try:
            found = read(self.graph, node, label)
        except (UnknownShapeError, UnsupportedError) as reason:
            is_unknown = isinstance(reason, UnknownShapeError)
            self.tally.skip(f"{node.op_type} ({'shape unknown' if is_unknown else reason})")
            self.streams.passes(node)
        except SimulatorError as error:
            ones = [note for note in self.tally.notes if note.startswith("WARNING")]
            raise located(self.graph.path, label, error, "; ".join(ones) or None) from None
        else:
            self._add(node, found)

    def _add(self, node: onnx.NodeProto, found: Read) -> None:
        """The layers of one operator, of which one counts."""
        name, stored = _named(self.graph, node, found)
        made = self.streams.made
        for index, (layer, operand) in enumerate(found):
            wanted = name + layer.name.removeprefix(_label(node))
            inputs = made.of(layer.inputs or self.streams.reads(node))
            named = replace(layer, name=self.tally.name(wanted), inputs=inputs)
            self.tally.add(named, counts=index == 0)
            made.note([own(layer.name)], [named.name])
            if operand is not None and stored is not None:
                self.operands[named.name] = replace(operand, output=node.output[0])
                self.tally.stored[named.name] = stored
        if node.op_type == "ConvTranspose":
            self.counts["ConvTranspose read as the GEMM of its columns"] += 1
        for bits in self._widened(node, found):
            self.counts[
                f"weights of {bits} bits in the file, read and moved in the format of their "
                "activations"
            ] += 1
        self.streams.follows(node, named)

    def _widened(self, node: onnx.NodeProto, found: Read) -> Iterator[int]:
        """Bits of weights that are stored narrower than they are multiplied."""
        if node.op_type in PACKED:
            yield attributes(node).get("bits", 4)
        for layer, operand in found:
            stored = self.graph.quantised.get(operand.tensor, 0) if operand is not None else 0
            if stored and layer.dtype not in NARROW:
                yield DTYPE_BITS[DTYPES[stored]]

    def _stream(self, node: onnx.NodeProto) -> None:
        try:
            self.streams.stream(node)
        except UnknownShapeError:
            self.streams.passes(node)
            self.counts["streaming operators of unknown shape left out"] += 1


def read_operators(graph: OnnxGraph, tally: Tally) -> dict[str, Operand]:
    """Add every operator's layer to ``tally``, or its count; return where layers' weights are."""
    reader = Reader(graph, tally)
    for node in graph.nodes:
        reader.read(node)
    reader.counts.update(reader.streams.counts)
    if any(graph.types.get(name) in (1, 11) for name in graph.types):
        tally.notes.append("fp32 tensors read as fp16")
    tally.notes += [f"{text}: {count}" for text, count in sorted(reader.counts.items())]
    return reader.operands
