"""The figures of layers, totals and sweeps: one line each, which says how a figure is handled.

Layers are totalled, rows of a sweep kept and exported, and tables typed as these lines say. A new
figure of layers is a field of `LayerReport`, one of `Total` if it has a total, and a line here; one
of sweeps is a field of `simulator.exploration.row.Row` besides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from typing import TYPE_CHECKING, Any, Final

from simulator.report.account import Account
from simulator.traffic import Traffic

if TYPE_CHECKING:
    from simulator.report.layer import LayerReport

Totalled = Callable[[Sequence["LayerReport"], str], Any]


@dataclass(frozen=True)
class Figure:
    """A figure, and how it is handled.

    Attributes
    ----------
    unit : str
        Empty for counts, ratios and names.
    total : callable, optional
        The total's figure from those of all layers; None where it follows from other totals, as
        `simulator.report.total.total_of` says, or where there is none.
    missing : bool
        Whether it may be None although the run succeeded.
    kept : bool
        Whether the rows of a sweep keep it.
    shown : bool
        Whether exports of a sweep show it.
    """

    name: str
    kind: type
    unit: str = ""
    total: Totalled | None = None
    missing: bool = False
    kept: bool = True
    shown: bool = True


def _added(layers: Sequence[LayerReport], name: str) -> Any:
    """Each as often as it occurs; None where one is not known."""
    if any(getattr(layer, name) is None for layer in layers):
        return None
    return reduce(add, (getattr(layer, name) * layer.repeat for layer in layers))


def _any(layers: Sequence[LayerReport], name: str) -> bool:
    return any(getattr(layer, name) for layer in layers)


def _mean_over(size: Callable[[LayerReport], int]) -> Totalled:
    """Relative error of a sum from those of its parts, none of which cancels another."""

    def mean(layers: Sequence[LayerReport], name: str) -> float:
        sizes = [size(layer) * layer.repeat for layer in layers]
        errors: list[float] = [getattr(layer, name) for layer in layers]
        whole: float = sum(map(mul, sizes, errors))
        return whole / max(1, sum(sizes))

    return mean


_OF_TIME: Final = _mean_over(lambda layer: layer.time_ps)
_OF_DRAM: Final = _mean_over(lambda layer: layer.traffic_bytes.total("dram"))

FIGURES: Final = (
    Figure("executed_as", str),
    Figure("time_ns", float, "ns", kept=False),
    Figure("time_ps", int, "ps", _added),
    Figure("speedup", float, missing=True, kept=False),
    Figure("cycles", int),
    Figure("macs", int, "", _added),
    Figure("macs_executed", int, "", _added),
    Figure("slots_used", int, "", _added, kept=False, shown=False),
    Figure("slots_padded", int, "", _added, kept=False, shown=False),
    Figure("mac_utilization", float),
    Figure("bound", str),
    Figure("traffic_bytes", Traffic, "bytes", _added, kept=False, shown=False),
    Figure("core_time_ps", Account, "ps", _added, kept=False, shown=False),
    Figure("dram_bytes", int, "bytes"),
    Figure("l2_bytes", int, "bytes"),
    Figure("energy_pj", float, "pJ", _added, missing=True),
    Figure("area_mm2", float, "mm2"),
    Figure("power_w", float, "W", missing=True),
    Figure("throttled", bool, "", _any),
    Figure("time_error_ratio", float, "", _OF_TIME),
    Figure("dram_error_ratio", float, "", _OF_DRAM),
)
"""In the order of exports."""

KEPT: Final = tuple(figure for figure in FIGURES if figure.kept)
SHOWN: Final = tuple(figure for figure in FIGURES if figure.shown)
