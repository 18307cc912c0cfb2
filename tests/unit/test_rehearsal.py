"""Do rehearsals take as long as the engine does?"""

from __future__ import annotations

import random

import numpy as np
import pytest
from machines import random_case

from simulator.engine import fast
from simulator.schedule import outline
from simulator.schedule.mapping import Mapping
from simulator.schedule.offers import Offers, stages_of
from simulator.schedule.outline import rehearsed_ps
from simulator.schedule.partition import Cluster, TileGrid, grouped_order
from simulator.schedule.program import gemm_program
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
        found, is_whole = rehearsed_ps(case.hardware, case.library, order, offers, splits, ~cold)
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
    from simulator import Gemm, load_hardware
    from simulator.run.choice import Terms
    from simulator.sparsity import DENSE
    from simulator.workload.lowering import lower

    hardware = load_hardware("a100-sxm4-80gb")
    problem = lower(Gemm("g", 4096, 4096, 1024), DENSE, hardware).problem
    own, library = Terms(hardware, fast.run).kernels_of(problem)
    mapping = Mapping(128, 128, 64, 64, 32, stage_buffers=3)
    offers = Offers.of(own, library, [problem], [0], [mapping])
    splits, warm = np.ones(1), np.zeros(1, dtype=bool)
    in_part, is_whole = rehearsed_ps(own, library, problem, offers, splits, warm)
    assert not is_whole.any()
    monkeypatch.setattr(outline, "EVENTS", 10**6)
    entire, is_whole = rehearsed_ps(own, library, problem, offers, splits, warm)
    assert is_whole.all()
    took = fast.run(gemm_program(own, library, problem, mapping)).makespan_ps
    assert entire[0] == pytest.approx(took, rel=0.01)
    assert in_part[0] == pytest.approx(took, rel=0.05)
