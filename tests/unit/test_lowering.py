"""What do layers become: which GEMM, under which pattern, with which padding?"""

from __future__ import annotations

import itertools

import pytest
from machines import tiny

from simulator.errors import WorkloadError
from simulator.hardware import Hardware
from simulator.sparsity import DENSE, Pattern
from simulator.workload import Conv, Gemm, Matmul, Stream
from simulator.workload.lowering import GemmProblem, Lowered, asked_pattern, lower


def a100_like() -> Hardware:
    """The tiny machine with 2:4 alone."""
    return tiny(sparsity__largest_group=0, sparsity__patterns=["2:4"])


def lowered(layer: Gemm | Matmul | Conv, pattern: str, hardware: Hardware | None = None) -> Lowered:
    return lower(layer, Pattern.parse(pattern), hardware or tiny())


def problem(layer: Gemm | Matmul | Conv, pattern: str = "1:1") -> GemmProblem:
    return lowered(layer, pattern).problem


def note(found: Lowered) -> str:
    """If the sparsest pattern is executed."""
    return found.note(found.problem.pattern)


def test_a_linear_layer_is_its_gemm() -> None:
    found = problem(Gemm("g", m=12, n=20, k=30, batch=3), "2:4")
    assert (found.m, found.n, found.k, found.count) == (12, 20, 30, 3)
    assert found.pattern == Pattern(2, 4)
    assert (found.rows_role, found.columns_role) == ("weights", "activations")
    assert found.unique_input_bytes is None
    assert found.macs == 12 * 20 * 30 * 3
    assert found.slots_used == 12 * 20 * (7 * 2 + 2) * 3  # 30 weights: 7 groups and 2 more


@pytest.mark.parametrize(
    ("layer", "m", "n", "k", "count"),
    [
        (Conv("c", 16, 32, 10, 12, kernel=3), 32, 8 * 10, 9 * 16, 1),
        (Conv("c", 16, 32, 10, 12, kernel=3, batch=5), 32, 5 * 8 * 10, 9 * 16, 1),
        (Conv("c", 16, 32, 10, 12, kernel=(3, 1), stride=2), 32, 4 * 6, 3 * 16, 1),
        (Conv("c", 16, 32, 10, 12, kernel=3, padding=1, groups=4), 8, 10 * 12, 9 * 4, 4),
        (Conv("c", 16, 16, 10, 12, kernel=3, padding=1, groups=16), 1, 10 * 12, 9, 16),
        (Conv("c", 16, 48, 10, 12, kernel=3, padding=1, groups=16), 3, 10 * 12, 9, 16),
        (Conv("c", 16, 32, 10, 12), 32, 120, 16, 1),
    ],
)
def test_sizes_of_a_convolution(layer: Conv, m: int, n: int, k: int, count: int) -> None:
    found = problem(layer)
    assert (found.m, found.n, found.k, found.count) == (m, n, k, count)
    assert found.macs == layer.macs
    assert found.pattern == DENSE


