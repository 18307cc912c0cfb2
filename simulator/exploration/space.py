"""The design space: the values of every axis, the full grid, and Latin hypercubes."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from simulator.errors import SpecError
from simulator.exploration.constraints import Constraint
from simulator.exploration.spec import MAX_POINTS, Axis, Sample
from simulator.hardware.load import replaced

Settings = dict[str, Any]
"""Dotted keys and their values at one point."""


@dataclass(frozen=True)
class Space:
    """What can be set, and which combinations are allowed.

    Attributes
    ----------
    axes : dict
        By dotted key.
    base : mapping
        Values of all dotted keys of the base machine, for constraints on keys that do not vary.
    """

    axes: dict[str, Axis]
    constraints: tuple[Constraint, ...] = ()
    sample: Sample | None = None
    base: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Combinations before constraints."""
        if self.sample is not None:
            return self.sample.points
        return math.prod(length_of(axis) for axis in self.axes.values())

    def __iter__(self) -> Iterator[Settings]:
        """Every allowed combination, once a time: the grid in order, or the sample."""
        drawn = self._grid() if self.sample is None else self._hypercube(self.sample)
        return (settings for settings in drawn if self.allows(settings))

    def allows(self, settings: Settings) -> bool:
        values = ChainMap(settings, replaced(settings), self.base)

        def lookup(key: str) -> Any:
            return values[key]

        return all(constraint.holds(lookup) for constraint in self.constraints)

    def _grid(self) -> Iterator[Settings]:
        values = [values_of(axis) for axis in self.axes.values()]
        for combination in product(*values):
            yield dict(zip(self.axes, combination, strict=True))

    def _hypercube(self, sample: Sample) -> Iterator[Settings]:
        """Every axis is cut into as many strata as there are points, and each is used once."""
        generator = np.random.default_rng(sample.seed)
        strata = [
            (generator.permutation(sample.points) + generator.random(sample.points)) / sample.points
            for _ in self.axes
        ]
        at = [_picker(axis) for axis in self.axes.values()]
        for number in range(sample.points):
            yield {
                key: at[index](float(strata[index][number])) for index, key in enumerate(self.axes)
            }


def is_continuous(axis: Axis) -> bool:
    """A range without steps: any value between its ends."""
    return axis.values is None and axis.step is None and axis.factor is None


def length_of(axis: Axis) -> int:
    """Values of an axis, counted without listing them.

    Raises
    ------
    ValueError
        If the axis has no steps.
    """
    if axis.values is not None:
        return len(axis.values)
    assert axis.start is not None
    assert axis.stop is not None
    if axis.step is not None:
        return int((_exact(axis.stop) - _exact(axis.start)) / _exact(axis.step)) + 1
    if axis.factor is not None:
        # A hair more, so that rounding loses no last value: 10 * 1.1 ** 2 is 12.100000000000001.
        return int(math.log(axis.stop / axis.start) / math.log(axis.factor) + 1e-9) + 1
    raise ValueError("no step and no factor")


def values_of(axis: Axis) -> list[Any]:
    """All values of an axis: whole numbers where its ends and steps are."""
    return [at(axis, index) for index in range(length_of(axis))]


def few_of(axis: Axis, most: int) -> list[Any]:
    """All values of an axis, or its ends if there are more than ``most`` or any between them."""
    if is_continuous(axis):
        return [axis.start, axis.stop]
    length = length_of(axis)
    if length <= most or axis.values is not None:
        return values_of(axis)[:most]
    return [at(axis, 0), at(axis, length - 1)]


def at(axis: Axis, index: int) -> Any:
    """A value of an axis with steps, by number."""
    if axis.values is not None:
        return axis.values[index]
    assert axis.start is not None
    if axis.step is not None:
        return _number(_exact(axis.start) + index * _exact(axis.step), axis.start, axis.step)
    assert axis.factor is not None
    if isinstance(axis.start, int) and isinstance(axis.factor, int):
        return axis.start * axis.factor**index
    return float(f"{axis.start * axis.factor**index:.12g}")


def _picker(axis: Axis) -> Any:
    """A function from 0 <= u < 1 to a value of the axis, each value as likely as any other."""
    if is_continuous(axis):
        start, stop = axis.start, axis.stop
        assert start is not None
        assert stop is not None
        if isinstance(start, int) and isinstance(stop, int):
            return lambda u: start + int(u * (stop - start + 1))
        return lambda u: float(f"{start + u * (stop - start):.12g}")
    length = length_of(axis)
    return lambda u: at(axis, int(u * length))


def _exact(number: float) -> Fraction:
    """The decimal as it was written: ten steps of 0.1 are 1."""
    return Fraction(str(number))


def _number(value: Fraction, *origins: float) -> int | float:
    return int(value) if all(isinstance(part, int) for part in origins) else float(value)


def check_size(space: Space, combinations: int, where: str) -> None:
    """Refuse a space that is empty, endless or too large; ``combinations`` run each setting.

    Raises
    ------
    SpecError
    """
    points = space.size * combinations
    if points > MAX_POINTS:
        raise SpecError(
            where,
            "too many points",
            got=points,
            want=f"at most {MAX_POINTS}",
            hint="take a sample of it: sample: {points: 1000}",
        )
