"""``OPERATORS``: which operators of a trace are products, and how each is read."""

from __future__ import annotations

from collections.abc import Callable

from simulator.errors import SimulatorError
from simulator.importers.torch_attention import attention, heads_last, in_products, with_lengths
from simulator.importers.torch_calls import Call, Product, UnreadableError
from simulator.importers.torch_convolutions import convolution
from simulator.importers.torch_gemms import (
    addmm,
    addmv,
    baddbmm,
    bmm,
    compressed_mm,
    dot,
    einsum,
    grouped_mm,
    linear,
    matmul,
    mm,
    mv,
    scaled_mm,
    sparse_addmm,
    sparse_linear,
    sparse_mm,
    weight_only,
)

Reader = Callable[[Call], Product]

_GEMMS: dict[str, Reader] = {
    "aten::linear": linear,
    "aten::mkldnn_linear": linear,
    "mkldnn::_linear_pointwise": linear,
    "aten::addmm": addmm,
    "aten::_addmm_activation": addmm,
    "aten::mm": mm,
    "aten::_int_mm": mm,
    "aten::_scaled_mm": scaled_mm,
    "aten::_weight_int8pack_mm": weight_only,
    "aten::_weight_int4pack_mm": weight_only,
    "aten::_weight_int4pack_mm_for_cpu": weight_only,
    "aten::_grouped_mm": grouped_mm,
    "aten::_scaled_grouped_mm": grouped_mm,
    "aten::mv": mv,
    "aten::addmv": addmv,
    "aten::dot": dot,
    "aten::vdot": dot,
    "aten::bmm": bmm,
    "aten::baddbmm": baddbmm,
    "aten::matmul": matmul,
    "aten::einsum": einsum,
    "aten::_cslt_sparse_mm": compressed_mm,
    "aten::_sparse_semi_structured_linear": sparse_linear,
    "aten::_sparse_semi_structured_mm": sparse_mm,
    "aten::_sparse_semi_structured_addmm": sparse_addmm,
}

_ATTENTION: dict[str, Reader] = {
    "aten::scaled_dot_product_attention": attention(5, is_wrapper=True),
    "aten::_scaled_dot_product_attention_math": in_products,
    "aten::_scaled_dot_product_attention_math_for_mps": in_products,
    "aten::_scaled_dot_product_flash_attention": attention(4),
    "aten::_scaled_dot_product_flash_attention_for_cpu": attention(4),
    "aten::_scaled_dot_product_efficient_attention": attention(6),
    "aten::_scaled_dot_product_cudnn_attention": attention(6),
    "aten::_scaled_dot_product_fused_attention_overrideable": attention(5),
    "aten::_flash_attention_forward": heads_last((3, 4), 8),
    "aten::_efficient_attention_forward": heads_last((4, 5), 9),
    "aten::_cudnn_attention_forward": with_lengths((4, 5), 10),
}
"""By the places of what says that they are causal, as PyTorch declares them."""

_STRIDE_FIRST = ("conv1d", "conv2d", "conv3d", "convolution", "_convolution",
                 "convolution_overrideable", "cudnn_convolution_relu")  # fmt: skip
_PADDING_FIRST = ("mkldnn_convolution", "miopen_convolution", "miopen_depthwise_convolution",
                  "_mps_convolution")  # fmt: skip
_WITH_KERNEL = ("slow_conv_dilated2d", "slow_conv_dilated3d", "_conv_depthwise2d",
                "conv_depthwise3d")  # fmt: skip
_WITHOUT_DILATION = ("thnn_conv2d", "_slow_conv2d_forward", "slow_conv3d",
                     "slow_conv3d_forward")  # fmt: skip

_CONVOLUTIONS: dict[str, Reader] = {
    **{f"aten::{name}": convolution(3, 4, 5) for name in _STRIDE_FIRST},
    **{f"aten::{name}": convolution(4, 3, 5) for name in _PADDING_FIRST},
    **{f"aten::{name}": convolution(4, 5, 6) for name in _WITH_KERNEL},
    **{f"aten::{name}": convolution(4, 5, None) for name in _WITHOUT_DILATION},
    "aten::cudnn_convolution": convolution(3, 2, 4),
    "mkldnn::_convolution_pointwise": convolution(4, 3, 5),
}
"""By the places of stride, padding and dilation, as PyTorch declares them."""

OPERATORS: dict[str, Reader] = {**_GEMMS, **_ATTENTION, **_CONVOLUTIONS}

MADE_OF_PRODUCTS = frozenset(
    ("aten::matmul", "aten::einsum", "aten::_grouped_mm", "aten::_scaled_grouped_mm")
)
"""Operators of which those that they call say more: sizes of groups, the order of products."""


def reader_of(operator: str) -> Reader | None:
    """How an operator is read; one that works in place, as ``addmm_``, as the other."""
    return OPERATORS.get(operator) or OPERATORS.get(operator.rstrip("_"))


def read_product(call: Call) -> Product:
    """The layers of a call.

    Raises
    ------
    UnreadableError
        If its arguments are not those of the operator, or no layer can be that large.
    """
    reader = reader_of(call.operator)
    if reader is None:
        raise UnreadableError("")
    try:
        return reader(call)
    except SimulatorError as error:
        raise UnreadableError(error.what) from None
