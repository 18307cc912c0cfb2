"""Does the page of a trade-off hold its points, with their errors and its own front?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from measured_rows import LAYERS, MODEL, pruned_rows
from opened import NASTY, Opened

from simulator import Gemm, Workload
from simulator.hardware import load_hardware
from simulator.tradeoff.front import FRONT, LIKE
from simulator.tradeoff.join import Clock
from simulator.tradeoff.measure import trade_off
from simulator.tradeoff.paged import PLACES
from simulator.tradeoff.result import TradeOff


@pytest.fixture(scope="module")
def result() -> TradeOff:
    wide = Workload("wide", [Gemm(name, 1024, 512, 1024) for name in LAYERS])
    return trade_off(pruned_rows(), Clock(load_hardware("nm-edge")), MODEL, like=wide)


def columns(page: dict[str, Any]) -> dict[str, list[Any]]:
    titles = [column["title"] for column in page["columns"]]
    return {title: [row[at] for row in page["rows"]] for at, title in enumerate(titles)}


def test_points_are_those_of_the_table(result: TradeOff) -> None:
    page = Opened(result.to_html()).data
    found, points = columns(page), result.shown
    assert page["title"] == result.title
    assert page["sentences"] == [*result.sentences()]
    assert found["accuracy"] == [point.figure.value for point in points]
    assert found["speed-up"] == [point.speedup for point in points]
    assert found["standing"] == [point.standing for point in points]
    assert found["network"] == ["wide" if point.standing == "like" else "net" for point in points]
    assert found["verdict"] == [result.verdict(point) or None for point in points]
    drawn = [page["columns"][page[axis]]["title"] for axis in ("x", "y", "apart")]
    assert drawn == ["speed-up", "accuracy", "method"]


def test_the_front_and_errors_are_its_own(result: TradeOff) -> None:
    page = Opened(result.to_html()).data
    standings = columns(page)["standing"]
    assert page["best"] == [at for at, standing in enumerate(standings) if standing == FRONT]
    assert [at for at, place in enumerate(page["places"]) if place == PLACES[FRONT]] == page["best"]
    assert page["places"][standings.index(LIKE)].startswith("Not compared")
    assert page["errors"] == [2 * point.cost.error for point in result.shown]


def test_columns_without_a_value_are_left_out(result: TradeOff) -> None:
    found = columns(Opened(result.to_html()).data)
    assert "dense layers" not in found
    assert None in found["verdict"]


@pytest.mark.parametrize("name", NASTY)
def test_names_of_networks_and_tasks_are_text(result: TradeOff, name: str) -> None:
    page = Opened(replace(result, network=name, task=name).to_html())
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert page.data["title"] == f"{name} on nm-edge: {name}"
