"""Does the mutation tool draw the same mutants, of evaluated code, and go on where it was?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from cosmic_ray import work_item
from cosmic_ray.work_item import MutationSpec, WorkerOutcome, WorkResult
from draw import drawn
from mutants import Reach, report, run

CODE = '''"""A module of two functions."""

LIMIT = 3 + 4


def one(a: int | None, b: int | float = 5) -> int | None:
    """Sums: a + b."""
    total: int | None = a * b
    if total > LIMIT:
        return -total
    return total
'''


def module(folder: Path, name: str, text: str = CODE) -> Path:
    """A file of its own, since what a file holds is read once."""
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


def test_the_same_mutants_are_drawn_twice_and_wherever_they_stand(tmp_path: Path) -> None:
    path = module(tmp_path, "one")
    first, second = drawn([path], 5), drawn([path], 5)
    assert len(first) == 5
    assert first == second
    moved = drawn([module(tmp_path, "other", CODE.replace("LIMIT = 3", "\n\nLIMIT = 3"))], 5)
    assert [item.job_id for item in moved] == [item.job_id for item in first]
    assert drawn([path], 3) == first[:3]


def test_annotations_and_docstrings_have_no_mutants(tmp_path: Path) -> None:
    lines = CODE.splitlines()
    found = {
        lines[item.mutations[0].start_pos[0] - 1].strip()
        for item in drawn([module(tmp_path, "all")], 1000)
    }
    evaluated = {"LIMIT = 3 + 4", "total: int | None = a * b", "if total > LIMIT:", "return -total"}
    assert found == evaluated | {"def one(a: int | None, b: int | float = 5) -> int | None:"}
    for item in drawn([module(tmp_path, "noted")], 1000):
        assert "BitOr" not in item.mutations[0].operator_name


def test_a_mutant_is_reached_by_the_tests_of_its_statement(tmp_path: Path) -> None:
    text = "LIMIT = 3\n\n\ndef one(a):\n    return max(\n        a,\n        2 * a,\n    )\n"
    path = module(tmp_path, "lines", text)
    tests = {str(path): {1: set(), 4: set(), 5: {"slow", "quick"}, 7: {"quick"}, 9: {"other"}}}
    reach = Reach(tests, {"slow": 3.0, "quick": 0.1, "other": 1.0})
    reached = {
        item.mutations[0].start_pos[0]: reach.of(item.mutations[0]) for item in drawn([path], 99)
    }
    # What importing runs concerns every test of the module.
    assert reached == {1: ["quick", "other", "slow"], 7: ["quick", "slow"]}


class Inline:
    """An executor without processes."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, job: Callable[..., Any], *arguments: object) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(job(*arguments))
        return future


def test_a_resumed_session_runs_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    items = drawn([module(tmp_path, "resumed")], 6)
    ran: list[MutationSpec] = []

    def test(mutation: MutationSpec, _: object) -> WorkResult:
        ran.append(mutation)
        survives = mutation == items[1].mutations[0]
        outcomes = work_item.TestOutcome
        outcome = outcomes.SURVIVED if survives else outcomes.KILLED
        return WorkResult(WorkerOutcome.NORMAL, "", outcome, "-before\n+after")

    monkeypatch.setattr("mutants.ProcessPoolExecutor", Inline)
    monkeypatch.setattr("mutants._test", test)
    monkeypatch.setattr("mutants.EQUIVALENT", tmp_path / "equivalent.toml")
    (tmp_path / "equivalent.toml").write_text("equivalent = []")
    reach = Reach({}, {})
    run(tmp_path, items[:2], reach)
    assert ran == [item.mutations[0] for item in items[:2]]
    assert report(tmp_path, items) == 1  # four are missing
    ran.clear()
    run(tmp_path, items, reach)
    assert ran == [item.mutations[0] for item in items[2:]]
    ran.clear()
    run(tmp_path, items, reach, again=True)
    assert ran == [items[1].mutations[0]]
    capsys.readouterr()
    assert report(tmp_path, items) == 1  # five of six are fewer than 90 %
    said = capsys.readouterr().out
    assert "-before\n+after" in said
    assert "5 of 6 killed (83.3%)" in said
