"""Machines key by key and stores row by row: is everything there that differs, and nothing else?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_runs import MACHINE, NETWORK, run

from simulator import Difference, diff, load_hardware, simulate
from simulator.decisions.difference.of_machines import MachinesDifference
from simulator.decisions.difference.of_stores import StoresDifference, stores_difference
from simulator.errors import OutputError, ReportError, StoreError
from simulator.exploration.row import Row
from simulator.exploration.runs import Runs


def machines(before: Any, after: Any, **more: Any) -> MachinesDifference:
    told = diff(before, after, **more)
    assert isinstance(told, MachinesDifference)
    return told


def test_keys_that_differ_have_their_ratio() -> None:
    told = machines(MACHINE, load_hardware(MACHINE, {"core.count": 8, "name": "wide"}))
    (key,) = told.keys
    assert (key.key, key.before, key.after) == ("core.count", MACHINE.core.count, 8)
    assert key.ratio == 8 / MACHINE.core.count
    assert told.records()[0]["ratio"] == key.ratio
    assert told.beyond(0.02) == [str(key)]
    assert told.beyond(100) == []


def test_keys_that_are_no_numbers_have_none(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("base: nm-edge\nname: mine\nsparsity: {skip: none}\n", encoding="utf-8")
    (key,) = machines("nm-edge", file).keys
    assert (key.key, *key.texts, key.ratio) == ("sparsity.skip", "slots", "none", None)
    assert machines("nm-edge", file).beyond(1e9) == [str(key)]


def test_a_key_that_one_machine_leaves_out_is_one() -> None:
    told = machines("nm-flex", "v100-sxm2")
    left_out = [key for key in told.keys if key.before is None or key.after is None]
    assert left_out
    assert all("-" in key.texts for key in left_out)


def test_the_same_machine_by_another_name_is_the_same() -> None:
    told = machines(MACHINE, load_hardware(MACHINE, {"name": "other", "description": "else"}))
    assert list(told.sentences()) == [
        "A and B are the same machine, to the last key but its name and description."
    ]
    assert list(told.to_frame().columns) == ["key", "a", "b", "ratio"]
    with pytest.raises(OutputError, match="shows the parts of a time"):
        told.plot()


def test_machines_may_run_a_workload() -> None:
    wide = load_hardware(MACHINE, {"core.count": 8})
    told = machines(MACHINE, wide, workload=NETWORK, pattern="2:4")
    assert told.run is not None
    (change,) = told.run.runs
    assert change.times_ps == tuple(
        simulate(machine, NETWORK, "2:4").total.time_ps for machine in (MACHINE, wide)
    )
    assert next(iter(told.sentences())).startswith("net, 2:4: B takes ")
    assert told.beyond(0.01) == told.run.beyond(0.01) != []
    assert json.loads(told.to_json())["run"]["layers"]
    assert told.plot().axes


def test_a_workload_is_for_machines() -> None:
    with pytest.raises(ReportError, match="only machines run a workload"):
        diff(run(), run(), workload=NETWORK)
    with pytest.raises(ReportError, match="is of a workload, and none is named"):
        diff("nm-flex", "nm-edge", pattern="2:4")


# Stores


def row(time_ps: int | None, pattern: str | None = "1:1", **about: Any) -> Row:
    settings = about.pop("settings", {"core.count": 2})
    key = repr((pattern, settings, about)).encode()
    defaults = {"hardware": "m", "workload": "w", "engine": "fast", "accuracy": "exact"}
    error = "it failed" if time_ps is None else None
    return Row(key, settings, pattern=pattern, time_ps=time_ps, error=error, **defaults | about)


def stores(before: list[Row], after: list[Row]) -> StoresDifference:
    return stores_difference(("a", "b"), before, after)


def test_rows_are_matched_by_what_they_are() -> None:
    told = stores(
        [row(100), row(200, "2:4"), row(300, settings={"core.count": 4})],
        [row(110), row(200, "2:4"), row(400, settings={"core.count": 8})],
    )
    assert [(change.name, change.times_ns) for change in told.moved] == [
        ("w 1:1 core.count=2", (0.1, 0.11))
    ]
    assert [change.name for change in told.only_in("A")] == ["w 1:1 core.count=4"]
    assert [change.name for change in told.only_in("B")] == ["w 1:1 core.count=8"]
    first, *others = told.sentences()
    assert first.startswith("Of 2 rows in both, 1 takes another time; most of all w 1:1 core.count")
    assert "10.0 % longer" in first
    assert len(others) == 2
    assert len(told.beyond(0.5)) == 2
    assert len(told.beyond(0.05)) == 3


def test_another_machine_s_rows_are_compared_and_it_is_said() -> None:
    told = stores([row(100)], [row(100, hardware="other")])
    assert told.notes == ("hardware: m in A, other in B",)
    assert list(told.sentences()) == ["Of 1 row in both, none takes another time."]


def test_of_several_machines_in_a_store_rows_of_one_are_matched() -> None:
    told = stores([row(100), row(200, hardware="n")], [row(200, hardware="n"), row(100)])
    assert not told.moved
    assert len(told.rows) == 2


def test_a_row_that_fails_in_one_has_moved() -> None:
    told = stores([row(100)], [row(None)])
    assert "failed in B" in next(iter(told.sentences()))
    assert len(told.beyond(1e6)) == 1
    assert not stores([row(None)], [row(None)]).moved


def test_stores_are_read_from_their_files(tmp_path: Path) -> None:
    files = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    for file, time_ps in zip(files, (100, 150), strict=True):
        with Runs(file) as store:
            store.add([row(time_ps), row(7, None)])
    told = diff(*files)
    assert isinstance(told, StoresDifference)
    assert [change.change_ratio for change in told.moved] == [pytest.approx(0.5)]
    assert told.to_frame()["pattern"].tolist() == ["trace", "1:1"]
    with Runs(tmp_path / "empty.sqlite"):
        pass
    with pytest.raises(ReportError, match="holds no rows"):
        diff(tmp_path / "empty.sqlite", files[0])
    (tmp_path / "odd.sqlite").write_bytes(b"SQLite format 3\0" + bytes(100))
    with pytest.raises(StoreError):
        diff(tmp_path / "odd.sqlite", files[0])


def test_every_difference_is_one() -> None:
    for told in (diff(run(), run()), diff("nm-flex", "nm-edge"), stores([row(1)], [row(2)])):
        assert isinstance(told, Difference)
        assert isinstance(told.to_frame(), pd.DataFrame)
        assert all(text.endswith(".") and "\n" not in text for text in told.sentences())
