"""Is what the cores of a cluster share asked of L2 once, and is all else as without clusters?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from machines import contended, library_of, problem_of, tiny

from simulator import Gemm, Workload, load_hardware, simulate
from simulator.engine import fast, reference
from simulator.engine.result import EngineResult
from simulator.errors import ConfigError, WorkloadError
from simulator.hardware import Hardware, Library
from simulator.hardware.library import ClusterShape
from simulator.run.sampling import estimate
from simulator.run.sampling_plan import Whole, cuts_of
from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import ALONE, Cluster, TileGrid, grouped_order
from simulator.schedule.program import Program, gemm_program

MAPPING = Mapping(16, 16, 32, 8, 8)
HUGE = 1e15
CYCLE = 1000


def clustered(hardware: Hardware, m: int, n: int, **changes: object) -> Library:
    """The tiny machine's library with clusters."""
    cluster = ClusterShape(m=m, n=n)
    return library_of(hardware, dispatch="round_robin", cluster=cluster, **changes)


def program_of(
    hardware: Hardware, m: int, n: int, sizes: tuple[int, int, int], splits: int = 1, **changes: Any
) -> Program:
    """Clusters of m x n; sizes are rows and columns of tiles, and stages."""
    rows, columns, stages = sizes
    problem = problem_of(hardware, "1:1", m=16 * rows, n=16 * columns, k=32 * stages)
    mapping = replace(MAPPING, splits=splits)
    return gemm_program(hardware, clustered(hardware, m, n, **changes), problem, mapping)


def result_of(program: Program) -> EngineResult:
    """Of both engines, which agree."""
    result = fast.run(program)
    assert result.differences(reference.run(program)) == []
    return result


def by_operand(counts: np.ndarray) -> list[int]:
    """Of rows and of columns."""
    return [int(counts[:4].sum()), int(counts[4:8].sum())]


@pytest.mark.parametrize(
    ("m", "n", "rows", "columns"),
    [(1, 1, 4, 4), (2, 1, 4, 2), (1, 2, 2, 4), (2, 2, 2, 2), (4, 1, 4, 1)],
)
def test_l2_is_asked_once_for_what_a_cluster_shares(
    m: int, n: int, rows: int, columns: int
) -> None:
    """Four cores, four tiles; each asks for 3 stages of a rows and a columns block."""
    hardware = contended()
    sizes = (4, 1, 3) if m == 4 else (2, 2, 3)
    result = result_of(program_of(hardware, m, n, sizes))
    assert by_operand(result.requests) == [3 * rows, 3 * columns]
    assert by_operand(result.multicast) == [3 * (4 - rows), 3 * (4 - columns)]
    alone = result_of(program_of(hardware, 1, 1, sizes))
    assert (result.port_ps == alone.port_ps).all()
    assert result.makespan_ps <= alone.makespan_ps


def test_when_a_stage_arrives_at_both_cores_of_a_cluster() -> None:
    """L2 passes two blocks of W and one of X, 64 ns each; the port is as fast as it may be."""
    hardware = tiny(
        core__count=2,
        core__port_bytes_per_cycle=HUGE,
        memory__l2__bytes_per_cycle=16,
        memory__l2__latency_cycles=7,
        memory__l2__start="warm",
        memory__dram__bytes_per_second=1e18,
    )
    on, off = (program_of(hardware, m, 1, (2, 1, 1)) for m in (2, 1))
    a_tile = int(on.stage_ps[0] + on.prologue_ps[0])
    # W of core 0, X for both, W of core 1; then a tile, its way out through the port, its write.
    written = 16 * 16 * 2 // 16 * CYCLE
    assert result_of(on).makespan_ps == (3 * 64 + 7) * CYCLE + a_tile + 1 + written
    assert result_of(off).makespan_ps == (4 * 64 + 7) * CYCLE + a_tile + 1 + written


def test_each_core_waits_for_its_own_port() -> None:
    """X comes through both ports, in full: 1024 bytes at 16 a cycle."""
    hardware = tiny(core__count=2, core__port_bytes_per_cycle=16)
    result = result_of(program_of(hardware, 2, 1, (2, 1, 1)))
    assert result.port_ps.tolist() == [2 * 64 * CYCLE] * 2


