"""Does the page of a sweep draw the fronts that Python finds, and leave what its filters say?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from measured_rows import LAYERS, MODEL, pruned_rows

from simulator import Gemm, Workload, pareto_front, sweep
from simulator.exploration.sweep import SweepResult
from simulator.hardware import load_hardware
from simulator.tradeoff.front import FRONT
from simulator.tradeoff.join import Clock
from simulator.tradeoff.measure import trade_off
from simulator.tradeoff.paged import PLACES

Open = Callable[..., Any]

SHOTS = Path(".screenshots")
SPEC = {
    "hardware": "nm-edge",
    "workloads": ["gemm:512x512x512", "gemm:256x1024x512"],
    "patterns": ["1:1", "2:4", "1:4", "1:8"],
    "parameters": {
        "core.count": list(range(1, 16)),
        "memory.dram.bytes_per_second": [10e9, 21e9],
    },
}
PLACED = """() => DATA.rows.map((_, at) => {
  choosePoint(at);
  return document.querySelector(".detail h2").textContent;
})"""
PRINTED = "x => x.map(p => Number(p.dataset.point))"


@pytest.fixture(scope="module")
def swept() -> SweepResult:
    return sweep(SPEC, executor="serial")


@pytest.fixture(scope="module")
def frame(swept: SweepResult) -> pd.DataFrame:
    return swept.to_frame()


@pytest.fixture(scope="module")
def page_file(swept: SweepResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "sweep.html"
    path.write_text(swept.to_html("a sweep"), encoding="utf-8")
    return path


def best(page: Any) -> set[int]:
    """Points that are drawn as those of a front."""
    return set(page.locator(".dot.best").evaluate_all(PRINTED))


def front_of(frame: pd.DataFrame, minimize: list[str], maximize: tuple[str, ...] = ()) -> set[int]:
    front = pareto_front(frame, minimize, maximize)
    return set(frame.index[frame["key"].isin(front["key"])])


def test_fronts_are_those_of_the_command(
    opened: Open, page_file: Path, frame: pd.DataFrame
) -> None:
    page = opened(page_file)
    assert page.locator(".dot").count() == len(frame)
    assert best(page) == front_of(frame, ["area_mm2", "time_ns"])
    across = page.locator("select").nth(1)
    across.select_option(label="energy")
    assert best(page) == front_of(frame, ["energy_pj", "time_ns"])
    across.select_option(label="MAC util.")
    assert best(page) == front_of(frame, ["time_ns"], ("mac_utilization",))


def test_filters_leave_their_points_and_fronts(
    opened: Open, page_file: Path, frame: pd.DataFrame
) -> None:
    page = opened(page_file)
    page.get_by_role("button", name="2:4").click()
    page.get_by_role("button", name="gemm:512x512x512").click()
    page.get_by_label("from").fill("4")
    left = frame[
        (frame["pattern"] == "2:4")
        & (frame["workload"] == "gemm:512x512x512")
        & (frame["core.count"] >= 4)
    ]
    assert set(page.locator(".dot").evaluate_all(PRINTED)) == set(left.index)
    assert best(page) == front_of(left, ["area_mm2", "time_ns"])
    said = page.locator("output").inner_text()
    assert said.startswith(f"{len(left)} of {len(frame)} points, ")
    page.get_by_label("to").fill("3")
    assert page.locator(".dot").count() == 0
    assert page.locator("text=No point has both figures.").is_visible()


def test_a_click_tells_all_of_a_point(opened: Open, page_file: Path, frame: pd.DataFrame) -> None:
    page = opened(page_file)
    page.get_by_role("button", name="Front only").click()
    page.get_by_role("button", name="time", exact=True).click()
    page.locator(".list tbody tr").first.click()
    slowest = frame.loc[frame["time_ns"].idxmax()]
    told = page.locator(".detail dl").all_inner_texts()
    assert f"{slowest['core.count']}" in told[0].split()
    assert f"{slowest['cycles']:,}" in told[1].split()
    assert page.locator(".dot.chosen").count() == 1
    page.keyboard.press("ArrowDown")
    second = frame["time_ns"].sort_values(ascending=False, kind="stable").index[1]
    assert page.locator(".list [aria-selected=true]").evaluate_all(PRINTED) == [second]
    assert page.evaluate("document.activeElement.ariaSelected") == "true"
    page.keyboard.press("Alt+ArrowDown")  # is the browser's
    assert page.locator(".list [aria-selected=true]").evaluate_all(PRINTED) == [second]


@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_point_sticks_out(opened: Open, page_file: Path, width: int, scheme: str) -> None:
    page = opened(page_file, width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"sweep-{width}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_sweep_is_there_for_everybody(
    opened: Open, barriers: Callable[[Any], list[str]], page_file: Path, scheme: str
) -> None:
    page = opened(page_file, color_scheme=scheme)
    page.get_by_role("button", name="2:4").click()
    assert barriers(page) == []


def test_a_trade_off_shows_its_own_front_and_errors(
    opened: Open, barriers: Callable[[Any], list[str]], tmp_path: Path
) -> None:
    wide = Workload("wide", [Gemm(name, 1024, 512, 1024) for name in LAYERS])
    result = trade_off(pruned_rows(), Clock(load_hardware("nm-edge")), MODEL, like=wide)
    path = tmp_path / "front.html"
    path.write_text(result.to_html(), encoding="utf-8")
    page = opened(path)
    shown = result.shown
    assert best(page) == {at for at, point in enumerate(shown) if point.standing == FRONT}
    assert page.locator("path.error").count() == sum(point.cost.error > 0 for point in shown)
    assert page.locator(".overview .lines li").all_inner_texts()[0].startswith("3:4 by sparsegpt")
    assert barriers(page) == []
    assert page.evaluate(PLACED) == [PLACES[point.standing] for point in shown]
    page.evaluate("() => { POINTS[0].row[DATA.x] = null; choosePoint(0); }")
    assert page.locator(".detail h2").inner_text() == "Not compared: no speed-up"
    page.locator("select").first.select_option(label="time")
    assert page.locator("path.error").count() == 0
