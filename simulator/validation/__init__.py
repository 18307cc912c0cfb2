"""How far the model is from published measurements, data set by data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan
from statistics import mean, median
from typing import Final

from simulator.errors import ConfigError, did_you_mean
from simulator.validation.datasets import DATASETS
from simulator.validation.measurement import DataSet, Measurement

__all__ = ["DATASETS", "DataSet", "Measurement", "Validation", "validate"]


FAMILY_ROWS: Final = 8
"""From so many rows on a family is held to a bound by itself, at twice the data set's."""

FAMILY_FACTOR: Final = 2


@dataclass(frozen=True)
class Validation:
    """Points of a data set and the errors of the model on them, all as ratios.

    Unless it says so, a figure is of the points that count; see `Measurement.set_aside`. Means are
    not a number where none does.
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
        return _mean_error(self.counted)

    @property
    def mape_of_all(self) -> float:
        """Mean absolute error over every published row, those set aside included."""
        return _mean_error(self.points)

    @property
    def median(self) -> float:
        """Median absolute error."""
        return median(abs(point.error) for point in self.counted) if self.counted else nan

    @property
    def worst(self) -> Measurement | None:
        """The point with the largest absolute error."""
        return max(self.counted, key=lambda point: abs(point.error), default=None)

    @property
    def bias(self) -> float:
        """Mean error; negative where the model is too fast."""
        return mean(point.error for point in self.counted) if self.counted else nan

    @property
    def roofline_mape(self) -> float:
        """Mean absolute error of a roofline on the same points; not a number where none has one."""
        errors = [
            abs(point.roofline / point.measured - 1)
            for point in self.counted
            if point.roofline is not None
        ]
        return mean(errors) if errors else nan

    @property
    def fitted(self) -> bool:
        """Whether fits have seen these points; of what `lines` gives, all or none."""
        return any(point.fitted for point in self.points)

    def lines(self) -> list[Validation]:
        """Points that a fit has seen, and points that none has: no figure is of both."""
        halves = [tuple(p for p in self.points if p.fitted is seen) for seen in (True, False)]
        return [replace(self, points=half) for half in halves if half]

    def parts(self) -> dict[str, Validation]:
        """The counted points of each part that has a name."""
        return self._grouped(lambda point: point.part)

    def families(self) -> dict[str, Validation]:
        """The counted points of each family that is held to a bound by itself."""
        families = self._grouped(lambda point: point.family)
        return {name: rows for name, rows in families.items() if len(rows.points) >= FAMILY_ROWS}

    def _grouped(self, name: Callable[[Measurement], str]) -> dict[str, Validation]:
        names = dict.fromkeys(name(point) for point in self.counted)
        groups = {group: tuple(p for p in self.counted if name(p) == group) for group in names}
        return {group: replace(self, points=points) for group, points in groups.items() if group}

    def to_html(self, commands: Mapping[str, str] | None = None) -> str:
        """One HTML file to click through; `simulator.validation.paged` has one of several sets."""
        from simulator.validation.paged import validation_html

        return validation_html([self], commands)

    def set_aside(self) -> dict[str, int]:
        """How many rows are not counted, by reason."""
        reasons = [point.set_aside for point in self.points if point.set_aside]
        return {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}


def _mean_error(points: Sequence[Measurement]) -> float:
    return mean(abs(point.error) for point in points) if points else nan


def validate(
    names: Iterable[str] = (), progress: Callable[[int, int, str], None] | None = None
) -> list[Validation]:
    """Run the model against data sets, each once; all of them if none is named.

    Parameters
    ----------
    names : iterable of str
        Of data sets, or what the names of several begin with: ``networks``.
    progress : callable, optional
        Called with (data sets done, data sets in all, name of the next one).

    Raises
    ------
    ConfigError
        If there is no such data set.
    """
    chosen = list(dict.fromkeys(one for name in names for one in _named(name))) or list(DATASETS)
    results = []
    for number, name in enumerate(chosen):
        if progress is not None:
            progress(number, len(chosen), name)
        results.append(Validation(DATASETS[name], tuple(DATASETS[name].predict())))
    if progress is not None:
        progress(len(chosen), len(chosen), "")
    return results


def _named(name: str) -> list[str]:
    """The data set of that name, or those whose names go on after it."""
    found = [name] if name in DATASETS else [n for n in DATASETS if n.startswith(f"{name}-")]
    if not found:
        raise ConfigError(name, "no such data set", hint=did_you_mean(name, DATASETS))
    return found
