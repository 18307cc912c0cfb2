"""Differences over the seeds that two recipes share, and what may be concluded from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "does not", "undecided"]

T_QUANTILES = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Of Student's distribution at 97.5 %, for 1, 2, ... degrees of freedom; more are taken as 30."""


@dataclass(frozen=True)
class Spread:
    """Of one figure over seeds.

    Attributes
    ----------
    mean : float
    deviation : float or None
        Standard deviation, ``n - 1`` below; None of a single seed.
    """

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        mean = math.fsum(values) / len(values)
        if len(values) == 1:
            return cls(mean, None)
        squares = math.fsum((value - mean) ** 2 for value in values)
        return cls(mean, math.sqrt(squares / (len(values) - 1)))


@dataclass(frozen=True)
class Paired:
    """A difference that every seed gives once: what seeds have in common falls out.

    Attributes
    ----------
    mean : float
    error : float or None
        Standard error of the mean; None of a single seed, which tells nothing of chance.
    seeds : int
    """

    mean: float
    error: float | None
    seeds: int

    @classmethod
    def of(cls, differences: Sequence[float]) -> Paired:
        """Of one difference a seed, at least one."""
        spread = Spread.of(differences)
        seeds = len(differences)
        error = None if spread.deviation is None else spread.deviation / math.sqrt(seeds)
        return cls(spread.mean, error, seeds)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true mean lies with 95 %, by Student's t; without bounds for a single seed."""
        if self.error is None:
            return -math.inf, math.inf
        reach = T_QUANTILES[min(self.seeds - 1, len(T_QUANTILES)) - 1] * self.error
        return self.mean - reach, self.mean + reach

    def above(self, least: float) -> Verdict:
        """Whether the true mean is above ``least``.

        It *holds* where the whole interval lies above, *does not* where all of it lies below, and
        is *undecided* where ``least`` lies within.
        """
        low, high = self.interval
        if low > least:
            return "holds"
        return "does not" if high < least else "undecided"
