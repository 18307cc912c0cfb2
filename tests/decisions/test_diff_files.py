"""Is a file that is no report, or of another kind, refused in one line that says where?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_runs import run

from simulator import diff
from simulator.errors import ReportError, SimulatorError


def _report() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(run().to_json())
    return data


def _without_a_kind(data: dict[str, Any]) -> None:
    del data["total"]["core_time_ps"]["idle"]


def _with_a_new_kind(data: dict[str, Any]) -> None:
    data["layers"][1]["core_time_ps"]["snooze"] = 5


def _with_a_control(data: dict[str, Any]) -> None:
    data["layers"][0]["name"] = "a\x1b[2J"


def _with_another_total(data: dict[str, Any]) -> None:
    data["total"]["time_ps"] *= 2


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (_without_a_kind, "total.core_time_ps: lacks a kind of time, 'idle'"),
        (
            _with_a_new_kind,
            "layers.1.core_time_ps: holds a kind of time that is not known",
        ),
        (_with_a_control, "layers.0.name: must be text of one line"),
        (_with_another_total, "do not add up to its total"),
        (
            lambda data: data["total"].update(time_ps=0),
            "total.time_ps: must be greater than",
        ),
        (lambda data: data["total"].update(time_ps="5"), "total.time_ps: must be a whole number"),
        (lambda data: data.update(layers=[]), "layers: must not be empty"),
        (lambda data: data.pop("total"), "JSON, but no report, want what nmsim run"),
        (lambda data: data["layers"][2].pop("mapping"), "layers.2.mapping: is missing"),
    ],
)
def test_what_is_no_report_is_one_line(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], says: str
) -> None:
    data = _report()
    edit(data)
    file = tmp_path / "a.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ReportError) as error:
        diff(file, run())
    assert says in str(error.value)
    assert str(error.value).startswith(str(file))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a.json:1:1: not JSON"),
        ("{", "a.json:1:2: not JSON"),
        ("[]", "a.json: JSON, but no report"),
        ("[1]", "a.json: JSON, but no report"),
        ("{}", "a.json: JSON, but no report"),
        ("[" * 100_000, "a.json: not JSON that can be read"),
        ("9" * 10_000, "a.json: not JSON that can be read"),
    ],
)
def test_what_is_no_json_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text(text, encoding="utf-8")
    with pytest.raises(ReportError) as error:
        diff("a.json", run())
    assert str(error.value).startswith(says)


def test_different_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"nm-flex: is a machine, but net on nm-edge is a report"):
        diff(run(), "nm-flex")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ReportError, match="is nothing that can be compared"):
        diff(tmp_path / "rows.csv", "nm-flex")
    with pytest.raises(ReportError, match="no such file and no such preset"):
        diff("nowhere.json", "nm-flex")
    with pytest.raises(ReportError, match="did you mean 'nm-flex'"):
        diff("nm-flx", "nm-flex")
    with pytest.raises(ReportError, match="is a folder"):
        diff(tmp_path, "nm-flex")


def test_errors_are_ours() -> None:
    assert issubclass(ReportError, SimulatorError)
