"""Executions of one layer that found different states of L2, as the one run of a report.

It is the mean execution, but for what passed DRAM, which is that of all together: a report divides
bytes, not blocks. Times and counts are rounded up to whole ones. How work was dealt out among cores
is that of the execution that occurs most often; what cores waited for is the mean, over all cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from simulator.engine.result import EngineResult
from simulator.run.sampling import busy_ps
from simulator.schedule.classes import BLOCK_CLASSES
from simulator.schedule.partition import IntArray
from simulator.schedule.program import Program
from simulator.units import ceil_div


class Execution(NamedTuple):
    """A run, and how many executions of a layer were just like it."""

    program: Program
    result: EngineResult
    times: int


def folded(executions: Sequence[Execution]) -> tuple[Program, EngineResult]:
    """The mean of the executions of one layer, to make a report of."""
    if len(executions) == 1:
        return executions[0].program, executions[0].result
    most = max(executions, key=lambda one: one.times)
    times = [one.times for one in executions]
    sums = np.dot(times, [_counters(one) for one in executions])
    mean = -(-sums // sum(times))
    makespan, evictions, in_flight, ties = mean[6 * CLASSES : -6].tolist()
    waits_ps = np.zeros_like(most.result.waits_ps)
    waits_ps[0] = sums[-4:] // sum(times)
    requests, _, multicast, far, written, _ = mean[: 6 * CLASSES].reshape(6, CLASSES)
    program = most.program.but(
        foreign=sums[None, -6:-4],
        dram_ps=np.minimum.reduce([one.program.dram_ps for one in executions]),
    )
    result = replace(
        most.result,
        makespan_ps=makespan,
        waits_ps=waits_ps,
        end_ps=most.result.worked_ps + waits_ps.sum(axis=1),
        requests=requests,
        misses=sums[CLASSES : 2 * CLASSES],
        multicast=multicast,
        far=far,
        written=written,
        dram_written=sums[5 * CLASSES : 6 * CLASSES],
        foreign_evicted=1,
        evictions=evictions,
        in_flight_hits=in_flight,
        ties=ties,
    )
    # No queue is busy for longer than the run, however its transfers were rounded.
    busy = busy_ps(program, result)
    busy["dram"] = ceil_div(busy["dram"], sum(times))
    return program, replace(result, makespan_ps=max(makespan, *busy.values()))


CLASSES = len(BLOCK_CLASSES)


def _counters(one: Execution) -> IntArray:
    """What is counted of a run, in a row: by class, then in all, then the waits of all cores."""
    result, foreign = one.result, one.program.foreign[: one.result.foreign_evicted]
    in_all = result.makespan_ps, result.evictions, result.in_flight_hits, result.ties
    return np.concatenate(
        [
            result.requests,
            result.misses,
            result.multicast,
            result.far,
            result.written,
            result.dram_written,
            in_all,
            foreign[foreign[:, 1] > 0].sum(axis=0),
            result.waits_ps.sum(axis=0),
        ]
    )
