"""SparseGPT: weights are pruned column by column, and those not yet visited make up for it.

Source: Frantar and Alistarh, *SparseGPT: Massive Language Models Can Be Accurately Pruned in
One-Shot*, ICML 2023, after optimal brain surgery: pruning weight p of a row w costs
``w_p^2 / [H^-1]_pp`` of ``|(w - w') X|^2`` where the others move by ``-w_p / [H^-1]_pp H^-1_p``.
Columns are visited in one order for all rows, so that one factor ``H^-1 = U^T U`` serves them all:
its row p holds ``H^-1_p`` of the columns not yet visited, over the root of its diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from simulator.sparsity import Pattern, Prunable
from simulator.weights.layout import Array
from simulator.weights.masks import largest_of_columns, rounded_count

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

BLOCK_COLUMNS = 128
"""Columns whose errors reach all later ones together, as in the paper; a multiple of the group."""

SINGULAR = 1e-11
"""Share of an input's energy that the others do not tell; less is rounding of fp64."""

LEAF = 64
"""Up to this size a triangle is inverted at once."""


def sparsegpt_rows(rows: Array, gram: Matrix, pattern: Prunable, damping: float) -> Array:
    """Rows of which ``pattern`` is left, those left changed so that ``rows @ X`` changes little.

    A group keeps the ``keep`` largest ``w^2 / U_pp^2``, seen when its first column is visited.
    Of an unstructured pattern every block of 128 columns keeps its share over all rows, as in the
    paper; shares add up to the exact count. Weights that were zero may become something else in
    slots that are free.

    Parameters
    ----------
    rows : array (rows, k)
    gram : array (k, k), float64
        ``X X^T``, symmetric.
    damping : float
        Added to the diagonal of the Gram matrix, as a share of its mean; see `damped`.

    Raises
    ------
    LinAlgError
        If the damped Gram matrix is singular.
    """
    factor = inverse_factor(gram, damping)
    columns = np.array(rows.T, dtype=np.float64, order="C")  # a column is contiguous
    group = pattern.group if isinstance(pattern, Pattern) else BLOCK_COLUMNS
    width = group * max(1, BLOCK_COLUMNS // group)
    for start in range(0, len(columns), width):
        end = min(start + width, len(columns))
        choose = _chooser(pattern, start, end, rows.shape[0])
        errors = _prune_block(columns[start:end], factor[start:end, start:end], group, choose)
        columns[end:] -= factor[start:end, end:].T @ errors
    return np.ascontiguousarray(columns.T, dtype=rows.dtype)


def _chooser(pattern: Prunable, start: int, end: int, rows: int) -> Callable[[Matrix], Mask]:
    """What to keep of scores (columns, rows): of a group, or of the block from start to end."""
    if isinstance(pattern, Pattern):
        return lambda scores: largest_of_columns(scores, pattern.keep)
    count = _share(pattern.density, start, end, rows)
    return lambda scores: largest_of_columns(scores.reshape(-1, 1), count).reshape(scores.shape)


def _share(density: Fraction, start: int, end: int, rows: int) -> int:
    """Weights that columns from start to end keep, so that all add up to the rounded count."""
    return rounded_count(density, end * rows) - rounded_count(density, start * rows)


def _prune_block(
    columns: Matrix, factor: Matrix, group: int, choose: Callable[[Matrix], Mask]
) -> Matrix:
    """Prune columns (columns, rows) in place; returns what later ones are to make up for.

    Returns
    -------
    array (columns, rows)
        Weights pruned away as they were when visited, over ``U_pp``.
    """
    errors = np.empty_like(columns)
    scales = factor.diagonal()
    for first in range(0, len(columns), group):
        end = min(first + group, len(columns))
        kept = choose(np.square(columns[first:end] / scales[first:end, None]))
        for at in range(first, end):
            errors[at] = np.where(kept[at - first], 0.0, columns[at] / scales[at])
            columns[at] = np.where(kept[at - first], columns[at], 0.0)
            columns[at + 1 :] -= factor[at, at + 1 :, None] * errors[at]
    return errors


def inverse_factor(gram: Matrix, damping: float) -> Matrix:
    """The upper triangle U with ``U^T U = H^-1``, of H the damped Gram matrix.

    With V upper and ``V V^T = H``, U is the inverse of V, and V is a Cholesky factor with rows
    and columns in reverse: H is never inverted.

    Raises
    ------
    LinAlgError
        If H is singular up to rounding, which a damping above zero prevents.
    """
    hessian = damped(gram, damping)
    lower: Matrix = np.linalg.cholesky(hessian[::-1, ::-1]).astype(np.float64, copy=False)
    untold = np.square(lower.diagonal()) / hessian.diagonal()[::-1]  # by the other columns
    if untold.min() <= SINGULAR:
        raise np.linalg.LinAlgError
    return inverse_upper(lower[::-1, ::-1])


def damped(gram: Matrix, damping: float) -> Matrix:
    """The Gram matrix with ``damping`` times the mean of its diagonal on its diagonal.

    Model: inputs that are always zero are no part of the mean and are not damped, so that they
    change nothing for others, and their weights are pruned first.
    """
    hessian, alive = gram.copy(), gram.diagonal() > 0
    mean = gram.diagonal().mean(where=alive)
    np.fill_diagonal(hessian, energies(gram) + np.where(alive, damping * mean, 0.0))
    return hessian


def energies(gram: Matrix) -> npt.NDArray[np.float64]:
    """Sums of squares of every input; of inputs that are always zero, next to nothing.

    So weights of such inputs are pruned before all others, the smallest first.
    """
    diagonal = gram.diagonal()
    least = diagonal.min(where=diagonal > 0, initial=diagonal.max())
    return np.where(diagonal > 0, diagonal, least * 1e-12)


def inverse_upper(upper: Matrix) -> Matrix:
    """The inverse of an upper triangle, by halves: numpy has no solver for triangles."""
    size = len(upper)
    if size <= LEAF:
        return np.triu(np.linalg.inv(upper))
    half = size // 2
    inverse = np.zeros_like(upper)
    inverse[:half, :half] = inverse_upper(upper[:half, :half])
    inverse[half:, half:] = inverse_upper(upper[half:, half:])
    inverse[:half, half:] = -inverse[:half, :half] @ upper[:half, half:] @ inverse[half:, half:]
    return inverse
