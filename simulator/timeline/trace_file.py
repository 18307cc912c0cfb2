"""A run as a timeline in Chrome's trace format, which Perfetto (ui.perfetto.dev) opens.

A process a layer, a track a core: tiles hold stages, and stages hold their stalls; waits stand
between them. L2 and DRAM are counters. The reference engine is asked again, with an observer; both
engines agree to the picosecond, so this is the fast engine's timeline as well.

``ts`` and ``dur`` are microseconds with whole nanoseconds, each boundary rounded down once, so
that slices stay nested. ``args`` named ``_ns`` are exact; those of a track add up to its time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from simulator.engine.result import EngineResult
from simulator.hardware import Hardware
from simulator.report.account import Account
from simulator.report.layer import LayerReport
from simulator.schedule.program import Program
from simulator.timeline.replay import (
    Moved,
    Replay,
    StageRecord,
    TileRange,
    TileRecord,
    Track,
    detail_of,
)
from simulator.units import PS_PER_NS, ns_to_ps

Event = dict[str, Any]

SHOWN_STAGES: Final = 40_000
"""Stages shown in detail in a whole file by default; some 400 bytes each."""
SAMPLES: Final = 400
"""Values of a counter in a layer."""
TRACKS_A_PROCESS: Final = 10_000
"""Track ids are unique in the whole file, as some readers want them."""


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
        self.launch_ps = ns_to_ps(hardware.host_ns)
        self.room = max(1000, SHOWN_STAGES // max(1, layers))
        self.now_ps = 0
        self.events: list[Event] = []
        self.layers = 0
        self.cut: list[str] = []
        self.replays: dict[int, tuple[Program, Replay]] = {}
        self._name_process(1, title)
        self._name_track(1, 1, "launches, by the host")
        self._name_track(1, 2, "layers")

    def add(self, layer: LayerReport, program: Program, result: EngineResult) -> None:
        """Append a layer, once, whatever its repeats."""
        if id(program) not in self.replays:  # holding the program keeps its id its own
            detail = detail_of(program, self.room, self.tiles)
            self.replays[id(program)] = program, Replay(program, result, detail)
        replay = self.replays[id(program)][1]
        self.layers += 1
        pid = 1 + self.layers
        if self.launch_ps:
            self._slice(f"launch {layer.name}", "launch", 1, 1, self.now_ps, self.launch_ps, {})
            self.now_ps += self.launch_ps
        args = {
            "layer": layer.name,
            "members": "; ".join(layer.members),
            "repeat": layer.repeat,
            "asked": layer.asked,
            "executed_as": layer.executed_as,
            "executed_on": layer.executed_on,
            "mapping": layer.mapping,
            "bound": layer.bound,
            "stages": layer.stages,
        }
        self._slice(layer.name, "layer", 1, 2, self.now_ps, layer.time_ps, args)
        times = f", 1 of {layer.repeat} equal ones" if layer.repeat > 1 else ""
        self._name_process(pid, f"{self.layers} {layer.name}{times}")
        start_ps = layer.time_ps - result.makespan_ps
        work_ps = self.now_ps + start_ps
        for track in replay.tracks:
            tid = pid * TRACKS_A_PROCESS + track.core
            self._name_track(pid, tid, f"core {track.core}")
            self._waits(Account(kernel_start=start_ps), pid, tid, self.now_ps)
            self._track(track, pid, tid, work_ps)
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

    def to_html(self) -> str:
        """A page to look at it, as the text of one HTML file."""
        from simulator.timeline.paged import timeline_page

        return timeline_page(self)

    def _track(self, track: Track, pid: int, tid: int, origin_ps: int) -> None:
        """One core: its tiles, what they waited for, and what is left until the layer ends."""
        for tile in track.tiles:
            # First for the tile before, which kept the accumulators.
            at_ps = self._waits(tile.ahead, pid, tid, origin_ps + tile.since_ps)
            length_ps = origin_ps + tile.end_ps - at_ps
            if tile.stages is None:
                what = f"tile {tile.number}" if tile.count == 1 else f"{tile.count} tiles"
                sums = _named(tile.sums) | {"tiles": tile.count, "detail": "cut"}
                self._slice(what, "cut", pid, tid, at_ps, length_ps, sums)
                continue
            self._slice(f"tile {tile.number}", "tile", pid, tid, at_ps, length_ps, tile.where)
            for stage in tile.stages:
                at_ps = self._stage(tile, stage, pid, tid, at_ps)
        rest, at_ps = track.rest, origin_ps + track.end_ps
        idle = Account(idle=rest.idle)
        working_ps = rest.total - rest.idle
        if track.stopped and working_ps:
            self._slice("not replayed", "cut", pid, tid, at_ps, working_ps,
                        _named(rest - idle) | {"detail": "cut"})  # fmt: skip
            rest, at_ps = idle, at_ps + working_ps
        self._waits(rest, pid, tid, at_ps)

    def _stage(self, tile: TileRecord, stage: StageRecord, pid: int, tid: int, at_ps: int) -> int:
        """A stage, what it waited for, and its stalls inside; returns when it ends."""
        at_ps = self._waits(stage.waits, pid, tid, at_ps)
        work, name = stage.work, f"tile {tile.number} k {stage.number}"
        args = {"tile": tile.number, "k_step": stage.number} | _named(work)
        self._slice(name, "stage", pid, tid, at_ps, work.total, args)
        at_ps += work.mac
        for kind in ("scratchpad_stall", "operand_stall", "vector_stall", "barrier"):
            if work[kind]:
                self._slice(kind.replace("_", " "), "stall", pid, tid, at_ps, work[kind], {})
                at_ps += work[kind]
        return at_ps

    def _waits(self, waits: Account, pid: int, tid: int, at_ps: int) -> int:
        """A slice a kind of wait, one after the other; returns when they end."""
        for kind, length_ps in waits.items():
            if length_ps:
                name, args = kind.replace("_", " "), {f"{kind}_ns": _ns(length_ps)}
                self._slice(name, "wait", pid, tid, at_ps, length_ps, args)
                at_ps += length_ps
        return at_ps

    def _slice(
        self, name: str, cat: str, pid: int, tid: int, at_ps: int, length_ps: int, args: Event
    ) -> None:
        start_ns, end_ns = at_ps // PS_PER_NS, (at_ps + length_ps) // PS_PER_NS
        event = {"ph": "X", "pid": pid, "tid": tid, "ts": start_ns / 1e3,
                 "dur": (end_ns - start_ns) / 1e3, "name": name, "cat": cat}  # fmt: skip
        self.events.append(event | ({"args": args} if args else {}))

    def _counter(
        self, moved: dict[bool, Moved], level: str, pid: int, origin_ps: int, seen_ps: int
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


def _ns(time_ps: int) -> float:
    """Exact: a double holds picoseconds of up to two hours as thousandths of nanoseconds."""
    return time_ps / PS_PER_NS


def _named(account: Account) -> Event:
    """Arguments of a slice: those kinds that took time."""
    return {f"{kind}_ns": _ns(time) for kind, time in account.undivided().items() if time}
