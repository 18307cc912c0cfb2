"""What the C loop's parts cost: the loop with a part left out, or done twice, beside the whole.

A part left out may change what is computed, so that such a loop runs for its time alone: it is held
only to as many stages. Differences do not add up to the whole, since a core overlaps what it waits
for. Times are CPU time; the least of several runs, by turns.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from c_loop import compile_loop, run_loop
from speed import A100, program_of

from simulator import load_hardware

ROUNDS = 9

VARIANTS = {
    "the loop": (),
    "blocks' tables in the first-level cache": ("HOT_TABLES",),
    "no recency list, nothing evicted": ("NO_RECENCY",),
    "both": ("HOT_TABLES", "NO_RECENCY"),
    "no counters": ("NO_COUNTERS",),
    "no far half of L2": ("NO_HALVES",),
    "the winner tree updated twice": ("TREE_TWICE",),
    "next blocks of a core asked for ahead": ("PREFETCH",),
}
"""Macros that `loop.c` knows, by what they leave out or add."""


def main() -> int:
    program = program_of(load_hardware(A100), 8192, 8192, 8192)
    with tempfile.TemporaryDirectory() as folder:
        loops = {}
        for number, (what, macros) in enumerate(VARIANTS.items()):
            place = Path(folder) / str(number)
            place.mkdir()
            loops[what] = compile_loop(place, macros)
        if None in loops.values():
            print("no gcc here")
            return 0
        best = dict.fromkeys(VARIANTS, float("inf"))
        for _ in range(ROUNDS):
            for what, loop in loops.items():
                assert loop is not None
                best[what] = min(best[what], run_loop(loop, program)[2])
    whole = best["the loop"]
    print(f"{'A100 8192^3':44} ns a stage   share of the loop")
    for what, cost in best.items():
        print(f"{what:44} {cost / program.stage_events * 1e9:10.1f} {cost / whole:19.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
