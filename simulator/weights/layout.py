"""How weight tensors of networks become matrices (rows, k), and back.

Linear weights [out, in] are (rows, k) as they are; GPT-2's ``Conv1D`` stores [in, out], and
``axis="in_first"`` says so. Convolutions [out, in / groups, kernel_h, kernel_w] become (out,
kernel_h * kernel_w * channels) with channels fastest, padded with zeros to whole groups at every
kernel position, as in `simulator.workload.lowering`.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.units import ceil_div

Axis = Literal["out_first", "in_first"]
Array = npt.NDArray[Any]


def to_matrix(weights: Array, group: int = 1, axis: Axis = "out_first") -> Array:
    """A weight tensor as a matrix whose rows run along k.

    Parameters
    ----------
    weights : array (out, in) or (out, in / groups, kernel_h, kernel_w)
        With ``in_first`` (in, out): GPT-2's Conv1D.
    group : int
        Channels of a convolution are padded to a multiple of it; 1 pads nothing.

    Returns
    -------
    array (rows, k)

    Raises
    ------
    WeightsError
        If the tensor has another number of dimensions.
    """
    if weights.ndim == 2:
        return weights.T if axis == "in_first" else weights
    _check_convolution(weights, axis)
    out, channels, high, wide = weights.shape
    padded = ceil_div(channels, group) * group
    matrix = np.zeros((out, high, wide, padded), dtype=weights.dtype)
    matrix[..., :channels] = weights.transpose(0, 2, 3, 1)
    return matrix.reshape(out, high * wide * padded)


def from_matrix(matrix: Array, shape: tuple[int, ...], axis: Axis = "out_first") -> Array:
    """The tensor of ``shape`` that `to_matrix` made ``matrix`` of; padding is dropped.

    Raises
    ------
    WeightsError
        If the matrix does not fit the shape.
    """
    if len(shape) == 2:
        tensor = matrix.T if axis == "in_first" else matrix
        if tensor.shape != shape:
            raise WeightsError("layout", "another shape", want=str(shape), got=tensor.shape)
        return tensor
    out, channels, high, wide = shape
    padded, rest = divmod(matrix.shape[1], max(1, high * wide))
    if rest or padded < channels or matrix.shape[0] != out:
        raise WeightsError("layout", "does not fit the shape", want=str(shape), got=matrix.shape)
    tensor = matrix.reshape(out, high, wide, padded)[..., :channels]
    return np.ascontiguousarray(tensor.transpose(0, 3, 1, 2))


def channel_rows(weights: Array, axis: Axis = "out_first") -> Array:
    """Every run of channels as a row: (out, in), or (out * kernel_h * kernel_w, channels).

    The groups along these rows are those of `to_matrix`, whose padding is their last, partial
    group; permutations of channels are permutations of columns.
    """
    if weights.ndim == 2:
        return to_matrix(weights, axis=axis)
    _check_convolution(weights, axis)
    return np.ascontiguousarray(weights.transpose(0, 2, 3, 1)).reshape(-1, weights.shape[1])


def from_channel_rows(rows: Array, shape: tuple[int, ...], axis: Axis = "out_first") -> Array:
    """The tensor of ``shape`` that `channel_rows` made ``rows`` of."""
    if len(shape) == 2:
        return from_matrix(rows, shape, axis)
    return from_matrix(rows.reshape(shape[0], -1), shape)


def _check_convolution(weights: Array, axis: Axis) -> None:
    if weights.ndim != 4 or axis != "out_first":
        raise WeightsError(
            "layout",
            "not weights of a linear layer or a convolution",
            want="[out, in] or [out, in / groups, kernel_h, kernel_w]",
            got=f"shape {weights.shape}, {axis}",
        )
