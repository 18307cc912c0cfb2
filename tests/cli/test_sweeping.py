"""Do `nmsim sweep`, `search`, `results` and `pareto` do what their help says?"""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_cli import NMSIM, SWEEP, Nmsim, fine, nmsim

from simulator import pareto_front, search, sweep

__all__ = ["nmsim"]  # the fixture

FAILING = SWEEP + "  core.scratchpad.bytes: [100, 65536]\n"
FAILING = FAILING.replace("search: {trials: 4, batch: 2}\n", "", 1)


@pytest.fixture(autouse=True)
def spec(nmsim: Nmsim) -> None:
    """A sweep of four points in the folder where commands run."""
    del nmsim
    Path("sweep.yaml").write_text(SWEEP)


def test_a_sweep_counts_its_points_and_shows_the_fastest(nmsim: Nmsim) -> None:
    text = fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite")).text
    assert text.startswith("4 points: 4 computed, 0 known before\n")
    frame = sweep("sweep.yaml").to_frame()
    best = frame[frame["pattern"] == "2:4"]["time_ns"].min()
    row = next(line for line in text.splitlines() if " 2:4 " in line)
    assert f"{best / 1e3:,.2f}" in row.split()
    assert "time µs" in text
    again = fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite")).text
    assert again.startswith("4 points: 0 computed, 4 known before\n")


def test_a_sweep_with_points_that_fail_tells_of_the_first(nmsim: Nmsim) -> None:
    Path("sweep.yaml").write_text(FAILING)
    text = fine(nmsim("sweep", "sweep.yaml")).text
    assert "8 points: 8 computed, 0 known before, 4 failed, the first with: " in text
    assert "bytes too small" in text.splitlines()[0]


def test_a_sweep_of_which_every_point_fails(nmsim: Nmsim) -> None:
    Path("sweep.yaml").write_text(SWEEP + "settings: {core.scratchpad.bytes: 100}\n")
    ended = fine(nmsim("sweep", "sweep.yaml"))
    assert ended.text.count("\n") == 1
    assert "4 failed" in ended.text


def test_results_in_every_format(nmsim: Nmsim) -> None:
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    frame = sweep("sweep.yaml").to_frame().sort_values(["pattern", "core.count"])
    csv = fine(nmsim("results", "runs.sqlite", "--format", "csv"))
    fine(nmsim("results", "runs.sqlite", "-o", "rows.csv"))
    assert Path("rows.csv").read_bytes() == csv.out
    fine(nmsim("results", "runs.sqlite", "-o", "rows.parquet"))
    rows = json.loads(fine(nmsim("results", "runs.sqlite", "--format", "json")).out)
    for read in (
        pd.read_csv(io.BytesIO(csv.out)),
        pd.read_parquet("rows.parquet"),
        pd.DataFrame(rows),
    ):
        assert list(read.columns) == list(frame.columns)
        assert list(read["time_ps"]) == list(frame["time_ps"])
        assert list(read["energy_pj"]) == list(frame["energy_pj"])
    table = fine(nmsim("results", "runs.sqlite")).text
    assert len(table.splitlines()) == 5


ROUTES = [["results", "runs.sqlite"], ["pareto", "runs.sqlite"]]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("kind", ["table", "json", "csv", "parquet"])
def test_a_changed_row_is_left_out_and_told_after_the_others(
    nmsim: Nmsim, route: list[str], kind: str
) -> None:
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    every = json.loads(fine(nmsim(*route, "--format", "json")).out)
    key = every[0]["key"]
    altered(f"UPDATE points SET time_ps = 1 WHERE hex(key) = '{key.upper()}'")
    ended = nmsim(*route, "--format", kind, "-o", "rows")
    assert (ended.code, ended.out) == (2, b"")
    assert ended.err.startswith("nmsim: runs.sqlite: 1 row does not match its checksum: row ")
    assert key[:12] in ended.err
    assert ended.err.count("\n") == 1
    if kind == "json":
        kept = [row["key"] for row in json.loads(Path("rows").read_text())]
        assert key not in kept
        assert route[0] == "pareto" or kept == [row["key"] for row in every[1:]]
    assert Path("rows").stat().st_size
    again = nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite")
    assert fine(again).text.startswith("4 points: 1 computed, 3 known before\n")
    assert again.text.count("does not match its checksum") == 1
    assert json.loads(fine(nmsim(*route, "--format", "json")).out) == every


