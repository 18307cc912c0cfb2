"""Do `nmsim sweep`, `search`, `results` and `pareto` do what their help says?"""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

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
    monkeypatch.setattr("simulator.exploration.executors.CONNECT_S", 1)
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
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "long.yaml",
        "runs.sqlite",
        "sweep.yaml",
    ]
