"""What is refused before time zero: what would fit neither in memory nor in an event key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from simulator.errors import MappingError, WorkloadError
from simulator.hardware import Hardware
from simulator.schedule.capacity import overflow_hint
from simulator.schedule.partition import TileGrid

if TYPE_CHECKING:
    from simulator.schedule.program import Program

MAX_STATE_BYTES: Final = 4 * 2**30
MAX_STAGES: Final = 10**10
KEY_BITS: Final = 63
KIND_BITS: Final = 2
"""Of a packed event key, which holds time, then kind, then core; and of the kind."""


def check_size(grid: TileGrid, lines: int = 0, streaming: str | None = None) -> None:
    """Refuse what would not fit in memory, before anything is allocated.

    ``lines`` are those that all clusters work on at a time.
    """
    blocks = grid.count * (grid.rows * grid.row_blocks + grid.columns * grid.stages)
    blocks += grid.outputs + grid.tiles
    # A block takes a class, a 32-byte record and, at its peak, an id; a stage of a line of a
    # cluster 24 bytes; a tile an id in its queue.
    need = blocks * 48 + lines * grid.stages * 24 + grid.tiles * 40
    if need > MAX_STATE_BYTES or grid.stage_events > MAX_STAGES:
        raise WorkloadError(
            streaming or f"gemm {grid.m}x{grid.n}x{grid.k} x {grid.count}",
            f"too large to simulate: {grid.stage_events} stages, "
            f"{need / 2**30:.0f} GiB of engine state",
            want=f"at most {MAX_STAGES} stages and {MAX_STATE_BYTES // 2**30} GiB",
            hint="simulate a part of the layer",
        )


def check_dram(hardware: Hardware, need: int) -> None:
    """Refuse a layer whose operands and output exceed main memory."""
    room = hardware.memory.dram.bytes
    if need > room:
        raise MappingError(
            hardware.name,
            f"too large for the memory: operands and output need {need} bytes",
            want=f"at most memory.dram.bytes = {room}",
            hint=overflow_hint(need),
        )


def check_time(program: Program) -> None:
    """Refuse times that the packed event key could not hold: even if nothing ran in parallel."""
    dram = np.maximum(program.dram_ps, program.dram_write_ps)
    memory = 2 * sum(max(p.tolist()) for p in (dram, program.l2_ps, program.link_ps))
    latencies = program.l2_latency_ps + program.far_latency_ps + program.dram_latency_ps
    port = max(program.rows_port_ps.tolist()) + max(program.columns_port_ps.tolist())
    longest = max(program.stage_ps.tolist())
    per_stage_ps = longest + max(program.prologue_ps.tolist()) + port
    per_stage_ps += 2 * memory + 2 * latencies + program.issue_ps
    per_tile_ps = 2 * max(program.hold_ps.tolist()) + program.drain_ps + 2 * memory + latencies
    read = max(program.block_port_ps.tolist()) + 2 * memory + 2 * latencies
    per_tile_ps += (program.grid.splits + program.accumulates) * read
    serial = program.stage_events * per_stage_ps + program.grid.tiles * per_tile_ps
    serial += int(program.foreign[:, 1].sum())
    most_ps = 2 ** (KEY_BITS - KIND_BITS - max(1, (program.cores - 1).bit_length()))
    if serial >= most_ps:
        raise MappingError(
            "simulated time",
            f"could reach {serial / 1e12:.3g} s, more than an event key holds",
            want=f"less than {most_ps / 1e12:.3g} s",
            hint="check the bandwidths of the machine and the sizes of the layer",
        )
