"""Does the page of a network hold the figures of its reports, and say why layers take so long?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from machines import MIXED, contended, tiny
from opened import NASTY, Opened

from simulator import Gemm, Workload, compare, simulate
from simulator.colours import CORE_TIME_COLOURS
from simulator.names import words
from simulator.report.comparison import Comparison
from simulator.report.layer import LayerReport
from simulator.report.reasons import reasons
from simulator.report.report import Report
from simulator.report.stalls import STALLS

MOST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(contended(), MIXED, ["1:1", "2:4"])


def test_a_page_holds_the_figures_of_its_reports(comparison: Comparison) -> None:
    page = Opened(comparison.to_html()).data
    assert page["title"] == "mixed on tiny"
    assert page["sentences"] == [*comparison.explanation()]
    assert page["notes"] == [*comparison.notes()]
    for view, report in zip(page["patterns"], comparison.reports, strict=True):
        assert view["name"] == report.pattern_name
        assert view["time_ns"] == report.total.time_ns
        assert view["speedup"] == comparison.speedup(report)
        assert view["density_speedup"] == comparison.density_speedup(report)
        assert [layer["name"] for layer in view["layers"]] == [x.name for x in report.layers]
        assert sum(layer["share"] for layer in view["layers"]) == pytest.approx(1)


def test_core_time_and_traffic_of_layers_add_up(comparison: Comparison) -> None:
    page = Opened(comparison.to_html()).data
    assert list(page["names"]["core"]) == list(CORE_TIME_COLOURS)
    for view, report in zip(page["patterns"], comparison.reports, strict=True):
        assert sum(view["core_time_ns"]) == pytest.approx(view["time_ns"])
        for shown, layer in zip(view["layers"], report.layers, strict=True):
            assert sum(shown["core_time_ns"]) == pytest.approx(layer.time_ns)
            for level, name in zip(shown["moved"], page["names"]["level"], strict=True):
                assert sum(map(sum, level)) == layer.traffic_bytes.total(name)


def test_tiles_of_layers_are_all_there(comparison: Comparison) -> None:
    for view in Opened(comparison.to_html()).data["patterns"]:
        for layer in view["layers"]:
            tiles = layer["tiles"]
            in_all = tiles["rows"] * tiles["columns"] * tiles["count"] * tiles["splits"]
            assert sum(tiles["turns"][1::2]) == in_all


def test_sizes_of_tiles_are_said_of_the_sides_they_cut() -> None:
    hardware = tiny()
    (layer,) = simulate(hardware, Workload("w", [Gemm("g", m=64, n=40, k=100)])).layers
    data = Opened(simulate(hardware, Workload("w", [Gemm("g", m=64, n=40, k=100)])).to_html()).data
    (shown,) = data["patterns"][0]["layers"]
    assert shown["sizes"] == "64 × 40 × 100"
    assert shown["mapping"] == layer.mapping == "16x16x16"
    words = [shown["tiles"][side] for side in ("down", "across", "depth")]
    assert words == ["m 64: 4 tiles of 16", "n 40: 3 tiles of 16", "k 100: 7 stages of 16"]


def test_a_report_is_a_page_of_one_pattern(comparison: Comparison) -> None:
    report = comparison.reports[1]
    (view,) = Opened(report.to_html("nmsim run tiny mixed")).data["patterns"]
    assert (view["name"], view["speedup"]) == ("2:4", 1.0)
    assert view["command"] == "nmsim run tiny mixed"
    (silent,) = Opened(report.to_html()).data["patterns"]
    assert silent["command"] == ""


def test_what_would_help_names_what_lowers_the_largest_waits(comparison: Comparison) -> None:
    layer = comparison.reports[0].layers[0]
    waits = {k: time for k, time in layer.core_time_ps.items() if not k.startswith("mac_")}
    largest = max(waits, key=lambda kind: waits[kind])
    view = Opened(comparison.to_html()).data["patterns"][0]["layers"][0]
    assert view["name"] == layer.name
    assert view["helps"][0].lower().startswith(f"{words(largest).lower()}, ")
    assert STALLS[largest].lowered_by[0] in view["helps"][0]


def test_names_of_layers_and_networks_are_text() -> None:
    layers = [Gemm(name, m=16, n=16, k=16) for name in NASTY]
    for network in NASTY:
        page = Opened(simulate(tiny(), Workload(network, layers)).to_html())
        assert [tag for tag, _ in page.elements].count("script") == 2
        assert page.data["title"] == f"{network} on tiny"
        assert [x["name"] for x in page.data["patterns"][0]["layers"]] == list(NASTY)


def test_a_name_in_a_command_is_one_word_for_the_shell() -> None:
    layers = [Gemm(name, m=16, n=16, k=16) for name in ("fc", "$(reboot)`x`", "it's", "two\nlines")]
    (view,) = Opened(simulate(tiny(), Workload("w", layers)).to_html()).data["patterns"]
    assert [layer["row"] for layer in view["layers"]] == [
        "| grep -F -- fc",
        "| grep -F -- '$(reboot)`x`'",
        "| grep -F -- 'it'\"'\"'s'",
        "",  # would be a second command
    ]


def test_resnet50_with_five_patterns_is_small() -> None:
    page = simulate("nm-flex", "resnet50", "2:4").to_html()
    assert 5 * len(page.encode()) < MOST_BYTES


# Why


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate(contended(), MIXED, "2:4")


def said(layer: LayerReport, **changes: object) -> list[str]:
    return list(reasons(replace(layer, **changes)))  # type: ignore[arg-type]  # by name


def test_the_busiest_resource_is_named_with_the_next(report: Report) -> None:
    busy = {"mac": 0.3, "l2": 0.75, "dram": 0.5}
    sentences = said(report.layers[0], busy_ratio=busy, bound="l2", work_bound="l2")
    assert sentences[0] == "L2 is busy 75.0 % of the time; next is DRAM, 50.0 %."
    launched = said(report.layers[0], busy_ratio=busy, bound="launch", work_bound="l2")
    assert launched[:2] == [
        "Launching and starting the kernel take longer than its work.",
        sentences[0],
    ]


def test_latency_is_no_resource(report: Report) -> None:
    busy = {"mac": 0.3, "l2": 0.2, "dram": 0.1}
    first, *_ = said(report.layers[0], busy_ratio=busy, bound="latency", work_bound="latency")
    assert first.startswith("No resource works half of the time: MAC 30.0 %, L2 20.0 %.")


def test_what_cores_do_else_is_said_in_the_order_of_its_time(report: Report) -> None:
    layer = report.layers[0]
    account = layer.core_time_ps * 0
    times = {"mac_useful": 500, "mac_padding": 100, "idle": 300, "epilogue": 90, "prologue": 10}
    sentences = said(layer, core_time_ps=type(account)(times))
    assert (
        sentences[1]
        == "Cores multiply 60.0 % of their time; the rest is mostly idle 30.0 %, epilogue 9.0 %."
    )
    alone = said(layer, core_time_ps=type(account)({"mac_useful": 1000}))
    assert alone[1] == "Cores multiply 100.0 % of their time."


def test_padding_and_imbalance_are_said_where_they_are_felt(report: Report) -> None:
    layer = report.layers[0]
    uneven = said(layer, slots_padded=20, macs_executed=100, imbalance_ratio=1.5)
    assert "Padding takes 20.0 % of the slots that are executed." in uneven
    assert uneven[-1] == "The busiest core works 1.50 times as long as the mean one."
    even = said(layer, slots_padded=1, macs_executed=100, imbalance_ratio=1.01)
    assert not any("Padding" in one or "busiest core" in one for one in even)


@pytest.mark.parametrize(
    ("side", "sentence"),
    [
        (16, "There is 1 tile for 4 cores."),
        (48, "There are 3 tiles for 4 cores."),
        (80, "The last of 2 waves has 1 tile for 4 cores."),
        (64, ""),
    ],
)
def test_cores_that_tiles_leave_alone_are_counted(side: int, sentence: str) -> None:
    (layer,) = simulate(tiny(core__count=4), Workload("w", [Gemm("g", m=side, n=16, k=64)])).layers
    found = [one for one in reasons(layer) if "tile" in one]
    assert found == ([sentence] if sentence else [])
