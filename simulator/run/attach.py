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
from simulator.schedule.masking import Mask, real_conflicts
from simulator.sparsity import AnyPattern, Unstructured
from simulator.weights.compressed import encoding_of
from simulator.weights.layout import channel_rows, from_channel_rows, to_matrix
from simulator.weights.masks import magnitude_mask, unstructured_mask
from simulator.workload.gathered import Gathered, fetch_ways
from simulator.workload.layer import Conv, Gemm, Layer
from simulator.workload.lowering import GemmProblem

Tensor = npt.NDArray[Any]


def find_tensor(layer: Layer, weights: Mapping[str, Tensor]) -> Tensor | None:
    """The tensor named as the layer, with or without ``.weight``; None if there is none.

    Raises
    ------
    WeightsError
        If what lies beside it says that the layer's weights are compressed or quantised.
    """
    if not weights or not isinstance(layer, Gemm | Conv):
        return None
    names = (layer.name, f"{layer.name}.weight")
    found = next((name for name in names if name in weights), None)
    is_integer = found is not None and np.issubdtype(np.asarray(weights[found]).dtype, np.integer)
    encoding = encoding_of(found or names[1], weights, is_integer=is_integer)
    if encoding is not None:
        raise WeightsError(
            f"layer {layer.name}", f"its tensors are {encoding}", want="plain weights",
            hint="decompress or dequantise them first",
        )  # fmt: skip
    return weights[found] if found is not None else None


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
    return to_matrix(tensor, problem.run)


def pruned(layer: Gemm | Conv, tensor: Tensor, pattern: AnyPattern) -> Tensor:
    """The weights with all but the largest of every group, or of all, set to zero."""
    if pattern.is_dense:
        return tensor
    rows = channel_rows(tensor) if isinstance(layer, Conv) else tensor.reshape(-1, layer.k)
    if isinstance(pattern, Unstructured):
        mask = unstructured_mask(rows, pattern.density)
    else:
        mask = magnitude_mask(rows, pattern)
    kept = np.where(mask, rows, rows.dtype.type(0))
    if isinstance(layer, Conv):
        return from_channel_rows(kept, tensor.shape)
    return kept.reshape(tensor.shape)  # a batch has its own leading dimensions


def with_real_indices(problem: GemmProblem, mask: Mask, hardware: Hardware) -> GemmProblem:
    """The unstructured baseline with the density and the bank conflicts of real weights."""
    assert isinstance(problem.pattern, Gathered)
    density = Unstructured(Fraction(max(1, int(np.count_nonzero(mask))), mask.size))
    conflict = real_conflicts(mask, fetch_ways(hardware, problem.dtype))
    pattern = replace(problem.pattern, pattern=density, conflict_ratio=conflict)
    return replace(problem, pattern=pattern)


def _shape_error(layer: Layer, tensor: Tensor, want: str) -> WeightsError:
    is_transposed = isinstance(layer, Gemm) and tensor.shape == (layer.k, layer.m)
    return WeightsError(
        f"layer {layer.name}", "its tensor has another shape", got=tensor.shape, want=want,
        hint="it is transposed" if is_transposed else None,
    )  # fmt: skip
