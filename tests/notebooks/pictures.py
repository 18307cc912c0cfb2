"""Draw the pictures of README: `make pictures`.

Each carries what it says, and the test of a notebook that simulates the same compares it.
"""

from __future__ import annotations

from pathlib import Path

from kept import drawn

from simulator import compare, load_workload

CORE_TIME = Path(__file__).parents[2] / "notebooks/core_time.png"
PATTERNS = ["1:1", "2:4", "1:4", "2:8", "1:8"]


def main() -> None:
    gpt3 = compare("nm-flex", load_workload("gpt3-175b-prefill"), PATTERNS, accuracy="sampled")
    CORE_TIME.write_bytes(drawn(gpt3.plot_core_time()))


if __name__ == "__main__":
    main()
