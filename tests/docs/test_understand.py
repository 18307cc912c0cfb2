"""The pages that explain: complete where a table of the program's says what there is, and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
import shown
from generate.drawn import PICTURES, buffers, flight, pages, waves
from generate.drawn.lanes import Axis, spent
from generate.drawn.runs import ONE_CORE, Watched, watched
from generate.drawn.svg import WIDTH

from simulator import hardware_schema, load_hardware, load_workload, simulate
from simulator.engine import reference
from simulator.names import words
from simulator.report.account import Account
from simulator.report.stalls import STALLS
from simulator.traffic import LEVELS, OPERANDS

UNDERSTAND = shown.DOCS / "understand"
SVG = "{http://www.w3.org/2000/svg}"
LETTER = 7.4
"""Width of a letter of 16 pixels on average, with what it takes to be on the safe side."""
RUNS = {
    "one core": (ONE_CORE, 128, 128, 384),
    "two buffers": (buffers.TWO_BUFFERS, 128, 128, 384),
    "two cores": (flight.TWO_CORES, 128, 256, 384),
    "four cores": (waves.FOUR_CORES, 384, 384, 384),
}


@cache
def _text(name: str) -> str:
    return (UNDERSTAND / name).read_text(encoding="utf-8")


@cache
def _made() -> dict[str, str | bytes]:
    return pages()


@cache
def _picture(name: str) -> ElementTree.Element:
    return ElementTree.fromstring(_made()[f"drawn/{name}.svg"])


def _run(name: str) -> Watched:
    machine, m, n, k = RUNS[name]
    return watched(machine, m, n, k, "2:4")


# Complete


def test_every_stall_has_its_section_with_what_lowers_it_and_a_run() -> None:
    sections = re.split(r"^## ", _text("stalls.md"), flags=re.M)[1:]
    assert [section.partition("\n")[0] for section in sections] == list(STALLS)
    for kind, section in zip(STALLS, sections, strict=True):
        assert f"../drawn/lowered-{kind}.txt" in section
        assert "What you can do" in section or "How do I lower it" in section
        assert "$ nmsim diff" in section
        assert re.search(rf"^{words(kind)} ", section, re.M), f"no run shows {kind}"


def test_what_lowers_a_stall_is_told_with_its_keys() -> None:
    made = _made()
    assert "`core.barrier_cycles`" in str(made["drawn/lowered-barrier.txt"])
    for stall in STALLS.values():
        text = str(made[f"drawn/lowered-{stall.kind}.txt"])
        assert all(name in text for name in stall.lowered_by)
        assert f"[{words(stall.kind)}](#{stall.kind})" in str(made["drawn/stalls.txt"])


def test_every_example_of_a_stall_moves_that_stall() -> None:
    """The change that a section shows lowers what the section is about, as a share of core-time."""
    sections = re.split(r"^## ", _text("stalls.md"), flags=re.M)[1:]
    for kind, section in zip(STALLS, sections, strict=True):
        before, after = _shares(section, words(kind))
        assert after < before, kind


def _shares(section: str, name: str) -> tuple[float, float]:
    """Of a table of differences a row over the sum, in A and in B."""
    rows = {}
    for row in (name, "sum"):
        found = re.search(rf"^{row} +([\d.,<]+) +([\d.,<]+) ", section, re.M)
        assert found, row
        rows[row] = [float(cell.replace(",", "").lstrip("<")) for cell in found.groups()]
    (a, b), (sum_a, sum_b) = rows[name], rows["sum"]
    return a / sum_a, b / sum_b


def test_the_glossary_has_every_word_of_reports() -> None:
    terms = {line.lower() for line in re.findall(r"^(\w.*)$", _text("glossary.md"), re.M)}
    wanted = {*STALLS, *LEVELS, *OPERANDS, "bound", "traffic", "mapping", "carried"}
    assert {words(name).lower() for name in wanted} <= terms
    assert {"slot", "stage", "tile", "group", "wave", "utilisation", "roofline"} <= terms


def test_the_glossary_is_in_order() -> None:
    inside = _text("glossary.md").partition("```{glossary}\n")[2]
    terms = [line.lower() for line in re.findall(r"^(\w.*)$", inside, re.M)]
    assert terms == sorted(terms)


def test_every_page_and_every_picture_is_used() -> None:
    index = _text("index.md")
    names = {page.name for page in UNDERSTAND.glob("*.md")} - {"index.md"}
    assert all(f"]({name})" in index for name in names)
    everything = "".join(_text(name) for name in names)
    for path in _made():
        assert f"../{path}" in everything, path


# True


def _is_key(key: str, schema: dict[str, Any]) -> bool:
    """Whether a machine may have a dotted key; ``*`` is any name."""
    definitions, now = schema["$defs"], [schema]
    for part in key.split("."):
        now = [
            one
            for form in now
            for found in (
                form.get("properties", {}).get(part),
                form.get("additionalProperties"),
            )
            if isinstance(found, dict)
            for one in _forms(found, definitions)
        ]
    return bool(now)


def _forms(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema, and each that it may be, by what it refers to."""
    yield schema
    if "$ref" in schema:
        yield definitions[schema["$ref"].rpartition("/")[2]]
    for one in [*schema.get("anyOf", []), *schema.get("allOf", [])]:
        yield from _forms(one, definitions)


