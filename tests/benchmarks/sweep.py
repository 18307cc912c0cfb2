"""`make bench`: points a second of a sweep, after workers have started, and what a second adds.

Every point has engine inputs of its own. Fails where bookkeeping takes longer than it may.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from table import row

from simulator import sweep
from simulator.exploration import row as rows
from simulator.exploration.plan import Point
from simulator.exploration.row import Row
from simulator.workers.dispatch import Batch, Dispatch

POINTS = 2000
FEWER = 300
"""Enough for a rate of one worker."""
WARM = 80
"""Points before which workers are still starting."""
MOST_BOOKKEEPING_MS = 3.0


def spec(points: int) -> dict[str, object]:
    """ResNet-50 on so many machines, no two of which give an engine the same numbers."""
    dram = {"start": 1_000_000_000_000, "stop": 1_000_000_000_000 + (points - 1) * 10**9}
    return {
        "hardware": "a100-sxm4-80gb",
        "workloads": "resnet50",
        "patterns": "2:4",
        "parameters": {"memory.dram.bytes_per_second": {**dram, "step": 10**9}},
    }


@dataclass
class Rate:
    """What a sweep does once its workers have started.

    Attributes
    ----------
    points_per_second : float
    at_work_ratio : float
        Share of the time that workers simulate, on average, instead of waiting for points.
    """

    points_per_second: float
    at_work_ratio: float


def rate(points: int, workers: int) -> Rate:
    """Of a sweep into a file, between the first ``WARM`` points and the last."""
    batches: list[tuple[float, Batch[Row]]] = []
    take = Dispatch._take

    def noted(dispatch: Dispatch[Point, Row], batch: Batch[Row]) -> None:
        batches.append((time.perf_counter(), batch))
        take(dispatch, batch)

    Dispatch._take = noted  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            sweep(spec(points), store=Path(folder) / "runs.sqlite", workers=workers)
    finally:
        Dispatch._take = take  # type: ignore[method-assign]
    done = list(accumulate(len(batch.rows) for _, batch in batches))
    first = next(index for index, count in enumerate(done) if count >= WARM)
    elapsed = batches[-1][0] - batches[first][0]
    worked = sum(batch.seconds for _, batch in batches[first + 1 :])
    return Rate((done[-1] - done[first]) / elapsed, worked / elapsed / workers)


def bookkeeping_ms() -> float:
    """Everything of a point but its simulation: settings, hash, machine, row, store."""
    real, known = rows.simulate, rows.simulate("a100-sxm4-80gb", "resnet50", "2:4")
    rows.simulate = lambda *_, **__: known
    try:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            sweep(spec(POINTS), store=Path(folder) / "runs.sqlite", executor="serial")
            return (time.perf_counter() - started) / POINTS * 1e3
    finally:
        rows.simulate = real


def main() -> int:
    overhead = bookkeeping_ms()
    fits = row("sweep, bookkeeping of a point, ms", overhead, f"<= {MOST_BOOKKEEPING_MS}")
    row("sweep, share of the time that workers work", rate(FEWER, 2).at_work_ratio, ">= 0.95", 3)
    return int(not fits)


if __name__ == "__main__":
    sys.exit(main())