@pytest.mark.parametrize("channels", range(8, 33))
@pytest.mark.parametrize("pattern", ["2:4", "1:8", "3:5"])
def test_no_group_straddles_two_kernel_positions(channels: int, pattern: str) -> None:
    layer = Conv("c", channels, 4, 6, 6, kernel=3)
    found, asked = problem(layer, pattern), Pattern.parse(pattern)
    assert found.pattern == asked
    assert found.run % asked.group == 0
    assert channels <= found.run < channels + asked.group
    assert (found.k, found.real_run) == (9 * found.run, channels)
    # Walk the padded k: a group belongs to one position, whatever the padding.
    positions = [at // found.run for at in range(found.k)]
    for first in range(0, found.k, asked.group):
        assert len(set(positions[first : first + asked.group])) == 1
    assert found.macs == layer.macs  # padding is no useful work


def test_slots_of_padded_channels_are_not_useful() -> None:
    """10 channels under 2:4: two groups of 2 slots, and 2 channels of which both are kept."""
    found = problem(Conv("c", 10, 4, 6, 6, kernel=3), "2:4")
    assert found.run == 12
    assert found.slots_used == 4 * 16 * 9 * 6
    found = problem(Conv("c", 9, 4, 6, 6, kernel=3), "2:4")
    assert found.slots_used == 4 * 16 * 9 * 5


def test_dense_runs_do_not_pad() -> None:
    for channels in range(1, 20):
        found = problem(Conv("c", channels, 4, 6, 6, kernel=3))
        assert found.run == found.real_run == channels
        assert found.k == 9 * channels


@pytest.mark.parametrize(
    ("layer", "pattern", "channels"),
    [
        (Conv("stem", 3, 64, 8, 8, kernel=3), "2:4", 3),
        (Conv("depthwise", 32, 32, 8, 8, kernel=3, groups=32), "1:4", 1),
        (Conv("grouped", 32, 32, 8, 8, kernel=3, groups=8), "4:8", 4),
        (Conv("narrow", 7, 32, 8, 8), "4:8", 7),
        (Gemm("short", m=8, n=8, k=3), "2:4", 3),
    ],
)
def test_fewer_channels_than_a_group_run_dense_and_say_so(
    layer: Gemm | Conv, pattern: str, channels: int
) -> None:
    found = lowered(layer, pattern)
    assert found.problem.pattern == DENSE
    assert found.problem.run == channels
    assert found.asked == Pattern.parse(pattern)
    few = "1 channel is" if channels == 1 else f"{channels} channels are"
    assert note(found) == f"{pattern} runs dense: {few} less than a group"


def test_fewer_channels_than_a_group_may_fill_a_smaller_one() -> None:
    found = lowered(Conv("narrow", 7, 32, 8, 8), "1:8")
    assert all(one.pattern.group <= 7 for one in found.problems)
    assert [str(one.pattern) for one in found.problems] == ["1:4", "1:2", "3:4", "1:1"]
    assert found.note(DENSE) == "1:8 runs dense"


def test_every_pattern_that_contains_it_is_a_problem_of_its_own() -> None:
    hardware = tiny(sparsity__largest_group=0, sparsity__patterns=["4:8", "1:4", "2:4", "1:3"])
    found = lowered(Conv("c", 10, 8, 8, 8), "1:8", hardware)
    assert [(str(one.pattern), one.run) for one in found.problems] == [
        ("1:4", 12), ("2:4", 12), ("4:8", 16),
    ]  # fmt: skip


def test_a_group_of_channels_is_enough() -> None:
    found = lowered(Conv("c", 8, 8, 8, 8), "1:8")
    assert found.problem.pattern == Pattern(1, 8)
    assert note(found) == ""


@pytest.mark.parametrize(
    ("pattern", "executed", "note"),
    [
        ("2:4", "2:4", ""),
        ("1:8", "2:4", "1:8 runs as 2:4"),
        ("4:8", "1:1", "4:8 runs dense: no pattern of tiny contains it"),
        ("1:1", "1:1", ""),
        ("4:4", "1:1", ""),
    ],
)
def test_a_machine_of_2_4_runs_what_that_contains(pattern: str, executed: str, note: str) -> None:
    found = lowered(Gemm("g", m=8, n=8, k=32), pattern, a100_like())
    assert str(found.problem.pattern) == executed
    assert found.note(found.problem.pattern) == note


def test_the_executed_group_decides_about_channels_and_padding() -> None:
    """1:8 runs as 2:4, so that 4 channels are enough and padding is to 4."""
    hardware = a100_like()
    assert lowered(Conv("c", 4, 8, 8, 8), "1:8", hardware).problem.pattern == Pattern(2, 4)
    assert lowered(Conv("c", 9, 8, 8, 8), "1:8", hardware).problem.run == 12


def test_a_product_of_activations_is_always_dense() -> None:
    layer = Matmul("scores", m=64, n=64, k=64, batch=12)
    asked = asked_pattern(layer, Pattern(2, 4))
    assert asked == DENSE
    found = lower(layer, asked, tiny()).problem
    assert found.pattern == DENSE
    assert (found.rows_role, found.columns_role) == ("activations", "activations")
    assert found.count == 12


@pytest.mark.parametrize(
    ("layer", "override", "asked"),
    [
        (Gemm("g", 8, 8, 8), None, "1:1"),
        (Gemm("g", 8, 8, 8, pattern="2:4"), None, "2:4"),
        (Gemm("g", 8, 8, 8, pattern="2:4"), "1:8", "1:8"),
        (Gemm("g", 8, 8, 8, pattern="2:4"), "1:1", "1:1"),
        (Conv("c", 8, 8, 8, 8, pattern="1:4"), None, "1:4"),
        (Stream("s", 8, 8), "2:4", "1:1"),
    ],
)
def test_the_pattern_asked_for(
    layer: Gemm | Conv | Stream, override: str | None, asked: str
) -> None:
    given = Pattern.parse(override) if override else None
    assert asked_pattern(layer, given) == Pattern.parse(asked)


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (Conv("c", 16, 32, 10, 12, kernel=3), 16 * 10 * 12 * 2),
        (Conv("c", 16, 32, 10, 12, stride=2), 16 * 5 * 6 * 2),  # only what is touched
        (Conv("c", 16, 32, 10, 12, kernel=3, batch=5), 5 * 16 * 10 * 12 * 2),
        (Conv("c", 16, 32, 10, 12, kernel=3, groups=4), 4 * 10 * 12 * 2),  # of one group
        (Conv("c", 16, 32, 10, 12, kernel=3, dtype="int8"), 16 * 10 * 12),
        (Conv("c", 1, 32, 3, 3, kernel=3, dtype="int4"), 5),  # 9 half bytes
    ],
)
def test_input_bytes_of_a_convolution_count_once(layer: Conv, size: int) -> None:
    assert problem(layer).unique_input_bytes == size


