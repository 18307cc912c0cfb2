"""Which parts of a GEMM are sampled: large enough, affordable, and extrapolated least?"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from math import floor, lcm, prod
from typing import NamedTuple

import pytest
from linear import MAPPING, Linear, batch_of, fast_memory
from machines import library_of, problem_of, tiny

from simulator import Gemm
from simulator.hardware import Hardware, Library
from simulator.run.sampling import estimate
from simulator.run.sampling_plan import (
    COLUMNS_WEIGHT,
    FEWEST_WAVES,
    GEMMS_WEIGHT,
    ROWS_WEIGHT,
    STAGES_WEIGHT,
    Cuts,
    Side,
    Whole,
    cuts_of,
    extrapolated,
)
from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import TileGrid
from simulator.sparsity import parse_pattern
from simulator.units import ceil_div
from simulator.workload import Conv, Layer, Matmul
from simulator.workload.lowering import GemmProblem, lower


@pytest.mark.parametrize(("length", "shortest", "step", "unit"), [(100, 7, 8, 2), (164, 32, 5, 1)])
def test_whole_steps_lead_to_the_true_length(
    length: int, shortest: int, step: int, unit: int
) -> None:
    side = Side.cut(length, shortest, step, unit)
    assert side is not None
    assert shortest <= side.short < shortest + step
    assert side.short + side.factor * (side.long - side.short) == length
    assert side.check not in (side.short, side.long)
    assert side.simulated == side.short + side.long < length
    assert Side.cut(length, length - step, step, unit) is None  # one step saves nothing


def test_steps_of_columns_out_of_phase_are_twice_as_bad() -> None:
    """Ten times as many of four columns a step: in phase with periods of 1, 2 and 4 only."""
    stages, rows, gemms = Side(8, 16, 12, 3), Side(2, 3, 4, 7), Side(1, 2, 3, 2)
    cuts = Cuts(stages, Side(4, 8, 6, 10), rows, gemms)
    others = 3 * STAGES_WEIGHT + 7 * ROWS_WEIGHT + 2 * GEMMS_WEIGHT
    for period in range(1, 9):
        twice = 1 if period in (1, 2, 4) else 2
        assert cuts.badness(period) == pytest.approx(others + twice * 10 * COLUMNS_WEIGHT)


def test_what_is_linear_along_every_side_is_found_exactly() -> None:
    seen = []

    def at(stages: int, columns: int, rows: int, gemms: int) -> int:
        seen.append((stages, columns, rows, gemms))
        return (3 + 5 * stages) * (1 + columns) * (7 * rows + 2) * gemms

    def beyond(short: int, long: int, factor: int) -> int:
        return short + (long - short) * factor

    cut = (Side.cut(*of, 1) for of in ((100, 20, 10), (90, 8, 8), (50, 10, 20), (9, 2, 2)))
    cuts = Cuts(*(side for side in cut if side is not None))
    assert extrapolated(cuts, at, beyond) == 503 * 91 * 352 * 9
    assert len(set(seen)) == len(seen) == 16
    uncut = Cuts(*(Side.whole(length) for length in (4, 3, 2, 1)))
    assert uncut.cuts_nothing
    assert extrapolated(uncut, at, beyond) == 23 * 4 * 16 * 1


@pytest.mark.parametrize(("share", "is_safe"), [(10, True), (100, True), (10_000, False)])
def test_the_smallest_run_fills_the_cores_and_keeps_to_a_budget_that_is_large_enough(
    share: int, is_safe: bool
) -> None:
    hardware = tiny(core__count=8, memory__l2__bytes=2**16)
    problem = problem_of(hardware, "1:1", m=4096, n=4096, k=4096)
    whole = Whole(hardware, library_of(hardware), problem, Mapping(16, 16, 16, 8, 8))
    budget = whole.grid.outputs * whole.grid.stages // share
    cuts, safe = cuts_of(whole, budget)
    assert (safe, cuts.cost <= budget) == (is_safe, is_safe)
    assert cuts.columns.short * cuts.rows.short >= FEWEST_WAVES * hardware.core.count


def held_bytes(grid: TileGrid) -> int:
    """Of both operands and the output, in fp16."""
    return 2 * (grid.m * grid.k + grid.n * grid.k + grid.m * grid.n)


@pytest.mark.parametrize("l2_bytes", [2**24, 300_000])
@pytest.mark.parametrize("cores", [1, 4, 16])
def test_every_part_fills_all_cores_four_times_and_l2_twice(cores: int, l2_bytes: int) -> None:
    """Fewer waves do not contend for memory as many do; until L2 is full nothing is written back,
    which does not matter where all of the GEMM fits."""
    engine = Linear()
    hardware = fast_memory(core__count=cores, memory__l2__bytes=l2_bytes)
    problem = problem_of(hardware, "1:1", m=16 * 120, n=16 * 90, k=32 * 40)
    library, whole = library_of(hardware, swizzle=4), MAPPING.grid(problem)
    estimate(hardware, library, problem, MAPPING, engine, 100)  # as little as it may
    assert (held_bytes(whole) > l2_bytes) == (l2_bytes == 300_000)
    deep = [replace(grid, k=whole.k) for grid in engine.asked]
    fewest = min(grid.tiles for grid in deep)
    assert 4 * cores <= fewest < whole.tiles / 4
    if l2_bytes == 300_000:
        assert min(held_bytes(grid) for grid in deep) >= 2 * l2_bytes
    elif cores > 1:
        assert fewest <= 2 * 4 * cores  # no more than it takes, a band more or less


@pytest.mark.parametrize(
    ("budget", "check", "is_safe"),
    [(768, True, True), (767, True, False), (1646, False, True), (1645, False, False)],
)
def test_lengths_that_are_too_short_are_said_to_be(budget: int, check: bool, is_safe: bool) -> None:
    """16 tiles of 32, 64 and 48 stages are 2304: up to three times the budget, or 1.4 times where
    nobody asks how far off they are."""
    hardware, engine = fast_memory(), Linear()
    library, problem = library_of(hardware, swizzle=2), batch_of(hardware, 4, 4, 4000, 1)
    found = estimate(hardware, library, problem, MAPPING, engine, budget, check=check)
    floors = (0.009, 0.03) if is_safe else (0.1, 0.65)
    assert (found.time_error_ratio, found.dram_error_ratio) == pytest.approx(floors)
    assert (min(grid.stages for grid in engine.asked) >= 32) == is_safe


def test_rows_are_checked_by_whole_bands() -> None:
    """Bands of 150: two of them and three, and four to check, since half a band is none."""
    hardware, engine = fast_memory(memory__l2__bytes=10**9), Linear()
    library, problem = library_of(hardware, swizzle=150), batch_of(hardware, 3000, 1, 40, 1)
    estimate(hardware, library, problem, MAPPING, engine, 1)
    lengths = {grid.rows for grid in engine.asked}
    assert {300, 450, 600} <= lengths


def test_tiles_that_end_sooner_put_cores_out_of_step() -> None:
    """The last row has 13 of 16: as many MACs, fewer bytes. Bytes decide how long full stages take,
    MACs the last one of a single weight: full ones count. 24 bytes a cycle are 256 cycles for
    6 KiB, and 128 are for 16 x 16 x 32 MACs; the last takes 16 of MACs, four slots at least."""
    hardware = fast_memory(core__scratchpad__bytes_per_cycle=24, core__alignment_bytes=1)
    library = library_of(hardware, swizzle=2)
    for m, k, floors in (
        (16 * 40 - 3, 32 * 40 - 31, (0.03, 0.45)),
        (16 * 40, 32 * 40 - 31, (0.009, 0.03)),
    ):
        problem = problem_of(hardware, "1:1", m=m, n=64, k=k)
        found = estimate(hardware, library, problem, MAPPING, Linear(), 2000)
        assert (found.time_error_ratio, found.dram_error_ratio) == pytest.approx(floors)


# Which parts are simulated


class Lengths(NamedTuple):
    """A side's lengths that are simulated, one that checks, and how far they extrapolate."""

    short: int
    long: int
    check: int
    factor: int


