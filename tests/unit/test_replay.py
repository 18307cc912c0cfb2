"""What is shown of a replay, and does a core's time part as one would part it by hand?"""

from __future__ import annotations

import numpy as np
import pytest
from machines import library_of, problem_of, tiny

from simulator import Mapping
from simulator.engine import fast
from simulator.errors import OutputError
from simulator.report.account import Account
from simulator.schedule.program import Program, gemm_program
from simulator.timeline.replay import (
    REPLAYED_STAGES,
    Detail,
    Moved,
    Replay,
    TileRange,
    detail_of,
)

MAPPING = Mapping(16, 16, 32, 8, 8)
EVERYTHING = Detail(ends=1000, cores=1000, stages=10**6, shared=1, tiles=None)


def program_of(m: int, n: int, k: int, mapping: Mapping = MAPPING, **machine: object) -> Program:
    hardware = tiny(**machine)
    problem = problem_of(hardware, "1:1", m=m, n=n, k=k)
    return gemm_program(hardware, library_of(hardware), problem, mapping)


def replay_of(program: Program, detail: Detail = EVERYTHING) -> Replay:
    return Replay(program, fast.run(program), detail)


# A range of tiles


@pytest.mark.parametrize("text", ["", "3", "5:2", "-1:3", "a:b", "1:2:3", "1: 2x", "²:3"])
def test_a_range_is_two_numbers(text: str) -> None:
    with pytest.raises(OutputError, match="tiles: not a range of tiles, want FIRST:LAST"):
        TileRange.parse(text)


def test_a_range_of_one_tile_and_numbers_of_fifteen_digits_are_read() -> None:
    assert TileRange.parse(" 3:3 ") == TileRange(3, 3)
    assert TileRange.parse("0:" + 15 * "9").last == 10**15 - 1
    with pytest.raises(OutputError, match="not a range"):
        TileRange.parse("0:" + 16 * "9")


def test_a_range_holds_its_ends() -> None:
    tiles = TileRange.parse("2:4")
    assert [tile in tiles for tile in range(1, 6)] == [False, True, True, True, False]


# What is shown


def test_a_layer_that_has_room_is_shown_whole() -> None:
    program = program_of(64, 32, 64, core__count=3)  # 8 tiles of 2 stages
    assert detail_of(program, 16, None) == Detail(8, 3, 16, 1, None)


def test_of_a_longer_layer_as_many_tiles_at_either_end_of_a_core_as_there_is_room_for() -> None:
    """16 tiles of 4 stages on 2 cores: n tiles at both ends of both cores are 16 n stages."""
    program = program_of(64, 64, 128, core__count=2)
    for room, ends in ((63, 3), (48, 3), (47, 2), (16, 1)):
        assert detail_of(program, room, None) == Detail(ends, 2, REPLAYED_STAGES, 1, None)
    # Where that is less than a tile of every core, fewer cores are shown: a tile is 2 x 4 stages.
    assert detail_of(program, 15, None) == Detail(1, 1, REPLAYED_STAGES, 1, None)
    assert detail_of(program, 1, None) == Detail(1, 1, REPLAYED_STAGES, 1, None)


def test_a_range_of_tiles_is_shown_whatever_the_room() -> None:
    program = program_of(64, 64, 128, core__count=2)
    tiles = TileRange(3, 5)
    assert detail_of(program, 1, tiles) == Detail(0, 2, 64, 1, tiles)


def test_beyond_two_thousand_tiles_neighbours_share_a_slice() -> None:
    program = program_of(16 * 2001, 16, 32)
    assert detail_of(program, 100, None).shared == 2
    assert detail_of(program_of(16 * 2000, 16, 32), 100, None).shared == 1


def test_the_shares_of_a_split_tile_are_as_long_as_the_longest() -> None:
    """5 stages in 2 splits: 3 at most. 2 x 2 x 3 stages show one tile at both ends of 2 cores."""
    mapping = Mapping(16, 16, 32, 8, 8, splits=2)
    program = program_of(64, 64, 160, mapping, core__count=2)
    assert detail_of(program, 24, None).ends == 2
    assert detail_of(program, 23, None).ends == 1


# Where a core's time goes


