"""What cores and buffers do, as bars along time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from generate.drawn.runs import Seen, Watched
from generate.drawn.svg import WIDTH, Drawing
from simulator.colours import CORE_TIME_COLOURS
from simulator.names import words

LEFT: Final = 104.0
"""Where time begins; names of lanes stand before it."""

Bar = tuple[str, float, float]
"""A kind of time, and from when to when, in nanoseconds."""


@dataclass(frozen=True)
class Axis:
    """Time, from 0 to an end in nanoseconds, across a drawing."""

    end: float

    def x(self, at: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * at / self.end

    def lane(self, picture: Drawing, y: float, name: str, bars: list[Bar]) -> None:
        """Bars of one core or buffer, 32 high; each says what it is to who points at it."""
        picture.text((0, y + 16), name, anchor="start")
        for kind, start, end in bars:
            tip = f"{words(kind)}: {end - start:.1f} ns, from {start:.1f} to {end:.1f}"
            picture.box((self.x(start), y), (self.x(end) - self.x(start), 32), kind, tip=tip)

    def ticks(self, picture: Drawing, y: float, step: float, unit: tuple[str, float]) -> None:
        """A line with a number at every step; ``unit`` is its name, and its nanoseconds."""
        name, ns = unit
        picture.path([(LEFT, y), (WIDTH - 10, y)], "wire")
        marks = int(self.end / step)
        for mark in range(marks + 1):
            x = self.x(mark * step)
            picture.path([(x, y), (x, y + 6)], "wire")
            picture.text((x, y + 20), f"{mark * step / ns:g}")
        picture.text((0, y + 20), name, anchor="start")


def spent(run: Watched, core: int) -> list[Bar]:
    """All that a core did, in order; until the run ends."""
    stages = run.of_core(core)
    bars = [bar for seen in stages for bar in (*_waits(seen), *worked(seen))]
    account, end = run.account(core), run.result.makespan_ps / 1e3
    idle = end - account.idle / 1e3
    last = stages[-1].done if stages else 0.0
    return [*bars, ("epilogue", last, idle), ("idle", idle, end)]


def _waits(seen: Seen) -> Iterator[Bar]:
    """What a core waited for before a stage: the tile before leaves first."""
    parts = {kind: ps / 1e3 for kind, ps in seen.waits._asdict().items()}
    at = seen.since
    for kind in ("epilogue", "reduction", "prologue", "memory_stall"):
        if parts[kind]:
            yield kind, at, at + parts[kind]
            at += parts[kind]


def worked(seen: Seen) -> list[Bar]:
    """A stage: MACs, what it takes longer, and the barrier."""
    stall = "operand_stall" if seen.cost.stalled_by_operand else "scratchpad_stall"
    kinds = ("mac_useful", stall, "vector_stall", "barrier")
    cost = seen.cost
    lengths = (cost.mac_ps, cost.stall_ps, cost.vector_stall_ps, cost.barrier_ps)
    edges = [seen.begun]
    for length in lengths:
        edges.append(edges[-1] + length / 1e3)
    return [
        (kind, start, end)
        for kind, (start, end) in zip(kinds, pairwise(edges), strict=True)
        if end > start
    ]


def colours(*kinds: str) -> dict[str, str]:
    return {kind: CORE_TIME_COLOURS[kind] for kind in kinds}
