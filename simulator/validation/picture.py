"""Predicted against measured, one panel a data set."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from simulator.pictures import Picture, new_picture
from simulator.pictures.style import ACCENT, INK, styled
from simulator.validation import Validation

BAND = 0.10
"""Half-width of the grey band around agreement."""


@styled
def plot_validation(results: Sequence[Validation]) -> Picture:
    """A panel a data set; shorter axes are linear, longer ones logarithmic."""
    columns = min(4, len(results))
    rows = ceil(len(results) / columns)
    picture = new_picture(3.4 * columns, 3.6 * rows)
    grid = picture.subplots(rows, columns, squeeze=False)
    for axes, result in zip(grid.flat, results, strict=False):
        measured = [point.measured for point in result.points]
        predicted = [point.predicted for point in result.points]
        low, high = min(measured + predicted), max(measured + predicted)
        pad = (high / low) ** 0.06 * 1.02
        line = [low / pad, high * pad]
        axes.fill_between(
            line,
            [value * (1 - BAND) for value in line],
            [value * (1 + BAND) for value in line],
            color="#e5e5e5",
            label=f"±{BAND:.0%}",
        )
        axes.plot(line, line, color=INK, linewidth=0.8)
        axes.scatter(measured, predicted, s=16, color=ACCENT, alpha=0.8, zorder=3)
        if high / low > 5:
            axes.set_xscale("log")
            axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            if high / low > 5:
                axis.set_major_locator(LogLocator(subs=(1, 3) if high / low < 100 else (1,)))
                axis.set_minor_formatter(NullFormatter())
            else:
                axis.set_major_locator(MaxNLocator(4))
            axis.set_major_formatter("{x:,g}")
        axes.set_xlim(*line)
        axes.set_ylim(*line)
        axes.set_aspect("equal")
        title = f"{result.dataset.title}\n{result.mape:.1%} mean error"
        axes.set_title(title, fontsize=10, fontweight="normal")
        axes.set_xlabel(f"measured, {result.dataset.unit}")
        axes.set_ylabel(f"predicted, {result.dataset.unit}")
    for axes in list(grid.flat)[len(results) :]:
        axes.set_visible(False)
    return picture
