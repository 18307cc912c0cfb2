"""What reports and comparisons pass to pictures, as plain figures.

Importing this imports matplotlib, so that nothing does before something is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.names import words
from simulator.pictures import (
    CoreTimeBar,
    Picture,
    RooflinePoint,
    TrafficBar,
    core_time,
    new_picture,
    percent,
    roofline,
    speedup,
    traffic,
)
from simulator.report.account import Account
from simulator.report.layer import LayerReport
from simulator.report.total import Roof, Total
from simulator.traffic import Traffic
from simulator.units import PS_PER_SECOND

if TYPE_CHECKING:
    from matplotlib.figure import FigureBase

PLOTTED_LAYERS: Final = 15
"""Layers that have a bar of their own in a picture; the others share one."""

WIDTH: Final = 10.5
"""Inches."""

Layers = Sequence[LayerReport]


@dataclass(frozen=True)
class Pattern:
    """What is drawn of one pattern beside others.

    Attributes
    ----------
    ran_as : tuple of str
        What sparse layers ran as, where that is not what was asked.
    density_speedup : float
        What density alone would give.
    """

    name: str
    ran_as: tuple[str, ...]
    speedup: float
    density_speedup: float
    core_time_ns: dict[str, float]
    traffic_bytes: Traffic


def report_page(title: str, layers: Layers, total: Total, roof: Roof) -> Picture:
    """Roofline, core-time by layer and traffic, one below the other."""
    bars = min(len(layers), PLOTTED_LAYERS + 1)
    heights = [4.6, 1.9 + 0.34 * bars, 2.3]
    page = new_picture(WIDTH, sum(heights) + 0.4, title)
    top, middle, bottom = page.subfigures(3, 1, height_ratios=heights, hspace=0.04, squeeze=False)[
        :, 0
    ]
    _roofline(top, layers, total, roof, "Roofline")
    _core_time_by_layer(middle, layers, total, "Where the time goes, by layer")
    traffic(bottom, [TrafficBar(title, total.traffic_bytes)], title="Traffic by level")
    return page


def roofline_picture(title: str, layers: Layers, total: Total, roof: Roof) -> Picture:
    picture = new_picture(WIDTH, 5)
    _roofline(picture, layers, total, roof, f"Roofline: {title}")
    return picture


def core_time_picture(title: str, layers: Layers, total: Total) -> Picture:
    picture = new_picture(WIDTH, 2.2 + 0.34 * min(len(layers), PLOTTED_LAYERS + 1))
    _core_time_by_layer(picture, layers, total, f"Where the time goes: {title}")
    return picture


def traffic_picture(title: str, total: Total) -> Picture:
    picture = new_picture(WIDTH, 2.6)
    bar = TrafficBar(title, total.traffic_bytes)
    traffic(picture, [bar], title=f"Traffic by level: {title}")
    return picture


def comparison_page(title: str, patterns: Sequence[Pattern]) -> Picture:
    """Speed-ups beside what density alone would give, above where the time goes."""
    heights = [4.2, 1.9 + 0.42 * len(patterns)]
    page = new_picture(WIDTH, sum(heights) + 0.4, title)
    top, bottom = page.subfigures(2, 1, height_ratios=heights, hspace=0.04, squeeze=False)[:, 0]
    _speedups(top, patterns, "Speed-up by pattern")
    _core_time_by_pattern(bottom, patterns, "Where the time goes, by pattern")
    return page


def speedup_picture(title: str, patterns: Sequence[Pattern]) -> Picture:
    picture = new_picture(WIDTH, 4.4)
    _speedups(picture, patterns, f"Speed-up: {title}")
    return picture


def core_times_picture(title: str, patterns: Sequence[Pattern]) -> Picture:
    picture = new_picture(WIDTH, 2.2 + 0.42 * len(patterns))
    _core_time_by_pattern(picture, patterns, f"Where the time goes: {title}")
    return picture


def traffics_picture(title: str, patterns: Sequence[Pattern]) -> Picture:
    """Two bars a pattern."""
    picture = new_picture(WIDTH, 2.2 + 0.5 * len(patterns))
    bars = [TrafficBar(pattern.name, pattern.traffic_bytes) for pattern in patterns]
    traffic(picture, bars, title=f"Traffic by level: {title}")
    return picture


def _roofline(panel: FigureBase, layers: Layers, total: Total, roof: Roof, title: str) -> None:
    shown = [x for x in layers if x.macs and x.traffic_bytes.total("dram")]
    points = [
        RooflinePoint(
            layer.name,
            layer.dtype,
            layer.slots_used / layer.traffic_bytes.total("dram"),
            layer.slots_used / (layer.time_ps / PS_PER_SECOND),
            layer.time_ps * layer.repeat / total.time_ps,
            layer.work_bound,
        )
        for layer in shown
    ]
    rest = 1 - sum(point.time_ratio for point in points)
    left_out = ""
    if len(shown) < len(layers):
        left_out = f"not shown, without MACs or DRAM traffic: {rest:.0%} of the time"
    roofline(panel, roof.macs_per_second, roof.dram_bytes_per_second, points,
             title=title, left_out=left_out)  # fmt: skip


def _core_time_by_layer(panel: FigureBase, layers: Layers, total: Total, title: str) -> None:
    order = sorted(layers, key=lambda layer: -layer.time_ps * layer.repeat)
    own = order if len(order) <= PLOTTED_LAYERS + 1 else order[:PLOTTED_LAYERS]
    bars = [_bar([layer], total) for layer in own]
    if len(own) < len(order):
        bars.append(_bar(order[PLOTTED_LAYERS:], total))
    core_time(panel, bars, title=title, ylabel="layer", totals_ns=total.core_time_ns())


def _bar(layers: Layers, total: Total) -> CoreTimeBar:
    """One of a layer, or of several that share it."""
    time_ps = sum(layer.time_ps * layer.repeat for layer in layers)
    account = sum((layer.core_time_ps * layer.repeat for layer in layers), Account())
    label, note = f"{len(layers)} other layers", percent(time_ps / total.time_ps)
    if len(layers) == 1:
        (layer,) = layers
        label = layer.name + (f" ×{layer.repeat}" if layer.repeat > 1 else "")
        note += f", {words(layer.work_bound)}"
    return CoreTimeBar(label, account.of_average_core_ns(time_ps), note)


def _speedups(panel: FigureBase, patterns: Sequence[Pattern], title: str) -> None:
    labels = [x.name + (f"\nas {', '.join(x.ran_as)}" if x.ran_as else "") for x in patterns]
    speedups = [pattern.speedup for pattern in patterns]
    bounds = [pattern.density_speedup for pattern in patterns]
    speedup(panel, labels, speedups, bounds, title=title, over=patterns[0].name)


def _core_time_by_pattern(panel: FigureBase, patterns: Sequence[Pattern], title: str) -> None:
    bars = [CoreTimeBar(x.name, x.core_time_ns, f"{x.speedup:.2f}x") for x in patterns]
    core_time(panel, bars, title=title, ylabel="pattern")
