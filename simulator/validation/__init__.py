"""How far the model is from published measurements, data set by data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from statistics import mean, median

from simulator.errors import ConfigError, did_you_mean
from simulator.validation.datasets import DATASETS
from simulator.validation.measurement import DataSet, Measurement

__all__ = ["DATASETS", "DataSet", "Measurement", "Validation", "validate"]


@dataclass(frozen=True)
class Validation:
    """Points of a data set and the errors of the model on them, all as ratios.

    Unless it says so, a figure is of the points that count; see `Measurement.set_aside`.
    """

    dataset: DataSet
    points: tuple[Measurement, ...]

    @cached_property
    def counted(self) -> tuple[Measurement, ...]:
        """The points that the model is held to."""
        return tuple(point for point in self.points if not point.set_aside)

    @property
    def mape(self) -> float:
        """Mean absolute error."""
        return mean(abs(point.error) for point in self.counted)

    @property
    def mape_of_all(self) -> float:
        """Mean absolute error over every published row, those set aside included."""
        return mean(abs(point.error) for point in self.points)

    @property
    def median(self) -> float:
        """Median absolute error."""
        return median(abs(point.error) for point in self.counted)

    @property
    def worst(self) -> Measurement:
        """The point with the largest absolute error."""
        return max(self.counted, key=lambda point: abs(point.error))

    @property
    def bias(self) -> float:
        """Mean error; negative where the model is too fast."""
        return mean(point.error for point in self.counted)

    @property
    def roofline_mape(self) -> float | None:
        """Mean absolute error of a roofline on the same points, where there is one."""
        errors = [
            abs(point.roofline / point.measured - 1)
            for point in self.counted
            if point.roofline is not None
        ]
        return mean(errors) if errors else None

    def parts(self) -> dict[str, tuple[int, float]]:
        """Number of points and mean absolute error of each part, where there are several."""
        errors: dict[str, list[float]] = {}
        for point in self.counted:
            errors.setdefault(point.part, []).append(abs(point.error))
        return {part: (len(e), mean(e)) for part, e in errors.items()} if len(errors) > 1 else {}

    def set_aside(self) -> dict[str, int]:
        """How many rows are not counted, by reason."""
        reasons = [point.set_aside for point in self.points if point.set_aside]
        return {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}


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
