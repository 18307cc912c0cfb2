"""From which size on does a layer gain? Of more columns, and of more width.

Times are not monotone in size: a tile more may be a wave more. So what is looked for is stated. A
layer that does not gain at its own size is doubled until it gains *twice in a row*; between the
first of these doublings and the one before, quarters tell the smallest size from which on all of
them gain. Layers are timed alone, from a cold L2, dense and sparse, all of a round in one run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
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


def break_evens(prober: Prober, probes: Sequence[Probe], side: Side) -> list[BreakEven]:
    """Of every layer, as this module says."""
    first = _doubled(prober, probes, side)
    found = [at for at, doubling in enumerate(first) if doubling is not None]

    def inside(at: int) -> list[Fraction]:
        return [Fraction(2 ** (first[at] or 0)) * quarter for quarter in QUARTERS]

    asked = [_scaled(probes[at], side, factor) for at in found for factor in inside(at)]
    gains = iter(prober.gain(asked))
    least: dict[int, Fraction] = {}
    for at in found:
        least[at] = Fraction(2 ** (first[at] or 0))
        verdicts = [next(gains) for _ in QUARTERS]
        for factor, is_gain in zip(inside(at), verdicts, strict=True):
            if not is_gain:
                break
            least[at] = factor
    end = Fraction(2 ** DOUBLINGS[side])
    return [
        BreakEven(side, least.get(at), scaled(probe.layer, side, least.get(at, end)))
        for at, probe in enumerate(probes)
    ]


def _doubled(prober: Prober, probes: Sequence[Probe], side: Side) -> list[int | None]:
    """After how many doublings each gains, and gains after the next one, too, if there is one."""
    first: list[int | None] = [None] * len(probes)
    waiting, last = list(range(len(probes))), DOUBLINGS[side]
    before: dict[int, bool] = {}
    for doubling in range(1, last + 1):
        factor = Fraction(2**doubling)
        gains = prober.gain([_scaled(probes[at], side, factor) for at in waiting])
        now = dict(zip(waiting, gains, strict=True))
        for at, is_gain in now.items():
            if is_gain and before.get(at, False):
                first[at] = doubling - 1
            elif is_gain and doubling == last:
                first[at] = last
        waiting, before = [at for at in waiting if first[at] is None], now
    return first


def _scaled(probe: Probe, side: Side, factor: Fraction) -> Probe:
    return replace(probe, layer=scaled(probe.layer, side, factor))


def break_even_batch(
    gains: Callable[[int], dict[str, bool]], start: int, patterns: Sequence[str], most: int
) -> dict[str, int | None]:
    """By pattern, the smallest batch of doublings and halvings of ``start`` at which it gains.

    Where a pattern gains at ``start``, halvings down to 1 are tried as long as it does; where not,
    doublings up to ``most``, until it does.

    Parameters
    ----------
    gains : callable
        Of a batch: whether each pattern gains.
    start, most : int
        Batches.

    Returns
    -------
    dict of str to int or None
        None: at none of them.
    """
    found: dict[str, int | None] = dict.fromkeys(patterns)
    now = gains(start)
    down = [pattern for pattern in patterns if now[pattern]]
    up = [pattern for pattern in patterns if not now[pattern]]
    batch = start
    while down:
        found |= dict.fromkeys(down, batch)
        if batch == 1:
            break
        batch //= 2
        now = gains(batch)
        down = [pattern for pattern in down if now[pattern]]
    batch = 2 * start
    while up and batch <= most:
        now = gains(batch)
        found |= dict.fromkeys([pattern for pattern in up if now[pattern]], batch)
        up = [pattern for pattern in up if not now[pattern]]
        batch *= 2
    return found
