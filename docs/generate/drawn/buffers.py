"""A tile on a timeline: what each buffer of the scratchpad holds, and what the core does."""

from __future__ import annotations

from generate.drawn.lanes import Axis, Bar, colours, spent
from generate.drawn.runs import ONE_CORE, Seen, Watched, watched
from generate.drawn.svg import Drawing
from simulator.names import words

KINDS = ("prologue", "mac_useful", "scratchpad_stall", "barrier", "memory_stall", "epilogue")
TWO_BUFFERS = ONE_CORE.replace("stage_buffers: 3", "stage_buffers: 2")


def three() -> Drawing:
    """The run of `understand/time.md`."""
    return _drawing(_runs()[0], KINDS[:4] + KINDS[5:])


def two() -> Drawing:
    """The same with one buffer less, so that stages come late."""
    return _drawing(_runs()[1], KINDS)


def _runs() -> list[Watched]:
    return [watched(machine, 128, 128, 384, "2:4") for machine in (ONE_CORE, TWO_BUFFERS)]


def _drawing(run: Watched, kinds: tuple[str, ...]) -> Drawing:
    buffers = run.program.stage_buffers
    core_y = 50 + 44 * buffers
    picture = Drawing(
        f"A tile of {len(run.stages)} stages through {buffers} buffers",
        "Each buffer of the scratchpad holds one stage after the other: on its way, waiting for "
        "its turn, worked on. The core fetches the first stage (prologue), works on stage after "
        "stage, and sends the tile out (epilogue).",
        core_y + 156,
        colours(*kinds),
    )
    axis = Axis(max(run.result.makespan_ps for run in _runs()) / 1e3)
    picture.legend(
        (104, 14),
        (("coming", "on its way"), ("held", "has arrived, waits"), ("mac_useful", "worked on")),
        (140, 190, 120),
    )
    for buffer in range(buffers):
        y = 40 + 44 * buffer
        stages = [seen for seen in run.stages if seen.stage % buffers == buffer]
        axis.lane(picture, y, f"buffer {buffer}", [bar for seen in stages for bar in _held(seen)])
        for seen in stages:
            middle = (axis.x(seen.begun) + axis.x(seen.done)) / 2
            picture.text((middle, y + 16), f"stage {seen.stage}", kind="on-mac_useful")
    axis.lane(picture, core_y, "core", spent(run, 0))
    axis.ticks(picture, core_y + 44, 500, ("µs", 1000))
    rows = [kinds[:3], kinds[3:]]
    for number, row in enumerate(rows):
        entries = [(kind, words(kind)) for kind in row]
        picture.legend((104, core_y + 100 + 28 * number), entries, [190] * len(row))
    return picture


def _held(seen: Seen) -> list[Bar]:
    """A stage's time in its buffer."""
    arrived = max(seen.arrived)
    return [
        ("coming", seen.asked, arrived),
        ("held", arrived, seen.begun),
        ("mac_useful", seen.begun, seen.done),
    ]
