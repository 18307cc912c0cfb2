"""Shapes of onnxruntime's own operators (domain com.microsoft), which onnx cannot infer.

Source: onnxruntime, docs/ContribOperators.md. An operator that is in no table loses its own shape
and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulator.importers import onnx_attention as attention
from simulator.importers.onnx_convolutions import channels_last_shape
from simulator.importers.onnx_graph import (
    Call,
    Shape,
    UnknownShapeError,
    UnsupportedError,
    attributes,
    is_contrib,
    is_standard,
)

if TYPE_CHECKING:
    import onnx

AS_STANDARD: dict[str, tuple[str, tuple[int, ...]]] = {
    "FusedConv": ("Conv", (0, 1)),
    "FusedGemm": ("Gemm", (0, 1)),
    "GemmFloat8": ("Gemm", (0, 1)),
    "QGemm": ("Gemm", (0, 3)),
    "GemmFastGelu": ("MatMul", (0, 1)),
    "MatMulIntegerToFloat": ("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": ("MatMul", (0, 1)),
    "MatMulInteger16": ("MatMul", (0, 1)),
    "QLinearAdd": ("Add", (0, 3)),
    "QLinearMul": ("Mul", (0, 3)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", (0,)),
    "QLinearAveragePool": ("AveragePool", (0,)),
    "QLinearReduceMean": ("ReduceMean", (0,)),
    "QLinearSoftmax": ("Identity", (0,)),
    "QLinearSigmoid": ("Identity", (0,)),
    "QLinearLeakyRelu": ("Identity", (0,)),
    "QLinearConv": ("QLinearConv", tuple(range(9))),
    "QuantizeLinear": ("QuantizeLinear", (0, 1, 2)),
    "DequantizeLinear": ("DequantizeLinear", (0, 1, 2)),
    "BiasAdd": ("Identity", (0,)),
    "BiasDropout": ("Identity", (0,)),
    "BiasSoftmax": ("Identity", (0,)),
    "BiasGelu": ("Identity", (0,)),
    "FastGelu": ("Identity", (0,)),
    "QuickGelu": ("Identity", (0,)),
    "Gelu": ("Identity", (0,)),
    "GroupNorm": ("Identity", (0,)),
    "Inverse": ("Identity", (0,)),
    "MoE": ("Identity", (0,)),
    "QMoE": ("Identity", (0,)),
    "GatherND": ("GatherND", (0, 1)),
    "GridSample": ("GridSample", (0, 1)),
    "MaxpoolWithMask": ("MaxPool", (0,)),
    "Pad": ("Pad", (0, 1)),
    "Range": ("Range", (0, 1, 2)),
    "RotaryEmbedding": ("Identity", (0,)),
    "LongformerAttention": ("Identity", (0,)),
    "Trilu": ("Trilu", (0, 1)),
    "ExpandDims": ("Unsqueeze", (0, 1)),
}
"""Operators that write what one of ONNX's own would, given these of their inputs."""

LIKE: dict[str, int] = {
    "MatMulIntegerToFloat": 2,
    "QGemm": 1,
    "DequantizeLinear": 1,
    "QuantizeLinear": 2,
    "QAttention": 3,
    "EmbedLayerNormalization": 2,
    "GatherBlockQuantized": 2,
}
"""The input whose format the outputs have; others have that of the first."""

