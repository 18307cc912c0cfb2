"""Does ``--html`` of decisions, validations and fronts write a page with commands that hold?"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from opened import Opened
from test_cli import Nmsim, fine, nmsim

from simulator import limits

__all__ = ["nmsim"]  # the fixture

GEMM = "gemm:256x64x256"
RUN = ["nm-edge", GEMM, "--pattern", "2:4"]
SPEC = """\
hardware: nm-edge
workloads: [gemm:64x48x96]
patterns: ['1:1', '2:4']
parameters: {core.count: [1, 2, 4]}
search: {trials: 5}
"""
COMMANDS = {
    "advise": ["advise", "nm-edge", GEMM, "--patterns", "2:4", "--break-even", "0"],
    "limits": ["limits", *RUN],
    "require": ["require", *RUN, "--speedup", "2.5"],
    "diff": ["diff", "nm-edge", "nm-flex"],
    "validate": ["validate", "mma-latency"],
    "search": ["search", "s.yaml"],
    "pareto": ["pareto", "runs.sqlite"],
}
"""By name; most end before anything is simulated."""


def page(name: str = "a.html") -> Opened:
    return Opened(Path(name).read_text(encoding="utf-8"))


def commands() -> dict[str, list[str]]:
    """What the page tells its readers to run, in words."""
    return {what: shlex.split(line)[1:] for what, line in page().data["commands"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bad_name_of_a_page_is_one_line(nmsim: Nmsim, name: str) -> None:
    Path("s.yaml").write_text(SPEC)
    for file, says in (
        ("a.htm", "--html a.htm: unknown format, want .html"),
        ("no/a.html", "--html no/a.html: its folder does not exist"),
        (".", "--html .: is a folder, want a file name"),
    ):
        ended = nmsim(*COMMANDS[name], "--html", file)
        assert (ended.code, ended.out, ended.err) == (2, b"", f"nmsim: {says}\n")
    assert "--html" in fine(nmsim(name, "--help")).text
    assert [path.name for path in Path().iterdir()] == ["s.yaml"]


def test_what_is_advised_can_be_run(nmsim: Nmsim) -> None:
    asked = [*COMMANDS["advise"], "--set", "core.count=2", "--accuracy", "sampled"]
    fine(nmsim(*asked, "-o", "my best.csv", "--html", "a.html"))
    assert commands() == {
        "These figures again": asked,
        "Run what is advised": ["run", "nm-edge", "my best.csv", *asked[7:]],
    }
    again = fine(nmsim(*commands()["These figures again"], "--format", "json")).text
    run = fine(nmsim(*commands()["Run what is advised"], "--format", "json")).text
    assert json.loads(run)["total"]["time_ns"] == json.loads(again)["advised_ns"]


def test_limits_say_what_to_ask_next(nmsim: Nmsim) -> None:
    text = fine(nmsim(*COMMANDS["limits"], "--brief", "--html", "a.html")).text
    assert commands()["These figures again"] == COMMANDS["limits"]
    (line,) = re.findall("Next: nmsim (.*)", text)
    assert commands()["Next"] == shlex.split(line)
    found = limits("nm-edge", GEMM, "2:4")
    assert page().data["sentences"] == list(found.sentences())


def test_what_is_required_can_be_checked(nmsim: Nmsim) -> None:
    Path("prices.yaml").write_text("{DRAM: 0.25, L2 rate: 0.1, port: 0.05, MACs: 0.1}")
    given = ["--set", "core.count=3", "--tries", "12"]
    fine(nmsim(*COMMANDS["require"], *given, "--prices", "prices.yaml", "--html", "a.html"))
    check = commands()["Check it"]
    assert check[:5] == ["compare", *RUN[:2], "--patterns", "1:1,2:4"]
    assert "core.count=3" in check
    reports = json.loads(fine(nmsim(*check, "--format", "json")).text)
    times = [report["total"]["time_ns"] for report in reports]
    shown = page().data["sentences"][0]
    over = re.findall(r"reaches ([0-9.]+)x dense as it is", shown)
    base = json.loads(
        fine(nmsim("run", *RUN[:2], "--pattern", "1:1", *given[:2], "--format", "json")).text
    )
    assert over == [f"{base['total']['time_ns'] / times[1]:.2f}"]


def test_differences_and_validations_can_be_had_again(nmsim: Nmsim) -> None:
    fine(nmsim(*COMMANDS["diff"], "--workload", GEMM, "--html", "a.html"))
    assert commands() == {"These figures again": [*COMMANDS["diff"], "--workload", GEMM]}
    fine(nmsim(*COMMANDS["validate"], "mma", "--rows", "--html", "a.html"))
    assert commands() == {"These figures again": [*COMMANDS["validate"], "mma"]}
    assert len(page().data["sections"]) == 2


def test_searches_and_fronts_have_pages(nmsim: Nmsim) -> None:
    Path("s.yaml").write_text(SPEC)
    fine(nmsim("search", "s.yaml", "--executor", "serial", "--html", "s.html"))
    data = page("s.html").data
    assert data["facts"][0] == "5 trials"
    titles = [column["title"] for column in data["columns"]]
    assert titles == ["trial", "pattern", "core.count", "time", "energy"]
    assert [titles[data[axis]] for axis in ("x", "y", "apart")] == ["energy", "time", "pattern"]
    assert data["groups"] is None
    figures = [tuple(row[data[axis]] for axis in ("x", "y")) for row in data["rows"]]
    assert len(set(figures)) == len(figures)
    fine(nmsim("sweep", "s.yaml", "--executor", "serial", "--store", "runs.sqlite"))
    fine(nmsim("pareto", "runs.sqlite", "--max", "mac_utilization", "--min", "area_mm2",
               "--html", "a.html"))  # fmt: skip
    data = page().data
    drawn = [data["columns"][data[axis]] for axis in ("x", "y")]
    assert [(one["title"], one["is_good"]) for one in drawn] == [
        ("MAC util.", True), ("area of parts", False),
    ]  # fmt: skip
    assert data["best"] is None
    fine(nmsim("pareto", "runs.sqlite", "--min", "time_ns", "--html", "a.html"))
    data = page().data
    time = [column["title"] for column in data["columns"]].index("time")
    times = [row[time] for row in data["rows"]]
    assert [times[at] for at in data["best"]] == [min(times)]
