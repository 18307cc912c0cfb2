"""Shapes of an ONNX graph, operator by operator in the order of the graph.

Exporters compute shapes inside the model (Shape, Slice, Concat, Reshape) and note beside it what
they were at the sizes of the export. Here nothing noted is believed where a shape can be derived:
small integer operators are computed, every other shape is onnx's inference of that one operator,
or a rule of ``onnx_contrib.py``. What is open then is left to onnxslim, and last to the notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from simulator.importers.onnx_contrib import as_standard, contrib_shapes, type_like
from simulator.importers.onnx_graph import Call, Shape, is_contrib, is_standard
from simulator.importers.onnx_values import GROWING, SMALL, Values, is_small, small_outputs

if TYPE_CHECKING:
    import onnx

Types = Mapping[str, "onnx.TypeProto"]
Partial = tuple[int | None, ...]
"""A shape in which a dimension may be open."""

MAX_SLIM_ELEMENTS = 2**24
"""Elements of the largest tensor of a model whose shape computations onnxslim may fold."""


FRACTIONS = (1, 10, 11, 16)
"""Formats by number of `onnx.TensorProto.DataType`: fp32, fp16, fp64 and bf16."""


@dataclass
class Inferred:
    """What is known of each tensor.

    Attributes
    ----------
    types : dict of str to TypeProto
        Shapes may have open dimensions.
    shapes : dict of str to tuple of int
        Those without.
    values : dict of str to array
        Of small constants, and of what is computed from shapes.
    noted : set of str
        Tensors whose shape is the exporter's note.
    """

    types: dict[str, onnx.TypeProto] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    values: Values = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)

    def learn(self, name: str, found: onnx.TypeProto) -> None:
        """Keep a type; its symbols mean nothing outside the operator that it was inferred of."""
        partial = _partial(found)
        if partial is not None:
            _set_shape(found, partial)
        self.types[name] = found
        if partial is not None and None not in partial:
            self.shapes[name] = tuple(size for size in partial if size is not None)


def infer(model: onnx.ModelProto, noted: Types) -> Inferred:
    """Every shape that can be known of a model whose inputs have sizes.

    Parameters
    ----------
    noted : mapping of str to TypeProto
        What the exporter wrote; see `noted_types`.
    """
    _forget_notes(model.graph)
    slim: Types = {}
    found = _walk(model, {}, {})
    if _holes(model.graph, found) and not _is_too_large(model.graph, found.shapes):
        slim = _slimmed(model)
        found = _walk(model, slim, {}) if slim else found
    if noted.keys() & _holes(model.graph, found, outputs=True):
        found = _walk(model, slim, noted)
    return found


def _forget_notes(graph: onnx.GraphProto, outermost: bool = True) -> None:
    """Drop the shapes that the exporter wrote, in bodies, too."""
    del graph.value_info[:]
    for value in [*graph.output, *(() if outermost else graph.input)]:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    for node in graph.node:
        for body in bodies(node):
            _forget_notes(body, outermost=False)


def _walk(model: onnx.ModelProto, slim: Types, noted: Types) -> Inferred:
    """Infer operator by operator; what stays open is filled by onnxslim's shapes, then by notes."""
    from onnx import helper, numpy_helper

    found = Inferred()
    for value in model.graph.input:
        found.learn(value.name, _copied(value.type))
    for tensor in model.graph.initializer:
        found.learn(tensor.name, _tensor_type(tensor.data_type, tuple(tensor.dims)))
        if is_small(prod(tensor.dims), helper.tensor_dtype_to_np_dtype(tensor.data_type)):
            found.values[tensor.name] = numpy_helper.to_array(tensor)
    for sparse in model.graph.sparse_initializer:
        found.learn(sparse.values.name, _tensor_type(sparse.values.data_type, tuple(sparse.dims)))
    for node in model.graph.node:
        _step(model, node, found)
        _fill(node, found, slim)
        found.noted |= _fill(node, found, noted)
    return found


def _step(model: onnx.ModelProto, node: onnx.NodeProto, found: Inferred) -> None:
    """What one operator writes."""
    from onnx import helper

    outputs = small_outputs(model, node, found.shapes, found.values)
    if outputs is not None:
        for name, value in zip(node.output, outputs, strict=False):
            stored = helper.np_dtype_to_tensor_dtype(value.dtype)
            found.learn(name, _tensor_type(stored, value.shape))
            found.values[name] = value
        return
    known = as_standard(node)
    if known is not None:
        for name, inferred in _inferred(model, known, found).items():
            found.learn(name, inferred)
    kind = _format(node, found)
    for name, shape in contrib_shapes(Call(node, found.shapes, found.values)).items():
        if name not in found.shapes:
            found.learn(name, _tensor_type(0, shape))
    for name in filter(None, node.output):
        # A tensor with a format and no shape lets onnx go on where it needs no more.
        if name not in found.types or not is_standard(node):
            found.types.setdefault(name, _empty_type()).tensor_type.elem_type = kind