HARMLESS = frozenset(
    {"BiasAdd", "BiasDropout", "BiasGelu", "BiasSoftmax", "BiasSplitGelu", "BitmaskBiasDropout"}
    | {"BitmaskDropout", "CropAndResize", "DequantizeLinear", "DequantizeWithOrder"}
    | {"DynamicTimeWarping", "EmbedLayerNormalization", "ExpandDims", "FastGelu", "GatherND"}
    | {"GatherBlockQuantized", "Gelu", "GridSample", "GroupNorm", "IsAllFinite"}
    | {"LayerNormalization", "MaxpoolWithMask", "MulInteger", "MurmurHash3", "NGramRepeatBlock"}
    | {"NhwcMaxPool", "Pad", "QEmbedLayerNormalization", "QLinearAdd", "QLinearAveragePool"}
    | {"QLinearConcat", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul"}
    | {"QLinearReduceMean", "QLinearSigmoid", "QLinearSoftmax", "QLinearWhere"}
    | {"QOrderedGelu", "QOrderedLayerNormalization", "QuantizeLinear", "QuantizeWithOrder"}
    | {"QuickGelu", "Range", "ReduceSumInteger", "RelativePositionBias", "RemovePadding"}
    | {"RestorePadding", "RotaryEmbedding", "SampleOp", "SimplifiedLayerNormalization"}
    | {"SkipGroupNorm", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization"}
    | {"Tokenizer", "TransposeOp", "Trilu", "UnfoldTensor", "Unique"}
)
"""onnxruntime's operators that multiply no matrices."""


def as_standard(node: onnx.NodeProto) -> onnx.NodeProto | None:
    """An operator of ONNX itself that writes the same shape; None if there is none."""
    import onnx

    if is_standard(node):
        return node
    if not is_contrib(node) or attributes(node).get("channels_last"):
        return None
    if node.op_type not in AS_STANDARD:
        return None
    kind, positions = AS_STANDARD[node.op_type]
    inputs = [node.input[index] for index in positions if index < len(node.input)]
    alike = onnx.NodeProto(op_type=kind, input=inputs, output=node.output[:1])
    if kind != "Identity":
        alike.attribute.extend(node.attribute)
    return alike


def type_like(node: onnx.NodeProto) -> str:
    """The input whose format an operator's outputs have."""
    index = LIKE.get(node.op_type, 0)
    return node.input[index] if index < len(node.input) else ""


def contrib_shapes(call: Call) -> dict[str, Shape]:
    """The outputs of an operator of onnxruntime that has a rule of its own here."""
    node = call.node
    if not (is_contrib(node) or (is_standard(node) and node.op_type in NORMALISATIONS)):
        return {}
    rule = RULES.get(node.op_type)
    try:
        shapes = rule(call) if rule is not None else []
    except (UnknownShapeError, UnsupportedError, IndexError, ZeroDivisionError):
        return {}
    pairs = zip(node.output, shapes, strict=False)
    return {name: shape for name, shape in pairs if name and shape is not None}


Rule = Callable[[Call], "list[Shape | None]"]


def _normalised(call: Call) -> list[Shape | None]:
    """Output, mean, inverse deviation, and the sum of input and skip."""
    shape = call.shape(0)
    return [shape, None, None, shape]


def _embedded(call: Call) -> list[Shape | None]:
    ids, width = call.shape(0), call.shape(2)[-1]
    return [(*ids, width), ids[:1], (*ids, width)]


def _split_gelu(call: Call) -> list[Shape | None]:
    *outer, last = call.shape(0)
    return [(*outer, last // 2)]


def _of_columns(call: Call) -> list[Shape | None]:
    """MatMulNBits and the like: K and N are attributes, since the weights are packed."""
    columns = call.integer("N")
    return [(*call.shape(0)[:-1], columns)] if columns > 0 else []


def fused_operands(call: Call) -> tuple[Shape, Shape]:
    """The operands of FusedMatMul as (..., rows, k) and (..., k, columns).

    ``transBatch`` moves the first dimension to the third last place, before ``trans`` swaps the
    last two.
    """
    sides = []
    for index, side in enumerate("AB"):
        shape = call.shape(index)
        if call.integer(f"transBatch{side}") and len(shape) > 2:
            shape = (*shape[1:-1], shape[0], shape[-1])
        if call.integer(f"trans{side}") and len(shape) > 1:
            shape = (*shape[:-2], shape[-1], shape[-2])
        sides.append(shape)
    return sides[0], sides[1]


def _fused_matmul(call: Call) -> list[Shape | None]:
    a, b = fused_operands(call)
    if len(a) < 2 or len(b) < 2:
        return []
    size = max(len(a), len(b)) - 2
    left, right = ((1,) * (size + 2 - len(x)) + x[:-2] for x in (a, b))
    stack = tuple(max(pair) for pair in zip(left, right, strict=True))
    return [(*stack, a[-2], b[-1])]


def _channels_last_pool(call: Call) -> list[Shape | None]:
    images, *_, channels = call.shape(0)
    return [(images, 1, 1, channels)]


def _channels_last_conv(call: Call) -> list[Shape | None]:
    return [channels_last_shape(call)]


def _joined(call: Call) -> list[Shape | None]:
    """QLinearConcat: scale and zero point of the output, then (tensor, scale, zero point)."""
    shapes = [call.shape(index) for index in range(2, len(call.node.input), 3)]
    axis = call.integer("axis")
    joined = list(shapes[0])
    joined[axis] = sum(shape[axis] for shape in shapes)
    return [tuple(joined)]


NORMALISATIONS = frozenset(
    {"SimplifiedLayerNormalization", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization"}
    | {"LayerNormalization", "SkipGroupNorm", "BiasGelu", "FastGelu", "QuickGelu"}
)
"""Operators that keep the shape of their input, which onnxruntime also writes without a domain."""

RULES: dict[str, Rule] = {
    **dict.fromkeys(NORMALISATIONS, _normalised),
    **dict.fromkeys(attention.CONTRIB, attention.output_shapes),
    **dict.fromkeys(("MatMulNBits", "MatMulBnb4", "MatMulFpQ4"), _of_columns),
    **dict.fromkeys(("FusedMatMul", "TransposeMatMul", "FusedMatMulActivation"), _fused_matmul),
    **dict.fromkeys(("NhwcConv", "NhwcFusedConv", "QLinearConv"), _channels_last_conv),
    "QLinearGlobalAveragePool": _channels_last_pool,
    "EmbedLayerNormalization": _embedded,
    "QEmbedLayerNormalization": _embedded,
    "BiasSplitGelu": _split_gelu,
    "QLinearConcat": _joined,
}
