"""Is `trace` a word for "as the trace says" wherever a pattern is asked for?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from machines import tiny

from simulator import Conv, Gemm, Matmul, Pattern, Report, Workload, compare, simulate, sweep
from simulator.cli.tables import comparison_parts, render, report_parts
from simulator.errors import ConfigError, SpecError
from simulator.exploration.plan import plan_of
from simulator.exploration.spec import SweepSpec
from simulator.sparsity import TRACE, Unstructured, asked_name, parse_asked

WORKLOAD = Workload(
    "net",
    [
        Gemm("half", m=64, n=32, k=64, pattern="2:4"),
        Gemm("whole", m=64, n=32, k=64, repeat=3),
        Matmul("qk", m=32, n=32, k=32),
    ],
)


@pytest.mark.parametrize("text", [None, "trace", " Trace "])
def test_the_word_is_read(text: str | None) -> None:
    assert parse_asked(text) is None
    assert asked_name(None) == TRACE == "trace"


def test_other_patterns_are_read_as_ever() -> None:
    assert parse_asked("2:4") == Pattern(2, 4)
    assert parse_asked(Pattern(2, 4)) == Pattern(2, 4)
    assert isinstance(parse_asked("unstructured:0.5"), Unstructured)
    assert asked_name(Pattern(2, 4)) == asked_name("2:4") == "2:4"
    with pytest.raises(ConfigError, match=r"^here: not a pattern"):
        parse_asked("trce", "here")


def test_a_run_of_the_trace_is_a_run_without_a_pattern() -> None:
    report = simulate(tiny(), WORKLOAD, "trace")
    assert report == simulate(tiny(), WORKLOAD)
    assert report.pattern is None
    assert report.title.endswith("as the trace says")
    assert "pattern: trace" in render(report_parts(report))


def _without_pattern(report: Report) -> Report:
    return replace(report, pattern=None)


def test_compare_with_the_trace() -> None:
    comparison = compare(tiny(), WORKLOAD, ["trace", "1:1", "2:4"])
    trace, dense, sparse = comparison.reports
    assert [r.pattern_name for r in comparison.reports] == ["trace", "1:1", "2:4"]
    assert comparison.first == simulate(tiny(), WORKLOAD)
    assert comparison.speedup(dense) == trace.total.time_ps / dense.total.time_ps
    # One of four equal layers stores half of its weights: 7/8 of all.
    assert comparison.density_speedup(dense) == 7 / 8
    assert comparison.density_speedup(sparse) == 7 / 4
    assert list(comparison.to_frame()["pattern"].unique()) == ["trace", "1:1", "2:4"]
    assert [one["pattern"] for one in json.loads(comparison.to_json())] == [None, "1:1", "2:4"]
    text = render(comparison_parts(comparison, brief=False, verbose=True))
    assert "speed-up over trace" in " ".join(text.split())
    assert "None" not in text
    assert "None" not in " ".join(comparison.explanation())


def test_a_trace_that_is_dense_is_as_fast_as_dense() -> None:
    dense = Workload("net", [Gemm("fc", m=64, n=32, k=64)])
    for patterns in (["1:1", "trace"], ["trace", "1:1"]):
        comparison = compare(tiny(), dense, patterns)
        names = f"{patterns[1]} is 1.00x {patterns[0]}"
        assert list(comparison.explanation()) == [f"{names}: both run as 1:1."]


def test_a_trace_without_weights_has_no_density() -> None:
    comparison = compare(tiny(), Workload("net", WORKLOAD.layers[2:]), ["trace", "1:1"])
    assert comparison.density_speedup(comparison.reports[1]) == 1
    assert "no layer of net has weights" in next(iter(comparison.explanation()))


@pytest.mark.parametrize("patterns", [("trace", None), ("trace", "2:4", " trace"), (None, None)])
def test_the_same_pattern_twice_is_refused(patterns: Sequence[str | None]) -> None:
    with pytest.raises(ConfigError, match=r"^patterns: the same pattern twice, got 'trace,"):
        compare(tiny(), WORKLOAD, patterns)


def test_pictures_name_it() -> None:
    layer = Conv("c", in_channels=16, out_channels=16, in_h=8, in_w=8, kernel=3, pattern="2:4")
    comparison = compare(tiny(), Workload("net", [layer]), ["1:1", "trace"])
    (axes,) = comparison.plot_speedup().axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1:1", "trace\nas 2:4"]


# Sweeps


def _spec(**other: object) -> dict[str, object]:
    return {"hardware": "nm-edge", "workloads": [WORKLOAD], **other}


def test_null_and_the_word_are_one_point() -> None:
    rows = [sweep(_spec(patterns=given)).rows for given in ([None], "trace", ["Trace"])]
    assert rows[0] == rows[1] == rows[2]
    assert [row.pattern for row in rows[0]] == [None]


def test_a_sweep_over_the_trace() -> None:
    result = sweep(_spec(patterns=["1:1", "trace", "2:4"], baseline="trace"))
    dense, trace, _ = result.rows
    frame = result.to_frame()
    assert result.baseline is None
    assert frame["speedup"][1] == 1
    assert trace.time_ps is not None
    assert dense.time_ps is not None
    assert frame["speedup"][0] == trace.time_ps / dense.time_ps


def test_the_word_twice_and_a_baseline_that_is_not_there_are_refused() -> None:
    with pytest.raises(SpecError, match="the same pattern twice, got 'trace'"):
        plan_of(SweepSpec.load(_spec(patterns=[None, "trace"])))
    with pytest.raises(SpecError, match="baseline: is none of the patterns, got 'trace'"):
        plan_of(SweepSpec.load(_spec(patterns=["1:1"], baseline="trace")))
    assert plan_of(SweepSpec.load(_spec(patterns=[None], baseline="trace"))).baseline == "trace"
