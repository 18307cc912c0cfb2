"""Waterfalls of time, and pairs of bars: two kinds of run beside each other at every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from simulator import quantities
from simulator.names import shortened
from simulator.pictures.style import ACCENT, INK, styled
from simulator.quantities import axis_unit

OTHER: Final = "#f2b134"
"""Beside `ACCENT`; lighter, and hatched, so that they differ in print as well."""
HATCH: Final = "////"
LANE: Final = 0.4
"""Height of a bar; two stand at a step, the own one above."""


@dataclass(frozen=True)
class Drop:
    """Times after a step, in nanoseconds: of what is shown, and of what it is compared with."""

    label: str
    own_ns: float
    other_ns: float


@dataclass(frozen=True)
class Pair:
    """Two figures of one thing."""

    label: str
    own: float
    other: float


@styled
def waterfall(
    panel: FigureBase, drops: Sequence[Drop], names: tuple[str, str], *, title: str
) -> Axes:
    """Whole bars at both ends; between them what each step takes away, where it does so.

    Parameters
    ----------
    drops : sequence of Drop
        The first is where it starts, the last where it ends.
    names : (str, str)
        Of what is shown, and of what it is compared with.
    """
    axes = panel.subplots()
    longest = max(max(drop.own_ns, drop.other_ns) for drop in drops)
    unit = axis_unit(longest, quantities.TIME)
    lanes = [
        ([drop.own_ns / unit.size for drop in drops], -LANE / 2, ACCENT, None),
        ([drop.other_ns / unit.size for drop in drops], LANE / 2, OTHER, HATCH),
    ]
    labels = [drop.label for drop in drops]
    # The end is a bar of its own, on which nothing is taken away any more.
    rows = [*range(len(drops)), len(drops)]
    for times, shift, colour, hatch in lanes:
        spans = [(0.0, times[0]), *map(sorted, pairwise(times)), (0.0, times[-1])]
        starts, ends = zip(*spans, strict=True)
        widths = [end - start for start, end in zip(starts, ends, strict=True)]
        axes.barh([row + shift for row in rows], widths, LANE, starts, color=colour,
                  hatch=hatch, edgecolor="white", linewidth=0.4)  # fmt: skip
        # What carries the eye from one step to the next, also where a step takes nothing away.
        axes.vlines(times, [row + shift for row in rows[:-1]], [row + shift for row in rows[1:]],
                    color=colour, linewidth=0.9)  # fmt: skip
        for row, end, value in zip(rows, ends, [*times, times[-1]], strict=True):
            text, place = quantities.time(value * unit.size), (end, row + shift)
            axes.annotate(text, place, (4, 0), textcoords="offset points", va="center",
                          fontsize=8.5, color=INK)  # fmt: skip
    axes.set_yticks(rows, [shortened(label) for label in [*labels, "computing alone"]])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(drops) + 0.55, -0.55)
    axes.set_xlim(0, 1.16 * longest / unit.size)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel(f"device time, {unit.name}")
    axes.set_ylabel("without a limit, one after another")
    axes.grid(axis="x")
    axes.set_title(title)
    _legend(panel, names)
    return axes


@styled
def pairs(
    panel: FigureBase, rows: Sequence[Pair], names: tuple[str, str], *, title: str, xlabel: str
) -> Axes:
    """Two bars a row, from zero."""
    axes = panel.subplots()
    places = range(len(rows))
    axes.barh([place - LANE / 2 for place in places], [row.own for row in rows], LANE,
              color=ACCENT, edgecolor="white", linewidth=0.4)  # fmt: skip
    axes.barh([place + LANE / 2 for place in places], [row.other for row in rows], LANE,
              color=OTHER, hatch=HATCH, edgecolor="white", linewidth=0.4)  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(places, [shortened(row.label) for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(xlabel)
    axes.grid(axis="x")
    axes.set_title(title)
    _legend(panel, names)
    return axes


def _legend(panel: FigureBase, names: tuple[str, str]) -> None:
    own, other = names
    handles = [
        Patch(facecolor=ACCENT, label=own),
        Patch(facecolor=OTHER, hatch=HATCH, edgecolor="white", label=other),
    ]
    # Below the panel, where it hides no figure.
    panel.legend(handles=handles, loc="outside lower right", ncols=2)
