"""Where the tiles of a layer lie on its output, and in which turn cores take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import IntArray, Queues, TileGrid
from simulator.schedule.program import Program
from simulator.workload.attention_problem import Problem
from simulator.workload.lowering import GemmProblem

MOST_TILES: Final = 16384
"""Of more tiles nobody sees one, and their order is not kept."""


@dataclass(frozen=True)
class Dealt:
    """A layer cut into tiles, as they were dealt out.

    Attributes
    ----------
    grid : TileGrid
        Of the whole layer; its rows lie along n where operands are ``swapped``.
    cores : int
        All of the machine's.
    queues : Queues or None
        None where there are more than `MOST_TILES`, or where only a part of them was simulated.
    """

    grid: TileGrid
    cores: int
    swapped: bool
    queues: Queues | None

    @classmethod
    def of(cls, program: Program, problem: Problem | None, sampled: Mapping | None) -> Dealt:
        """How a program deals out the tiles of a problem; None is a streaming layer.

        ``sampled`` is the mapping of a problem of which the program is a part.
        """
        grid, swapped = program.grid, False
        if isinstance(problem, GemmProblem):
            swapped = problem.inputs_are_rows
            grid = sampled.grid(problem) if sampled else grid
        is_whole = grid.tiles == program.grid.tiles
        kept = program.queues if is_whole and grid.tiles <= MOST_TILES else None
        return cls(grid, program.cores, swapped, kept)

    def turns(self) -> IntArray | None:
        """The turn in which each tile is taken, from 0, by its id; None where that is not known.

        A turn is one tile for every core of a queue. Where cores share one, and take their next
        tile when they are free, turns follow the order of the queue.
        """
        if self.queues is None:
            return None
        queues = self.queues
        turns = np.empty(self.grid.tiles, dtype=np.int64)
        sharing = np.bincount(queues.of_core, minlength=len(queues.start))
        for queue, cores in enumerate(sharing.tolist()[: len(queues.start) - 1]):
            tiles = queues.tiles[queues.start[queue] : queues.start[queue + 1]]
            turns[tiles] = np.arange(tiles.size) // max(1, cores)
        return turns
