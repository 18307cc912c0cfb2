"""Is what was laid out for one machine what another one would have laid out itself?"""

from __future__ import annotations

from machines import library_of, problem_of, tiny

from simulator.run.latest import MOST, Latest
from simulator.schedule import laid
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import gemm_program

MAPPING = Mapping(16, 16, 32, 8, 8)


def test_machines_share_layouts_only_where_their_cores_are_alike() -> None:
    """Alone, and after machines that differ in every part, a program is the same."""
    machines = [
        tiny(),
        tiny(memory__dram__bytes_per_second=3e11),
        tiny(core__count=3),
        tiny(core__port_bytes_per_cycle=7),
        tiny(clock_hz=2 * 10**9),
        tiny(sparsity__metadata="enumerative"),
    ]
    alone = []
    for machine in machines:
        laid._kept_gemm.cache_clear()
        problem = problem_of(machine, "2:4", m=20, n=24, k=72)
        alone.append(gemm_program(machine, library_of(machine), problem, MAPPING))
    laid._kept_gemm.cache_clear()
    for machine, program in zip(machines, alone, strict=True):
        problem = problem_of(machine, "2:4", m=20, n=24, k=72)
        again = gemm_program(machine, library_of(machine), problem, MAPPING)
        for name in ("stage_ps", "rows_port_ps", "block_class", "dram_ps", "hold_ps"):
            assert (getattr(again, name) == getattr(program, name)).all(), name
        assert again.works == program.works
    assert laid._kept_gemm.cache_info().misses == 4


def test_the_latest_few_are_kept() -> None:
    latest: Latest[int, int] = Latest()
    for number in range(MOST + 2):
        latest[number] = number
    assert len(latest) == MOST
    assert 1 not in latest
    assert 2 in latest
