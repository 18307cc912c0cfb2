"""Values of an ONNX graph's constants, by onnx's reference runtime, operator by operator."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from simulator.importers.onnx_graph import Shape, is_standard

if TYPE_CHECKING:
    import numpy.typing as npt
    import onnx

SMALL = 1024
"""Elements of a tensor whose values may decide a shape; larger ones are weights."""

SMALL_FLOATS = 16
"""The same of fractions, such as the scales of a Resize; what is longer decides no shape."""

BROADCASTING = frozenset(
    {"Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Pow", "Equal", "Less", "LessOrEqual"}
    | {"Greater", "GreaterOrEqual", "And", "Or", "Xor", "Where"}
)

FOLDED = BROADCASTING | frozenset(
    {"Cast", "ConstantOfShape", "Expand", "Concat", "Gather", "Slice", "Squeeze", "Unsqueeze"}
    | {"Reshape", "Flatten", "Identity", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Sqrt"}
    | {"Not", "Transpose", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "NonZero"}
    | {"ReduceProd", "ReduceSum", "ReduceMin", "ReduceMax", "CumSum", "Split"}
)
"""Operators that are computed on small tensors."""

GROWING = frozenset({"ConstantOfShape", "EyeLike", "Range", "Expand", "Tile", "Pad", "Resize"})
"""Operators that make large tensors of small ones."""

Values = dict[str, "npt.NDArray[Any]"]


def is_small(size: int, kind: npt.DTypeLike) -> bool:
    """May a tensor's values decide a shape?"""
    import numpy as np

    return size <= (SMALL_FLOATS if np.issubdtype(kind, np.floating) else SMALL)


def small_outputs(
    model: onnx.ModelProto, node: onnx.NodeProto, shapes: dict[str, Shape], values: Values
) -> list[npt.NDArray[Any]] | None:
    """What a small operator on known values writes; None if it is not one."""
    import numpy as np
    from onnx import numpy_helper

    if not is_standard(node):
        return None
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "Shape" and node.input[0] in shapes:
        bounds = [attributes[key].i if key in attributes else None for key in ("start", "end")]
        return [np.array(shapes[node.input[0]], dtype=np.int64)[slice(*bounds)]]
    if node.op_type == "Size" and node.input[0] in shapes:
        return [np.array(prod(shapes[node.input[0]]), dtype=np.int64)]
    if node.op_type == "Constant" and "value" in attributes:
        return [numpy_helper.to_array(attributes["value"].t)]
    if node.op_type == "Constant" and attributes.keys() & {"value_int", "value_ints"}:
        whole = next(iter(attributes.values()))
        return [np.array(whole.ints or whole.i, dtype=np.int64)]
    inputs = [name for name in node.input if name]
    if node.op_type not in FOLDED or not inputs or any(name not in values for name in inputs):
        return None
    if not _stays_small(node, [values[name] for name in inputs]):
        return None
    outputs = evaluate(model, node, {name: values[name] for name in inputs})
    if outputs is None or not all(is_small(output.size, output.dtype) for output in outputs):
        return None
    return outputs


def _stays_small(node: onnx.NodeProto, inputs: list[npt.NDArray[Any]]) -> bool:
    """Is what an operator writes small? Some make large tensors of small ones."""
    import numpy as np
    from onnx import numpy_helper

    kind = inputs[0].dtype
    if node.op_type == "ConstantOfShape":
        values = [numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"]
        kind = values[0].dtype if values else np.dtype(np.float32)
    size = 0
    if node.op_type in GROWING:
        size = prod(inputs[-1].ravel().tolist())
    elif node.op_type in BROADCASTING:
        size = prod(np.broadcast_shapes(*(value.shape for value in inputs)))
    return size >= 0 and is_small(size, kind)


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
