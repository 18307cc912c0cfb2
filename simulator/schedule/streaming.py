"""What chunks of a streaming layer take in a core: how they pass it, and what is computed of them.

A chunk passes the scratchpad while lanes compute: several thread blocks share a core, so that one
loads while another computes, and whichever takes longer counts. What waits is a row whose sum must
be known before it goes on: its threads exchange partial sums in a tree, one after another.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np

from simulator.hardware import Hardware
from simulator.schedule.blocks import NO_WORK
from simulator.schedule.classes import STAGE_CLASSES, StageClass
from simulator.schedule.partition import TileGrid
from simulator.schedule.tables import StageTables, int_array
from simulator.schedule.timing import StageCost
from simulator.units import DTYPE_BITS, bits_to_bytes, ceil_div, cycles_to_ps, exact
from simulator.workload.layer import Stream
from simulator.workload.operators import operator_of

STREAM_CHUNK_BYTES: Final = 16384
"""Model: a streaming kernel's thread block moves 16 KiB: 1024 threads of one 16-byte vector."""

THREAD_BYTES: Final = 16
"""Model: a thread holds one vector of a row."""

MOST_THREADS: Final = 1024
"""Of a thread block (CUDA C++ Programming Guide), and so of a row."""


def reduction_cycles(hardware: Hardware, row_bytes: int) -> Fraction:
    """How long a row waits for a sum over all of it: a tree of exchanges between its threads.

    Model: an exchange takes as long as the scratchpad, through whose banks it goes, as NVIDIA's
    shuffles do; rows that share a core wait side by side.
    """
    threads = min(MOST_THREADS, ceil_div(row_bytes, THREAD_BYTES))
    return (threads - 1).bit_length() * exact(hardware.core.scratchpad.latency_cycles)


def stream_grid(layer: Stream) -> TileGrid:
    """Chunks of a layer: a row of tiles each, a pass over it a column; the last pass writes."""
    chunk = STREAM_CHUNK_BYTES * 8 // DTYPE_BITS[layer.dtype]
    # Model: the larger side is cut into chunks; each has its share of the smaller side.
    larger = max(layer.reads, layer.writes)
    tile_m = ceil_div(larger, ceil_div(larger, chunk))
    return TileGrid(larger, layer.passes, 1, 1, tile_m, 1, 1, has_columns=False)


def stream_stages(
    hardware: Hardware, grid: TileGrid, layer: Stream, shared_bytes: int | None
) -> StageTables:
    """Chunks that pass the core, whole or as shares of so many bytes."""
    bits = DTYPE_BITS[layer.dtype]
    works, costs = [], []
    known: dict[tuple[int, ...], StageCost] = {}  # edges are often whole chunks
    for edges in STAGE_CLASSES:
        size = bits_to_bytes(grid.extent("m", edges.last_row) * bits)
        if shared_bytes is not None:
            size = ceil_div(shared_bytes, grid.rows)
        times = 1 + _sums(layer, edges) if layer.passes == 1 else 1
        works.append(
            replace(NO_WORK, rows_bytes=size, rows_read_bytes=times * size, rows_fill_bytes=size)
        )
        moved = works[-1].read_bytes, size, _sums(layer, edges)
        if moved not in known:
            known[moved] = _cost(hardware, layer, *moved)
        costs.append(known[moved])
    port_ps = int_array([hardware.port_rate.ps(work.rows_bytes) for work in works])
    return StageTables(tuple(works), tuple(costs), port_ps, np.zeros_like(port_ps))


def _sums(layer: Stream, edges: StageClass) -> int:
    """Sums over rows that a pass waits for: all of them, or one of each pass but the last."""
    if layer.passes == 1:
        return operator_of(layer.op).reductions
    return int(not edges.last_column)


def _cost(
    hardware: Hardware, layer: Stream, read_bytes: int, chunk_bytes: int, sums: int
) -> StageCost:
    """Of a chunk that is read from the scratchpad, and whose rows wait for so many sums."""
    unit, operator, bits = hardware.core.vector, operator_of(layer.op), DTYPE_BITS[layer.dtype]
    computed = waits = Fraction(0)
    if unit is not None:
        elements = Fraction(chunk_bytes * 8, bits * layer.passes)
        computed = unit.cycles(elements * exact(operator.macs), elements * exact(operator.specials))
        row_bytes = chunk_bytes if layer.row is None else bits_to_bytes(layer.row * bits)
        # A row of several chunks waits once, for all of them.
        share = min(Fraction(1), Fraction(chunk_bytes, row_bytes))
        waits = sums * share * reduction_cycles(hardware, row_bytes)
    passed = read_bytes / hardware.scratchpad_bytes_per_cycle

    def ps(cycles: Fraction) -> int:
        return cycles_to_ps(cycles, hardware.clock_hz)

    stage_ps = max(1, ps(max(passed, computed) + waits))
    barrier_ps = min(stage_ps, ps(waits))
    return StageCost(
        stage_ps,
        mac_ps=0,
        scratchpad_ps=ps(passed),
        operand_ps=0,
        barrier_ps=barrier_ps,
        prologue_ps=hardware.cycles_ps(hardware.core.scratchpad.latency_cycles),
        vector_ps=ps(computed),
        # Either lanes take longer than the chunk's passing, or they hide behind it.
        vector_stall_ps=stage_ps - barrier_ps if computed > passed else 0,
    )
