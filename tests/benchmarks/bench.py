"""`make bench`: how speed and memory grow, both engines, and starts from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from speed import A100, NMSIM, program_of
from table import HEAD, child, peak_mib, row, seconds, timed

from simulator import Gemm, Workload, load_hardware, simulate
from simulator.engine import fast, reference


def engine_rows() -> None:
    hardware = load_hardware(A100)
    small = program_of(hardware, 1024, 1024, 1024)
    slow_us = timed(lambda: reference.run(small)) / small.stage_events * 1e6
    row("SimPy engine, A100 1024^3, us a stage", slow_us, "<= 80", 1)
    for m, n, k in ((1024,) * 3, (2048,) * 3, (8192,) * 3, (16384,) * 3, (65536, 32768, 49152)):
        program = program_of(hardware, m, n, k)
        runs = 5 if program.stage_events < 10**7 else 1
        cost = seconds(lambda p=program: fast.run(p), runs) / program.stage_events * 1e9
        row(f"fast engine, {program.stage_events:,} stages, ns a stage", cost, "<= 50", 1)


def gemm(size: int, accuracy: str) -> object:
    workload = Workload("one", [Gemm("gemm", m=size, n=size, k=size)])
    return simulate(A100, workload, accuracy=accuracy)


def gemm_rows() -> None:
    for size, reach in ((16384, "<= 50"), (32768, "<= 50"), (65536, "<= 500")):
        cost = seconds(lambda s=size: gemm(s, "sampled"), 5)
        row(f"sampled, A100 {size}^3, ms", cost * 1e3, reach, 0)
    for size, accuracy in ((8192, "exact"), (16384, "exact"), (65536, "sampled")):
        done = child([sys.executable, __file__, str(size), accuracy])
        row(f"resident, A100 {size}^3, {accuracy}, MiB", done.peak_mib, "<= 400", 0)


def command_rows() -> None:
    help_s = seconds(lambda: subprocess.run([NMSIM, "--help"], check=True, capture_output=True), 5)
    row("nmsim --help, s", help_s, "<= 0.3")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder))}
        command = [NMSIM, "run", A100, "resnet50"]
        first_s = timed(
            lambda: subprocess.run(command, check=True, capture_output=True, env=environment)
        )
        row("nmsim run, ResNet-50, with an empty kernel cache, s", first_s, "<= 8", 1)


def main() -> None:
    if len(sys.argv) > 1:
        gemm(int(sys.argv[1]), sys.argv[2])
        print(peak_mib())
        return
    print(HEAD)
    engine_rows()
    gemm_rows()
    command_rows()


if __name__ == "__main__":
    main()
