"""Does a page in a real browser show what it holds, and do what its reader asks?"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from machines import tiny

from simulator import Gemm, Stream, Workload, compare, quantities, simulate
from simulator.report.comparison import Comparison
from simulator.report.stalls import helping

Open = Callable[..., Any]

PATTERNS = ("1:1", "2:4", "1:8")
HOSTILE = "</script><img src=x onerror=alert(1)><b>&amp;"
SHOTS = Path(".screenshots")


def command(pattern: str) -> str:
    return f"nmsim run nm-flex resnet50 --pattern {pattern}"


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    return compare("nm-flex", "resnet50", PATTERNS)


@pytest.fixture(scope="session")
def resnet(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "resnet50.html"
    text = comparison.to_html({pattern: command(pattern) for pattern in PATTERNS})
    path.write_text(text, encoding="utf-8")
    return path


def rows(page: Any) -> list[str]:
    """Names in the list, from above."""
    return page.locator(".layers tbody td.name").all_inner_texts()


def chosen(page: Any) -> str:
    name: str = page.locator("#layer-name").inner_text()
    assert page.locator(".layers [aria-selected=true] td.name").all_inner_texts() in ([name], [])
    return name


def column(page: Any, at: int) -> list[float]:
    """Figures of a column, from above."""
    cells = page.locator(f".layers tbody td:nth-child({at})").all_inner_texts()
    return [float(cell.replace(",", "").removesuffix("%")) for cell in cells]


def test_it_opens_on_the_layer_that_takes_most_time(
    opened: Open, resnet: Path, comparison: Comparison
) -> None:
    page = opened(resnet)
    assert page.title() == "resnet50 on nm-flex"
    assert rows(page) == [layer.name for layer in comparison.first.layers]
    longest = max(comparison.first.layers, key=lambda layer: layer.time_ps * layer.repeat)
    assert chosen(page) == longest.name
    listed, row = page.locator(".list"), page.locator(".layers [aria-selected=true]")
    ends = [
        (box["y"], box["y"] + box["height"]) for box in (listed.bounding_box(), row.bounding_box())
    ]
    assert ends[0][0] <= ends[1][0] < ends[1][1] <= ends[0][1]
    assert page.evaluate("scrollY") == 0


def test_a_click_shows_a_layer(opened: Open, resnet: Path, comparison: Comparison) -> None:
    page = opened(resnet)
    layer = comparison.first.layers[3]
    page.locator(".layers tbody tr").nth(3).click()
    assert chosen(page) == layer.name
    assert page.locator(".big").inner_text().startswith(quantities.time(layer.time_ns))
    bars = page.locator("section[aria-label='Where an average core\\'s time goes'] .bar > span")
    assert bars.count() == sum(1 for time in layer.core_time_ps.values() if time)
    assert layer.dealt is not None
    drawn = page.locator("svg.tiles path").evaluate_all("x => x.map(p => p.getAttribute('d'))")
    assert sum(path.count("M") for path in drawn) == layer.dealt.grid.tiles


def test_a_click_into_the_roofline_chooses_its_layer(opened: Open, resnet: Path) -> None:
    page = opened(resnet)
    before = chosen(page)
    point = page.locator("svg.roofline g.point:not(.chosen)").last
    name = point.locator("title").text_content().split(":")[0]
    point.locator("path").click()
    assert chosen(page) == name != before


def test_patterns_are_switched_by_tab_by_row_and_by_key(
    opened: Open, resnet: Path, comparison: Comparison
) -> None:
    page = opened(resnet)

    def shown() -> tuple[str, list[float]]:
        selected = page.locator("[role=tab][aria-selected=true]").inner_text()
        assert page.locator(".totals [aria-current=true] th").inner_text() == selected
        return selected, column(page, 3)

    def times(at: int) -> list[float]:
        return [round(x.time_ns / 1000, 2) for x in comparison.reports[at].layers]

    page.get_by_role("tab", name="2:4").click()
    assert shown() == ("2:4", pytest.approx(times(1), abs=0.006))
    page.keyboard.press("ArrowRight")
    assert shown() == ("1:8", pytest.approx(times(2), abs=0.006))
    assert page.evaluate("document.activeElement.textContent") == "1:8"
    page.keyboard.press("ArrowRight")
    assert shown()[0] == "1:8"
    page.locator(".totals tbody tr").first.click()
    assert shown() == ("1:1", pytest.approx(times(0), abs=0.006))
    page.locator(".under tbody tr").nth(1).click()
    assert shown()[0] == "2:4"


def test_sorting_by_a_column_and_back(opened: Open, resnet: Path) -> None:
    page = opened(resnet)
    in_order = rows(page)
    for title, at in (("time, µs", 3), ("MAC util.", 6)):
        page.get_by_role("button", name=title).click()
        assert column(page, at) == sorted(column(page, at), reverse=True)
        assert page.locator("[aria-sort=descending]").inner_text().startswith(title)
        page.get_by_role("button", name=title).click()
        assert column(page, at) == sorted(column(page, at))
    page.get_by_role("button", name="#").click()
    assert rows(page) == in_order


def test_search_and_filters_leave_what_they_say(
    opened: Open, resnet: Path, comparison: Comparison
) -> None:
    page = opened(resnet)
    page.keyboard.press("/")
    page.keyboard.type("LAYER2.0")
    names = [x.name for x in comparison.first.layers if "layer2.0" in x.name]
    assert rows(page) == names
    assert page.locator("output").inner_text() == f"{len(names)} of 56 layers"
    page.get_by_role("button", name="L2").click()
    bound = [x.name for x in comparison.first.layers if x.work_bound == "l2"]
    assert rows(page) == [name for name in names if name in bound]
    page.locator("input").fill("no such layer")
    assert rows(page) == []
    assert page.locator(".none").inner_text() == "No layer is like that."
    page.keyboard.press("Escape")
    assert len(rows(page)) == 56


def test_keys_move_through_the_layers_that_are_shown(opened: Open, resnet: Path) -> None:
    page = opened(resnet)
    page.locator("input").fill("downsample")
    page.keyboard.press("ArrowDown")
    shown = rows(page)
    assert len(shown) == 4
    assert chosen(page) == shown[0]
    for key, at in (("ArrowDown", 1), ("End", 3), ("ArrowDown", 3), ("ArrowUp", 2), ("Home", 0)):
        page.keyboard.press(key)
        assert chosen(page) == shown[at]
        assert page.evaluate("document.activeElement.ariaSelected") == "true"


FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element);
  return [element.className || element.role || element.localName, style.outlineStyle];
}"""


