"""Shapes of an ONNX graph: onnx's inference, and what it leaves open.

Exporters compute shapes inside the model (Shape, Slice, Concat, Reshape). Where onnx's inference
does not follow that, such operators on small tensors are computed here, from a fixed list; what is
still open then is left to onnxslim.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from simulator.importers.onnx_graph import Shape

if TYPE_CHECKING:
    import numpy.typing as npt
    import onnx

SMALL = 1024
"""Elements of a tensor whose values may decide a shape; larger ones are weights."""

MAX_PASSES = 200

FOLDED = frozenset(
    {
        "Cast",
        "ConstantOfShape",
        "Expand",
        "Concat",
        "Gather",
        "Slice",
        "Squeeze",
        "Unsqueeze",
        "Reshape",
        "Identity",
        "Add",
    }
    | {"Sub", "Mul", "Div", "Mod", "Neg", "Min", "Max", "Floor", "Ceil", "Equal", "Less", "Greater"}
    | {
        "Not",
        "And",
        "Or",
        "Where",
        "ReduceProd",
        "ReduceSum",
        "ReduceMin",
        "ReduceMax",
        "Transpose",
    }
)
"""Operators that are computed on small tensors."""

GROWING = frozenset({"ConstantOfShape", "EyeLike", "Range", "Expand", "Tile", "Pad", "Resize"})
"""Operators that make large tensors of small ones."""

MAX_SLIM_ELEMENTS = 2**24
"""Elements of the largest tensor of a model whose shape computations onnxslim may fold."""

Values = dict[str, "npt.NDArray[Any]"]


def with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shape of every tensor that can be known."""
    from onnx import shape_inference

    inferred = shape_inference.infer_shapes(model, data_prop=True)
    values: Values = {}
    for _ in range(MAX_PASSES):
        shapes = known_shapes(inferred.graph)
        if not _holes(inferred.graph, shapes) or not _compute(inferred, shapes, values):
            break
        inferred = shape_inference.infer_shapes(inferred, data_prop=True)
    shapes = known_shapes(inferred.graph)
    holes = _holes(inferred.graph, shapes)
    if not holes or _is_too_large(inferred.graph, shapes):
        return inferred
    found = _slimmed(inferred)
    kept = [value for value in inferred.graph.value_info if value.name not in holes]
    kept += [found[name] for name in holes if name in found]
    del inferred.graph.value_info[:]
    inferred.graph.value_info.extend(kept)
    return shape_inference.infer_shapes(inferred, data_prop=True)


def known_shapes(graph: onnx.GraphProto) -> dict[str, Shape]:
    """Tensors whose every dimension is known."""
    found: dict[str, Shape] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        tensor = value.type.tensor_type
        if tensor.HasField("shape"):
            dims = tensor.shape.dim
            if all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims):
                found[value.name] = tuple(dim.dim_value for dim in dims)
    return found


def _holes(graph: onnx.GraphProto, shapes: dict[str, Shape]) -> set[str]:
    """Tensors of unknown shape that some operator reads."""
    used = {name for node in graph.node for name in node.input}
    return {name for node in graph.node for name in node.output if name not in shapes} & used


def _compute(model: onnx.ModelProto, shapes: dict[str, Shape], values: Values) -> bool:
    """Put the values of shape computations in their place; was there a new one?"""
    from onnx import numpy_helper

    graph = model.graph
    for tensor in graph.initializer:
        if tensor.name not in values and prod(tensor.dims) <= SMALL:
            values[tensor.name] = numpy_helper.to_array(tensor)
    kept, found = [], False
    for node in graph.node:
        value = _value(model, node, shapes, values)
        if value is None:
            kept.append(node)
        else:
            values[node.output[0]] = value
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
            found = True
    if found:
        del graph.node[:]
        graph.node.extend(kept)
    return found


def _value(
    model: onnx.ModelProto, node: onnx.NodeProto, shapes: dict[str, Shape], values: Values
) -> npt.NDArray[Any] | None:
    """What a small operator on known values writes; None if it is not one."""
    import numpy as np
    from onnx import numpy_helper

    if len(node.output) != 1 or node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Shape" and node.input[0] in shapes and not node.attribute:
        return np.array(shapes[node.input[0]], dtype=np.int64)
    if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
        return numpy_helper.to_array(node.attribute[0].t)
    inputs = [name for name in node.input if name]
    if node.op_type not in FOLDED or not inputs or any(name not in values for name in inputs):
        return None
    if node.op_type in GROWING and not 0 <= prod(values[inputs[-1]].tolist()) <= SMALL:
        return None
    outputs = evaluate(model, node, {name: values[name] for name in inputs})
    return outputs[0] if outputs is not None and outputs[0].size <= SMALL else None


def evaluate(
    model: onnx.ModelProto, node: onnx.NodeProto, inputs: Values
) -> list[npt.NDArray[Any]] | None:
    """What one operator writes, by onnx's reference runtime; None if it does not fit its inputs."""
    import numpy as np
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    alone = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(n, _type(values), None) for n, values in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in node.output],
    )
    whole = helper.make_model(alone, opset_imports=model.opset_import)
    try:
        with np.errstate(all="ignore"):
            outputs = ReferenceEvaluator(whole).run(None, inputs)
    except Exception:  # whatever it raises, the operator does not fit, or is not known to it
        return None
    return [np.asarray(output) for output in outputs]


def _type(value: npt.NDArray[Any]) -> int:
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(value.dtype)


def _is_too_large(graph: onnx.GraphProto, shapes: dict[str, Shape]) -> bool:
    """Would onnxslim fill memory? It computes constants, which grow from small ones."""
    made = [name for node in graph.node for name in node.output if node.op_type in GROWING]
    return any(prod(shapes.get(name, (0,))) > MAX_SLIM_ELEMENTS for name in made)


def _slimmed(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """What shapes a copy has, by tensor, once onnxslim has folded its constants; no fusion."""
    import onnx
    from onnx import shape_inference

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    kept: Any = ["graph_fusion", "subexpression_elimination", "weight_tying"]
    try:
        import onnxslim

        slim = onnxslim.slim(copy, skip_optimizations=kept, size_threshold=SMALL)
        assert slim is not None
        values = shape_inference.infer_shapes(slim, data_prop=True).graph.value_info
    except Exception:  # a model that onnxslim cannot fold keeps its holes, which are reported
        return {}
    return {value.name: value for value in values}
