"""Where does a tile lie, which blocks are its own, and who takes it?"""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from simulator.hardware.library import Dispatch
from simulator.schedule.partition import DISPATCH, TileGrid

GRID = TileGrid(m=5, n=3, k=7, count=2, tile_m=2, tile_n=2, tile_k=2, splits=2)


def test_a_place_is_that_of_the_tile_in_order() -> None:
    """2 GEMMs of 3 x 2 tiles in 2 splits, the split innermost."""
    places = [GRID.place(tile) for tile in range(GRID.tiles)]
    assert [(p.gemm, p.row, p.column, p.split) for p in places] == list(np.ndindex(2, 3, 2, 2))
    assert [place.tile for place in places] == list(range(24))
    assert [place.output for place in places] == [tile // 2 for tile in range(24)]


def test_blocks_of_a_tile_by_hand() -> None:
    """W has 2 x 3 x 4 blocks, X 2 x 2 x 4, Y 12: so X begins at 24, Y at 40, partial sums at 52."""
    place = GRID.place(17)  # GEMM 1, row 1, column 0, split 1
    assert (place.gemm, place.row, place.column, place.split) == (1, 1, 0, 1)
    assert place.rows_block == (3 + 1) * 4
    assert place.columns_block == 24 + (2 + 0) * 4
    assert place.output_block == 40 + 8
    assert place.partial_block == 52 + 17
    assert place.other_partials == [52 + 16]
    assert place.stages == range(2, 4)
    assert (place.last_row, place.last_column) == (False, False)


def test_a_stream_has_no_blocks_of_columns() -> None:
    grid = TileGrid(m=5, n=1, k=1, count=1, tile_m=2, tile_n=1, tile_k=1, has_columns=False)
    assert (grid.columns_base, grid.outputs_base, grid.partials_base) == (3, 3, 6)


def test_many_tiles_at_once() -> None:
    many = GRID.place(np.arange(GRID.tiles))  # type: ignore[arg-type] # arrays, as documented
    places = [GRID.place(tile) for tile in range(GRID.tiles)]
    for name in ("tile", "rows_block", "columns_block", "output_block", "last_row", "last_column"):
        assert list(getattr(many, name)) == [getattr(place, name) for place in places]


def test_machines_name_the_policies_that_there_are() -> None:
    assert set(get_args(Dispatch)) == set(DISPATCH)


@pytest.mark.parametrize(
    ("dispatch", "queues", "of_core"),
    [
        ("dynamic", [[5, 6, 7, 8, 9, 10, 11]], [0, 0, 0]),
        ("round_robin", [[5, 8, 11], [6, 9], [7, 10]], [0, 1, 2]),
        ("contiguous", [[5, 6], [7, 8], [9, 10, 11]], [0, 1, 2]),
    ],
)
def test_who_takes_what_of_seven_tiles(
    dispatch: str, queues: list[list[int]], of_core: list[int]
) -> None:
    shared = DISPATCH[dispatch].share(np.arange(5, 12), 3)
    found = [part.tolist() for part in np.split(shared.tiles, shared.start[1:-1])]
    assert found == queues
    assert shared.of_core.tolist() == of_core
