"""The hand-written C loop: compiled with gcc, run on the same program as the fast engine."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from simulator.engine.fast import NEVER, block_table, stage_table
from simulator.schedule.program import Program

SOURCE = Path(__file__).with_name("loop.c")


def compile_loop(folder: Path, macros: Iterable[str] = ()) -> ctypes.CDLL | None:
    """The loop as a library, as `loop_costs` varies it; None where there is no compiler."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "loop.so"
    flags = ["-O3", "-march=native", "-shared", "-fPIC", "-std=c11"]
    flags += [f"-D{macro}" for macro in macros]
    subprocess.run([compiler, *flags, "-o", library, SOURCE], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.run.restype = ctypes.c_int64
    return loaded


def run_loop(library: ctypes.CDLL, program: Program) -> tuple[int, int, float]:
    """Makespan in picoseconds, evictions, and CPU seconds that the loop took."""
    grid = program.grid
    assert grid.splits == grid.count == program.accumulator_sets == 1
    assert not program.prefetch
    assert not program.writes_to_dram
    assert not program.is_masked
    cores, blocks = program.cores, program.block_class.size
    core_bits = max(1, (cores - 1).bit_length())
    leaves = 1 << (cores - 1).bit_length()
    values = (
        cores, core_bits, grid.rows, grid.columns, grid.stages, grid.columns_base,
        grid.outputs_base, program.stage_buffers, program.issue_ps, program.drain_ps,
        program.l2_bytes, program.l2_latency_ps, program.far_latency_ps, program.halves,
        program.dram_latency_ps, not program.fits_l2, grid.tiles,
    )  # fmt: skip
    k = np.array(values, dtype=np.int64)
    times = np.ascontiguousarray(stage_table(program))
    costs = np.ascontiguousarray(block_table(program))
    evictions = np.zeros(1, dtype=np.int64)
    arrays = (
        k,
        program.queues.tiles,
        times,
        costs,
        program.block_class,
        np.zeros((cores, 24), dtype=np.int64),
        np.zeros((cores, program.stage_buffers, 4), dtype=np.int64),
        np.full((blocks + 1, 2), blocks, dtype=np.int32),
        np.zeros(blocks, dtype=np.uint8),
        np.zeros(blocks, dtype=np.int64),
        np.full(2 * leaves, NEVER, dtype=np.int64),
    )
    stages, counts = np.zeros((cores, 8), dtype=np.int64), np.zeros((5, 16), dtype=np.int64)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in arrays]
    started = time.process_time()
    makespan = library.run(
        *pointers,
        ctypes.c_int64(leaves),
        stages.ctypes.data_as(ctypes.c_void_p),
        counts.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_int64(blocks),
        evictions.ctypes.data_as(ctypes.c_void_p),
    )
    return makespan, int(evictions[0]), time.process_time() - started
