"""Which few mappings of attention are worth simulating: by a closed-form estimate of time."""

from __future__ import annotations

from typing import Final

from simulator.errors import MappingError
from simulator.hardware import Hardware
from simulator.hardware.attention import AttentionTile
from simulator.schedule.attention import (
    StageSides,
    attention_grid,
    attention_mapping,
    attention_stage,
    check_attention,
    takes_splits,
)
from simulator.schedule.closed_form import OUT_OF_STEP_RATIO
from simulator.schedule.mapping import Mapping, restart_ps
from simulator.schedule.partition import TileGrid
from simulator.schedule.ranking import SPLIT_WAVES
from simulator.units import ACCUMULATOR_BITS, bits_to_bytes, ceil_div
from simulator.workload.attention_problem import AttentionProblem

SIMULATED: Final = 8
"""How many mappings of the ranking are simulated, at most. On 1000 random layers, presets and
variations of them, the best of eight was within 2 % of the best of all offered in 997, and within
16 % in all; the best of three in 981, and within 75 %."""

SPLIT_TILES, SPLIT_STAGES = 2, 40_000
"""Of so many of the best tiles all splits are simulated as well, each of no more stages."""


def attention_candidates(hardware: Hardware, problem: AttentionProblem) -> list[Mapping]:
    """The best few mappings that the machine's kernels offer, fastest estimate first.

    Raises
    ------
    MappingError
        If none of the tiles fits; it tells what the last one lacks.
    """
    ranked = attention_offer(hardware, problem)
    tiles = list(dict.fromkeys((one.tile_m, one.tile_k) for one in ranked))[:SPLIT_TILES]
    return [
        one
        for place, one in enumerate(ranked)
        if place < SIMULATED
        or (
            (one.tile_m, one.tile_k) in tiles
            and attention_grid(problem, one).stage_events <= SPLIT_STAGES
        )
    ]


def attention_offer(hardware: Hardware, problem: AttentionProblem) -> list[Mapping]:
    """All that the machine's kernels offer, fastest estimate first.

    A machine that holds all tiles of the heads' width runs one of those; one that does not, any
    tile of wider heads, too, so that with a little more room it is not left with worse ones.

    Raises
    ------
    MappingError
        If none of the tiles fits; it tells what the last one lacks.
    """
    found: list[Mapping] = []
    refusal: MappingError | None = None
    for tiles in hardware.attention.offered(problem.head_dim):
        for tile in tiles:
            mapping = attention_mapping(hardware, problem, tile)
            try:
                check_attention(hardware, problem, mapping)
            except MappingError as error:
                refusal = error
            else:
                found += _split(hardware, problem, tile)
        if refusal is None:
            break
    if not found:
        assert refusal is not None
        raise refusal
    times = {mapping: attention_ps(hardware, problem, mapping) for mapping in found}
    return sorted(found, key=lambda mapping: times[mapping])


def _split(hardware: Hardware, problem: AttentionProblem, tile: AttentionTile) -> list[Mapping]:
    """A tile with each number of splits that is worth ranking."""
    found = []
    for splits in sorted({1, *hardware.attention.splits}):
        mapping = attention_mapping(hardware, problem, tile, splits)
        grid = attention_grid(problem, mapping)
        few = splits == 1 or grid.tiles <= SPLIT_WAVES * hardware.core.count
        if few and takes_splits(grid):
            found.append(mapping)
    return found


def attention_ps(hardware: Hardware, problem: AttentionProblem, mapping: Mapping) -> float:
    """About how long a mapping takes, in picoseconds.

    Tiles at the slowest rate of core, port and L2, in waves of cores where they are equal, and no
    less than DRAM takes for what is moved once, before the last stage and epilogue.
    """
    grid, cores, splits = attention_grid(problem, mapping), hardware.core.count, mapping.splits
    inside = StageSides(grid.extent("m", False), grid.extent("k", False), True)
    work, cost = attention_stage(hardware, problem, mapping, inside)
    busy = min(grid.tiles, cores)
    near_ps = hardware.cycles_ps(hardware.memory.l2.latency_cycles)
    far_ps = max(near_ps, hardware.dram_latency_ps)

    def arriving_ps(size: int) -> int:
        """Of so many bytes for every core."""
        return max(hardware.port_rate.ps(size), hardware.l2_rate.ps(size * busy))

    moved_ps = arriving_ps(work.columns_bytes)
    waiting_ps = (near_ps + moved_ps + cost.stage_ps) / mapping.stage_buffers
    period_ps = max(cost.stage_ps, moved_ps, waiting_ps)
    epilogue_ps = _epilogue_ps(hardware, problem, mapping)
    first_ps = far_ps + arriving_ps(work.rows_bytes + work.columns_bytes) + cost.prologue_ps
    ends_ps = first_ps + epilogue_ps
    mean = grid.stage_events / grid.tiles
    longest = max(grid.row_ends, default=grid.stages) / splits
    if mean > 0.99 * longest:
        computed_ps = ceil_div(grid.tiles, cores) * (ends_ps + longest * period_ps)
    else:
        shared_ps = grid.tiles / cores * (ends_ps + mean * period_ps)
        longest_ps = ends_ps + longest * period_ps
        computed_ps = max(longest_ps, shared_ps + OUT_OF_STEP_RATIO * longest_ps)
    dram_ps = _dram_ps(hardware, problem, grid) + far_ps + cost.stage_ps + epilogue_ps
    return max(computed_ps, dram_ps) + (
        restart_ps(hardware, hardware.attention) if splits > 1 else 0
    )


def _epilogue_ps(hardware: Hardware, problem: AttentionProblem, mapping: Mapping) -> float:
    """Of a tile: its outputs, or its partial sums and, of one of them, those of the others."""
    elements = min(mapping.tile_m, problem.m) * problem.head_dim
    fixed_ps, port = hardware.attention.epilogue_ns * 1000, hardware.port_rate
    out_ps = fixed_ps + port.ps(bits_to_bytes(elements * problem.output_bits))
    if mapping.splits == 1:
        return out_ps
    partial_ps = port.ps(bits_to_bytes(elements * ACCUMULATOR_BITS))
    return out_ps + fixed_ps + mapping.splits * partial_ps


def _dram_ps(hardware: Hardware, problem: AttentionProblem, grid: TileGrid) -> float:
    """Queries, keys and values are read once, at least, and outputs written."""
    queries = grid.count * problem.m * problem.head_dim
    read = queries + 2 * grid.count * problem.context * problem.head_dim
    reads_ps = hardware.dram_rate.ps(bits_to_bytes(read * problem.bits))
    written = bits_to_bytes(queries * problem.output_bits)
    is_through = hardware.memory.writes == "dram"
    return reads_ps + (hardware.dram_write_rate.ps(written) if is_through else 0)
