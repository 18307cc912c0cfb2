"""What `notebooks/06_why_groups` shows, and what its prose says of it."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

from kept import rerun


def test_groups_cost_little_energy_and_give_many_cycles() -> None:
    found = rerun("06_why_groups")
    unstructured_loses_to_dense(found)
    a_larger_group_costs_a_little_speed(found)
    a_larger_group_costs_a_little_area(found)
    a_larger_group_keeps_more(found)
    no_unstructured_point_is_worth_choosing(found)


def unstructured_loses_to_dense(found: SimpleNamespace) -> None:
    cycles = found.cycles
    for density, of_density in found.PATTERNS.items():
        for pattern in of_density.values():
            assert cycles[pattern] < cycles["1:1"] < cycles[found.UNSTRUCTURED[density]]
    expected = {("2:4", 0.5): 39, ("1:4", 0.25): 22, ("2:8", 0.25): 22, ("1:8", 0.125): 13}
    for (few, many), times in expected.items():
        assert abs(cycles[f"unstructured:{many}"] / cycles[few] - times) < 1
    unstructured = found.UNSTRUCTURED.values()
    for comparison in (found.comparison, found.with_wide):
        reports = [report for report in comparison.reports if report.pattern in unstructured]
        assert {report.total.bound for report in reports} == {"scratchpad"}
        assert all(comparison.speedup(report) < 1 for report in reports)
    assert found.network["2:4"] > found.network["8:16"] > 1.1
    assert found.network["unstructured:0.5"] < 0.15


def a_larger_group_costs_a_little_speed(found: SimpleNamespace) -> None:
    speedup = found.speedup
    for of_density in found.PATTERNS.values():
        speeds = [speedup[pattern] for pattern in of_density.values()]
        assert all(0.975 < b / a < 1 for a, b in pairwise(speeds[:-1]))
        assert speeds[-1] < speeds[-2]
    assert speedup["16:32"] < 0.9 * speedup["8:16"]
    assert found.fits > 0
    assert "the register file is 2048 bytes too small" in found.refused


def a_larger_group_costs_a_little_area(found: SimpleNamespace) -> None:
    over_4 = found.area["over 4"]
    assert over_4.is_monotonic_increasing
    assert over_4[8] < 1.02
    assert 1.03 < over_4[16] < 1.04
    assert 1.07 < over_4[32] < 1.09


def a_larger_group_keeps_more(found: SimpleNamespace) -> None:
    assert len(found.real) == 36
    for source in ("random", "MiniLM"):
        for measure in ("energy", "magnitude"):
            for density, of_density in found.PATTERNS.items():
                share = found.keeps[source, measure][density]
                by_group = share[list(of_density)].astype(float)
                assert by_group.is_monotonic_increasing
                assert by_group.iloc[-1] < share["unstructured"] <= share["global"]
    half, regained = found.half, found.regained
    assert 1.05 < half["unstructured"] / half[4] < 1.1
    assert [round(100 * regained[group]) for group in (4, 8, 16)] == [42, 67, 81]
    assert half[32] - half[16] < 0.01


def no_unstructured_point_is_worth_choosing(found: SimpleNamespace) -> None:
    assert not set(found.front.pattern) & set(found.UNSTRUCTURED.values())
    assert set(found.front.pattern) == {"1:1", *found.patterns}
