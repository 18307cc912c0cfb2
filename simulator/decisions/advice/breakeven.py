"""From which size on does a layer gain? Of more columns, and of more width.

Times are not monotone in size: a tile more may be a wave more. So what is looked for is stated: of
the doublings of a layer's size, the smallest *from which on all larger ones gain*; then, between
that and the one before, of the quarters the smallest from which on all larger ones gain. Layers are
timed alone, from a cold L2, dense and sparse: all doublings in one run, all quarters in another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from itertools import takewhile
from operator import itemgetter
from typing import Final, Literal

from simulator.decisions.trust import Band, Outcome, outcome
from simulator.errors import SimulatorError
from simulator.hardware import Hardware, load_hardware
from simulator.run.simulate import simulate
from simulator.units import ceil_div
from simulator.workload import Conv, Gemm, Workload

Bearing = Gemm | Conv
Side = Literal["columns", "width"]

DOUBLINGS: Final[dict[Side, int]] = {"columns": 5, "width": 3}
"""How often a layer is doubled at most: to 32 times its columns; to 8 times its width, which are 64
times its weights."""

BATCH_DOUBLINGS: Final = 6
"""Of a network's batch: to 64 times."""

QUARTERS: Final = (Fraction(7, 8), Fraction(6, 8), Fraction(5, 8))
"""Of a doubled size, the largest first."""


@dataclass(frozen=True)
class BreakEven:
    """From which size on a layer gains by a pattern, other sizes as they are.

    Attributes
    ----------
    side : {"columns", "width"}
        n, as of a larger batch; or m and k together.
    factor : Fraction or None
        Times its own size; None: it does not gain up to the largest one that was tried.
    layer : Gemm or Conv
        At that size; where it gains nowhere, at the largest.
    """

    side: Side
    factor: Fraction | None
    layer: Bearing

    def size(self, side: str) -> int | None:
        """m, n or k from which on it gains; None where it gains nowhere."""
        return None if self.factor is None else sizes_of(self.layer)["mnk".index(side)]

    def __str__(self) -> str:
        m, n, k = sizes_of(self.layer)
        size = f"{n}" if self.side == "columns" else f"{m} x {k}"
        return size if self.factor is not None else f"> {size}"


@dataclass(frozen=True)
class Probe:
    """A layer under a pattern, to be timed at other sizes."""

    layer: Bearing
    pattern: str


def sizes_of(layer: Bearing) -> tuple[int, int, int]:
    """m, n and k of the product that a layer is."""
    if isinstance(layer, Gemm):
        return layer.m, layer.n, layer.k
    pixels = layer.batch * layer.out_h * layer.out_w
    channels = layer.in_channels // layer.groups
    return layer.out_channels // layer.groups, pixels, layer.positions * channels


def scaled(layer: Bearing, side: Side, factor: Fraction) -> Bearing:
    """A layer with so many times its columns or width, rounded up to whole images and channels."""

    def times(size: int, unit: int = 1) -> int:
        whole = size // unit * factor
        return unit * ceil_div(whole.numerator, whole.denominator)

    if side == "columns":
        if isinstance(layer, Conv):
            return replace(layer, batch=times(layer.batch))
        return replace(layer, n=times(layer.n))
    if isinstance(layer, Gemm):
        return replace(layer, m=times(layer.m), k=times(layer.k))
    return replace(
        layer,
        in_channels=times(layer.in_channels, layer.groups),
        out_channels=times(layer.out_channels, layer.groups),
    )