def test_channel_padding_adds_no_input_bytes() -> None:
    layer = Conv("c", 9, 8, 8, 8, kernel=3)
    assert problem(layer, "2:4").unique_input_bytes == problem(layer).unique_input_bytes


def test_swapping_exchanges_the_operands() -> None:
    found = problem(Conv("c", 16, 32, 10, 12, kernel=3))
    other = found.swapped()
    assert (other.m, other.n, other.k, other.count) == (found.n, found.m, found.k, found.count)
    assert (other.rows_role, other.columns_role) == ("activations", "weights")
    assert (found.inputs_are_rows, other.inputs_are_rows) == (False, True)
    assert other.unique_input_bytes == found.unique_input_bytes
    assert (other.macs, other.slots_used) == (found.macs, found.slots_used)


def test_widths_follow_the_dtype() -> None:
    for dtype, bits, output in (("fp16", 16, 16), ("int8", 8, 8), ("int4", 4, 4)):
        found = problem(Gemm("g", 8, 8, 8, dtype=dtype))
        assert (found.bits, found.output_bits) == (bits, output)


@pytest.mark.parametrize(
    "layer", [Gemm("g", 8, 8, 8, dtype="bf16"), Conv("g", 8, 8, 8, 8, dtype="fp8")]
)
def test_a_dtype_that_the_machine_lacks(layer: Gemm | Conv) -> None:
    with pytest.raises(WorkloadError) as caught:
        lowered(layer, "2:4")
    text = str(caught.value)
    assert text.startswith(
        "layer g: tiny does not compute in this dtype, want fp16 or int8 or int4"
    )
    assert f"got '{layer.dtype}'" in text


def test_every_useful_slot_is_at_most_a_mac_of_the_dense_problem() -> None:
    for channels, pattern in itertools.product((8, 9, 15, 16), ("2:4", "1:8", "1:1", "7:8")):
        found = problem(Conv("c", channels, 4, 6, 6, kernel=3), pattern)
        assert 0 < found.slots_used <= found.macs
        if channels % found.pattern.group == 0:
            assert found.slots_used == found.macs * found.pattern.density


@pytest.mark.parametrize(
    ("changes", "has_mask", "executed"),
    [
        ({"sparsity__skip": "nonzeros"}, True, Pattern(16, 16)),
        ({"sparsity__skip": "nonzeros"}, False, DENSE),
        ({"sparsity__skip": "slots"}, True, DENSE),
        ({"sparsity__skip": "nonzeros", "sparsity__largest_group": 1}, True, DENSE),
        ({"sparsity__skip": "nonzeros", "sparsity__largest_group": 2}, True, Pattern(2, 2)),
    ],
)
def test_real_weights_of_no_pattern_run_as_full_groups_where_non_zeros_are_skipped(
    changes: dict[str, object], has_mask: bool, executed: Pattern
) -> None:
    lowered = lower(Gemm("g", 16, 16, 64), DENSE, tiny(**changes), has_mask=has_mask)
    assert lowered.problem.pattern == executed
    reason = f"real non-zeros in groups of {executed.group}" if executed != DENSE else ""
    assert lowered.note(executed) == reason
