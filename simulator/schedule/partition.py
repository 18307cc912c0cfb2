"""How work is cut and dealt out: tiles, k-splits, their order, and who takes which.

Boundaries fall on whole tiles in m and n and on whole stages in k; a stage is a multiple of the
group, so no group is ever cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.hardware import Library
from simulator.units import ceil_div

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TileGrid:
    """The tiles of ``count`` GEMMs ``m x n x k``, and the blocks that they read and write.

    Tile ids run over (GEMM, row, column, split), the split innermost. Block ids are, in this order,
    those of the rows operand by (GEMM, row, stage), of the columns operand by (GEMM, column,
    stage), of outputs by (GEMM, row, column), and of partial sums by tile. ``has_columns`` is False
    where only the rows operand is read.

    Of attention, tiles keep their rows (``keeps_rows``): those have one block a row of tiles, which
    a tile's first stage requests and all of its stages use. A row of tiles may have fewer stages
    than there are: where ``row_ends`` is not empty, it has one past the last of each.
    """

    m: int
    n: int
    k: int
    count: int
    tile_m: int
    tile_n: int
    tile_k: int
    splits: int = 1
    has_columns: bool = True
    keeps_rows: bool = False
    row_ends: tuple[int, ...] = ()

    # Tiles of Y whatever the splits, and tiles with their splits.
    rows: int = field(init=False)
    columns: int = field(init=False)
    stages: int = field(init=False)  # along all of k
    row_blocks: int = field(init=False)  # of the rows operand, of a row of tiles
    outputs: int = field(init=False)
    tiles: int = field(init=False)
    # The first block of an operand; the rows operand's is 0.
    columns_base: int = field(init=False)
    outputs_base: int = field(init=False)
    partials_base: int = field(init=False)

    def __post_init__(self) -> None:
        rows, columns = ceil_div(self.m, self.tile_m), ceil_div(self.n, self.tile_n)
        stages, outputs = ceil_div(self.k, self.tile_k), self.count * rows * columns
        row_blocks = 1 if self.keeps_rows else stages
        columns_base = self.count * rows * row_blocks
        outputs_base = columns_base + self.count * columns * stages * self.has_columns
        derived = (
            ("rows", rows), ("columns", columns), ("stages", stages), ("row_blocks", row_blocks),
            ("outputs", outputs), ("tiles", outputs * self.splits),
            ("columns_base", columns_base), ("outputs_base", outputs_base),
            ("partials_base", outputs_base + outputs),
        )  # fmt: skip
        for name, value in derived:
            object.__setattr__(self, name, value)

    def place(self, tile: int) -> Place:
        """Where a tile lies; an array of tiles gives a place of arrays."""
        output, split = divmod(tile, self.splits)
        line, column = divmod(output, self.columns)
        gemm, row = divmod(line, self.rows)
        return Place(self, gemm, row, column, split)

    def extent(self, axis: str, edge: bool) -> int:
        """Valid size of a tile along "m", "n" or "k": full, or what the last one has left."""
        return self._extents[axis][edge]

    def extents(self, axis: str) -> tuple[int, int]:
        """Both of them."""
        return self._extents[axis]

    @cached_property
    def _extents(self) -> dict[str, tuple[int, int]]:
        sides = (
            ("m", self.m, self.tile_m, self.rows),
            ("n", self.n, self.tile_n, self.columns),
            ("k", self.k, self.tile_k, self.stages),
        )
        return {
            axis: (min(tile, size), size - (tiles - 1) * tile) for axis, size, tile, tiles in sides
        }

    @cached_property
    def stage_events(self) -> int:
        """Stages of all tiles, over their splits."""
        of_rows = sum(self.row_ends) if self.row_ends else self.rows * self.stages
        return self.count * self.columns * of_rows

    def split_bounds(self) -> list[int]:
        """First stage of every split, and the end: contiguous, at most one stage apart."""
        return [split * self.stages // self.splits for split in range(self.splits + 1)]


@dataclass(frozen=True)
class Place:
    """Where a tile lies in its grid, and which blocks are its own.

    A *line* of tiles is a row or a column of one GEMM, whose blocks follow each other along k.
    """

    grid: TileGrid
    gemm: int
    row: int
    column: int
    split: int

    @cached_property
    def output(self) -> int:
        """Which tile of Y, whatever its splits."""
        return (self.gemm * self.grid.rows + self.row) * self.grid.columns + self.column

    @cached_property
    def tile(self) -> int:
        """The id of the tile: `TileGrid.place` turned around."""
        return self.output * self.grid.splits + self.split

    @cached_property
    def last_row(self) -> bool:
        return self.row == self.grid.rows - 1

    @cached_property
    def last_column(self) -> bool:
        return self.column == self.grid.columns - 1

    @cached_property
    def stages(self) -> range:
        """Stages along k of this split."""
        first, end = self.grid.split_bounds()[self.split : self.split + 2]
        ends = self.grid.row_ends
        return range(first, min(end, ends[self.row]) if ends else end)

    @cached_property
    def rows_block(self) -> int:
        """The block of the rows operand at stage 0 of k, or at all of them."""
        return (self.gemm * self.grid.rows + self.row) * self.grid.row_blocks

    @cached_property
    def columns_block(self) -> int:
        """The block of the columns operand at stage 0 of k."""
        line = self.gemm * self.grid.columns + self.column
        return self.grid.columns_base + line * self.grid.stages

    @cached_property
    def output_block(self) -> int:
        return self.grid.outputs_base + self.output

    @cached_property
    def partial_block(self) -> int:
        """Of this split; those of its output follow each other by split."""
        return self.grid.partials_base + self.tile

    @cached_property
    def other_partials(self) -> list[int]:
        """Blocks of the other splits of its output, in their order."""
        first = self.partial_block - self.split
        return [first + split for split in range(self.grid.splits) if split != self.split]


class Cluster(NamedTuple):
    """Tiles side by side, along m and along n, that as many cores work on at a time.

    The cores, consecutive ones, share what they read: those side by side along m blocks of the
    columns operand, those along n blocks of the rows operand.
    """

    m: int = 1
    n: int = 1

    @classmethod
    def of(cls, library: Library, grid: TileGrid) -> Cluster:
        """Model: a side whose tiles the library's clusters do not divide has none, as in DeepGEMM,
        so that every cluster is whole."""
        shape = library.cluster
        return cls(1 if grid.rows % shape.m else shape.m, 1 if grid.columns % shape.n else shape.n)

    @property
    def cores(self) -> int:
        return self.m * self.n

    def working(self, cores: int) -> int:
        """Of so many cores those that fill clusters; others have nothing to do."""
        return cores - cores % self.cores

    def lines(self, cores: int) -> int:
        """Lines of tiles that all clusters work on at a time, where cores share them."""
        return cores // self.cores * (self.m + self.n) if self.cores > 1 else 0

    def band(self, swizzle: int) -> int:
        """Rows of tiles that are walked together: ``swizzle``, in whole clusters."""
        return max(1, swizzle // self.m) * self.m


ALONE: Final = Cluster()


def grouped_order(grid: TileGrid, swizzle: int, cluster: Cluster = ALONE) -> IntArray:
    """Tile ids in the order of dispatch: bands of ``swizzle`` tile rows, walked column by column.

    ``swizzle`` 1 is raster order. A band's W stays in L2 while its columns of X pass by. Tiles of a
    cluster, of one split, follow each other; what is walked are then clusters.
    """
    order = np.arange(grid.tiles, dtype=np.int64)
    m, n = cluster
    if cluster.cores == 1 and (swizzle <= 1 or grid.rows == 1):
        return order
    places = order.reshape(grid.count, grid.rows // m, m, grid.columns // n, n, grid.splits)
    height = cluster.band(swizzle) // m
    bands = [places[:, top : top + height] for top in range(0, grid.rows // m, height)]
    walked = [band.transpose(0, 3, 1, 5, 2, 4).reshape(grid.count, -1) for band in bands]
    return np.concatenate(walked, axis=1).ravel()


@dataclass(frozen=True)
class Queues:
    """Tiles to take, in order: queue q holds ``tiles[start[q]:start[q + 1]]``."""

    tiles: IntArray
    start: IntArray
    of_core: IntArray

    def among(self, cores: int) -> Queues:
        """With as many cores as there are; those beyond the ones that share have nothing to do."""
        if self.of_core.size == cores:
            return self
        idle = np.full(cores - self.of_core.size, self.tiles.size)
        return Queues(self.tiles, np.concatenate([self.start, idle]), np.arange(cores))


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


@dataclass(frozen=True)
class Policy:
    """Who takes which tile.

    Attributes
    ----------
    share : callable
        ``(order, cores) -> Queues``.
    in_waves : bool
        At any time cores work on tiles that are near each other in the order.
    is_fixed : bool
        Which core takes a tile does not depend on when it is free.
    """

    share: Callable[[IntArray, int], Queues]
    in_waves: bool
    is_fixed: bool


DISPATCH = {
    "dynamic": Policy(_dynamic, in_waves=True, is_fixed=False),
    "round_robin": Policy(_round_robin, in_waves=True, is_fixed=True),
    "contiguous": Policy(_contiguous, in_waves=False, is_fixed=True),
}
