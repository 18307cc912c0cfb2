"""In which turn do cores take the tiles of a layer, and are runs of turns put together again?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from machines import MIXED, contended, tiny

from simulator import Gemm, Workload, simulate
from simulator.report.dealt import MOST_TILES, Dealt
from simulator.schedule.partition import DISPATCH, TileGrid, grouped_order


def dealt(dispatch: str, cores: int = 4, swizzle: int = 1) -> Dealt:
    grid = TileGrid(m=48, n=80, k=64, count=1, tile_m=16, tile_n=16, tile_k=16, splits=2)
    order = grouped_order(grid, swizzle)
    return Dealt(grid, cores, swapped=False, queues=DISPATCH[dispatch].share(order, cores))


@pytest.mark.parametrize("dispatch", ["dynamic", "round_robin"])
def test_in_waves_turns_follow_the_order(dispatch: str) -> None:
    turns = dealt(dispatch).turns()
    assert turns is not None
    assert turns.tolist() == [tile // 4 for tile in range(30)]


def test_bands_of_rows_are_taken_column_by_column() -> None:
    turns = dealt("dynamic", cores=6, swizzle=3).turns()
    assert turns is not None
    # Rows, columns and parts: six tiles are a column of three in two parts each.
    assert turns.reshape(3, 5, 2).tolist() == [[[column] * 2 for column in range(5)]] * 3


def test_of_a_run_of_its_own_a_core_takes_one_after_another() -> None:
    turns = dealt("contiguous").turns()
    assert turns is not None
    bounds = [core * 30 // 4 for core in range(5)]
    runs = [range(end - start) for start, end in itertools.pairwise(bounds)]
    assert turns.tolist() == [turn for run in runs for turn in run]


def test_cores_that_no_tile_is_left_for_change_nothing() -> None:
    few = dealt("round_robin")
    assert few.queues is not None
    more = Dealt(few.grid, 6, swapped=False, queues=few.queues.among(6))
    assert np.array_equal(more.turns(), few.turns())


def test_layers_say_how_they_were_dealt_out() -> None:
    report = simulate(contended(), MIXED, "2:4")
    for layer in report.layers:
        assert layer.dealt is not None
        assert layer.dealt.cores == 4
        turns = layer.dealt.turns()
        assert turns is not None
        assert np.array_equal(np.bincount(turns)[:-1], [4] * turns.max())  # all but the last


def test_operands_that_changed_places_lie_so() -> None:
    hardware = tiny(libraries__own__tiles=[
        {"m": 32, "n": 8, "slots": 16, "fragment_m": 8, "fragment_n": 8}
    ])  # fmt: skip
    (layer,) = simulate(hardware, Workload("w", [Gemm("g", m=8, n=96, k=64)])).layers
    assert layer.dealt is not None
    assert layer.mapping.endswith("swapped")
    assert layer.dealt.swapped
    assert (layer.dealt.grid.m, layer.dealt.grid.n) == (96, 8)


def test_what_nobody_sees_is_not_kept() -> None:
    wide = Gemm("g", m=16 * MOST_TILES + 16, n=16, k=16)
    (layer,) = simulate(tiny(), Workload("w", [wide]), accuracy="sampled").layers
    assert layer.dealt is not None
    assert layer.dealt.grid.tiles > MOST_TILES
    assert layer.dealt.turns() is None
