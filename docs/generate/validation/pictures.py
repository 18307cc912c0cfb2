"""Pictures of data sets, and of the mean errors of all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from math import isnan
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from generate.validation.families import Family
from simulator.pictures import Picture, new_picture
from simulator.pictures.style import INK, styled
from simulator.validation import Validation
from simulator.validation.picture import OTHER, SEEN, plot_data_set

WIDTH_INCHES: Final = 7.2
LINE_INCHES: Final = 0.2
ROOFLINE: Final = "#8a8a8a"
LEAST_ERROR: Final = 0.001
"""A tenth of a per cent: what is below lies on the edge."""


def of_data_set(result: Validation) -> bytes:
    """An SVG of all its rows."""
    return _svg(plot_data_set(result))


LEAN: Final = (
    (rb"(\.\d)\d{5}", rb"\1"),  # a tenth of a point will do
    (rb"\n +", rb"\n"),
    (rb'<g clip-path="[^"]*">\n(<use [^>]*opacity[^>]*/>)\n</g>', rb"\1"),  # no mark lies outside
)
"""What matplotlib writes and no eye sees, and what stands for it."""


@styled
def _svg(picture: Picture) -> bytes:
    buffer = BytesIO()
    metadata = {"Date": None, "Description": picture.description or None}
    picture.savefig(buffer, format="svg", metadata=metadata)
    made = buffer.getvalue()
    for written, lean in LEAN:
        made = re.sub(written, lean, made)
    return made


@styled
def overview(pages: Sequence[Family], results: Mapping[str, Validation]) -> bytes:
    """Mean errors of every data set, of the model and of a roofline, an SVG."""
    names = [name for family in pages for name in family.sets]
    picture = new_picture(WIDTH_INCHES, LINE_INCHES * len(names) + 1)
    axes = picture.add_subplot()
    for at, name in enumerate(names):
        _line(axes, at, results[name])
    _legend(axes)
    axes.set_xscale("log")
    axes.set_xlim(LEAST_ERROR, 1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{100 * ratio:g} %"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("mean error of the rows that count")
    axes.grid(axis="both")
    return _svg(picture)


def _line(axes: Axes, at: int, result: Validation) -> None:
    """The marks of one data set."""
    for line in result.lines():
        look = SEEN if line.fitted else OTHER
        if line.counted:
            axes.plot(max(line.mape, LEAST_ERROR), at, look.marker, color=look.face, clip_on=False)
    if not isnan(result.roofline_mape):
        axes.plot(result.roofline_mape, at, "x", color=ROOFLINE)


def _legend(axes: Axes) -> None:
    shown = (
        (OTHER.marker, OTHER.face, "rows that no fit has seen"),
        (SEEN.marker, SEEN.face, "rows that numbers were fitted to"),
        ("x", ROOFLINE, "all rows, by a roofline"),
    )
    for marker, colour, label in shown:
        axes.plot([], [], marker, color=colour, label=label)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.3, 1), ncols=3, labelcolor=INK, fontsize=8.5)