def test_a_block_that_is_sent_again_for_another_turn_is_asked_for_again() -> None:
    """Two cores, one column of four rows: X twice, whatever L2 holds."""
    result = result_of(program_of(contended(2), 2, 1, (4, 1, 3)))
    assert by_operand(result.requests) == [3 * 4, 3 * 2]
    assert by_operand(result.misses) == [3 * 4, 3]


def test_splits_of_a_cluster_are_the_same() -> None:
    result = result_of(program_of(contended(), 2, 1, (2, 2, 4), splits=2))
    assert by_operand(result.requests) == [16, 8]


def test_a_cluster_lies_beside_one_half_of_l2() -> None:
    """Cores 0 and 1 are one cluster: what is far is far from both, and crosses once."""
    halves = {"far_latency_cycles": 50, "link_bytes_per_cycle": 8}
    result = result_of(program_of(tiny(core__count=2, memory__l2__halves=halves), 2, 1, (2, 1, 4)))
    rows, columns = by_operand(result.far)
    assert (rows, columns) == (4, 2)  # odd ones, of 8 blocks of W and 4 of X


def test_cores_that_fill_no_cluster_have_nothing_to_do() -> None:
    result = result_of(program_of(contended(5), 2, 1, (4, 4, 2)))
    assert (result.worked_ps > 0).tolist() == [True] * 4 + [False]
    alone = result_of(program_of(contended(5), 1, 1, (4, 4, 2)))
    assert (alone.worked_ps > 0).all()


def test_a_side_that_clusters_do_not_divide_has_none() -> None:
    hardware = contended()
    for sizes, cluster in (
        ((3, 2, 1), (1, 2)), ((2, 3, 1), (2, 1)), ((3, 3, 1), (1, 1)), ((2, 4, 1), (2, 2)),
    ):  # fmt: skip
        assert program_of(hardware, 2, 2, sizes).cluster == cluster


@pytest.mark.parametrize(
    ("cluster", "swizzle", "splits", "order"),
    [
        (Cluster(2, 1), 1, 1, [0, 2, 1, 3, 4, 6, 5, 7]),
        (Cluster(2, 1), 4, 1, [0, 2, 4, 6, 1, 3, 5, 7]),
        (Cluster(1, 2), 1, 1, [0, 1, 2, 3, 4, 5, 6, 7]),
        (Cluster(2, 2), 1, 1, [0, 1, 2, 3, 4, 5, 6, 7]),
        (Cluster(2, 1), 1, 2, [0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15]),
    ],
)
def test_tiles_of_a_cluster_follow_each_other(
    cluster: Cluster, swizzle: int, splits: int, order: list[int]
) -> None:
    """Four rows of two columns; a tile's id counts splits fastest."""
    grid = TileGrid(4, 2, splits, 1, 1, 1, 1, splits)
    assert grouped_order(grid, swizzle, cluster).tolist() == order


@pytest.mark.parametrize("swizzle", [1, 2, 3, 5])
@pytest.mark.parametrize("cluster", [Cluster(2, 1), Cluster(1, 3), Cluster(2, 3), Cluster(6, 1)])
def test_every_cluster_of_every_turn_shares_its_lines(cluster: Cluster, swizzle: int) -> None:
    grid = TileGrid(12, 9, 8, 2, 1, 1, 2, 2)
    order = grouped_order(grid, swizzle, cluster)
    assert sorted(order.tolist()) == list(range(grid.tiles))
    place: Any = grid.place(order)  # type: ignore[arg-type] # arrays, as documented
    shape = (-1, cluster.m, cluster.n)
    row, column, split, gemm = (
        values.reshape(shape) for values in (place.row, place.column, place.split, place.gemm)
    )
    assert (row == row[:, :1, :1] + np.arange(cluster.m)[:, None]).all()
    assert (column == column[:, :1, :1] + np.arange(cluster.n)).all()
    assert (split == split[:, :1, :1]).all()
    assert (gemm == gemm[:, :1, :1]).all()


