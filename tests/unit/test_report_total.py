"""Is a total the sum of its layers, each as often as it occurs?"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import get_args, get_type_hints

import pandas as pd
import pytest
from machines import MIXED, contended

from simulator import LayerReport, Report, Total, simulate, sweep
from simulator.exploration.row import Row
from simulator.report.account import CORE_TIME
from simulator.report.total import FIGURES, KEPT, SHOWN, total_of
from simulator.traffic import LEVELS, Traffic


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


def test_kernels_of_a_graph_are_launched_faster_where_the_machine_says_so() -> None:
    for launches, graph_ns, want in (
        ("stream", 300, 700),
        ("graph", None, 700),
        ("graph", 300, 300),
    ):
        hardware = contended(launch_ns=700, graph_launch_ns=graph_ns, launches=launches)
        assert simulate(hardware, MIXED, "2:4").total.launch_ns == hardware.host_ns == want


def kinds_of(cls: type) -> dict[str, set[type]]:
    """What each field may be."""
    hints = get_type_hints(cls)
    return {x.name: set(get_args(hints[x.name]) or (hints[x.name],)) for x in fields(cls)}


def test_a_row_has_the_figures_that_are_kept_in_their_order() -> None:
    kinds = kinds_of(Row)
    about = ["key", "settings", "hardware", "workload", "pattern", "engine", "accuracy"]
    about.append("stack")
    assert list(kinds) == [*about, *(figure.name for figure in KEPT), "error", "setup"]
    for figure in KEPT:  # None, too: that of a point that failed
        assert kinds[figure.name] == {figure.kind, type(None)}


@pytest.mark.parametrize("cls", [LayerReport, Total])
def test_fields_of_reports_are_of_the_types_that_the_table_says(cls: type) -> None:
    kinds = kinds_of(cls)
    for figure in FIGURES:
        if figure.name in kinds:
            assert kinds[figure.name] == {figure.kind} | ({type(None)} if figure.missing else set())


def test_what_is_totalled_is_a_figure_of_layers_and_of_the_total() -> None:
    for figure in FIGURES:
        if figure.total is not None:
            assert {figure.name} <= kinds_of(LayerReport).keys() & kinds_of(Total).keys()


def test_errors_are_means_by_what_they_are_errors_of() -> None:
    """3 us with 1 % and 5 times 1 us with 4 %; DRAM bytes by what they are, too."""
    first, *_ = simulate(contended(), MIXED, "2:4").layers
    moved = [Traffic.of({("dram", "weights", "read"): size}) for size in (10, 6)]
    layers = [
        replace(first, repeat=1, time_ps=3000, time_error_ratio=0.01, dram_error_ratio=0.1,
                traffic_bytes=moved[0]),
        replace(first, repeat=5, time_ps=1000, time_error_ratio=0.04, dram_error_ratio=0.5,
                traffic_bytes=moved[1]),
    ]  # fmt: skip
    total = total_of(contended(), layers)
    assert total.time_error_ratio == pytest.approx((3 * 0.01 + 5 * 0.04) / 8)
    assert total.dram_error_ratio == pytest.approx((10 * 0.1 + 30 * 0.5) / 40)
    one_byte = Traffic.of({("dram", "weights", "read"): 1})
    (single,) = [replace(layers[0], traffic_bytes=one_byte)]
    assert total_of(contended(), [single]).dram_error_ratio == 0.1


def test_exports_show_what_the_table_says_whether_points_fail_or_not() -> None:
    spec = {"hardware": "nm-edge", "workloads": ["gemm:64x64x64"], "patterns": ["2:4"],
            "parameters": {"core.scratchpad.bytes": [64, 65536]}}  # fmt: skip
    frame = sweep(spec, executor="serial").to_frame()
    assert list(frame.columns)[-len(SHOWN) - 2 : -2] == [figure.name for figure in SHOWN]
    checks = {
        int: pd.api.types.is_integer_dtype,
        float: pd.api.types.is_float_dtype,
        bool: pd.api.types.is_bool_dtype,
        str: pd.api.types.is_string_dtype,
    }
    for figure in SHOWN:
        assert checks[figure.kind](frame[figure.name].dtype), figure.name
