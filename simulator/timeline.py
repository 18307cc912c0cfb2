"""A run as a timeline in Chrome's trace format, which Perfetto (ui.perfetto.dev) opens.

A process a layer, a track a core: tiles hold stages, and stages hold their stalls; waits stand
between them. L2 and DRAM are counters. The reference engine is asked again, with an observer; both
engines agree to the picosecond, so this is the fast engine's timeline as well.

``ts`` and ``dur`` are microseconds with whole nanoseconds, each boundary rounded down once, so
that slices stay nested. ``args`` named ``_ns`` are exact; those of a track add up to its time.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.engine import reference
from simulator.engine.result import EngineResult
from simulator.errors import OutputError
from simulator.hardware import Hardware
from simulator.partition import IntArray
from simulator.program import Program
from simulator.report import LayerReport
from simulator.units import PS_PER_NS, ns_to_ps

Event = dict[str, Any]

KINDS: Final = (
    "mac",
    "scratchpad_stall",
    "operand_stall",
    "barrier",
    "memory_stall",
    "prologue",
    "epilogue",
    "reduction",
)
"""Where a core's time goes while it has work; `mac` is useful and padding together."""
MAC, SCRATCHPAD, OPERAND, BARRIER, MEMORY, PROLOGUE, EPILOGUE, REDUCTION = range(len(KINDS))

SHOWN_STAGES: Final = 40_000
"""Stages shown in detail in a whole file by default; some 400 bytes each."""
REPLAYED_STAGES: Final = 20_000
"""Stages of a layer that are replayed by default: some seconds."""
SHOWN_TILES: Final = 2_000
"""Tiles of a layer that have a slice of their own; beyond, neighbours share one."""
SAMPLES: Final = 400
"""Values of a counter in a layer."""
TRACKS_A_PROCESS: Final = 10_000
"""Track ids are unique in the whole file, as some readers want them."""


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