def test_a_store_of_which_every_row_was_changed_writes_nothing(nmsim: Nmsim) -> None:
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    altered("UPDATE points SET bound = 'luck'")
    for route in ROUTES:
        ended = nmsim(*route, "-o", "rows.csv")
        assert (ended.code, ended.out) == (2, b"")
        assert "4 rows do not match their checksums" in ended.err
        assert not Path("rows.csv").exists()


def altered(statement: str) -> None:
    connection = sqlite3.connect("runs.sqlite")
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal", ".journal"])
def test_nothing_is_written_over_a_store_or_what_lies_beside_it(nmsim: Nmsim, end: str) -> None:
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    before = Path("runs.sqlite").read_bytes()
    for route in (["results", "runs.sqlite"], ["sweep", "sweep.yaml", "--store", "runs.sqlite"]):
        ended = nmsim(*route, "-o", f"runs.sqlite{end}")
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended
    assert Path("runs.sqlite").read_bytes() == before


SPEEDUPS = SWEEP.replace("[1:1, 2:4]", "[1:4, 2:4]")


def test_speedups_are_over_dense_else_over_the_first_else_over_what_a_spec_names(
    nmsim: Nmsim,
) -> None:
    def speedups(*arguments: str) -> dict[tuple[int, str], float]:
        rows = json.loads(fine(nmsim(*arguments, "--format", "json")).out)
        return {(row["core.count"], row["pattern"]): row["speedup"] for row in rows}

    found = speedups("sweep", "sweep.yaml", "--store", "runs.sqlite")
    assert {value for (_, pattern), value in found.items() if pattern == "1:1"} == {1.0}
    times = {
        (r.settings["core.count"], r.pattern): r.time_ps or 0 for r in sweep("sweep.yaml").rows
    }
    assert found == {
        (cores, pattern): times[cores, "1:1"] / time for (cores, pattern), time in times.items()
    }
    assert speedups("results", "runs.sqlite") == found
    Path("sweep.yaml").write_text(SPEEDUPS)
    first = speedups("sweep", "sweep.yaml")
    assert {value for (_, pattern), value in first.items() if pattern == "1:4"} == {1.0}
    Path("sweep.yaml").write_text(SPEEDUPS + 'baseline: "2:4"\n')
    named = speedups("sweep", "sweep.yaml", "--store", "other.sqlite")
    assert {value for (_, pattern), value in named.items() if pattern == "2:4"} == {1.0}
    assert speedups("results", "other.sqlite") == named
    best = fine(nmsim("pareto", "runs.sqlite", "--max", "speedup", "--format", "json")).out
    assert [row["speedup"] for row in json.loads(best)] == [max(found.values())]


def test_speedups_over_what_the_trace_says(nmsim: Nmsim) -> None:
    Path("sweep.yaml").write_text(SPEEDUPS.replace("patterns: [", "patterns: [trace, "))
    with Path("sweep.yaml").open("a") as spec:
        spec.write("baseline: trace\n")
    said = fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite")).text
    assert "speed-up over trace" in " ".join(said.split())
    asked = ("results", "runs.sqlite", "--pattern", "trace", "--format", "json")
    rows = json.loads(fine(nmsim(*asked)).out)
    assert {row["pattern"] for row in rows} == {None}
    assert {row["speedup"] for row in rows} == {1.0}


def test_speedups_without_a_baseline_are_missing(nmsim: Nmsim) -> None:
    Path("sweep.yaml").write_text(SPEEDUPS)
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    Path("sweep.yaml").write_text(FAILING)
    rows = json.loads(fine(nmsim("sweep", "sweep.yaml", "--format", "json")).out)
    assert all((row["speedup"] is None) == (row["error"] is not None) for row in rows)
    Path("sweep.yaml").write_text(SWEEP + "baseline: 1:8\n")
    ended = nmsim("sweep", "sweep.yaml")
    assert ended.code == 2
    assert "baseline: is none of the patterns" in ended.err


def test_pattern_filters_rows_and_keeps_their_speedups(nmsim: Nmsim) -> None:
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    every = json.loads(fine(nmsim("results", "runs.sqlite", "--format", "json")).out)
    for command in ("results", "pareto"):
        out = fine(nmsim(command, "runs.sqlite", "--pattern", "2:4", "--format", "json")).out
        rows = json.loads(out)
        assert rows
        assert {row["pattern"] for row in rows} == {"2:4"}
        speedups = {row["key"]: row["speedup"] for row in every}
        assert all(row["speedup"] == speedups[row["key"]] for row in rows)
        ended = nmsim(command, "runs.sqlite", "--pattern", "1:16")
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert "--pattern: no row has it" in ended.err
        assert "not a pattern" in nmsim(command, "runs.sqlite", "--pattern", "many").err
    both = fine(nmsim("results", "runs.sqlite", "--pattern", "2:4,1:1", "--format", "json")).out
    assert json.loads(both) == every


