"""The grid on which a machine is looked for: resources in steps, and what each point costs.

A step is a quarter of a doubling, `STEP`. Values are as a person would write them: whole where the
key counts something, sizes in few binary digits, all others in three digits; doublings are exact.
What is simulated, priced and written is the rounded value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.decisions.requirement.prices import AREA, Priced
from simulator.errors import ConfigError, SpecError
from simulator.hardware import Hardware, load_hardware
from simulator.hardware.area import area_parts
from simulator.hardware.resources import COUNTS, Resource

Array = npt.NDArray[np.float64]
Point = tuple[int, ...]
"""Steps of every axis; all 0 is the machine as it is."""
Settings = dict[str, float]

STEP: Final = 2**0.25
MOST: Final = 16.0
"""Unless told otherwise, nothing grows by more."""
LARGEST_MOST: Final = 1024.0

DIGITS: Final = 3
SIZE_BITS: Final = 7
"""Significant ones of a size: 196 KiB, not 194.4."""

MULTIPLIES: Final = "cores"
"""The resource of which more makes the area of the others larger, but for what cores share."""


@dataclass(frozen=True)
class Axis:
    """A resource and its steps, of which no two are one machine; step 0 changes nothing.

    Attributes
    ----------
    factors : array (steps,)
        Before values were rounded.
    settings : tuple of dict
        Values of dotted keys at every step.
    parts : array (steps, parts)
        Area of the machine's parts, were this all that changes; of as-is where it is not counted.
    """

    priced: Priced
    factors: Array
    settings: tuple[Settings, ...]
    parts: Array

    @property
    def name(self) -> str:
        return self.priced.name

    @property
    def top(self) -> int:
        """The last step."""
        return len(self.factors) - 1

    @property
    def is_less(self) -> bool:
        """Whether its first key falls as there is more of it, as latencies do."""
        return self.priced.resource.keys[0][1] < 0

    @property
    def is_counted(self) -> bool:
        """Whether its price is the area that it adds."""
        return self.priced.price == AREA

    @cached_property
    def weights(self) -> Array:
        """Price of every step where no area is counted (steps,)."""
        weights: Array = self.priced.weight * np.log2(self.factors)
        return weights


@dataclass(frozen=True)
class Steps:
    """The grid: the machine as it is, and the resources that it has and that may grow."""

    machine: Hardware
    axes: tuple[Axis, ...]

    @property
    def top(self) -> Point:
        """As much of everything as there may be."""
        return tuple(axis.top for axis in self.axes)

    @property
    def start(self) -> Point:
        return (0,) * len(self.axes)

    @property
    def all_free(self) -> Point:
        """As much as there may be of what costs nothing, and no more of the rest."""
        return tuple(0 if axis.weights[-1] or axis.is_counted else axis.top for axis in self.axes)

    def settings(self, point: Point) -> Settings:
        """Dotted keys that differ from the machine as it is, and their values."""
        found: Settings = {}
        for axis, step in zip(self.axes, point, strict=True):
            found |= axis.settings[step]
        return found

    def factors(self, points: Sequence[Point] | npt.NDArray[np.int64]) -> Array:
        """How much more of everything (points, axes)."""
        columns = np.asarray(points).T
        return np.array([a.factors[c] for a, c in zip(self.axes, columns, strict=True)]).T

    def prices(self, points: Sequence[Point] | npt.NDArray[np.int64]) -> Array:
        """Area added, as a share of what there is, and the weights of doublings (points,).

        The same as if every machine were made and its area estimated: axes add to different parts,
        or to a sum, but for the number of cores, which multiplies what is in a core.
        """
        steps, base = np.asarray(points), self._base
        prices: Array = self._weights[np.arange(len(self.axes)), steps].sum(axis=1) - 1
        added, times = np.tile(base, (len(steps), 1)), 1.0
        for axis, column in zip(self.axes, steps.T, strict=True):
            if axis.name == MULTIPLIES:
                times = (axis.parts / np.where(base > 0, base, 1))[column]
            elif axis.is_counted:
                added += (axis.parts - base)[column]
        prices += (added * times).sum(axis=1) / base.sum()
        return prices

    def price(self, point: Point) -> float:
        return float(self.prices([point])[0])

    @cached_property
    def _weights(self) -> Array:
        """Price of doublings (axes, steps)."""
        weights = np.zeros((len(self.axes), max(self.top) + 1))
        for at, axis in enumerate(self.axes):
            weights[at, : axis.top + 1] = axis.weights
        return weights

    @cached_property
    def _base(self) -> Array:
        return np.array([*area_parts(self.machine).values()])


def steps_of(machine: Hardware, resources: Sequence[Priced], most: float = MOST) -> Steps:
    """The grid of a machine; resources that it lacks are left out.

    Raises
    ------
    SpecError
        If ``most`` is no factor, the machine has nothing that may grow, or a price is its area of
        which nothing is counted.
    """
    if not 1 < most <= LARGEST_MOST:
        raise SpecError("--most", "not a factor", want=f"above 1, to {LARGEST_MOST:g}", got=most)
    tree = machine.model_dump(mode="json")
    axes = (_axis(machine, tree, one, most) for one in resources)
    found = tuple(axis for axis in axes if axis.top)
    for axis in found:
        if axis.is_counted and np.allclose(axis.parts[0], axis.parts[-1]):
            what = f"{axis.name}: its price is its area, of which nothing is counted"
            raise SpecError("prices", what, want="a number for a doubling")
    if not found:
        raise SpecError(machine.name, "has none of the resources that are priced or free")
    return Steps(machine, found)


def _axis(machine: Hardware, tree: Mapping[str, Any], one: Priced, most: float) -> Axis:
    """Steps up to the last one that is a machine."""
    factors, settings, parts = [1.0], [Settings()], [_areas(machine)]
    for step in range(1, math.floor(math.log(most, STEP) + 1e-9) + 1):
        factor = STEP**step
        values = _natural(tree, one.resource, factor)
        if not values or values == settings[-1]:
            continue
        try:
            changed = load_hardware(machine, values)
        except ConfigError:
            break
        factors.append(factor)
        settings.append(values)
        parts.append(_areas(changed) if one.price == AREA else parts[0])
    return Axis(one, np.array(factors), tuple(settings), np.array(parts))


def _areas(machine: Hardware) -> list[float]:
    return [*area_parts(machine).values()]


def _natural(tree: Mapping[str, Any], resource: Resource, factor: float) -> Settings:
    """Values of a resource's keys, those that differ from the machine as it is."""
    doublings = math.log2(factor)
    is_whole = abs(doublings - round(doublings)) < 1e-9
    exact = 2.0 ** round(doublings) if is_whole else factor
    before = resource.settings(tree, 1)
    after = resource.settings(tree, exact)
    values = {
        key: _tidy(key, float(value), is_whole)  # type: ignore[arg-type]  # keys are numbers
        for key, value in after.items()
    }
    return {key: value for key, value in values.items() if value != before[key]}


def _tidy(key: str, value: float, is_whole: bool) -> float:
    """A value as a person would write it."""
    last = key.rpartition(".")[2]
    if not is_whole:
        value = ROUNDED.get(last, _three_digits)(value)
    return int(value) if last in COUNTS or value.is_integer() else value


def _three_digits(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _size(value: float) -> float:
    """A size in few binary digits; one that has few stays as it is."""
    unit = 2.0 ** max(0, math.floor(math.log2(value)) + 1 - SIZE_BITS)
    return round(value / unit) * unit


def _power_of_two(value: float) -> float:
    return 2.0 ** round(math.log2(value))


ROUNDED: Final[dict[str, Callable[[float], float]]] = {
    "bytes": _size,
    "alignment_bytes": _power_of_two,
    "count": round,
}
"""By the last word of a key."""
