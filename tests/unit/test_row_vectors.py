"""Rows that choose columns together: what is stored, what runs it, and what does it move?"""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from machines import GATHERS, library_of, tiny

from simulator import Conv, Gemm, Workload, compare, load_hardware, load_workload, simulate
from simulator.errors import ConfigError, MappingError, WeightsError
from simulator.hardware import Hardware
from simulator.schedule.capacity import rows_bytes
from simulator.schedule.mapping import Mapping, check, register_bytes
from simulator.schedule.program import gemm_program
from simulator.schedule.ranking import candidates
from simulator.schedule.timing import alignment_factors
from simulator.sparsity import (
    Pattern,
    VectorPattern,
    parse_asked,
    parse_pattern,
    parse_prunable,
)
from simulator.workload.lowering import GemmProblem, Lowered, lower
from simulator.workload.trace_writer import write_trace


def lowered(asked: str, hardware: Hardware, **sizes: int) -> Lowered:
    layer = Gemm("g", **{"m": 64, "n": 32, "k": 160, **sizes})
    return lower(layer, parse_pattern(asked), hardware)


def problem(asked: str, **sizes: int) -> GemmProblem:
    return lowered(asked, tiny(**GATHERS), **sizes).problem


@pytest.mark.parametrize("text", ["128:2:20", " 128 : 2 : 20 ", "0128:02:020"])
def test_it_is_read_and_written(text: str) -> None:
    pattern = parse_pattern(text)
    assert pattern == VectorPattern(128, 2, 20) == parse_asked(text)
    assert parse_pattern(pattern) is pattern
    assert str(pattern) == "128:2:20"
    assert pattern.density == Fraction(1, 10)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("128:1:20", "rows choose 4 columns of every group, and 2:4 runs on those, want keep 2"),
        ("128:2:3", "want keep 2 of a group of 4 to 4096, such as '128:2:20', got '128:2:3'"),
        ("128:2:5000", "a group of 4 to 4096"),
        ("0:2:8", "want 1 to 4096 rows, got '0:2:8'"),
        ("128:2:20:4", "not a pattern"),
        ("-1:2:8", "not a pattern"),
    ],
)
def test_what_no_kernel_runs_is_refused_where_it_stands(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_pattern(text, "--pattern")
    assert str(caught.value).startswith("--pattern: ")
    assert says in str(caught.value)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="whole numbers"):
        VectorPattern(True, 2, 8)


def test_weights_are_not_pruned_to_it() -> None:
    with pytest.raises(ConfigError, match="only simulated as such, want 'keep:group', such as"):
        parse_prunable("128:2:20", "--pattern")
    tensors = {"g.weight": np.ones((64, 160), dtype=np.float32)}
    workload = Workload("one", [Gemm("g", m=64, n=32, k=160)])
    with pytest.raises(WeightsError, match="layer g: real weights are not held to rows:keep:group"):
        simulate(tiny(**GATHERS), workload, "16:2:8", weights=tensors)


def test_what_is_stored_is_counted_slot_by_slot() -> None:
    """64 rows of 50 weights in groups of 20: three groups, of which the last has 10."""
    pattern = VectorPattern(16, 2, 20)
    assert pattern.slots(50) == 3 * 2
    assert pattern.useful_slots(43) == 3 * 2
    assert pattern.useful_slots(41) == 2 * 2 + 1
    assert pattern.padded(50) == 60
    assert [pattern.columns(weights) for weights in (50, 43, 40, 3)] == [12, 11, 8, 3]
    assert pattern.columns(np.array([50.0, 43.0])).tolist() == [12, 11]
    # Two bits a slot, as of 2:4; five bits for each of 12 columns of 4 blocks of 16 rows.
    assert pattern.stored_metadata_bits(50) == 3 * 4
    assert pattern.shared_metadata_bits(64, 50) == 4 * 12 * 5
    assert pattern.metadata_per_weight() == (Fraction(16 * 4 + 4 * 5, 16 * 20), 20)
    one = problem("16:2:20", k=60)
    assert rows_bytes(one, "index") == (64 * 3 * (2 * 16 + 4) + 4 * 12 * 5 + 7) // 8


def test_where_all_columns_are_chosen_no_index_is_stored() -> None:
    pattern = VectorPattern(16, 2, 4)
    assert pattern.shared_metadata_bits(64, 400) == 0
    assert pattern.distinct_ratio(1024) == 1