def test_two_tiles_by_hand() -> None:
    """Two tiles of two stages on one core, bound by its scratchpad; latencies alone delay.

    A stage multiplies 16 x 16 x 32 at 64 a cycle: 128 cycles. 1 KiB of W and of X each are written
    once and read twice, 6 KiB at 16 bytes a cycle: 384, so that 256 are a stall; 3 more of barrier.
    """
    program = program_of(
        16,
        32,
        64,
        core__scratchpad__bytes_per_cycle=16,
        core__barrier_cycles=3,
    )
    (track,) = replay_of(program).tracks
    assert [tile.number for tile in track.tiles] == [0, 1]
    assert [tile.where["column"] for tile in track.tiles] == [0, 1]
    for tile in track.tiles:
        assert tile.stages is not None
        assert [stage.number for stage in tile.stages] == [0, 1]
        for stage in tile.stages:
            assert stage.work == Account(
                mac_useful=128_000, scratchpad_stall=256_000, barrier=3_000
            )
        assert tile.sums == sum((x.waits + x.work for x in tile.stages), Account())
        assert tile.end_ps == tile.since_ps + tile.ahead.total + tile.sums.total
    # The first tile ends when the second one's wait begins; what is left is the last write out.
    first, second = track.tiles
    assert (first.since_ps, second.since_ps) == (0, first.end_ps)
    port_ps = int(program.hold_ps[2 * 4])
    assert track.rest - Account(idle=track.rest.idle) == Account(epilogue=port_ps)


def test_a_narrow_operand_path_is_a_stall_of_its_own() -> None:
    """16 x 32 slots of W over 4 column and as many of X over 4 row instructions, 2 bytes each, and
    8 steps of 16 x 16 accumulators of 4: 16 KiB at 64 bytes a cycle are 256 cycles, 128 more."""
    program = program_of(16, 16, 32, core__register_file__operand_bytes_per_cycle=64)
    (track,) = replay_of(program).tracks
    (tile,) = track.tiles
    work = tile.sums - Account(prologue=tile.sums.prologue)
    assert work == Account(mac_useful=128_000, operand_stall=128_000)


def test_every_split_knows_its_place() -> None:
    mapping = Mapping(16, 16, 32, 8, 8, splits=2)
    program = program_of(32, 48, 96, mapping, core__count=2)
    seen = {}
    for track in replay_of(program).tracks:
        for tile in track.tiles:
            stages = [stage.number for stage in tile.stages or []]
            seen[tile.number] = (*(tile.where[x] for x in ("row", "column", "split")), stages)
    assert seen == {
        2 * (3 * row + column) + split: (row, column, split, [[0], [1, 2]][split])
        for row in range(2)
        for column in range(3)
        for split in range(2)
    }


def test_what_is_not_shown_is_summed_and_said() -> None:
    """Six tiles of two stages on one core: the first and the last keep their stages."""
    program = program_of(16, 96, 64)
    detail = Detail(ends=1, cores=1, stages=10**6, shared=3, tiles=None)
    whole, cut = replay_of(program), replay_of(program, detail)
    assert (whole.note("g"), cut.note("g")) == ("", "g: 4 of 12 stages in detail")
    (track,) = cut.tracks
    assert [(tile.number, tile.count) for tile in track.tiles] == [(0, 1), (1, 3), (4, 1), (5, 1)]
    (all_tiles,) = (track.tiles for track in whole.tracks)
    lost = [tile.sums for tile in all_tiles[1:4]] + [tile.ahead for tile in all_tiles[2:4]]
    assert track.tiles[1].sums == sum(lost, Account())
    assert track.tiles[1].end_ps == all_tiles[3].end_ps


def test_a_replay_stops_once_it_has_what_is_shown() -> None:
    program = program_of(16, 96, 64)
    detail = Detail(ends=0, cores=1, stages=12, shared=1, tiles=TileRange(1, 2))
    replay = replay_of(program, detail)
    (track,) = replay.tracks
    assert (replay.stopped, replay.stages) == (True, 6)  # of tiles 0, 1 and 2
    assert replay.seen_ps == track.end_ps == track.tiles[-1].end_ps
    assert [tile.number for tile in track.tiles if tile.stages] == [1, 2]
    assert replay.note("g") == (
        f"g: 4 of 12 stages in detail, replayed until {track.end_ps / 1e6:,.3f} µs after its start"
    )


def test_bytes_pass_evenly_while_a_transfer_lasts() -> None:
    moved = Moved()
    moved.add(100, 200, 64)
    moved.add(300, 310, 10)
    at = np.array([0, 100, 150, 200, 250, 305, 400])
    assert moved.until(at).tolist() == [0, 0, 32, 64, 64, 69, 74]


def test_every_byte_of_memory_is_seen_passing() -> None:
    """One tile: W and X of 1 KiB a stage, and an output of 512 bytes."""
    replay = replay_of(program_of(16, 16, 64))
    end = np.array([replay.seen_ps])
    for level in ("l2", "dram"):
        passed = [float(replay.transfers[level][way].until(end)[0]) for way in (False, True)]
        assert passed == [4096, 512 if level == "l2" else 0]