def test_without_clusters_the_order_stays() -> None:
    grid = TileGrid(5, 4, 2, 2, 1, 1, 1, 2)
    for swizzle in (1, 2, 5, 9):
        assert ALONE.band(swizzle) == swizzle
        by_hand = [
            ((gemm * 5 + row) * 4 + column) * 2 + split
            for gemm in range(2)
            for top in range(0, 5, swizzle)
            for column in range(4)
            for row in range(top, min(5, top + swizzle))
            for split in range(2)
        ]
        assert grouped_order(grid, swizzle).tolist() == by_hand or swizzle == 1


def test_reports_count_what_l2_sends_once_and_what_arrives_in_full() -> None:
    machine = load_hardware("h100-sxm")
    library = machine.libraries["wgmma"]
    reports = []
    for m in (1, 2):
        changes = {"dispatch": "round_robin", "cluster": ClusterShape(m=m)}
        changed = machine.libraries | {"wgmma": library.model_copy(update=changes)}
        hardware = machine.model_copy(update={"libraries": changed})
        mapping = Mapping(128, 128, 64, 64, 128, stage_buffers=4)
        workload = Workload("one", [Gemm("g", m=2048, n=2048, k=1024)])
        reports.append(simulate(hardware, workload, mapping=mapping).layers[0])
    alone, shared = (report.traffic_bytes for report in reports)
    assert shared["l2"]["weights"] == alone["l2"]["weights"]
    assert shared["l2"]["activations"]["read"] * 2 == alone["l2"]["activations"]["read"]
    assert shared["scratchpad"] == alone["scratchpad"]
    assert shared["dram"]["activations"]["read"] == alone["dram"]["activations"]["read"]


@pytest.mark.parametrize(("m", "n"), [(2, 1), (1, 2), (2, 2)])
def test_a_sample_has_clusters_where_the_whole_has(m: int, n: int) -> None:
    hardware = contended(8)
    problem = problem_of(hardware, "1:1", m=16 * 40, n=16 * 42, k=32 * 96)
    library = clustered(hardware, m, n, swizzle=4)
    whole = Whole(hardware, library, problem, MAPPING)
    for budget in (4000, 20_000):
        cuts, _ = cuts_of(whole, budget)
        for side, unit in ((cuts.rows, m), (cuts.columns, n)):
            assert not any(length % unit for length in (side.short, side.long, side.check))
    found = estimate(hardware, library, problem, MAPPING, fast.run, 20_000)
    exact = estimate(hardware, library, problem, MAPPING, fast.run, 10**6)
    assert found.time_error_ratio > 0
    assert found.result.multicast.tolist() == exact.result.multicast.tolist()
    assert found.result.requests.tolist() == exact.result.requests.tolist()
    assert found.result.makespan_ps == pytest.approx(exact.result.makespan_ps, rel=0.03)


BASE: dict[str, object] = {"core.count": 4, "libraries.own.dispatch": "round_robin"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"libraries.own.cluster": {"m": 0}}, "greater than or equal to 1"),
        ({"libraries.own.cluster": {"k": 2}}, "k"),
        ({"libraries.own.cluster": {"m": 8, "n": 4}}, "a cluster has at most 16 cores, got 8x4"),
        ({"libraries.own.cluster": {"m": 8}}, "8 cores are more than core.count = 4"),
        ({"libraries.own.cluster": {"m": 2}, "libraries.own.dispatch": "dynamic"},
         "a cluster wants dispatch: round_robin, as persistent kernels have, got dynamic"),
    ],
)  # fmt: skip
def test_clusters_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_hardware(tiny(core__count=4), BASE | changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_clusters_are_sent_is_held_in_memory_too() -> None:
    """24 bytes for each of 3 lines of 1024 clusters, and 48 for 3 blocks: 72 KiB a stage."""
    hardware = tiny(core__count=2048, memory__dram__bytes=2**40)
    with pytest.raises(WorkloadError, match=" 4 GiB of engine state"):
        program_of(hardware, 2, 1, (2, 1, 60_000))
    assert Cluster(2, 1).lines(2048) == 3 * 1024
    assert ALONE.lines(2048) == 0
