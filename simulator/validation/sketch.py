"""Times of measured products under given constants: simulated, and sketched around a setting.

Around a setting every constant is moved by itself to a few values, the ends of its range included,
and all rows are simulated there. A *sketch* takes times as linear between those values, and what
several constants change as a sum. It answers at once, so that a grid can be searched on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

import numpy as np

from simulator.errors import SimulatorError, WorkloadError
from simulator.hardware import Hardware, load_hardware
from simulator.run.simulate import simulate
from simulator.validation.constants import KERNEL_START, Constant
from simulator.validation.fitting import Array
from simulator.validation.measured import MeasuredGemm
from simulator.workload import Workload

Progress = Callable[[int, int, str], None]

NEAR_RATIO: Final = 0.06
"""Of a constant's range: how far from the middle of a sketch the inner values lie."""
SHOWN_RATIO: Final = 0.02
"""A row shows a constant if its time changes by so much between the inner values."""

AROUND: Final = (-0.25, -0.1, -0.04, -0.015, -0.005, 0, 0.005, 0.015, 0.04, 0.1, 0.25)
"""Of a grid around a setting, in ranges of each constant: all combinations, far and near, so that a
search also finds its way where one constant makes up for another."""
SCALES: Final = (1.0, 0.2)
MOST_STEPS: Final = 30


def by_themselves(hardware: Hardware) -> Hardware:
    """A machine as products find it that are measured one by one, each in the library that its row
    is about: nothing is carried from one to the next, and no sparse one runs dense."""
    changes: dict[str, object] = {"library.dense_where_faster": False}
    if hardware.memory.l2.start == "carried":
        changes["memory.l2.start"] = "cold"
    return load_hardware(hardware, changes)


@dataclass
class Model:
    """What the machine takes for all rows under given constants; each setting is simulated once."""

    hardware: Hardware
    rows: Sequence[MeasuredGemm]
    progress: Progress | None = None
    _known: dict[tuple[tuple[str, float], ...], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.measured_ns = np.array([row.time_ns for row in self.rows])
        self.workload = Workload("measurements", [row.gemm for row in self.rows])
        self.machine = by_themselves(self.hardware)

    def times_ns(self, values: Mapping[str, float]) -> Array:
        """Times of all rows. A kernel's start is added, not simulated: it comes before all work."""
        others = {key: value for key, value in values.items() if key != KERNEL_START}
        start = values.get(KERNEL_START, self.hardware.kernel_start_ns)
        known = tuple(sorted(others.items()))
        if known not in self._known:
            if self.progress is not None:
                self.progress(len(self._known), 0, "settings simulated")
            self._known[known] = self._simulated(others)
        return self._known[known] + start

    def error_ratio(self, values: Mapping[str, float]) -> float:
        """Mean absolute error."""
        return float(np.abs(self.times_ns(values) / self.measured_ns - 1).mean())

    def _simulated(self, values: Mapping[str, float]) -> Array:
        """Large products in part: the search asks for them dozens of times."""
        hardware = load_hardware(self.machine, {**values, KERNEL_START: 0})
        try:
            report = simulate(hardware, self.workload, accuracy="sampled", allow_overflow=True)
        except SimulatorError as error:
            path = self.rows[0].where.rpartition(":")[0]
            raise WorkloadError(path, f"cannot be simulated: {error}") from None
        return np.array([layer.time_ns for layer in report.layers])


@dataclass(frozen=True)
class Sketch:
    """Times around a setting: a sum of what each constant changes by itself.

    Attributes
    ----------
    middle : array (constants,)
    nodes : tuple of array (values,)
        Of each constant, rising; where the rows were simulated.
    changes : tuple of array (values, rows)
        By how much a value of a constant changes the times in the middle.
    """

    measured_ns: Array
    middle: Array
    middle_ns: Array
    nodes: tuple[Array, ...]
    changes: tuple[Array, ...]

    def errors(self, settings: Array) -> Array:
        """Absolute errors (settings, rows) at some settings (settings, constants)."""
        times = np.tile(self.middle_ns, (len(settings), 1))
        for values, nodes, changes in zip(settings.T, self.nodes, self.changes, strict=True):
            above = np.clip(np.searchsorted(nodes, values), 1, len(nodes) - 1)
            share = (values - nodes[above - 1]) / (nodes[above] - nodes[above - 1])
            times += changes[above - 1] + share[:, None] * (changes[above] - changes[above - 1])
        return np.abs(times / self.measured_ns - 1)

    @property
    def ends(self) -> Array:
        """Lowest and highest values (2, constants)."""
        return np.array([[nodes[0], nodes[-1]] for nodes in self.nodes]).T

    def best(self) -> Array:
        """The setting with the least mean error: grids around the last best, then finer ones."""
        best = self.middle
        for scale in SCALES:
            for _ in range(MOST_STEPS):
                last, settings = best, self.around(best, scale)
                best = settings[self.errors(settings).mean(axis=1).argmin()]
                if np.array_equal(last, best):
                    break
        return best

    def around(self, setting: Array, scale: float = 1.0) -> Array:
        """A grid (settings, constants) around a setting."""
        low, high = self.ends
        offsets = scale * np.array(list(product(AROUND, repeat=len(low))))
        return np.unique(np.clip(setting + offsets * (high - low), low, high), axis=0)

    def shown_by(self, number: int) -> int:
        """How many rows show a constant where it is."""
        at = int(np.argmin(np.abs(self.nodes[number] - self.middle[number])))
        inner = self.changes[number][max(0, at - 1) : at + 2]
        return int((np.ptp(inner, axis=0) > SHOWN_RATIO * self.middle_ns).sum())


def sketch(model: Model, constants: Mapping[str, Constant], values: Mapping[str, float]) -> Sketch:
    """Simulate the rows with each constant at the ends of its range and near where it is."""
    middle_ns = model.times_ns(values)
    nodes, changes = [], []
    for key, constant in constants.items():
        value, near = values[key], NEAR_RATIO * (constant.high - constant.low)
        inner = [constant.rounded(v) for v in (value - near, value + near)]
        inner = [v for v in inner if constant.low < v < constant.high]
        at = sorted({constant.low, *inner, value, constant.high})
        nodes.append(np.array(at, dtype=float))
        changes.append(np.array([model.times_ns({**values, key: v}) - middle_ns for v in at]))
    middle = np.array([values[key] for key in constants])
    return Sketch(model.measured_ns, middle, middle_ns, tuple(nodes), tuple(changes))
