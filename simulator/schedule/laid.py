"""Layers as tiles, stages and blocks, and what these cost in cores, whatever memory is like.

What was laid out on a bench is kept for a while: machines of a sweep share theirs wherever they
differ in memory alone, or in how many cores there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from simulator.schedule.bench import Bench
from simulator.schedule.blocks import (
    Blocks,
    class_stages,
    epilogue_waits,
    gemm_blocks,
    gemm_stages,
    stream_blocks,
)
from simulator.schedule.classes import BLOCK_CLASSES
from simulator.schedule.limits import check_size
from simulator.schedule.mapping import Mapping
from simulator.schedule.masking import Mask, masked_stages
from simulator.schedule.partition import ALONE, Cluster, IntArray, TileGrid, grouped_order
from simulator.schedule.streaming import stream_grid, stream_stages
from simulator.schedule.tables import StageTables
from simulator.units import DTYPE_BITS, bits_to_bytes, ceil_div
from simulator.workload.layer import Stream
from simulator.workload.lowering import GemmProblem

KEPT, KEPT_BYTES = 512, 65536
"""How many layouts are kept, the latest used, and how large each may be: 32 MiB in all."""


@dataclass(frozen=True)
class Laid:
    """A layer cut into tiles, in the order of dispatch, and the tables of its stages and blocks.

    ``waits`` are those of epilogues, by class of blocks, as `epilogue_waits` gives them.
    """

    grid: TileGrid
    order: IntArray
    blocks: Blocks
    stages: StageTables
    cluster: Cluster = ALONE
    waits: tuple[int, ...] = (0,) * len(BLOCK_CLASSES)

    @classmethod
    def gemm(
        cls,
        bench: Bench,
        problem: GemmProblem,
        mapping: Mapping,
        whole: TileGrid,
        grid: TileGrid,
        mask: Mask | None = None,
    ) -> Laid:
        """A GEMM, or the part ``grid`` of it, on a bench."""
        hardware, library = bench.hardware, bench.library
        cluster = Cluster.of(library, grid)
        works, costs = class_stages(hardware, problem, mapping, grid)
        masked = None if mask is None else masked_stages(hardware, problem, grid, works, mask)
        return cls(
            grid,
            grouped_order(grid, library.swizzle, cluster),
            gemm_blocks(grid, whole, problem, works),
            gemm_stages(hardware, problem, works, costs, masked),
            cluster,
            tuple(epilogue_waits(library, problem, mapping, grid)),
        )

    @classmethod
    def stream(cls, bench: Bench, layer: Stream, in_flight: int | None) -> Laid:
        """A streaming layer, in bands of as many chunks as hold ``in_flight`` elements, or all."""
        grid, bits = stream_grid(layer), DTYPE_BITS[layer.dtype]
        band = ceil_div(min(grid.m, in_flight or grid.m), grid.tile_m)
        shared_bytes = bits_to_bytes(layer.reads * bits) if layer.reads < layer.writes else None
        stages = stream_stages(bench.hardware, grid, layer, shared_bytes)
        write_bytes = bits_to_bytes(layer.writes * bits)
        blocks = stream_blocks(grid, stages.works, shared_bytes, write_bytes)
        return cls(grid, grouped_order(grid, band), blocks, stages)


_kept_gemm: Final = lru_cache(maxsize=KEPT)(Laid.gemm)
_kept_stream: Final = lru_cache(maxsize=KEPT)(Laid.stream)


def laid_gemm(
    bench: Bench,
    problem: GemmProblem,
    mapping: Mapping,
    mask: Mask | None = None,
    grid: TileGrid | None = None,
) -> Laid:
    """A GEMM on a bench, as it was laid out before where that is known.

    Raises
    ------
    WorkloadError
        If the run would not fit in memory.
    """
    whole = mapping.grid(problem)
    part = grid or whole
    cores = bench.hardware.core.count
    check_size(part, Cluster.of(bench.library, part).lines(cores))
    if mask is None and _is_small(part):
        return _kept_gemm(bench, problem, mapping, whole, part)
    return Laid.gemm(bench, problem, mapping, whole, part, mask)


def laid_stream(bench: Bench, layer: Stream, in_flight: int | None) -> Laid:
    """A streaming layer on a bench, likewise."""
    grid = stream_grid(layer)
    check_size(grid, streaming=f"{layer.op} of {layer.reads} reads and {layer.writes} writes")
    lay = _kept_stream if _is_small(grid) else Laid.stream
    return lay(bench, layer, in_flight)


def _is_small(grid: TileGrid) -> bool:
    """Whether the order of its tiles and the classes of its blocks take little room."""
    return 9 * grid.tiles + grid.partials_base <= KEPT_BYTES
