"""`make bench`: speed, as medians, and as ratios in one run where two things are compared.

Fails if the fast engine is slower than 1.5 times the hand-written C loop.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

from c_loop import compile_loop, run_loop

from simulator import Gemm, Hardware, Workload, load_hardware, load_workload, simulate
from simulator.engine import fast, reference
from simulator.schedule.program import Program, gemm_program
from simulator.schedule.ranking import candidates
from simulator.sparsity import DENSE
from simulator.workload.lowering import lower

SLOWEST_RATIO = 1.5
NMSIM = str(Path(sys.executable).with_name("nmsim"))


def seconds(action: Callable[[], object], runs: int = 7) -> float:
    """Median wall time of an action, after one run that does not count."""
    action()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return median(times)


def program_of(hardware: Hardware, m: int, n: int, k: int) -> Program:
    library = hardware.libraries[hardware.library.dense]
    problem = lower(Gemm("gemm", m=m, n=n, k=k), DENSE, hardware).problem
    mapping = next(c for c in candidates(hardware, library, problem) if c.splits == 1)
    order = problem.swapped() if mapping.swapped else problem
    return gemm_program(hardware, library, order, mapping)


def row(what: str, reach: str, seen: str) -> None:
    print(f"{what:58} {reach:>22} {seen:>22}")


def engine_rows(hardware: Hardware) -> float | None:
    """Nanoseconds a stage of both engines and of the C loop; returns fast over C."""
    large, small = (program_of(hardware, *(3 * [size])) for size in (8192, 1024))
    fast_s = seconds(lambda: fast.run(large))
    fast_ns = fast_s / large.stage_events * 1e9
    row("fast engine, A100 8192^3, ns a stage", "<= 50", f"{fast_ns:.1f}")
    started = time.perf_counter()
    reference.run(small)
    slow_us = (time.perf_counter() - started) / small.stage_events * 1e6
    row("SimPy engine, A100 1024^3, us a stage", "<= 80", f"{slow_us:.1f}")
    row("SimPy over fast, a stage", ">= 500", f"{slow_us * 1e3 / fast_ns:,.0f}")
    with tempfile.TemporaryDirectory() as folder:
        library = compile_loop(Path(folder))
        if library is None:
            row("C loop", "-", "no gcc here")
            return None
        loops = [run_loop(library, large) for _ in range(7)]
    assert loops[0][:2] == (fast.run(large).makespan_ps, fast.run(large).evictions)
    loop_s = median(loop[2] for loop in loops)
    row("C loop, the same run, ns a stage", "-", f"{loop_s / large.stage_events * 1e9:.1f}")
    row("fast over C", "<= 1.25", f"{fast_s / loop_s:.2f}")
    return fast_s / loop_s


def growth_rows(hardware: Hardware) -> None:
    for m, n, k in ((1024,) * 3, (2048,) * 3, (8192,) * 3, (16384,) * 3, (65536, 32768, 49152)):
        program = program_of(hardware, m, n, k)
        runs = 5 if program.stage_events < 10**7 else 1
        cost = seconds(lambda p=program: fast.run(p), runs) / program.stage_events * 1e9
        row(f"fast engine, {program.stage_events:,} stages, ns a stage", "flat", f"{cost:.1f}")


def network_rows(hardware: Hardware) -> None:
    workload = load_workload("resnet50")
    whole = seconds(lambda: simulate(hardware, workload), 15)
    row("ResNet-50 batch 1, in process, ms", "<= 25", f"{whole * 1e3:.1f}")
    layers = {replace(x, name="layer", repeat=1) for x in workload.layers}
    alone = [Workload("one", [layer]) for layer in layers]
    costs = [seconds(lambda one=one: simulate(hardware, one)) for one in alone]
    row(f"one of its {len(layers)} unique layers, median, ms", "<= 1", f"{median(costs) * 1e3:.2f}")


MEMORY = """
import resource, sys
from simulator import Gemm, Workload, load_hardware, simulate
size = int(sys.argv[1])
workload = Workload("one", [Gemm("gemm", m=size, n=size, k=size)])
simulate(load_hardware("a100-sxm4-80gb"), workload, accuracy=sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def memory_rows() -> None:
    for size, accuracy in ((8192, "exact"), (16384, "exact"), (65536, "sampled")):
        command = [sys.executable, "-c", MEMORY, str(size), accuracy]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        row(f"resident, A100 {size}^3, {accuracy}, MiB", "<= 400", f"{float(done.stdout):.0f}")


def sampled_rows(hardware: Hardware) -> None:
    for size, reach in ((16384, "<= 50"), (32768, "<= 50"), (65536, "<= 500")):
        workload = Workload("one", [Gemm("gemm", m=size, n=size, k=size)])
        cost = seconds(lambda w=workload: simulate(hardware, w, accuracy="sampled"), 5)
        row(f"sampled, A100 {size}^3, ms", reach, f"{cost * 1e3:.0f}")


def command_rows() -> None:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        command = [NMSIM, "run", "a100-sxm4-80gb", "resnet50"]
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        cost = time.perf_counter() - started
        row("the same with an empty kernel cache, s", "<= 8", f"{cost:.1f}")
    for what, reach, command in (
        ("nmsim run a100-sxm4-80gb resnet50, s", "<= 1.0", ["run", "a100-sxm4-80gb", "resnet50"]),
        ("nmsim --help, s", "<= 0.3", ["--help"]),
    ):
        done = [NMSIM, *command]
        cost = seconds(lambda c=done: subprocess.run(c, check=True, capture_output=True), 5)
        row(what, reach, f"{cost:.2f}")


def main() -> int:
    hardware = load_hardware("a100-sxm4-80gb")
    row("what", "reach", "seen")
    ratio = engine_rows(hardware)
    growth_rows(hardware)
    network_rows(hardware)
    sampled_rows(hardware)
    memory_rows()
    if shutil.which(NMSIM):
        command_rows()
    if ratio is not None and ratio > SLOWEST_RATIO:
        print(f"The fast engine is {ratio:.2f} times as slow as the C loop: too slow.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
