"""Quality over speed: what each pattern costs and gains, with error bars, and the front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from simulator.errors import OutputError
from simulator.names import shortened
from simulator.pictures.numbers import make_room, number_points
from simulator.pictures.style import BOUNDS, INK, QUIET, styled

NAMED: Final = 12
"""Points that are numbered and named in the legend."""

COLOURS: Final = tuple(colour for colour, _ in BOUNDS.values())
MARKERS: Final = "os^PXphv"
SERIES: Final = tuple(
    (COLOURS[number % len(COLOURS)], MARKERS[(number + number // len(COLOURS)) % len(MARKERS)])
    for number in range(3 * len(COLOURS))
)
"""Colour and marker of a method: when colours begin anew, each has another marker."""
DENSE_LOOK: Final = (INK, "D")
ESTIMATE_MARKER: Final = "*"

BAR: Final = (-1, -0.6, -0.3, 0.3, 0.6, 1)
"""Places along an error bar that numbers keep off."""

STANDINGS: Final = {
    # radius in points, opacity, edge, numbered in this order
    "dense": (6.0, 1.0, "white", 0),
    "front": (5.0, 1.0, "white", 1),
    "estimate": (8.0, 1.0, INK, 2),
    "tie": (4.4, 1.0, INK, 3),
    "beaten": (3.2, 0.45, "white", 9),
    "like": (5.0, 1.0, "", 9),
}
"""How a point looks by its standing; the edge of a hollow one has its method's colour."""
NUMBERED: Final = 3
"""Standings up to here carry a number."""

