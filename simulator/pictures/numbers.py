"""Numbers beside points, kept out of each other's way, and the legend that says what they name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.transforms import BboxBase

from simulator.pictures.style import HALO

PIXELS_PER_POINT: Final = 100 / 72  # matplotlib's own resolution, in which places are found
ROOM_PIXELS: Final = 17
"""Free space that a number should have around its middle."""
MOST_BESIDE: Final = 0.5
MOST_ALONG: Final = 0.92
"""Of a panel's width and height: a legend at its side may take half of the one and nearly all of
the other, and one below the other way round."""

Pixels = npt.NDArray[np.float64]


def number_points(
    axes: Axes,
    points: Sequence[tuple[float, float]],
    radii: Sequence[float],
    names: Sequence[str],
) -> list[Line2D]:
    """Write 1, 2, ... beside the first points, as many as there are names; return legend entries.

    Parameters
    ----------
    points : sequence of (x, y)
        All points, named or not, in data; the axes have their final limits.
    radii : sequence
        Of the points' markers, in points of 1/72 inch.
    """
    pixels = axes.transData.transform(points) if len(points) else np.empty((0, 2))
    taken: list[Pixels] = []
    handles = []
    for index, name in enumerate(names):
        offset = _free_offset(pixels[index], radii[index], pixels, taken)
        axes.annotate(
            str(index + 1), points[index], offset, textcoords="offset points",
            ha="center", va="center", fontsize=10, zorder=5,
            annotation_clip=False, path_effects=HALO,
            arrowprops={"arrowstyle": "-", "color": "#777777", "linewidth": 0.7,
                        "shrinkA": 0, "shrinkB": 2},
        )  # fmt: skip
        handles.append(Line2D([], [], linestyle="", label=f"{index + 1}  {name}"))
    return handles


def _free_offset(
    at: Pixels, radius: float, points: Pixels, taken: list[Pixels]
) -> tuple[float, float]:
    """Where the point ``at`` gets its number, in points from it: the first place that is free.

    Where none is, the one with most room. It is added to ``taken``.
    """
    best_room, best = -1.0, np.zeros(2)
    for distance in (12, 20, 30, 42):
        for angle in (-90, -45, -135, 0, 180, 45, 135, 90):
            way = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
            offset = way * (radius + distance)
            others = np.vstack([points, *taken])
            room = float(np.abs(others - at - offset * PIXELS_PER_POINT).max(axis=1).min())
            if room > best_room:
                best_room, best = room, offset
            if room > ROOM_PIXELS:
                break
        if best_room > ROOM_PIXELS:
            break
    taken.append(at + best * PIXELS_PER_POINT)
    return float(best[0]), float(best[1])


class Beside(NamedTuple):
    """A legend outside of the points: what it names, and where it stands."""

    names: Sequence[str]
    place: dict[str, Any]


def make_room(panel: FigureBase, marks: Sequence[Artist], names: Sequence[str]) -> Beside:
    """Where a legend of marks and names finds room outside of the points, and for which names."""
    figure = panel.get_figure(root=True)
    assert figure is not None
    if figure.get_layout_engine() is None:  # nothing else makes room outside of axes
        figure.set_layout_engine("constrained")
    whole = panel.get_window_extent()
    for count in range(len(names), -1, -1):
        lines = [Line2D([], [], linestyle="", label=f"0  {name}") for name in names[:count]]
        box = _size(panel, [*marks, *lines], 1)
        if box.width < MOST_BESIDE * whole.width and box.height < MOST_ALONG * whole.height:
            return Beside(names[:count], {"loc": "outside right upper"})
        columns = max(1, int(0.9 * whole.width / box.width))
        box = _size(panel, [*marks, *lines], columns)
        if box.height < MOST_BESIDE * whole.height and box.width < MOST_ALONG * whole.width:
            return Beside(names[:count], {"loc": "outside lower left", "ncols": columns})
    return Beside((), {"loc": "outside lower left"})


def _size(panel: FigureBase, handles: Sequence[Artist], columns: int) -> BboxBase:
    legend = panel.legend(handles=handles, ncols=columns)
    box = legend.get_window_extent()
    legend.remove()
    return box
