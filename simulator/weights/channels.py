"""Channel pruning composed with N:M: fewer channels first, then a pattern on what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.sparsity import Pattern
from simulator.weights.layout import Array, channel_rows, from_channel_rows
from simulator.weights.masks import magnitude_mask


@dataclass(frozen=True)
class PrunedPair:
    """Two consecutive layers without the channels dropped between them.

    Attributes
    ----------
    kept : array (channels kept,), int64
        Output channels of the first layer that are left, in order.
    first, second : array
        Weights that are left, in the layouts given, under the pattern.
    """

    kept: npt.NDArray[np.int64]
    first: Array
    second: Array


def strongest_channels(weights: Array, count: int) -> npt.NDArray[np.int64]:
    """The ``count`` output channels of largest L2 norm, in order; ties go to earlier channels.

    Parameters
    ----------
    weights : array (out, in) or (out, in / groups, kernel_h, kernel_w)

    Raises
    ------
    WeightsError
        If there are not so many channels, or none is to be left.
    """
    if not 1 <= count <= weights.shape[0]:
        want = f"1 to {weights.shape[0]}"
        raise WeightsError("channels", "cannot keep so many", want=want, got=count)
    flat = weights.reshape(weights.shape[0], -1).astype(np.float64)
    energy = np.einsum("oi,oi->o", flat, flat)
    return np.sort(np.argsort(-energy, kind="stable")[:count])


def prune_channels(first: Array, second: Array, count: int, pattern: Pattern) -> PrunedPair:
    """Drop the weakest output channels of a layer with the next one's inputs, then prune N:M.

    Parameters
    ----------
    first : array (out, in) or (out, in / groups, kernel_h, kernel_w)
    second : array (out2, in2) or (out2, in2, kernel_h, kernel_w)
        ``in2`` is ``out``, or a multiple of it where each channel is flattened to several inputs.
    count : int
        Channels to keep.

    Raises
    ------
    WeightsError
        If the layers do not follow each other, or ``count`` channels cannot be kept.
    """
    kept = strongest_channels(first, count)
    positions, rest = divmod(second.shape[1], first.shape[0])
    if rest or not positions:
        want = f"a multiple of {first.shape[0]} inputs"
        raise WeightsError("channels", "layers do not match", want=want, got=second.shape[1])
    inputs = (kept[:, None] * positions + np.arange(positions)).ravel()
    return PrunedPair(kept, prune(first[kept], pattern), prune(second[:, inputs], pattern))


def prune(weights: Array, pattern: Pattern) -> Array:
    """Zero what a magnitude mask along the input channels does not keep."""
    rows = channel_rows(weights)
    pruned = np.where(magnitude_mask(rows, pattern), rows, rows.dtype.type(0))
    return from_channel_rows(pruned, weights.shape)