def test_the_focus_is_seen_and_goes_through_everything(opened: Open, resnet: Path) -> None:
    page = opened(resnet)
    met = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(FOCUSED)
        if name == "body":  # past the last one
            break
        assert outline != "none", name
        met.append(name)
    wanted = ["theme", "summary", "tab", "input", "chip", "button", "row", "copy"]
    assert [name for name in dict.fromkeys(met) if name in wanted] == wanted
    assert met.count("tab") == met.count("row") == 1  # arrows move within


def test_the_command_is_copied_whole(opened: Open, resnet: Path) -> None:
    page = opened(resnet, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("tab", name="2:4").click()
    page.locator("code").focus()
    page.keyboard.press("ArrowRight")  # scrolls the command
    assert page.locator("[role=tab][aria-selected=true]").inner_text() == "2:4"
    page.get_by_role("tab", name="1:8").click()
    page.locator(".layers tbody tr").first.click()
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"{command('1:8')} | grep -F -- conv1"


def test_without_a_clipboard_the_command_is_selected(opened: Open, resnet: Path) -> None:
    page = opened(resnet)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Selected").wait_for()
    assert page.evaluate("getSelection().toString()").startswith(command("1:1"))


def ground(page: Any) -> float:
    """How light the page is, 0 to 1."""
    rgb = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g)")
    return sum(map(float, rgb[:3])) / 765


