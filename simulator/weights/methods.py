"""How weights are pruned: a table of methods, each of rows along k and what the layer is fed.

Magnitude looks at weights alone. Others know the inputs X (k, samples) of the layer by their Gram
matrix ``X X^T`` (k, k), and keep ``W X`` near what it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError, did_you_mean
from simulator.sparsity import Pattern, Prunable, parse_prunable
from simulator.weights.layout import Array
from simulator.weights.masks import (
    all_finite,
    magnitude_mask,
    magnitudes,
    unstructured_mask,
)
from simulator.weights.sparsegpt import energies, sparsegpt_rows

Matrix = npt.NDArray[np.float64]

DAMPING = 0.01
"""Of the mean of the diagonal of a Gram matrix, as in SparseGPT."""

ROUNDING = 1e-3
"""Share of that mean by which an eigenvalue may be below zero: sums in fp32 over many samples."""

ASYMMETRY = 1e-5
"""Share of the largest entry by which mirrored ones may differ."""


NO_GRAM: Matrix = np.zeros((0, 0))
"""For methods that do not look at it."""


@dataclass(frozen=True)
class Method:
    """A way to prune.

    Attributes
    ----------
    needs_gram : bool
        False: the Gram matrix is not looked at.
    prune : callable
        ``(rows, gram, pattern, damping) -> rows``, on arguments that `prune_rows` has checked;
        raises `LinAlgError` if the damped Gram matrix is singular.
    """

    name: str
    needs_gram: bool
    prune: Callable[[Array, Matrix, Prunable, float], Array]


def method_named(name: str, where: str = "--method") -> Method:
    """A method of the table.

    Raises
    ------
    WeightsError
        If there is none of that name.
    """
    if name not in METHODS:
        raise WeightsError(where, "no such method", got=name, hint=did_you_mean(name, METHODS))
    return METHODS[name]


def prune_rows(
    rows: Array,
    pattern: Prunable | str,
    method: str = "magnitude",
    gram: Array | None = None,
    damping: float = DAMPING,
    *,
    run: int | None = None,
    where: str = "weights",
) -> Array:
    """Rows with at most ``min(keep, rest)`` non-zeros in every group, or ``density`` of all.

    Parameters
    ----------
    rows : array (rows, k), fp32 or fp64
    gram : array (k, k), optional
        ``X X^T`` of the layer's inputs, for methods that need it.
    damping : float
        Of the mean of the diagonal, >= 0, for methods that invert the Gram matrix.
    run : int, optional
        Weights after which groups start anew: the channels of a convolution, whose rows are
        (out, kernel_h * kernel_w * channels). Default: k. Where groups do not divide it, every run
        is padded with columns of zeros while pruning, as the hardware's layout is.
    where : str
        What errors are about.

    Returns
    -------
    array (rows, k)
        Of the same dtype.

    Raises
    ------
    WeightsError
        If weights, Gram matrix or damping are none, or do not belong together.
    """
    pattern, chosen = parse_prunable(pattern), method_named(method)
    _check_rows(rows, run, where)
    checked = checked_gram(gram, rows.shape[1], method, where) if chosen.needs_gram else NO_GRAM
    if not (isinstance(damping, float | int) and 0 <= damping < math.inf):
        raise WeightsError("damping", "not a share of a mean", want="0 or more", got=damping)
    if pattern.density == 1:
        return rows.copy()
    places = _places(rows.shape[1], run, pattern)
    spread_rows, spread_gram = _spread(rows, places), checked
    if chosen.needs_gram:
        spread_gram = _spread(_spread(checked, places).T, places)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # found below
            pruned = chosen.prune(spread_rows, spread_gram, pattern, damping)
    except np.linalg.LinAlgError:
        hint = "some inputs follow from others: raise --damping"
        raise WeightsError(f"{where}: gram", "is singular", hint=hint) from None
    if not all_finite(pruned):
        raise WeightsError(where, f"{method} gives infinite weights", hint="raise --damping")
    return pruned if places is None else np.ascontiguousarray(pruned[:, places])


def importance_of(
    rows: Array, method: str = "magnitude", gram: Array | None = None, where: str = "weights"
) -> Array:
    """What a permutation of the inputs is to keep as much of as it can.

    ``|w|`` by magnitude; ``|w_i| |x_i|`` by methods that know the inputs. Model: by SparseGPT, too,
    since what its weights cost depends on the order that is searched; ``|w_i|`` over the root of
    ``[H^-1]_ii`` instead did better at 2:4 and worse at 1:4 on layers of a text recogniser.

    Returns
    -------
    array (rows, k), >= 0
    """
    _check_rows(rows, None, where)
    if not method_named(method).needs_gram:
        return magnitudes(rows)
    return _norms(rows, checked_gram(gram, rows.shape[1], method, where))


def reconstruction_error(rows: Array, pruned: Array, gram: Array) -> float:
    """``|(W - W') X|^2 / |W X|^2``, from ``X X^T`` alone: ``tr(D G D^T) / tr(W G W^T)``.

    Returns
    -------
    float
        0 where nothing changed, even if W X is zero; else infinite there.

    Raises
    ------
    WeightsError
        If the shapes do not belong together.
    """
    if rows.shape != pruned.shape or gram.shape != (rows.shape[1],) * 2:
        want = f"{rows.shape} and {(rows.shape[1],) * 2}"
        got = f"{pruned.shape} and {gram.shape}"
        raise WeightsError("reconstruction", "shapes do not belong together", want=want, got=got)
    wide, products = rows.astype(np.float64), gram.astype(np.float64)
    lost, total = (
        max(0.0, float(np.einsum("rk,rk->", part @ products, part)))
        for part in (wide - pruned, wide)
    )
    if lost == 0:
        return 0.0
    return lost / total if total else math.inf


def checked_gram(gram: Array | None, k: int, method: str, where: str = "weights") -> Matrix:
    """A Gram matrix in fp64, symmetric to the last bit.

    Raises
    ------
    WeightsError
        If there is none, or it cannot be ``X X^T`` of k inputs that are not all zero.
    """
    where = f"{where}: gram"
    if gram is None:
        raise WeightsError(where, f"{method} needs the inputs' Gram matrix", hint="calibrate")
    if gram.shape != (k, k):
        raise WeightsError(where, "another shape", want=str((k, k)), got=gram.shape)
    if not all_finite(gram):
        raise WeightsError(where, "has entries that are NaN or infinite")
    wide = gram.astype(np.float64)
    largest = float(np.abs(wide).max(initial=0.0))
    if largest == 0:
        raise WeightsError(where, "is all zeros", hint="the calibration gives this layer nothing")
    if (wide - wide.T).max() > ASYMMETRY * largest:
        raise WeightsError(where, "is not symmetric", want="X X^T")
    wide = (wide + wide.T) / 2
    raised = wide.copy()
    np.fill_diagonal(raised, wide.diagonal() + ROUNDING * wide.diagonal().mean())
    try:
        np.linalg.cholesky(raised)
    except np.linalg.LinAlgError:
        raise WeightsError(where, "is not positive semi-definite", want="X X^T") from None
    return wide


def _check_rows(rows: Array, run: int | None, where: str) -> None:
    if rows.ndim != 2 or rows.dtype not in (np.float32, np.float64):
        got = f"{rows.dtype} {rows.shape}"
        raise WeightsError(where, "not rows of weights", want="(rows, k) of fp32 or fp64", got=got)
    if not all_finite(rows):
        raise WeightsError(where, "has weights that are not finite")
    if run is not None and (run < 1 or rows.shape[1] % run):
        raise WeightsError(where, "not whole runs", want=f"a divisor of {rows.shape[1]}", got=run)


def _places(k: int, run: int | None, pattern: Prunable) -> npt.NDArray[np.int64] | None:
    """Where every column goes if runs are padded to whole groups; None if all stay."""
    if run in (None, k) or not isinstance(pattern, Pattern) or run % pattern.group == 0:
        return None
    index = np.arange(k)
    return index // run * pattern.padded(run) + index % run


def _spread(columns: Array, places: npt.NDArray[np.int64] | None) -> Array:
    """Columns at their places, and zeros between them."""
    if places is None:
        return columns
    spread = np.zeros((len(columns), places[-1] + 1), dtype=columns.dtype)
    spread[:, places] = columns
    return spread


def _masked(rows: Array, mask: npt.NDArray[np.bool_]) -> Array:
    return np.where(mask, rows, rows.dtype.type(0))


def _magnitude(rows: Array, _gram: Matrix, pattern: Prunable, _damping: float) -> Array:
    """The largest ``|w|`` of a group, or of all rows together."""
    if isinstance(pattern, Pattern):
        return _masked(rows, magnitude_mask(rows, pattern))
    return _masked(rows, unstructured_mask(rows, pattern.density))


def _wanda(rows: Array, gram: Matrix, pattern: Prunable, _damping: float) -> Array:
    """The largest ``|w_i| |x_i|`` of a group, or of all rows together.

    Source: Sun, Liu, Bair and Kolter, *A Simple and Effective Pruning Approach for Large Language
    Models*, 2023. Zeros anywhere are ranked within each row there; here over the tensor, as by
    magnitude. Equal numbers in all rows lose more wherever rows differ in scale: in 28 of 32 layers
    of a text recogniser whose batch normalisation is folded, and twice as much in the median.
    """
    keys = _norms(rows, gram)
    if isinstance(pattern, Pattern):
        return _masked(rows, magnitude_mask(keys, pattern))
    return _masked(rows, unstructured_mask(keys, pattern.density))


def _norms(rows: Array, gram: Matrix) -> Array:
    """``|w_i| |x_i|``, up to a factor."""
    energy = energies(gram)
    norms: Array = np.abs(rows) * np.sqrt(energy / energy.max())
    return norms


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("magnitude", needs_gram=False, prune=_magnitude),
        Method("wanda", needs_gram=True, prune=_wanda),
        Method("sparsegpt", needs_gram=True, prune=sparsegpt_rows),
    )
}
"""Ways to prune by their names, as ``--method`` and `prune_rows` take them."""