def test_keys_that_pages_name_are_keys_of_machines() -> None:
    schema = hardware_schema()
    said = "".join(page.read_text(encoding="utf-8") for page in UNDERSTAND.glob("*.md"))
    made = "".join(str(text) for path, text in _made().items() if path.endswith(".txt"))
    dotted = set(re.findall(r"`([\w.*]+\.[\w.*]+)`", said + made))
    keys = {key for key in dotted if key.split(".")[0] in schema["properties"]}
    assert len(keys) > 30
    assert [key for key in sorted(keys) if not _is_key(key, schema)] == []
    assert not _is_key("core.no_such_key", schema)


def test_machines_on_pages_are_those_that_were_drawn() -> None:
    """Blocks of YAML on pages, but for names, say what pictures were drawn from."""
    for page, machine in (("time.md", ONE_CORE), ("memory.md", flight.TWO_CORES)):
        lines = _text(page).splitlines()
        written = [
            lines[block.start + 2 : block.end]
            for block in shown.blocks(lines)
            if block.kind == "yaml"
        ]
        assert machine.splitlines()[2:] in written


def test_figures_in_prose_are_those_of_runs() -> None:
    cost = _run("one core").stages[0].cost
    assert f"Multiplying takes {cost.mac_ps / 1000:.0f} ns" in _text("time.md")
    assert _run("two cores").result.in_flight_hits == 6
    machine = load_hardware("nm-flex")
    assert machine.core.count == 108
    for n, tiles in ((3072, 192), (3456, 216)):
        product = load_workload(f"gemm:2048x{n}x2048")
        layer = simulate(machine, product, pattern="2:4").layers[0]
        assert layer.mapping.startswith("256x128")
        assert layer.dealt is not None
        assert layer.dealt.grid.tiles == tiles
        assert f"= {tiles}" in _text("stalls.md")


# Drawn


@pytest.mark.parametrize("name", RUNS)
def test_what_is_drawn_of_time_is_the_account(name: str) -> None:
    """Bars of every core lie end to end, and add up to its account, which both engines agree on."""
    run = _run(name)
    assert not reference.run(run.program).differences(run.result)
    assert len(run.stages) == run.program.stage_events
    for core in range(run.program.cores):
        bars = spent(run, core)
        assert bars[0][1] == 0
        assert all(a[2] == pytest.approx(b[1]) for a, b in pairwise(bars))
        sums: dict[str, float] = {}
        for kind, start, end in bars:
            sums[kind] = sums.get(kind, 0) + end - start
        account = Account.of(run.program, run.result, core=core)
        for kind, time_ps in account.items():
            assert sums.get(kind, 0) == pytest.approx(time_ps / 1000, abs=1e-6), kind


@pytest.mark.parametrize("name", RUNS)
def test_stages_obey_the_rules_of_the_page(name: str) -> None:
    run = _run(name)
    buffers_ = run.program.stage_buffers
    for core in range(run.program.cores):
        for tile in {seen.tile for seen in run.of_core(core)}:
            stages = [seen for seen in run.of_core(core) if seen.tile == tile]
            for number, (before, now) in enumerate(pairwise(stages), 1):
                assert now.begun == pytest.approx(max(*now.arrived, before.done))
                freed = stages[number - buffers_].done if number >= buffers_ else 0
                issue = before.asked + run.program.issue_ps / 1000
                assert now.asked == pytest.approx(max(issue, freed))


def test_two_buffers_wait_where_three_do_not() -> None:
    three, two = (_run(name).account(0)["memory_stall"] for name in ("one core", "two buffers"))
    assert three == 0 < two


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_well_formed_and_says_what_it_is(name: str) -> None:
    root = _picture(name)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert all(len((child.text or "").split()) >= 2 for child in list(root)[:2])


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_runs_out_of_a_picture(name: str) -> None:
    root = _picture(name)
    height = float(str(root.get("viewBox")).split()[3])
    for text in root.iter(f"{SVG}text"):
        x, width = float(str(text.get("x"))), LETTER * len(text.text or "")
        left = {"start": x, "middle": x - width / 2, "end": x - width}[str(text.get("text-anchor"))]
        assert left >= -1, text.text
        assert left + width <= WIDTH + 1, text.text
        assert 8 <= float(str(text.get("y"))) <= height - 8, text.text
    for box in root.iter(f"{SVG}rect"):
        x, y, wide, high = (float(str(box.get(key))) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= WIDTH + 0.1
        assert 0 <= y <= y + high <= height


def test_time_runs_from_the_left_to_the_right_edge() -> None:
    axis = Axis(100)
    assert axis.x(0) < axis.x(50) < axis.x(100) <= WIDTH
