"""Times between those that were simulated, as far as they can be guessed.

A network's layers wait for one resource, for the slower of two, or for both in turn. So its time is
guessed as a sum of such parts, none of them negative, fitted to the times that are known. What is
left over is carried to points nearby. It only decides what to simulate next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ROUNDS: Final = 1000
"""Of the fit, which nears its end ever more slowly."""
REACH: Final = 0.5
"""How far what is left over is carried: a quarter of the way from what there is to endless."""
NOISE: Final = 1e-3


@dataclass(frozen=True)
class Guess:
    """A fit to known times.

    Attributes
    ----------
    shares : array (points, axes)
        Reciprocal factors of the points that are known: what is left of a wait for each resource.
    parts : array (features,)
    left_over : array (points,)
        Weights of what is left over, of logarithms.
    """

    shares: Array
    parts: Array
    left_over: Array

    @classmethod
    def of(cls, factors: Array, times: Array) -> Guess:
        """Fit known times (points,) at so much more of everything (points, axes)."""
        shares = 1 / factors
        features = _features(shares)
        parts = _fitted(features / times[:, None])
        missing = np.log(times / (features @ parts))
        near = _nearness(shares, shares) + NOISE * np.eye(len(times))
        left_over = np.linalg.solve(near, missing)
        return cls(shares, parts, np.asarray(left_over, dtype=np.float64))

    def times(self, factors: Array) -> Array:
        """Guessed ones (points,)."""
        shares = 1 / factors
        carried = _nearness(shares, self.shares) @ self.left_over
        times: Array = _features(shares) @ self.parts * np.exp(carried)
        return times


def _features(shares: Array) -> Array:
    """A constant; each resource; of each pair, the slower one and both in turn."""
    one, other = _pairs(shares.shape[1])
    first, second = shares[:, one], shares[:, other]
    constant = np.ones((len(shares), 1))
    return np.hstack([constant, shares, np.maximum(first, second), first * second])


@cache
def _pairs(axes: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    one, other = np.triu_indices(axes, 1)
    return one, other


def _fitted(features: Array) -> Array:
    """Weights, none negative, with which features come near to 1 at every point.

    Lee and Seung's multiplicative rule: what is positive stays so.
    """
    gram, aim = features.T @ features, features.sum(axis=0)
    parts = np.full(features.shape[1], 1 / features.sum(axis=1).mean())
    for _ in range(ROUNDS):
        parts *= aim / (gram @ parts)
    return parts


def _nearness(shares: Array, others: Array) -> Array:
    """1 where points are one, near 0 where they are far apart (points, others)."""
    squares = ((shares[:, None] - others[None]) ** 2).sum(axis=2)
    nearness: Array = np.exp(-squares / (2 * REACH**2))
    return nearness