def sides_of(length: int, cuts: list[tuple[int, int, int]]) -> list[Lengths]:
    """The whole side, and cuts of it that keep (at least so much, in steps, checked by units)."""
    found = [Lengths(length, length, length, 0)]
    for least, step, unit in cuts:
        factor = (length - least) // step
        if factor > 1:
            short = length - factor * step
            half = step // 2 - step // 2 % unit
            found.append(Lengths(short, short + step, short + (half or 2 * step), factor))
    return found


def held_bits(problem: GemmProblem, grid: TileGrid, columns: int, rows: int, gemms: int) -> float:
    """Of operands, without metadata, and outputs of so many whole tiles."""
    a_row = grid.tile_m * problem.pattern.slots(grid.k) * problem.bits
    a_column = grid.tile_n * grid.k * problem.bits
    if problem.unique_input_bytes is not None and problem.inputs_are_rows:
        a_row = 8 * problem.unique_input_bytes // grid.rows
    elif problem.unique_input_bytes is not None:
        a_column = 8 * problem.unique_input_bytes // grid.columns
    outputs = rows * columns * grid.tile_m * grid.tile_n * problem.output_bits
    return gemms * (rows * a_row + columns * a_column + outputs)


def planned(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    grid: TileGrid,
    budget: int,
    settles_late: bool,
    check: bool,
) -> tuple[Lengths, ...]:
    """Of all combinations of cuts that are affordable, the one that extrapolates least; else the
    cheapest. Lengths are safe ones, unless all of those cost several times the budget."""
    cores, l2_bits = hardware.core.count, 8 * hardware.memory.l2.bytes
    band = min(library.swizzle, grid.rows)
    wave, period = ceil_div(cores, band), lcm(cores, band) // band
    again = {4**n for n in range(8)} | {2}
    rows_again = sorted(again | {lcm(cores, band * grid.columns) // (band * grid.columns)})
    tiles = grid.rows * grid.columns
    gemms_again = sorted(again | {lcm(cores, tiles) // tiles})
    steps = sorted({wave, period} if period <= 2 * wave else {wave})

    # Columns are not cut to where they would stay in L2 from band to band.
    band_bits = band * grid.tile_m * problem.pattern.slots(grid.k) * problem.bits
    a_column = grid.tile_n * grid.k * problem.bits
    fewest = wave
    if grid.rows > band and band_bits + grid.columns * a_column >= l2_bits / 2:
        fewest = max(wave, floor((1.5 * l2_bits - band_bits) / a_column) + 1)

    def is_enough(plan: tuple[Lengths, ...]) -> bool:
        if not any(side.factor for side in plan[1:]):
            return True
        columns, rows, gemms = (side.short for side in plan[1:])
        if library.dispatch == "contiguous" or grid.splits * columns * rows * gemms < 4 * cores:
            return False
        whole = held_bits(problem, grid, grid.columns, grid.rows, grid.count)
        return whole <= l2_bits or held_bits(problem, grid, columns, rows, gemms) >= 2 * l2_bits

    def cost(plan: tuple[Lengths, ...]) -> int:
        short = prod(side.short for side in plan)
        checks = sum(short // side.short * side.check for side in plan if side.factor)
        return checks + prod(side.short + side.long if side.factor else side.long for side in plan)

    def badness(plan: tuple[Lengths, ...]) -> tuple[float, int]:
        stages, columns, rows, gemms = plan
        in_phase = (columns.long - columns.short) % period == 0
        far = 0.02 * stages.factor + (6 if in_phase else 12) * columns.factor
        return far + rows.factor + gemms.factor, -cost(plan)

    depth = (64 if settles_late else 32) * grid.splits
    for least, shallow in ((fewest, depth), (wave, depth if settles_late else depth // 2)):
        columns = [(least * 4**n, size * 4**n, 1) for n in range(8) for size in steps]
        every = product(
            sides_of(
                grid.stages, [(shallow * 2**n, shallow * 2**n, grid.splits) for n in range(16)]
            ),
            sides_of(grid.columns, columns),
            sides_of(grid.rows, [(2 * band * n, band * n, band) for n in rows_again]),
            sides_of(grid.count, [(2 * n, n, 1) for n in gemms_again]),
        )
        plans = [plan for plan in every if is_enough(plan)]
        affordable = [plan for plan in plans if cost(plan) <= budget]
        if affordable:
            return min(affordable, key=badness)
        cheapest = min(plans, key=cost)
        if cost(cheapest) <= (3 if check else 1.4) * budget:
            break
    return cheapest


def random_part(rng: random.Random) -> tuple[Hardware, Library, GemmProblem, Mapping, bool]:
    """A GEMM in whole tiles and stages, and whether its stages wait for DRAM longer than for L2."""
    settles_late = rng.random() < 0.3
    hardware = fast_memory(
        core__count=rng.choice([1, 4, 6, 12, 16]),
        memory__l2__bytes=rng.choice([10**5, 10**6, 10**7, 10**8]),
        memory__dram__latency_ns=10**5 if settles_late else 0,
    )
    dispatch = rng.choice(["dynamic", "dynamic", "dynamic", "round_robin", "contiguous"])
    library = library_of(hardware, swizzle=rng.choice([1, 2, 3, 4, 8]), dispatch=dispatch)
    rows, columns, stages = (rng.choice([1, 5, 30, 77, 160, 400]) for _ in "mnk")
    kind = rng.choice(["gemm", "gemm", "batch", "conv"])
    pattern = parse_pattern(rng.choice(["1:1", "2:4", "1:8"]))
    layer: Layer = Gemm("g", m=16 * rows, n=16 * columns, k=32 * stages)
    if kind == "batch":
        layer = Matmul("g", m=16 * rows, n=16 * columns, k=32 * stages, batch=rng.choice([7, 90]))
    elif kind == "conv":
        layer = Conv("g", 32 * stages, 16 * rows, 16, columns, kernel=3, padding=1, batch=3)
    problem = lower(layer, pattern, hardware).problem
    if problem.pattern.is_dense and rng.random() < 0.3:
        problem = problem.swapped()
    splits = 2 if stages > 1 and rng.random() < 0.2 else 1
    mapping = Mapping(16, 16, 32, 8, 8, splits=splits, swapped=problem.inputs_are_rows)
    return hardware, library, problem, mapping, settles_late


@pytest.mark.parametrize("seed", range(8))
def test_parts_are_those_that_extrapolate_least(seed: int) -> None:
    """What the engine is asked for: both lengths of every side that is cut, in all combinations,
    and one length more of each, at the shortest of the others."""
    rng = random.Random(seed)
    cut = 0
    while cut < 12:
        hardware, library, problem, mapping, settles_late = random_part(rng)
        grid = mapping.grid(problem)
        budget, check = rng.choice([300, 3000, 30_000, 200_000]), rng.random() < 0.7
        if not budget < grid.outputs * grid.stages < 10**10:
            continue
        plan = planned(hardware, library, problem, grid, budget, settles_late, check)
        engine = Linear()
        if not any(side.factor for side in plan):
            continue
        if prod(side.long for side in plan) > 10**6:  # blocks that it would take to lay it out
            continue
        estimate(hardware, library, problem, mapping, engine, budget, check=check)
        asked = {(x.stages, x.columns, x.rows, x.count) for x in engine.asked}
        wanted = set(product(*((side.short, side.long) for side in plan)))
        shortest = [side.short for side in plan]
        for axis, side in enumerate(plan):
            if side.factor and check:
                wanted.add((*shortest[:axis], side.check, *shortest[axis + 1 :]))
        assert wanted <= asked, (grid, budget)
        assert all(columns == plan[1].short for _, columns, _, _ in asked - wanted)
        if any(side.factor for side in plan[1:]):
            check_last_wave(hardware.core.count, grid, plan, engine.asked)
        cut += 1


def check_last_wave(
    cores: int, whole: TileGrid, plan: tuple[Lengths, ...], asked: list[TileGrid]
) -> None:
    """Of about the shortest lengths of rows and GEMMs, some whose last wave is as full as can be
    as that of the whole, at both depths."""
    near = [range(side.short, 2 * side.long - side.short + 1) for side in plan[2:]]

    def apart(rows: int, gemms: int) -> int:
        missing = (whole.splits * plan[1].short * rows * gemms - whole.tiles) % cores
        return min(missing, cores - missing)

    least = min(apart(*lengths) for lengths in product(*near))
    for stages in {plan[0].short, plan[0].long}:
        last = [x for x in asked if (x.stages, x.columns) == (stages, plan[1].short)]
        assert least == min(apart(x.rows, x.count) for x in last)
