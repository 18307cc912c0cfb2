"""What `notebooks/01_first_run` shows, and what its prose says of it."""

from __future__ import annotations

from kept import rerun


def test_24_helps_and_an_a100_runs_18_as_it() -> None:
    found = rerun("01_first_run")
    dense, half, eighth = found.comparison.reports
    speedup = {report.pattern: found.comparison.speedup(report) for report in (half, eighth)}
    assert 1.0 < speedup["2:4"] < 2.0
    assert round(speedup["2:4"], 2) == 1.28
    assert speedup["1:8"] == speedup["2:4"]
    assert {layer.executed_as for layer in eighth.layers if layer.kind == "gemm"} == {"2:4"}
    assert {layer.executed_as for layer in half.layers if layer.kind == "attention"} == {"1:1"}
    assert {layer.repeat for layer in half.layers} == {12}
    assert found.report.total == half.total
    assert dense.pattern == "1:1"
