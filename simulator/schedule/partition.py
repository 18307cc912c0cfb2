"""How work is cut and dealt out: tiles, k-splits, their order, and who takes which.

Boundaries fall on whole tiles in m and n and on whole stages in k; a stage is a multiple of the
group, so no group is ever cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from simulator.units import ceil_div

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TileGrid:
    """The tiles of ``count`` GEMMs ``m x n x k``.

    Tile ids run over (GEMM, row, column, split), the split innermost.
    """

    m: int
    n: int
    k: int
    count: int
    tile_m: int
    tile_n: int
    tile_k: int
    splits: int = 1

    # Tiles of Y whatever the splits, and tiles with their splits.
    rows: int = field(init=False)
    columns: int = field(init=False)
    stages: int = field(init=False)  # along all of k
    outputs: int = field(init=False)
    tiles: int = field(init=False)

    def __post_init__(self) -> None:
        rows, columns = ceil_div(self.m, self.tile_m), ceil_div(self.n, self.tile_n)
        outputs = self.count * rows * columns
        derived = (
            ("rows", rows), ("columns", columns), ("stages", ceil_div(self.k, self.tile_k)),
            ("outputs", outputs), ("tiles", outputs * self.splits),
        )  # fmt: skip
        for name, value in derived:
            object.__setattr__(self, name, value)

    def extent(self, axis: str, edge: bool) -> int:
        """Valid size of a tile along "m", "n" or "k": full, or what the last one has left."""
        size: int = getattr(self, axis)
        tile: int = getattr(self, f"tile_{axis}")
        return size - (ceil_div(size, tile) - 1) * tile if edge else min(tile, size)

    def split_bounds(self) -> list[int]:
        """First stage of every split, and the end: contiguous, at most one stage apart."""
        return [split * self.stages // self.splits for split in range(self.splits + 1)]


def grouped_order(grid: TileGrid, swizzle: int) -> IntArray:
    """Tile ids in the order of dispatch: bands of ``swizzle`` tile rows, walked column by column.

    ``swizzle`` 1 is raster order. A band's W stays in L2 while its columns of X pass by.
    """
    rows, columns = grid.rows, grid.columns
    if swizzle <= 1 or rows == 1:
        return np.arange(grid.tiles, dtype=np.int64)
    order = np.arange(grid.tiles, dtype=np.int64).reshape(grid.count, rows, columns, grid.splits)
    bands = [order[:, top : top + swizzle] for top in range(0, rows, swizzle)]
    walked = [band.swapaxes(1, 2).reshape(grid.count, -1) for band in bands]
    return np.concatenate(walked, axis=1).ravel()


@dataclass(frozen=True)
class Queues:
    """Tiles to take, in order: queue q holds ``tiles[start[q]:start[q + 1]]``."""

    tiles: IntArray
    start: IntArray
    of_core: IntArray


def _dynamic(order: IntArray, cores: int) -> Queues:
    """One queue; whoever is free takes the next tile (GPU)."""
    return Queues(order, np.array([0, order.size]), np.zeros(cores, dtype=np.int64))


def _round_robin(order: IntArray, cores: int) -> Queues:
    """Core c takes tiles c, c + cores, c + 2 cores, ..."""
    parts = [order[core::cores] for core in range(cores)]
    return _one_queue_a_core(parts)


def _contiguous(order: IntArray, cores: int) -> Queues:
    """Core c takes one run of consecutive tiles; runs differ by at most one tile."""
    bounds = [core * order.size // cores for core in range(cores + 1)]
    parts = [order[bounds[core] : bounds[core + 1]] for core in range(cores)]
    return _one_queue_a_core(parts)


def _one_queue_a_core(parts: list[IntArray]) -> Queues:
    start = np.cumsum([0] + [part.size for part in parts])
    return Queues(np.concatenate(parts), start.astype(np.int64), np.arange(len(parts)))


DISPATCH: dict[str, Callable[[IntArray, int], Queues]] = {
    "dynamic": _dynamic,
    "round_robin": _round_robin,
    "contiguous": _contiguous,
}
