"""Is training that is killed at any moment, and run again, the same as undisturbed training?"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.quality.measured import Qualities
from simulator.training.choice import Choice
from simulator.training.execute import train
from simulator.training.tasks import load_task

KILLS = 10
TRAIN = """
import json
import sys
import time
from simulator.training.execute import train
SPEC = json.loads(sys.argv[3])
print("begun", flush=True)


def progress(done, networks):
    print("working", flush=True)
    time.sleep(0.1)  # these networks are trained in less time than a kill needs


if __name__ == "__main__":
    train(SPEC, store=sys.argv[1], workers=int(sys.argv[2]), progress=progress)
"""
TASK = """
import numpy


def task():
    with numpy.load("digits.npz") as file:
        return tuple(file.values())
"""
"""The digits; to import scikit-learn takes a process longer than its training."""

SPEC: dict[str, Any] = {
    "task": "kept_digits:task", "network": {"mlp": {"width": 32, "depth": 1}}, "dense": "head",
    "epochs": 1, "seeds": 2, "patterns": ["3:4", "2:4", "1:4", "1:8"],
    "recipes": ["dense", "rewind", "one_shot"],
}  # fmt: skip


def killed(store: Path, workers: int, networks: int, delay_s: float) -> None:
    """Start, and kill with all children, some moments after so many networks are settled."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(store), str(workers), json.dumps(SPEC)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(1 + networks):
        assert process.stdout.readline() or process.wait() == 0, process.communicate()[1]
    time.sleep(delay_s)
    with suppress(ProcessLookupError):  # it may have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def keys(store: Path) -> set[bytes]:
    """What is committed, read without the code under test; twice is once too often."""
    if not store.exists():
        return set()
    connection = sqlite3.connect(store)
    try:
        found = [key for (key,) in connection.execute("SELECT key FROM measured")]
    except sqlite3.OperationalError:  # killed before the table was there
        return set()
    finally:
        connection.close()
    assert len(set(found)) == len(found)
    return set(found)


def figures(store: Path) -> list[Any]:
    with Qualities(store, must_exist=True) as opened:
        return [(row.key, row.figures, row.layers, row.trace, row.nonzeros) for row in
                opened.rows()]  # fmt: skip


@pytest.mark.slow
def test_ten_kills_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kept_digits.py").write_text(TASK)
    digits = load_task(Choice("digits"), tmp_path)
    np.savez("digits.npz", digits.x_train, digits.y_train, digits.x_test, digits.y_test)
    undisturbed = tmp_path / "undisturbed.sqlite"
    whole = train(SPEC, store=undisturbed, workers=1)
    store, random = tmp_path / "killed.sqlite", np.random.default_rng(7)
    before: set[bytes] = set()
    sizes = []
    for number in range(KILLS):
        starts = len(list(Path(f"{store}.networks").glob("*.npz")))  # settled at once
        networks = starts + int(random.integers(0, 4))
        killed(store, 2 if number == 4 else 1, networks, random.uniform(0, 0.3))
        after = keys(store)
        assert before <= after
        before = after
        sizes.append(len(after))
    assert len(set(sizes) - {0, len(whole.runs)}) >= 3, sizes
    last = train(SPEC, store=store, workers=1)
    assert last == whole
    assert last.to_csv() == whole.to_csv()
    assert figures(store) == figures(undisturbed)
    assert len(keys(store)) == len(whole.runs)
