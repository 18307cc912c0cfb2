"""Do totals lie on their line, and does what is spread over cores add up to them?"""

from __future__ import annotations

import numpy as np
import pytest
from machines import library_of, problem_of, tiny

from simulator.engine import fast
from simulator.engine.result import EngineResult, Waits
from simulator.run.sampling_totals import Totals
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import Program, gemm_program


def simulated(k: int) -> tuple[Program, EngineResult]:
    hardware = tiny(core__count=3, core__port_bytes_per_cycle=16)
    problem = problem_of(hardware, "2:4", m=72, n=40, k=k)
    mapping = Mapping(16, 16, 32, 8, 8, splits=2)
    program = gemm_program(hardware, library_of(hardware), problem, mapping)
    return program, fast.run(program)


def test_totals_are_sums_over_cores() -> None:
    program, result = simulated(128)
    totals = Totals.of(program, result)
    assert totals.end_ps + totals.tail_ps == 3 * result.makespan_ps
    assert totals.stages.sum() == program.stage_events
    assert totals.block_port_ps > 0
    waits = result.waits()
    assert totals.waits_ps.tolist() == list(waits)
    assert waits == result.waits(0).plus(result.waits(1)).plus(result.waits(2))
    assert waits.reduction > 0
    assert waits.prologue == result.waits_ps[:, Waits._fields.index("prologue")].sum()


def test_totals_lie_on_their_line_and_never_below_zero() -> None:
    short, long = (Totals.of(*simulated(k)) for k in (128, 192))
    there = short.beyond(long, 3)
    assert there.end_ps == short.end_ps + 3 * (long.end_ps - short.end_ps)
    np.testing.assert_array_equal(there.stages, short.stages + 3 * (long.stages - short.stages))
    back = short.beyond(long, -1000)
    assert back.end_ps == 0
    assert (back.requests >= 0).all()
    assert (back.requests == 0).any()


@pytest.mark.parametrize("in_k", [True, False])
def test_what_is_spread_adds_up(in_k: bool) -> None:
    program, result = simulated(192)
    total = Totals.of(*simulated(128)).beyond(Totals.of(program, result), 10)
    found = total.spread(program, result, in_k=in_k)
    np.testing.assert_array_equal(found.stages.sum(axis=0), total.stages)
    np.testing.assert_array_equal(found.waits_ps.sum(axis=0), total.waits_ps)
    np.testing.assert_array_equal(found.end_ps, found.worked_ps + found.waits_ps.sum(axis=1))
    assert (found.misses <= found.requests).all()
    assert found.makespan_ps >= found.end_ps.max()