class Timeline:
    """Collects the layers of one run, one after the other, and writes them.

    Parameters
    ----------
    title : str
        Network, machine and pattern.
    layers : int
        How many will come; they share the stages that are shown in detail.
    tiles : TileRange, optional
        Show these tiles of every layer; by default the first and last ones of each core, as many
        as there is room for.

    Notes
    -----
    Hand ``add`` to `simulator.simulate` as ``observe``.
    """

    def __init__(
        self, hardware: Hardware, title: str, layers: int, tiles: TileRange | None = None
    ) -> None:
        self.title, self.tiles = title, tiles
        self.launch_ps = ns_to_ps(hardware.launch_ns)
        self.kernel_start_ps = ns_to_ps(hardware.kernel_start_ns)
        self.room = max(1000, SHOWN_STAGES // max(1, layers))
        self.now_ps = 0
        self.events: list[Event] = []
        self.layers = 0
        self.cut: list[str] = []
        self.replays: dict[int, tuple[Program, _Replay]] = {}
        self._name_process(1, title)
        self._name_track(1, 1, "launches, by the host")
        self._name_track(1, 2, "layers")

    def add(self, layer: LayerReport, program: Program, result: EngineResult) -> None:
        """Append a layer, once, whatever its repeats."""
        if id(program) not in self.replays:  # holding the program keeps its id its own
            plan = _plan(program, self.room, self.tiles)
            self.replays[id(program)] = program, _Replay(program, result, plan)
        replay = self.replays[id(program)][1]
        self.layers += 1
        pid = 1 + self.layers
        if self.launch_ps:
            self._slice(f"launch {layer.name}", "launch", 1, 1, self.now_ps, self.launch_ps, {})
            self.now_ps += self.launch_ps
        args = {
            "layer": layer.name,
            "repeat": layer.repeat,
            "asked": layer.asked,
            "executed_as": layer.executed_as,
            "mapping": layer.mapping,
            "bound": layer.bound,
            "stages": layer.stages,
        }
        self._slice(layer.name, "layer", 1, 2, self.now_ps, layer.time_ps, args)
        times = f", 1 of {layer.repeat} equal ones" if layer.repeat > 1 else ""
        self._name_process(pid, f"{self.layers} {layer.name}{times}")
        work_ps = self.now_ps + self.kernel_start_ps
        for track in replay.tracks:
            tid = pid * TRACKS_A_PROCESS + track.core
            self._name_track(pid, tid, f"core {track.core}")
            if self.kernel_start_ps:
                self._wait("kernel_start", pid, tid, self.now_ps, self.kernel_start_ps)
            self._track(track, pid, tid, work_ps, result)
        for level in ("l2", "dram"):
            self._counter(replay.transfers[level], level, pid, work_ps, replay.seen_ps)
        note = replay.note(layer.name)
        if note:
            self.cut.append(note)
        self.now_ps += layer.time_ps

    def write(self, path: str | Path) -> None:
        """Write the trace as JSON, an event a line."""
        meta = {
            "title": self.title,
            "time": "one occurrence a layer, its launch before it; args named _ns are exact",
            "cut": "; ".join(self.cut) or "nothing",
        }
        head = json.dumps({"displayTimeUnit": "ns", "otherData": meta}, ensure_ascii=False)
        with open(path, "w", encoding="utf-8") as file:
            file.write(head[:-1] + ', "traceEvents": [\n')
            lines = (json.dumps(e, ensure_ascii=False, separators=(",", ":")) for e in self.events)
            for index, line in enumerate(lines):
                file.write((",\n" if index else "") + line)
            file.write("\n]}\n")

    def _track(
        self, track: _Track, pid: int, tid: int, origin_ps: int, result: EngineResult
    ) -> None:
        """One core: its tiles, what they waited for, and what is left until the layer ends."""
        for tile in track.tiles:
            at_ps = origin_ps + tile.since_ps
            for kind in (EPILOGUE, REDUCTION):  # of the tile before: it kept the accumulators
                if tile.ahead[kind]:
                    self._wait(KINDS[kind], pid, tid, at_ps, tile.ahead[kind])
                    at_ps += tile.ahead[kind]
            length_ps = origin_ps + tile.end_ps - at_ps
            if tile.stages is None:
                what = f"tile {tile.number}" if tile.count == 1 else f"{tile.count} tiles"
                sums = _named(tile.sums) | {"tiles": tile.count, "detail": "cut"}
                self._slice(what, "cut", pid, tid, at_ps, length_ps, sums)
                continue
            self._slice(f"tile {tile.number}", "tile", pid, tid, at_ps, length_ps, tile.where)
            for stage in tile.stages:
                at_ps = self._stage(tile, stage, pid, tid, at_ps)
        end_ps = int(result.end_ps[track.core])
        rest_ps = end_ps - track.end_ps
        if track.stopped and rest_ps:
            self._slice("not replayed", "cut", pid, tid, origin_ps + track.end_ps, rest_ps,
                        _named(track.rest) | {"detail": "cut"})  # fmt: skip
        elif rest_ps:
            at_ps = origin_ps + track.end_ps
            for kind in (EPILOGUE, REDUCTION):
                if track.rest[kind]:
                    self._wait(KINDS[kind], pid, tid, at_ps, track.rest[kind])
                    at_ps += track.rest[kind]
        if result.makespan_ps > end_ps:
            idle_ps = result.makespan_ps - end_ps
            self._wait("idle", pid, tid, origin_ps + end_ps, idle_ps)

    def _stage(self, tile: _Tile, stage: _Stage, pid: int, tid: int, at_ps: int) -> int:
        """A stage, what it waited for, and its stalls inside; returns when it ends."""
        for kind in (MEMORY, PROLOGUE):
            if stage.parts[kind]:
                self._wait(KINDS[kind], pid, tid, at_ps, stage.parts[kind])
                at_ps += stage.parts[kind]
        inside = stage.parts[: BARRIER + 1]
        args = {"tile": tile.number, "k_step": stage.number} | _named(inside)
        self._slice(
            f"tile {tile.number} k {stage.number}", "stage", pid, tid, at_ps, sum(inside), args
        )
        at_ps += inside[MAC]
        for kind in (SCRATCHPAD, OPERAND, BARRIER):
            if inside[kind]:
                name = KINDS[kind].replace("_", " ")
                self._slice(name, "stall", pid, tid, at_ps, inside[kind], {})
                at_ps += inside[kind]
        return at_ps

    def _wait(self, kind: str, pid: int, tid: int, at_ps: int, length_ps: int) -> None:
        name = kind.replace("_", " ")
        self._slice(name, "wait", pid, tid, at_ps, length_ps, {f"{kind}_ns": _ns(length_ps)})

    def _slice(
        self, name: str, cat: str, pid: int, tid: int, at_ps: int, length_ps: int, args: Event
    ) -> None:
        start_ns, end_ns = at_ps // PS_PER_NS, (at_ps + length_ps) // PS_PER_NS
        event = {"ph": "X", "pid": pid, "tid": tid, "ts": start_ns / 1e3,
                 "dur": (end_ns - start_ns) / 1e3, "name": name, "cat": cat}  # fmt: skip
        self.events.append(event | ({"args": args} if args else {}))

    def _counter(
        self, moved: dict[bool, _Moved], level: str, pid: int, origin_ps: int, seen_ps: int
    ) -> None:
        """Bandwidth, sampled: bytes that pass in an interval over its length."""
        edges = np.unique(np.linspace(0, seen_ps, SAMPLES + 1).astype(np.int64))
        if len(edges) < 2:
            return
        rates = {
            way: np.diff(transfers.until(edges)) / np.diff(edges) * 1e3  # bytes a ps are TB/s
            for way, transfers in (("read", moved[False]), ("written", moved[True]))
        }
        name = {"l2": "L2, GB/s", "dram": "DRAM, GB/s"}[level]
        before = None
        for index, edge in enumerate(edges):
            last = index == len(edges) - 1
            values = {
                way: 0.0 if last else round(float(rate[index]), 1) for way, rate in rates.items()
            }
            if values != before:
                at_us = (origin_ps + int(edge)) // PS_PER_NS / 1e3
                self.events.append(
                    {"ph": "C", "pid": pid, "tid": 0, "ts": at_us, "name": name, "args": values}
                )
            before = values

    def _name_process(self, pid: int, name: str) -> None:
        self._meta("process_name", pid, 0, {"name": name})
        self._meta("process_sort_index", pid, 0, {"sort_index": pid})

    def _name_track(self, pid: int, tid: int, name: str) -> None:
        self._meta("thread_name", pid, tid, {"name": name})
        self._meta("thread_sort_index", pid, tid, {"sort_index": tid})

    def _meta(self, name: str, pid: int, tid: int, args: Event) -> None:
        self.events.append({"ph": "M", "pid": pid, "tid": tid, "ts": 0, "name": name, "args": args})


@dataclass(frozen=True)
class _Plan:
    """What of a layer is shown in detail.

    ``ends`` tiles of a core at either end, of the first ``cores`` cores; or the tiles of a range.
    The replay stops after ``stages`` stages; ``shared`` tiles that are cut share a slice.
    """

    ends: int
    cores: int
    stages: int
    shared: int
    tiles: TileRange | None


def _plan(program: Program, room: int, tiles: TileRange | None) -> _Plan:
    grid = program.grid
    shared = -(-grid.tiles // SHOWN_TILES)
    if tiles is not None:
        return _Plan(0, program.cores, program.stage_events, shared, tiles)
    if program.stage_events <= min(room, REPLAYED_STAGES):
        return _Plan(grid.tiles, program.cores, program.stage_events, 1, None)
    a_tile = -(-grid.stages // grid.splits)
    ends = max(1, room // (2 * program.cores * a_tile))
    cores = min(program.cores, max(1, room // (2 * ends * a_tile)))
    return _Plan(ends, cores, REPLAYED_STAGES, shared, None)


class _Enough(Exception):  # noqa: N818 - not an error
    """Ends a replay of which no more is shown."""


@dataclass
class _Stage:
    number: int
    parts: list[int]  # picoseconds, by KINDS


@dataclass
class _Tile:
    """A tile that a core has begun, or several that share a slice.

    ``since_ps`` is when the core was done with what came before, ``ahead`` how long it then waited
    for accumulators, and ``sums`` all that follows, by KINDS. ``stages`` is None without detail.
    """

    number: int
    since_ps: int
    ahead: list[int]
    where: Event
    stages: list[_Stage] | None = field(default_factory=list)
    sums: list[int] = field(default_factory=lambda: [0] * len(KINDS))
    end_ps: int = 0
    count: int = 1


class _Track:
    """One core's tiles, in order."""

    def __init__(self, core: int, plan: _Plan) -> None:
        self.core, self.plan = core, plan
        self.tiles: list[_Tile] = []
        self.end_ps = 0
        self.rest = [0] * len(KINDS)  # what the core's account has beyond its tiles
        self.stopped = False

    def begin(self, tile: _Tile) -> None:
        """A tile follows; one that can no longer be among the last ones loses its detail."""
        plan = self.plan
        shown = self.core < plan.cores if plan.tiles is None else tile.number in plan.tiles
        if not shown:
            tile.stages = None
        self.tiles.append(tile)
        late = len(self.tiles) - 1 - plan.ends
        if plan.tiles is None and late >= plan.ends:
            self.tiles[late].stages = None

    def close(self, account: list[int], stopped: bool) -> None:
        """Nothing follows; ``account`` is all of the core's time until it ended, by KINDS."""
        self.stopped = stopped
        self.rest = account
        for tile in self.tiles:
            self.rest = _difference(_difference(self.rest, tile.ahead), tile.sums)
        merged: list[_Tile] = []
        for tile in self.tiles:
            before = merged[-1] if merged else None
            if (
                before is None
                or before.stages is not None
                or tile.stages is not None
                or before.count == self.plan.shared
            ):
                merged.append(tile)
                continue
            before.sums = _sum(_sum(before.sums, tile.ahead), tile.sums)
            before.end_ps, before.count = tile.end_ps, before.count + 1
        self.tiles = merged


class _Moved:
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


class _Replay:
    """One program in the reference engine, watched as its `Observer`."""

    def __init__(self, program: Program, result: EngineResult, plan: _Plan) -> None:
        self.program, self.plan = program, plan
        self.tracks = [_Track(core, plan) for core in range(program.cores)]
        self.transfers = {
            level: {written: _Moved() for written in (False, True)} for level in ("l2", "dram")
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
            track.close(_account(program, result, track.core), self.stopped)

    def worked(
        self,
        core: int,
        tile: reference.Tile,
        stage: int,
        *,
        since_ps: int,
        waits_ps: tuple[int, int, int, int],
        stage_ps: int,
        mac_ps: int,
    ) -> None:
        track = self.tracks[core]
        memory_ps, prologue_ps, epilogue_ps, reduction_ps = waits_ps
        if stage == tile.stages[0]:
            ahead = [0] * len(KINDS)
            ahead[EPILOGUE], ahead[REDUCTION] = epilogue_ps, reduction_ps
            track.begin(_Tile(tile.number, since_ps, ahead, self._where(tile)))
        parts = self._inside(tile, stage, stage_ps, mac_ps)
        parts[MEMORY], parts[PROLOGUE] = memory_ps, prologue_ps
        now = track.tiles[-1]
        now.sums = _sum(now.sums, parts)
        now.end_ps = track.end_ps = since_ps + sum(waits_ps) + stage_ps
        if now.stages is not None:
            now.stages.append(_Stage(stage, parts))
        self.stages += 1
        if self.plan.tiles is not None and tile.number in self.plan.tiles:
            self.wanted -= 1
        enough = self.stages >= self.plan.stages or self.wanted <= 0
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
            text += f", replayed until {_ns(self.seen_ps)} ns after its start"
        return text

    def _wanted(self) -> int:
        """Stages of the tiles asked for; without a range, all."""
        tiles, grid = self.plan.tiles, self.program.grid
        if tiles is None:
            return self.program.stage_events
        lengths = np.diff(self.program.split_bounds)
        numbers = np.arange(tiles.first, min(tiles.last + 1, grid.tiles))
        return int(lengths[numbers % grid.splits].sum())

    def _where(self, tile: reference.Tile) -> Event:
        grid = self.program.grid
        line, column = divmod(tile.output, grid.columns)
        gemm, row = divmod(line, grid.rows)
        split = tile.number % grid.splits
        return {"tile": tile.number, "gemm": gemm, "row": row, "column": column, "split": split}

    def _inside(self, tile: reference.Tile, stage: int, stage_ps: int, mac_ps: int) -> list[int]:
        """A stage's time by KINDS; what exceeds MACs and barrier is a stall of its class."""
        kind = tile.stage_class + (stage == self.program.grid.stages - 1)
        cost = self.program.costs[0 if self.program.is_masked else kind]
        parts = [0] * len(KINDS)
        parts[MAC], parts[BARRIER] = mac_ps, min(cost.barrier_ps, stage_ps - mac_ps)
        stalled = OPERAND if cost.stalled_by_operand else SCRATCHPAD
        parts[stalled] = stage_ps - mac_ps - parts[BARRIER]
        return parts


def _account(program: Program, result: EngineResult, core: int) -> list[int]:
    """All of a core's time until its last epilogue ended, by KINDS."""
    barrier = operand = 0
    mac, worked = int(result.mac_ps[core]), int(result.worked_ps[core])
    for count, cost in zip(result.stages[core].tolist(), program.costs, strict=True):
        barrier += count * cost.barrier_ps
        operand += count * cost.stall_ps * cost.stalled_by_operand
    if program.is_masked:
        barrier = min(barrier, worked - mac)
        operand = (worked - mac - barrier) * program.costs[0].stalled_by_operand
    memory, prologue, epilogue, reduction = (int(wait) for wait in result.waits_ps[core])
    scratchpad = worked - mac - barrier - operand
    return [mac, scratchpad, operand, barrier, memory, prologue, epilogue, reduction]


def _sum(one: list[int], other: list[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]


def _difference(one: list[int], other: list[int]) -> list[int]:
    return [a - b for a, b in zip(one, other, strict=True)]


def _ns(time_ps: int) -> float:
    """Exact: a double holds picoseconds of up to two hours as thousandths of nanoseconds."""
    return time_ps / PS_PER_NS


def _named(parts: list[int]) -> Event:
    """Arguments of a slice: those kinds that took time."""
    return {f"{KINDS[i]}_ns": _ns(part) for i, part in enumerate(parts) if part}
