"""Does a comparison say what each pattern gives, by hand, and what keeps it from giving more?"""

from __future__ import annotations

import json
import re
from fractions import Fraction

import pytest
from machines import MIXED, contended, tiny

from simulator import Conv, Gemm, Matmul, Stream, Workload, compare, load_workload
from simulator.errors import ConfigError
from simulator.hardware import Hardware
from simulator.quantities import time
from simulator.report.account import CORE_TIME
from simulator.report.comparison import Comparison
from simulator.sparsity import Unstructured


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(contended(), MIXED, ["1:1", "2:4", "1:8"])


# By hand


def bound_by_macs(**changes: object) -> Hardware:
    """64 MACs a cycle of a nanosecond, all else as fast as one likes, and 10 ns to start."""
    return tiny(
        kernel_start_ns=10,
        core__port_bytes_per_cycle=1e6,
        core__scratchpad__bytes_per_cycle=1e6,
        core__register_file__operand_bytes_per_cycle=1e6,
        memory__l2__bytes_per_cycle=1e6,
        memory__dram__bytes_per_second=1e15,
        **changes,
    )


ONE_TILE = Workload("one", [Gemm("g", m=16, n=16, k=256)])


def test_a_core_that_only_multiplies_gains_what_density_gives_but_for_its_start() -> None:
    """16 x 16 x 256 MACs at 64 a cycle are 1024 ns, half and a quarter of that with zeros out."""
    found = compare(bound_by_macs(), ONE_TILE, ["1:1", "2:4", "1:4"])
    times_ns = [report.total.time_ns for report in found.reports]
    assert times_ns == pytest.approx([1034, 522, 266], abs=0.02)
    gains = [found.speedup(report) for report in found.reports]
    assert gains == pytest.approx([1, 1034 / 522, 1034 / 266], abs=1e-4)
    assert [found.density_speedup(report) for report in found.reports] == [1, 2, 4]
    assert [found.core_time_ns(r)["mac_useful"] for r in found.reports] == [1024, 512, 256]
    first, second = found.explanation()
    assert first.startswith(
        "2:4 is 1.98x 1:1, where density alone would give 2.00x. Useful MACs fall from 1.02 µs to"
        " 512 ns a core. Sparsity leaves as it was: kernel start 10 ns, prologue 0.00"
    )
    assert second.startswith("1:4 is 1.96x 2:4, where density alone would give 2.00x. Useful MACs")


def test_from_sparse_to_dense_useful_macs_rise() -> None:
    (sentence,) = compare(bound_by_macs(), ONE_TILE, ["1:4", "1:1"]).explanation()
    assert sentence.startswith("1:1 is 0.26x 1:4, where density alone would give 0.25x.")
    assert "Useful MACs rise from 256 ns to 1.02 µs a core." in sentence


def test_a_part_that_grows_by_a_hundredth_of_the_whole_is_told_as_moved() -> None:
    """Zeros that are multiplied: half of the MACs of 1:2 are padding, 512 ns of 1034."""
    hardware = bound_by_macs(sparsity__skip="none")
    (sentence,) = compare(hardware, ONE_TILE, ["1:1", "1:2"]).explanation()
    assert "Useful MACs fall from 1.02 µs to 512 ns a core." in sentence
    assert "Most of the rest: MAC padding 512 ns (was 0 ns)." in sentence
    assert "Sparsity leaves as it was: kernel start 10 ns" in sentence


def test_launches_count_layers_with_weights_alone() -> None:
    layers = [Gemm("g", 16, 16, 64, repeat=3), Matmul("m", 16, 16, 64), Stream("s", 64, 64)]
    found = compare(bound_by_macs(), Workload("w", layers), ["1:1"])
    assert found.executed(found.first) == {"1:1": 3}
    assert list(found.explanation()) == []
    assert found.title == "w on tiny"


# A network of every kind of layer


def test_speedups_are_ratios_of_device_time(comparison: Comparison) -> None:
    first = comparison.reports[0]
    assert comparison.first is first
    assert [r.pattern for r in comparison.reports] == ["1:1", "2:4", "1:8"]
    assert comparison.speedup(first) == 1
    for report in comparison.reports:
        assert comparison.speedup(report) == first.total.time_ps / report.total.time_ps
        for index, layer in enumerate(report.layers):
            ratio = first.layers[index].time_ps / layer.time_ps
            assert comparison.layer_speedup(report, index) == ratio
    assert [comparison.density_speedup(r) for r in comparison.reports] == [1, 2, 8]


def test_layers_without_prunable_weights_do_not_change(comparison: Comparison) -> None:
    for report in comparison.reports:
        for index, layer in enumerate(report.layers):
            if layer.name in ("scores", "softmax"):
                assert comparison.layer_speedup(report, index) == 1


def test_core_time_of_an_average_core_adds_up_to_the_device_time(comparison: Comparison) -> None:
    for report in comparison.reports:
        times = comparison.core_time_ns(report)
        assert list(times) == list(CORE_TIME)
        assert sum(times.values()) == pytest.approx(report.total.time_ns)


