"""Pictures of the machine, and what is said of its stalls: inlined by pages of `understand/`."""

from __future__ import annotations

from generate.drawn import buffers, chip, core, flight, group, roof, stage, stalls, tile, waves
from simulator.report.stalls import STALLS

PICTURES = {
    "chip": chip.drawing,
    "core": core.drawing,
    "group": group.drawing,
    "tile": tile.drawing,
    "stage": stage.drawing,
    "buffers": buffers.three,
    "buffers-two": buffers.two,
    "flight": flight.drawing,
    "roof": roof.drawing,
    "waves": waves.drawing,
}


def pages() -> dict[str, str | bytes]:
    """A picture a file, and texts that `understand/stalls.md` includes."""
    pictures = {f"drawn/{name}.svg": str(drawn()) for name, drawn in PICTURES.items()}
    lowered = {f"drawn/lowered-{kind}.txt": stalls.lowered(kind) for kind in STALLS}
    return {**pictures, "drawn/stalls.txt": stalls.table(), **lowered}
