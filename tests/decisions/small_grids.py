"""Small machines to look for, of which every one can be simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from simulator import Conv, Gemm, Workload, load_hardware
from simulator.decisions.requirement.prices import priced
from simulator.decisions.requirement.steps import Point, Steps, steps_of
from simulator.exploration.plan import Plan, Shared
from simulator.exploration.runs import Runs, filling
from simulator.exploration.space import Space
from simulator.workers.executors import pool_of

AREA = "area"
FLEX = {"scratchpad rate": AREA, "DRAM": 0.25, "L2 rate": 0.1}
WAITING = {"DRAM": 0.25, "DRAM latency": 0.5, "L2 latency": 0.2}
CORES = {"cores": AREA, "scratchpad rate": AREA, "port": 0.05}
EDGE = {"MACs": AREA, "operand path": AREA, "scratchpad rate": AREA}

NETWORK = Workload(
    "small",
    [
        Conv("conv", 64, 64, 14, 14, kernel=3, padding=1, batch=4),
        Gemm("fc1", 512, 256, 512),
        Gemm("fc2", 1000, 64, 2048),
    ],
)


@dataclass(frozen=True)
class Case:
    """What is looked for, how far between the machine as it is and one with most of everything."""

    machine: str
    workload: str | Workload
    pattern: str
    prices: Mapping[str, Any]
    share: float

    def __str__(self) -> str:
        name = self.workload if isinstance(self.workload, str) else self.workload.name
        return f"{self.machine}-{name}-{self.pattern}-{len(self.prices)}-{self.share}"


def _gemm(m: int, n: int, k: int) -> str:
    return f"gemm:{m}x{n}x{k}"


CASES = (
    Case("nm-flex", _gemm(512, 512, 512), "1:8", FLEX, 0.5),
    Case("nm-flex", _gemm(512, 512, 512), "2:4", FLEX, 0.8),
    Case("nm-flex", _gemm(1024, 256, 2048), "1:8", FLEX, 0.7),
    Case("nm-flex", _gemm(2048, 512, 1024), "1:4", CORES, 0.5),
    Case("nm-flex", _gemm(1000, 1000, 520), "1:8", CORES, 0.6),
    Case("nm-flex", _gemm(256, 64, 4096), "1:8", WAITING, 0.5),
    Case("nm-flex", NETWORK, "1:8", FLEX, 0.6),
    Case("nm-flex", _gemm(768, 768, 256), "2:4", {"scratchpad rate": AREA, "port": 0.05}, 0.7),
    Case("nm-flex-wide", _gemm(2048, 512, 1024), "1:8", FLEX, 0.6),
    Case("nm-flex-wide", _gemm(512, 1024, 1024), "1:16", CORES, 0.6),
    Case("nm-edge", _gemm(256, 256, 256), "2:4", EDGE, 0.5),
    Case("nm-edge", _gemm(512, 128, 512), "1:4", EDGE, 0.8),
    Case("nm-edge", _gemm(300, 200, 500), "2:4", CORES, 0.5),
    Case("nm-edge", NETWORK, "1:4", {"cores": AREA, "DRAM": 0.2, "MACs": AREA}, 0.6),
    Case("a100-sxm4-80gb", _gemm(1024, 1024, 1024), "2:4", FLEX, 0.5),
    Case("a100-sxm4-80gb", _gemm(2048, 256, 2048), "2:4", CORES, 0.6),
    Case("a100-sxm4-80gb", _gemm(512, 64, 4096), "2:4", WAITING, 0.5),
    Case("h100-sxm", _gemm(1024, 1024, 1024), "2:4", FLEX, 0.6),
    Case("h100-sxm", _gemm(2048, 512, 2048), "2:4", CORES, 0.4),
    Case("rtx3090", _gemm(1024, 512, 1024), "2:4", FLEX, 0.6),
)


@dataclass(frozen=True)
class Grid:
    """Every machine of a case, and the speed-up on it."""

    steps: Steps
    gains: Mapping[Point, float]

    def target(self, share: float) -> float:
        """A speed-up between that of the machine as it is and of the one with most."""
        low, high = self.gains[self.steps.start], self.gains[self.steps.top]
        return float(f"{low ** (1 - share) * high**share:.4g}")

    def cheapest(self, target: float) -> tuple[float, Point]:
        """The price of the cheapest that reaches, and which it is."""
        points = [point for point, gain in self.gains.items() if gain >= target]
        prices = self.steps.prices(points)
        at = int(np.argmin(prices))
        return float(prices[at]), points[at]


def every(case: Case, most: float, store: Path) -> Grid:
    """Simulate all machines of a case into a store."""
    from simulator import load_workload

    machine, network = load_hardware(case.machine), load_workload(case.workload)
    steps = steps_of(machine, priced(case.prices), most)
    plan = Plan(Shared(machine, (network,), "fast", "exact"), (case.pattern,), Space({}))
    points = [*product(*(range(top + 1) for top in steps.top))]
    runs = [run for p in points for run in plan.points_at(steps.settings(p), plan.patterns)]
    runs += plan.points_at({}, ("1:1",))
    with Runs(store) as opened:
        with filling(opened, plan, pool_of("serial", 1, None)) as dispatch:
            dispatch.run(runs)
        *rows, dense = opened.rows([run.key for run in runs])
    assert dense.time_ns is not None
    gains = {
        p: dense.time_ns / row.time_ns for p, row in zip(points, rows, strict=True) if row.time_ns
    }
    return Grid(steps, gains)