@pytest.mark.parametrize(("rows", "group", "blocks"), [(32, 20, 1), (32, 20, 5), (64, 8, 3)])
def test_distinct_columns_are_those_of_random_choices(rows: int, group: int, blocks: int) -> None:
    generator, trials = random.Random(7), 3000
    columns = sum(
        len({column for _ in range(blocks) for column in generator.sample(range(group), 4)})
        for _ in range(trials)
    )
    ratio = VectorPattern(rows, 2, group).distinct_ratio(rows * blocks - 1)
    assert float(ratio) * 4 == pytest.approx(columns / trials, rel=0.01)


def test_it_runs_where_2_4_does_and_a_library_gathers_for_so_many_rows() -> None:
    listed = {"sparsity__largest_group": 0, "sparsity__patterns": ["2:4"]}
    found = lowered("16:2:20", tiny(**GATHERS, **listed))
    assert [str(one.pattern) for one in found.problems] == ["16:2:20", "2:4"]
    for hardware in (
        tiny(**listed),
        tiny(libraries__own__vector_rows=[32], **listed),
        tiny(**GATHERS, sparsity__patterns=["1:4", "2:8"], sparsity__largest_group=0),
        tiny(**GATHERS, sparsity__skip="none"),
    ):
        assert not any(one.pattern.chooses for one in lowered("16:2:20", hardware).problems)
    assert lowered("16:2:6", tiny(**listed)).note(Pattern(1, 1)).endswith("contains it")


def test_what_contains_every_row_contains_it() -> None:
    found = lowered("16:2:8", tiny(libraries__own__vector_rows=[]))
    assert [one.pattern for one in found.problems] == [
        one.pattern for one in lowered("2:8", tiny()).problems
    ]
    assert found.note(found.problem.pattern) == "16:2:8 runs as 2:8"


def test_fewer_channels_than_a_group_run_as_what_has_a_smaller_one() -> None:
    """A group that divides it chooses as many columns of fewer; 16 channels fill 10 of 20."""
    layer = Conv("c", 16, 32, 8, 8, kernel=3)
    found = lower(layer, parse_pattern("16:2:20"), tiny(**GATHERS))
    patterns = [str(one.pattern) for one in found.problems]
    assert patterns[0] == "16:2:10"
    assert found.note(found.problem.pattern) == "16:2:20 runs as 16:2:10"
    prime = lower(layer, parse_pattern("16:2:17"), tiny(**GATHERS))
    assert not any(one.pattern.chooses for one in prime.problems)


def test_it_is_never_slower_than_2_4() -> None:
    """The kernels of 64 rows have smaller tiles; 64:2:4 is 2:4, and runs as such."""
    workload = Workload("one", [Gemm("g", m=1024, n=4096, k=1024)])
    of_rows, plain = (simulate("rtx3090", workload, p).layers[0] for p in ("64:2:4", "2:4"))
    assert of_rows.time_ps == plain.time_ps
    assert (of_rows.executed_as, of_rows.note) == ("2:4", "64:2:4 runs as 2:4, which is faster")


def test_it_runs_as_equal_parts_of_its_rows_where_that_is_faster() -> None:
    """What 64 rows choose together, 32 and 32 of them may choose alike."""
    listed = {"sparsity__largest_group": 0, "sparsity__patterns": ["2:4"]}
    hardware = tiny(libraries__own__vector_rows=[16, 48, 32], **listed)
    found = lowered("64:2:20", hardware)
    assert [str(one.pattern) for one in found.problems] == ["32:2:20", "16:2:20", "2:4"]
    workload = Workload("one", [Gemm("g", m=512, n=256, k=2560)])
    whole, half, more = (
        simulate("rtx3090", workload, p).layers[0] for p in ("128:2:20", "64:2:20", "192:2:20")
    )
    assert whole.time_ps == half.time_ps == more.time_ps
    assert whole.note == "128:2:20 runs as 64:2:20, which is faster"
    # Short products end in epilogues that the next main loop hides, of 64 rows, but not of 128.
    workload = Workload("short", [Gemm("g", m=1024, n=2048, k=128)])
    whole, half = (simulate("rtx3090", workload, p).layers[0] for p in ("128:2:20", "64:2:20"))
    assert whole.time_ps == half.time_ps


