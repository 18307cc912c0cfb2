"""Did whole runs move? If they should, run this file and say why in CHANGELOG.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator import simulate

FILE = Path(__file__).parent / "runs.json"
RUNS = [
    ("nm-flex", "resnet50", "1:1"),
    ("nm-flex", "resnet50", "2:4"),
    ("nm-flex", "resnet50", "1:8"),
    ("a100-sxm4-80gb", "bert-base", "2:4"),
    ("a100-sxm4-80gb", "gpt3-175b-decode", "2:4"),
    ("h100-sxm", "gemm:4096x4096x4096", "2:4"),
    ("v100-sxm2", "gemm:4096x4096x4096", "1:1"),
    ("rtx3090", "gemm:1024x4096x4096", "2:4"),
    ("nm-edge", "mobilenetv2", "1:4"),
]


def figures(hardware: str, workload: str, pattern: str) -> dict[str, int]:
    """Cycles, DRAM bytes read and stages of a run."""
    report = simulate(hardware, workload, pattern, allow_overflow="gpt3" in workload)
    dram = report.total.traffic_bytes["dram"].values()
    return {
        "cycles": report.total.cycles,
        "dram_read_bytes": sum(ways["read"] for ways in dram),
        "stages": sum(layer.stages * layer.repeat for layer in report.layers),
    }


@pytest.mark.parametrize(("hardware", "workload", "pattern"), RUNS)
def test_run_is_as_recorded(hardware: str, workload: str, pattern: str) -> None:
    recorded = json.loads(FILE.read_text())[f"{hardware} {workload} {pattern}"]
    assert figures(hardware, workload, pattern) == recorded


if __name__ == "__main__":
    FILE.write_text(json.dumps({" ".join(run): figures(*run) for run in RUNS}, indent=2) + "\n")
