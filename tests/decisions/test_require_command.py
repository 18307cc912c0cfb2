"""Does `nmsim require` say what it takes, write a machine that runs, and refuse in one line?"""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from simulator import load_hardware, simulate
from simulator.cli import requiring
from simulator.decisions.requirement import require as asked
from simulator.decisions.requirement import steps
from simulator.exploration.runs import RUNS
from tests.cli.test_cli import NMSIM, Nmsim, fine, nmsim

__all__ = ["nmsim"]  # the fixture

GEMM = "gemm:512x512x512"
ASKED = ["require", "nm-flex", GEMM, "--pattern", "1:8", "--speedup"]
PRICES = "scratchpad rate: area\nDRAM: 0.25\nL2 rate: 0.1\nport: 0.05\n"
COMMON = ["--prices", "prices.yaml"]


@pytest.fixture(autouse=True)
def prices(nmsim: Nmsim) -> None:
    """A table of few prices in the folder where commands run."""
    del nmsim
    Path("prices.yaml").write_text(PRICES)


def test_a_sentence_a_table_a_picture_and_a_machine(nmsim: Nmsim) -> None:
    ended = fine(nmsim(*ASKED, "1.6", *COMMON, "-o", "mine.yaml", "--plot", "p.svg"))
    first, second, third, empty, head, *rows = ended.text.splitlines()
    assert first.startswith("1:8 reaches 1.6")
    assert "core.scratchpad.bytes_per_cycle" in first
    assert first.endswith("without any one step it misses 1.60x.")
    assert second.startswith("The pattern takes ")
    assert "of the grid were tried." in third
    assert (empty, head.split()[:2]) == ("", ["resource", "keys"])
    assert rows[0].startswith("scratchpad rate  core.scratchpad.bytes_per_cycle")
    assert "What it takes" in Path("p.svg").read_text()
    written = Path("mine.yaml").read_text()
    assert written.splitlines()[1:3] == ['base: "nm-flex"', 'name: "mine"']
    data = json.loads(fine(nmsim(*ASKED, "1.6", *COMMON, "--format", "json")).text)
    run = ["run", "mine.yaml", GEMM, "--pattern", "1:8", "--format", "json"]
    assert json.loads(fine(nmsim(*run)).text)["total"]["time_ns"] == data["time_after_ns"]
    assert {row["key"]: row["after"] for row in data["changes"]} == data["settings"]


def test_a_machine_over_a_file_and_what_was_set(nmsim: Nmsim) -> None:
    """The base is found from where the machine is written, and holds what --set said."""
    Path("below").mkdir()
    Path("base.yaml").write_text("base: nm-flex\nclock_hz: 1000000000\n")
    asked = ["require", "base.yaml", GEMM, "--pattern", "1:8", "--speedup", "1.5", *COMMON]
    fine(nmsim(*asked, "--set", "core.count=100", "-o", "below/m.yaml"))
    machine = load_hardware("below/m.yaml")
    assert (machine.clock_hz, machine.core.count) == (1000000000, 100)
    before = load_hardware("base.yaml", {"core.count": 100})
    gain = simulate(before, GEMM).total.time_ns / simulate(machine, GEMM, "1:8").total.time_ns
    assert gain >= 1.5


def test_changes_as_csv(nmsim: Nmsim) -> None:
    ended = fine(nmsim(*ASKED, "1.6", *COMMON, "--format", "csv"))
    frame = pd.read_csv(io.BytesIO(ended.out))
    assert list(frame.columns) == [
        "resource", "key", "before", "after", "factor", "price", "speedup_without",
    ]  # fmt: skip
    assert (frame["speedup_without"] < 1.6).all()


def test_out_of_reach_ends_with_2_and_no_machine(nmsim: Nmsim) -> None:
    ended = nmsim(*ASKED, "50", *COMMON, "--most", "2", "-o", "m.yaml")
    assert (ended.code, ended.err) == (2, "")
    verdict, _, stopped, none, *_ = ended.text.splitlines()
    assert verdict.startswith("1:8 does not reach 50.00x dense as it is on nm-flex")
    assert stopped.startswith("At most it is bound by ")
    assert none == "No machine is written to m.yaml."
    assert not Path("m.yaml").exists()


def test_what_is_reached_already_is_one_sentence(nmsim: Nmsim) -> None:
    ended = fine(nmsim(*ASKED, "1.01", *COMMON, "-o", "m.yaml"))
    assert ended.text.count("\n") == 1
    assert "nothing needs to change" in ended.text
    assert load_hardware("m.yaml").core == load_hardware("nm-flex").core


