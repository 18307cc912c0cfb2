"""Masks by magnitude and at random, N:M and unstructured, and what they keep.

Ties go to the earlier position, so that equal weights give equal masks on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.sparsity import Pattern

Weights = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

BLOCK_WEIGHTS = 1 << 20
"""Weights worked on at a time, so that temporary arrays stay small."""


def magnitude_mask(weights: Weights, pattern: Pattern | str) -> Mask:
    """Keep the ``keep`` largest magnitudes of every group along k.

    Parameters
    ----------
    weights : array (rows, k)
        The last group of a row may be partial; it keeps ``min(keep, rest)``.

    Returns
    -------
    array (rows, k), bool

    Raises
    ------
    WeightsError
        If the weights are no matrix of finite numbers.
    """
    _check_matrix(weights)
    pattern = Pattern.parse(pattern)
    return _best_of_groups(weights.shape, pattern, lambda top, end: magnitudes(weights[top:end]))


def random_mask(shape: tuple[int, int], pattern: Pattern | str, seed: int) -> Mask:
    """Keep ``keep`` weights of every group at random, each choice equally likely.

    Parameters
    ----------
    shape : (rows, k)
    """
    rng = np.random.default_rng(seed)
    return _best_of_groups(
        shape,
        Pattern.parse(pattern),
        lambda top, end: rng.random((end - top, shape[1]), dtype=np.float32),
    )


def unstructured_mask(weights: Weights, density: Fraction | float) -> Mask:
    """Keep the largest magnitudes of a layer, wherever they are.

    Parameters
    ----------
    weights : array (rows, k)
    density : Fraction or float
        Kept over all, 0 to 1; the number kept is rounded to the nearest, halves up.

    Returns
    -------
    array (rows, k), bool

    Raises
    ------
    WeightsError
        If the density is none, or the weights are no matrix of finite numbers.
    """
    return global_masks({"": weights}, density)[""]


def global_masks(layers: Mapping[str, Weights], density: Fraction | float) -> dict[str, Mask]:
    """Keep the largest magnitudes of several layers together; ties go to earlier layers.

    Raises
    ------
    WeightsError
        If the density is none, or weights are no matrix of finite numbers.
    """
    for name, weights in layers.items():
        _check_matrix(weights, name or "weights")

    def keys() -> Iterator[Weights]:
        for weights in layers.values():
            for top, end in row_blocks(weights.shape):
                yield magnitudes(weights[top:end])

    kept = _largest(keys, sum(weights.size for weights in layers.values()), density)
    masks, start = {}, 0
    for name, weights in layers.items():
        masks[name] = kept[start : start + weights.size].reshape(weights.shape)
        start += weights.size
    return masks


def random_unstructured_mask(shape: tuple[int, int], density: Fraction | float, seed: int) -> Mask:
    """Keep weights at random wherever they are, exactly as many as `unstructured_mask`."""

    def keys() -> Iterator[Weights]:
        rng = np.random.default_rng(seed)
        for top, end in row_blocks(shape):
            yield rng.random((end - top, shape[1]), dtype=np.float32)

    return _largest(keys, shape[0] * shape[1], density).reshape(shape)


def largest_of_columns(keys: Weights, counts: int | npt.NDArray[np.int64]) -> Mask:
    """Keep the largest keys of every column; ties go to the earlier row.

    Parameters
    ----------
    keys : array (n, columns)
    counts : int or array (columns,)
        How many of a column to keep; more than n keeps all.
    """
    order = np.argsort(-keys, axis=0, kind="stable")
    kept = np.empty(keys.shape, dtype=np.bool_)
    np.put_along_axis(kept, order, np.arange(len(keys))[:, None] < counts, axis=0)
    return kept


def rounded_count(density: Fraction | float, size: int) -> int:
    """Weights that a density keeps of so many: the nearest number, halves up."""
    return math.floor(Fraction(density) * size + Fraction(1, 2))


def kept_magnitude(weights: Weights, mask: npt.NDArray[Any]) -> float:
    """Sum of ``|w|`` kept over sum of ``|w|``; 1 if all weights are zero.

    Parameters
    ----------
    weights, mask : array (rows, k)
    """
    kept, total = kept_and_total(weights, mask, 1)
    return kept / total if total else 1.0


def kept_energy(weights: Weights, mask: npt.NDArray[Any]) -> float:
    """Sum of w^2 kept over sum of w^2; 1 if all weights are zero."""
    kept, total = kept_and_total(weights, mask, 2)
    return kept / total if total else 1.0


def kept_and_total(weights: Weights, mask: npt.NDArray[Any], power: int) -> tuple[float, float]:
    """Sums of |w|^power, power 1 or 2: of what is kept, and of all, in float64."""
    if weights.shape != mask.shape:
        raise WeightsError("mask", "another shape", want=str(weights.shape), got=mask.shape)
    kept = total = 0.0
    for top, end in row_blocks(weights.shape):
        values = np.abs(weights[top:end].astype(np.float64)) ** power
        total += float(values.sum())
        kept += float(values.sum(where=mask[top:end].astype(bool)))
    return kept, total


def magnitudes(weights: Weights) -> Weights:
    """|w| in floats that hold it: float16 and int8 become float32 (|-128| is no int8)."""
    wide = weights if weights.dtype in (np.float32, np.float64) else weights.astype(np.float32)
    absolute: Weights = np.abs(wide)
    return absolute


def all_finite(weights: Weights) -> bool:
    """Whether no weight is NaN or infinite; an array of any shape."""
    rows = np.atleast_1d(weights)
    return weights.dtype.kind != "f" or all(
        np.isfinite(rows[top:end]).all() for top, end in row_blocks(rows.shape)
    )


def _best_of_groups(
    shape: tuple[int, ...], pattern: Pattern, keys_of: Callable[[int, int], Weights]
) -> Mask:
    """The ``keep`` largest keys, >= 0, of every group, block by block of rows."""
    rows, k = shape
    mask = np.ones((rows, k), dtype=np.bool_)
    if pattern.is_dense:
        return mask
    padded = pattern.groups(k) * pattern.group
    for top, end in row_blocks(shape):
        keys: Weights = np.ones((end - top, padded), dtype=np.float64)  # padding sorts last
        np.negative(keys_of(top, end), out=keys[:, :k])
        keys = keys.reshape(end - top, -1, pattern.group)
        best = np.argsort(keys, axis=2, kind="stable")[:, :, : pattern.keep]
        kept = np.zeros(keys.shape, dtype=np.bool_)
        np.put_along_axis(kept, best, True, axis=2)
        mask[top:end] = kept.reshape(end - top, padded)[:, :k]
    return mask


def _largest(keys: Callable[[], Iterator[Weights]], size: int, density: Fraction | float) -> Mask:
    """The ``density`` largest of ``size`` keys, >= 0; ties go to the earlier position.

    ``keys`` gives blocks of them in order, anew at each call: none but the current one is held.
    """
    if not 0 <= density <= 1:
        raise WeightsError("density", "not a density", want="0 to 1", got=float(density))
    count = rounded_count(density, size)
    if count in (0, size):
        return np.full(size, count > 0, dtype=np.bool_)
    threshold, ties = _threshold(keys, count)
    kept = np.empty(size, dtype=np.bool_)
    start = 0
    for block in keys():
        part = kept[start : start + block.size]
        np.greater(block.ravel(), threshold, out=part)
        equal = np.flatnonzero(block == threshold)[:ties]
        part[equal] = True
        ties -= equal.size
        start += block.size
    return kept


def _threshold(keys: Callable[[], Iterator[Weights]], count: int) -> tuple[np.float64, int]:
    """The ``count``-th largest key, and how many of its equals are among the ``count`` largest.

    Radix selection, 16 bits a pass: floats >= 0 are ordered as the integers of their bits.
    """
    prefix = np.uint64(0)
    for shift in (48, 32, 16, 0):
        frequency = np.zeros(1 << 16, dtype=np.int64)
        for block in keys():
            digits = block.astype(np.float64).ravel().view(np.uint64) >> np.uint64(shift)
            if shift < 48:
                digits = digits[digits >> np.uint64(16) == prefix]
            digits &= np.uint64(0xFFFF)
            frequency += np.bincount(digits.astype(np.int64), minlength=frequency.size)
        at_least = np.cumsum(frequency[::-1])[::-1]
        digit = int(np.flatnonzero(at_least >= count)[-1])
        count -= int(at_least[digit] - frequency[digit])
        prefix = (prefix << np.uint64(16)) | np.uint64(digit)
    return prefix.view(np.float64), count


def row_blocks(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """First row and end of blocks of about `BLOCK_WEIGHTS`."""
    step = max(1, BLOCK_WEIGHTS // max(1, math.prod(shape[1:])))
    for top in range(0, shape[0], step):
        yield top, min(shape[0], top + step)


def _check_matrix(weights: Weights, where: str = "weights") -> None:
    if weights.ndim != 2:
        raise WeightsError(where, "not a matrix", want="(rows, k)", got=weights.shape)
    if not all_finite(weights):
        raise WeightsError(where, "has weights that are not finite")
