"""`make bench-peers`: SCALE-Sim 3.0.0 and nmsim on the same GEMMs, each in its own environment.

They model different machines, so that cycles are not to be compared, only what happens to them as
the pattern changes, and the time that an answer takes:

* SCALE-Sim: one systolic array, address by address, weights and activations compressed alike; its
  sparsity is one ratio a layer, or a random one a row.
* nmsim: nm-edge, cores with scratchpads and register files that load whole groups of activations.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from simulator import Gemm, Workload, load_hardware, simulate

PATTERNS = ("1:1", "2:4", "1:8")
SIZES = (256, 1024)
REQUIREMENTS = ("scalesim==3.0.0", "numpy<2.4")

CONFIG = """
[general]
run_name = run
[architecture_presets]
ArrayHeight: 32
ArrayWidth: 32
IfmapSramSzkB: 256
FilterSramSzkB: 256
OfmapSramSzkB: 256
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 32
Dataflow: ws
MemoryBanks: 1
ReadRequestBuffer: 512
WriteRequestBuffer: 512
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 32
IfmapSRAMBankNum: 32
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 32
FilterSRAMBankNum: 32
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: {sparse}
SparseRep: ellpack_block
OptimizedMapping: false
BlockSize: 8
RandomNumberGeneratorSeed: 40
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def environment(folder: Path) -> Path:
    """A virtual environment with the peer; its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *REQUIREMENTS], check=True)
    return python


def peer(python: Path, size: int, pattern: str, limit_s: float) -> tuple[float, str]:
    """Seconds of the whole command, and the cycles that it reports."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "run.cfg").write_text(CONFIG.format(sparse=str(pattern != "1:1").lower()))
        header = "Layer, M, N, K, Sparsity,\n"
        (folder / "gemm.csv").write_text(f"{header}gemm, {size}, {size}, {size}, {pattern},\n")
        (folder / "layout.csv").write_text("Layer,\n" + "gemm," + "1," * 20 + "\n")
        command = [python, "-m", "scalesim.scale", "-c", "run.cfg", "-t", "gemm.csv",
                   "-l", "layout.csv", "-p", "out", "-i", "gemm", "-s", "N"]  # fmt: skip
        started = time.perf_counter()
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            return limit_s, "stopped"
        seconds = time.perf_counter() - started
        reports = list(folder.rglob("COMPUTE_REPORT.csv"))
        if done.returncode or not reports:
            return seconds, "failed: " + (done.stderr.strip().splitlines() or ["no report"])[-1]
        rows = list(csv.reader(reports[0].open()))
        names = [name.strip().lower() for name in rows[0]]
        cycles = next(at for at, name in enumerate(names) if name.startswith("total cycles"))
        return seconds, f"{float(rows[1][cycles]):,.0f}"


def ours(size: int, pattern: str) -> tuple[float, str]:
    """Seconds of a simulation in process, kernels compiled, and its cycles."""
    hardware = load_hardware("nm-edge")
    workload = Workload("one", [Gemm("gemm", m=size, n=size, k=size)])
    simulate(hardware, workload, pattern)
    started = time.perf_counter()
    report = simulate(hardware, workload, pattern)
    return time.perf_counter() - started, f"{report.total.cycles:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--limit", type=float, default=600, help="seconds for one run of the peer")
    parser.add_argument("--environment", type=Path, default=Path(".venv-peers"))
    given = parser.parse_args()
    python = environment(given.environment)
    print((__doc__ or "").split("\n\n", maxsplit=1)[1])
    print(f"{'GEMM':10} {'pattern':8} {'SCALE-Sim s':>12} {'cycles':>14} {'nmsim s':>10} "
          f"{'cycles':>14} {'times faster':>14}")  # fmt: skip
    for size in SIZES:
        for pattern in PATTERNS:
            mine, my_cycles = ours(size, pattern)
            seconds, cycles = peer(python, size, pattern, given.limit)
            print(f"{size:>6}^3   {pattern:8} {seconds:12.1f} {cycles:>14} {mine:10.4f} "
                  f"{my_cycles:>14} {seconds / mine:14,.0f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