def test_it_is_never_slower_than_what_fewer_rows_choose() -> None:
    """Kernels of 64 rows hide epilogues, which no estimate of those of 128 needs to say."""
    workload = Workload("one", [Gemm("g", m=1024, n=1024, k=128)])
    times = [simulate("rtx3090", workload, p).total.time_ps for p in ("128:2:20", "64:2:20")]
    assert times[0] <= 1.005 * times[1]


def test_a_library_by_name_runs_what_it_can() -> None:
    workload = Workload("one", [Gemm("g", m=1024, n=4096, k=1024)])
    own, other = (
        simulate("rtx3090", workload, "128:2:20", library=name).layers[0]
        for name in ("spatha", "cublas")
    )
    assert (own.executed_as, other.executed_as) == ("128:2:20", "2:4")
    assert own.time_ps < other.time_ps


def test_tiles_lie_within_the_rows_that_choose_together() -> None:
    hardware, one = tiny(**GATHERS), problem("32:2:20")
    mapping = Mapping(32, 16, 40, 8, 8)
    check(hardware, library_of(hardware), one, mapping)
    for tile_m in (64, 24):
        with pytest.raises(MappingError, match=r"mapping\.tile_m: would cross rows that choose"):
            check(hardware, library_of(hardware), one, Mapping(tile_m, 16, 40, 8, 8))
    hardware = load_hardware("rtx3090")
    layer = Gemm("g", m=4096, n=4096, k=4096)
    for rows, name in ((32, "spatha-64"), (64, "spatha-64"), (128, "spatha")):
        assert hardware.vector_library(rows) == name
        one = lower(layer, parse_pattern(f"{rows}:2:20"), hardware).problem
        best = candidates(hardware, hardware.libraries[name], one)
        assert {mapping.tile_m for mapping in best} == {rows}


def test_registers_hold_activations_of_chosen_columns_alone() -> None:
    hardware = tiny(**GATHERS)
    mapping = Mapping(16, 16, 160, 8, 8)
    chosen, whole = (
        register_bytes(hardware, library_of(hardware), problem(asked), mapping)
        for asked in ("16:2:20", "2:4")
    )
    assert chosen == whole


def test_x_is_gathered_and_read_from_memory_as_far_as_somebody_wants_it() -> None:
    """Four blocks of 16 rows choose 4 of 20 columns each: 1 - 0.8**4 of all, to the byte above."""
    hardware, one = tiny(**GATHERS), problem("16:2:20", k=320)
    program = gemm_program(hardware, library_of(hardware), one, Mapping(16, 16, 160, 8, 8))
    columns = slice(4, 8)
    assert program.passed_bytes[columns].tolist() == [32 * 16 * 2] * 4
    held = 160 * 16 * 2 * (1 - 0.8**4)
    assert program.block_bytes[columns].tolist() == pytest.approx([held] * 4, abs=1)


@pytest.mark.parametrize(("n", "k", "factor"), [(33, 320, 8), (40, 320, 1), (40, 330, 1)])
def test_rows_of_x_are_gathered_whole_so_that_n_decides_alignment(
    n: int, k: int, factor: int
) -> None:
    one = problem("16:2:20", n=n, k=k)
    assert one.pattern.chooses
    assert alignment_factors(tiny(), one) == (1, factor)


def test_macs_and_weights_shrink_as_2_m_says() -> None:
    workload = Workload("one", [Gemm("g", m=256, n=256, k=800)])
    comparison = compare(tiny(**GATHERS), workload, ["1:1", "64:2:20", "64:2:100"])
    dense, twenty, hundred = (report.layers[0] for report in comparison.reports)
    assert twenty.executed_as == "64:2:20"
    assert dense.macs == twenty.macs == 10 * twenty.slots_used == 50 * hundred.slots_used
    assert comparison.density_speedup(comparison.reports[1]) == 10
    assert "64:2:20" in comparison.to_json()


def test_a_trace_keeps_it() -> None:
    workload = Workload("one", [Gemm("g", m=256, n=256, k=800, pattern="64:2:20")])
    assert "64:2:20" in write_trace(workload)
    assert simulate(tiny(**GATHERS), workload).layers[0].asked == "64:2:20"
    assert load_workload(workload) is workload
