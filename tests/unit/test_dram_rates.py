"""What reads and writes cost at main memory, where they cost differently."""

from __future__ import annotations

import pytest
from machines import contended, library_of, problem_of

from simulator import Stream, Workload, simulate
from simulator.hardware import Hardware
from simulator.schedule.classes import BLOCK_CLASSES, COLUMNS, ROWS
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import Program, gemm_program


def _program(hardware: Hardware) -> Program:
    problem = problem_of(hardware, "1:1", m=40, n=40, k=64)
    mapping = Mapping(16, 16, 16, 8, 8, splits=2)
    return gemm_program(hardware, library_of(hardware), problem, mapping)


def test_blocks_pass_at_the_rate_of_their_operand() -> None:
    same = _program(contended(memory__dram__efficiency_ratio=0.8))
    apart = _program(
        contended(memory__dram__efficiency_ratio=0.8, memory__dram__write_efficiency_ratio=0.4)
    )
    for place, block in enumerate(BLOCK_CLASSES):
        factor = 1 if block.operand in (ROWS, COLUMNS) else 2
        assert apart.dram_ps[place] == pytest.approx(factor * same.dram_ps[place], abs=2)


def test_a_triad_takes_its_reads_and_its_write() -> None:
    """Of two reads at 0.8 and a write at 0.4 of the peak: 5 units of time, for 3 of the peak's."""
    fast, mixed = (
        contended(
            memory__writes="dram",
            memory__dram__efficiency_ratio=reads,
            memory__dram__write_efficiency_ratio=writes,
        )
        for reads, writes in ((1.0, 1.0), (0.8, 0.4))
    )
    triad = Workload("triad", [Stream("t", reads=2 * 2**20, writes=2**20)])
    times = [simulate(hardware, triad).total.time_ps for hardware in (fast, mixed)]
    assert times[1] / times[0] == pytest.approx((2 / 0.8 + 1 / 0.4) / 3, rel=0.02)
