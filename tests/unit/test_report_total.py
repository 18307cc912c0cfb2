"""Is a total the sum of its layers, each as often as it occurs?"""

from __future__ import annotations

import pytest
from machines import MIXED, contended

from simulator import Report, simulate
from simulator.report.account import CORE_TIME
from simulator.traffic import LEVELS


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate(contended(), MIXED, "2:4")


def test_core_time_adds_up_to_cores_times_time(report: Report) -> None:
    for layer in report.layers:
        assert set(layer.core_time_ps) == set(CORE_TIME)
        assert sum(layer.core_time_ps.values()) == 4 * layer.time_ps
        assert min(layer.core_time_ps.values()) >= 0
    assert sum(report.total.core_time_ps.values()) == 4 * report.total.time_ps


def test_cycles_and_utilization_follow_from_time(report: Report) -> None:
    for layer in report.layers:
        assert layer.cycles == -(-layer.time_ps // 1000)  # 1 GHz
        assert layer.time_ns == layer.time_ps / 1000
        peak = 64 * 4 * layer.time_ps / 1000
        assert layer.mac_utilization == pytest.approx(layer.slots_used / peak, rel=1e-3)
        assert layer.dense_equivalent_utilization == pytest.approx(layer.macs / peak, rel=1e-3)
        assert 0 <= layer.mac_utilization <= 1
    total = report.total
    peak = 64 * 4 * total.time_ps / 1000
    assert total.mac_utilization == pytest.approx(total.slots_used / peak)
    assert total.dense_equivalent_utilization == pytest.approx(total.macs / peak)


def test_the_total_is_the_sum_over_repeats(report: Report) -> None:
    total = report.total

    def added(name: str) -> int:
        return sum(getattr(x, name) * x.repeat for x in report.layers)

    for name in ("time_ps", "macs", "macs_executed", "slots_used", "slots_padded"):
        assert getattr(total, name) == added(name)
    assert total.macs == MIXED.macs
    assert total.launches == 3 + 1 + 2 + 1 + 5
    assert total.cycles == -(-total.time_ps // 1000)
    for kind in CORE_TIME:
        wanted = sum(x.core_time_ps[kind] * x.repeat for x in report.layers)
        assert total.core_time_ps[kind] == wanted
    for level in LEVELS:
        for operand, ways in total.traffic_bytes[level].items():
            for way, size in ways.items():
                wanted = sum(
                    x.traffic_bytes[level].get(operand, {}).get(way, 0) * x.repeat
                    for x in report.layers
                )
                assert size == wanted


def test_bounds_share_the_time(report: Report) -> None:
    ratio = report.total.bound_ratio
    assert sum(ratio.values()) == pytest.approx(1)
    assert list(ratio.values()) == sorted(ratio.values(), reverse=True)
    assert report.total.bound == next(iter(ratio))
    for bound, share in ratio.items():
        time = sum(x.time_ps * x.repeat for x in report.layers if x.bound == bound)
        assert share == pytest.approx(time / report.total.time_ps)


def test_launches_are_a_figure_of_their_own() -> None:
    total = simulate(contended(launch_ns=700), MIXED, "2:4").total
    assert total.time_ns == total.time_ps / 1000
    assert total.time_with_launch_ns == pytest.approx(total.time_ns + 12 * 700)
