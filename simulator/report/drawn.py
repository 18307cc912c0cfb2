"""What reports and comparisons pass to pictures, as plain figures.

Importing this imports matplotlib, so that nothing does before something is drawn.
"""

from __future__ import annotations

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
from simulator.units import PS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import FigureBase

    from simulator.report.comparison import Comparison
    from simulator.report.layer import LayerReport
    from simulator.report.report import Report

PLOTTED_LAYERS: Final = 15
"""Layers that have a bar of their own in a picture; the others share one."""

WIDTH: Final = 10.5
"""Inches."""


def report_page(report: Report) -> Picture:
    """Roofline, core-time by layer and traffic, one below the other."""
    bars = min(len(report.layers), PLOTTED_LAYERS + 1)
    heights = [4.6, 1.9 + 0.34 * bars, 2.3]
    page = new_picture(WIDTH, sum(heights) + 0.4, report.title)
    top, middle, bottom = page.subfigures(3, 1, height_ratios=heights, hspace=0.04, squeeze=False)[
        :, 0
    ]
    _roofline(top, report, "Roofline")
    _core_time_by_layer(middle, report, "Where the time goes, by layer")
    _traffic_of(bottom, report, "Traffic by level")
    return page


def roofline_picture(report: Report) -> Picture:
    picture = new_picture(WIDTH, 5)
    _roofline(picture, report, f"Roofline: {report.title}")
    return picture


def core_time_picture(report: Report) -> Picture:
    picture = new_picture(WIDTH, 2.2 + 0.34 * min(len(report.layers), PLOTTED_LAYERS + 1))
    _core_time_by_layer(picture, report, f"Where the time goes: {report.title}")
    return picture


def traffic_picture(report: Report) -> Picture:
    picture = new_picture(WIDTH, 2.6)
    _traffic_of(picture, report, f"Traffic by level: {report.title}")
    return picture


def comparison_page(comparison: Comparison) -> Picture:
    """Speed-ups beside what density alone would give, above where the time goes."""
    heights = [4.2, 1.9 + 0.42 * len(comparison.reports)]
    page = new_picture(WIDTH, sum(heights) + 0.4, comparison.title)
    top, bottom = page.subfigures(2, 1, height_ratios=heights, hspace=0.04, squeeze=False)[:, 0]
    _speedups(top, comparison, "Speed-up by pattern")
    _core_time_by_pattern(bottom, comparison, "Where the time goes, by pattern")
    return page


def speedup_picture(comparison: Comparison) -> Picture:
    picture = new_picture(WIDTH, 4.4)
    _speedups(picture, comparison, f"Speed-up: {comparison.title}")
    return picture


def core_times_picture(comparison: Comparison) -> Picture:
    picture = new_picture(WIDTH, 2.2 + 0.42 * len(comparison.reports))
    _core_time_by_pattern(picture, comparison, f"Where the time goes: {comparison.title}")
    return picture


def traffics_picture(comparison: Comparison) -> Picture:
    """Two bars a pattern."""
    picture = new_picture(WIDTH, 2.2 + 0.5 * len(comparison.reports))
    bars = [TrafficBar(r.pattern_name, r.total.traffic_bytes) for r in comparison.reports]
    traffic(picture, bars, title=f"Traffic by level: {comparison.title}")
    return picture


def _roofline(panel: FigureBase, report: Report, title: str) -> None:
    shown = [x for x in report.layers if x.macs and x.traffic_bytes.total("dram")]
    points = [
        RooflinePoint(
            layer.name,
            layer.dtype,
            layer.slots_used / layer.traffic_bytes.total("dram"),
            layer.slots_used / (layer.time_ps / PS_PER_SECOND),
            layer.time_ps * layer.repeat / report.total.time_ps,
            layer.work_bound,
        )
        for layer in shown
    ]
    rest = 1 - sum(point.time_ratio for point in points)
    left_out = ""
    if len(shown) < len(report.layers):
        left_out = f"not shown, without MACs or DRAM traffic: {rest:.0%} of the time"
    roof = report.roof
    roofline(panel, roof.macs_per_second, roof.dram_bytes_per_second, points,
             title=title, left_out=left_out)  # fmt: skip


def _core_time_by_layer(panel: FigureBase, report: Report, title: str) -> None:
    order = sorted(report.layers, key=lambda layer: -layer.time_ps * layer.repeat)
    own = order if len(order) <= PLOTTED_LAYERS + 1 else order[:PLOTTED_LAYERS]
    bars = [_bar([layer], report) for layer in own]
    if len(own) < len(order):
        bars.append(_bar(order[PLOTTED_LAYERS:], report))
    core_time(panel, bars, title=title, ylabel="layer", totals_ns=report.core_time_ns())


def _bar(layers: Sequence[LayerReport], report: Report) -> CoreTimeBar:
    """One of a layer, or of several that share it."""
    time_ps = sum(layer.time_ps * layer.repeat for layer in layers)
    account = sum((layer.core_time_ps * layer.repeat for layer in layers), Account())
    label, note = f"{len(layers)} other layers", percent(time_ps / report.total.time_ps)
    if len(layers) == 1:
        (layer,) = layers
        label = layer.name + (f" ×{layer.repeat}" if layer.repeat > 1 else "")
        note += f", {words(layer.work_bound)}"
    return CoreTimeBar(label, account.of_average_core_ns(time_ps), note)


def _traffic_of(panel: FigureBase, report: Report, title: str) -> None:
    traffic(panel, [TrafficBar(report.title, report.total.traffic_bytes)], title=title)


def _speedups(panel: FigureBase, comparison: Comparison, title: str) -> None:
    labels = []
    for report in comparison.reports:
        ran_as = [pattern for pattern in comparison.executed(report) if pattern != "1:1"]
        other = ran_as and report.pattern not in ran_as
        labels.append(report.pattern_name + (f"\nas {', '.join(ran_as)}" if other else ""))
    speedups = [comparison.speedup(report) for report in comparison.reports]
    bounds = [comparison.density_speedup(report) for report in comparison.reports]
    speedup(panel, labels, speedups, bounds, title=title, over=comparison.first.pattern_name)


def _core_time_by_pattern(panel: FigureBase, comparison: Comparison, title: str) -> None:
    bars = [
        CoreTimeBar(r.pattern_name, r.core_time_ns(), f"{comparison.speedup(r):.2f}x")
        for r in comparison.reports
    ]
    core_time(panel, bars, title=title, ylabel="pattern")