def test_runs_are_kept_and_listed(nmsim: Nmsim) -> None:
    first = fine(nmsim(*ASKED, "1.6", *COMMON, "--store", "r.sqlite"))
    again = fine(nmsim(*ASKED, "1.6", *COMMON, "--store", "r.sqlite"))
    assert again.text == first.text
    rows = json.loads(fine(nmsim("results", "r.sqlite", "--format", "json")).text)
    assert {row["pattern"] for row in rows} == {"1:1", "1:8"}


def test_control_c_says_what_is_kept_and_the_same_command_goes_on() -> None:
    """On more machines than fit into the time until the signal."""
    asked = [NMSIM, *ASKED, "3", "--store", "r.sqlite", "--tries", "200"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for _ in range(600):
            if Path("r.sqlite").exists() and _rows("r.sqlite") >= 3:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    said = err.decode()
    assert said.startswith("nmsim: stopped after ")
    assert "kept in r.sqlite, and the same command goes on from there" in said
    assert _rows("r.sqlite") >= 3


def _rows(store: str) -> int:
    count = f"SELECT count(*) FROM {RUNS.table}"
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            return int(connection.execute(count).fetchone()[0])
    except sqlite3.Error:
        return 0


BAD = {
    "no ratio": ([*ASKED, "0"], "--speedup: not a speed-up, want a number above 0, got 0.0"),
    "not a number": ([*ASKED, "nan"], "--speedup: not a speed-up"),
    "a word": ([*ASKED, "fast"], "Invalid value for '--speedup'"),
    "no target": (ASKED[:-1], "Missing option '--speedup'"),
    "dense": (["require", "nm-flex", GEMM, "--pattern", "1:1", "--speedup", "2"], "is dense"),
    "no pattern": (["require", "nm-flex", GEMM, "--pattern", "8", "--speedup", "2"], "--pattern"),
    "unknown key": ([*ASKED, "2", "--free", "core.cuont"], "--free: neither a resource nor a key"),
    "no prices": ([*ASKED, "2", "--prices", "no.yaml"], "no.yaml: cannot be read"),
    "wrong prices": ([*ASKED, "2", "--prices", "bad.yaml"], "bad.yaml:1:1 DRAMS: no such resource"),
    "most": ([*ASKED, "2", "--most", "1"], "--most: not a factor"),
    "of": ([*ASKED, "2", "--of", "dense"], "--of: unknown, want as-is or changed, got 'dense'"),
    "no machine file": ([*ASKED, "2", "-o", "m.json"], "want .yaml or .yml, got '.json'"),
    "over the prices": ([*ASKED, "2", *COMMON, "-o", "prices.yaml"], "is read by this command"),
    "over the machine": (
        ["require", "own.yaml", GEMM, "--pattern", "1:8", "--speedup", "2", "-o", "own.yaml"],
        "-o own.yaml: is read by this command, and would be lost",
    ),
    "over the store": (
        [*ASKED, "2", "--store", "m.yaml", "-o", "m.yaml"], "is the file of",
    ),
    "a picture": ([*ASKED, "2", "--plot", "p.txt"], "--plot p.txt: unknown format"),
    "a format": ([*ASKED, "2", "--format", "xml"], "--format: unknown format"),
    "no workers": ([*ASKED, "2", *COMMON, "--workers", "0"], "--workers: out of range"),
    "no tries": ([*ASKED, "2", "--tries", "0"], "--tries: must be at least 1"),
    "no library": ([*ASKED, "2", "--library", "x"], "the machine has no such library"),
    "no stack": ([*ASKED, "2", "--stack", "x"], "x"),
    "nothing to keep dense": ([*ASKED, "2", "--dense", "fc"], "finds no layer that has weights"),
}  # fmt: skip


@pytest.mark.parametrize(("command", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(nmsim: Nmsim, command: list[str], said: str) -> None:
    Path("bad.yaml").write_text("DRAMS: 0.2\n")
    Path("own.yaml").write_text("base: nm-flex\n")
    before = {path.name for path in Path().iterdir()}
    ended = nmsim(*command)
    assert ended.code == 2
    assert ended.out == b""
    assert said in ended.err
    assert ended.err.startswith("nmsim: ")
    assert ended.err.count("\n") == 1
    assert {path.name for path in Path().iterdir()} == before
    assert Path("prices.yaml").read_text() == PRICES
    assert Path("own.yaml").read_text() == "base: nm-flex\n"


def test_help_does_not_load_what_simulates() -> None:
    code = "import sys; from simulator.cli import requiring; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=True, env={**os.environ})  # fmt: skip
    assert done.stdout == "False\n"


def test_defaults_of_the_command_are_those_of_the_function() -> None:
    assert (requiring.MOST, requiring.TRIES) == (steps.MOST, asked.TRIES)
