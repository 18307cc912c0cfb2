"""Do pages of answers sort, filter and tell of the chosen row, whatever the answer is?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import answers
import pytest

from simulator import Advice, Limits
from simulator.pages import AnswerPage, Bars, Column, Plot, Section, answer_html
from simulator.validation.paged import validation_html

Open = Callable[..., Any]

SHOTS = Path(".screenshots")
COMMANDS = {"These figures again": "nmsim this 'and that'"}
NAMES = ("advice", "limits", "requirement", "reports", "machines", "stores", "validation")


@pytest.fixture(scope="module")
def advice() -> Advice:
    return answers.advice()


@pytest.fixture(scope="module")
def limited() -> Limits:
    return answers.limited("net")


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: pytest.TempPathFactory, advice: Advice, limited: Limits
) -> dict[str, Path]:
    """The pages of all answers, by name."""
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "advice": advice.to_html(COMMANDS),
        "limits": limited.to_html(COMMANDS),
        "requirement": answers.required().to_html(COMMANDS),
        "reports": answers.moved().to_html(COMMANDS),
        "machines": answers.changed().to_html(COMMANDS),
        "stores": answers.swept().to_html(COMMANDS),
        "validation": validation_html(answers.validated(), COMMANDS),
    }
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of long words, many tabs and rows, and more bars than colours; one set alone."""
    columns = (Column("row", "choice"), *(Column(f"f{at}", "figure") for at in range(9)))
    many = Section(
        "Many", columns, [(at, *[at + 1.0] * 9) for at in range(300)], group="tab 0",
        bars=Bars(tuple(range(1, 10))), plot=Plot(1, 2, 0), details=[("told",)] * 300, chosen=299,
    )  # fmt: skip
    names = [Column("set", "choice"), Column("kind", "outcome")]
    figures = Section(
        "Figures", tuple(names), [("only", "a"), ("only", "b")], filters=(0, 1), group="tab 0"
    )
    sets = Section(
        "Sets", tuple(names), [("only", "a")], details=[("told",)], picks=True, group="tab 0"
    )
    others = [Section("Other", columns[:1], [(1,)], group=f"tab {at}") for at in range(1, 18)]
    sections = (many, sets, figures, *others)
    path = tmp_path_factory.mktemp("pages") / "large.html"
    page = AnswerPage("x" * 300, (), ("y" * 300,), sections, (), "nmsim")
    path.write_text(answer_html(page), encoding="utf-8")
    return path


def part(page: Any, title: str) -> Any:
    """The section whose title begins so."""
    return page.locator(f"section.part[aria-label^='{title}']")


def names(section: Any) -> list[str]:
    """What its rows are called, from above."""
    found: list[str] = section.locator("tbody td:first-child").all_inner_texts()
    return found


def told(section: Any) -> str:
    """What is told of the chosen row."""
    text: str = section.locator(".detail").inner_text()
    return text


def test_the_answer_comes_first_and_its_command_is_copied(
    opened: Open, pages: dict[str, Path], advice: Advice
) -> None:
    page = opened(pages["advice"])
    first, *others = sorted(advice.sentences(), key=lambda one: not one.startswith("Advised:"))
    assert page.locator(".answer").inner_text().replace("\u00a0", " ") == first
    assert page.locator(".overview .lines li").count() == len(others)
    assert page.locator(".command code").inner_text() == COMMANDS["These figures again"]
    page.get_by_role("button", name="Copy").click()
    assert (
        page.get_by_role("button", name="Copied")
        .or_(page.get_by_role("button", name="Selected"))
        .is_visible()
    )


def test_layers_sort_search_and_filter(
    opened: Open, pages: dict[str, Path], advice: Advice
) -> None:
    page = opened(pages["advice"])
    layers = part(page, "Layers")
    in_order = [layer.name for layer in advice.layers]
    assert names(layers) == in_order
    by_gain = sorted(advice.layers, key=lambda layer: -layer.gains["2:4"])
    layers.get_by_role("button", name="2:4", exact=True).last.click()
    assert names(layers) == [layer.name for layer in by_gain]
    assert page.evaluate("document.activeElement.parentElement.ariaSort") == "descending"
    page.keyboard.press("Enter")
    assert names(layers) == [layer.name for layer in reversed(by_gain)]
    layers.locator(".chip", has_text="dense").click()
    dense = {layer.name for layer in advice.layers if layer.is_dense}
    assert set(names(layers)) == dense
    assert layers.locator("output").inner_text() == f"{len(dense)} of {len(in_order)} rows"


def test_arrows_go_through_layers_and_tell_why_each_does_not_gain(
    opened: Open, pages: dict[str, Path], advice: Advice
) -> None:
    page = opened(pages["advice"])
    layers = part(page, "Layers")
    layers.locator("tbody tr").first.click()
    for layer in advice.layers:
        assert layers.locator("[aria-selected=true] td").first.inner_text() == layer.name
        shown = told(layers)
        assert layer.name in shown
        assert layer.reason is None or layer.reason.text[1:] in shown.replace("\u00a0", " ")
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.ariaSelected") == "true"


def test_bars_are_as_long_as_gains_and_a_tie_is_in_the_band(
    opened: Open, pages: dict[str, Path], advice: Advice
) -> None:
    page = opened(pages["advice"])
    lengths = "x => x.map(r => [r.x.baseVal.value, r.x.baseVal.value + r.width.baseVal.value])"
    band = part(page, "Layers").locator(".bar-cell .band").first.evaluate_all(lengths)
    bars = part(page, "Layers").locator(".bar-cell rect:not(.band)").evaluate_all(lengths)
    (left, right), middle = band[0], sum(band[0]) / 2
    gains = [gain for layer in advice.layers for gain in layer.gains.values() if gain != 1]
    assert len(bars) == len(gains)
    scale = (right - left) / 2 / 0.05
    for (start, end), gain in zip(bars, gains, strict=True):
        ends = sorted([middle, middle + scale * (gain - 1)])
        assert [start, end] == pytest.approx(ends, abs=max(1.5, 0.01 * (end - start)))


