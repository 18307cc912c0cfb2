"""What the rows of a layer's weights are multiplied with, and the sums that pruning needs of it.

A Gram matrix is ``X X^T`` (k, k) of all inputs X (k, samples) of a layer. Products of a slab of
samples are fp32, as the model computes; slabs are added up in fp64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from simulator.importers.onnx_convolutions import window
from simulator.importers.onnx_graph import attributes
from simulator.weights.layout import Array

if TYPE_CHECKING:
    import onnx

    from simulator.quality.model import PrunableLayer

SLAB_ELEMENTS = 1 << 22
"""Of the samples that a convolution's inputs are written out for at a time: 16 MiB of fp32."""

Slabs = Iterator[tuple[int, Array]]
"""The section of a layer, and samples (samples, k) that its rows meet."""


def data_tensor(layer: PrunableLayer, node: onnx.NodeProto) -> str:
    """The tensor that holds a layer's inputs: the operand that is not its weights."""
    return str(node.input[_data_at(layer, node)])


def empty_gram(layer: PrunableLayer) -> npt.NDArray[np.float64]:
    """Zeros (sections, k, k)."""
    return np.zeros((layer.sections, layer.k, layer.k))


def add_inputs(
    gram: npt.NDArray[np.float64],
    layer: PrunableLayer,
    node: onnx.NodeProto,
    data: Array,
) -> None:
    """Add the products of one batch to ``gram`` (sections, k, k).

    Parameters
    ----------
    data : array
        What `data_tensor` held.
    """
    read = INPUTS[node.op_type]
    with np.errstate(all="ignore"):  # sums that are no numbers are refused where they are used
        for section, samples in read(layer, node, data.astype(np.float32, copy=False)):
            gram[section] += samples.T @ samples


def _data_at(layer: PrunableLayer, node: onnx.NodeProto) -> int:
    return 1 if layer.operand.tensor == node.input[0] else 0


def _product(layer: PrunableLayer, node: onnx.NodeProto, data: Array) -> Slabs:
    """Of ``left[..., rows, k] . right[..., k, columns]``: rows, or columns if weights are left.

    Stacks of matrices are broadcast as numpy's are; each of the weights' own is a section.
    """
    is_left = _data_at(layer, node) == 1
    turned = bool(attributes(node).get("transB" if is_left else "transA", 0))
    if data.ndim > 1 and turned != is_left:
        data = data.swapaxes(-1, -2)
    if layer.sections == 1:
        yield 0, data.reshape(-1, layer.k)
        return
    own = layer.shape[:-2]
    stacks = np.broadcast_shapes(own, data.shape[:-2])
    numbers = np.broadcast_to(np.arange(prod(own)).reshape(own), stacks)
    data = np.broadcast_to(data, (*stacks, *data.shape[-2:]))
    for section in range(layer.sections):
        yield section, data[numbers == section].reshape(-1, layer.k)


def _convolution(layer: PrunableLayer, node: onnx.NodeProto, data: Array) -> Slabs:
    """Every place of the kernel, written out slab by slab with channels fastest (im2col)."""
    taps = layer.shape[2:]
    moved = window(layer.name, node, data.shape[2:], taps)
    pads = zip(moved.before, moved.after, strict=True)
    padded = np.pad(data, [(0, 0), (0, 0), *pads])
    reach = tuple(d * (t - 1) + 1 for d, t in zip(moved.dilations, taps, strict=True))
    axes, flat = tuple(range(2, data.ndim)), len(taps)
    seen = np.lib.stride_tricks.sliding_window_view(padded, reach, axes)
    steps = (slice(None, None, step) for step in (*moved.strides, *moved.dilations))
    seen = seen[(slice(None), slice(None), *steps)]
    order = (0, *axes, *range(2 + flat, 2 + 2 * flat), 1)
    for section in range(layer.sections):
        own = seen[:, section * layer.inputs : (section + 1) * layer.inputs]
        for part in _parts(own.transpose(order), 1 + flat, layer.k):
            yield section, part


def _parts(seen: Array, leading: int, k: int) -> Iterator[Array]:
    """Samples (some, k) of a view whose ``leading`` axes count samples, a slab at a time.

    A slab is cut along the first axis of which one step fits.
    """
    if seen.size <= SLAB_ELEMENTS or leading == 0:
        yield seen.reshape(-1, k)
        return
    step = SLAB_ELEMENTS * len(seen) // seen.size
    for start in range(0, len(seen), max(1, step)):
        if step:
            yield seen[start : start + step].reshape(-1, k)
        else:
            yield from _parts(seen[start], leading - 1, k)


def _transposed_convolution(layer: PrunableLayer, _node: onnx.NodeProto, data: Array) -> Slabs:
    """Every pixel, times the whole kernel."""
    pixels = np.moveaxis(data, 1, -1).reshape(-1, layer.sections, layer.k)
    for section in range(layer.sections):
        yield section, pixels[:, section]


INPUTS: dict[str, Callable[[PrunableLayer, Any, Array], Slabs]] = {
    **dict.fromkeys(("MatMul", "Gemm", "FusedGemm", "GemmFastGelu", "Attention"), _product),
    **dict.fromkeys(("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul"), _product),
    **dict.fromkeys(("Conv", "FusedConv"), _convolution),
    "ConvTranspose": _transposed_convolution,
}
"""By operator; layers of others stay dense."""