def test_launches_by_the_pattern_they_ran_as(comparison: Comparison) -> None:
    assert [comparison.executed(r) for r in comparison.reports] == [
        {"1:1": 6},
        {"2:4": 5, "1:1": 1},
        {"1:8": 5, "1:2": 1},  # a stem of three channels fills groups of two
    ]


def test_densities_below_a_billionth_are_explained() -> None:
    sparse = Unstructured(Fraction(1, 10**10))
    (sentence,) = compare(tiny(), ONE_TILE, ["1:1", sparse]).explanation()
    assert sentence.startswith("unstructured:1e-10 is ")
    assert "density alone would give 10000000000.00x" in sentence


def test_an_explanation_tells_gain_ideal_and_what_is_left(comparison: Comparison) -> None:
    dense, sparse, sparser = comparison.reports
    sentences = list(comparison.explanation())
    assert len(sentences) == 2
    gain = dense.total.time_ps / sparse.total.time_ps
    assert sentences[0].startswith(f"2:4 is {gain:.2f}x 1:1, where density alone would give 2.00x.")
    gain = sparse.total.time_ps / sparser.total.time_ps
    assert sentences[1].startswith(f"1:8 is {gain:.2f}x 2:4, where density alone would give 4.00x.")
    useful = comparison.core_time_ns(sparse)["mac_useful"]
    assert f"to {time(useful)} a core" in sentences[0]
    largest = max(
        (kind for kind in CORE_TIME if kind != "mac_useful"),
        key=comparison.core_time_ns(sparse).get,
    )
    assert f"Most of the rest: {largest.replace('_', ' ')} " in sentences[0]


def test_a_pattern_that_runs_as_the_one_before_is_told_so() -> None:
    hardware = contended(sparsity__largest_group=0, sparsity__patterns=["2:4"])
    workload = Workload("w", [Gemm("g", m=64, n=64, k=128)])
    comparison = compare(hardware, workload, ["1:1", "2:4", "1:8"])
    assert list(comparison.explanation())[1] == (
        "1:8 is 1.00x 2:4: tiny has no such pattern and runs it as 2:4."
    )
    assert list(comparison.notes()) == ["1:8 runs as 2:4 (g)"]


def test_notes_are_given_once_with_the_layers_they_concern() -> None:
    layers = [Conv(f"stem{i}", 3, 8, 6, 6, kernel=3) for i in range(5)]
    layers += [Conv("stem0", 3, 8, 6, 6, kernel=3)]
    comparison = compare(contended(), Workload("w", layers, ["a note"]), ["1:1", "2:4"])
    padded, dense, note = comparison.notes()
    assert padded == "padded for the library: k from 27 to 72 (stem0, stem1, stem2 and 2 more)"
    assert dense.startswith("2:4 runs dense: 3 channels are less than a group; padded for ")
    assert note == "a note"


def test_a_comparison_as_json_and_as_a_frame(comparison: Comparison) -> None:
    data = json.loads(comparison.to_json())
    assert data == [json.loads(report.to_json()) for report in comparison.reports]
    frame = comparison.to_frame()
    assert len(frame) == 15
    assert list(frame["pattern"]) == ["1:1"] * 5 + ["2:4"] * 5 + ["1:8"] * 5
    fc = frame[frame["name"] == "fc"]
    times = [report.layers[0].time_ps for report in comparison.reports]
    assert list(fc["speedup"]) == [times[0] / time for time in times]


@pytest.mark.parametrize(
    ("patterns", "what"),
    [([], "name at least one"), (["2:4", "2:4"], "same pattern twice"), (["a"], "not a pattern")],
)
def test_patterns_that_cannot_be_compared(patterns: list[str], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        compare(contended(), MIXED, patterns)


def test_a_comparison_says_why_nothing_changed() -> None:
    """No figure that did not change explains anything."""
    gemm, matmul = Gemm("g", 64, 64, 64), Matmul("m", 64, 64, 64)
    alone = compare("nm-edge", Workload("w", [matmul]), ["1:1", "2:4"])
    assert list(alone.explanation()) == ["2:4 is 1.00x 1:1: no layer of w has weights to prune."]
    dense_only = compare("v100-sxm2", Workload("w", [gemm]), ["1:1", "2:4", "1:8"])
    assert list(dense_only.explanation()) == [
        "2:4 is 1.00x 1:1: v100-sxm2 has no such pattern and runs it as 1:1.",
        "1:8 is 1.00x 2:4: both run as 1:1.",
    ]
    few, many = (load_workload("bert-base", batch=batch, seq=128) for batch in (1, 32))
    dense = compare("a100-sxm4-80gb", few, ["1:1", "2:4"], accuracy="sampled")
    assert list(dense.explanation()) == [
        "2:4 is 1.00x 1:1: a100-sxm4-80gb runs it as 1:1, which is faster."
    ]
    through = compare("a100-sxm4-80gb", many, ["1:1", "1:8"], accuracy="sampled")
    (sentence,) = through.explanation()
    assert sentence.startswith("1:8, run as 2:4, is ")
    for now, was in re.findall(r"([0-9.]+ [µm]?s) \(was ([0-9.]+ [µm]?s)\)", sentence):
        assert now != was
    assert "Sparsity leaves as it was: kernel start " in sentence
