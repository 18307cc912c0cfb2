"""Do many mappings at once move and take what each does alone?"""

from __future__ import annotations

import numpy as np
import pytest
from machines import library_of, problem_of, tiny

from simulator.schedule.mapping import Mapping
from simulator.schedule.offers import Offers, stages_of
from simulator.schedule.timing import StageShape, stage_cost, stage_work

MAPPINGS = [Mapping(16, 16, 32, 8, 8), Mapping(8, 32, 64, 8, 16, stage_buffers=3)]


def test_the_grids_are_those_of_the_mappings() -> None:
    hardware = tiny()
    problems = [problem_of(hardware, "2:4", m=m, n=24, k=100) for m in (40, 7)]
    offers = Offers.of(
        hardware, library_of(hardware), problems, [0, 1, 1], [*MAPPINGS, MAPPINGS[0]]
    )
    grids = [MAPPINGS[0].grid(problems[0]), *(x.grid(problems[1]) for x in reversed(MAPPINGS))]
    rows, columns, stages = offers.grid
    for place, grid in enumerate(grids):
        found = rows[place], columns[place], stages[place]
        assert found == (grid.rows, grid.columns, grid.stages)
    last = offers.take(np.array([2]))
    assert (last.m.tolist(), last.tile_m.tolist()) == ([7], [16])


@pytest.mark.parametrize("pattern", ["1:1", "2:4", "1:8"])
def test_a_full_stage_takes_what_it_takes_alone(pattern: str) -> None:
    """Tiles that divide Y are of one kind; times agree but for the rounding to a picosecond."""
    hardware = tiny(core__scratchpad__bytes_per_cycle=48, core__barrier_cycles=3)
    problem = problem_of(hardware, pattern, m=64, n=64, k=256)
    offers = Offers.of(hardware, library_of(hardware), [problem], [0] * len(MAPPINGS), MAPPINGS)
    stages = stages_of(hardware, library_of(hardware), problem, offers)
    for place, mapping in enumerate(MAPPINGS):
        shape = StageShape(
            mapping.tile_m,
            mapping.tile_n,
            mapping.tile_k,
            mapping.fragment_m,
            mapping.fragment_n,
        )
        work = stage_work(hardware, problem, shape)
        cost = stage_cost(hardware, problem, work)
        assert stages.core[0, place] * 1000 == pytest.approx(cost.stage_ps, abs=1)
        assert stages.prologue[0, place] * 1000 == pytest.approx(cost.prologue_ps, abs=1)
        assert stages.rows_bytes[place] == work.rows_bytes + work.metadata_bytes
        assert stages.columns_bytes[place] == work.columns_bytes


def test_kinds_of_tiles_cover_the_output() -> None:
    hardware = tiny()
    problem = problem_of(hardware, "1:1", m=40, n=72, k=64, batch=3)
    offers = Offers.of(hardware, library_of(hardware), [problem], [0] * len(MAPPINGS), MAPPINGS)
    stages = stages_of(hardware, library_of(hardware), problem, offers)
    tiles = [mapping.grid(problem).outputs for mapping in MAPPINGS]
    assert stages.outputs.sum(axis=0).tolist() == tiles
    assert (stages.outputs * stages.elements).sum(axis=0).tolist() == [3 * 40 * 72] * 2