def test_light_and_dark_follow_the_system_and_the_switch(opened: Open, resnet: Path) -> None:
    assert ground(opened(resnet, color_scheme="light")) > 0.9
    page = opened(resnet, color_scheme="dark")
    assert ground(page) < 0.2
    switch = page.locator("button.theme")
    for theme, is_light in (("light", True), ("dark", False), ("auto", False)):
        switch.click()
        assert switch.inner_text() == f"Theme: {theme}"
        assert (ground(page) > 0.5) is is_light
    page.emulate_media(media="print")
    assert ground(page) == 1


def test_print_shows_all_layers_and_no_switches(opened: Open, resnet: Path) -> None:
    page = opened(resnet)
    page.emulate_media(media="print")
    assert not page.locator(".toolbar").is_visible()
    assert not page.get_by_role("button", name="Copy").is_visible()
    hidden = page.locator(".list").evaluate("x => x.scrollHeight - x.clientHeight")
    assert hidden <= 0


@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out(opened: Open, resnet: Path, width: int, scheme: str) -> None:
    page = opened(resnet, width, color_scheme=scheme)
    SHOTS.mkdir(exist_ok=True)
    for pattern in PATTERNS:
        page.get_by_role("tab", name=pattern).click()
        for at in (0, 1, 20, 55):
            page.locator(".layers tbody tr").nth(at).click()
            for part in ("html", ".list", ".scrolled", ".card.wide >> nth=1"):
                wide = page.locator(part).evaluate("x => x.scrollWidth - x.clientWidth")
                assert wide <= 0, (part, pattern, at)
    page.evaluate("() => { scrollTo(0, 0); parts.list.scrollTo(0, 0); chooseLayer(13); }")
    page.screenshot(path=SHOTS / f"resnet50-{width}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_network_is_there_for_everybody(
    opened: Open, barriers: Callable[[Any], list[str]], resnet: Path, scheme: str
) -> None:
    page = opened(resnet, color_scheme=scheme)
    page.get_by_role("tab", name="2:4").click()
    page.get_by_text("notes").click()
    assert barriers(page) == []


def test_hostile_names_are_shown_as_they_are(opened: Open, tmp_path: Path) -> None:
    layers = [Gemm(HOSTILE, m=64, n=64, k=64), Gemm("ünïcödé 层", m=64, n=64, k=64)]

    path = tmp_path / "hostile.html"
    made = compare(tiny(), Workload(f"{HOSTILE}\u202e", layers), ["1:1", "2:4"])
    path.write_text(made.to_html({"1:1": HOSTILE}), encoding="utf-8")
    page = opened(path)
    assert page.title() == f"{HOSTILE}\u202e on tiny"
    assert page.locator("h1").inner_text() == f"{HOSTILE}\ufffd on tiny"
    assert rows(page) == [HOSTILE, "ünïcödé 层"]
    assert page.locator("code").inner_text().startswith(f"{HOSTILE} | grep -F -- '{HOSTILE}'")
    told = [text.replace("\xa0", " ") for text in page.locator(".helps li").all_inner_texts()]
    assert told == [*helping(made.reports[0].layers[0].core_time_ps)]
    assert page.locator("img").count() == 0


def test_a_report_of_one_pattern_has_no_tabs(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "one.html"
    layers = [Stream("softmax", reads=4000, writes=4000, op="softmax", repeat=5)]
    path.write_text(simulate(tiny(), Workload("w", layers)).to_html(), encoding="utf-8")
    page = opened(path)
    assert page.get_by_role("tab").count() == 0
    assert page.get_by_role("button", name="Copy").count() == 0
    assert chosen(page) == "softmax"
    assert page.locator("text=No layer multiplies and moves bytes.").is_visible()


@pytest.mark.parametrize("of", ["time", "size", "energy", "power"])
def test_quantities_are_written_as_everywhere(opened: Open, resnet: Path, of: str) -> None:
    page = opened(resnet)
    drawn = random.Random(of)
    figures = [0, 1, 999, 999.4, 999.6, 999_499, 999_500, 1e6, 1234567, 0.5]
    figures += [10 ** drawn.uniform(-3, 15) for _ in range(300)]
    figures += [drawn.randrange(10**6) for _ in range(100)]
    texts = page.evaluate("([values, of]) => values.map((v) => quantity(v, of))", [figures, of])
    assert texts == [getattr(quantities, of)(figure) for figure in figures]
