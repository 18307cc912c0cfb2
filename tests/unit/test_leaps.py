"""Where cores repeat themselves the fast engine adds periods up: to the picosecond as without."""

from __future__ import annotations

import random
from typing import Any

import pytest
from machines import tiny

from simulator.engine import fast
from simulator.hardware import Hardware, load_hardware
from simulator.schedule.program import Program, gemm_program
from simulator.schedule.ranking import candidates
from simulator.sparsity import parse_pattern
from simulator.workload import Gemm
from simulator.workload.lowering import lower


def program_of(hardware: Hardware, layer: Gemm, pattern: str = "1:1") -> Program:
    """With the mapping that ranks first."""
    problem = lower(layer, parse_pattern(pattern), hardware).problem
    choice = hardware.library
    library = hardware.libraries[choice.dense if pattern == "1:1" else choice.sparse]
    hardware = hardware.under(library)
    mapping = candidates(hardware, library, problem)[0]
    order = problem.swapped() if mapping.swapped else problem
    return gemm_program(hardware, library, order, mapping)


def leapt(monkeypatch: pytest.MonkeyPatch, program: Program) -> int:
    """Periods that were leapt over, after both ways have been found equal."""
    found: list[int] = []
    leap = fast._leap

    def counted(*given: Any) -> int:
        found.append(int(leap(*given)))
        return found[-1]

    monkeypatch.setattr(fast, "_leap", counted)
    for name in ("FEWEST_EVENTS", "SHORTEST_PAUSE"):  # also where they do not pay
        monkeypatch.setattr(fast, name, 1)
    monkeypatch.setattr(fast, "_may_leap", lambda _program: False)
    plain = fast.run(program)
    monkeypatch.setattr(fast, "_may_leap", lambda _program: True)
    assert fast.run(program).differences(plain) == []
    monkeypatch.undo()
    return sum(found)


SMALL_L2 = {"memory.l2.bytes": 6 * 2**20, "memory.l2.halves": None}
CASES: list[tuple[str, dict[str, Any], str, Gemm]] = [
    ("a100-sxm4-80gb", {}, "1:1", Gemm("g", m=4096, n=4096, k=4096)),
    ("a100-sxm4-80gb", SMALL_L2, "2:4", Gemm("g", m=4000, n=4096, k=8190)),
    ("a100-sxm4-80gb", {"memory.l2.start": "warm"}, "1:1", Gemm("g", m=2048, n=4096, k=8192)),
    ("rtx3090", {}, "1:1", Gemm("g", m=4096, n=4096, k=4096, dtype="tf32")),
    ("v100-sxm2", {}, "1:1", Gemm("g", m=3072, n=4096, k=4096)),
    ("nm-edge", {}, "1:8", Gemm("g", m=1024, n=1024, k=8192)),
    ("mi300x", {}, "1:1", Gemm("g", m=4096, n=4864, k=4096)),
]


@pytest.mark.parametrize(("machine", "changes", "pattern", "one"), CASES)
def test_leaps_change_nothing(
    monkeypatch: pytest.MonkeyPatch, machine: str, changes: dict[str, Any], pattern: str, one: Gemm
) -> None:
    program = program_of(load_hardware(machine, changes), one, pattern)
    assert leapt(monkeypatch, program) * 3 > program.grid.stages


def test_nor_on_random_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches that hold a wave, a part of it or all; slow memory; sums of splits."""
    rng = random.Random(15)
    periods = []
    for _ in range(150):
        hardware = tiny(
            core__count=rng.choice([1, 2, 3, 5, 8]),
            memory__l2__bytes=rng.choice([2**15, 2**17, 2**19, 2**24]),
            memory__l2__latency_cycles=rng.choice([0, 40]),
            memory__l2__bytes_per_cycle=rng.choice([64, 4096]),
            memory__l2__halves=rng.choice(
                [None, {"far_latency_cycles": 13, "link_bytes_per_cycle": 256}]
            ),
            memory__dram__bytes_per_second=rng.choice([16e9, 256e9, 4096e9]),
            memory__dram__latency_ns=rng.choice([0, 300]),
            memory__writes=rng.choice(["l2", "dram"]),
            libraries__own__stage_buffers=rng.choice([1, 2, 4]),
            libraries__own__swizzle=rng.choice([1, 2, 8]),
            libraries__own__dispatch=rng.choice(["dynamic", "round_robin", "contiguous"]),
            libraries__own__prefetch=rng.random() < 0.5,
            libraries__own__epilogue_overlap=rng.random() < 0.5,
        )
        m, n = (16 * rng.randint(1, 6) - rng.choice([0, 0, 3]) for _ in range(2))
        one = Gemm("g", m=m, n=n, k=16 * rng.randint(60, 300) - rng.choice([0, 1]))
        periods.append(leapt(monkeypatch, program_of(hardware, one)))
    assert sum(map(bool, periods)) > 50
