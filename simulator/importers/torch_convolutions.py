"""Convolutions of a trace, in one to three dimensions, forward and transposed."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from simulator.importers.torch_calls import Call, Product, Shape, UnreadableError
from simulator.workload.layer import Conv, Gemm

DEPTH_NOTE = "3-D convolutions read as 2-D ones that read a frame once for each tap in depth"

WITH_TRANSPOSED = ("convolution", "_convolution", "convolution_overrideable")
"""Operators that are told whether to transpose, and in how many groups."""


def convolution(
    stride_at: int, padding_at: int, dilation_at: int | None
) -> Callable[[Call], Product]:
    """conv2d(x[batch, channels, ...], w[out, channels / groups, ...], bias[out], ...), likewise

    Parameters
    ----------
    stride_at, padding_at, dilation_at : int
        Where those arguments stand; None is a dilation of 1.
    """

    def read(call: Call) -> Product:
        weights = call.shape(1, 3, 4, 5)
        flat = len(weights) - 2
        data = call.shape(0, flat + 1, flat + 2)
        data = (1, *data) if len(data) == flat + 1 else data
        stride = call.integers(stride_at, flat, "strides")
        padding = call.integers(padding_at, flat, "padding")
        ones = (1,) * flat
        dilation = ones if dilation_at is None else call.integers(dilation_at, flat, "dilation")
        transposed = call.short in WITH_TRANSPOSED and call.values[6:7] == ("True",)
        outputs = weights[1] * call.integers(8, 1, "groups")[0] if transposed else weights[0]
        call.rest_fits((0, 1), (outputs,))
        dtype, bits = call.format(0)
        if not prod(data) or not prod(weights):
            return Product((), bits)
        if transposed:
            return _transposed(call, data, weights, dtype, bits)
        if data[1] % weights[1]:
            raise UnreadableError("shapes do not meet")
        conv = _conv(call.short, data, weights, (stride, padding, dilation), dtype)
        return Product((conv,), bits, DEPTH_NOTE if flat == 3 and weights[2] > 1 else "")

    return read


def _conv(
    name: str, data: Shape, weights: Shape, window: tuple[Shape, Shape, Shape], dtype: str
) -> Conv:
    """Of one dimension the height is 1; of three the taps in depth are input channels.

    Model: each output frame is a 2-D convolution over the frames that its taps see, all of whose
    channels it sums.
    """
    stride, padding, dilation = window
    frames, taps = 1, 1
    if len(weights) == 5:
        taps = weights[2]
        room = data[2] + 2 * padding[0] - dilation[0] * (taps - 1) - 1
        if room < 0 or stride[0] < 1:
            raise UnreadableError("a kernel deeper than its input")
        frames = room // stride[0] + 1

    def plane(sizes: Shape, missing: int) -> tuple[int, int]:
        return (sizes[-2], sizes[-1]) if len(sizes) > 1 else (missing, sizes[0])

    in_h, in_w = plane(data[2:], 1)
    return Conv(
        name,
        in_channels=data[1] * taps,
        out_channels=weights[0],
        in_h=in_h,
        in_w=in_w,
        kernel=plane(weights[2:], 1),
        stride=plane(stride, 1),
        padding=plane(padding, 0),
        dilation=plane(dilation, 1),
        groups=data[1] // weights[1],
        batch=data[0] * frames,
        dtype=dtype,
    )


def _transposed(call: Call, data: Shape, weights: Shape, dtype: str, bits: int) -> Product:
    """convolution(x[batch, in, ...], w[in, out / groups, ...]): the GEMM of its columns"""
    groups = call.integers(8, 1, "groups")[0]
    if groups < 1 or data[1] != weights[0] or data[1] % groups:
        raise UnreadableError("shapes do not meet")
    gemm = Gemm(
        call.short,
        m=prod(weights[1:]),
        n=data[0] * prod(data[2:]),
        k=data[1] // groups,
        batch=groups,
        dtype=dtype,
    )
    return Product((gemm,), bits)
