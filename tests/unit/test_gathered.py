"""What does random access cost on a machine? The baseline without groups."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from machines import problem_of, tiny

from simulator import Conv, Gemm, Mapping, Workload, compare, simulate
from simulator.schedule.masking import real_conflicts
from simulator.schedule.timing import StageShape, stage_cost, stage_work
from simulator.sparsity import Unstructured, parse_pattern
from simulator.workload.gathered import Gathered, bank_conflicts, fetch_ways
from simulator.workload.lowering import lower


def test_indices_span_all_of_k() -> None:
    hardware = tiny()
    for k, bits in ((64, 6), (65, 7), (4096, 12)):
        layer = Gemm("g", m=16, n=16, k=k)
        pattern = lower(layer, parse_pattern("unstructured:0.5"), hardware).problem.pattern
        assert isinstance(pattern, Gathered)
        assert pattern.index_bits == bits
    layer = Conv("c", in_channels=3, out_channels=8, in_h=8, in_w=8, kernel=3)
    pattern = lower(layer, parse_pattern("unstructured:0.5"), hardware).problem.pattern
    assert isinstance(pattern, Gathered)
    assert pattern.index_bits == 5  # 27 weights a row: groups do not matter, nothing is padded


def _balls_in_bins(ways: int, trials: int = 4000) -> float:
    """Mean of the fullest of ``ways`` bins into which ``ways`` balls fall."""
    generator = random.Random(7)
    total = 0
    for _ in range(trials):
        bins = [0] * ways
        for _ in range(ways):
            bins[generator.randrange(ways)] += 1
        total += max(bins)
    return total / trials


@pytest.mark.parametrize("ways", [2, 4, 8, 16])
def test_conflicts_are_those_of_random_banks(ways: int) -> None:
    counted = float(bank_conflicts(Fraction(1, 4), 4096, ways))
    assert counted == pytest.approx(_balls_in_bins(ways), rel=0.03)


def test_no_conflicts_where_one_fetch_fills_all_banks() -> None:
    assert bank_conflicts(Fraction(1, 2), 512, 1) == 1


def test_every_slot_reads_activations_of_its_own() -> None:
    """Per row of W, not per fragment: 32 slots times 16 columns of 2 bytes for each of 16 rows."""
    hardware = tiny()
    shape = StageShape(16, 16, 64, 8, 8)
    problem = problem_of(hardware, "2:4", m=16, n=16, k=64)
    grouped = stage_work(hardware, problem, shape)
    layer = Gemm("g", m=16, n=16, k=64)
    gathered = lower(layer, parse_pattern("unstructured:0.5"), hardware).problem
    work = stage_work(hardware, gathered, shape)
    assert work.columns_read_bytes == 16 * 32 * 16 * 2
    assert grouped.columns_read_bytes == 2 * 64 * 16 * 2
    assert work.columns_bytes == grouped.columns_bytes  # what enters the scratchpad is the same
    assert work.macs_executed == grouped.macs_executed
    assert work.metadata_bytes == 16 * 32 * 6 // 8


def test_conflicts_lengthen_the_stage() -> None:
    hardware = tiny(core__scratchpad__bytes_per_cycle=64)
    problem = lower(
        Gemm("g", m=16, n=16, k=64), parse_pattern("unstructured:0.5"), hardware
    ).problem
    assert problem.conflict_ratio > 1
    work = stage_work(hardware, problem, StageShape(16, 16, 64, 8, 8))
    cost = stage_cost(hardware, problem, work)
    wanted = work.write_bytes + work.read_bytes
    wanted += work.columns_read_bytes * (problem.conflict_ratio - 1)
    assert cost.scratchpad_ps == -(-wanted * 1000 // 64)


def test_groups_beat_random_access_at_the_same_density() -> None:
    workload = Workload("one", [Gemm("g", m=1024, n=1024, k=1024)])
    comparison = compare("nm-flex", workload, ["2:4", "unstructured:0.5"])
    assert comparison.density_speedup(comparison.reports[1]) == 1
    assert comparison.speedup(comparison.reports[1]) < 0.2
    assert comparison.reports[1].layers[0].bound == "scratchpad"


def test_a_layer_of_its_own_density_runs_as_one_that_is_overridden() -> None:
    own = Workload("one", [Gemm("g", m=64, n=64, k=64, pattern="unstructured:0.25")])
    other = Workload("one", [Gemm("g", m=64, n=64, k=64)])
    said, overridden = simulate(tiny(), own), simulate(tiny(), other, "unstructured:0.25")
    assert said.layers == overridden.layers
    assert said.layers[0].executed_as == said.layers[0].asked == "unstructured:0.25"


def test_a_machine_that_skips_nothing_runs_it_dense() -> None:
    workload = Workload("one", [Gemm("g", m=64, n=64, k=64)])
    layer = simulate(tiny(sparsity__skip="none"), workload, "unstructured:0.5").layers[0]
    assert layer.executed_as == "1:1"
    assert "skips no zeros" in layer.note


def test_real_conflicts_of_random_weights_are_those_of_seeded_ones() -> None:
    mask = (np.random.default_rng(3).random((512, 1024)) < 0.25).astype(np.uint8)
    seeded = float(bank_conflicts(Fraction(1, 4), 1024, 8))
    assert float(real_conflicts(mask, 8)) == pytest.approx(seeded, rel=0.05)


def test_equal_rows_always_conflict_and_shifted_ones_never_do() -> None:
    equal = np.tile(np.eye(1, 64, 5, dtype=np.uint8), (8, 1))
    assert real_conflicts(equal, 8) == 8
    assert real_conflicts(np.eye(8, 64, dtype=np.uint8), 8) == 1
    assert real_conflicts(np.zeros((8, 64), dtype=np.uint8), 8) == 1
    # Sixteen rows are two times eight; of twelve, the last four are no wave.
    assert real_conflicts(np.vstack([equal, equal]), 8) == 8
    assert real_conflicts(np.vstack([equal, np.eye(4, 64, dtype=np.uint8)]), 8) == 8


def test_slots_stand_for_so_many_weights_rounded_up() -> None:
    pattern = Gathered.seeded(Unstructured(Fraction(3, 10)), 64, 8)
    assert [pattern.span(slots) for slots in (0, 1, 3, 4)] == [0, 4, 10, 14]
    assert [pattern.slots(weights) for weights in (0, 1, 10, 11)] == [0, 1, 3, 4]
    assert [pattern.weights_of(slots) for slots in (1, 3, 4)] == [3, 10, 13]


def test_slots_of_convolutions_are_counted_where_they_are_executed() -> None:
    """Two stages of 64 and 8 weights along k store 7 slots and 1 a row at a density of 0.1; a
    kernel position of 8 channels would store 1, nine of them 9."""
    hardware = tiny(libraries__own__tiles=[
        {"m": 16, "n": 16, "slots": 8, "fragment_m": 8, "fragment_n": 8}
    ])  # fmt: skip
    layer = Conv("c", in_channels=8, out_channels=16, in_h=6, in_w=6, kernel=3)
    mapping = Mapping(16, 16, 64, 8, 8)
    report = simulate(hardware, Workload("w", [layer]), "unstructured:0.1", mapping=mapping)
    found = report.layers[0]
    assert found.slots_used == 16 * 16 * (7 + 1)
    assert found.macs_executed == 16 * 16 * (8 + 4)  # instructions take four slots at a time
    assert found.slots_padded == 16 * 16 * 4


def test_few_weights_a_position_do_not_use_more_than_the_peak() -> None:
    """121 positions of two channels, one in a hundred of which is stored."""
    sizes = {"in_channels": 2, "out_channels": 64, "in_h": 14, "in_w": 14}
    layer = Conv("c", **sizes, kernel=11, padding=5, dtype="int8")
    found = simulate("sparseloop-stc", Workload("w", [layer]), "unstructured:0.01").layers[0]
    assert 0 < found.mac_utilization <= 1
    assert found.slots_padded >= 0


@pytest.mark.parametrize(("dtype", "ways"), [("fp16", 16), ("int8", 32), ("int4", 32)])
def test_fetches_that_banks_serve_at_a_time_follow_the_dtype(dtype: str, ways: int) -> None:
    """Four columns of an instruction take 8, 4 or 2 bytes: two of 32 banks of four, or one."""
    assert fetch_ways(tiny(), dtype) == ways


def test_every_slot_takes_its_own_activations_through_the_operand_path() -> None:
    """16 x 16 of Y in half of 32 weights: 16 slots a row, each with 16 activations of 16 bits."""
    hardware = tiny()
    problem = lower(
        Gemm("g", m=16, n=16, k=32), parse_pattern("unstructured:0.5"), hardware
    ).problem
    work = stage_work(hardware, problem, StageShape(16, 16, 32, 8, 8))
    assert work.columns_operand_bits == 16 * 16 * 16 * 16
