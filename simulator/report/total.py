"""The figures of layers, totals and sweeps, one line each, and ``LayerReports -> Total``.

Layers are totalled, rows of a sweep kept and exported, and tables typed as these lines say. A new
figure of layers is a field of `LayerReport`; if it has a total, a line here and a field of `Total`,
too; if sweeps keep it, a line here and a field of `simulator.exploration.row.Row`. Its unit and
meaning are said in `simulator.described`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add, mul
from typing import Any, Final

from simulator.hardware import Hardware
from simulator.hardware.energy import power_w
from simulator.report.account import Account
from simulator.report.layer import LayerReport
from simulator.schedule.capacity import Held
from simulator.traffic import Traffic
from simulator.units import PS_PER_NS, PS_PER_SECOND, ps_to_cycles

Totalled = Callable[[Sequence[LayerReport], str], Any]


@dataclass(frozen=True)
class Figure:
    """A figure, and how it is handled.

    Attributes
    ----------
    total : callable, optional
        The total's figure from those of all layers; None where it follows from other totals, as
        `total_of` says, or where there is none.
    missing : bool
        Whether it may be None although the run succeeded.
    kept : bool
        Whether the rows of a sweep keep it.
    shown : bool
        Whether exports of a sweep show it.
    """

    name: str
    kind: type
    total: Totalled | None = None
    missing: bool = False
    kept: bool = True
    shown: bool = True


def _added(layers: Sequence[LayerReport], name: str) -> Any:
    """Each as often as it occurs; None where one is not known."""
    values = [getattr(layer, name) for layer in layers]
    if None in values:
        return None
    if isinstance(values[0], Traffic | Account):
        repeats = [layer.repeat for layer in layers]
        return type(values[0]).added(zip(values, repeats, strict=True))
    return reduce(add, (value * layer.repeat for value, layer in zip(values, layers, strict=True)))


def _known(layers: Sequence[LayerReport], name: str) -> Any:
    """Each that is known as often as it occurs; None where none is."""
    known = [layer for layer in layers if getattr(layer, name) is not None]
    return _added(known, name) if known else None


def _any(layers: Sequence[LayerReport], name: str) -> bool:
    return any(getattr(layer, name) for layer in layers)


def _mean_over(size: Callable[[LayerReport], int]) -> Totalled:
    """Of ratios, each as its layer's size; of errors, none of which cancels another."""

    def mean(layers: Sequence[LayerReport], name: str) -> float:
        sizes = [size(layer) * layer.repeat for layer in layers]
        ratios: list[float] = [getattr(layer, name) for layer in layers]
        whole: float = sum(map(mul, sizes, ratios))
        return whole / max(1, sum(sizes))

    return mean


_OF_TIME: Final = _mean_over(lambda layer: layer.time_ps)
_OF_DRAM: Final = _mean_over(lambda layer: layer.traffic_bytes.total("dram"))

FIGURES: Final = (
    Figure("executed_as", str),
    Figure("time_ns", float, kept=False),
    Figure("time_ps", int, _added),
    Figure("speedup", float, missing=True, kept=False),
    Figure("cycles", int),
    Figure("macs", int, _added),
    Figure("macs_executed", int, _added),
    Figure("slots_used", int, _added, kept=False, shown=False),
    Figure("slots_padded", int, _added, kept=False, shown=False),
    Figure("mac_utilization", float),
    Figure("bound", str),
    Figure("kernels", int),
    Figure("traffic_bytes", Traffic, _added, kept=False, shown=False),
    Figure("core_time_ps", Account, _added, kept=False, shown=False),
    Figure("dram_bytes", int),
    Figure("l2_bytes", int),
    Figure("energy_pj", float, _added, missing=True),
    Figure("area_mm2", float),
    Figure("power_w", float, missing=True),
    Figure("throttled", bool, _any),
    Figure("time_error_ratio", float, _OF_TIME),
    Figure("dram_error_ratio", float, _OF_DRAM),
    Figure("nonzeros", int, _known, missing=True, kept=False, shown=False),
    Figure("pruned_away", int, _known, missing=True, kept=False, shown=False),
)
"""In the order of exports."""

KEPT: Final = tuple(figure for figure in FIGURES if figure.kept)
SHOWN: Final = tuple(figure for figure in FIGURES if figure.shown)


