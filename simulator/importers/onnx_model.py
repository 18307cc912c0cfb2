"""``ONNX -> Imported``: the model is read, its dimensions fixed and every shape inferred.

Weights are not needed, only their shapes: external data is not loaded, tensors inside the file are
dropped as soon as their shape is known, and no operator is run on them. What each operator becomes
is in ``onnx_layers.py``.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import SimulatorError, WorkloadError
from simulator.importers.imported import Imported, Tally
from simulator.importers.onnx_dims import fix_dimensions, noted_types
from simulator.importers.onnx_graph import OnnxGraph, Operand
from simulator.importers.onnx_layers import read_operators
from simulator.importers.onnx_shapes import Inferred, infer
from simulator.importers.onnx_values import SMALL
from simulator.workload.layer import MAX_SIZE

if TYPE_CHECKING:
    import onnx

MAX_OPERATORS = 250_000
"""Of a model once its functions are in place; functions of functions grow without end."""


def read_onnx(path: Path, parameters: Mapping[str, int]) -> Imported:
    """Read a model's layers.

    Parameters
    ----------
    path : Path
    parameters : mapping of str to int
        Sizes of symbolic input dimensions; see `fix_dimensions`.

    Raises
    ------
    WorkloadError
        If onnx is not installed, or the file is not a model of which anything can be read.
    """
    return read_with_operands(path, parameters)[0]


def read_with_operands(
    path: Path, parameters: Mapping[str, int]
) -> tuple[Imported, dict[str, Operand]]:
    """As `read_onnx`, and where the weights of each layer are."""
    model = parse(path)
    with one_line(path):
        graph = model.graph
        check_order(path, graph)
        weights = _drop_weights(graph)
        _forget_files(model)
        fixed = fix_dimensions(path, graph, weights, parameters)
        tally = Tally(path)
        tally.notes += fixed.warnings
        inferred = infer(model, noted_types(graph, fixed.sizes))
        if inferred.noted:
            tally.notes.append(f"shapes that only the exporter's notes tell: {len(inferred.noted)}")
        operands = read_operators(_graph(path, model.graph, inferred, weights), tally)
    return tally.result(path.stem, "fused"), operands


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """What onnx and protobuf raise on broken models, as one error of ours; they print nothing."""
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    except SimulatorError as error:
        if str(path) in error.where:
            raise
        raise WorkloadError(str(path), str(error)) from None
    except Exception as error:  # they raise RuntimeError, ValueError, TypeError and their own
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WorkloadError(str(path), f"not a model that onnx accepts: {first[:120]}") from None


def parse(path: Path) -> onnx.ModelProto:
    """The model as it is stored, its own functions inlined."""
    try:
        import onnx
    except ImportError:
        raise WorkloadError(
            str(path), "reading ONNX needs the package onnx", hint='pip install "nmsim[onnx]"'
        ) from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except OSError as error:
        raise WorkloadError(str(path), f"cannot be read: {error.strerror}") from None
    except Exception:  # protobuf's DecodeError, and what it does not expect
        raise WorkloadError(str(path), "not an ONNX model, or a truncated one") from None
    if not model.graph.node:
        raise WorkloadError(str(path), "not an ONNX model, or one without operators")
    with one_line(path):
        return _inlined(path, model)


def _inlined(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """Functions that the model defines itself, as the operators that they are made of."""
    if not model.functions:
        return model
    from onnx import inliner

    bodies = {(function.domain, function.name): function.node for function in model.functions}
    if _operators(model.graph.node, bodies, {}) > MAX_OPERATORS:
        raise WorkloadError(
            str(path), "its functions expand too far", want=f"at most {MAX_OPERATORS} operators"
        )
    return inliner.inline_local_functions(model)


def _operators(
    nodes: Iterable[onnx.NodeProto],
    bodies: Mapping[tuple[str, str], Iterable[onnx.NodeProto]],
    known: dict[tuple[str, str], int],
) -> int:
    """Operators once functions are in place; ``known`` holds those of functions seen before."""
    total = 0
    for node in nodes:
        key = (node.domain, node.op_type)
        if key in bodies and key not in known:
            known[key] = MAX_OPERATORS + 1  # for a function that calls itself
            known[key] = _operators(bodies[key], bodies, known)
        total += known.get(key, 1)
        for attribute in node.attribute:
            total += sum(
                _operators(g.node, bodies, known) for g in (attribute.g, *attribute.graphs)
            )
    return total


def check_order(path: Path, graph: onnx.GraphProto) -> None:
    """Every operator reads what an earlier one wrote, so that there is no cycle.

    Raises
    ------
    WorkloadError
        That names the first tensor for which this does not hold.
    """
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    known |= {tensor.values.name for tensor in graph.sparse_initializer} | {""}
    for node in graph.node:
        for name in node.input:
            if name not in known:
                raise WorkloadError(
                    f"{path} {node.name or node.op_type}",
                    "reads a tensor that no earlier operator writes",
                    got=name,
                    hint="the graph has a cycle, or is cut or not sorted",
                )
        known.update(node.output)


def _drop_weights(graph: onnx.GraphProto) -> set[str]:
    """Turn large constants into inputs of the same shape; return the names of all constants."""
    from onnx import helper

    names = {tensor.name for tensor in graph.initializer}
    declared = {value.name for value in graph.input}
    dropped: dict[str, onnx.TensorProto] = {}
    for index in reversed(range(len(graph.initializer))):
        tensor = graph.initializer[index]
        if _is_weight(tensor):
            dropped[tensor.name] = _without_values(tensor)
            del graph.initializer[index]
    for index in reversed(range(len(graph.node))):
        node = graph.node[index]
        values = [a.t for a in node.attribute if a.name == "value"]
        if node.op_type == "Constant" and values and _is_weight(values[0]):
            dropped[node.output[0]] = _without_values(values[0])
            names.add(node.output[0])
            del graph.node[index]
    for tensor in graph.sparse_initializer:
        names.add(tensor.values.name)
    for name, tensor in dropped.items():
        if name not in declared:
            value = helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims))
            graph.input.append(value)
    return names


def _is_weight(tensor: onnx.TensorProto) -> bool:
    if any(not 0 <= size <= MAX_SIZE for size in tensor.dims):
        raise WorkloadError(tensor.name, "a tensor of absurd size", got=list(tensor.dims))
    return prod(tensor.dims) > SMALL or tensor.data_location == tensor.EXTERNAL


def _forget_files(message: Any) -> None:
    """Tensors of attributes and bodies lose the files that they name: no one may open them."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in [value] if hasattr(value, "ListFields") else value:
            if field.message_type.name == "TensorProto":
                item.ClearField("external_data")
                item.ClearField("data_location")
            else:
                _forget_files(item)


def _without_values(tensor: onnx.TensorProto) -> onnx.TensorProto:
    import onnx

    return onnx.TensorProto(data_type=tensor.data_type, dims=tensor.dims)


def _graph(path: Path, graph: onnx.GraphProto, inferred: Inferred, weights: set[str]) -> OnnxGraph:
    return OnnxGraph(
        path=path,
        nodes=list(graph.node),
        shapes=inferred.shapes,
        types={name: found.tensor_type.elem_type for name, found in inferred.types.items()},
        constants={name: name for name in weights | {t.name for t in graph.initializer}},
        outputs={value.name for value in graph.output},
        values=inferred.values,
    )