SPREAD: Final = 0.08
"""Shares that differ by more, of which the best is near 1, are drawn on a scale of what is missing
to 1."""
NEAR_ONE: Final = 0.9
TICKS: Final = (0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
FLOOR: Final = 1e-4
"""Of what is missing to 1."""
LEAST_SPAN: Final = 0.05
"""Of the axis of speed-ups."""


@dataclass(frozen=True)
class Mark:
    """A point: what it is called, what it is, and where it lies.

    Attributes
    ----------
    name, series : str
    speedup, value : float
    error : float
        Half of its bar.
    standing : str
        One of `STANDINGS`.
    is_joined : bool
        On the front, whose points are joined.
    """

    name: str
    series: str
    speedup: float
    value: float
    error: float
    standing: str
    is_joined: bool = False


@dataclass(frozen=True)
class Words:
    """What stands around the points."""

    title: str
    x: str
    y: str
    error: str
    like: str = ""


@styled
def front(panel: FigureBase, marks: Sequence[Mark], words: Words, *, shares: bool = False) -> Axes:
    """Draw points with error bars, joined where no other is as fast and as good.

    What lies far below the front, and is beaten, is drawn at the lower edge as an arrow.

    Parameters
    ----------
    shares : bool
        Values are shares of 1 and shown in percent; where they spread widely below 1, on a scale
        of what is missing to it.

    Raises
    ------
    OutputError
        If a figure is not a finite number, or there is none.
    """
    values = np.array([[mark.speedup, mark.value, mark.error] for mark in marks])
    if not len(marks) or not np.isfinite(values).all():
        raise OutputError("front", "wants points of finite numbers")
    axes = panel.subplots()
    low, high = _limits(marks, shares=shares)
    _scale(axes, low, high, shares=shares)
    looks = _looks(marks)
    named = sorted(
        (mark for mark in marks if STANDINGS[mark.standing][3] <= NUMBERED),
        key=lambda mark: (STANDINGS[mark.standing][3], mark.speedup),
    )
    _line(axes, marks)
    for mark in marks:
        _point(axes, mark, DENSE_LOOK if mark.standing == "dense" else looks[mark.series], low)
    axes.set_ylim(low, high)
    _set_speedups(axes, [mark.speedup for mark in marks])
    axes.set(xlabel=words.x, ylabel=words.y)
    axes.grid()
    axes.set_title(words.title)
    handles = _legend(marks, looks, words, low)
    ordered = [*named, *(mark for mark in marks if mark not in named)]
    names = [shortened(mark.name, 30) for mark in named[:NAMED]]
    beside = make_room(panel, handles, names)
    places = [(mark.speedup, max(mark.value, low)) for mark in ordered]
    bars = [
        (mark.speedup, float(np.clip(mark.value + part * mark.error, low, high)))
        for mark in marks
        for part in BAR
        if mark.error and mark.value > low and mark.standing != "like"
    ]
    radii = [STANDINGS[mark.standing][0] for mark in ordered] + [0.0] * len(bars)
    handles += number_points(axes, [*places, *bars], radii, beside.names)
    panel.legend(handles=handles, alignment="left", **beside.place)
    return axes


def _looks(marks: Sequence[Mark]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each series by its name, so that pictures of one store agree."""
    series = sorted({mark.series for mark in marks if mark.standing != "dense"})
    return dict(zip(series, cycle(SERIES), strict=False))


def _limits(marks: Sequence[Mark], *, shares: bool) -> tuple[float, float]:
    """From the worst point that is not beaten to the best one, with room for bars and numbers.

    What is beaten has its place where that no more than doubles what is shown.
    """
    shown = [m for m in marks if m.standing not in ("beaten", "like")] or list(marks)
    low = min(mark.value - mark.error for mark in shown)
    high = max(mark.value + mark.error for mark in shown)
    near = (m.value for m in marks if m.standing == "beaten" and m.value >= 2 * low - high)
    low = min(low, *near, low)
    if shares and _is_wide(low, high):
        # A bar that comes near 1, or above, would take all the room.
        low, high = _with_room(*_missing([low, max(mark.value for mark in shown)]))
        return float(_present(low)), float(_present(high))
    return _with_room(low, high)


def _set_speedups(axes: Axes, speedups: Sequence[float]) -> None:
    """Room on both sides; hundredths of a speed-up do not fill the picture."""
    middle, span = (min(speedups) + max(speedups)) / 2, max(speedups) - min(speedups)
    half = max(0.6 * span, LEAST_SPAN / 2)
    axes.set_xlim(middle - half, middle + half)


def _with_room(low: float, high: float) -> tuple[float, float]:
    room = 0.15 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _is_wide(low: float, high: float) -> bool:
    """Shares whose differences near 1 would not be seen beside the others."""
    return high > NEAR_ONE and high - low > SPREAD


def _missing(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Shares as powers of ten of what is missing to 1: 0.9 is 1, 0.99 is 2."""
    missing: npt.NDArray[np.float64] = -np.log10(np.maximum(1 - np.asarray(values), FLOOR))
    return missing


def _present(powers: npt.ArrayLike) -> npt.NDArray[np.float64]:
    present: npt.NDArray[np.float64] = 1 - 10.0 ** -np.asarray(powers)
    return present


def _scale(axes: Axes, low: float, high: float, *, shares: bool) -> None:
    """The scale of values, its ticks and how they are written."""
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter("{x:g}x")
    if not shares:
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_formatter("{x:,g}")
        return
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    if _is_wide(low, high):
        axes.set_yscale("function", functions=(_missing, _present))
        axes.yaxis.set_major_locator(FixedLocator([t for t in TICKS if low <= t <= high]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))


def _line(axes: Axes, marks: Sequence[Mark]) -> None:
    best = sorted(
        (mark for mark in marks if mark.is_joined),
        key=lambda mark: mark.speedup,
    )
    axes.step([mark.speedup for mark in best], [mark.value for mark in best], where="pre",
              color=QUIET, linewidth=1.2, zorder=1)  # fmt: skip


def _point(axes: Axes, mark: Mark, look: tuple[str, str], low: float) -> None:
    colour, marker = look
    marker = ESTIMATE_MARKER if mark.standing == "estimate" else marker
    radius, alpha, edge, _ = STANDINGS[mark.standing]
    is_hollow = mark.standing == "like"
    is_below = mark.value < low
    if not is_below and mark.error and not is_hollow:
        axes.errorbar(mark.speedup, mark.value, mark.error, fmt="none", color=colour, alpha=alpha,
                      linewidth=1.1, capsize=2.5, zorder=2)  # fmt: skip
    axes.plot(
        mark.speedup, low if is_below else mark.value, linestyle="", clip_on=not is_below,
        marker="v" if is_below else marker,
        markersize=2 * radius, color=colour, alpha=alpha,
        markerfacecolor="none" if is_hollow else None,
        markeredgecolor=edge or colour, markeredgewidth=1.3, zorder=3 + is_hollow,
    )  # fmt: skip


def _legend(
    marks: Sequence[Mark], looks: dict[str, tuple[str, str]], words: Words, low: float
) -> list[Artist]:
    """A line a series, and one a way in which points look."""
    found: list[Artist] = [_mark(shortened(series, 30), *look) for series, look in looks.items()]
    there = {mark.standing for mark in marks if mark.value >= low}
    grey = "#8a8a8a"
    ways = {
        "dense": _mark("dense, the reference", *DENSE_LOOK),
        "tie": _mark("within its error of the front", grey, "o", edge=INK),
        "estimate": _mark("an estimate, not measured", grey, ESTIMATE_MARKER, size=14, edge=INK),
        "beaten": _mark("beaten", grey, "o", size=6, alpha=STANDINGS["beaten"][1]),
        "like": _mark(words.like, grey, "o", face="white", edge=grey),
    }
    found += [way for standing, way in ways.items() if standing in there]
    if any(mark.value < low for mark in marks):
        found.append(_mark("beaten, below the scale", grey, "v", size=6))
    if any(mark.error for mark in marks):
        found.append(Line2D([], [], linestyle="", marker="|", color=grey, markersize=11,
                            label=words.error))  # fmt: skip
    return found


def _mark(
    label: str, colour: str, marker: str, *, size: float = 9.0, alpha: float = 1.0,
    face: str | None = None, edge: str = "white",
) -> Line2D:  # fmt: skip
    return Line2D([], [], linestyle="", marker=marker, color=colour, label=label, markersize=size,
                  alpha=alpha, markerfacecolor=face or colour, markeredgecolor=edge,
                  markeredgewidth=1.3)  # fmt: skip
