"""Is a sweep that is killed at any moment, and run again, the same as one that nobody disturbed?"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from specs import small
from test_sweep import export

from simulator import sweep
from simulator.exploration.runs import Runs

KILLS = 20
SWEEP = """
import sys
from simulator import sweep
from simulator.store import store
from test_kill import spec

store.COMMIT_S = 0.01  # so that many a kill falls into a commit
print("begun", flush=True)
left = [int(sys.argv[3])]


def progress(done, points):
    if left and done >= left[0]:
        left.clear()
        print("working", flush=True)


sweep(spec(), store=sys.argv[1], executor=sys.argv[2], workers=2, progress=progress)
"""


def spec() -> dict[str, Any]:
    """Some seconds of points, a quarter of which fail."""
    return small(
        patterns=["1:1", "1:2", "1:4", "2:4"],
        parameters={
            "core.count": [1, 2, 3, 4],
            "core.scratchpad.bytes": [100, 32768, 65536, 131072],
            "core.port_bytes_per_cycle": {"start": 8, "stop": 17, "step": 1},
        },
    )


def start(store: Path, executor: str, points: int) -> subprocess.Popen[bytes]:
    """A sweep in a process of its own that has settled so many points; none: that has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", SWEEP, str(store), executor, str(points)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parent,
    )
    assert process.stdout is not None
    wanted = b"working" if points else b"begun"
    while (line := process.stdout.readline().strip()) != wanted:
        assert line, process.communicate()[1].decode()
    return process


def children(process: int) -> list[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(number) for number in text.split()]


def keys(store: Path) -> set[bytes]:
    """What is committed, read without the code under test; twice is once too often."""
    if not store.exists():
        return set()
    connection = sqlite3.connect(store)
    try:
        found = [key for (key,) in connection.execute("SELECT key FROM points")]
    except sqlite3.OperationalError:  # killed before the table was there
        return set()
    finally:
        connection.close()
    assert len(set(found)) == len(found)
    return set(found)


@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    undisturbed = tmp_path / "undisturbed.sqlite"
    whole = sweep(spec(), store=undisturbed, executor="serial")
    store, random = tmp_path / "killed.sqlite", np.random.default_rng(7)
    before: set[bytes] = set()
    sizes = []
    for number in range(KILLS):
        executor = "processes" if number % 4 == 3 else "serial"
        some = int(random.integers(1, max(2, (len(whole.rows) - len(before)) // 10)))
        points = 0 if number % 5 == 0 else len(before) + some
        process = start(store, executor, points)
        time.sleep(random.uniform(0, 0.3 if number % 5 == 0 else 0.05))
        workers = children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        after = keys(store)
        assert before <= after
        before = after
        sizes.append(len(after))
        assert all_end(workers)
    assert len(set(sizes) - {0, len(whole.rows)}) >= 8, sizes
    last = sweep(spec(), store=store, executor="serial")
    assert (last.computed, last.known) == (len(whole.rows) - len(before), len(before))
    assert export(store) == export(undisturbed)
    assert len(keys(store)) == len(whole.rows)


def all_end(processes: list[int]) -> bool:
    """Whether workers follow their parent."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(runs(process) for process in processes):
            return True
        time.sleep(0.02)
    return False


def runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_store_that_was_killed_before_its_table_stood_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    assert path.stat().st_size
    assert sweep(small(), store=path).computed == 16
    with Runs(path, must_exist=True) as opened:
        assert len(opened.rows()) == 16
