"""Is every damaged file read or refused? `make fuzz` asks for longer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).with_name("fuzz.py")
pytestmark = pytest.mark.slow


def test_damaged_files_are_read_or_refused_in_one_line() -> None:
    """In a process of its own, which forks, limits its memory and watches what it opens."""
    done = subprocess.run(
        [sys.executable, FUZZ, "--seconds", "1", "--seed", "2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert len(rows) == 9
    assert all(int(row[1].replace(",", "")) > 0 for row in rows)


PLANTED = """
import ctypes, dataclasses, os, pathlib, pickle, subprocess, sys, time, warnings
sys.path.insert(0, sys.argv[1])
import fuzz
from simulator.errors import SimulatorError

def nameless():
    raise SimulatorError("a", "b")

PLANTS = (
    lambda: ctypes.string_at(0), lambda: warnings.warn("x"), lambda: open("/etc/passwd").close(),
    lambda: pickle.loads(pickle.dumps(os.getcwd)), lambda: {}["x"], nameless,
    lambda: subprocess.run(["true"]), lambda: b"x" * (200 * 2**20), lambda: time.sleep(60),
)
COUNT = pathlib.Path(sys.argv[2])

def change(random, originals):
    number = int(COUNT.read_text()) if COUNT.exists() else 0
    COUNT.write_text(str(number + 1))
    return str(number).encode()

def read(path, random):
    number = int(path.read_text())
    if number < len(PLANTS):
        PLANTS[number]()

fuzz.HANGS_AFTER_S = 4
fuzz.MEMORY_BYTES = 2**27  # less than in earnest, which takes seconds on a full machine
fuzz.FORMATS["native"] = dataclasses.replace(
    fuzz.FORMATS["native"], seeds=lambda _: [b""], change=change, read=read
)
fuzz.mutate.damaged = change
fuzz._warm_up = lambda: None
sys.argv = ["fuzz", "native", "--seconds", "20"]
sys.exit(fuzz.main())
"""


def test_it_finds_what_it_looks_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, FUZZ.parent, tmp_path / "count"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    for what in ("SIGSEGV", "UserWarning", "opens /etc/passwd", "pickle.find_class", "KeyError",
                 "names no file", "hangs", "subprocess.Popen", " MiB"):  # fmt: skip
        assert what in done.stdout
