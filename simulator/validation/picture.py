"""Predicted against measured, and the error against size: below it, a column a data set; or, of
one data set alone, beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

from simulator.pictures import Picture, new_picture
from simulator.pictures.style import ACCENT, INK, QUIET, styled
from simulator.validation import Measurement, Validation
from simulator.validation.summary import BAND, cells, lines

COLUMNS: Final = 5
CELL_INCHES: Final = (3.25, 4.8)
"""Of a data set's two panels together, with their titles and labels."""
SIDE_INCHES, ERROR_INCHES = 2.2, 0.85
"""Sides of the upper panel, and height of the lower one."""
LEFT_INCHES, BELOW_INCHES, BETWEEN_INCHES, LEGEND_INCHES = 0.78, 0.55, 0.6, 0.6

SMALL: Final = 8.5
"""Points of letters: a picture of thirty panels is looked at from near."""


@dataclass(frozen=True)
class Look:
    """How points of one kind are drawn, and what the legend calls them."""

    label: str
    marker: str
    face: str
    edge: str


SEEN = Look("row that constants were fitted to (*)", "D", "#d55e00", "none")
OTHER = Look("row that no fit has seen", "o", ACCENT, "none")
ASIDE = Look("row that does not count", "o", "none", QUIET)
BEYOND = Look("one with an error beyond the axis", "v", "none", QUIET)
LOOKS: Final = (SEEN, OTHER, ASIDE)


@styled
def plot_validation(results: Sequence[Validation]) -> Picture:
    """Two panels a data set; shorter axes are linear, longer ones logarithmic.

    The picture's description holds `figures`.
    """
    columns = min(COLUMNS, len(results))
    rows = ceil(len(results) / columns)
    width, height = CELL_INCHES
    picture = new_picture(max(2 * width, width * columns), height * rows + LEGEND_INCHES)
    picture.set_layout_engine(None)  # sizes are fixed: solving for them takes ten seconds
    picture.description = figures(results)
    for number, result in enumerate(results):
        row, column = divmod(number, columns)
        left, below = column * width, (rows - 1 - row) * height
        _agreement(
            _panel(picture, left, below + ERROR_INCHES + BETWEEN_INCHES, SIDE_INCHES), result
        )
        _errors(_panel(picture, left, below, ERROR_INCHES), result)
    _legend(picture, columns, _looks(results))
    return picture


ONE_INCHES: Final = (7.2, 3.9)
"""Of the picture of one data set, which is as wide as text on a page."""
ONE_SIDE_INCHES: Final = 2.5


@styled
def plot_data_set(result: Validation) -> Picture:
    """Both panels of one data set side by side, without a title."""
    width, height = ONE_INCHES
    picture = new_picture(width, height)
    picture.set_layout_engine(None)
    picture.description = figures([result])
    side = ONE_SIDE_INCHES
    agreement = _panel(picture, 0, 0, side, side)
    _agreement(agreement, result)
    agreement.set_title("")
    right = LEFT_INCHES + side
    _errors(_panel(picture, right, 0, side, width - right - LEFT_INCHES - 0.3), result)
    _legend(picture, 2, _looks([result]))
    return picture


def _panel(
    picture: Picture, left: float, below: float, height: float, width: float = SIDE_INCHES
) -> Axes:
    """Axes at a place in inches, from the corner of what belongs to their data set."""
    across, up = picture.get_size_inches()
    corner = (left + LEFT_INCHES) / across, (below + BELOW_INCHES) / up
    return picture.add_axes((*corner, width / across, height / up))


def figures(results: Sequence[Validation]) -> str:
    """What a picture of ``results`` shows, as text: their rows of the table, and a checksum.

    The checksum is of every point that is drawn, to six digits.
    """
    drawn = hashlib.sha256()
    for result in results:
        for point in result.points:
            drawn.update(f"{point.label} {point.measured:.6g} {point.predicted:.6g}\n".encode())
    rows = [" | ".join(cells(line)) for line in lines(results)]
    return "\n".join([*rows, f"points sha256 {drawn.hexdigest()}"])


def _legend(picture: Picture, columns: int, looks: Sequence[Look]) -> None:
    """What the band, the line and the marks are."""
    handles: list[Patch | Line2D] = [
        Patch(color="#e5e5e5", label=f"grey band: within {100 * BAND:.0f} % of what was measured"),
        Line2D([], [], color=INK, linewidth=0.8, label="as measured"),
    ]
    handles += [
        Line2D([], [], linestyle="none", marker=look.marker, label=look.label,
               markerfacecolor=look.face, markeredgecolor=look.edge, markersize=5)
        for look in looks
    ]  # fmt: skip
    picture.legend(handles=handles, loc="upper left", ncols=2 if columns < 3 else 3, fontsize=9)