IDLE = SWEEP.replace("search:", "  memory.dram.bytes: [17179869184, 34359738368]\nsearch:")


def test_points_that_differ_in_idle_keys_are_one_row_of_a_front(nmsim: Nmsim) -> None:
    Path("sweep.yaml").write_text(IDLE)
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    front = pareto_front(sweep("sweep.yaml").to_frame())
    rows = json.loads(fine(nmsim("pareto", "runs.sqlite", "--format", "json")).out)
    assert 2 * len(rows) == len(front)
    assert {(row["ties"], row["idle"]) for row in rows} == {(2, "memory.dram.bytes")}
    text = fine(nmsim("pareto", "runs.sqlite")).text
    assert text.count("memory.dram.bytes (2 points)") == len(rows)
    for suffix in ("csv", "parquet"):
        fine(nmsim("pareto", "runs.sqlite", "-o", f"front.{suffix}"))
    for read in (pd.read_csv("front.csv"), pd.read_parquet("front.parquet")):
        assert list(read.columns) == list(rows[0])


SAMPLED = """
hardware: nm-edge
workloads: [gemm:64x48x96]
patterns: [1:1, 2:4]
parameters:
  core.count: {start: 1, stop: 6, step: 1}
constraints: [core.count <= 5]
sample: {points: 12}
"""


def test_a_sample_that_gets_fewer_machines_than_asked_for_says_so(nmsim: Nmsim) -> None:
    Path("sweep.yaml").write_text(SAMPLED)
    note = "sample: 5 machines of 12 asked for: constraints drop 2 and 5 are drawn twice"
    assert note in fine(nmsim("sweep", "sweep.yaml")).text.splitlines()
    ended = nmsim("sweep", "sweep.yaml", "--format", "csv")
    assert (ended.code, ended.err) == (0, f"nmsim: {note}\n")
    Path("sweep.yaml").write_text(SAMPLED.replace("points: 12", "points: 5").replace("6,", "5,"))
    assert "sample" not in fine(nmsim("sweep", "sweep.yaml")).text


def test_every_format_has_the_same_columns_and_one_type_a_column(nmsim: Nmsim) -> None:
    mixed = "  core.scratchpad.bytes_per_cycle: [64, 96.5]\n  sparsity.skip: [none, slots]\n"
    Path("sweep.yaml").write_text(FAILING + mixed)
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    rows = json.loads(fine(nmsim("results", "runs.sqlite", "--format", "json")).out)
    for suffix in ("csv", "parquet"):
        fine(nmsim("results", "runs.sqlite", "-o", f"rows.{suffix}"))
    csv, parquet = pd.read_csv("rows.csv"), pd.read_parquet("rows.parquet")
    assert {tuple(row) for row in rows} == {tuple(csv.columns)} == {tuple(parquet.columns)}
    for name in rows[0]:
        kinds = {type(row[name]) for row in rows if row[name] is not None}
        assert len(kinds) <= 1, (name, kinds)
        missing = [row[name] is None for row in rows]
        assert list(csv[name].isna()) == list(parquet[name].isna()) == missing
    schema = {field.name: str(field.type) for field in parquet_schema("rows.parquet")}
    assert "null" not in schema.values()
    assert schema["time_ps"] == schema["core.count"] == "int64"
    assert schema["core.scratchpad.bytes_per_cycle"] == schema["power_w"] == "double"
    assert "string" in schema["error"]


def parquet_schema(path: str) -> Any:
    from pyarrow import parquet

    return parquet.read_schema(path)


def test_a_sweep_can_write_its_rows_itself(nmsim: Nmsim) -> None:
    fine(nmsim("sweep", "sweep.yaml", "-o", "rows.csv"))
    assert list(pd.read_csv("rows.csv")["key"]) == list(sweep("sweep.yaml").to_frame()["key"])


def test_pareto_prints_the_front(nmsim: Nmsim) -> None:
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    options = ["--min", "time_ns", "--max", "mac_utilization", "--format", "json"]
    rows = json.loads(fine(nmsim("pareto", "runs.sqlite", *options)).out)
    front = pareto_front(sweep("sweep.yaml").to_frame(), ["time_ns"], ["mac_utilization"])
    assert [row["key"] for row in rows] == list(front["key"])
    text = fine(nmsim("pareto", "runs.sqlite")).text
    assert text.startswith("Pareto front\n")


