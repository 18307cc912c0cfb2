"""Do stages cost what their real non-zeros cost, rows that wait included?"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import Case, library_of, problem_of, random_case, tiny

from simulator import Gemm, Matmul, Workload, load_hardware, simulate
from simulator.engine import fast
from simulator.errors import MappingError
from simulator.hardware import Hardware
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import gemm_program
from simulator.sparsity import DENSE, Pattern
from simulator.workload.lowering import GemmProblem, lower


def machine(**overrides: object) -> Hardware:
    settings_ = {"sparsity__skip": "nonzeros", "sparsity__lockstep_rows": 4}
    return tiny(**settings_, core__scratchpad__bytes_per_cycle=1e9, **overrides)


def naive_row_steps(mask: np.ndarray, group: int, lanes: int, depth: int, step: int) -> int:
    """Steps of one stage, block by block, group by group, row by row."""
    total = 0
    for top in range(0, mask.shape[0], lanes):
        slots = 0
        for left in range(0, depth, group):
            slots += max(
                sum(int(mask[row, k]) for k in range(left, min(left + group, mask.shape[1])))
                for row in range(top, min(top + lanes, mask.shape[0]))
            )
        total += -(-slots // step)
    return total


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    pattern=st.sampled_from(["2:4", "1:4", "3:8", "4:16"]),
)
def test_stage_macs_equal_the_enumerated_ones(seed: int, density: float, pattern: str) -> None:
    hardware = machine()
    problem = problem_of(hardware, pattern, m=13, n=16, k=96)
    group = problem.pattern.group
    mask = (np.random.default_rng(seed).random((13, 96)) < density).astype(np.uint8)
    mapping = Mapping(8, 16, 32, 8, 8)
    program = gemm_program(hardware, library_of(hardware), problem, mapping, mask)
    executed = 0
    for row in range(2):
        for stage in range(3):
            part = mask[8 * row : 8 * row + 8, 32 * stage : 32 * stage + 32]
            steps = naive_row_steps(part, group, 4, 32, 4)
            macs = steps * 4 * 4 * 16
            executed += macs
            kind = program.stage_kind(program.grid.place(row), stage)
            assert program.mac_ps[kind] == macs * 1000 // 64
    assert program.masked is not None
    done = fast.run(program).stages.sum(axis=0).tolist()
    assert sum(n * w.macs_executed for n, w in zip(done, program.works, strict=True)) == executed
    assert program.masked.slots_used == int(mask.sum()) * 16


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    density=st.sampled_from([0.0, 0.05, 0.4, 1.0]),
    pattern=st.sampled_from(["2:4", "1:4", "4:16", "8:8"]),
    source=st.sampled_from(["register", "scratchpad"]),
    dtype=st.sampled_from(["fp16", "int8"]),
)
def test_what_masked_stages_move_equals_the_enumerated(
    seed: int, density: float, pattern: str, source: str, dtype: str
) -> None:
    """Step by step: every step of a block of rows moves its slots, metadata and accumulators."""
    hardware = machine(core__operand_source__w=source)
    problem = problem_of(hardware, pattern, m=13, n=11, k=96, dtype=dtype)
    keep, group = problem.pattern.keep, problem.pattern.group
    step = {"fp16": 4, "int8": 8}[dtype]  # instruction_k of the tiny machine
    metadata_a_slot = (group - 1).bit_length() if keep < group else 0
    mask = (np.random.default_rng(seed).random((13, 96)) < density).astype(np.uint8)
    mapping = Mapping(8, 16, 32, 8, 8)
    program = gemm_program(hardware, library_of(hardware), problem, mapping, mask)
    plain = gemm_program(hardware, library_of(hardware), problem, mapping)
    for row in range(2):
        for stage in range(3):
            part = mask[8 * row : 8 * row + 8, 32 * stage : 32 * stage + 32]
            slots_bits = metadata_bits = accumulator_bits = 0
            for _ in range(naive_row_steps(part, group, 4, 32, step)):
                for _ in range(3):  # instructions of four columns cover the 11
                    slots_bits += 4 * step * problem.bits
                    metadata_bits += 4 * step * metadata_a_slot
                    accumulator_bits += 4 * 4 * 32
            place = program.grid.place(row)  # of a single column of tiles
            work = program.works[program.stage_kind(place, stage)]
            from_registers = source == "register"
            assert work.rows_operand_bits == slots_bits * from_registers
            assert work.metadata_operand_bits == metadata_bits * from_registers
            assert work.accumulator_bits == accumulator_bits
            whole = plain.works[plain.stage_kind(place, stage)]
            assert work.columns_operand_bits == whole.columns_operand_bits
            assert (work.read_bytes, work.write_bytes) == (whole.read_bytes, whole.write_bytes)
            assert work.fill_bytes == whole.fill_bytes


def test_busy_bound_traffic_and_energy_follow_the_real_non_zeros() -> None:
    """A narrow operand path binds while there are weights; without, nothing is left of it."""
    narrow = {
        "sparsity.skip": "nonzeros",
        "core.register_file.operand_bytes_per_cycle": 256,
    }
    hardware = load_hardware("nm-flex", narrow)
    workload = Workload("one", [Gemm("g", m=1024, n=1024, k=1024)])
    mapping = Mapping(64, 64, 128, 32, 32, stage_buffers=4)
    generator = np.random.default_rng(1)
    seen = {}
    for density in (0.02, 0.1, 1.0):
        weights = generator.standard_normal((1024, 1024))
        weights *= generator.random(weights.shape) < density
        report = simulate(
            hardware, workload, "8:16", weights={"g": weights}, prune=True, mapping=mapping
        )
        seen[density] = report.layers[0]
    thin, some, full = seen.values()
    assert full.work_bound == "operand"
    assert thin.work_bound == "scratchpad"
    assert thin.busy_ratio["operand"] < some.busy_ratio["operand"] < full.busy_ratio["operand"] < 1
    assert thin.core_time_ps["operand_stall"] == 0 < full.core_time_ps["operand_stall"]
    reads = [x.traffic_bytes["register_file"]["weights"]["read"] for x in seen.values()]
    assert reads[0] < reads[1] / 2 < reads[2] / 3
    pads = [x.traffic_bytes["scratchpad"]["weights"] for x in seen.values()]
    assert pads[0] == pads[1] == pads[2]  # what is stored does not depend on which slots are zero
    energies = [x.energy_pj for x in seen.values()]
    assert None not in energies
    assert energies[0] < energies[1] < energies[2]
    assert some.macs_executed < full.macs_executed


def test_a_full_mask_costs_what_slots_cost() -> None:
    """Where every group holds all its slots, skipping non-zeros is skipping slots."""
    slots = tiny(core__scratchpad__bytes_per_cycle=64)
    real = tiny(
        core__scratchpad__bytes_per_cycle=64, sparsity__skip="nonzeros", sparsity__lockstep_rows=4
    )
    problem = problem_of(slots, "2:4", m=32, n=32, k=128)
    mask = np.tile(np.array([1, 0, 0, 1], dtype=np.uint8), (32, 32))
    mapping = Mapping(16, 16, 32, 8, 8)
    plain = gemm_program(slots, library_of(slots), problem, mapping)
    masked = gemm_program(real, library_of(real), problem, mapping, mask)
    one, other = fast.run(plain), fast.run(masked)
    assert set(one.differences(other)) <= {"stages"}  # whose kinds have other numbers
    assert one.stages.sum(axis=1).tolist() == other.stages.sum(axis=1).tolist()


def _run(hardware: Hardware, problem: GemmProblem, mask: np.ndarray) -> tuple[int, float]:
    mapping = Mapping(16, 16, 64, 8, 8, stage_buffers=4)
    result = fast.run(gemm_program(hardware, library_of(hardware), problem, mapping, mask))
    worked = result.worked_ps[result.worked_ps > 0]
    return result.makespan_ps, float(worked.max() / worked.mean())


def test_rows_that_wait_cost_time_that_even_groups_do_not() -> None:
    """The same density: 4:16 in every group against zeros anywhere."""
    hardware = machine(core__count=4)
    generator = np.random.default_rng(1)
    anywhere = (generator.random((64, 512)) < 0.25).astype(np.uint8)
    even = np.zeros((64, 512), dtype=np.uint8)
    even.reshape(64, 32, 16)[:, :, :4] = 1
    problem = problem_of(hardware, "4:16", m=64, n=64, k=512)
    assert _run(hardware, problem, anywhere)[0] > 1.2 * _run(hardware, problem, even)[0]


def test_uneven_tiles_make_cores_finish_apart() -> None:
    hardware = machine(core__count=4)
    problem = problem_of(hardware, "4:16", m=64, n=16, k=512)
    mask = np.zeros((64, 512), dtype=np.uint8)
    mask.reshape(64, 32, 16)[:, :, :4] = 1
    assert _run(hardware, problem, mask)[1] == pytest.approx(1)
    mask[16:] = 0  # three tiles of four have nothing to do
    assert _run(hardware, problem, mask)[1] > 2


def test_blocks_of_rows_may_not_be_cut_by_tiles() -> None:
    hardware = machine()
    problem = problem_of(hardware, "2:4", m=16, n=16, k=32)
    mask = np.ones((16, 32), dtype=np.uint8)
    with pytest.raises(MappingError, match="lockstep_rows: must divide tile_m"):
        gemm_program(hardware, library_of(hardware), problem, Mapping(6, 16, 32, 6, 8), mask)


def test_random_cases_reach_masks() -> None:
    cases: list[Case] = [random_case(random.Random(seed)) for seed in range(40)]
    assert sum(case.program.is_masked for case in cases) >= 4


def test_every_row_of_tiles_has_its_own_non_zeros() -> None:
    """Two GEMMs of four rows of tiles, of which each has one slot a group more than the one before,
    the last but one three and the last, of a single row, none."""
    hardware = machine()
    problem = lower(Matmul("g", m=25, n=16, k=64, batch=2), DENSE, hardware).problem
    problem = replace(problem, pattern=Pattern(4, 4))
    mask = np.zeros((2, 25, 16, 4), dtype=np.uint8)
    for row in range(3):
        mask[:, 8 * row : 8 * row + 8, :, : row + 1] = 1
    program = gemm_program(
        hardware, library_of(hardware), problem, Mapping(8, 16, 32, 8, 8), mask.reshape(50, 64)
    )
    for gemm in range(2):
        for row in range(4):
            for stage in range(2):
                kind = program.stage_kind(program.grid.place(4 * gemm + row), stage)
                # 8 groups, a step of 4 slots, two blocks of 4 rows; 4 x 4 x 16 MACs each.
                steps = 2 * (row + 1) * 2 if row < 3 else 0
                assert program.works[kind].macs_executed == steps * 4 * 4 * 16