def _look(point: Measurement) -> Look:
    return ASIDE if point.set_aside else SEEN if point.fitted else OTHER


def _looks(results: Sequence[Validation]) -> list[Look]:
    """Those that occur, in the legend's order."""
    drawn = {_look(point) for result in results for point in result.points}
    is_beyond = any(
        abs(point.error) > _most(result) for result in results for point in result.points
    )
    return [look for look in LOOKS if look in drawn] + [BEYOND] * is_beyond


def _most(result: Validation) -> float:
    """How far the axis of errors goes either way: points that do not count do not stretch it."""
    return 1.15 * max([1.5 * BAND, *(abs(point.error) for point in result.counted)])


def _scatter(
    axes: Axes, points: Sequence[Measurement], xs: Sequence[float], ys: Sequence[float]
) -> None:
    for look in LOOKS:
        shown = [at for at, point in enumerate(points) if _look(point) is look]
        axes.scatter([xs[at] for at in shown], [ys[at] for at in shown], s=15, marker=look.marker,
                     facecolor=look.face, edgecolor=look.edge, alpha=0.75, zorder=3)  # fmt: skip


def _agreement(axes: Axes, result: Validation) -> None:
    """Predicted against measured, in one unit on both axes."""
    measured = [point.measured for point in result.points]
    predicted = [point.predicted for point in result.points]
    low, high = min(measured + predicted), max(measured + predicted)
    pad = (high / low) ** 0.06 * 1.02
    line = [low / pad, high * pad]
    below, above = ([value * (1 + side) for value in line] for side in (-BAND, BAND))
    axes.fill_between(line, below, above, color="#e5e5e5")
    axes.plot(line, line, color=INK, linewidth=0.8)
    _scatter(axes, result.points, measured, predicted)
    for axis in "xy":
        _scale(axes, axis, high / low)
    axes.set(xlim=line, ylim=line)
    axes.set_title(
        _title(result), fontsize=SMALL, fontweight="normal", x=-0.9 * LEFT_INCHES / SIDE_INCHES
    )
    axes.set_xlabel(f"measured, {result.dataset.unit}", fontsize=SMALL)
    axes.set_ylabel(f"predicted, {result.dataset.unit}", fontsize=SMALL)


def _title(result: Validation) -> str:
    """What it is, and of each line its mean error and rows."""
    said = [result.dataset.title]
    for line in result.lines():
        name, rows, mean, *_ = cells(line)
        said.append(f"{name}: {mean} %, {rows} rows")
    return "\n".join(said)


def _errors(axes: Axes, result: Validation) -> None:
    """The error against MACs where all points have some, else against what was measured.

    What lies beyond the axis is a triangle on its edge.
    """
    has_macs = all(point.macs for point in result.points)
    sizes = [point.macs / 1e9 if has_macs else point.measured for point in result.points]
    most = _most(result)
    axes.axhspan(-BAND, BAND, color="#e5e5e5")
    axes.axhline(0, color=INK, linewidth=0.8)
    errors = [point.error for point in result.points]
    within = [at for at, error in enumerate(errors) if abs(error) <= most]
    _scatter(
        axes,
        [result.points[at] for at in within],
        [sizes[at] for at in within],
        [errors[at] for at in within],
    )
    for edge, marker in ((-most, "v"), (most, "^")):
        beyond = [at for at, error in enumerate(errors) if error / edge > 1]
        axes.scatter([sizes[at] for at in beyond], [edge] * len(beyond), s=24, marker=marker,
                     facecolor=BEYOND.face, edgecolor=BEYOND.edge, clip_on=False)  # fmt: skip
    _scale(axes, "x", max(sizes) / min(sizes))
    axes.set_ylim(-most, most)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel(
        "size, GMAC" if has_macs else f"measured, {result.dataset.unit}", fontsize=SMALL
    )
    axes.set_ylabel("error", fontsize=SMALL)
    axes.yaxis.set_tick_params(labelsize=SMALL)


def _scale(axes: Axes, name: str, span: float) -> None:
    """A linear or a logarithmic axis, by how much it spans."""
    axis = axes.xaxis if name == "x" else axes.yaxis
    if span > 5:
        (axes.set_xscale if name == "x" else axes.set_yscale)("log")
        axis.set_major_locator(LogLocator(subs=(1, 3) if span < 50 else (1,), numticks=5))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(MaxNLocator(4))
    axis.set_major_formatter("{x:,g}")
    axis.set_tick_params(labelsize=SMALL)
