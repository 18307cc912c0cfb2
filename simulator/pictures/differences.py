"""Bars of a difference: what grew to the right, what shrank to the left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from simulator import quantities
from simulator.names import shortened
from simulator.pictures.style import INK, styled
from simulator.quantities import axis_unit

NOTE_SHARE: Final = 0.02
"""Of the width of a panel, what a character of a note takes."""


@dataclass(frozen=True)
class Change:
    """Nanoseconds by which something changed, and what is written beside its bar."""

    label: str
    change_ns: float
    note: str
    colour: str


@styled
def changes(panel: FigureBase, bars: Sequence[Change], *, title: str) -> Axes:
    """A bar a change, from the line of no change."""
    axes = panel.subplots()
    widest = max((abs(bar.change_ns) for bar in bars), default=0.0)
    unit = axis_unit(widest, quantities.TIME)
    for row, bar in enumerate(bars):
        width = bar.change_ns / unit.size
        axes.barh(row, width, 0.68, color=bar.colour, edgecolor=INK, linewidth=0.4)
        axes.annotate(bar.note, (max(width, 0), row), (4, 0), textcoords="offset points",
                      va="center", fontsize=9, annotation_clip=False)  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_yticks(range(len(bars)), [shortened(bar.label, 28) for bar in bars])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(bars), 1) - 0.4, -0.6)
    low, high = (edge([0.0, *(bar.change_ns / unit.size for bar in bars)]) for edge in (min, max))
    room = 0.03 + NOTE_SHARE * max((len(bar.note) for bar in bars), default=0)
    axes.set_xlim(low, high + ((high - low) or 1) * room / (1 - room))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel(f"change of time, {unit.name}")
    axes.grid(axis="x")
    axes.set_title(title)
    return axes