@dataclass(frozen=True)
class Total:
    """All layers, with their repeats; ``cycles`` are of the machine's full clock.

    Attributes
    ----------
    blocks : int
        How many equal blocks the network has; all figures are of one.
    held : Held
        What main memory keeps at once.
    nonzeros, pruned_away : int or None
        Of all layers with real weights; None where no layer has any.
    left_dirty_bytes : int
        What layers leave in L2 is written to DRAM after the run where L2 is carried from layer to
        layer: part of the traffic and of the energy, and of no layer's.
    compulsory_dram_bytes : int
        What no cache could spare: weights, what the network is given, and what it gives, once each.
    """

    cycles: int
    time_ps: int
    launches: int
    launch_ns: float
    macs: int
    macs_executed: int
    slots_used: int
    slots_padded: int
    mac_utilization: float
    dense_equivalent_utilization: float
    bound: str
    bound_ratio: dict[str, float]
    work_bound_ratio: dict[str, float]
    traffic_bytes: Traffic
    core_time_ps: Account
    energy_pj: float | None
    power_w: float | None
    throttled: bool
    time_error_ratio: float
    dram_error_ratio: float
    blocks: int = 1
    held: Held = field(default_factory=Held)
    nonzeros: int | None = None
    pruned_away: int | None = None
    left_dirty_bytes: int = 0
    compulsory_dram_bytes: int = 0

    @property
    def kernels(self) -> int:
        """Kernels that are run, one a launch."""
        return self.launches

    @property
    def time_ns(self) -> float:
        """Device time."""
        return self.time_ps / PS_PER_NS

    @property
    def time_with_launch_ns(self) -> float:
        """Device time and one launch overhead a layer."""
        return self.time_ns + self.launches * self.launch_ns

    @property
    def pruned_ratio(self) -> float:
        """Of the non-zeros that the real weights had, those that this run pruned; 0 without any."""
        gone = self.pruned_away or 0
        return gone / max(1, gone + (self.nonzeros or 0))

    def core_time_ns(self) -> dict[str, float]:
        """Where an average core's time went; adds up to the device time."""
        return self.core_time_ps.of_average_core_ns(self.time_ps)


@dataclass(frozen=True)
class Roof:
    """What the whole machine can do at most: MACs of slots by dtype, sustained DRAM bandwidth."""

    macs_per_second: dict[str, float]
    dram_bytes_per_second: float

    @classmethod
    def of(cls, hardware: Hardware) -> Roof:
        cycles = hardware.core.count * hardware.clock_hz
        dram = hardware.memory.dram
        return cls(
            {dtype: float(hardware.macs_per_cycle(dtype) * cycles) for dtype in hardware.dtypes},
            dram.bytes_per_second * dram.efficiency_ratio,
        )


def total_of(hardware: Hardware, layers: Iterable[LayerReport], left_dirty_bytes: int = 0) -> Total:
    """Add layers up, each as often as it occurs, as the table of figures says.

    ``left_dirty_bytes`` are written to DRAM after the last one.
    """
    layers = tuple(layers)
    added = {x.name: x.total(layers, x.name) for x in FIGURES if x.total is not None}
    if left_dirty_bytes:
        added["traffic_bytes"] += Traffic.of({("dram", "outputs", "written"): left_dirty_bytes})
        if hardware.energy is not None and added["energy_pj"] is not None:
            added["energy_pj"] += left_dirty_bytes * hardware.energy.dram_pj_per_byte
    time_ps, peak = added["time_ps"], _peak_macs(hardware, layers)
    shares = _time_shares(layers, time_ps, "bound")
    return Total(
        **added,
        cycles=ps_to_cycles(time_ps, hardware.clock_hz),
        launches=sum(layer.repeat for layer in layers),
        launch_ns=hardware.host_ns,
        mac_utilization=added["slots_used"] / peak,
        dense_equivalent_utilization=added["macs"] / peak,
        bound=next(iter(shares)),
        bound_ratio=shares,
        work_bound_ratio=_time_shares(layers, time_ps, "work_bound"),
        power_w=power_w(added["energy_pj"], time_ps),
        left_dirty_bytes=left_dirty_bytes,
    )


def _peak_macs(hardware: Hardware, layers: Sequence[LayerReport]) -> float:
    """MACs that all cores could have done in the whole time, at each layer's own rate: of that its
    utilisation is a part.

    A streaming layer counts at the rate of the machine's first dtype, as time in which nothing is
    multiplied.
    """
    first = float(hardware.macs_per_cycle(hardware.dtypes[0])) * hardware.core.count / PS_PER_SECOND
    return sum(
        layer.repeat
        * (
            layer.slots_used / layer.mac_utilization
            if layer.mac_utilization
            else layer.time_ps * layer.clock_hz * first
        )
        for layer in layers
    )


def _time_shares(layers: Sequence[LayerReport], time_ps: int, name: str) -> dict[str, float]:
    """Share of the time by what bounds it, largest first."""
    shares: dict[str, float] = {}
    for layer in layers:
        bound = getattr(layer, name)
        shares[bound] = shares.get(bound, 0.0) + layer.time_ps * layer.repeat / time_ps
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