def test_steps_fall_from_the_machine_as_it_is_to_the_last(
    opened: Open, pages: dict[str, Path], limited: Limits
) -> None:
    page = opened(pages["limits"])
    steps = part(page, "In the best order")
    assert names(steps) == [step.name for step in limited.steps]
    ends = "x => x.map(r => [r.x.baseVal.value, r.x.baseVal.value + r.width.baseVal.value])"
    first, second = (
        steps.locator("tbody tr").nth(at).locator("rect").first.evaluate_all(ends)[0]
        for at in (0, 1)
    )
    assert first[1] == pytest.approx(second[1], abs=1)
    assert second[0] > first[0]
    steps.locator("tbody tr").nth(1).click()
    assert "→ " in told(steps)
    alone = part(page, "Every resource alone")
    alone.locator("tr", has_text="clock").click()
    assert "×2: clock_hz 1e+09 → 2e+09." in told(alone)
    stalls = part(page, "Where core-time goes")
    assert limited.stalls[0][0].means in told(stalls).replace("\u00a0", " ")


def test_a_click_into_the_plot_chooses_its_row(opened: Open, pages: dict[str, Path]) -> None:
    page = opened(pages["requirement"])
    tried = part(page, "Machines")
    assert tried.locator("[aria-selected=true]").inner_text().split("\t")[1] == "the cheapest"
    tried.locator(".chip", has_text="misses").click()
    dot = tried.locator(".dot").first
    at = dot.get_attribute("data-point")
    dot.locator("path").click()
    chosen = tried.locator("[aria-selected=true]")
    assert chosen.get_attribute("data-row") == at
    number, standing = chosen.inner_text().split("\t")[:2]
    assert standing == "misses"
    assert told(tried).startswith(number)


def test_a_large_page_fits_and_lists_its_chosen_row(opened: Open, large_file: Path) -> None:
    page = opened(large_file, 800)
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    many = part(page, "Many")
    assert many.locator("[aria-selected=true][tabindex='0'] td").first.inner_text() == "299"
    assert len(names(many)) == 201
    assert many.locator(".list").evaluate("x => x.scrollTop") > 0
    assert many.locator(".dot").last.get_attribute("class") == "dot chosen"
    fills = (
        many.locator("tbody tr").last.locator("rect").evaluate_all("x => x.map(r => r.style.fill)")
    )
    assert len(fills) == 9
    assert "var(--bound-undefined)" not in fills
    part(page, "Sets").locator("tbody tr").click()
    assert names(part(page, "Figures")) == ["only", "only"]
    page.emulate_media(media="print")
    cut = page.locator(".list").evaluate_all("x => x.map(l => l.scrollHeight - l.clientHeight)")
    assert max(cut) <= 0


def test_patterns_of_a_difference_have_a_tab_each(opened: Open, pages: dict[str, Path]) -> None:
    page = opened(pages["reports"])
    runs = answers.moved().runs
    tabs = page.get_by_role("tab")
    assert tabs.all_inner_texts() == [run.name for run in runs]
    tabs.first.click()
    page.keyboard.press("ArrowRight")
    assert page.locator("[role=tab][aria-selected=true]").inner_text() == runs[1].name
    assert names(part(page, "Layers"))[0] == runs[1].largest[0].name
    assert page.evaluate("document.activeElement.textContent") == runs[1].name


def test_a_set_leaves_its_figures(opened: Open, pages: dict[str, Path]) -> None:
    page = opened(pages["validation"])
    sets, figures = part(page, "Data sets"), part(page, "Predicted")
    assert names(figures) == [answers.HOSTILE]
    sets.locator("tbody tr").nth(1).click()
    assert names(figures) == ["twice", "odd"]
    assert figures.locator(".dot").count() == 2
    assert figures.locator(".chip[aria-pressed=true]").inner_text() == "first"
    figures.locator("tr", has_text="odd").click()
    assert "Does not count: its authors doubt it." in told(figures)
    figures.locator(".chip[aria-pressed=true]").click()
    assert len(names(figures)) == 5
    titles = figures.locator(".dot title").all_text_contents()
    assert any(answers.HOSTILE in title for title in titles)
    assert figures.locator("text=measured, in each row's unit").is_visible()
    ticks = figures.locator(".bar-axis text").all_inner_texts()
    assert "+100.0 %" not in ticks  # of the figure that does not count
    assert figures.locator("rect.pale").count() == 1
    sets.locator(".chip", has_not_text="held out").first.click()  # hides the chosen set
    assert names(figures) == [answers.HOSTILE]


def test_a_theme_is_remembered_where_the_browser_lets_it(
    opened: Open, pages: dict[str, Path]
) -> None:
    page = opened(pages["advice"])
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "auto"
    button = page.locator("button.theme")
    button.click()
    button.click()
    page.reload()
    assert page.evaluate(theme) == "dark"
    assert button.inner_text() == "Theme: dark"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_prints_and_is_there_for_everybody(
    opened: Open, barriers: Callable[[Any], list[str]], pages: dict[str, Path], name: str
) -> None:
    SHOTS.mkdir(exist_ok=True)
    page = opened(pages[name])
    for width, scheme in ((1280, "light"), (800, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
        assert barriers(page) == []
    page.emulate_media(media="print")
    assert page.locator(".part table").first.is_visible()
    assert not page.locator(".theme").is_visible()
