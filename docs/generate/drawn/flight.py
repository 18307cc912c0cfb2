"""Two cores that want the same block of W: one read of DRAM, and a hit in flight."""

from __future__ import annotations

from generate.drawn.lanes import Axis
from generate.drawn.runs import ONE_CORE, watched
from generate.drawn.stage import way
from generate.drawn.svg import Drawing
from simulator.colours import OPERAND_COLOURS

TWO_CORES = ONE_CORE.replace("count: 1", "count: 2")


def drawing() -> Drawing:
    """The first stages of two tiles in one row of tiles."""
    run = watched(TWO_CORES, 128, 256, 384, "2:4")
    firsts = [run.of_core(core)[0] for core in (0, 1)]
    axis = Axis(max(max(seen.arrived) for seen in firsts))
    picture = Drawing(
        "A hit in flight",
        "Core 0 asks for a block of W, which is read from DRAM. Core 1 asks for the same block "
        "while it is on its way: it waits for the same read. Their blocks of X differ, and are "
        "read each.",
        264,
        {kind: OPERAND_COLOURS[kind] for kind in ("weights", "activations")},
    )
    y = 10.0
    for seen in firsts:
        for kind, (asked, port, arrived) in way(run, seen).items():
            name = f"core {seen.core}, {'W' if kind == 'weights' else 'X'}"
            axis.lane(picture, y, name, [("coming", asked, port), (kind, port, arrived)])
            shared = seen.core and kind == "weights"
            words = "in flight: waits for core 0's read" if shared else "miss: reads DRAM"
            picture.text(((axis.x(asked) + axis.x(port)) / 2, y + 16), words)
            picture.text(((axis.x(port) + axis.x(arrived)) / 2, y + 16), "port", kind=f"on-{kind}")
            y += 44
        y += 16
    axis.ticks(picture, y, 100, ("ns", 1))
    return picture
