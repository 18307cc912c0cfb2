"""Small runs of the reference engine, watched: when stages were asked for, came, and were done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from simulator import Gemm, Workload, load_hardware, simulate
from simulator.engine import reference
from simulator.engine.result import EngineResult, Waits
from simulator.report.account import Account
from simulator.report.layer import LayerReport
from simulator.schedule.program import Program
from simulator.schedule.timing import StageCost

ONE_CORE: Final = """\
base: nm-flex
name: one-core
core: {count: 1}
memory: {l2: {halves: null, start: cold}}
libraries:
  tensorop:
    tiles: [{m: 128, n: 128, slots: 32, fragment_m: 64, fragment_n: 64}]
    stage_buffers: 3
    splits: [1]
"""
"""The machine of `understand/time.md`, as it stands there."""


@dataclass(frozen=True)
class Seen:
    """A stage, in nanoseconds: ``asked`` for, ``arrived`` W and X, worked on from ``begun`` to
    ``done``; ``since`` is when its core was done with the one before."""

    core: int
    tile: int
    stage: int
    asked: float
    arrived: tuple[float, ...]
    since: float
    begun: float
    done: float
    cost: StageCost
    waits: Waits


@dataclass
class Watched:
    """A run: its stages in order of their ends, and what its report says."""

    layer: LayerReport
    program: Program
    result: EngineResult
    stages: list[Seen] = field(default_factory=list)

    def of_core(self, core: int) -> list[Seen]:
        return [seen for seen in self.stages if seen.core == core]

    def account(self, core: int) -> Account:
        return Account.of(self.program, self.result, core=core)


class _Watcher:
    """An observer that also stands between a core and what it asks memory for."""

    def __init__(self, run: Watched) -> None:
        self.run = run
        self.machine = reference.Machine(run.program, self)
        self.asked: dict[tuple[int, int, int], tuple[float, list[float]]] = {}
        for core in self.machine.cores:
            core._fetch = self._watching(core)  # looks on, changes nothing

    def _watching(self, core: reference.Core) -> Callable[..., Any]:
        fetch = core._fetch

        def watched(tile: reference.TakenTile, stage: int) -> Any:
            arrivals: list[float] = []
            self.asked[core.number, tile.place.tile, stage] = self._now(), arrivals
            blocks = fetch(tile, stage)
            for block in blocks:
                block.callbacks.append(lambda _: arrivals.append(self._now()))
            return blocks

        return watched

    def _now(self) -> float:
        return self.machine.env.now_ps / 1e3

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
        asked, arrived = self.asked[core, tile.place.tile, stage]
        cost = self.run.program.costs[self.run.program.stage_kind(tile.place, stage)]
        begun_ps = since_ps + sum(waits_ps)
        times = since_ps / 1e3, begun_ps / 1e3, (begun_ps + stage_ps) / 1e3
        seen = Seen(core, tile.place.tile, stage, asked, tuple(arrived), *times, cost, waits_ps)
        self.run.stages.append(seen)

    def moved(self, level: str, written: bool, start_ps: int, end_ps: int, size: int) -> None:
        """Not drawn."""


@cache
def watched(machine: str, m: int, n: int, k: int, pattern: str) -> Watched:
    """One GEMM on a machine, which is YAML, once more in the reference engine."""
    runs: list[Watched] = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "machine.yaml"
        file.write_text(machine)
        hardware = load_hardware(file)
    simulate(
        hardware,
        Workload("drawn", [Gemm("gemm", m=m, n=n, k=k)]),
        pattern=pattern,
        observe=lambda *seen: runs.append(Watched(*seen)),
    )
    (run,) = runs
    _Watcher(run).machine.env.run()
    return run
