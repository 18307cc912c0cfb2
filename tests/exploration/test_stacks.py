"""Do sweeps, searches and stores know stacks?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from specs import small

from simulator import SpecError, StoreError, search, simulate, sweep
from simulator.workload import Gemm, Stream, Workload

NET = Workload(
    "net",
    [
        *(Gemm(name, 32, 16, 64, inputs=("input",)) for name in ("query", "key")),
        Gemm("out", 32, 16, 32, inputs=("query",)),
        Stream("gelu", 512, 512, op="gelu", inputs=("out",)),
    ],
    stack="fused",
)


def spec(**changes: object) -> dict[str, object]:
    one = small(workloads=[NET], parameters={"core.count": [1, 2]})
    return one | changes


def test_a_stack_is_a_column_and_a_row_is_what_simulate_says() -> None:
    found = sweep(spec(stack=["eager", "fused", "listed"]))
    frame = found.to_frame()
    assert len(frame) == 2 * 3 * 2
    assert list(frame.columns[:4]) == ["hardware", "workload", "stack", "pattern"]
    assert dict(zip(frame["stack"], frame["kernels"], strict=True)) == {
        "eager": 4, "fused": 2, "listed": 4
    }  # fmt: skip
    row = next(row for row in found.rows if row.settings == {"core.count": 2})
    alone = sweep(spec(stack=row.stack, parameters={"core.count": [2]}, patterns=row.pattern))
    assert alone.rows[0].time_ps == row.time_ps


def test_without_one_a_workload_s_own_is_run() -> None:
    own = sweep(spec(parameters={}))
    assert {row.stack for row in own.rows} == {"fused"}
    assert own.rows == sweep(spec(parameters={}, stack="fused")).rows
    report = simulate("nm-edge", NET, "2:4")
    assert own.rows[1].time_ps == report.total.time_ps
    assert own.rows[1].kernels == report.total.kernels == 2


def test_stacks_have_keys_and_speed_ups_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    first = sweep(spec(stack="fused"), store=path)
    both = sweep(spec(stack=["fused", "eager"]), store=path)
    assert (first.computed, both.computed, both.known) == (4, 4, 4)
    frame = both.to_frame()
    assert (frame[frame["pattern"] == "1:1"]["speedup"] == 1).all()


@pytest.mark.parametrize(
    ("stack", "want"),
    [("fusd", r"unknown stack, want eager, compiled, fused, listed, got 'fusd' "),
     (["eager", "eager"], r"the same stack twice, got 'eager'"),
     ([3], r"stack")],
)  # fmt: skip
def test_wrong_stacks_are_refused(stack: object, want: str) -> None:
    with pytest.raises(SpecError, match=want):
        sweep(spec(stack=stack))


def test_a_search_takes_one_stack() -> None:
    wanted = {"trials": 4, "batch": 2, "objectives": ["time_ns"]}
    found = search(spec(stack="eager", search=wanted), executor="serial")
    assert len(found.trials) == 4
    with pytest.raises(SpecError, match=r"stack: a search takes one stack, got 'eager, fused'"):
        search(spec(stack=["eager", "fused"], search=wanted))


def test_a_store_without_stacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    sweep(spec(), store=path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 3")
    with pytest.raises(StoreError, match="want 4, got 3"):
        sweep(spec(), store=path)
