"""A grid search over a few numbers, with and without each row: what fits, and how firmly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Settings = list[tuple[float, ...]]


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
        rows = range(self.errors.shape[1])
        means = (np.delete(self.errors, row, axis=1).mean(axis=1) for row in rows)
        return [int(mean.argmin()) for mean in means]

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
        values = self.values(key)
        return float(values.std() / values.mean())
