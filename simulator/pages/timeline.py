"""The page of a timeline: what every core did in a layer, and what moved meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulator.pages.document import document

SCRIPTS: Final = ("elements.js", "page.js", "drawings.js", "lanes.js", "timeline.js")


@dataclass(frozen=True)
class Lane:
    """One core. Times are nanoseconds since the layer began.

    Attributes
    ----------
    tiles : tuple of int
        Start, length and number of each tile, one after the other; of several tiles without
        detail the number is -1.
    parts : tuple of int
        Start, length and kind of each part: a place in `simulator.colours.CORE_TIME_COLOURS`, or -1
        where it is not shown in detail.
    """

    core: int
    tiles: tuple[int, ...]
    parts: tuple[int, ...]


@dataclass(frozen=True)
class TimelineLayer:
    """One execution of a layer.

    Attributes
    ----------
    moved : mapping
        By level times in ns, with GB/s read and written from then on, one after the other.
    """

    name: str
    time_ns: int
    facts: tuple[str, ...]
    lanes: tuple[Lane, ...]
    moved: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class TimelinePage:
    """The layers of a run, in order."""

    title: str
    facts: tuple[str, ...]
    layers: tuple[TimelineLayer, ...]
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    made_by: str


def timeline_html(page: TimelinePage) -> str:
    """The page of a timeline, as the text of its file."""
    return document(page.title, vars(page), SCRIPTS)