def _inferred(
    model: onnx.ModelProto, node: onnx.NodeProto, found: Inferred
) -> dict[str, onnx.TypeProto]:
    """onnx's inference of a model of one operator, which also looks into functions and bodies."""
    import onnx
    from onnx import numpy_helper, shape_inference

    alone = onnx.ModelProto(ir_version=model.ir_version)
    alone.opset_import.extend(model.opset_import)
    if not any(opset.domain in ("", "ai.onnx") for opset in model.opset_import):
        alone.opset_import.add(domain="", version=onnx.defs.onnx_opset_version())
    alone.graph.name = "one"
    alone.graph.node.append(node)
    for name in dict.fromkeys(read_by(node)):
        if name in found.types:
            alone.graph.input.add(name=name).type.CopyFrom(found.types[name])
        if name in found.values:
            alone.graph.initializer.append(numpy_helper.from_array(found.values[name], name))
    try:
        # Without data_prop: onnx would write out a Range of any length.
        graph = shape_inference.infer_shapes(alone).graph
    except (shape_inference.InferenceError, RuntimeError, ValueError, TypeError):
        return {}  # an operator that does not fit its inputs has no outputs
    return {value.name: value.type for value in graph.value_info}


def read_by(node: onnx.NodeProto) -> Iterator[str]:
    """Tensors that an operator reads, its bodies included."""
    yield from filter(None, node.input)
    for body in bodies(node):
        for inner in body.node:
            yield from read_by(inner)


def bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs inside an operator."""
    found = []
    for attribute in node.attribute:
        found += [attribute.g] if attribute.HasField("g") else []
        found += attribute.graphs
    return found


def _fill(node: onnx.NodeProto, found: Inferred, guesses: Types) -> set[str]:
    """Close open dimensions of an operator's outputs by guesses that contradict none."""
    import onnx

    filled = set()
    for name in node.output:
        known, guess = found.types.get(name, onnx.TypeProto()), guesses.get(name)
        if guess is None or known.WhichOneof("value") not in (None, "tensor_type"):
            continue
        # Unlike a shape, a format cannot have changed with the sizes.
        kind = guess.tensor_type.elem_type or known.tensor_type.elem_type
        sizes = _agreed(_partial(known), _partial(guess))
        if name not in found.shapes and sizes is not None:
            filled.add(name)
            found.learn(name, _tensor_type(kind, sizes))
        elif name in found.types and not is_standard(node):
            found.types[name].tensor_type.elem_type = kind
    return filled


def _agreed(known: Partial | None, guess: Partial | None) -> Partial | None:
    """Both put together; None if they contradict each other, or if nothing is known."""
    if known is None or guess is None:
        return guess if known is None else known
    pairs = list(zip(known, guess, strict=False))
    if len(known) != len(guess) or any(a not in (b, None) and b is not None for a, b in pairs):
        return None
    return tuple(b if a is None else a for a, b in pairs)


def _partial(found: onnx.TypeProto) -> Partial | None:
    """The dimensions of a tensor; None if not even their number is known."""
    tensor = found.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
        for dim in tensor.shape.dim
    )


def _format(node: onnx.NodeProto, found: Inferred) -> int:
    """The format of what an operator writes that onnx does not know: that of its data."""
    import onnx

    like = found.types.get(type_like(node))
    kind = like.tensor_type.elem_type if like is not None else 0
    is_told = kind in FRACTIONS or (kind and is_contrib(node))
    return kind if is_told else onnx.TensorProto.FLOAT16


def _empty_type() -> onnx.TypeProto:
    import onnx

    return onnx.TypeProto()


def _tensor_type(kind: int, shape: Iterable[int | None]) -> onnx.TypeProto:
    import onnx

    made = onnx.TypeProto()
    made.tensor_type.elem_type = kind
    _set_shape(made, shape)
    return made


def _set_shape(made: onnx.TypeProto, shape: Iterable[int | None]) -> None:
    del made.tensor_type.shape.dim[:]
    made.tensor_type.shape.SetInParent()
    for size in shape:
        dim = made.tensor_type.shape.dim.add()
        if size is not None:
            dim.dim_value = size


def _copied(found: onnx.TypeProto) -> onnx.TypeProto:
    import onnx

    copy = onnx.TypeProto()
    copy.CopyFrom(found)
    return copy


def _holes(graph: onnx.GraphProto, found: Inferred, outputs: bool = False) -> set[str]:
    """Tensors of unknown shape that some operator reads, or that the model returns."""
    used = {name for node in graph.node for name in read_by(node)}
    used |= {value.name for value in graph.output} if outputs else set()
    return {name for node in graph.node for name in node.output if name not in found.shapes} & used


def _is_too_large(graph: onnx.GraphProto, shapes: Mapping[str, Shape]) -> bool:
    """Would onnxslim fill memory? It computes constants, which grow from small ones."""
    made = [name for node in graph.node for name in node.output if node.op_type in GROWING]
    unknown = (MAX_SLIM_ELEMENTS + 1,)
    return any(prod(shapes.get(name, unknown)) > MAX_SLIM_ELEMENTS for name in made)


def _slimmed(model: onnx.ModelProto) -> Types:
    """What types a copy has, by tensor, once onnxslim has folded its constants; no fusion."""
    import onnx
    from onnx import shape_inference

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    kept: Any = ["graph_fusion", "subexpression_elimination", "weight_tying"]
    try:
        import onnxslim

        slim = onnxslim.slim(copy, skip_optimizations=kept, size_threshold=SMALL)
        assert slim is not None
        values = shape_inference.infer_shapes(slim).graph.value_info
    except Exception:  # a model that onnxslim cannot fold keeps its holes, which are reported
        return {}
    return {value.name: value.type for value in values}
