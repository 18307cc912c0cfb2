"""Is a study that is killed at any moment, and run again, the same as one that nobody disturbed?"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from perceptron import inputs_file, perceptron

from simulator import QualityStudy, measure_quality
from simulator.quality.study import QualityResult

KILLS = 10
STUDY = """
import sys
sys.path[:0] = {paths}
from test_quality_kill import study
from simulator import measure_quality

print("begun", flush=True)
left = [int(sys.argv[1])]


def progress(settled, rows, doing):
    if left and settled >= left[0]:
        left.clear()
        print("working", flush=True)


measure_quality(study(), store="killed.sqlite", progress=progress)
"""


def study() -> QualityStudy:
    """Some dozens of rows of a few hundredths of a second."""
    return QualityStudy(
        "made.onnx",
        patterns=["1:2", "2:4", "1:4", "3:4", "4:8", "2:8", "unstructured:0.5"],
        methods=["magnitude", "wanda", "sparsegpt"],
        calibrate="x.npz",
        each_layer=True,
        parameters={"samples": 8},
    )


def start(rows: int) -> subprocess.Popen[bytes]:
    """A study in a process of its own that has settled so many rows; none: that has begun."""
    code = STUDY.format(paths=[path for path in sys.path if path])
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(rows)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    wanted = b"working" if rows else b"begun"
    while (line := process.stdout.readline().strip()) != wanted:
        assert line, process.communicate()[1].decode()
    return process


def keys() -> set[bytes]:
    """What is committed, read without the code under test; twice is once too often."""
    if not Path("killed.sqlite").exists():
        return set()
    connection = sqlite3.connect("killed.sqlite")
    try:
        found = [key for (key,) in connection.execute("SELECT key FROM measured")]
    except sqlite3.OperationalError:  # killed before the table was there
        return set()
    finally:
        connection.close()
    assert len(set(found)) == len(found)
    return set(found)


def figures(result: QualityResult) -> list[object]:
    """All of a row but how long it took."""
    return [(row.key, row.figures, row.layers, row.nonzeros, row.provenance) for row in result.rows]


@pytest.mark.slow
def test_ten_kills_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    perceptron(tmp_path / "made.onnx")
    inputs_file(tmp_path / "x.npz")
    whole = measure_quality(study(), store="undisturbed.sqlite")
    random, before, sizes = np.random.default_rng(7), set[bytes](), []
    for number in range(KILLS):
        rows = 0 if number % 5 == 0 else len(before) + int(random.integers(1, 4))
        process = start(rows)
        time.sleep(random.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        after = keys()
        assert before <= after
        before = after
        sizes.append(len(after))
    assert len(set(sizes) - {0, len(whole.rows)}) >= 5, sizes
    last = measure_quality(study(), store="killed.sqlite")
    assert (last.computed, last.known) == (len(whole.rows) - len(before), len(before))
    assert figures(last) == figures(whole)
    assert last.to_csv() == whole.to_csv()
    assert len(keys()) == len(whole.rows) == 43
