"""Does the page of a sweep hold its points, and say what they are?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opened import NASTY, Opened

from simulator import sweep
from simulator.errors import OutputError
from simulator.exploration import paged
from simulator.exploration.search import SearchResult, Trial
from simulator.exploration.sweep import SweepResult

SPEC = {
    "hardware": "nm-edge",
    "workloads": ["gemm:64x48x96", "gemm:32x32x64"],
    "patterns": ["1:1", "2:4", "trace"],
    "parameters": {"core.count": [1, 4], "core.scratchpad.bytes": [100, 65536]},
}
"""24 points, of which half have too small a scratchpad."""


@pytest.fixture(scope="module")
def result() -> SweepResult:
    return sweep(SPEC)


def columns(page: dict[str, Any]) -> dict[str, list[Any]]:
    """Values by the titles of their columns."""
    titles = [column["title"] for column in page["columns"]]
    return {title: [row[at] for row in page["rows"]] for at, title in enumerate(titles)}


def test_a_page_holds_the_points_that_have_figures(result: SweepResult) -> None:
    page = Opened(result.to_html("my sweep")).data
    frame = result.to_frame()
    whole = frame[frame["error"].isna()]
    assert page["title"] == "my sweep"
    assert page["facts"][:2] == ["12 points", "12 failed"]
    found = columns(page)
    assert found["time"] == whole["time_ns"].tolist()
    assert found["speed-up"] == whole["speedup"].tolist()
    assert found["core.count"] == whole["core.count"].tolist()
    assert found["pattern"] == [*whole["pattern"].fillna("trace")]
    assert found["workload"] == whole["workload"].tolist()


def test_columns_are_what_varies_in_words_and_units(result: SweepResult) -> None:
    page = Opened(result.to_html()).data
    kinds = {x["title"]: (x["role"], x["unit"], x["is_good"]) for x in page["columns"]}
    assert kinds["time"] == ("figure", "time", False)
    assert kinds["energy"] == ("figure", "energy", False)
    assert kinds["MAC util."] == ("figure", "ratio", True)
    assert kinds["area of parts"] == ("figure", "mm²", False)
    assert kinds["core.count"] == ("choice", "", False)
    assert "hardware" not in kinds
    assert "hardware nm-edge" in page["facts"]
    drawn = [page["columns"][page[axis]]["title"] for axis in ("x", "y", "apart", "groups")]
    assert drawn == ["area of parts", "time", "pattern", "workload"]
    roles = [column["role"] for column in page["columns"]]
    behind = roles.index("figure")
    assert set(roles[:behind]) == {"choice"}
    assert {behind, behind + 1} == {page["x"], page["y"]}


def test_of_equal_trials_the_first_is_shown() -> None:
    values = ((2.0, 1.0), None, (2.0, 1.0), (1.0, 3.0), (2.0, 1.0))
    trials = tuple(
        Trial(at, {}, "2:4", one, None if one else "no") for at, one in enumerate(values)
    )
    found = SearchResult(("time_ns", "energy_pj"), trials)
    page = Opened(found.to_html()).data
    assert columns(page)["trial"] == [trial.number for trial in (trials[0], trials[3])]
    assert {trial.number for trial in found.front} == {0, 3}
    assert page["facts"] == [
        "4 trials", "1 without figures", "2 as good as an earlier one, and not shown",
    ]  # fmt: skip


def test_titles_and_notes_are_text(result: SweepResult) -> None:
    for name in NASTY:
        page = Opened(result.table.to_html(name, [name]))
        assert [tag for tag, _ in page.elements].count("script") == 2
        assert (page.data["title"], page.data["notes"]) == (name, [name])


def test_without_figures_there_is_no_page() -> None:
    failed = sweep({**SPEC, "parameters": {"core.scratchpad.bytes": [100]}})
    with pytest.raises(OutputError, match="page: no point has figures, got '6 points'"):
        failed.to_html()


def test_a_page_has_an_end(result: SweepResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paged, "MOST_POINTS", 11)
    with pytest.raises(OutputError, match="page: too many points, want at most 11, got 12"):
        result.to_html()


def test_parameters_of_every_kind_are_choices(tmp_path: Path) -> None:
    del tmp_path
    result = sweep({
        "hardware": "nm-edge", "workloads": "gemm:64x48x96", "patterns": ["1:1"],
        "parameters": {"core.scratchpad.shared_port": [True, False],
                       "memory.dram.bytes_per_second": [1e10, 5e10],
                       "sparsity.skip": ["none", "slots"]},
    })  # fmt: skip
    found = columns(Opened(result.to_html()).data)
    assert set(found["core.scratchpad.shared_port"]) == {True, False}
    assert set(found["sparsity.skip"]) == {"none", "slots"}
    assert set(found["memory.dram.bytes_per_second"]) == {1e10, 5e10}
