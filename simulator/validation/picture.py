"""Predicted against measured, one panel a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import ceil

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from simulator.pictures import Picture, new_picture
from simulator.pictures.style import ACCENT, INK, QUIET, styled
from simulator.validation import Validation
from simulator.validation.summary import cells, lines

BAND = 0.10
"""Half-width of the grey band around agreement."""


@styled
def plot_validation(results: Sequence[Validation]) -> Picture:
    """A panel a data set; shorter axes are linear, longer ones logarithmic.

    Points that do not count are hollow. The picture's description holds `figures`.
    """
    columns = min(4, len(results))
    rows = ceil(len(results) / columns)
    picture = new_picture(3.4 * columns, 3.6 * rows)
    picture.description = figures(results)
    grid = list(picture.subplots(rows, columns, squeeze=False).flat)
    for axes, result in zip(grid, results, strict=False):
        _panel(axes, result)
    for axes in grid[len(results) :]:
        axes.set_visible(False)
    return picture


def figures(results: Sequence[Validation]) -> str:
    """What a picture of ``results`` shows, as text: their rows of the table, and a checksum.

    The checksum is of every point that is drawn, to six digits.
    """
    drawn = hashlib.sha256()
    for result in results:
        for point in result.points:
            drawn.update(f"{point.label} {point.measured:.6g} {point.predicted:.6g}\n".encode())
    rows = [" | ".join(cells(result)) for result in lines(results)]
    return "\n".join([*rows, f"points sha256 {drawn.hexdigest()}"])


def _panel(axes: Axes, result: Validation) -> None:
    values = [value for point in result.points for value in (point.measured, point.predicted)]
    low, high = min(values), max(values)
    pad = (high / low) ** 0.06 * 1.02
    line = [low / pad, high * pad]
    below, above = ([value * (1 + side) for value in line] for side in (-BAND, BAND))
    axes.fill_between(line, below, above, color="#e5e5e5", label=f"±{BAND:.0%}")
    axes.plot(line, line, color=INK, linewidth=0.8)
    for counts in (True, False):
        points = [point for point in result.points if (not point.set_aside) is counts]
        measured, predicted = [p.measured for p in points], [p.predicted for p in points]
        face, edge = (ACCENT, "none") if counts else ("none", QUIET)
        axes.scatter(measured, predicted, s=16, facecolor=face, edgecolor=edge, alpha=0.8, zorder=3)
    _scale(axes, high / low)
    axes.set_xlim(*line)
    axes.set_ylim(*line)
    axes.set_aspect("equal")
    counted, published = len(result.counted), len(result.points)
    shown = f"{counted} rows" if counted == published else f"{counted} of {published} rows"
    title = f"{result.dataset.title}\n{result.dataset.name}: {result.mape:.1%} off, {shown}"
    axes.set_title(title, fontsize=9, fontweight="normal")
    axes.set_xlabel(f"measured, {result.dataset.unit}")
    axes.set_ylabel(f"predicted, {result.dataset.unit}")


def _scale(axes: Axes, span: float) -> None:
    logarithmic = span > 5
    if logarithmic:
        axes.set_xscale("log")
        axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        if logarithmic:
            axis.set_major_locator(LogLocator(subs=(1, 3) if span < 100 else (1,)))
            axis.set_minor_formatter(NullFormatter())
        else:
            axis.set_major_locator(MaxNLocator(4))
        axis.set_major_formatter("{x:,g}")
