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
from simulator.sparsity import Pattern, Unstructured
from simulator.units import ceil_div
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
    height, width = layer.pair("kernel")
    channels = layer.in_channels // layer.groups
    wanted_4d = (layer.out_channels, channels, height, width)
    if tensor.shape != wanted_4d:
        raise _shape_error(layer, tensor, f"{wanted_4d}: output, input channels, height, width")
    by_position = np.moveaxis(tensor, 1, 3).reshape(layer.out_channels, -1, channels)
    padding = problem.run - channels
    padded = np.pad(by_position, ((0, 0), (0, 0), (0, padding))) if padding else by_position
    return padded.reshape(layer.out_channels, -1)


def check_pattern(layer: Gemm | Conv, mask: Mask, pattern: Pattern) -> None:
    """Refuse weights with a group that has more non-zeros than the pattern keeps.

    Raises
    ------
    WeightsError
        With layer, row, group and count of the first such group, and how many there are.
    """
    rows, k = mask.shape
    whole = ceil_div(k, pattern.group) * pattern.group
    broken, first = 0, None
    for top in range(0, rows, ROWS_AT_ONCE):
        part = mask[top : top + ROWS_AT_ONCE]
        if whole != k:
            part = np.pad(part, ((0, 0), (0, whole - k)))
        counts = part.reshape(part.shape[0], -1, pattern.group).sum(axis=2, dtype=np.uint16)
        bad = np.argwhere(counts > pattern.keep)
        broken += len(bad)
        if first is None and len(bad):
            row, group = (int(index) for index in bad[0])
            first = top + row, group, int(counts[row, group])
    if first is not None:
        row, group, count = first
        raise WeightsError(
            f"layer {layer.name}",
            f"its weights break {pattern} in {broken} groups, first in row {row}, group {group}",
            got=f"{count} non-zeros",
            want=f"at most {pattern.keep}",
            hint="nmsim prune makes weights comply",
        )


ROWS_AT_ONCE = 4096


def with_real_indices(problem: GemmProblem, mask: Mask, hardware: Hardware) -> GemmProblem:
    """The unstructured baseline with the density and the bank conflicts of real weights."""
    assert isinstance(problem.pattern, Unstructured)
    density = Fraction(max(1, int(np.count_nonzero(mask))), mask.size)
    conflict = real_conflicts(mask, fetch_ways(hardware, problem.dtype))
    pattern = replace(problem.pattern, density=density, conflict_ratio=conflict)
    return replace(problem, pattern=pattern)


def _shape_error(layer: Layer, tensor: Tensor, want: str) -> WeightsError:
    return WeightsError(
        f"layer {layer.name}", "its tensor has another shape", got=tensor.shape, want=want
    )
