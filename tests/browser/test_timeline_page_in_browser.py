"""Does the page of a timeline draw lanes, zoom, and tell what is under the pointer?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator import load_hardware, load_workload, simulate
from simulator.timeline.trace_file import Timeline

Open = Callable[..., Any]

SHOTS = Path(".screenshots")
VIEW = "[state.view.from, state.view.to]"
DRAWN = "() => parts.canvas.toDataURL()"


@pytest.fixture(scope="session")
def timeline_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hardware, workload = load_hardware("nm-edge"), load_workload("mobilenetv2")
    timeline = Timeline(hardware, "mobilenetv2 on nm-edge", len(workload.layers))
    simulate(hardware, workload, "1:4", stack="listed", observe=timeline.add)
    path = tmp_path_factory.mktemp("pages") / "timeline.html"
    path.write_text(timeline.to_html(), encoding="utf-8")
    return path


def test_keys_zoom_move_and_choose(opened: Open, timeline_file: Path) -> None:
    page = opened(timeline_file)
    start, end = page.evaluate(VIEW)
    assert start == 0
    whole = page.evaluate(DRAWN)
    page.keyboard.press("+")
    left, right = page.evaluate(VIEW)
    assert right - left == pytest.approx((end - start) / 2)
    assert page.evaluate(DRAWN) != whole
    page.keyboard.press("ArrowRight")
    assert page.evaluate(VIEW)[0] == pytest.approx(left + (right - left) / 4)
    page.keyboard.press("0")
    assert page.evaluate(VIEW) == [start, end]
    assert page.evaluate(DRAWN) == whole
    page.keyboard.press("ArrowDown")
    assert page.locator("select").input_value() == "1"
    assert page.evaluate(DRAWN) != whole


def test_the_pointer_tells_and_drags(opened: Open, timeline_file: Path) -> None:
    page = opened(timeline_file)
    page.locator("select").select_option(index=4)
    canvas = page.locator("canvas")
    canvas.hover(position={"x": 300, "y": 32})
    said = page.locator("output").inner_text()
    assert said.startswith("core 0 · ")
    assert " · tile " in said
    page.get_by_role("button", name="Zoom in").click()
    before = page.evaluate(VIEW)
    canvas.hover(position={"x": 600, "y": 40})
    page.mouse.down()
    canvas.hover(position={"x": 500, "y": 40})
    page.mouse.up()
    assert page.evaluate(VIEW)[0] > before[0]


@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_timeline_is_there_for_everybody(
    opened: Open, barriers: Callable[[Any], list[str]], timeline_file: Path, width: int, scheme: str
) -> None:
    page = opened(timeline_file, width, color_scheme=scheme)
    page.locator("select").select_option(index=4)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert barriers(page) == []
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"timeline-{width}-{scheme}.png", full_page=True)
    drawn = page.evaluate(DRAWN)
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Theme").click()
    assert page.locator(".theme").inner_text() == "Theme: dark"
    assert (page.evaluate(DRAWN) == drawn) is (scheme == "dark")
