"""A permutation that raises what N:M keeps: channels along k in another order, for all rows.

Greedy swaps of two channels of different groups, until none helps; then some random swaps and
again, keeping the best: after channel permutations of NVIDIA's apex (Pool and Yu, NeurIPS 2021),
with the gain of a swap found from thresholds of each row instead of sorting. Magnitudes are
integers while searching, so that the result depends on nothing but weights, seed and budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.sparsity import Pattern
from simulator.weights.masks import kept_and_total, magnitude_mask, magnitudes

LEVELS = 1 << 22
"""Steps into which the largest magnitude is divided; sums over 2**41 rows fit int64."""

BUDGET = 1 << 29
"""Rows compared at most, each for one pair of channels: about a second."""

LARGEST_SEARCHED_GROUP = 64
"""Sorting a group's channels row by row costs its square."""

SWAPS_PER_RESTART = 3
RESTARTS = 500
"""At most, so that small matrices do not spend the whole budget."""


@dataclass(frozen=True)
class Permutation:
    """A permutation of channels and what it gives.

    Attributes
    ----------
    order : array (k,), int64
        ``weights[:, order]`` is what to prune.
    kept_before, kept_after : float
        Sum of the magnitudes that the pattern keeps, before and after.
    """

    order: npt.NDArray[np.int64]
    kept_before: float
    kept_after: float


def search_permutation(
    weights: npt.NDArray[Any], pattern: Pattern | str, seed: int = 0, budget: int = BUDGET
) -> Permutation:
    """Search a permutation of channels under which ``pattern`` keeps more.

    Parameters
    ----------
    weights : array (rows, k)
    budget : int
        Rows times pairs of channels to compare, whatever the time that takes.

    Returns
    -------
    Permutation
        Never worse than the identity.

    Raises
    ------
    WeightsError
        If the weights are no matrix of finite numbers, or the group is above 64.
    """
    pattern = Pattern.parse(pattern)
    if pattern.group > LARGEST_SEARCHED_GROUP:
        want = f"a group up to {LARGEST_SEARCHED_GROUP}"
        raise WeightsError("permutation", "group too large", want=want, got=str(pattern))
    before = _kept(weights, pattern)
    identity = np.arange(weights.shape[1], dtype=np.int64)
    if pattern.is_dense or weights.shape[1] <= pattern.group or not before:
        return Permutation(identity, before, before)
    places = _search(_channels(weights, pattern.group), pattern, seed, budget)
    order = places[: weights.shape[1]]  # padding stays at the end
    after = _kept(weights[:, order], pattern)
    if after <= before:
        return Permutation(identity, before, before)
    return Permutation(order, before, after)


def _search(
    channels: npt.NDArray[np.int32], pattern: Pattern, seed: int, budget: int
) -> npt.NDArray[np.int64]:
    """Iterated local search; returns the channel at each place."""
    from simulator.weights.kernels import improve_by_swaps

    rng = np.random.default_rng(seed)
    k, rows = channels.shape
    pairs = budget // rows
    scratch = (
        np.empty_like(channels),
        np.zeros(k, dtype=np.int64),
        np.zeros(pattern.group, dtype=np.int32),
        np.zeros(pattern.group, dtype=np.int64),
    )
    movable = int(np.count_nonzero(channels[:, 0] >= 0))  # padding has -1 and stays
    best = np.arange(k, dtype=np.int64)
    places, best_gain, disturbed = best.copy(), 0, 0
    for _ in range(RESTARTS):
        orders = rng.permutation(movable), rng.permutation(movable)
        gain, tried = improve_by_swaps(
            channels, places, pattern.keep, pattern.group, *orders, *scratch, pairs
        )
        pairs -= tried
        if gain + disturbed > best_gain:
            best, best_gain = places.copy(), gain + disturbed
        if pairs <= 0:
            break
        places = best.copy()
        before = _kept_integers(channels[places], pattern)
        for _ in range(SWAPS_PER_RESTART):
            a, b = rng.integers(0, movable, size=2)
            places[[a, b]] = places[[b, a]]
        disturbed = best_gain + _kept_integers(channels[places], pattern) - before
    return best


def _channels(weights: npt.NDArray[Any], group: int) -> npt.NDArray[np.int32]:
    """Magnitudes as integers, one channel after another, padded with -1 to whole groups."""
    rows, k = weights.shape
    channels = np.full((-(-k // group) * group, rows), -1, dtype=np.int32)
    values = magnitudes(weights)
    scale = LEVELS / float(values.max())
    channels[:k] = np.rint(values.T.astype(np.float64) * scale)
    return channels


def _kept_integers(channels: npt.NDArray[np.int32], pattern: Pattern) -> int:
    groups = channels.reshape(-1, pattern.group, channels.shape[1])
    largest = np.partition(groups, pattern.group - pattern.keep, axis=1)
    kept = largest[:, pattern.group - pattern.keep :]
    return int(kept.sum(dtype=np.int64))


def _kept(weights: npt.NDArray[Any], pattern: Pattern) -> float:
    return kept_and_total(weights, magnitude_mask(weights, pattern), 1)[0]
