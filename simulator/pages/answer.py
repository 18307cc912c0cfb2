"""The page of an answer: what follows, in sentences, then tables with bars to sort and click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from simulator.pages.document import document
from simulator.pages.points import Column, Value

SCRIPTS: Final = (
    "elements.js",
    "page.js",
    "drawings.js",
    "command.js",
    "table.js",
    "filters.js",
    "scatter.js",
    "bars.js",
    "section.js",
    "answer.js",
)


@dataclass(frozen=True)
class Bars:
    """Bars in the rows of a table, all on one axis.

    Attributes
    ----------
    columns : tuple of int
        Of figures of one unit: each is a series, and has a bar in every row.
    base : float
        Where bars begin.
    band : float
        Figures that are nearer to the base decide nothing; 0: all do.
    band_says : str
        What that means.
    kinds : sequence of str
        Of each row a name of the palette ``core``; empty: a colour a series.
    strong : sequence of int or None
        Of each row the series that was chosen, others are pale; empty: none is.
    outside : sequence of bool
        Of each row whether the axis leaves it out: its bar is pale, and cut where the axis ends;
        empty: none is.
    is_falling : bool
        Each bar begins where that of the row before ends; the first and the last are whole.
    """

    columns: tuple[int, ...]
    base: float = 0.0
    band: float = 0.0
    band_says: str = ""
    kinds: Sequence[str] = ()
    strong: Sequence[int | None] = ()
    outside: Sequence[bool] = ()
    is_falling: bool = False


@dataclass(frozen=True)
class Plot:
    """Two figures of every row against each other.

    Attributes
    ----------
    x, y : int
        Columns of figures.
    apart : int
        The column whose values have a colour and a marker each.
    agreement : float
        Where x and y are one figure told twice: half the width, as a share, of the band around
        equality; 0: they are not.
    target : float
        A line across; 0: none.
    values : tuple of str
        Those of ``apart`` in the order of colours, so that each looks the same on every page;
        empty: those that occur.
    behind : str
        What stands behind the titles of both axes.
    """

    x: int
    y: int
    apart: int
    agreement: float = 0.0
    target: float = 0.0
    values: tuple[str, ...] = ()
    behind: str = ""


@dataclass(frozen=True)
class Section:
    """A table, what is drawn of it, and what else is known of each row.

    Attributes
    ----------
    says : tuple of str
        Sentences below the title.
    columns : tuple of Column
        The first one names rows.
    hidden : tuple of int
        Columns that are shown of the chosen row alone.
    filters : tuple of int
        Columns whose values can be picked.
    details : sequence of tuple of str
        Of each row sentences that are shown where it is chosen; empty: rows cannot be chosen.
    picks : bool
        A chosen row leaves of the next section the rows that have its name in the first filter.
    chosen : int
        The row that is chosen at first.
    group : str
        Sections of one group are shown together, under a tab where there are several groups.
    """

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Value]]
    says: tuple[str, ...] = ()
    hidden: tuple[int, ...] = ()
    filters: tuple[int, ...] = ()
    bars: Bars | None = None
    plot: Plot | None = None
    details: Sequence[tuple[str, ...]] = ()
    picks: bool = False
    chosen: int = 0
    group: str = ""


@dataclass(frozen=True)
class AnswerPage:
    """An answer, and what it rests on.

    Attributes
    ----------
    facts : tuple of str
        What was asked, in a few words each.
    sentences : tuple of str
        The answer, and what else follows.
    commands : tuple of (str, str)
        What for, and lines for a shell.
    """

    title: str
    facts: tuple[str, ...]
    sentences: tuple[str, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    made_by: str
    commands: tuple[tuple[str, str], ...] = ()


def answer_html(page: AnswerPage) -> str:
    """The page of an answer, as the text of its file.

    Raises
    ------
    ValueError
        If a figure is not finite.
    """
    return document(page.title, vars(page), SCRIPTS)
