"""Weights meet layers: which tensor belongs to which layer, and is it what was asked for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.hardware import Hardware
from simulator.masking import Mask, real_conflicts
from simulator.sparsity import AnyPattern, Unstructured
from simulator.weights.layout import channel_rows, from_channel_rows, to_matrix
from simulator.weights.masks import magnitude_mask, unstructured_mask
from simulator.workload.layer import Conv, Gemm, Layer
from simulator.workload.lowering import GemmProblem, fetch_ways

Tensor = npt.NDArray[Any]


def find_tensor(layer: Layer, weights: Mapping[str, Tensor]) -> Tensor | None:
    """The tensor named as the layer, with or without ``.weight``; None if there is none."""
    if not isinstance(layer, Gemm | Conv):
        return None
    for name in (layer.name, f"{layer.name}.weight"):
        if name in weights:
            return weights[name]
    return None


def rows_of(layer: Gemm | Conv, tensor: Tensor, problem: GemmProblem) -> Tensor:
    """The weights as rows along k, as the tensor cores take them.

    Returns
    -------
    array (count * m, k)
        k with the channel padding of sparse convolutions, zeros there.

    Raises
    ------
    WeightsError
        If the tensor's shape is not the layer's.
    """
    if isinstance(layer, Gemm):
        wanted = (layer.batch * layer.m, layer.k)
        if tensor.size == wanted[0] * wanted[1] and tensor.shape[-1] == layer.k:
            return tensor.reshape(wanted)
        raise _shape_error(layer, tensor, f"({layer.m}, {layer.k}), output features first")
    channels = layer.in_channels // layer.groups
    wanted_4d = (layer.out_channels, channels, *layer.pair("kernel"))
    if tensor.shape != wanted_4d:
        raise _shape_error(layer, tensor, f"{wanted_4d}: output, input channels, height, width")
    return to_matrix(tensor, problem.pattern.group)


def pruned(layer: Gemm | Conv, tensor: Tensor, pattern: AnyPattern) -> Tensor:
    """The weights with all but the largest of every group, or of all, set to zero."""
    if pattern.is_dense:
        return tensor
    rows = channel_rows(tensor if isinstance(layer, Conv) else tensor.reshape(-1, layer.k))
    if isinstance(pattern, Unstructured):
        mask = unstructured_mask(rows, pattern.density)
    else:
        mask = magnitude_mask(rows, pattern)
    return from_channel_rows(np.where(mask, rows, rows.dtype.type(0)), tensor.shape)


def with_real_indices(problem: GemmProblem, mask: Mask, hardware: Hardware) -> GemmProblem:
    """The unstructured baseline with the density and the bank conflicts of real weights."""
    assert isinstance(problem.pattern, Unstructured)
    density = Fraction(max(1, int(np.count_nonzero(mask))), mask.size)
    conflict = real_conflicts(mask, fetch_ways(hardware, problem.dtype))
    pattern = replace(problem.pattern, density=density, conflict_ratio=conflict)
    return replace(problem, pattern=pattern)


def _shape_error(layer: Layer, tensor: Tensor, want: str) -> WeightsError:
    is_transposed = isinstance(layer, Gemm) and tensor.shape == (layer.k, layer.m)
    return WeightsError(
        f"layer {layer.name}", "its tensor has another shape", got=tensor.shape, want=want,
        hint="it is transposed" if is_transposed else None,
    )  # fmt: skip
