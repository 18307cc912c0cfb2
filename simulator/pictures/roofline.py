"""A roofline: what memory and tensor cores allow, and where every layer stands below that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from simulator.names import shortened, words
from simulator.pictures.numbers import number_points
from simulator.pictures.style import (
    BOUNDS,
    HALO,
    INK,
    QUIET,
    styled,
)
from simulator.quantities import MAC_RATE, axis_unit, whole_percent

NAMED: Final = 8
"""Layers that are numbered and named in the legend: those that take the most time."""


@dataclass(frozen=True)
class RooflinePoint:
    """A layer: useful MACs a byte of DRAM traffic, and a second; its share of the time, 0 to 1."""

    name: str
    dtype: str
    macs_per_byte: float
    macs_per_second: float
    time_ratio: float
    bound: str


@styled
def roofline(
    panel: FigureBase,
    macs_per_second: Mapping[str, float],
    dram_bytes_per_second: float,
    points: Sequence[RooflinePoint],
    *,
    title: str,
    left_out: str = "",
) -> Axes:
    """Draw a roof a dtype that occurs, and every point, larger where it takes more of the time.

    Parameters
    ----------
    macs_per_second : mapping
        Peak of the whole machine, by dtype.
    left_out : str
        A sentence on what cannot be drawn, such as layers that multiply nothing.
    """
    axes = panel.subplots()
    dtypes = list(dict.fromkeys(point.dtype for point in points)) or list(macs_per_second)[:1]
    roofs = {dtype: macs_per_second[dtype] for dtype in dtypes}
    unit = axis_unit(max(roofs.values()), MAC_RATE)
    scale = unit.size
    ridges = [roof / dram_bytes_per_second for roof in roofs.values()]
    xs = [point.macs_per_byte for point in points] + ridges
    ys = [point.macs_per_second for point in points] + list(roofs.values())
    left, right = min(xs) / 3, max(xs) * (4 if len(roofs) == 1 else 12)  # room for their names
    axes.set(xscale="log", yscale="log")
    axes.set_xlim(left, right)
    axes.set_ylim(min(min(ys) / 3, max(ys) / 30) / scale, 2.5 * max(ys) / scale)
    ridge = max(ridges)
    axes.plot([left, ridge], [left * dram_bytes_per_second / scale, max(roofs.values()) / scale],
              color=INK, linewidth=1.6, zorder=1)  # fmt: skip
    _name_slope(axes, dram_bytes_per_second, ridge, scale)
    for dtype, roof in roofs.items():
        start = roof / dram_bytes_per_second
        axes.plot([start, right], [roof / scale] * 2, color=INK, linewidth=1.6, zorder=1)
        axes.annotate(
            f"{dtype} peak, {roof / scale:,.4g} {unit.name}",
            (right, roof / scale), (-2, 3), textcoords="offset points",
            ha="right", va="bottom", path_effects=HALO, zorder=5,
        )  # fmt: skip
    handles = _points(axes, points, scale)
    if left_out:
        axes.annotate(
            left_out, (1, 0), (-2, 4), "axes fraction", "offset points",
            ha="right", va="bottom", color="#666666", fontsize=10,
        )  # fmt: skip
    axes.set_xlabel("useful MACs per byte of DRAM traffic, MAC/byte")
    axes.set_ylabel(f"useful MACs, {unit.name}")
    axes.set_title(title)
    axes.grid(which="major")
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1, 3) if high / low < 200 else (1,)))
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter("{x:,g}")
    panel.legend(handles=handles, loc="outside right upper", alignment="left")
    return axes


def _name_slope(axes: Axes, dram_bytes_per_second: float, ridge: float, scale: float) -> None:
    """The bandwidth, along the slope."""
    left, bottom = axes.get_xlim()[0], axes.get_ylim()[0] * scale
    x = (max(left, bottom / dram_bytes_per_second) * ridge) ** 0.5
    y = x * dram_bytes_per_second / scale
    axes.text(
        x, y * 1.15, f"DRAM, {dram_bytes_per_second / 1e9:,.0f} GB/s",
        # On logarithmic axes the slope leads from (x, y) to (2x, 2y).
        rotation=math.degrees(math.atan2(y, x)), transform_rotates_text=True,
        rotation_mode="anchor", ha="center", va="bottom", path_effects=HALO, zorder=5,
    )  # fmt: skip


def _points(axes: Axes, points: Sequence[RooflinePoint], scale: float) -> list[Line2D]:
    """Draw the points; return legend entries of bounds, then of the largest layers by number."""
    order = sorted(points, key=lambda point: -point.time_ratio)
    for point in order:  # large ones first, small ones on top
        colour, marker = BOUNDS.get(point.bound, (QUIET, "o"))
        axes.scatter(
            point.macs_per_byte, point.macs_per_second / scale, s=_size(point), color=colour,
            marker=marker, alpha=0.85, edgecolors="white", linewidths=0.8, zorder=3, clip_on=False,
        )  # fmt: skip
    handles = [
        Line2D([], [], linestyle="", color=colour, marker=marker, markersize=8, label=words(bound))
        for bound, (colour, marker) in BOUNDS.items()
        if any(point.bound == bound for point in points)
    ]
    if points:
        handles.insert(0, Line2D([], [], linestyle="", label="bound by"))
        handles.append(Line2D([], [], linestyle="", label="share of the time"))
    named = number_points(
        axes,
        [(point.macs_per_byte, point.macs_per_second / scale) for point in order],
        [_size(point) ** 0.5 / 2 for point in order],
        [f"{shortened(point.name)}, {whole_percent(point.time_ratio)}" for point in order[:NAMED]],
    )
    return handles + named


def _size(point: RooflinePoint) -> float:
    """Area of a marker in square points."""
    return 40 + min(300, 700 * point.time_ratio)
