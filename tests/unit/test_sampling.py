"""Is a GEMM that was simulated in part close to the whole, and does it add up?"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from linear import MAPPING, Linear, batch_of, fast_memory
from machines import library_of, problem_of, tiny

from simulator import Gemm, LayerReport, Workload, load_hardware, simulate
from simulator.engine import fast, reference
from simulator.engine.result import EngineResult
from simulator.errors import SimulatorError
from simulator.hardware import Hardware
from simulator.run.sampling import Estimate, estimate
from simulator.schedule.classes import COLUMNS, OUTPUTS, ROWS
from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import TileGrid, grouped_order
from simulator.schedule.program import Program, gemm_program
from simulator.schedule.ranking import candidates
from simulator.sparsity import parse_pattern
from simulator.workload import Conv, Layer, Matmul
from simulator.workload.lowering import lower


def layer(machine: str, pattern: str, m: int, n: int, k: int, **options: Any) -> LayerReport:
    workload = Workload("one", [Gemm("gemm", m=m, n=n, k=k)])
    return simulate(machine, workload, pattern, **options).layers[0]


def dram_bytes(report: LayerReport) -> int:
    return sum(sum(ways.values()) for ways in report.traffic_bytes["dram"].values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "pattern", "m", "n", "k", "dram"),
    [
        ("a100-sxm4-80gb", "1:1", 12288, 12288, 12288, 0.01),
        ("a100-sxm4-80gb", "2:4", 12288, 12288, 12288, 0.01),
        ("nm-flex", "1:8", 16384, 16384, 16384, 0.01),
        ("nm-flex", "2:8", 16384, 16384, 16384, 0.01),
        ("nm-edge", "1:1", 6144, 6144, 6144, 0.01),
        # Bound by DRAM; splits along k; shallow.
        ("a100-sxm4-80gb", "1:1", 65536, 16, 65536, 0.01),
        ("a100-sxm4-80gb", "1:1", 256, 256, 2**22, 0.01),
        ("a100-sxm4-80gb", "1:1", 65536, 65536, 256, 0.01),
        # Edges, which put cores out of step: the traffic is then only known roughly.
        ("a100-sxm4-80gb", "1:1", 9999, 19999, 11111, 0.1),
        ("nm-flex", "1:8", 30000, 10000, 20000, 0.1),
    ],
)
def test_sampled_is_within_a_percent_of_exact(
    machine: str, pattern: str, m: int, n: int, k: int, dram: float
) -> None:
    exact = layer(machine, pattern, m, n, k)
    sampled = layer(machine, pattern, m, n, k, accuracy="sampled")
    time_error = abs(sampled.time_ps / exact.time_ps - 1)
    dram_error = abs(dram_bytes(sampled) / dram_bytes(exact) - 1)
    assert time_error <= min(0.01, sampled.time_error_ratio)
    assert dram_error <= min(dram, sampled.dram_error_ratio)
    # What needs no estimate has no error.
    assert (sampled.stages, sampled.macs_executed) == (exact.stages, exact.macs_executed)
    assert sampled.mapping == exact.mapping
    assert sampled.traffic_bytes["scratchpad"] == exact.traffic_bytes["scratchpad"]
    assert sampled.traffic_bytes["register_file"] == exact.traffic_bytes["register_file"]
    assert sampled.busy_ratio["mac"] == pytest.approx(exact.busy_ratio["mac"], abs=0.02)
    assert sampled.imbalance_ratio == pytest.approx(exact.imbalance_ratio, abs=0.1)


SPATHA: dict[str, object] = {"library.sparse": "spatha", "libraries.spatha.swizzle": 8}
"""In bands of eight rows of tiles, instead of all in one."""

WAITS = [
    # Two buffers: a stage that misses L2 waits for DRAM longer than it takes, those behind it not,
    # until they have caught up.
    ("rtx3090", SPATHA, "2:4", Gemm("g", m=30000, n=6000, k=9000, dtype="tf32")),
    ("rtx3090", SPATHA, "2:4", Gemm("g", m=24064, n=6144, k=10240, dtype="tf32")),
    ("a100-sxm4-80gb", {"libraries.cublas.stage_buffers": 2, "memory.dram.latency_ns": 900},
     "1:1", Gemm("g", m=16384, n=16384, k=8192)),
    # So large an L2 that columns stay in it from band to band.
    ("rtx3090", SPATHA | {"memory.l2.bytes": 33554432}, "2:4", Gemm("g", m=33920, n=14818, k=879)),
]  # fmt: skip


@pytest.mark.parametrize(("machine", "changes", "pattern", "one"), WAITS)
def test_where_stages_wait_for_dram_samples_are_right_or_the_whole_is_run(
    machine: str, changes: dict[str, object], pattern: str, one: Layer
) -> None:
    hardware, workload = load_hardware(machine, changes), Workload("one", [one])
    exact, sampled = (
        simulate(hardware, workload, pattern, accuracy=accuracy).layers[0]
        for accuracy in ("exact", "sampled")
    )
    assert abs(sampled.time_ps / exact.time_ps - 1) <= sampled.time_error_ratio <= 0.01


SIDES = [
    # Batches, convolutions whose outputs leave L2, and machines that deal tiles out otherwise.
    ("a100-sxm4-80gb", {}, Matmul("g", m=128, n=128, k=2048, batch=20000)),
    ("a100-sxm4-80gb", {}, Matmul("g", m=512, n=512, k=64, batch=30000)),
    ("a100-sxm4-80gb", {}, Conv("g", 64, 64, 56, 56, kernel=3, padding=1, batch=12288)),
    ("nm-flex", {}, Gemm("g", m=20_000_000, n=64, k=256)),
    ("nm-flex", {"memory.l2.bytes": 200 * 2**20}, Gemm("g", m=16384, n=16384, k=4096)),
    ("nm-flex", {"core.count": 1}, Gemm("g", m=16384, n=16384, k=8192)),
    ("a100-sxm4-80gb", {"libraries.cublas.dispatch": "round_robin"},
     Gemm("g", m=16384, n=16384, k=8192)),
    ("a100-sxm4-80gb", {"libraries.cublas.dispatch": "contiguous"},
     Gemm("g", m=8192, n=8192, k=16384)),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("machine", "changes", "one"), SIDES)
def test_other_layers_and_machines(machine: str, changes: dict[str, object], one: Layer) -> None:
    hardware, workload = load_hardware(machine, changes), Workload("one", [one])
    exact, sampled = (
        simulate(hardware, workload, accuracy=accuracy).layers[0]
        for accuracy in ("exact", "sampled")
    )
    assert abs(sampled.time_ps / exact.time_ps - 1) <= min(0.02, sampled.time_error_ratio)
    assert abs(dram_bytes(sampled) / dram_bytes(exact) - 1) <= max(0.02, sampled.dram_error_ratio)
    assert max(sampled.busy_ratio.values()) <= 1


def test_the_reference_engine_is_exact_only() -> None:
    with pytest.raises(SimulatorError, match="samples are sized for the fast engine"):
        layer("nm-edge", "1:1", 64, 64, 64, accuracy="sampled", engine="reference")


@pytest.mark.slow
def test_a_huge_gemm_is_affordable() -> None:
    """No exact run is: 134 million stages. Peak work alone takes 1.80 s of the machine."""
    sampled = layer("a100-sxm4-80gb", "1:1", 65536, 65536, 65536, accuracy="sampled")
    least_ps = 65536**3 / (108 * 1024 * 1.41e9) * 1e12
    assert least_ps < sampled.time_ps < 1.1 * least_ps
    assert sampled.stages == (65536 // 256) * (65536 // 128) * (65536 // 64)


def test_small_gemms_are_exact() -> None:
    exact = layer("a100-sxm4-80gb", "1:1", 2048, 2048, 2048)
    sampled = layer("a100-sxm4-80gb", "1:1", 2048, 2048, 2048, accuracy="sampled")
    assert sampled == exact
    assert (exact.time_error_ratio, exact.dram_error_ratio) == (0, 0)


def part(
    hardware: Hardware, m: int, n: int, k: int, engine: Callable[..., Any], budget: int
) -> tuple[Any, Mapping, Any]:
    problem = lower(Gemm("gemm", m=m, n=n, k=k), parse_pattern("2:4"), hardware).problem
    library = hardware.libraries[hardware.library.sparse]
    mapping = candidates(hardware, library, problem)[0]
    found = estimate(hardware, library, problem, mapping, engine, budget)
    return found, mapping, gemm_program(hardware, library, problem, mapping)


def test_both_engines_give_the_same_estimate() -> None:
    hardware = load_hardware("nm-edge")
    one, _, _ = part(hardware, 1000, 900, 2048, fast.run, 2000)
    other, _, _ = part(hardware, 1000, 900, 2048, reference.run, 2000)
    assert one.time_error_ratio > 0
    assert one.result.differences(other.result) == []
    assert (one.time_error_ratio, one.dram_error_ratio) == (
        other.time_error_ratio, other.dram_error_ratio,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "k"), [(4096, 4096, 4096), (4000, 300, 9000), (100, 9999, 999)])
@pytest.mark.parametrize("machine", ["nm-edge", "nm-flex", "a100-sxm4-80gb"])
def test_every_class_of_stage_and_every_core_adds_up(machine: str, m: int, n: int, k: int) -> None:
    found, _, whole = part(load_hardware(machine), m, n, k, fast.run, 3000)
    exact, sampled = fast.run(whole), found.result
    np.testing.assert_array_equal(sampled.stages.sum(axis=0), exact.stages.sum(axis=0))
    np.testing.assert_array_equal(sampled.requests, exact.requests)
    np.testing.assert_array_equal(sampled.end_ps, sampled.worked_ps + sampled.waits_ps.sum(axis=1))
    assert sampled.end_ps.max() <= sampled.makespan_ps
    assert (sampled.misses <= sampled.requests).all()
    assert min(np.min(getattr(sampled, name)) for name in ("stages", "waits_ps", "misses")) >= 0


def test_accuracy_is_exact_or_sampled() -> None:
    with pytest.raises(SimulatorError, match="accuracy: want 'exact' or 'sampled', got 'rough'"):
        layer("nm-edge", "1:1", 64, 64, 64, accuracy="rough")


# By hand

SUMMED = ("stages", "waits_ps", "end_ps", "worked_ps", "mac_ps", "port_ps")
COUNTED = ("requests", "misses", "far", "written", "dram_written")
SINGLE = ("evictions", "in_flight_hits", "ties")


def sampled(
    engine: Linear, sides: tuple[int, int, int, int], budget: int, **changes: object
) -> tuple[Estimate, EngineResult]:
    """An estimate of a batch of GEMMs, and what the engine would have said of the whole."""
    hardware = fast_memory(**changes)
    library, problem = library_of(hardware, swizzle=2), batch_of(hardware, *sides)
    found = estimate(hardware, library, problem, MAPPING, engine, budget)
    return found, Linear(engine.bend_ps)(gemm_program(hardware, library, problem, MAPPING))


@pytest.mark.parametrize(
    ("sides", "budget", "shortest"),
    [
        ((4, 4, 4000, 1), 3000, (4, 4, 32, 1)),
        ((41, 5, 40, 1), 2500, (5, 5, 40, 1)),
        ((5, 50, 40, 1), 4000, None),
        ((4, 5, 40, 40), 3000, (4, 5, 40, 2)),
        ((30, 30, 200, 30), 30000, (4, 2, 24, 30)),
        ((50, 33, 200, 3), 9000, None),
    ],
    ids=["k", "rows", "columns", "gemms", "three", "more"],
)
def test_what_is_linear_is_found_exactly(
    sides: tuple[int, int, int, int], budget: int, shortest: tuple[int, ...] | None
) -> None:
    """However many sides are cut: every counter but those that no line describes."""
    engine = Linear()
    found, whole = sampled(engine, sides, budget)
    asked = [(grid.rows, grid.columns, grid.stages, grid.count) for grid in engine.asked]
    assert len(set(asked)) == len(asked) > 1  # nothing twice, not all at once
    assert sides not in asked
    if shortest is not None:
        assert min(asked) == shortest
    for name in SUMMED:
        ours, theirs = (getattr(result, name).sum(axis=0) for result in (found.result, whole))
        assert ours.tolist() == theirs.tolist(), name
    for name in COUNTED:
        assert getattr(found.result, name).tolist() == getattr(whole, name).tolist(), name
    for name in SINGLE:
        assert getattr(found.result, name) == getattr(whole, name), name
    result = found.result
    # The end of the last wave is that of a run whose last wave is as full.
    tail_ps = engine.tail_ps(MAPPING.grid(batch_of(fast_memory(), *sides)))
    end_ps = (int(result.end_ps.sum()) + tail_ps) // 4
    assert abs(result.makespan_ps - max(end_ps, int(result.end_ps.max()))) <= 1
    assert result.end_ps.tolist() == (result.worked_ps + result.waits_ps.sum(axis=1)).tolist()


def test_a_line_has_no_error_but_the_floor() -> None:
    for sides, budget in (((4, 4, 4000, 1), 3000), ((40, 4, 40, 1), 2000), ((4, 50, 40, 1), 3000)):
        found, _ = sampled(Linear(), sides, budget)
        assert found.time_error_ratio == pytest.approx(0.009)
        assert found.dram_error_ratio == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("sides", "budget"),
    [
        ((4, 4, 4000, 1), 3000),
        ((40, 4, 40, 1), 2000),
        ((4, 50, 40, 1), 3000),
        ((4, 4, 40, 40), 3000),
    ],
    ids=["k", "rows", "columns", "gemms"],
)
def test_the_error_is_how_far_a_third_length_is_off_the_line(
    sides: tuple[int, int, int, int], budget: int
) -> None:
    """Three points of time over the side that is cut; extrapolated from two of them each."""
    engine = Linear(bend_ps=50)
    found, _ = sampled(engine, sides, budget)
    hardware = fast_memory()
    library, problem = library_of(hardware, swizzle=2), batch_of(hardware, *sides)
    points = {}
    for grid in engine.asked:
        lengths = (grid.rows, grid.columns, grid.stages, grid.count)
        program = gemm_program(hardware, library, problem, MAPPING, grid=grid)
        (axis,) = [x for x in range(4) if lengths[x] != sides[x]]
        result = Linear(bend_ps=50)(program)
        from_dram = int(((result.misses + result.dram_written) * program.block_bytes).sum())
        points[lengths[axis]] = int(result.end_ps.sum()), from_dram
    long, short, check = list(points)  # in the order in which they are run
    assert short == min(points)
    errors = []
    for figure in range(2):
        at = {length: figures[figure] for length, figures in points.items()}
        line, other = (
            at[short] + Fraction(at[x] - at[short], x - short) * (sides[axis] - short)
            for x in (long, check)
        )
        assert other != line
        errors.append(float(abs(other - line) / line))
        if not figure:
            assert found.result.end_ps.sum() == line
    assert found.time_error_ratio == pytest.approx(0.009 + errors[0])
    assert found.dram_error_ratio == pytest.approx(0.03 + 2 * errors[1])


def queue_ps(program: Program, whole: EngineResult) -> dict[str, int]:
    """How long each shared queue is busy, block by block."""
    total = dict.fromkeys(("dram", "l2", "link"), 0)
    for kind in range(16):
        reads, writes = int(whole.misses[kind]), int(whole.dram_written[kind])
        total["dram"] += (reads + writes) * int(program.dram_ps[kind])
        passed = int(whole.requests[kind]) + int(whole.written[kind])
        total["l2"] += passed * int(program.l2_ps[kind])
        total["link"] += int(whole.far[kind]) * int(program.link_ps[kind])
    return total


@pytest.mark.parametrize(
    ("queue", "changes"),
    [
        ("dram", {"memory__dram__bytes_per_second": 1e9}),
        ("l2", {"memory__l2__bytes_per_cycle": 1}),
        ("link", {"memory__l2__halves": {"far_latency_cycles": 0, "link_bytes_per_cycle": 1}}),
    ],
)
def test_no_queue_is_busy_for_longer_than_the_run(queue: str, changes: dict[str, object]) -> None:
    """By how much it would be is an error of the time, too; and, where DRAM is busy for more than
    half of it, what is not known of its bytes."""
    sides = (4, 4, 4000, 1)
    found, whole = sampled(Linear(), sides, 3000, **changes)
    hardware = fast_memory(**changes)
    program = gemm_program(
        hardware, library_of(hardware, swizzle=2), batch_of(hardware, *sides), MAPPING
    )
    busy = queue_ps(program, whole)
    assert max(busy, key=lambda name: busy[name]) == queue
    unhurried = max((int(whole.end_ps.sum()) + 4 * 10**6) // 4, int(found.result.end_ps.max()))
    assert found.result.makespan_ps == busy[queue] > unhurried
    error = 0.009 + busy[queue] / unhurried - 1
    if queue == "dram":
        error += 0.03
    assert found.time_error_ratio == pytest.approx(error, rel=1e-6)
    assert found.dram_error_ratio == pytest.approx(0.03)


def test_a_port_that_is_busy_for_longer_holds_the_run_up() -> None:
    found, _ = sampled(Linear(), (4, 4, 4000, 1), 3000, core__port_bytes_per_cycle=1)
    assert found.result.makespan_ps == found.result.port_ps.max() > found.result.end_ps.max()


# What a sample must hold


def touched(grid: TileGrid, swizzle: int, cores: int) -> tuple[int, int]:
    """Rows and columns of tiles that waves touch, wave by wave, tile by tile."""
    order = grouped_order(grid, swizzle).tolist()
    rows = columns = 0
    for first in range(0, len(order), cores):
        wave = [divmod(tile, grid.columns) for tile in order[first : first + cores]]
        rows += len({line for line, _ in wave})
        columns += len({(line // grid.rows, column) for line, column in wave})
    return rows, columns


@pytest.mark.parametrize(
    ("cores", "swizzle", "rows", "columns"),
    [(9, 3, 26, 51), (8, 4, 31, 60), (16, 4, 22, 73), (12, 3, 20, 54), (9, 3, 47, 66)],
)
def test_misses_follow_where_in_a_band_each_wave_falls(
    cores: int, swizzle: int, rows: int, columns: int
) -> None:
    """L2 holds what is read at a time, but nothing of it until the next wave: so every wave reads
    each of its rows and columns once a stage. Where waves fall decides how many those are."""
    hardware = tiny(core__count=cores, memory__l2__bytes=100_000)
    library = library_of(hardware, swizzle=swizzle)
    problem = problem_of(hardware, "1:1", m=16 * rows, n=16 * columns, k=32 * 40)
    grid = MAPPING.grid(problem)
    found = estimate(hardware, library, problem, MAPPING, fast.run, grid.outputs * 40 // 8)
    assert found.program.grid.outputs < grid.outputs, "nothing was cut"
    misses = found.result.misses.reshape(4, 4).sum(axis=1)[:2] / 40
    assert misses.tolist() == pytest.approx(touched(grid, swizzle, cores), rel=0.002)


@pytest.mark.parametrize(
    ("tiles", "l2_bytes", "left"),
    [
        # 32 of 4000 stages have so much of L2 as they are less deep ...
        ((4, 4), 2**24, 2**24 * 32 // 4000),
        # ... but at least half of what a wave, two rows and two columns of a KiB, reads in them;
        ((4, 4), 2**22, 4 * 1024 * 32 // 2),
        # and no more than there is; what a single wave reads nobody reads again.
        ((4, 4), 40_000, 40_000),
        ((2, 2), 2**24, 2**24),
    ],
)
def test_l2_shrinks_with_k(tiles: tuple[int, int], l2_bytes: int, left: int) -> None:
    engine = Linear()
    sampled(engine, (*tiles, 4000, 1), 1500, memory__l2__bytes=l2_bytes)
    shortest = min(engine.programs, key=lambda program: program.grid.stages)
    assert shortest.grid.stages == 32
    assert shortest.l2_bytes == left
    # So do outputs, that as many of them are written back; operands stay as they are.
    sizes = shortest.block_bytes.reshape(4, 4)
    assert set(sizes[OUTPUTS]) == {512 * left // l2_bytes}
    assert set(sizes[ROWS]) == set(sizes[COLUMNS]) == {1024}
