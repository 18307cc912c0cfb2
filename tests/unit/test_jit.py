"""Do kernels say the same when nothing compiles them, as under `make coverage`?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from simulator import simulate
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
