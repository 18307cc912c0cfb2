"""Does a search find what a full grid finds, the same however it runs, and go on when killed?"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from specs import small

from simulator import SpecError, StoreError, pareto_front, search, sweep
from simulator.exploration.runs import Runs


def spec(**changes: Any) -> dict[str, Any]:
    parameters = {
        "core.count": [1, 2, 3, 4],
        "core.scratchpad.bytes_per_cycle": {"start": 16, "stop": 128, "factor": 2},
        "sparsity.skip": ["none", "slots"],
    }
    wanted = {"trials": 60, "batch": 20, "seed": 1} | changes.pop("search", {})
    one = small(workloads="gemm:64x48x96", parameters=parameters, search=wanted)
    return one | changes


@pytest.mark.parametrize("algorithm", ["nsga2", "tpe"])
def test_a_search_finds_points_of_the_grid_s_front(algorithm: str) -> None:
    found = search(spec(search={"algorithm": algorithm}), executor="serial")
    assert len(found.trials) == 60
    everything = sweep(spec(), executor="serial").to_frame()
    best = pareto_front(everything, by=())
    values = {(row.time_ns, row.energy_pj) for row in best.itertuples()}
    front = {trial.values for trial in found.front}
    assert front & values
    assert all(
        not (a != b and a[0] <= b[0] and a[1] <= b[1])
        for a, b in product(front, front)
        if a is not None and b is not None
    )


def test_a_search_is_the_same_with_any_workers(tmp_path: Path) -> None:
    alone = search(spec(), executor="serial", store=tmp_path / "a.sqlite")
    other = search(spec(), executor="threads", workers=3, store=tmp_path / "b.sqlite")
    assert alone == other
    assert alone == search(spec(), executor="serial", store=tmp_path / "a.sqlite")


def test_a_search_goes_on_where_it_was_left(tmp_path: Path) -> None:
    search(spec(search={"trials": 40}), executor="serial", store=tmp_path / "runs.sqlite")
    longer = search(spec(), executor="serial", store=tmp_path / "runs.sqlite")
    assert longer == search(spec(), executor="serial")
    with Runs(tmp_path / "runs.sqlite", must_exist=True) as store:
        distinct = {(str(t.settings), t.pattern) for t in longer.trials}
        assert len(store.rows()) == len(distinct)


SEARCH = """
import sys
from simulator import search
from test_search import spec
print("begun", flush=True)
search(spec(), executor="serial", store=sys.argv[1])
"""


def test_a_killed_search_ends_like_any_other(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    for wait in (0.6, 1.0, 1.3):
        process = subprocess.Popen(
            [sys.executable, "-c", SEARCH, str(store)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert search(spec(), executor="serial", store=store) == search(spec(), executor="serial")


def test_half_a_line_of_a_journal_is_dropped(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    search(spec(search={"trials": 20}), executor="serial", store=store)
    journal = Path(f"{store}.journal")
    journal.write_bytes(journal.read_bytes() + b'{"op_code":4,"work')
    assert search(spec(), executor="serial", store=store) == search(spec(), executor="serial")


def test_objectives_are_sums_over_workloads() -> None:
    both = spec(workloads=["gemm:64x48x96", "gemm:32x32x64"], search={"trials": 2, "batch": 2})
    result = search(both, executor="serial")
    for trial in result.trials:
        one = {"parameters": {k: [v] for k, v in trial.settings.items()}, "search": None}
        rows = sweep(both | one | {"patterns": [trial.pattern]}).rows
        assert trial.values == (
            sum(r.time_ns or 0 for r in rows),
            sum(r.energy_pj or 0 for r in rows),
        )


def test_trials_that_fail_or_break_a_constraint_have_no_values() -> None:
    parameters = {"core.count": [1, 2], "core.scratchpad.bytes": [100, 65536]}
    one = spec(parameters=parameters, constraints=["core.count < 2"], search={"trials": 20})
    result = search(one, executor="serial")
    errors = {trial.error for trial in result.trials if trial.values is None}
    assert "a constraint does not hold" in errors
    assert any("bytes too small" in str(error) for error in errors)
    assert {t.settings["core.scratchpad.bytes"] for t in result.front} == {65536}
    frame = result.to_frame()
    assert frame["time_ns"].isna().sum() == sum(t.values is None for t in result.trials)
    assert frame["pareto"].sum() == len(result.front)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"search": {"objectives": ["time"]}}, "must be 'time_ns', 'energy_pj' or 'area_mm2'"),
        ({"search": {"objectives": ["time_ns", "time_ns"]}}, "the same objective twice"),
        ({"search": {"algorithm": "luck"}}, "must be 'nsga2' or 'tpe'"),
        ({"search": {"trials": 0}}, "search.trials: must be"),
        ({"settings": {"energy": None}}, "the machine states no energies"),
    ],
)
def test_bad_searches(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        search(spec(**changes), executor="serial")


def test_a_missing_optuna_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SpecError, match=r"pip install 'nmsim\[search\]'"):
        search(spec())


def test_a_missing_dask_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SpecError, match=r"pip install 'nmsim\[cluster\]'"):
        sweep(spec(), scheduler="tcp://127.0.0.1:8786")


def test_a_journal_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite.journal").write_text("core.count: 4\n")
    with pytest.raises(StoreError, match="is not a journal"):
        search(spec(), executor="serial", store=tmp_path / "runs.sqlite")
    assert (tmp_path / "runs.sqlite.journal").read_text() == "core.count: 4\n"
