"""Pictures of `06_why_groups`: kept energy by group size, and beside speed-up."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from simulator.pictures import new_picture
from simulator.pictures.style import Picture

COLOURS = ("#0a4f86", "#d55e00", "#007a5a")  # by density
NEAR = {"textcoords": "offset points", "fontsize": 11}


def by_group(keeps: pd.DataFrame) -> Picture:
    """A panel a source of weights: kept energy over group size, a line a density."""
    picture = new_picture(8, 4.2)
    sources = keeps.columns.get_level_values(0).unique()
    panels = picture.subplots(1, len(sources), sharey=True)
    for axes, source in zip(panels, sources, strict=True):
        energy = 100 * keeps[source, "energy"]
        densities = energy.index.get_level_values(0).unique()
        for density, colour in zip(densities, COLOURS, strict=True):
            groups = energy[density].drop(["unstructured", "global"])
            axes.plot(list(groups.index), groups, "o-", color=colour, label=density)
            axes.axhline(energy[density, "unstructured"], color=colour, linestyle="--", linewidth=1)
        axes.set_xscale("log", base=2)
        axes.set_xticks([2, 4, 8, 16, 32], [2, 4, 8, 16, 32])
        axes.set_xlabel("group size")
        axes.set_title(f"{source}; dashed: unstructured", loc="left", weight="bold", fontsize=11)
        axes.grid(color="#e3e3e3")
    panels[0].set_ylabel("kept energy, %")
    panels[0].set_ylim(0, 100)
    panels[-1].legend(title="weights kept", loc="lower left", frameon=False, ncols=3, fontsize=9)
    return picture


def both_sides(
    energy: pd.Series,
    speedup: Mapping[str, float],
    patterns: Mapping[str, Mapping[int, str]],
    unstructured: Mapping[str, str],
) -> Picture:
    """Kept energy over speed-up: a line a density, whose points are group sizes."""
    picture = new_picture(8, 5)
    axes = picture.subplots()
    axes.plot(1, 100, "k*", markersize=13)
    axes.annotate("dense", (1, 100), (10, -4), **NEAR)
    for (density, of_density), colour in zip(patterns.items(), COLOURS, strict=True):
        x = [speedup[pattern] for pattern in of_density.values()]
        y = [100 * energy[density, group] for group in of_density]
        axes.plot(x, y, "o-", color=colour, label=f"{density} of the weights kept")
        for group, *point in zip(of_density, x, y, strict=True):
            axes.annotate(f"{group}", point, (-6, -13), ha="right", color=colour, **NEAR)
        free = 100 * energy[density, "unstructured"]
        axes.axhline(free, color=colour, linestyle="--", linewidth=1)
        note = f"unstructured, {speedup[unstructured[density]]:.2f}x"
        axes.annotate(note, (2.42, free), (0, 4), ha="right", color=colour, **NEAR)
    axes.set_xlim(0.9, 2.45)
    axes.set_ylim(40, 103)
    axes.set_xlabel("speed-up over dense, ratio")
    axes.set_ylabel("kept energy, %")
    title = "What groups keep and give: MiniLM's weights, nm-flex"
    axes.set_title(title, loc="left", weight="bold")
    axes.grid(color="#e3e3e3")
    axes.legend(loc="lower left", frameon=False)
    return picture