@dataclass(frozen=True)
class Prober:
    """Times layers alone on a machine.

    Attributes
    ----------
    hardware : Hardware
        From a cold L2, and sparse where that is asked for, though dense were faster.
    band : Band or None
        What is a gain.
    library : str, optional
    """

    hardware: Hardware
    band: Band | None
    library: str | None = None

    @classmethod
    def of(cls, hardware: Hardware, band: Band | None, library: str | None = None) -> Prober:
        """Of a machine as it is."""
        cold = {"memory.l2.start": "cold", "library.dense_where_faster": False}
        return cls(load_hardware(hardware, cold), band, library)

    def gain(self, probes: Sequence[Probe]) -> list[bool]:
        """Whether each of them is a gain; what cannot run is none."""
        if not probes:
            return []
        try:
            gains = self._timed(probes)
        except SimulatorError:  # one of them is too large for anything
            if len(probes) == 1:
                return [False]
            return [one for probe in probes for one in self.gain([probe])]
        return [outcome(gain, self.band) is Outcome.GAIN for gain in gains]

    def _timed(self, probes: Sequence[Probe]) -> list[float]:
        """Dense over sparse time, all in one run, large ones sampled."""
        pairs = [
            replace(probe.layer, name=f"{kind} {at}", pattern=pattern, repeat=1, inputs=())
            for at, probe in enumerate(probes)
            for kind, pattern in (("dense", None), ("sparse", probe.pattern))
        ]
        report = simulate(
            self.hardware, Workload("probes", pairs), library=self.library, accuracy="sampled",
            allow_overflow=True,
        )  # fmt: skip
        times = [layer.time_ps for layer in report.layers]
        return [dense / sparse for dense, sparse in zip(times[::2], times[1::2], strict=True)]


@dataclass(frozen=True)
class Question:
    """From which size on a layer gains by a pattern, and which of its sizes grows."""

    probe: Probe
    side: Side

    def at(self, factor: Fraction) -> Probe:
        """The layer with so many times its size."""
        return replace(self.probe, layer=scaled(self.probe.layer, self.side, factor))

    @property
    def doublings(self) -> list[Fraction]:
        """The largest first."""
        return [Fraction(2**power) for power in range(DOUBLINGS[self.side], 0, -1)]

    def answer(self, factor: Fraction | None) -> BreakEven:
        tried = self.doublings[0] if factor is None else factor
        return BreakEven(self.side, factor, self.at(tried).layer)


def break_evens(prober: Prober, questions: Sequence[Question]) -> list[BreakEven]:
    """An answer a question, as this module says."""
    doubled = _lasting(prober, [(one, one.doublings) for one in questions])
    finer = [
        (one, [size * quarter for quarter in QUARTERS] if size is not None else [])
        for one, size in zip(questions, doubled, strict=True)
    ]
    quartered = _lasting(prober, finer)
    return [
        one.answer(size if least is None else least)
        for one, size, least in zip(questions, doubled, quartered, strict=True)
    ]


def _lasting(
    prober: Prober, asked: Sequence[tuple[Question, Sequence[Fraction]]]
) -> list[Fraction | None]:
    """Of every question's factors, largest first, the last one up to which all gain."""
    gains = iter(prober.gain([one.at(factor) for one, factors in asked for factor in factors]))
    found: list[Fraction | None] = []
    for _, factors in asked:
        gaining = [(factor, next(gains)) for factor in factors]
        lasting = [factor for factor, _ in takewhile(itemgetter(1), gaining)]
        found.append(lasting[-1] if lasting else None)
    return found


def break_even_batch(
    gains: Callable[[int], Mapping[str, bool]], start: int, patterns: Sequence[str]
) -> dict[str, int | None]:
    """By pattern, the smallest batch of doublings and halvings of ``start`` at which it gains.

    By bisection: it gains at that batch, and not at half of it. Where a pattern gains at ``start``,
    halvings are looked at, down to 1; where not, doublings, up to `BATCH_DOUBLINGS`.

    Parameters
    ----------
    gains : callable
        Of a batch: whether each pattern gains.

    Returns
    -------
    dict of str to int or None
        None: at none of them.
    """
    known = cache(gains)

    def gains_by(pattern: str, batch: int) -> bool:
        return known(batch)[pattern]

    return {one: _first_batch(partial(gains_by, one), start) for one in patterns}


def _first_batch(gains: Callable[[int], bool], start: int) -> int | None:
    """Of one pattern."""
    if gains(start):
        return start >> _last(lambda step: gains(start >> step), start.bit_length() - 1)
    steps = _last(lambda step: not gains(start << step), BATCH_DOUBLINGS)
    return None if steps == BATCH_DOUBLINGS else start << (steps + 1)


def _last(holds: Callable[[int], bool], most: int) -> int:
    """Up to which step something holds that holds at step 0, by bisection."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
