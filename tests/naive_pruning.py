"""Pruning written from its definitions, slowly: what `simulator.weights.methods` is held to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from simulator.sparsity import Pattern


def gram_of(rng: np.random.Generator, k: int, correlation: float = 0.8) -> np.ndarray:
    """Inputs that share what a few hidden ones do, each at its own scale; of full rank."""
    samples = 8 * k
    hidden = rng.standard_normal((k, max(1, k // 4))) @ rng.standard_normal(
        (max(1, k // 4), samples)
    )
    inputs = correlation * hidden + (1 - correlation) * rng.standard_normal((k, samples))
    inputs *= rng.uniform(0.2, 3.0, (k, 1))
    return inputs @ inputs.T


def groups_of(k: int, pattern: Pattern, run: int | None = None) -> list[range]:
    """Columns of every group; they start anew after every run."""
    run = run or k
    return [
        range(first, min(first + pattern.group, start + run))
        for start in range(0, k, run)
        for first in range(start, start + run, pattern.group)
    ]


def masks_of(k: int, pattern: Pattern) -> Iterator[np.ndarray]:
    """Every mask of one row that keeps all that the pattern lets it."""
    choices = [
        list(combinations(group, min(pattern.keep, len(group)))) for group in groups_of(k, pattern)
    ]
    for kept in product(*choices):
        mask = np.zeros(k, dtype=bool)
        mask[[column for group in kept for column in group]] = True
        yield mask


def lost(row: np.ndarray, mask: np.ndarray, gram: np.ndarray, *, compensate: bool) -> float:
    """``|(w - w') X|^2`` of a mask: with the best w' by least squares, or with w as it was."""
    if not compensate:
        gone = np.where(mask, 0, row)
        return float(gone @ gram @ gone)
    left = np.zeros(len(row))
    left[mask] = np.linalg.solve(gram[np.ix_(mask, mask)], gram[mask] @ row)
    return float((row - left) @ gram @ (row - left))


def optimum(row: np.ndarray, pattern: Pattern, gram: np.ndarray, *, compensate: bool) -> float:
    """The least that any mask of the pattern loses."""
    return min(lost(row, m, gram, compensate=compensate) for m in masks_of(len(row), pattern))


def sparsegpt_row(
    row: np.ndarray, pattern: Pattern, gram: np.ndarray, damping: float, run: int | None = None
) -> np.ndarray:
    """SparseGPT of one row: an inverse anew at every column, and no blocks."""
    weights = row.astype(np.float64)
    hessian = gram + damping * np.mean(np.diag(gram)) * np.eye(len(row))
    inverses = [np.linalg.inv(hessian[at:, at:]) for at in range(len(row))]
    for group in groups_of(len(row), pattern, run):
        scores = [-(weights[at] ** 2) / inverses[at][0, 0] for at in group]
        pruned = np.argsort(scores, kind="stable")[pattern.keep :]
        for at in (group[place] for place in sorted(pruned)):
            weights[at:] -= weights[at] / inverses[at][0, 0] * inverses[at][0]
            weights[at] = 0
    return weights
