"""How far the model is from published measurements, data set by data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import mean, median

from simulator.errors import ConfigError, did_you_mean
from simulator.validation.datasets import DATASETS, DataSet, Point

__all__ = ["DATASETS", "DataSet", "Point", "Validation", "validate"]


@dataclass(frozen=True)
class Validation:
    """Points of a data set and the errors of the model on them, all as ratios."""

    dataset: DataSet
    points: tuple[Point, ...]

    @property
    def errors(self) -> list[float]:
        """Predicted over measured, less one."""
        return [point.predicted / point.measured - 1 for point in self.points]

    @property
    def mape(self) -> float:
        """Mean absolute error."""
        return mean(abs(error) for error in self.errors)

    @property
    def median(self) -> float:
        """Median absolute error."""
        return median(abs(error) for error in self.errors)

    @property
    def largest(self) -> float:
        return max(abs(error) for error in self.errors)

    @property
    def bias(self) -> float:
        """Mean error; negative where the model is too fast."""
        return mean(self.errors)

    @property
    def roofline_mape(self) -> float | None:
        """Mean absolute error of a roofline on the same points, where there is one."""
        errors = [
            abs(point.roofline / point.measured - 1)
            for point in self.points
            if point.roofline is not None
        ]
        return mean(errors) if errors else None


def validate(
    names: Iterable[str] = (), progress: Callable[[int, int, str], None] | None = None
) -> list[Validation]:
    """Run the model against data sets; all of them if none is named.

    Raises
    ------
    ConfigError
        If there is no such data set.
    """
    chosen = list(names) or list(DATASETS)
    for name in chosen:
        if name not in DATASETS:
            raise ConfigError(name, "no such data set", hint=did_you_mean(name, DATASETS))
    results = []
    for number, name in enumerate(chosen):
        if progress is not None:
            progress(number, len(chosen), name)
        results.append(Validation(DATASETS[name], tuple(DATASETS[name].predict())))
    if progress is not None:
        progress(len(chosen), len(chosen), "")
    return results
