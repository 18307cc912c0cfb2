"""Predicted against measured, one panel a data set."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from simulator.errors import writing
from simulator.validation import Validation

BAND = 0.10
"""Half-width of the grey band around agreement."""


def draw_validation(results: Sequence[Validation], path: str | Path) -> None:
    """Write a PNG, SVG or PDF by the file's name; shorter axes are linear, longer logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    columns = min(4, len(results))
    rows = ceil(len(results) / columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(3.3 * columns, 3.4 * rows), squeeze=False, layout="constrained"
    )
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
        axes.plot(line, line, color="#888888", linewidth=0.8)
        axes.scatter(measured, predicted, s=16, color="#30638e", alpha=0.8, zorder=3)
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
        axes.set_title(f"{result.dataset.title}\n{result.mape:.1%} mean error", fontsize=9)
        axes.tick_params(labelsize=7, which="both")
        axes.set_xlabel(f"measured, {result.dataset.unit}", fontsize=8)
        axes.set_ylabel("predicted", fontsize=8)
    for axes in list(grid.flat)[len(results) :]:
        axes.set_visible(False)
    with writing(path):
        figure.savefig(path, dpi=130)
    plt.close(figure)
