"""Do rehearsals take as long as the engine does?"""

from __future__ import annotations

import random

import numpy as np
import numpy.typing as npt
import pytest
from machines import random_case

from simulator import Gemm, load_hardware
from simulator.engine import fast
from simulator.hardware import Hardware, Library
from simulator.run.choice import Terms
from simulator.schedule import outline
from simulator.schedule.mapping import Mapping
from simulator.schedule.offers import Offers, stages_of
from simulator.schedule.outline import Outline, Rivals
from simulator.schedule.partition import Cluster, TileGrid, grouped_order
from simulator.schedule.program import gemm_program
from simulator.schedule.ranking import _List
from simulator.schedule.rehearsal import (
    BAND,
    CLUSTER_M,
    CLUSTER_N,
    COLUMNS,
    COLUMNS_LINE,
    COUNT,
    PLACES,
    ROWS,
    ROWS_LINE,
    SIZES,
    SPLIT,
    SPLITS,
    STAGES,
    _decode,
)
from simulator.sparsity import DENSE
from simulator.workload.lowering import GemmProblem, lower


@pytest.mark.parametrize("swizzle", [1, 2, 3, 8])
@pytest.mark.parametrize("cluster", [Cluster(), Cluster(2, 1), Cluster(1, 2), Cluster(2, 2)])
def test_tiles_are_walked_as_programs_walk_them(swizzle: int, cluster: Cluster) -> None:
    grid = TileGrid(6 * 16, 4 * 16, 5 * 8, 3, 16, 16, 8, splits=2)
    sizes = np.zeros(SIZES, dtype=np.int64)
    for field, value in (
        (COUNT, grid.count), (ROWS, grid.rows), (COLUMNS, grid.columns), (STAGES, grid.stages),
        (SPLITS, grid.splits), (BAND, min(cluster.band(swizzle), grid.rows)),
        (CLUSTER_M, cluster.m), (CLUSTER_N, cluster.n),
    ):  # fmt: skip
        sizes[field] = value
    place = np.zeros(PLACES, dtype=np.int64)
    for number, tile in enumerate(grouped_order(grid, swizzle, cluster).tolist()):
        _decode(number, sizes, place)
        there = grid.place(tile)
        assert place[ROWS_LINE] == there.gemm * grid.rows + there.row
        assert place[COLUMNS_LINE] == there.gemm * grid.columns + there.column
        assert place[SPLIT] == there.split


def rehearsed_ps(
    hardware: Hardware, library: Library, problem: GemmProblem, offers: Offers, *,
    splits: npt.NDArray[np.float64], warm: npt.NDArray[np.bool_], reach: float = np.inf,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:  # fmt: skip
    """Times of mappings of a problem, and whether each was run whole."""
    outline, some = Outline(hardware, library, problem, offers, splits), np.arange(splits.size)
    whole = outline.whole(some)
    rivals = Rivals(0 * some, np.zeros(some.size), np.zeros(some.size), np.full(some.size, reach))
    return outline.rehearsed_ps(hardware, library, some, warm, rivals), whole


def rehearsed_ratios(count: int, seed: int) -> np.ndarray:
    """Rehearsed over simulated times of random small programs."""
    rng = random.Random(seed)
    ratios = []
    while len(ratios) < count:
        case = random_case(rng)
        if case.problem is None or case.mask is not None or case.program.grid.has_columns is False:
            continue
        assert case.mapping is not None
        order = case.problem.swapped() if case.mapping.swapped else case.problem
        offers = Offers.of(case.hardware, case.library, [order], [0], [case.mapping])
        cold = stages_of(case.hardware, case.library, order, offers).cold
        splits = np.array([case.mapping.splits], dtype=np.float64)
        found, is_whole = rehearsed_ps(
            case.hardware, case.library, order, offers, splits=splits, warm=~cold
        )
        assert is_whole.all()
        program = gemm_program(case.hardware, case.library, order, case.mapping)
        took = fast.run(program).makespan_ps + program.restart_ps
        ratios.append(found[0] / took)
    return np.array(ratios)


def test_small_programs_are_rehearsed_whole_and_closely() -> None:
    """On machines where everything is contended, and L2 far too small."""
    errors = np.abs(rehearsed_ratios(150, seed=3) - 1)
    assert np.median(errors) < 0.02
    assert np.quantile(errors, 0.9) < 0.2


def test_long_programs_are_rehearsed_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    hardware = load_hardware("a100-sxm4-80gb")
    problem = lower(Gemm("g", 4096, 4096, 1024), DENSE, hardware).problem
    own, library = Terms(hardware, fast.run).kernels_of(problem)
    mapping = Mapping(128, 128, 64, 64, 32, stage_buffers=3)
    offers = Offers.of(own, library, [problem], [0], [mapping])
    splits, warm = np.ones(1), np.zeros(1, dtype=bool)
    in_part, is_whole = rehearsed_ps(own, library, problem, offers, splits=splits, warm=warm)
    assert not is_whole.any()
    monkeypatch.setattr(outline, "EVENTS", 10**6)
    entire, is_whole = rehearsed_ps(own, library, problem, offers, splits=splits, warm=warm)
    assert is_whole.all()
    took = fast.run(gemm_program(own, library, problem, mapping)).makespan_ps
    assert entire[0] == pytest.approx(took, rel=0.01)
    assert in_part[0] == pytest.approx(took, rel=0.05)


def test_rivals_out_of_reach_are_given_up_and_the_others_are_not() -> None:
    """Whoever is stopped takes longer than what is in reach; all others take what they take."""
    hardware = load_hardware("nm-flex")
    for m, n, k in ((512, 512, 512), (100, 3000, 768), (64, 64, 4096), (2048, 1024, 100)):
        for accumulate in (False, True):
            layer = Gemm("g", m, n, k, accumulate=accumulate)
            problem = lower(layer, DENSE, hardware).problem
            bench = Terms(hardware, fast.run).bench(DENSE, "fp16")
            own, library = bench.hardware, bench.library
            listed = _List(bench, own.core.count, (problem,))
            cold = stages_of(own, library, problem, listed.offers).cold
            given = own, library, problem, listed.offers
            every, _ = rehearsed_ps(*given, splits=listed.splits, warm=~cold)
            some, _ = rehearsed_ps(*given, splits=listed.splits, warm=~cold, reach=0.1)
            near = every.min() * 1.1
            assert (some[every <= near] == every[every <= near]).all()
            assert (some[every > near] > near).all()
            assert (some <= every).all()
            assert (some < every).any()
