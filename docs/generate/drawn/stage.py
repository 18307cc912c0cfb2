"""One stage on a timeline: asked for, on its way, loaded into registers, multiplied."""

from __future__ import annotations

from generate.drawn.lanes import Axis, Bar, colours, worked
from generate.drawn.runs import ONE_CORE, Seen, Watched, watched
from generate.drawn.svg import Drawing
from simulator.colours import OPERAND_COLOURS

OPERANDS = {kind: OPERAND_COLOURS[kind] for kind in ("weights", "activations")}
KINDS = ("mac_useful", "scratchpad_stall", "barrier", "prologue")


def drawing() -> Drawing:
    """The first stage of the run of `understand/time.md`."""
    run = watched(ONE_CORE, 128, 128, 384, "2:4")
    seen = run.of_core(0)[0]
    axis = Axis(seen.done)
    picture = Drawing(
        "The first stage of a tile, on a timeline",
        "Blocks of W and X are asked for at one time, wait for DRAM, pass the port and arrive. "
        "Then come the first register load, multiplications, a stall for the scratchpad, and the "
        "barrier.",
        330,
        {**OPERANDS, **colours(*KINDS)},
    )
    ways = way(run, seen)
    for y, name, kind in ((30, "W block", "weights"), (98, "X block", "activations")):
        axis.lane(picture, y, name, [("coming", *ways[kind][:2]), (kind, *ways[kind][1:])])
        for words, start, end in zip(("DRAM", "port"), ways[kind], ways[kind][1:], strict=False):
            _length(picture, axis, y, (words, start, end))
    _core(picture, axis, seen)
    axis.ticks(picture, 264, 200, ("ns", 1))
    return picture


def way(run: Watched, seen: Seen) -> dict[str, tuple[float, float, float]]:
    """Of each block when it was asked for, entered the port, and had arrived."""
    kind = run.program.costs.index(seen.cost)
    ports = run.program.rows_port_ps[kind], run.program.columns_port_ps[kind]
    return {
        operand: (seen.asked, arrived - int(port) / 1e3, arrived)
        for operand, arrived, port in zip(OPERANDS, seen.arrived, ports, strict=True)
    }


def _length(picture: Drawing, axis: Axis, y: float, bar: Bar) -> None:
    """What a bar is, and for how long, below it."""
    words, start, end = bar
    picture.text(((axis.x(start) + axis.x(end)) / 2, y + 46), f"{words} {end - start:.0f}")


def _core(picture: Drawing, axis: Axis, seen: Seen) -> None:
    arrived = max(seen.arrived)
    bars = worked(seen)
    waits: list[Bar] = [("prologue", 0, arrived), ("prologue", arrived, seen.begun)]
    axis.lane(picture, 176, "core", [*waits, *bars])
    named = {"mac_useful": "MACs", "scratchpad_stall": "stall", "barrier": "barrier"}
    _length(picture, axis, 176, ("waits", 0, arrived))
    _length(picture, axis, 176, ("registers", arrived, seen.begun))
    for kind, start, end in bars:
        if kind != "barrier":
            _length(picture, axis, 176, (named[kind], start, end))
    kind, start, end = bars[-1]
    picture.text((axis.x(end), 156), f"{named[kind]} {end - start:.0f}", anchor="end")
