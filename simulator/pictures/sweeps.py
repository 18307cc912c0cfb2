"""Pictures of sweeps: what is worth choosing from, and a figure over two parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from simulator.errors import OutputError
from simulator.names import shortened
from simulator.pictures.numbers import make_room, number_points
from simulator.pictures.style import (
    ACCENT,
    HEAT_COLOURS,
    INK,
    QUIET,
    axis_label,
    new_picture,
    styled,
)

NAMED: Final = 12
"""Points on the front that are numbered and named in the legend."""
SIZE_INCHES: Final = (8.0, 4.6)
"""Of a picture that was not asked for."""
SHOWN: Final = ("time_ns", "energy_pj")
"""Of a sweep."""

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd


@styled
def pareto(
    panel: FigureBase | pd.DataFrame | None = None,
    frame: pd.DataFrame | None = None,
    *,
    title: str = "",
    maximise: tuple[bool, bool] = (False, False),
) -> Axes:
    """Every row as a point, and those that no other row beats in both columns, joined by a line.

    Parameters
    ----------
    panel : FigureBase, optional
        Where to draw; without one, ``pareto(frame)`` makes a picture of its own, which is
        ``axes.figure``.
    frame : DataFrame
        Two columns of numbers, whose names say their units (``time_ns``, ``area_mm2``); the index
        names the points on the front, the first dozen of them in the legend. Or the table of a
        sweep: then time and energy are shown, points are named after pattern and parameters, and
        those without figures are left out.
    maximise : (bool, bool)
        Whether more is better, for each column.

    Raises
    ------
    OutputError
        If there are not two columns of finite numbers.
    """
    panel, frame = _placed("pareto", panel, frame)
    frame = _of_a_sweep(frame)
    values = _finite(frame)
    if values.shape[1] != 2:
        raise OutputError("pareto", "wants two columns", got=list(frame.columns))
    front = _front(values * np.where(maximise, -1.0, 1.0))
    best, others = values[front], np.delete(values, front, axis=0)
    axes = panel.subplots()
    axes.scatter(values[:, 0], values[:, 1], s=34, color=QUIET, edgecolors="white",
                 label="beaten by another")  # fmt: skip
    axes.step(best[:, 0], best[:, 1], where="pre" if maximise[0] else "post", color=ACCENT,
              linewidth=1.2)  # fmt: skip
    axes.scatter(best[:, 0], best[:, 1], s=58, color=ACCENT, edgecolors="white", zorder=3,
                 label="front")  # fmt: skip
    axes.margins(0.1)
    for axis, name in zip((axes.xaxis, axes.yaxis), frame.columns, strict=True):
        axis.set_major_locator(MaxNLocator(6))
        axis.set_major_formatter("{x:,g}")
        axis.set_label_text(axis_label(str(name)))
    axes.grid()
    axes.set_title(title)
    names = [shortened(str(name), 28) for name in frame.index[front][:NAMED]]
    points = [(float(x), float(y)) for x, y in np.vstack([best, others])]
    handles = axes.get_legend_handles_labels()[0]
    beside = make_room(panel, handles, names)
    handles += number_points(axes, points, [4.0] * len(points), beside.names)
    panel.legend(handles=handles, alignment="left", **beside.place)
    return axes


def _placed(
    what: str, panel: FigureBase | pd.DataFrame | None, frame: pd.DataFrame | None
) -> tuple[FigureBase, pd.DataFrame]:
    """Where to draw and what, from arguments of which the first may be left out."""
    if not isinstance(panel, FigureBase):
        panel, frame = None, frame if panel is None else panel
    if frame is None:
        raise OutputError(what, "nothing to draw", want="a table with finite numbers")
    return panel or new_picture(*SIZE_INCHES), frame


def _of_a_sweep(frame: pd.DataFrame) -> pd.DataFrame:
    """Time and energy of a sweep's table, named after what varies; other tables as they are."""
    if not {"pattern", *SHOWN} <= set(frame.columns):
        return frame
    whole = frame.dropna(subset=list(SHOWN))
    keys = ["workload", "pattern", *(name for name in whole.columns if "." in str(name))]
    varied = [key for key in keys if key in whole and whole[key].nunique(dropna=False) > 1]
    named = [", ".join(map(_setting, varied, row)) for row in whole[varied].itertuples(index=False)]
    return whole[list(SHOWN)].set_axis(named if varied else whole.index, axis=0)


def _setting(key: str, value: object) -> str:
    """A name as it is; a number after what it sets."""
    _, dot, last = key.rpartition(".")
    return f"{last}={value}" if dot else str(value)


def _front(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Rows that no other row undercuts, cheapest first in the first column; (rows, 2) -> (front,).

    Of equal rows the first stays.
    """
    order = np.lexsort((costs[:, 1], costs[:, 0]))
    least = np.minimum.accumulate(costs[order, 1])
    undercut = np.ones(len(order), dtype=bool)
    undercut[1:] = costs[order[1:], 1] < least[:-1]
    return order[undercut]


@styled
def heat_map(
    panel: FigureBase | pd.DataFrame | None = None,
    frame: pd.DataFrame | None = None,
    *,
    title: str = "",
    value: str = "value",
) -> Axes:
    """One figure over two parameters: rows are values of the one, columns of the other.

    Parameters
    ----------
    panel : FigureBase, optional
        As in `pareto`.
    frame : DataFrame
        Numbers; names of index and columns are the parameters. NaN is drawn hatched: what did not
        fit on the machine.
    value : str
        What the numbers are; its unit stands in the name.
    """
    panel, frame = _placed("heat map", panel, frame)
    cells = frame.to_numpy(dtype=np.float64)
    if not cells.size or not np.isfinite(cells).any():
        raise OutputError("heat map", "nothing to draw", want="a table with finite numbers")
    axes = panel.subplots()
    image = axes.imshow(np.ma.masked_invalid(cells), cmap=HEAT_COLOURS, aspect="auto")
    low, high = np.nanmin(cells), np.nanmax(cells)
    decimals = max(0, 2 - max(0, math.floor(math.log10(max(abs(low), abs(high)) or 1))))
    for (row, column), cell in np.ndenumerate(cells):
        if not np.isfinite(cell):
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="#f2f2f2",
                                     edgecolor="#999999", hatch="//", linewidth=0))  # fmt: skip
            axes.text(column, row, "none", ha="center", va="center", color=INK,
                      bbox={"facecolor": "#f2f2f2", "edgecolor": "none", "pad": 2})  # fmt: skip
            continue
        dark = high == low or (cell - low) / (high - low) < 0.55
        if cells.size <= 150:
            axes.text(column, row, f"{cell:,.{decimals}f}", ha="center", va="center",
                      color="white" if dark else "black")  # fmt: skip
    axes.set_xticks(range(len(frame.columns)), [_number(x) for x in frame.columns])
    axes.set_yticks(range(len(frame.index)), [_number(y) for y in frame.index])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(axis_label(str(frame.columns.name or "column")))
    axes.set_ylabel(axis_label(str(frame.index.name or "row")))
    axes.set_title(title)
    bar = panel.colorbar(image, ax=axes, label=axis_label(value))
    bar.outline.set_visible(False)
    return axes


def _number(value: object) -> str:
    return f"{value:,g}" if isinstance(value, int | float | np.number) else str(value)


def _finite(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    try:
        values = frame.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise OutputError("pareto", "wants numbers", got=list(frame.dtypes)) from None
    if not len(values) or not np.isfinite(values).all():
        raise OutputError("pareto", "wants rows of finite numbers")
    return values
