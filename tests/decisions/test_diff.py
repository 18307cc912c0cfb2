"""Do the parts of a difference add up to it, and are layers and patterns matched as said?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from small_runs import MACHINE, NETWORK, reports, run

from simulator import Report, compare, diff, load_workload, simulate
from simulator.decisions.difference.changes import RunChange
from simulator.decisions.difference.result import longer, moved
from simulator.errors import ReportError
from simulator.quantities import signed, time
from simulator.report.account import CORE_TIME
from simulator.workload import Gemm, Workload


def only_run(before: Report, after: Report) -> RunChange:
    (change,) = reports(before, after).runs
    return change


PAIRS: dict[str, Callable[[], tuple[Report, Report]]] = {
    "another pattern": lambda: (run(), run("2:4")),
    "more cores": lambda: (run(), run(core__count=3)),
    "another network": lambda: (run(), run(network=replace(NETWORK, layers=NETWORK.layers[1:]))),
    "another engine": lambda: (run(), simulate(MACHINE, NETWORK, "1:1", "reference")),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_parts_add_up_to_the_difference_exactly(pair: str) -> None:
    """Of the run and of every layer; and layers to the run, part by part."""
    before, after = PAIRS[pair]()
    change = only_run(before, after)
    assert change.change_ps == after.total.time_ps - before.total.time_ps
    assert sum(change.parts_ps.values()) == change.change_ps
    assert sum(layer.change_ps for layer in change.layers) == change.change_ps
    for layer in change.layers:
        assert sum(layer.parts_ps.values()) == layer.change_ps
    for kind in CORE_TIME:
        assert sum(layer.parts_ps[kind] for layer in change.layers) == change.parts_ps[kind]


def test_parts_are_those_of_the_reports() -> None:
    before, after = run(), run(core__count=3)
    parts = only_run(before, after).parts_ps
    for kind in CORE_TIME:
        was, now = before.total.core_time_ps[kind], after.total.core_time_ps[kind]
        assert parts[kind] == Fraction(now, 3) - Fraction(was, MACHINE.core.count)


def test_layers_are_matched_by_name_and_order() -> None:
    change = only_run(run(), run("2:4"))
    assert [layer.name for layer in change.layers] == ["one", "two", "two"]
    assert [layer.before.repeat for layer in change.layers if layer.before] == [1, 3, 1]
    assert all(layer.otherwise["executed_as"] == ("1:1", "2:4") for layer in change.layers)


def test_layers_of_one_side_are_listed() -> None:
    other = Workload("other", [NETWORK.layers[0], Gemm("three", m=64, n=64, k=64)])
    told = reports(run(), run(network=other))
    only = {layer.name: layer.only_in for layer in told.runs[0].layers}
    assert only == {"one": "", "two": "A", "three": "B"}
    assert "2 only in A, 1 only in B" in told.runs[0].how()
    assert told.notes == (
        "workload: net in A, other in B; layers are matched by name all the same",
    )
    frame = told.to_frame()
    assert frame["time_b_ns"].isna().tolist() == [False, True, True, False]
    assert frame["time_a_ns"].isna().tolist() == [False, False, False, True]


def test_equal_reports_do_not_differ() -> None:
    told = reports(run(), run())
    assert list(told.sentences()) == [f"B takes as long as A ({_time(run())})."]
    assert not told.beyond(0)
    assert not told.runs[0].largest


def _time(report: Report) -> str:
    return time(report.total.time_ns)


def test_the_sentence_says_how_much_through_what_and_where() -> None:
    before, after = run(), run(memory__dram__bytes_per_second=4_000_000_000)
    (text,) = reports(before, after).sentences()
    ratio = after.total.time_ps / before.total.time_ps
    start = f"{ratio:.2f}x as long" if ratio >= 2 else f"{100 * (ratio - 1):.1f} % longer"
    assert text.startswith(f"B takes {start} ({_time(after)}, was {_time(before)}): ")
    assert "memory stall +" in text or "prologue +" in text
    assert "layer two makes up" in text or "layers" in text


def test_where_layers_cancel_the_sentence_does_not_speak_of_a_share() -> None:
    """One layer gains more than all lose."""
    before, after = run(), run()
    slower = _scaled(after, [2, 1, 0.9])
    text = only_run(before, slower).sentence()
    assert "layer one alone: +" in text
    assert "others the other way" in text


def _scaled(report: Report, factors: list[float]) -> Report:
    """The report with layers that take other times, all of it idle."""
    layers = []
    for layer, factor in zip(report.layers, factors, strict=True):
        cores = layer.core_time_ps.total // layer.time_ps
        time_ps = int(layer.time_ps * factor)
        idle = dict.fromkeys(CORE_TIME, 0) | {"idle": cores * time_ps}
        layers.append(replace(layer, time_ps=time_ps, core_time_ps=type(layer.core_time_ps)(idle)))
    account = type(layers[0].core_time_ps).added((x.core_time_ps, x.repeat) for x in layers)
    time_ps = sum(layer.time_ps * layer.repeat for layer in layers)
    total = replace(report.total, time_ps=time_ps, core_time_ps=account)
    return replace(report, total=total, layers=tuple(layers))


def test_comparisons_are_compared_pattern_by_pattern() -> None:
    before = compare(MACHINE, NETWORK, ["1:1", "2:4"])
    after = compare(MACHINE, NETWORK, ["2:4", "1:4"])
    told = reports(before, after)
    assert [run.name for run in told.runs] == ["2:4"]
    assert (told.only_before, told.only_after) == (("1:1",), ("1:4",))
    assert list(told.sentences())[1:] == ["Only in A: 1:1.", "Only in B: 1:4."]
    assert told.beyond(0.5) == ["1:1 (only in one)", "1:4 (only in one)"]


def test_single_reports_of_two_patterns_are_compared() -> None:
    told = reports(run(), run("2:4"))
    assert told.runs[0].name == "1:1 → 2:4"


def test_lists_without_a_common_pattern_are_refused() -> None:
    before = compare(MACHINE, NETWORK, ["1:1", "2:4"])
    with pytest.raises(ReportError, match=r"has no pattern of .*, want 1:1 and 2:4, got '1:4'"):
        diff(before, run("1:4"))


@pytest.mark.parametrize(
    ("factors", "tolerance", "named"),
    [
        ([1, 1, 1], 0.0, []),
        ([1.03, 1.03, 1.03], 0.02, ["time", "one", "two", "two"]),
        ([0.97, 0.97, 0.97], 0.02, ["time", "one", "two", "two"]),
        ([1.03, 1.03, 1.03], 0.05, []),
        ([2.0, 1.0, 1.0], 0.5, ["one"]),
    ],
)
def test_a_tolerance_is_of_the_time_in_all_and_of_layers(
    factors: list[float], tolerance: float, named: list[str]
) -> None:
    base = _scaled(run(), [1, 1, 1])
    found = reports(base, _scaled(base, factors)).beyond(tolerance)
    assert [text.partition(" ")[0] for text in found] == named


def test_layers_that_take_no_time_to_speak_of_are_not_held_to_a_tolerance() -> None:
    base = _scaled(run(), [0.0001, 1, 1])
    assert reports(base, _scaled(base, [5, 1, 1])).beyond(0.1) == []


def test_a_difference_is_written_and_read(tmp_path: Path) -> None:
    before, after = run(), run("2:4")
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file, report in zip(files, (before, after), strict=True):
        file.write_text(report.to_json(), encoding="utf-8")
    told, same = reports(*files), reports(before, after)
    assert told.records() == same.records()
    data = json.loads(told.to_json())
    assert data["sentences"] == list(told.sentences())
    (record,) = data["runs"]
    change_ns = record["time_b_ns"] - record["time_a_ns"]
    assert sum(record["parts_ns"].values()) == pytest.approx(change_ns)
    assert len(data["rows"]) == 3
    assert "<table" in told._repr_html_()
    assert "1:1 → 2:4" not in told._repr_html_().partition("<table")[0]


def test_names_are_text_in_html() -> None:
    network = Workload("<b>", [Gemm("<i>", m=64, n=64, k=64), Gemm("x", m=64, n=64, k=64)])
    shown = reports(run(network=network), run("2:4", network=network))._repr_html_()
    assert "<i>" not in shown
    assert "<b>" not in shown


def test_the_picture_shows_parts_and_layers() -> None:
    picture = reports(compare(MACHINE, NETWORK, ["1:1", "2:4"]), run("2:4")).plot()
    titles = [axes.get_title("left") for axes in picture.axes]
    assert titles == ["Parts of an average core's time", "Layers that changed most"]
    many = Workload("many", [Gemm(f"layer{n}", m=64 + 8 * n, n=64, k=64) for n in range(15)])
    labels = [
        text.get_text()
        for text in reports(run(network=many), run("2:4", network=many))
        .plot()
        .axes[1]
        .get_yticklabels()
    ]
    assert len(labels) == 11
    assert labels[-1].endswith("other layers")


def test_changes_in_words() -> None:
    assert longer(100, 104.2) == "B takes 4.2 % longer (104 ns, was 100 ns)"
    assert longer(100, 50) == "B takes 50.0 % less time (50 ns, was 100 ns)"
    assert longer(100, 250).startswith("B takes 2.50x as long")
    assert longer(100, 100) == "B takes as long as A (100 ns)"
    assert [signed(0.031), signed(-0.031), signed(0.0001), signed(0)] == [
        "+3.1 %", "-3.1 %", "<0.1 %", "0.0 %",
    ]  # fmt: skip
    assert moved(None, None) == moved(3, 3) == 0
    assert moved(2, 3) == 0.5
    assert moved(None, 3) == moved(3, None) == moved(0, 1) == float("inf")


def test_a_real_network_in_one_sentence_a_pattern() -> None:
    network = load_workload("bert-base")
    told = reports(
        *(compare("nm-flex", network, ["1:1", "1:8"], stack=s) for s in ("fused", "eager"))
    )
    assert len(list(told.sentences())) == 2
    assert told.notes == ("stack: fused in A, eager in B",)
