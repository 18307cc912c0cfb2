"""Do the site's pages of validation say of every data set what there is to say?"""

from __future__ import annotations

import re

import pytest
from documents import ROOT, figures
from generate.validation import by_machine, pictures
from generate.validation.families import FOLDER, ORDER, SEEN, Family, cited, families
from generate.validation.pages import index, linked, page

from simulator.validation import DATASETS, tables
from simulator.validation.summary import lines

RESULTS = {result.dataset.name: result for result in figures.kept()}
FAMILIES = families(RESULTS.values())
ABOUT = {name: about for family in FAMILIES for name, about in family.sets.items()}
TRUST = (ROOT / "docs/understand/trust.md").read_text(encoding="utf-8")

MOST_BYTES = 60_000
"""Of a picture of a data set."""


def test_every_data_set_is_on_one_page() -> None:
    named = [name for family in FAMILIES for name in family.sets]
    assert sorted(named) == sorted(DATASETS)
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(ORDER)


@pytest.mark.parametrize("name", DATASETS)
def test_every_worst_row_is_explained(name: str) -> None:
    """Today's, of rows that a fit has seen and of others; and none that is the worst no more."""
    worst = {SEEN[line.fitted]: line.worst for line in RESULTS[name].lines()}
    today = {seen: point.label for seen, point in worst.items() if point is not None}
    assert {seen: explained.row for seen, explained in ABOUT[name].worst.items()} == today
    for explained in ABOUT[name].worst.values():
        assert len(explained.why.split()) >= 3


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_page_has_all_that_is_known_of_its_sets(family: Family) -> None:
    shown = page(family, RESULTS)
    for name in family.sets:
        assert f"({name})=\n## {name}: {DATASETS[name].title}" in shown
        assert f"{name}.svg" in shown
        assert f"nmsim validate {name} --rows" in shown
        for point in (line.worst for line in RESULTS[name].lines()):
            assert point is None or f"`{point.label}`, measured" in shown
        for reason in RESULTS[name].set_aside():
            assert reason in shown
    assert not re.search(r"\bnan\b|None", shown)


def test_the_index_has_a_row_for_every_line() -> None:
    rows = [line for line in index(FAMILIES, RESULTS).splitlines() if line.startswith("| [")]
    assert len(rows) == len(lines(RESULTS.values()))


def test_texts_cite_today_s_figures() -> None:
    """Of two rows with one label the worst; parts with their mean, and from where to where."""
    results = [RESULTS["networks-bert-small"]]
    (result,) = results
    label, part = "bert-base 1x32, FasterTransformer fp16", "FasterTransformer, v100-sxm2, fp16"
    same = [point.error for point in result.points if point.label == label]
    rows = [point.error for point in result.points if point.part == part]
    found = cited(results)
    assert len(same) == 2
    worst = max(same, key=abs)
    assert found["error"][result.dataset.name][label] == f"{100 * worst:+.1f} %"
    span = found["span"][result.dataset.name][part]
    assert span == f"{100 * min(rows):+.1f} to {100 * max(rows):+.1f} %"
    assert found["fitted"]["networks-generation"]["busy_ratio"] == "56.5 %"


def test_every_figure_is_of_a_preset_and_every_card_has_a_section() -> None:
    presets = {point.preset for result in RESULTS.values() for point in result.points}
    cards = {preset for machine in by_machine.MACHINES for preset in machine.presets}
    assert presets == cards | {"sparseloop-stc"}
    assert all((ROOT / "configs" / f"{preset}.yaml").exists() for preset in presets)
    for machine in by_machine.MACHINES:
        assert f"({machine.section})=\n## How far off is a" in TRUST
        assert f"{{include}} ../validation/{machine.section}.txt" in TRUST


def test_errors_by_machine_count_rows_that_no_fit_has_seen_once() -> None:
    counted = sum(
        len(kind.rows)
        for machine in by_machine.MACHINES
        for kind in by_machine.kinds(machine, FAMILIES, RESULTS).values()
    )
    unseen = [point for name, about in ABOUT.items() if about.kind
              for point in RESULTS[name].counted if not point.fitted]  # fmt: skip
    assert counted == len(unseen)
    v100 = by_machine.kinds(by_machine.MACHINES[0], FAMILIES, RESULTS)["products"]
    errors = sorted(abs(p.error) for p in RESULTS["v100-deepbench"].counted if not p.fitted)
    assert v100.errors == errors
    within = sum(error <= v100.nine_in_ten for error in errors)
    assert within >= 0.9 * len(errors) > within - 1
    assert abs(v100.worst) == errors[-1]


def test_rows_that_were_left_out_are_told_beside_the_mean() -> None:
    """On the page of trust in words and by machine, and on the index by data set."""
    line = next(x for x in RESULTS["v100-deepbench"].lines() if not x.fitted)
    out = len(line.points) - len(line.counted)
    with_them, without = (f"{100 * error:.1f}" for error in (line.mape_of_all, line.mape))
    said = " ".join(TRUST.split())
    assert f"Of the V100's {len(line.points)} products {out} are left out" in said
    assert f"{without} % without them and {with_them} % with them" in said
    assert f"Left out are {out} rows" in said
    for told in (
        by_machine.overview(FAMILIES, RESULTS),
        by_machine.section_table("v100", FAMILIES, RESULTS),
    ):
        assert f"{with_them} % of {len(line.points)}" in told.replace("\u00a0", " ")
    every = index(FAMILIES, RESULTS).replace("\u00a0", " ")
    assert f"| {len(line.counted)} of {len(line.points)} | {without} | {with_them} |" in every
    assert f"*{len(line.counted)} of {len(line.points)}*: {len(line.points)} were" in every
    assert f"and {out} are left out" in every


@pytest.mark.parametrize("name", tables.names())
def test_sources_are_linked(name: str) -> None:
    """Where they name an owner, an address or an article; two repositories are known by name."""
    sources = [line for line in tables.sources(name) if line.startswith("Source: ")]
    assert sources
    for source in sources:
        assert "https://" in linked(source) or "github repository" in source


def test_a_source_with_its_commit_is_linked_to_it() -> None:
    shown = linked("github some/where@0123abcd, a/file.csv, and arXiv:2206.02874")
    assert "(https://github.com/some/where/tree/0123abcd)" in shown
    assert "(https://arxiv.org/abs/2206.02874)" in shown
    assert linked("https://example.org/1 (one)") == "<https://example.org/1> (one)"


def test_a_picture_is_small_and_says_what_it_shows() -> None:
    """That of the most rows; letters are letters, and the paper is white."""
    largest = max(RESULTS.values(), key=lambda result: len(result.points))
    drawn = pictures.of_data_set(largest)
    assert len(drawn) <= MOST_BYTES
    assert b"fill: #ffffff" in drawn
    assert b">0.01<" in drawn or b">0.1<" in drawn
    assert drawn.count(b"<use") >= 2 * len(largest.points)


def test_errors_beyond_the_axis_are_marked_as_such() -> None:
    """And only those: the legend says so of a set that has some."""
    told = "one with an error beyond the axis"
    beyond, within = (RESULTS[name] for name in ("v100-deepbench", "mma-sp"))
    assert told.encode() in pictures.of_data_set(beyond)
    assert told.encode() not in pictures.of_data_set(within)


def test_the_overview_names_every_data_set() -> None:
    drawn = pictures.overview(FAMILIES, RESULTS)
    assert len(drawn) <= MOST_BYTES
    assert all(f">{name}<".encode() in drawn for name in DATASETS)
