"""Does a sweep give the same rows however it runs, each once, and only compute what is missing?"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clusters import cluster
from specs import small

from simulator import (
    SimulatorError,
    SpecError,
    SweepSpec,
    load_hardware,
    load_workload,
    relative_area,
    search,
    simulate,
    sweep,
)
from simulator.exploration import row as row_module
from simulator.exploration.row import Row
from simulator.exploration.runs import Runs
from simulator.exploration.table import Rows


def export(store: Path) -> str:
    """The sorted rows of a store as text."""
    with Runs(store, must_exist=True) as opened:
        return Rows(opened.rows()).to_csv()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The export of the small sweep, run one point after the other."""
    path = tmp_path_factory.mktemp("serial") / "runs.sqlite"
    result = sweep(small(), store=path, executor="serial")
    assert (len(result.rows), result.computed, result.known, result.failed) == (16, 16, 0, 8)
    return export(path)


@pytest.mark.parametrize(
    "how",
    [
        {"workers": 1},
        {"workers": 2},
        {"workers": 3, "executor": "threads"},
        {"executor": "threads"},
    ],
)
def test_any_executor_gives_the_same_rows(
    how: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    sweep(small(), store=tmp_path / "runs.sqlite", **how)
    assert export(tmp_path / "runs.sqlite") == expected


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process of its own."""
    with cluster(tmp_path_factory.mktemp("dask"), workers=2) as made:
        yield made.address


def test_dask_s_workers_give_the_same_rows(dask: str, expected: str, tmp_path: Path) -> None:
    sweep(small(), store=tmp_path / "runs.sqlite", scheduler=dask)
    assert export(tmp_path / "runs.sqlite") == expected


def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.workers.dask.CONNECT_S", 1)
    with pytest.raises(SpecError, match="cannot be reached"):
        sweep(small(), scheduler="tcp://127.0.0.1:1")


def test_a_row_is_what_simulate_says() -> None:
    spec = small(workloads="gemm:64x48x96", patterns="2:4", parameters={"core.count": [3]})
    (row,) = sweep(spec).rows
    machine = load_hardware("nm-edge", {"core.count": 3})
    report = simulate(machine, "gemm:64x48x96", "2:4")
    total = report.total
    assert (row.hardware, row.workload, row.pattern) == ("nm-edge", "gemm:64x48x96", "2:4")
    assert (row.settings, row.executed_as, row.error) == ({"core.count": 3}, "2:4 x1", None)
    assert (row.time_ps, row.cycles, row.macs) == (total.time_ps, total.cycles, total.macs)
    assert (row.energy_pj, row.bound) == (total.energy_pj, total.bound)
    assert row.mac_utilization == total.mac_utilization
    dram = total.traffic_bytes["dram"].values()
    assert row.dram_bytes == sum(way["read"] + way["written"] for way in dram)


def test_a_point_that_fails_is_a_row_with_its_error() -> None:
    rows = sweep(small()).rows
    failed = [row for row in rows if row.error is not None]
    assert {row.settings["core.scratchpad.bytes"] for row in failed} == {100}
    assert all("bytes too small" in str(row.error) for row in failed)
    assert all(row.time_ps is None and row.energy_pj is None for row in failed)


class AccountError(SimulatorError):
    """A report that refuses to exist."""


@pytest.mark.parametrize("where", ["simulate", "relative_area"])
def test_any_error_of_a_point_is_its_row_s(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = getattr(row_module, where)

    def refuse(machine: Any, *args: Any, **options: Any) -> Any:
        if machine != "nm-edge" and machine.core.count == 4:  # what warms the kernels up
            raise AccountError("layer g", "operand busy ratio is above 1", got=1.52)
        return whole(machine, *args, **options)

    monkeypatch.setattr(row_module, where, refuse)
    wanted = small(parameters={"core.count": [1, 4]}, search={"trials": 8, "batch": 4})
    rows = sweep(wanted, executor="serial").rows
    errors = {(row.settings["core.count"], row.error) for row in rows}
    assert errors == {(1, None), (4, "layer g: operand busy ratio is above 1, got 1.52")}
    for trial in search(wanted, executor="serial").trials:
        assert (trial.values is None) == (trial.settings["core.count"] == 4)


def test_a_figure_that_is_no_number_is_an_error_of_its_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    area = float("nan")
    monkeypatch.setattr(row_module, "relative_area", lambda _: area)
    rows = sweep(small(parameters={}), store=tmp_path / "s", executor="serial").rows
    assert all(str(row.error).endswith("area_mm2 is no number, got nan") for row in rows)
    assert sweep(small(parameters={}), store=tmp_path / "s", executor="serial").known == len(rows)


def test_a_combination_that_no_machine_can_have_is_a_row_with_its_error() -> None:
    parameters = {
        "core.tensor_cores.instructions.fp16.n": [8, 16],
        "core.tensor_cores.instructions.fp16.n_step": [8, 16],
    }
    rows = sweep(small(workloads="gemm:64x48x96", patterns="1:1", parameters=parameters)).rows
    errors = [row.error for row in rows]
    assert [error is None for error in errors] == [True, False, True, True]
    assert errors[1] is not None
    assert errors[1].endswith("n_step must divide n = 8")


def test_a_rerun_computes_nothing_and_a_larger_one_only_what_is_missing(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    first = sweep(small(), store=store)
    assert (first.computed, first.known) == (16, 0)
    again = sweep(small(), store=store)
    assert (again.computed, again.known, again.rows) == (0, 16, first.rows)
    more = small(patterns=["1:1", "1:4", "2:4"])
    third = sweep(more, store=store)
    assert (third.computed, third.known, len(third.rows)) == (8, 16, 24)


def test_a_store_that_grew_is_one_that_was_made_at_once(tmp_path: Path) -> None:
    sweep(small(patterns=["2:4"]), store=tmp_path / "grown.sqlite")
    sweep(small(), store=tmp_path / "grown.sqlite")
    sweep(small(), store=tmp_path / "whole.sqlite")
    assert export(tmp_path / "grown.sqlite") == export(tmp_path / "whole.sqlite")


def test_one_machine_reached_by_other_keys_is_one_row(tmp_path: Path) -> None:
    store = tmp_path / "runs.sqlite"
    one = small(workloads="gemm:64x48x96", patterns="2:4")
    base = load_hardware("nm-edge")
    cores, size = base.core.count, base.memory.l2.bytes
    sweep(one | {"parameters": {"core.count": [cores]}}, store=store)
    other = sweep(one | {"parameters": {"memory.l2.bytes": [size]}}, store=store)
    assert (other.computed, other.known) == (0, 1)
    assert other.rows[0].settings == {"core.count": cores, "memory.l2.bytes": size}


def test_whole_numbers_and_floats_are_one_machine() -> None:
    key = "core.scratchpad.bytes_per_cycle"
    spec = small(workloads="gemm:64x48x96", patterns="2:4")
    one = sweep(spec | {"parameters": {key: [64]}}).rows
    assert one == sweep(spec | {"parameters": {key: [64.0]}}).rows


def test_points_that_a_sample_draws_twice_are_computed_once() -> None:
    sample = {"points": 12, "seed": 3}
    result = sweep(small(parameters={"core.count": [1, 2]}, sample=sample))
    assert (len(result.rows), result.computed) == (8, 8)


def test_parameters_of_workloads_are_combined_and_named() -> None:
    choice = {"workload": "bert-base", "parameters": {"batch": 1, "seq": [4, 8]}}
    rows = sweep(small(workloads=[choice], patterns="2:4", parameters={})).rows
    assert [row.workload for row in rows] == [
        "bert-base[batch=1,seq=4]",
        "bert-base[batch=1,seq=8]",
    ]
    assert rows[1].macs == load_workload("bert-base", batch=1, seq=8).macs


def test_objects_instead_of_names() -> None:
    machine, workload = load_hardware("nm-edge"), load_workload("gemm:64x48x96")
    spec = SweepSpec(hardware=machine, workloads=(workload,), patterns=("2:4",))  # type: ignore[arg-type]
    named = {"hardware": "nm-edge", "workloads": "gemm:64x48x96", "patterns": "2:4"}
    assert sweep(spec).rows == sweep(named).rows


def test_the_trace_s_own_pattern_and_the_reference_engine() -> None:
    both = [
        sweep(small(patterns=[None], parameters={}, engine=engine)).rows
        for engine in ("fast", "reference")
    ]
    assert [row.time_ps for row in both[0]] == [row.time_ps for row in both[1]]
    assert {row.pattern for row in both[0]} == {None}
    assert {row.key for row in both[0]}.isdisjoint(row.key for row in both[1])


def test_progress_counts_every_point(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    for _ in range(2):
        seen.clear()
        sweep(small(), store=tmp_path / "s", progress=lambda *state: seen.append(state))
        assert seen[-1] == (16, 16)
        assert seen == sorted(seen)


def test_a_frame_has_a_column_a_parameter_and_typed_figures() -> None:
    frame = sweep(small(parameters={"core.count": [1, 2], "sparsity.skip": ["none"]})).to_frame()
    assert list(frame["core.count"].unique()) == [1, 2]
    assert str(frame["core.count"].dtype) == str(frame["time_ps"].dtype) == "Int64"
    assert str(frame["energy_pj"].dtype) == "float64"
    assert set(frame["sparsity.skip"]) == {"none"}
    assert (frame["time_ns"] * 1000 == frame["time_ps"]).all()


def test_a_number_that_no_store_holds_is_an_error_of_its_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("simulator.exploration.row.LARGEST", 1000)
    rows: tuple[Row, ...] = sweep(small(parameters={})).rows
    assert all("too large to keep" in str(row.error) for row in rows)


def test_an_area_is_one_machine_s_whatever_runs_on_it() -> None:
    areas = {
        count: relative_area(load_hardware("nm-edge", {"core.count": count})) for count in (1, 4)
    }
    rows = sweep(small(parameters={"core.count": [1, 4]})).rows
    assert {(row.settings["core.count"], row.area_mm2) for row in rows} == set(areas.items())
    wanted = {"objectives": ["time_ns", "area_mm2"], "trials": 6, "batch": 2}
    found = search(small(parameters={"core.count": [1, 4]}, search=wanted), executor="serial")
    for trial in found.trials:  # of one machine, however many workloads run on it
        assert trial.values is not None
        assert trial.values[1] == areas[trial.settings["core.count"]]


# Workers that cannot work

UNGUARDED = """
import json, pathlib
from simulator import sweep
sweep(json.loads(pathlib.Path("spec.json").read_text()), workers=2)
"""


def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(small()))
    (tmp_path / "script.py").write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    # The interpreter may still have something to say of the workers that never started.
    said = [line for line in done.stderr.splitlines() if "__name__ == '__main__'" in line]
    assert said


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_sweep_with_one_line(tmp_path: Path) -> None:
    store, killed = tmp_path / "runs.sqlite", []

    def kill_a_worker(done: int, _points: int) -> None:
        if done > 4 and not killed:
            worker = multiprocessing.active_children()[0]
            killed.append(worker.pid)
            worker.kill()

    cores = {"core.count": {"start": 1, "stop": 150, "step": 1}}
    with pytest.raises(SpecError, match="a worker process died"):
        sweep(small(parameters=cores), store=store, workers=2, progress=kill_a_worker)
    with Runs(store, must_exist=True) as opened:
        kept = len(opened.rows())
    assert kept > 4
    again = sweep(small(parameters=cores), store=store, executor="serial")
    assert (again.known, again.computed) == (kept, 600 - kept)
