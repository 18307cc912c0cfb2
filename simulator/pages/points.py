"""The page of a sweep: two figures of every point at a time, and the front of the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from simulator.pages.document import document

SCRIPTS: Final = (
    "elements.js",
    "page.js",
    "drawings.js",
    "table.js",
    "scatter.js",
    "filters.js",
    "points.js",
)

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Column:
    """What every point has one value of.

    Attributes
    ----------
    title : str
        In words.
    role : {"choice", "outcome", "figure", "text"}
        What was chosen; what came of it, as one of a few words, as a number, or in any words.
    unit : str
        Of `simulator.pages.document.UNITS`, whose base unit it is in; ``ratio`` and ``change``,
        which is one with its sign; ``times``; ``decimal``, two of them; or what is written behind
        a number.
    is_good : bool
        Of figures: whether more is better.
    """

    title: str
    role: Literal["choice", "outcome", "figure", "text"]
    unit: str = ""
    is_good: bool = False


@dataclass(frozen=True)
class PointsPage:
    """Points, and which of their columns are drawn at first.

    Attributes
    ----------
    rows : sequence of sequence
        A value a column; None where a point has none.
    apart : int
        The column whose points have a colour and a marker each.
    groups : int or None
        The column of what does not compare: each has a front of its own; None: all compare.
    x, y : int
        Columns of figures.
    best : tuple of int or None
        Rows on the front; None: those that no other beats in both figures that are drawn.
    places : tuple of str
        Where each row stands among all, in a few words; empty: on the front, or beaten.
    errors : tuple of float
        How long, up and down, the bar of each row is where ``y`` is drawn; empty: no bars.
    sentences, notes : tuple of str
        What came of it, and what one has to know about it.
    """

    title: str
    facts: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Value]]
    apart: int
    groups: int | None
    x: int
    y: int
    notes: tuple[str, ...]
    made_by: str
    sentences: tuple[str, ...] = ()
    best: tuple[int, ...] | None = None
    places: tuple[str, ...] = ()
    errors: tuple[float, ...] = ()


def points_html(page: PointsPage) -> str:
    """The page of points, as the text of its file.

    Raises
    ------
    ValueError
        If a figure is not finite.
    """
    return document(page.title, vars(page), SCRIPTS)
