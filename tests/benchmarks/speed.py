"""`make bench`: how fast nmsim is, as medians, and as ratios where two things are compared.

Fails if the fast engine is slower than 1.5 times the hand-written C loop.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from statistics import median

import files
import sweep
from c_loop import compile_loop, run_loop
from table import HEAD, child, peak_mib, row, seconds, timed

from simulator import Gemm, Hardware, load_hardware, load_workload, simulate
from simulator.engine import fast
from simulator.schedule.program import Program, gemm_program
from simulator.schedule.ranking import candidates
from simulator.sparsity import DENSE
from simulator.workload.lowering import lower

A100 = "a100-sxm4-80gb"
SLOWEST_RATIO = 1.5
NMSIM = str(Path(sys.executable).with_name("nmsim"))
TENSORS, TENSOR_BYTES = 16, 2**27


def program_of(hardware: Hardware, m: int, n: int, k: int) -> Program:
    library = hardware.libraries[hardware.library.dense]
    problem = lower(Gemm("gemm", m=m, n=n, k=k), DENSE, hardware).problem
    mapping = next(c for c in candidates(hardware, library, problem) if c.splits == 1)
    order = problem.swapped() if mapping.swapped else problem
    return gemm_program(hardware, library, order, mapping)


def event_rows() -> float | None:
    """An event of the fast engine beside one of the C loop, by turns; returns the ratio.

    In CPU time, since either may be interrupted.
    """
    large = program_of(load_hardware(A100), 8192, 8192, 8192)
    known = fast.run(large)
    with tempfile.TemporaryDirectory() as folder:
        library = compile_loop(Path(folder))
        if library is None:
            print("no C loop: no gcc here")
            return None
        assert run_loop(library, large)[:2] == (known.makespan_ps, known.evictions)
        leaps, ratios = fast.LEAP_EVENTS, []
        for what, fewest in (("event by event", 10**18), ("in leaps", leaps)):
            fast.LEAP_EVENTS = fewest
            pairs = [
                (timed(lambda: fast.run(large), time.process_time), run_loop(library, large)[2])
                for _ in range(15)
            ]
            fast_s, loop_s = (median(times) for times in zip(*pairs, strict=True))
            ratios.append(median(one / other for one, other in pairs))
            row(f"exact, A100 8192^3, {what}, over the C loop", ratios[-1], "<= 1.06")
            row(f"exact, {what}, ns a stage", fast_s / large.stage_events * 1e9, digits=1)
    row("C loop, ns a stage", loop_s / large.stage_events * 1e9, "<= 25", digits=1)
    return ratios[0]


def network_row() -> None:
    """No two runs are of one machine, so that nothing is known from the one before."""
    workload, numbers = load_workload("resnet50"), count(1)
    base = load_hardware(A100)

    def once() -> object:
        rate = base.memory.dram.bytes_per_second + 10**6 * next(numbers)
        dram = base.memory.dram.model_copy(update={"bytes_per_second": rate})
        memory = base.memory.model_copy(update={"dram": dram})
        return simulate(base.model_copy(update={"memory": memory}), workload)

    row("ResNet-50 in process, warm, fresh machine, ms", seconds(once, 25) * 1e3, "<= 8", 1)


def sweep_rows() -> None:
    """By turns, and the best of each: what else runs here slows both down, but not equally."""
    rates = [(sweep.rate(sweep.POINTS, 2), sweep.rate(sweep.FEWER, 1)) for _ in range(2)]
    two, one = (max(x.points_per_second for x in way) for way in zip(*rates, strict=True))
    row(f"sweep, {sweep.POINTS:,} x ResNet-50, 2 workers, points/s", two, ">= 200", 1)
    row("sweep, 2 workers over 1", two / one, ">= 1.85")


def layers(number: int) -> None:
    """In a process of its own: so many layers, none like another."""
    simulate(A100, files.distinct_layers(number))
    print(peak_mib())


def layer_rows() -> None:
    one, many = (child([sys.executable, __file__, str(number)]) for number in (1, 10_000))
    row("10^4 distinct layers, s", many.seconds - one.seconds, "<= 15", 1)
    row("  beyond one layer, MiB", many.peak_mib - one.peak_mib, "<= 150", 0)


def command_rows() -> None:
    run = [NMSIM, "run", A100, "resnet50"]
    row("nmsim run, ResNet-50, whole process, s", seconds(lambda: child(run), 7), "<= 0.6")
    with tempfile.TemporaryDirectory() as folder:
        trace, csv = Path(folder) / "trace.json", Path(folder) / "trace.csv"
        files.profiler_trace(trace, 10**6)
        row("profiler trace of 10^6 events, s",
            child([NMSIM, "import", str(trace), "-o", str(csv)]).seconds, "<= 15", 1)  # fmt: skip
        trace.unlink()
        source, target = Path(folder) / "a.safetensors", Path(folder) / "b.safetensors"
        prune = [NMSIM, "prune", str(source), "-o", str(target)]
        files.weights(source, 1, 2**20)
        small = child(prune)
        files.weights(source, TENSORS, TENSOR_BYTES)
        large = child(prune)
        row("2 GiB of weights pruned, s", large.seconds, "<= 40", 1)
        beyond = large.peak_mib - small.peak_mib - (TENSOR_BYTES >> 20)
        row("  beyond the largest tensor, MiB", beyond, "<= 1024", 0)


def main() -> int:
    if len(sys.argv) > 1:
        layers(int(sys.argv[1]))
        return 0
    print(HEAD)
    ratio = event_rows()
    network_row()
    sweep_rows()
    layer_rows()
    command_rows()
    if ratio is not None and ratio > SLOWEST_RATIO:
        print(f"The fast engine is {ratio:.2f} times as slow as the C loop: too slow.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