def test_search_prints_the_front(nmsim: Nmsim) -> None:
    text = fine(nmsim("search", "sweep.yaml", "--executor", "serial")).text
    result = search("sweep.yaml", executor="serial")
    assert text.startswith(f"4 trials, 0 without figures, {len(result.front)} that none beats\n")
    read = json.loads(
        fine(nmsim("search", "sweep.yaml", "--executor", "serial", "--format", "json")).out
    )
    assert read == result.records()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sweep", "sweep.yaml", "--scheduler", ""], "--scheduler '': not an address"),
        (["search", "sweep.yaml", "--scheduler", "http://x y"], "not an address"),
        (["sweep", "none.yaml"], "none.yaml: cannot be read"),
        (["sweep", "sweep.yaml", "--executor", "clouds"], "unknown executor"),
        (["sweep", "sweep.yaml", "--workers", "0"], "--workers: out of range"),
        (["sweep", "sweep.yaml", "--store", "sweep.yaml"], "is read by this command"),
        (["sweep", "sweep.yaml", "-o", "sweep.yaml"], "is read by this command"),
        (["sweep", "sweep.yaml", "-o", "a.csv", "--store", "a.csv"], "is the file of -o, too"),
        (["sweep", "sweep.yaml", "-o", "no/rows.csv"], "its folder does not exist"),
        (["sweep", "sweep.yaml", "--format", "xml"], "unknown format"),
        (["sweep", "sweep.yaml", "--scheduler", "nonsense"], "--scheduler nonsense: "),
        (["results", "none.sqlite"], "none.sqlite: no such file"),
        (["results", "sweep.yaml"], "sweep.yaml: is not a database"),
        (["pareto", "runs.sqlite"], "runs.sqlite: no such file"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    nmsim: Nmsim, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.setattr("simulator.workers.dask.CONNECT_S", 1)
    ended = nmsim(*arguments)
    assert (ended.code, ended.out) == (2, b""), ended
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert Path("sweep.yaml").read_text() == SWEEP


def test_a_figure_that_does_not_exist(nmsim: Nmsim) -> None:
    fine(nmsim("sweep", "sweep.yaml", "--store", "runs.sqlite"))
    ended = nmsim("pareto", "runs.sqlite", "--min", "time_n")
    assert ended.code == 2
    assert "pareto time_n: no such column (did you mean 'time_ns'?)" in ended.err


@pytest.mark.parametrize("command", ["sweep", "search"])
@pytest.mark.parametrize(
    ("options", "done", "says"),
    [
        (["--store", "runs.sqlite"], 3, "after 3 of 8 {}: they are kept in runs.sqlite, and the"),
        ([], 3, "after 3 of 8 {}: they are lost, as no --store was named"),
        (["--store", "runs.sqlite"], 0, "after 0 of 8 {}: the same command starts anew"),
    ],
)
def test_ctrl_c_says_what_is_kept(
    nmsim: Nmsim,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    options: list[str],
    done: int,
    says: str,
) -> None:
    def interrupted(*_: Any, progress: Any, **__: Any) -> None:
        progress(done, 8)
        raise KeyboardInterrupt

    monkeypatch.setattr(f"simulator.exploration.{command}.{command}", interrupted)
    ended = nmsim(command, "sweep.yaml", *options)
    assert (ended.code, ended.out) == (130, b"")
    assert says.format({"sweep": "points", "search": "trials"}[command]) in ended.err
    assert ended.err.count("\n") == 1


LONG = SWEEP.replace("core.count: [2, 4]", "core.count: {start: 1, stop: 4000, step: 1}")


def test_a_sweep_on_a_terminal_shows_rate_and_time_left_and_ends_with_ctrl_c(
    tmp_path: Path,
) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    main, side = pty.openpty()
    process = subprocess.Popen(
        [NMSIM, "sweep", "long.yaml", "--store", "runs.sqlite", "--workers", "2"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=side,
        env={**os.environ, "COLUMNS": "120", "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(side)
    shown, deadline = b"", time.monotonic() + 60
    while b"/s " not in shown and time.monotonic() < deadline:
        shown += os.read(main, 4096)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    try:
        while piece := os.read(main, 4096):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(main)
    assert process.wait() == 130
    assert b"/8000" in shown
    assert b"left" in shown
    assert b"Traceback" not in shown
    said = shown.splitlines()[-1]
    assert b"nmsim: stopped after " in said
    assert b"of 8000 points: they are kept in runs.sqlite" in said
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "long.yaml",
        "runs.sqlite",
        "sweep.yaml",
    ]
