"""ONNX's convolutions, plain, quantised, with channels last, and transposed, as layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

from simulator.errors import WorkloadError
from simulator.importers.onnx_graph import (
    Call,
    OnnxGraph,
    Read,
    Shape,
    UnknownShapeError,
    UnsupportedError,
    attributes,
)
from simulator.workload.layer import Conv, Gemm

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Window:
    """How a kernel moves; a number a dimension."""

    strides: Shape
    dilations: Shape
    before: Shape
    after: Shape


def conv(
    graph: OnnxGraph, node: onnx.NodeProto, name: str, weight_at: int = 1, zero_at: int = -1
) -> Read:
    """Conv, ConvInteger, QLinearConv, FusedConv, NhwcConv, of one or two dimensions.

    Weights always have their channels before the kernel, whatever the data have.
    """
    data, weights = node.input[0], node.input[weight_at]
    shape, kernel = graph.shape(data), graph.shape(weights)
    if len(shape) not in (3, 4) or len(kernel) != len(shape):
        raise UnsupportedError(f"{len(shape) - 2}-D")
    if _is_channels_last(node):
        shape = (shape[0], shape[-1], *shape[1:-1])
    layer = _layer(node, name, shape, kernel, graph.dtype(node, data, weights))
    if node.op_type == "FusedConv" and graph.input_at(node, 3):
        layer = replace(layer, accumulate=True)
    zero_point = graph.input_at(node, zero_at)
    return [(layer, graph.operand(weights, zero_point=zero_point))]


def qlinear_conv(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> Read:
    return conv(graph, node, name, weight_at=3, zero_at=5)


def conv_integer(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> Read:
    return conv(graph, node, name, zero_at=3)


def conv_transpose(graph: OnnxGraph, node: onnx.NodeProto, name: str) -> Read:
    """The GEMM of its column form: every input pixel times the whole kernel.

    Model: adding the columns where they overlap is part of the epilogue, as in implicit GEMMs.
    Source of the form: Dumoulin and Visin, arXiv:1603.07285, section 4.
    """
    data, weights = node.input[0], node.input[1]
    shape, kernel = graph.shape(data), graph.shape(weights)
    groups = _groups(name, node)
    if kernel[0] != shape[1] or shape[1] % groups:
        raise WorkloadError(name, f"{shape[1]} channels meet weights of {kernel[0]}")
    layer = Gemm(
        name,
        m=kernel[1] * prod(kernel[2:]),
        n=shape[0] * prod(shape[2:]),
        k=shape[1] // groups,
        batch=groups,
        dtype=graph.dtype(node, data, weights),
    )
    return [(layer, graph.operand(weights, inputs_first=True))]


def channels_last_shape(call: Call) -> Shape:
    """What a convolution with channels last writes.

    Raises
    ------
    UnknownShapeError
        If it is none, or does not fit its inputs.
    """
    node = call.node
    if not _is_channels_last(node):
        raise UnknownShapeError(node.op_type)
    shape, kernel = call.shape(0), call.shape(3 if node.op_type == "QLinearConv" else 1)
    if len(shape) not in (3, 4) or len(kernel) != len(shape):
        raise UnknownShapeError(node.op_type)
    try:
        layer = _layer(node, "conv", (shape[0], shape[-1], *shape[1:-1]), kernel, "fp16")
    except WorkloadError:  # which reading the operator raises again, with its name
        raise UnknownShapeError(node.op_type) from None
    sizes = (layer.out_h, layer.out_w)[-(len(shape) - 2) :]
    return (layer.batch, *sizes, layer.out_channels)


def _is_channels_last(node: onnx.NodeProto) -> bool:
    return node.op_type.startswith("Nhwc") or bool(attributes(node).get("channels_last"))


def _layer(node: onnx.NodeProto, name: str, shape: Shape, kernel: Shape, dtype: str) -> Conv:
    """The layer of data (images, channels, sizes...) and weights (out, in, taps...)."""
    groups = _groups(name, node)
    if kernel[1] * groups != shape[1]:
        raise WorkloadError(name, f"{shape[1]} channels meet weights of {kernel[1] * groups}")
    moved = window(name, node, shape[2:], kernel[2:])
    in_h, in_w = _pair(shape[2:], 1)
    return Conv(
        name,
        in_channels=shape[1],
        out_channels=kernel[0],
        in_h=in_h,
        in_w=in_w,
        kernel=_pair(kernel[2:], 1),
        stride=_pair(moved.strides, 1),
        padding=_pair(moved.before, 0) + _pair(moved.after, 0),
        dilation=_pair(moved.dilations, 1),
        groups=groups,
        batch=shape[0],
        dtype=dtype,
    )


def _groups(name: str, node: onnx.NodeProto) -> int:
    groups = attributes(node).get("group", 1)
    if not isinstance(groups, int) or groups < 1:
        raise WorkloadError(f"{name}.group", "must be 1 or more", got=groups)
    return groups


def window(name: str, node: onnx.NodeProto, sizes: Shape, taps: Shape) -> Window:
    """Strides, dilations and pads of a convolution, checked for their number."""
    given, flat = attributes(node), len(sizes)
    ones, zeros = (1,) * flat, (0,) * 2 * flat
    strides, dilations = given.get("strides", ones), given.get("dilations", ones)
    pads = given.get("pads", zeros)
    if not all(isinstance(sizes, tuple) for sizes in (strides, dilations, pads)):
        raise WorkloadError(name, "strides, dilations or pads are no lists")
    if len(strides) != flat or len(dilations) != flat or min(*strides, *dilations) < 1:
        raise WorkloadError(
            name, f"strides {strides} and dilations {dilations} of {flat} dimensions"
        )
    auto = given.get("auto_pad", "NOTSET")
    if auto == "VALID":
        pads = zeros
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        sides = zip(sizes, taps, strides, dilations, strict=True)
        totals = [max(0, (-(-x // s) - 1) * s + d * (t - 1) + 1 - x) for x, t, s, d in sides]
        less, more = [t // 2 for t in totals], [t - t // 2 for t in totals]
        pads = (*less, *more) if auto == "SAME_UPPER" else (*more, *less)
    if len(pads) != 2 * flat:
        raise WorkloadError(name, f"pads {pads} of {flat} dimensions")
    return Window(strides, dilations, pads[:flat], pads[flat:])


def _pair(sizes: Shape, missing: int) -> tuple[int, int]:
    """Height and width; a one-dimensional operator is one row."""
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (missing, sizes[0])
