"""Several cores that share tiles: waves, and who is idle in the last one."""

from __future__ import annotations

from generate.drawn.lanes import Axis, colours, spent
from generate.drawn.runs import ONE_CORE, watched
from generate.drawn.svg import Drawing
from simulator.names import words

FOUR_CORES = ONE_CORE.replace("count: 1", "count: 4")
KINDS = ("prologue", "mac_useful", "scratchpad_stall", "barrier", "epilogue", "idle")


def drawing() -> Drawing:
    """Nine tiles on four cores."""
    run = watched(FOUR_CORES, 384, 384, 384, "2:4")
    picture = Drawing(
        "Nine tiles on four cores",
        "Each core takes a tile, works on it, and takes the next that is left. In the third wave "
        "one core has a tile and three are idle.",
        320,
        colours(*KINDS),
    )
    axis = Axis(run.result.makespan_ps / 1e3)
    for core in range(run.program.cores):
        y = 28 + 44 * core
        axis.lane(picture, y, f"core {core}", spent(run, core))
        for tile in sorted({seen.tile for seen in run.of_core(core)}):
            number, first = str(tile), next(x for x in run.of_core(core) if x.tile == tile)
            picture.text((axis.x(first.begun) - 20, y + 16), number, kind="on-prologue")
    axis.ticks(picture, 208, 2000, ("µs", 1000))
    for number, row in enumerate((KINDS[:3], KINDS[3:])):
        picture.legend((104, 266 + 28 * number), [(kind, words(kind)) for kind in row], [190] * 3)
    return picture
