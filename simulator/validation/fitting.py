"""A grid search over a few numbers, with and without each row: what fits, and how firmly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Settings = list[tuple[float, ...]]

RESAMPLES: Final = 100


@dataclass(frozen=True)
class Fit:
    """A grid search over some numbers, with and without each row.

    Attributes
    ----------
    of, keys : str, tuple of str
        Preset or data set, and its fitted numbers, as in `Fitted`.
    settings : list
        The grid: a value of every key.
    errors : array (settings, rows)
        Absolute errors, as ratios.
    """

    of: str
    keys: tuple[str, ...]
    settings: Settings
    errors: Array

    @cached_property
    def best(self) -> int:
        """The setting with the least mean error."""
        return int(self.errors.mean(axis=1).argmin())

    @cached_property
    def without_each(self) -> list[int]:
        """The best setting without each row."""
        others = self.errors.sum(axis=1, keepdims=True) - self.errors
        return [int(setting) for setting in others.argmin(axis=0)]

    @property
    def fitted_ratio(self) -> float:
        """Mean error of the best setting."""
        return float(self.errors[self.best].mean())

    @property
    def left_out_ratio(self) -> float:
        """Mean error on each row of what is fitted without it."""
        return float(np.mean([self.errors[s, row] for row, s in enumerate(self.without_each)]))

    def best_value(self, key: str) -> float:
        """What fits best."""
        return self.settings[self.best][self.keys.index(key)]

    def values(self, key: str) -> Array:
        """What is fitted without each row."""
        index = self.keys.index(key)
        return np.array([self.settings[setting][index] for setting in self.without_each])

    def spread_ratio(self, key: str) -> float:
        """Standard deviation over the mean of what is fitted without each row."""
        return _spread(self.values(key))

    def uncertainty_ratio(self, key: str) -> float:
        """Standard error over the value: of what is fitted to rows drawn with replacement.

        The spread says what hangs on single rows; this, how far another set of such rows might
        come out. Efron, Annals of Statistics 7(1), 1979: the bootstrap.
        """
        draw, rows = np.random.default_rng(0), self.errors.shape[1]
        drawn = (draw.multinomial(rows, np.full(rows, 1 / rows)) for _ in range(RESAMPLES))
        index = self.keys.index(key)
        best = [int((self.errors @ times).argmin()) for times in drawn]
        return _spread(np.array([self.settings[setting][index] for setting in best]))


def _spread(values: Array) -> float:
    """Standard deviation over the mean; of nothing but zeros, none."""
    deviation = float(values.std())
    return deviation and deviation / abs(float(values.mean()))
