"""Do kernels say the same when nothing compiles them, as under `make coverage`?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from simulator import simulate
from simulator.engine import fast
from simulator.weights.kernels import broken_groups, lane_slots, stage_slots

RUN = "from test_jit import figures; print(figures())"


def figures() -> list[object]:
    """Of every kernel that counts, at each width of a word, and of one run."""
    mask = np.random.default_rng(1).integers(0, 2, (40, 96), dtype=np.uint8)
    found: list[object] = []
    for group in (3, 4, 8, 16, 32):
        found += [lane_slots(mask, group, 4).tolist(), broken_groups(mask, 2, group)]
        found.append(stage_slots(np.packbits(mask, axis=1), group, 4, 2, k=96).tolist())
    total = simulate("nm-flex", "gemm:300x200x500", "2:8").total
    return [*found, total.cycles, total.slots_used]


def test_plain_python_counts_as_compiled_code_does_and_warns_of_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN],
        cwd=Path(__file__).parent,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.stdout) == ("", f"{figures()}\n")


LONG = """
from simulator import Mapping, simulate
mapping = Mapping(64, 64, 16, fragment_m=32, fragment_n=32)
begins = lambda *_: print("begins", flush=True)
simulate("nm-flex", "gemm:65536x65536x65536", mapping=mapping, progress=begins)
"""


def test_a_compiled_run_of_minutes_can_be_interrupted() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    time.sleep(4)  # in which the program is built and the kernel has begun
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=10)
    finally:
        process.kill()
    assert said.endswith("KeyboardInterrupt\n")


def test_a_long_run_says_what_a_short_one_says(monkeypatch: pytest.MonkeyPatch) -> None:
    found = simulate("nm-flex", "gemm:300x200x500", "2:8").to_json()
    monkeypatch.setattr(fast, "LONG_STAGES", 0)
    assert simulate("nm-flex", "gemm:300x200x500", "2:8").to_json() == found
