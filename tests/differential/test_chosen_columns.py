"""Where rows choose columns together: do engines, oracles and books agree, as under any pattern?"""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from machines import GATHERS, VECTOR_PATTERNS, Case, random_case
from naive import NaiveStage, naive_stage
from naive_machine import NaiveMachine
from test_naive_machine import ENERGY, reported

from simulator.engine import fast, reference
from simulator.schedule.classes import BLOCKS_OF, COLUMNS, STAGE_CLASSES
from simulator.schedule.timing import StageShape, alignment_factors, stage_cost, stage_work
from simulator.sparsity import VectorPattern


def case_of(rng: random.Random, **overrides: object) -> Case:
    return random_case(rng, VECTOR_PATTERNS, **GATHERS, **overrides)


def chooses(case: Case) -> bool:
    """Whether rows choose; tiles of a cluster would share what they chose, which none may."""
    alone = case.program.cluster_cores == 1
    return alone and case.problem is not None and case.problem.pattern.chooses


def test_both_engines_agree() -> None:
    seen: Counter[str] = Counter()
    for seed in range(150):
        case = case_of(random.Random(seed))
        if not chooses(case):
            continue
        result = fast.run(case.program)
        assert result.differences(reference.run(case.program)) == [], seed
        gathered = case.program.passed_bytes < case.program.block_bytes
        seen.update(
            name
            for name, holds in {
                "fewer bytes pass L2 than it holds": gathered.any(),
                "a convolution": case.problem.unique_input_bytes is not None,
                "eviction": result.evictions > 0,
                "k-split": case.program.grid.splits > 1,
            }.items()
            if holds
        )
    assert len(seen) == 4
    assert min(seen.values()) >= 5, seen


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_stage_costs_equal_the_enumerated_ones(seed: int) -> None:
    case = case_of(random.Random(seed))
    if not chooses(case) or case.mapping is None:
        return
    hardware, problem, grid = case.hardware, case.problem, case.program.grid
    fragments = case.mapping.fragment_m, case.mapping.fragment_n
    factors = alignment_factors(hardware, problem)
    for edges in STAGE_CLASSES:
        extents = [grid.extent(axis, edge) for axis, edge in zip("mnk", edges, strict=True)]
        naive = naive_stage(
            hardware, problem.pattern.keep, problem.pattern.group, problem.dtype,
            NaiveStage(*extents, *fragments), factors, chooses=True,
        )  # fmt: skip
        work = stage_work(hardware, problem, StageShape(*extents, *fragments))
        cost = stage_cost(hardware, problem, work)
        for name in ("rows_bytes", "metadata_bytes", "columns_bytes", "steps", "macs_executed"):
            assert getattr(work, name) == getattr(naive, name), name
        assert (work.read_bytes, work.write_bytes) == (naive.reads, naive.writes)
        assert work.operand_bits == naive.operand_bits
        for name in ("stage", "mac", "scratchpad", "operand", "barrier"):
            assert getattr(cost, f"{name}_ps") == getattr(naive, f"{name}_ps"), name
        assert cost.prologue_ps == naive.first_load_ps


def test_reports_equal_the_brute_force_machine() -> None:
    """Time, core-time and traffic, of GEMMs without what the brute-force machine leaves out."""
    checked = gathered = 0
    for seed in range(500):
        case = case_of(random.Random(seed), energy=ENERGY)
        library, problem = case.library, case.problem
        if not chooses(case) or library.prefetch or library.epilogue_overlap:
            continue
        if problem.unique_input_bytes is not None:
            continue
        pattern = problem.pattern
        assert isinstance(pattern, VectorPattern)
        run = NaiveMachine(
            case.hardware, library, case.mapping, (problem.count, problem.m, problem.n, problem.k),
            (pattern.keep, pattern.group), problem.dtype, None, problem.accumulates, pattern.rows,
        ).simulate()  # fmt: skip
        report = reported(case)
        assert report.time_ps == run.time_ps, seed
        assert report.core_time_ps == {name: run.core_time_ps[name] for name in report.core_time_ps}
        assert (report.macs_executed, report.slots_used) == (run.macs_executed, run.slots_used)
        for level, operands in report.traffic_bytes.items():
            for operand, ways in operands.items():
                for way, size in ways.items():
                    assert size == run.moved[level, operand, way], (seed, level, operand, way)
        checked, gathered = checked + 1, gathered + (problem.m > pattern.rows)
    assert checked >= 30
    assert gathered >= 8


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_what_passes_l2_is_what_tiles_take_and_no_more_than_it_holds(seed: int) -> None:
    case = case_of(random.Random(seed))
    if not chooses(case):
        return
    program, result = case.program, fast.run(case.program)
    columns = BLOCKS_OF[COLUMNS]
    assert (program.passed_bytes[columns.stop :] == program.block_bytes[columns.stop :]).all()
    held = case.problem.k * case.problem.n * case.problem.bits // 8 * case.problem.count
    sizes = program.block_bytes[program.block_class]
    stored = int(sizes[program.grid.columns_base : program.grid.outputs_base].sum())
    assert stored <= held + program.grid.stages * program.grid.columns * program.grid.count
    if case.problem.unique_input_bytes is None:
        assert (program.passed_bytes <= program.block_bytes).all()
        taken = int((result.requests * program.passed_bytes)[columns].sum())
        stages = result.stages.sum(axis=0)
        entered = sum(
            int(n) * work.columns_bytes for n, work in zip(stages, program.works, strict=True)
        )
        assert taken == entered
