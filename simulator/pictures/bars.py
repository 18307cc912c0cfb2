"""Bars: where core-time goes, what moves at each level, and speed-ups beside their bound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator

from simulator import quantities
from simulator.colours import CORE_TIME_COLOURS, OPERAND_COLOURS
from simulator.names import shortened, words
from simulator.pictures.style import ACCENT, INK, styled
from simulator.quantities import axis_unit

HEIGHT: Final = 0.72


@dataclass(frozen=True)
class CoreTimeBar:
    """Nanoseconds of an average core by kind, and what is written behind the bar."""

    label: str
    times_ns: Mapping[str, float]
    note: str


@dataclass(frozen=True)
class TrafficBar:
    """Bytes by level, operand and direction, as in ``LayerReport.traffic_bytes``."""

    label: str
    traffic_bytes: Mapping[str, Mapping[str, Mapping[str, int]]]


@styled
def core_time(
    panel: FigureBase,
    bars: Sequence[CoreTimeBar],
    *,
    title: str,
    ylabel: str,
    totals_ns: Mapping[str, float] | None = None,
) -> Axes:
    """Stacked bars of core-time; ``totals_ns`` puts shares of the whole into the legend."""
    axes = panel.subplots()
    ends = [sum(bar.times_ns.values()) for bar in bars]
    longest = max(ends)
    unit = axis_unit(longest, quantities.TIME)
    left = np.zeros(len(bars))
    for kind in bars[0].times_ns:
        width = np.array([bar.times_ns[kind] for bar in bars]) / unit.size
        if not width.any():
            continue
        axes.barh(range(len(bars)), width, HEIGHT, left, color=CORE_TIME_COLOURS[kind],
                  label=words(kind), edgecolor="white", linewidth=0.4)  # fmt: skip
        left += width
    for row, (bar, end) in enumerate(zip(bars, ends, strict=True)):
        axes.annotate(bar.note, (end / unit.size, row), (5, 0), textcoords="offset points",
                      va="center", annotation_clip=False)  # fmt: skip
    axes.set_yticks(range(len(bars)), [shortened(bar.label, 28) for bar in bars])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    longest_note = max(len(bar.note) for bar in bars)
    axes.set_xlim(0, longest / unit.size * (1.03 + 0.014 * longest_note))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel(f"time of an average core, {unit.name}")
    axes.set_ylabel(ylabel)
    axes.grid(axis="x")
    axes.set_title(title)
    handles, labels = axes.get_legend_handles_labels()
    if totals_ns:
        whole = sum(totals_ns.values())
        shares = {words(kind): time / whole for kind, time in totals_ns.items()}
        labels = [f"{label}, {shares[label]:.1%}" for label in labels]
    panel.legend(handles, labels, loc="outside right upper", alignment="left",
                 title="share of all core-time" if totals_ns else None)  # fmt: skip
    return axes


@styled
def traffic(panel: FigureBase, bars: Sequence[TrafficBar], *, title: str) -> list[Axes]:
    """A panel a level, each on its own scale: what is read from it above what is written to it."""
    levels = list(bars[0].traffic_bytes)
    grid = panel.subplots(1, len(levels), sharey=True, squeeze=False)[0]
    present: dict[str, None] = {}
    for axes, level in zip(grid, levels, strict=True):
        _level(axes, level, bars, present)
    # Two bars a label, read above written: the label stands between them.
    grid[0].set_yticks(
        [3 * row + 0.5 for row in range(len(bars))] if len(bars) > 1 else [0, 1],
        [shortened(bar.label) for bar in bars] if len(bars) > 1 else ["read", "written"],
    )
    grid[0].set_ylabel("pattern" if len(bars) > 1 else "direction")
    grid[0].set_ylim(3 * len(bars) - 1.5, -0.75)
    panel.suptitle(title, x=0.01, ha="left", fontsize=12)
    handles = [
        Patch(facecolor=colour, edgecolor="white", label=words(operand))
        for operand, colour in OPERAND_COLOURS.items()
        if operand in present
    ]
    if len(bars) > 1:
        handles.append(Patch(facecolor="white", edgecolor=INK, label="read"))
    handles.append(Patch(facecolor="white", edgecolor=INK, hatch="////", label="written"))
    panel.legend(handles=handles, loc="outside right upper", alignment="left")
    return list(grid)


def _level(axes: Axes, level: str, bars: Sequence[TrafficBar], present: dict[str, None]) -> None:
    """Two stacks a bar; ``present`` collects the operands that have any traffic."""
    ends = [
        sum(operand[way] for operand in bar.traffic_bytes[level].values())
        for bar in bars
        for way in ("read", "written")
    ]
    unit = axis_unit(max(ends), quantities.SIZE)
    for row, bar in enumerate(bars):
        for lane, way in enumerate(("read", "written")):
            left = 0.0
            for operand, colour in OPERAND_COLOURS.items():
                size = bar.traffic_bytes[level].get(operand, {}).get(way, 0) / unit.size
                if not size:
                    continue
                present[operand] = None
                axes.barh(3 * row + lane, size, 0.86, left, color=colour, edgecolor="white",
                          linewidth=0.4, hatch="////" if way == "written" else None)  # fmt: skip
                left += size
            if not left:
                axes.annotate("none", (0, 3 * row + lane), (4, 0), textcoords="offset points",
                              va="center", color="#666666")  # fmt: skip
    axes.set_title(words(level), fontsize=10.5)
    axes.set_xlabel(f"traffic, {unit.name}")
    axes.set_xlim(0, max(ends) / unit.size * 1.05 or 1)
    axes.xaxis.set_major_locator(MaxNLocator(3) if max(ends) else FixedLocator([0]))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


@styled
def speedup(
    panel: FigureBase,
    patterns: Sequence[str],
    speedups: Sequence[float],
    bounds: Sequence[float],
    *,
    title: str,
    over: str,
) -> Axes:
    """Bars of speed-up by pattern; a mark shows what the density of the weights alone would give.

    Parameters
    ----------
    over : str
        The pattern that speed-ups are against.
    """
    axes = panel.subplots()
    places = np.arange(len(patterns))
    axes.bar(places, speedups, 0.6, color=ACCENT, label="speed-up")
    axes.hlines(bounds, places - 0.38, places + 0.38, color="#d55e00", linewidth=2.6,
                label="density bound")  # fmt: skip
    for place, value, bound in zip(places, speedups, bounds, strict=True):
        # Below the top of the bar if the mark is where the figure would stand.
        inside = 0 <= bound - value < 0.09 * max(*speedups, *bounds)
        axes.annotate(
            f"{value:.2f}x", (place, value), (0, -4 if inside else 3), textcoords="offset points",
            ha="center", va="top" if inside else "bottom", color="white" if inside else INK,
        )  # fmt: skip
    axes.axhline(1, color=INK, linewidth=0.8, linestyle=":")
    # A long name, such as unstructured:0.5, takes two lines.
    labels = [re.sub(r"^([^:\n]{5,}:)", r"\1\n", pattern) for pattern in patterns]
    axes.set_xticks(places, labels)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(patterns) - 0.4)
    axes.set_ylim(0, 1.12 * max(*speedups, *bounds))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.set_xlabel("pattern, keep:group")
    axes.set_ylabel(f"speed-up over {over}, ratio")
    axes.grid(axis="y")
    axes.set_title(title)
    handles = [
        Patch(facecolor=ACCENT, label="speed-up of device time"),
        Line2D([], [], color="#d55e00", linewidth=2.6, label="what density alone\nwould give"),
    ]
    panel.legend(handles=handles, loc="outside right upper", alignment="left")
    return axes
