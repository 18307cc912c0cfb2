"""What an L2 that starts warm holds: all that a program reads, in the order of its first use."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.schedule.classes import ROWS
from simulator.schedule.partition import IntArray, TileGrid


def first_uses(grid: TileGrid, tiles: Any, *, accumulates: bool) -> IntArray:
    """Ids of the blocks that are read, each once, the first used first.

    Outputs that are added to are used once all splits of theirs have been worked on.

    Parameters
    ----------
    tiles : array of int
        In the order of dispatch; several queues are walked one after another.
    accumulates : bool
        Whether outputs are read, too.
    """
    place: Any = grid.place(tiles)
    bounds, row_ends = np.array(grid.split_bounds()), np.array(grid.row_ends or (grid.stages,))
    ends: Any = np.minimum(bounds[place.split + 1], row_ends[place.row % row_ends.size])
    uses: list[tuple[IntArray, IntArray]] = []
    for operand, blocks in enumerate((place.rows_block, place.columns_block)):
        if operand and not grid.has_columns:
            continue
        parts = (blocks * grid.splits + place.split) * (grid.stages + 1) + ends
        for at in np.unique(parts, return_index=True)[1].tolist():
            stage = np.arange(bounds[place.split[at]], ends[at])
            along = stage
            if grid.keeps_rows and operand == ROWS:
                stage, along = stage[:1], np.zeros(1, dtype=np.int64)
            uses.append(((at * grid.stages + stage) * 3 + operand, blocks[at] + along))
    if accumulates:
        last = np.flatnonzero(place.split == grid.splits - 1)
        uses.append(((last * grid.stages + grid.stages - 1) * 3 + 2, place.output_block[last]))
    order = np.concatenate([use[0] for use in uses])
    ids = np.concatenate([use[1] for use in uses])[np.argsort(order, kind="stable")]
    # Rows of tiles that end early share blocks with those that end later.
    return ids[np.sort(np.unique(ids, return_index=True)[1])]
