"""A program once more in the reference engine, observed: what each core did, as far as wanted."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.engine import reference
from simulator.engine.result import EngineResult, Waits
from simulator.errors import OutputError
from simulator.report.account import Account
from simulator.schedule.partition import IntArray, Place
from simulator.schedule.program import Program
from simulator.schedule.timing import StageCost

REPLAYED_STAGES: Final = 20_000
"""Stages of a layer that are replayed by default: some seconds."""
SHOWN_TILES: Final = 2_000
"""Tiles of a layer that have a slice of their own; beyond, neighbours share one."""


@dataclass(frozen=True)
class TileRange:
    """Tiles, first to last, that are shown in detail; numbers are those of the tile grid."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str, where: str = "tiles") -> TileRange:
        """``FIRST:LAST``.

        Raises
        ------
        OutputError
            If the text is not that.
        """
        first, colon, last = text.strip().partition(":")
        digits = all(part.isascii() and part.isdigit() and len(part) < 16 for part in (first, last))
        if not colon or not digits or int(first) > int(last):
            raise OutputError(where, "not a range of tiles", want="FIRST:LAST, as 0:107", got=text)
        return cls(int(first), int(last))

    def __contains__(self, tile: int) -> bool:
        return self.first <= tile <= self.last


@dataclass(frozen=True)
class Detail:
    """What of a layer is shown in detail.

    ``ends`` tiles of a core at either end, of the first ``cores`` cores; or the tiles of a range.
    The replay stops after ``stages`` stages; ``shared`` tiles that are cut share a slice.
    """

    ends: int
    cores: int
    stages: int
    shared: int
    tiles: TileRange | None


