"""What is lost where L2 between layers is summed up as a list of tensors?

Chains of layers run once as `simulate` runs them, and once in a reference engine whose L2 keeps
every block of every layer, in the order of their last use, from the first layer to the last. A tile
of an output is as large as a block of the next layer's input, and is that block.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from machines import library_of, problem_of, tiny

from simulator import Gemm, Mapping, Workload, simulate
from simulator.engine import memory, reference
from simulator.hardware import Hardware
from simulator.schedule.program import Program, gemm_program

TILE = 16
MAPPING = Mapping(TILE, TILE, TILE, 8, 8, stage_buffers=2)
CHAINS = 40


@dataclass
class Exact:
    """What passed DRAM, how long it took, and what L2 holds: names of blocks, and whether dirty."""

    held: list[tuple[Hashable, bool]] = field(default_factory=list)
    read_bytes: int = 0
    written_bytes: int = 0
    time_ps: int = 0


class _Memory(memory.Memory):
    """Knows blocks of other layers by their names; all blocks are of one size.

    Its blocks are names where those of the memory are numbers, hence the types that are ignored.
    """

    size = 0
    found: tuple[tuple[Hashable, bool], ...] = ()
    foreign_written = 0

    def __init__(self, env, program, observer=None):  # type: ignore[no-untyped-def]
        super().__init__(env, program, observer)
        for block, dirty in self.found:
            self._insert(block, dirty)  # type: ignore[arg-type]
            self.filled[block] = env.event().succeed(0)  # type: ignore[index]
        self.evictions = 0

    def _bytes(self, block):  # type: ignore[no-untyped-def]
        return super()._bytes(block) if isinstance(block, int) else self.size

    def _write_dram(self, block):  # type: ignore[no-untyped-def]
        if isinstance(block, int):
            super()._write_dram(block)
            return
        self.foreign_written += self.size
        write_ps = int(max(self.program.dram_write_ps))
        self._drain(self._through_dram(True, self.size, write_ps))


def _names(program: Program, number: int) -> dict[int, Hashable]:
    """What a layer's blocks are in the whole chain."""
    grid, names = program.grid, dict[int, Hashable]()
    for block in range(grid.columns_base):
        names[block] = "weights", number, block
    for column in range(grid.columns):
        for stage in range(grid.stages):
            block = grid.columns_base + column * grid.stages + stage
            names[block] = "tensor", number, stage, column
        for row in range(grid.rows):
            names[grid.outputs_base + row * grid.columns + column] = (
                "tensor",
                number + 1,
                row,
                column,
            )
    return names


def _exact(programs: list[Program], monkeypatch: pytest.MonkeyPatch) -> Exact:
    """All layers in one L2."""
    monkeypatch.setattr(reference, "Memory", _Memory)
    run = Exact()
    for number, program in enumerate(programs):
        names = _names(program, number)
        ids = {name: block for block, name in names.items()}
        _Memory.size = int(max(program.block_bytes))
        _Memory.found = tuple((ids.get(name, name), dirty) for name, dirty in run.held)
        machine = reference.Machine(program)
        machine.env.run()
        result = machine.memory
        ends = [core.ended[-1][0] for core in machine.cores if core.ended]
        run.time_ps += max(*ends, result.drained_ps)
        run.read_bytes += int((result.misses * program.block_bytes).sum())
        run.written_bytes += int((result.dram_written * program.block_bytes).sum())
        run.written_bytes += result.foreign_written  # type: ignore[attr-defined]
        run.held = [(names.get(at, at), dirty) for at, dirty in result.resident.items()]
    run.written_bytes += _Memory.size * sum(dirty for _, dirty in run.held)
    return run


def _chain(rng: random.Random) -> tuple[Hardware, list[Gemm]]:
    widths = [TILE * rng.randint(1, 6) for _ in range(rng.randint(3, 5))]
    tokens = TILE * rng.randint(1, 5)
    layers = [Gemm(f"l{at}", m=m, n=tokens, k=k) for at, (k, m) in enumerate(pairwise(widths))]
    largest = max(2 * (x.m * x.k + x.k * x.n + x.m * x.n) for x in layers)
    hardware = tiny(
        core__count=rng.choice([2, 4]),
        core__port_bytes_per_cycle=32,
        memory__l2__start="carried",
        memory__l2__bytes=int(largest * rng.choice([0.4, 0.7, 1.0, 1.5, 3.0])) // 512 * 512,
        memory__dram__bytes_per_second=2e10,
        memory__dram__latency_ns=50,
    )
    return hardware, layers


def test_a_summary_of_l2_loses_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mean and worst error of reads, of writes and of time. Where L2 holds a layer's blocks there
    is none in reads; it is small L2s, which hold parts of tensors, that depend on which parts."""
    errors: dict[str, list[float]] = {"read": [], "written": [], "time": []}
    fitting: list[float] = []
    for seed in range(CHAINS):
        hardware, layers = _chain(random.Random(seed))
        report = simulate(hardware, Workload("chain", layers), mapping=MAPPING)
        programs = [
            gemm_program(
                hardware, library_of(hardware), problem_of(hardware, "1:1", m=x.m, n=x.n, k=x.k),
                MAPPING,
            )
            for x in layers
        ]  # fmt: skip
        with monkeypatch.context() as patch:
            exact = _exact(programs, patch)
        traffic = report.total.traffic_bytes
        errors["read"].append(traffic.total("dram", "read") / exact.read_bytes - 1)
        errors["written"].append(traffic.total("dram", "written") / exact.written_bytes - 1)
        errors["time"].append(report.total.time_ps / exact.time_ps - 1)
        if all(program.fits_l2 for program in programs):
            fitting.append(errors["read"][-1])
    mean = {name: sum(map(abs, each)) / len(each) for name, each in errors.items()}
    assert max(map(abs, errors["read"] + errors["time"])) < 0.2
    assert len(fitting) >= CHAINS // 4
    assert max(map(abs, fitting)) == 0
    assert mean["read"] < 0.02
    assert mean["written"] < 0.001
    assert mean["time"] < 0.02
