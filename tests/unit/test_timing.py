"""Do stage costs equal what enumerating slots and addresses gives?"""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import problem_of, random_case, tiny
from naive import NaiveStage, naive_stage

from simulator import Conv
from simulator.schedule.classes import STAGE_CLASSES
from simulator.schedule.timing import (
    StageShape,
    alignment_factors,
    executed_work,
    stage_cost,
    stage_work,
)
from simulator.sparsity import DENSE
from simulator.workload.lowering import lower


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_stage_costs_equal_the_enumerated_ones(seed: int) -> None:
    case = random_case(random.Random(seed))
    if case.problem is None or case.mapping is None:
        return
    hardware, problem, grid = case.hardware, case.problem, case.program.grid
    factors = alignment_factors(hardware, problem)
    for code, edges in enumerate(STAGE_CLASSES):
        extents = [grid.extent(axis, edge) for axis, edge in zip("mnk", edges, strict=True)]
        mapping = case.mapping
        fragments = mapping.fragment_m, mapping.fragment_n
        tile = mapping.tile_m, mapping.tile_n, mapping.tile_k, *fragments
        naive = naive_stage(
            hardware,
            problem.pattern.keep,
            problem.pattern.group,
            problem.dtype,
            NaiveStage(*extents, *fragments),
            factors,
            tile=NaiveStage(*tile),
        )
        shape = StageShape(*extents, *fragments)
        work = executed_work(hardware, problem, shape, StageShape(*tile))
        cost = stage_cost(hardware, problem, work)
        assert (work.rows_bytes, work.metadata_bytes, work.columns_bytes) == (
            naive.rows_bytes,
            naive.metadata_bytes,
            naive.columns_bytes,
        )
        assert (work.read_bytes, work.write_bytes) == (naive.reads, naive.writes)
        assert (work.steps, work.macs_executed) == (naive.steps, naive.macs_executed)
        assert work.operand_bits == naive.operand_bits
        for name in ("stage", "mac", "scratchpad", "operand", "barrier"):
            assert getattr(cost, f"{name}_ps") == getattr(naive, f"{name}_ps"), name
        assert cost.prologue_ps == naive.first_load_ps
        if not case.program.is_masked:
            assert case.program.costs[code] == cost


def test_activations_cost_the_same_whatever_is_pruned() -> None:
    """X bytes into and out of the scratchpad are equal for every pattern at equal tile shape."""
    hardware = tiny()
    shape = StageShape(16, 16, 64, 8, 8)
    seen = set()
    for pattern in ("1:1", "2:4", "1:4", "2:8", "1:8", "1:16"):
        work = stage_work(hardware, problem_of(hardware, pattern, m=64, n=64, k=64), shape)
        seen.add((work.columns_bytes, work.columns_read_bytes))
    assert seen == {(16 * 64 * 2, 2 * 16 * 64 * 2)}


def test_steps_fall_with_density() -> None:
    hardware = tiny()
    shape = StageShape(16, 16, 64, 8, 8)
    steps = [
        stage_work(hardware, problem_of(hardware, p, m=64, n=64, k=64), shape).steps
        for p in ("1:1", "2:4", "1:4", "1:8", "1:16")
    ]
    assert steps == [16, 8, 4, 2, 1]


@pytest.mark.parametrize(
    ("k", "pattern", "rows", "columns"),
    [
        (64, "1:1", 1, 1),  # 128-byte rows
        (12, "1:1", 2, 2),  # 24 bytes: 8-byte vectors
        (147, "1:1", 8, 8),  # 294 bytes: 2-byte vectors
        (16, "2:4", 1, 1),  # 16 bytes of slots, 32 of activations
        (8, "2:4", 1, 1),  # 8 bytes of slots, packed offline with padded rows
    ],
)
def test_misaligned_rows_slow_transfers(k: int, pattern: str, rows: int, columns: int) -> None:
    hardware = tiny()
    problem = problem_of(hardware, pattern, m=16, n=16, k=k)
    assert alignment_factors(hardware, problem) == (Fraction(rows), Fraction(columns))


def test_one_register_buffer_adds_loads_to_macs() -> None:
    shape = StageShape(16, 16, 16, 8, 8)
    slow = {"core__scratchpad__bytes_per_cycle": 32, "core__scratchpad__shared_port": False}
    two, one = tiny(**slow), tiny(**slow, core__register_file__buffers=1)
    problem = problem_of(two, "1:1", m=16, n=16, k=16)
    work = stage_work(two, problem, shape)
    # 16x16x16 MACs at 64 a cycle; two strips each of 512 bytes of W and of X at 32 bytes a cycle.
    assert work.fill_bytes == 2048
    assert stage_cost(two, problem, work).stage_ps == 64_000
    assert stage_cost(one, problem, work).stage_ps == 64_000 + 64_000


def test_misalignment_follows_the_operands_when_they_are_swapped() -> None:
    layer = Conv("c", in_channels=4, out_channels=64, in_h=56, in_w=56, kernel=2)
    problem = lower(layer, DENSE, tiny()).problem
    assert alignment_factors(tiny(), problem) == (1, 2)
    assert alignment_factors(tiny(), problem.swapped()) == (2, 1)


def test_channels_of_a_kernel_are_one_row() -> None:
    """9 positions of 6 channels of 2 bytes are 108 bytes a row of W, whose vectors are of 4 of 16;
    6 channels are 12 bytes of a pixel, with vectors of 4, too."""
    hardware = tiny(core__alignment_bytes=16)
    layer = Conv("c", in_channels=6, out_channels=8, in_h=8, in_w=8, kernel=3)
    problem = lower(layer, DENSE, hardware).problem
    assert alignment_factors(hardware, problem) == (4, 4)