def detail_of(program: Program, room: int, tiles: TileRange | None) -> Detail:
    """As much as there is ``room`` for, in stages; or the tiles asked for."""
    grid = program.grid
    shared = -(-grid.tiles // SHOWN_TILES)
    if tiles is not None:
        return Detail(0, program.cores, program.stage_events, shared, tiles)
    if program.stage_events <= min(room, REPLAYED_STAGES):
        return Detail(grid.tiles, program.cores, program.stage_events, 1, None)
    a_tile = -(-grid.stages // grid.splits)
    ends = max(1, room // (2 * program.cores * a_tile))
    cores = min(program.cores, max(1, room // (2 * ends * a_tile)))
    return Detail(ends, cores, REPLAYED_STAGES, shared, None)


class _Enough(Exception):  # noqa: N818 - not an error
    """Ends a replay of which no more is shown."""


@dataclass
class StageRecord:
    """A stage: what it waited for, and where its time went once it was worked on."""

    number: int
    waits: Account
    work: Account


@dataclass
class TileRecord:
    """A tile that a core has begun, or several that share a slice.

    ``since_ps`` is when the core was done with what came before, ``ahead`` how long it then waited
    for accumulators, and ``sums`` all that follows. ``stages`` is None without detail.
    """

    number: int
    since_ps: int
    ahead: Account
    where: dict[str, Any]
    stages: list[StageRecord] | None = field(default_factory=list)
    sums: Account = field(default_factory=Account)
    end_ps: int = 0
    count: int = 1


class Track:
    """One core's tiles, in order."""

    def __init__(self, core: int, detail: Detail) -> None:
        self.core, self.detail = core, detail
        self.tiles: list[TileRecord] = []
        self.end_ps = 0
        self.rest = Account()  # what the core's account has beyond its tiles
        self.stopped = False

    def begin(self, tile: TileRecord) -> None:
        """A tile follows; one that can no longer be among the last ones loses its detail."""
        detail = self.detail
        shown = self.core < detail.cores if detail.tiles is None else tile.number in detail.tiles
        if not shown:
            tile.stages = None
        self.tiles.append(tile)
        late = len(self.tiles) - 1 - detail.ends
        if detail.tiles is None and late >= detail.ends:
            self.tiles[late].stages = None

    def close(self, account: Account, stopped: bool) -> None:
        """Nothing follows; ``account`` is all of the core's time until the layer ends."""
        self.stopped = stopped
        self.rest = account
        for tile in self.tiles:
            self.rest = self.rest - tile.ahead - tile.sums
        merged: list[TileRecord] = []
        for tile in self.tiles:
            before = merged[-1] if merged else None
            if (
                before is None
                or before.stages is not None
                or tile.stages is not None
                or before.count == self.detail.shared
            ):
                merged.append(tile)
                continue
            before.sums = before.sums + tile.ahead + tile.sums
            before.end_ps, before.count = tile.end_ps, before.count + 1
        self.tiles = merged


class Moved:
    """Transfers of one level and direction, in order, none beside another."""

    def __init__(self) -> None:
        self.times = array("q", [0])
        self.bytes = array("q", [0])  # that have passed at each of the times

    def add(self, start_ps: int, end_ps: int, size: int) -> None:
        self.times.extend((start_ps, end_ps))
        self.bytes.extend((self.bytes[-1], self.bytes[-1] + size))

    def until(self, at_ps: IntArray) -> npt.NDArray[np.float64]:
        """Bytes that have passed at each time."""
        passed: npt.NDArray[np.float64] = np.interp(
            at_ps, np.array(self.times), np.array(self.bytes)
        )
        return passed


class Replay:
    """One program in the reference engine, watched as its `Observer`."""

    def __init__(self, program: Program, result: EngineResult, detail: Detail) -> None:
        self.program, self.detail = program, detail
        self.tracks = [Track(core, detail) for core in range(program.cores)]
        self.work = [_work(cost) for cost in program.costs]
        self.transfers = {
            level: {written: Moved() for written in (False, True)} for level in ("l2", "dram")
        }
        self.stages, self.wanted = 0, self._wanted()
        self.stopped, self.seen_ps = False, result.makespan_ps
        try:
            again = reference.run(program, self)
            assert not again.differences(result), "the engines disagree"
        except _Enough:
            self.stopped = True
            self.seen_ps = max(track.end_ps for track in self.tracks)
        for track in self.tracks:
            track.close(Account.of(program, result, core=track.core), self.stopped)

    def worked(
        self,
        core: int,
        tile: reference.TakenTile,
        stage: int,
        *,
        since_ps: int,
        waits_ps: Waits,
        stage_ps: int,
    ) -> None:
        track = self.tracks[core]
        if stage == tile.stages[0]:
            ahead = Account(epilogue=waits_ps.epilogue, reduction=waits_ps.reduction)
            track.begin(TileRecord(tile.place.tile, since_ps, ahead, _where(tile.place)))
        waits = Account(memory_stall=waits_ps.memory_stall, prologue=waits_ps.prologue)
        work = self.work[self.program.stage_kind(tile.place, stage)]
        now = track.tiles[-1]
        now.sums = now.sums + waits + work
        now.end_ps = track.end_ps = since_ps + sum(waits_ps) + stage_ps
        if now.stages is not None:
            now.stages.append(StageRecord(stage, waits, work))
        self.stages += 1
        if self.detail.tiles is not None and tile.place.tile in self.detail.tiles:
            self.wanted -= 1
        enough = self.stages >= self.detail.stages or self.wanted <= 0
        if enough and self.stages < self.program.stage_events:
            raise _Enough

    def moved(self, level: str, written: bool, start_ps: int, end_ps: int, size: int) -> None:
        self.transfers[level][written].add(start_ps, end_ps, size)

    def note(self, layer: str) -> str:
        """What is not shown in detail, in a sentence; empty where all is."""
        shown = sum(len(t.stages) for track in self.tracks for t in track.tiles if t.stages)
        if shown == self.program.stage_events:
            return ""
        text = f"{layer}: {shown} of {self.program.stage_events} stages in detail"
        if self.stopped:
            text += f", replayed until {self.seen_ps / 1e6:,.3f} µs after its start"
        return text

    def _wanted(self) -> int:
        """Stages of the tiles asked for; without a range, all."""
        tiles, grid = self.detail.tiles, self.program.grid
        if tiles is None:
            return self.program.stage_events
        lengths = np.diff(self.program.split_bounds)
        numbers: Any = np.arange(tiles.first, min(tiles.last + 1, grid.tiles))
        return int(lengths[grid.place(numbers).split].sum())


def _where(place: Place) -> dict[str, Any]:
    inside = {"row": place.row, "column": place.column, "split": place.split}
    return {"tile": place.tile, "gemm": place.gemm, **inside}


def _work(cost: StageCost) -> Account:
    """A stage's time once it is worked on; what exceeds MACs and barrier is a stall of its kind."""
    stall = "operand_stall" if cost.stalled_by_operand else "scratchpad_stall"
    return Account(
        {stall: cost.stall_ps},
        mac_useful=cost.mac_ps,
        vector_stall=cost.vector_stall_ps,
        barrier=cost.barrier_ps,
    )
