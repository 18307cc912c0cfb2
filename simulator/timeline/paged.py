"""What a timeline passes to its page: of every layer the parts of its cores' time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from simulator.names import words
from simulator.pages import Lane, TimelineLayer, TimelinePage, timeline_html
from simulator.quantities import count
from simulator.report.account import CORE_TIME
from simulator.version import __version__

if TYPE_CHECKING:
    from simulator.timeline.trace_file import Timeline

Event = Mapping[str, Any]

KINDS: Final = {kind.replace("_", " "): at for at, kind in enumerate(CORE_TIME)}
"""Places of kinds by the names of slices."""
MULTIPLYING: Final = CORE_TIME.index("mac_useful")
"""Of a part of a layer it cannot be said how much of it is padding."""
NO_DETAIL: Final = -1
LEVELS: Final = {"L2, GB/s": "l2", "DRAM, GB/s": "dram"}


def timeline_page(timeline: Timeline) -> str:
    """The page of a run's timeline, as the text of its file."""
    layers = [event for event in timeline.events if event.get("cat") == "layer"]
    of_layers = sorted(timeline.events, key=itemgetter("pid"))  # the first pid is the host's
    events = [list(of_one) for _, of_one in groupby(of_layers, key=itemgetter("pid"))][1:]
    return timeline_html(
        TimelinePage(
            title=timeline.title,
            facts=(count(len(layers), "layer"),),
            layers=tuple(map(_layer, layers, events)),
            sentences=(),
            notes=tuple(timeline.cut),
            made_by=f"nmsim {__version__}",
        )
    )


def _layer(layer: Event, events: Sequence[Event]) -> TimelineLayer:
    """A layer's slice, and the events of its cores and levels."""
    start_ns, told = _whole_ns(layer["ts"]), layer["args"]
    slices = [event for event in events if event["ph"] == "X"]
    by_core: dict[int, list[Event]] = {}
    for event in slices:
        by_core.setdefault(event["tid"], []).append(event)
    return TimelineLayer(
        name=layer["name"],
        time_ns=_whole_ns(layer["dur"]),
        facts=(
            f"mapping {told['mapping']}", f"ran as {told['executed_as']}",
            f"bound by {words(told['bound'])}", count(told["stages"], "stage"),
        ),
        lanes=tuple(_lane(at, by_core[tid], start_ns) for at, tid in enumerate(sorted(by_core))),
        moved={
            level: tuple(chain.from_iterable(_counted(events, name, start_ns)))
            for name, level in LEVELS.items()
        },
    )  # fmt: skip


def _lane(core: int, slices: Sequence[Event], start_ns: int) -> Lane:
    tiles: list[int] = []
    parts: list[int] = []
    for one in slices:
        at_ns, length_ns = _whole_ns(one["ts"]) - start_ns, _whole_ns(one["dur"])
        if one["cat"] in ("tile", "cut"):
            tiles += at_ns, length_ns, one.get("args", {}).get("tile", NO_DETAIL)
        shown_ns, kind = _part(one, length_ns)
        if shown_ns:
            parts += at_ns, shown_ns, kind
    return Lane(core, tuple(tiles), tuple(parts))


def _part(one: Event, length_ns: int) -> tuple[int, int]:
    """Length and kind; of a stage its MACs, and of a tile nothing, as others are of their own."""
    if one["cat"] == "tile":
        return 0, NO_DETAIL
    if one["cat"] == "stage":
        return min(length_ns, round(one["args"].get("mac_ns", 0))), MULTIPLYING
    return length_ns, KINDS.get(one["name"], NO_DETAIL)


def _counted(events: Sequence[Event], name: str, start_ns: int) -> Iterator[tuple[float, ...]]:
    for event in events:
        if event["ph"] == "C" and event["name"] == name:
            moved = event["args"]
            yield _whole_ns(event["ts"]) - start_ns, moved["read"], moved["written"]


def _whole_ns(time_us: float) -> int:
    return round(1000 * time_us)
