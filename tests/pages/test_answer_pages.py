"""Do the pages of decisions and validations hold their answers, figures and names, as they are?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import answers
import pytest
from opened import NASTY, Opened

from simulator import Gemm, Workload, advise
from simulator.decisions.difference import paged
from simulator.decisions.difference.changes import RunChange
from simulator.decisions.difference.of_reports import ReportsDifference
from simulator.decisions.difference.of_stores import StoresDifference
from simulator.errors import OutputError
from simulator.pages import AnswerPage, Column, Section, answer_html
from simulator.units import PS_PER_NS
from simulator.validation.paged import validation_html

MAKERS: dict[str, Callable[[], Any]] = {
    "advice": answers.advice,
    "limits": answers.limited,
    "requirement": answers.required,
    "reports": answers.moved,
    "machines": answers.changed,
    "stores": answers.swept,
}
COMMANDS = {"Again": "nmsim 'this' <one>"}


@cache
def made(name: str) -> Any:
    return MAKERS[name]()


@cache
def page_of(name: str) -> Opened:
    return Opened(made(name).to_html(COMMANDS))


def section(name: str, title: str, at: int = 0) -> dict[str, Any]:
    """The section whose title begins so."""
    found = [one for one in page_of(name).data["sections"] if one["title"].startswith(title)]
    return found[at]


def column(part: dict[str, Any], title: str) -> list[Any]:
    at = [one["title"] for one in part["columns"]].index(title)
    return [row[at] for row in part["rows"]]


@pytest.mark.parametrize("name", MAKERS)
def test_a_page_holds_the_answer_and_its_commands(name: str) -> None:
    data = page_of(name).data
    assert sorted(data["sentences"]) == sorted(made(name).sentences())
    assert data["commands"] == [["Again", "nmsim 'this' <one>"]]
    tags = [tag for tag, _ in page_of(name).elements]
    assert tags.count("script") == 2
    assert "img" not in tags


def test_of_many_patterns_those_that_are_advised_have_bars() -> None:
    patterns = ("1:2", "2:4", "2:8", "4:8", "1:16", "2:16", "4:16", "8:16", "1:4", "1:8")
    advice = advise("nm-edge", Workload("net", [Gemm("fc", 512, 96, 512)]), patterns, break_even=0)
    part = Opened(advice.to_html()).data["sections"][-1]
    titles = [one["title"] for one in part["columns"]]
    bars = part["bars"]["columns"]
    assert len(bars) == 7
    assert titles[bars[part["bars"]["strong"][0]]] == part["rows"][0][1] == advice.layers[0].pattern
    assert advice.layers[0].pattern in patterns[7:]
    assert sum(titles.index(pattern) not in part["hidden"] for pattern in patterns) == 5
    gains = dict(zip(titles, part["rows"][0], strict=True))
    assert {pattern: gains[pattern] for pattern in patterns} == advice.layers[0].gains


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_said_of_columns_and_rows_fits_them(name: str) -> None:
    """A script that finds less than it looks for shows nothing at all."""
    for part in page_of(name).data["sections"]:
        many = len(part["columns"])
        assert {len(row) for row in part["rows"]} == {many}
        assert len(part["details"]) in (0, len(part["rows"]))
        assert max([*part["hidden"], *part["filters"], 0]) < many
        bars = part["bars"] or {"columns": [], "kinds": [], "strong": []}
        for at in bars["columns"]:
            assert part["columns"][at]["role"] == "figure"
            assert at not in part["hidden"]
        assert {len(bars[of]) for of in ("kinds", "strong")} <= {0, len(part["rows"])}
        assert 0 <= part["chosen"] < len(part["rows"])
        assert not part["plot"] or part["details"]


@pytest.mark.parametrize("name", NASTY)
def test_any_name_is_text(name: str) -> None:
    columns = (Column(name, "text"), Column(name, "figure", name))
    part = Section(name, columns, [(name, 1.0)], (name,), details=[(name,)], group=name)
    page = Opened(answer_html(AnswerPage(name, (name,), (name,), (part,), (name,), name)))
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert page.data["sections"][0]["rows"] == [[name, 1.0]]


def test_layers_have_their_gains_and_reasons() -> None:
    told, part = made("advice"), section("advice", "Layers")
    assert column(part, "layer") == [layer.name for layer in told.layers]
    assert answers.HOSTILE in column(part, "layer")
    for pattern in answers.PATTERNS:
        assert column(part, pattern) == [layer.gains[pattern] for layer in told.layers]
    assert sum(column(part, "share of dense time")) == pytest.approx(told.bearing_ratio)
    advised = [None if x.is_dense else told.patterns.index(x.pattern) for x in told.layers]
    assert part["bars"]["strong"] == advised
    assert (part["bars"]["base"], part["bars"]["band"]) == (1.0, 0.05)
    for layer, lines in zip(told.layers, part["details"], strict=True):
        assert (layer.reason is None) == (lines == [])
        if layer.reason:
            assert layer.reason.text[1:] in lines[0]
    assert any("It would" in line for lines in part["details"] for line in lines)


def test_what_is_advised_comes_first() -> None:
    said = list(made("advice").sentences())
    first, *others = page_of("advice").data["sentences"]
    assert first.startswith("Advised: ")
    assert others == [line for line in said if line != first]


def test_gains_by_batch_are_a_part_of_their_own() -> None:
    told, part = made("advice"), section("advice", "Gain by batch")
    assert column(part, "batch") == [1, 4]
    assert column(part, "as advised") == [row.advised for row in told.batches]
    assert "layers that the software runs dense stay dense" in part["says"][0]


def test_without_weights_sentences_are_the_page() -> None:
    plain = advise(answers.MACHINE, Workload("one", [Gemm("a", 16, 16, 16)]), ["2:4"], break_even=0)
    data = Opened(replace(plain, layers=()).to_html()).data
    assert data["sections"] == []
    assert data["sentences"] == ["No layer of one has weights: there is nothing to prune."]


def test_steps_say_from_what_to_what_keys_go() -> None:
    found, part = made("limits"), section("limits", "In the best order")
    assert column(part, "2:4") == [step.time_ps / PS_PER_NS for step in found.steps]
    assert column(part, "dense") == [step.time_of_dense_ps / PS_PER_NS for step in found.steps]
    assert part["bars"]["is_falling"]
    assert part["details"][0] == ["The machine as it is."]
    at = next(at for at, step in enumerate(found.steps) if "DRAM" in step.resources)
    (line,) = (line for line in part["details"][at] if line.startswith("DRAM:"))
    rate = found.values["memory.dram.bytes_per_second"]
    assert line == f"DRAM: memory.dram.bytes_per_second {rate:.4g} → no limit."


def test_resources_alone_have_their_elasticities_and_settings() -> None:
    found, part = made("limits"), section("limits", "Every resource alone")
    assert column(part, "resource") == found.moving
    known = {one.resource: one.of_pattern for one in found.elasticities}
    assert column(part, "elasticity, 2:4") == [known.get(name) for name in found.moving]
    cores = part["details"][found.moving.index("cores")]
    count = int(found.values["core.count"])
    assert cores[-1] == f"×2: core.count {count} → {2 * count}."
    assert all(name in part["says"][-1] for name in found.unmoving)


def test_what_is_bought_is_dearest_first_and_tried_machines_are_drawn() -> None:
    found, part = made("requirement"), section("requirement", "What it takes")
    prices = column(part, "price")
    assert prices == sorted((one.price for one in found.changes), reverse=True)
    keys = {line.split(":")[0] for lines in part["details"] for line in lines}
    assert keys == set(found.settings)
    tried = section("requirement", "Machines")
    order = [int(machine) - 1 for machine in column(tried, "machine")]
    assert sorted(order) == list(range(len(found.tried)))
    assert column(tried, "speed-up over dense") == [found.tried[at].gain for at in order]
    assert (column(tried, "which")[0], tried["chosen"]) == ("the cheapest", 0)
    assert tried["plot"]["target"] == found.speedup


def test_parts_of_a_difference_add_up_on_the_page() -> None:
    told = made("reports")
    assert isinstance(told, ReportsDifference)
    for at, run in enumerate(told.runs):
        parts, layers = section("reports", "Where", at), section("reports", "Layers", at)
        assert parts["group"] == run.name
        for part in (parts, layers):
            assert sum(column(part, "change")) == pytest.approx(run.change_ps / PS_PER_NS)
        assert len(layers["rows"]) == len(run.layers)
        changes = [abs(change) for change in column(layers, "change")]
        assert changes == sorted(changes, reverse=True)


def test_a_layer_of_one_side_says_so() -> None:
    (run, *_) = made("reports").runs
    alone = RunChange(run.before, run.after.model_copy(update={"layers": run.after.layers[:1]}))
    part = Opened(replace(made("reports"), runs=(alone,)).to_html()).data["sections"][1]
    assert column(part, "runs otherwise").count("only in A") == len(run.layers) - 1
    assert column(part, "B").count(None) == len(run.layers) - 1


def test_keys_stand_below_the_run_of_two_machines() -> None:
    titles = [one["title"] for one in page_of("machines").data["sections"]]
    assert titles[-1] == "Keys that differ"
    assert len(titles) == 4
    assert column(section("machines", "Keys"), "key") == [one.key for one in made("machines").keys]


def test_rows_that_moved_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    told, part = made("stores"), section("stores", "Rows")
    assert isinstance(told, StoresDifference)
    which = column(part, "which")
    assert len(which) == len(told.rows)
    assert which.count("only in A") == len(told.only_in("A")) > 0
    assert which[-1] == "as it was"
    failed = [lines for lines in part["details"] if lines]
    assert failed
    assert all(line.startswith("Failed in A: ") for lines in failed for line in lines)
    monkeypatch.setattr(paged, "MOST_POINTS", 3)
    with pytest.raises(OutputError, match="page: too many rows, want at most 3"):
        told.to_html()


def test_validations_have_every_figure_and_say_which_decided_numbers() -> None:
    results = answers.validated()
    data = Opened(validation_html(results, COMMANDS)).data
    sets, figures = data["sections"]
    assert column(sets, "data set") == ["first *", "first", "second"]
    assert column(sets, "mean error") == pytest.approx([0.1, 0.05, (0.2 + 1 / 9) / 2])
    assert column(figures, "figure") == [answers.HOSTILE, "twice", "odd", "gain", "loss"]
    assert column(figures, "by fits") == ["seen", "not seen", "does not count", *["not seen"] * 2]
    assert column(figures, "error") == pytest.approx([0.1, -0.05, 1.25, -0.2, 0.8 / 0.9 - 1])
    assert figures["details"][2] == ["Does not count: its authors doubt it."]
    assert data["sentences"][0].startswith("On 3 figures of rows that no fit has seen ")
    assert data["sentences"][-1] == "Furthest off: gain of second, -20.0 %."
    alone = Opened(results[1].to_html()).data
    assert alone["facts"] == ["1 data set", "2 figures"]
