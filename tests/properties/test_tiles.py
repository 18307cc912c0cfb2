"""Is every MAC done once, every byte counted once, and no group ever cut?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import PATTERNS

from simulator.schedule.partition import DISPATCH, TileGrid, grouped_order
from simulator.sparsity import Pattern

grids = st.builds(
    lambda m, n, groups, count, tile_m, tile_n, depth, group, split: TileGrid(
        m, n, groups * group, count, tile_m, tile_n, depth * group, 1 + split % -(-groups // depth)
    ),
    m=st.integers(1, 60),
    n=st.integers(1, 60),
    groups=st.integers(1, 40),
    count=st.integers(1, 3),
    tile_m=st.integers(1, 32),
    tile_n=st.integers(1, 32),
    depth=st.integers(1, 6),
    group=st.sampled_from(sorted({Pattern.parse(p).group for p in PATTERNS})),
    split=st.integers(0, 10),
)


@settings(max_examples=150, deadline=None)
@given(grid=grids, swizzle=st.integers(1, 5), cores=st.integers(1, 9))
@pytest.mark.parametrize("dispatch", list(DISPATCH))
def test_every_mac_is_done_once(dispatch: str, grid: TileGrid, swizzle: int, cores: int) -> None:
    """Walk all queues and mark every (GEMM, m, n, k) that a tile covers."""
    queues = DISPATCH[dispatch].share(grouped_order(grid, swizzle), cores)
    assert queues.of_core.size == cores
    assert sorted(queues.tiles.tolist()) == list(range(grid.tiles))
    assert queues.start[-1] == grid.tiles
    done = np.zeros((grid.count, grid.m, grid.n, grid.k), dtype=np.uint8)
    for tile in queues.tiles.tolist():
        place = grid.place(tile)
        done[
            place.gemm,
            place.row * grid.tile_m : (place.row + 1) * grid.tile_m,
            place.column * grid.tile_n : (place.column + 1) * grid.tile_n,
            place.stages.start * grid.tile_k : place.stages.stop * grid.tile_k,
        ] += 1
    assert (done == 1).all()


@given(grid=grids)
def test_splits_are_whole_stages_at_most_one_apart(grid: TileGrid) -> None:
    lengths = np.diff(grid.split_bounds())
    assert lengths.sum() == grid.stages
    assert lengths.min() >= 1
    assert lengths.max() - lengths.min() <= 1


@given(grid=grids, group=st.sampled_from([1, 2, 4, 5, 7, 8, 16]))
def test_no_group_is_cut(grid: TileGrid, group: int) -> None:
    """Stage boundaries, and with them split boundaries, fall on multiples of the group."""
    if grid.tile_k % group:
        return
    boundaries = range(grid.tile_k, grid.k, grid.tile_k)
    assert all(boundary % group == 0 for boundary in boundaries)
    assert all(bound * grid.tile_k % group == 0 for bound in grid.split_bounds())


@given(grid=grids)
def test_extents_add_up(grid: TileGrid) -> None:
    for axis, lines in (("m", grid.rows), ("n", grid.columns), ("k", grid.stages)):
        full, edge = grid.extent(axis, False), grid.extent(axis, True)
        assert (lines - 1) * full + edge == getattr(grid, axis)


@given(grid=grids, cores=st.integers(1, 9))
def test_static_shares_are_fair(grid: TileGrid, cores: int) -> None:
    order = grouped_order(grid, 1)
    for policy in DISPATCH.values():
        sizes = np.diff(policy.share(order, cores).start)
        assert sizes.max() - sizes.min() <= 1


def test_grouped_order_walks_bands_column_by_column() -> None:
    grid = TileGrid(m=4, n=3, k=1, count=1, tile_m=1, tile_n=1, tile_k=1)
    assert grouped_order(grid, 1).tolist() == list(range(12))
    assert grouped_order(grid, 2).tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


@pytest.mark.parametrize(
    ("rows", "columns", "splits", "swizzle", "order"),
    [
        (2, 3, 1, 2, [0, 3, 1, 4, 2, 5]),
        (2, 3, 1, 1, [0, 1, 2, 3, 4, 5]),
        (3, 2, 1, 2, [0, 2, 1, 3, 4, 5]),
        (2, 2, 2, 2, [0, 1, 4, 5, 2, 3, 6, 7]),
        (1, 4, 1, 4, [0, 1, 2, 3]),
    ],
)
def test_bands_are_walked_column_by_column(
    rows: int, columns: int, splits: int, swizzle: int, order: list[int]
) -> None:
    grid = TileGrid(4 * rows, 4 * columns, 8, 2, 4, 4, 4, splits)
    tiles = rows * columns * splits
    twice = [*order, *(tile + tiles for tile in order)]
    assert grouped_order(grid, swizzle).tolist() == twice
