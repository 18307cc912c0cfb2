"""What ONNX calls operators that multiply no matrices, and what they are among ours."""

from __future__ import annotations

from typing import Final

SLICES: Final = frozenset({"Slice", "Split"})

CONSTANTS: Final = frozenset({"Constant", "ConstantOfShape", "EyeLike", "Shape", "Size", "Range"})
"""Operators whose outputs are known once shapes are."""

RANDOM: Final = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"}
    | {"Bernoulli"}
)

VIEWS: Final = SLICES | frozenset(
    {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast", "CastLike"}
    | {"Transpose", "Expand"}
)
"""Operators that a compiler folds into how the next one reads."""

REDUCTIONS: Final = frozenset(
    {"ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceMax", "ReduceMin", "ReduceProd"}
    | {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"}
)

POINTWISE: Final = frozenset(
    {"Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Clip", "Sigmoid"}
    | {"HardSigmoid", "HardSwish", "Swish", "Tanh", "Gelu", "Mish", "Softplus", "Softsign", "Erf"}
    | {"Add", "Sub", "Mul", "Div", "Sum", "Mean", "Max", "Min", "Pow", "Sqrt", "Reciprocal", "Exp"}
    | {"Log", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Sin", "Cos", "Where", "Not", "And"}
    | {"Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "IsNaN", "Mod"}
    | {"BatchNormalization", "BiasGelu", "FastGelu", "QuickGelu"}
)

TABLES: Final = frozenset({"Gather", "GatherElements", "GatherND"})
"""Operators that pick from a table, of which only what is picked is read."""

KINDS: Final[dict[str, str]] = {
    **dict.fromkeys(("Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Clip"), "relu"),
    **dict.fromkeys(("Gelu", "BiasGelu", "FastGelu", "QuickGelu"), "gelu"),
    **{"Swish": "silu", "Sigmoid": "sigmoid", "Tanh": "tanh"},
    **dict.fromkeys(("HardSwish", "HardSigmoid"), "hardswish"),
    **{"BatchNormalization": "batchnorm", "Where": "mask", "Sum": "add"},
    **dict.fromkeys(("Mul", "Div"), "scale"),
    **dict.fromkeys(("Concat", "Pad", "Tile", "DepthToSpace", "SpaceToDepth", *TABLES), "copy"),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "MaxRoiPool", "RoiAlign"), "pool"),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", *REDUCTIONS), "pool"),
    **dict.fromkeys(("Resize", "Upsample", "GridSample"), "pool"),  # of a window of pixels, too
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), "softmax"),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "LRN"), "normalization"),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), "normalization"),
    **dict.fromkeys(("LpNormalization", "MeanVarianceNormalization"), "normalization"),
    **dict.fromkeys(("SkipLayerNormalization", "EmbedLayerNormalization"), "normalization"),
    **dict.fromkeys(("SimplifiedLayerNormalization",), "normalization"),
    **dict.fromkeys(("SkipSimplifiedLayerNormalization",), "normalization"),
    "RotaryEmbedding": "rotary",
}
"""By operator; what is not listed works element by element. Of `Add` and `Sub`, operands say it."""

MADE_OF: Final[tuple[tuple[frozenset[str], str], ...]] = (
    (frozenset({"Exp", "ReduceSum"}), "softmax"),
    *((frozenset({reduction}), "normalization") for reduction in sorted(REDUCTIONS)),
    (frozenset({"Erf"}), "gelu"),
    (frozenset({"Tanh"}), "gelu"),
    (frozenset({"Sigmoid"}), "silu"),
    (frozenset({"HardSigmoid"}), "hardswish"),
    (frozenset({"Clip"}), "hardswish"),
    (frozenset({"Neg", "Concat"}), "rotary"),
    (frozenset({"Concat"}), "copy"),
)
"""Operators that several others are, and which of them tell; the first that fits."""
