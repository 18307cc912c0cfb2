"""Are sides cut so that their two lengths lead to the true one, within a budget?"""

from __future__ import annotations

import pytest
from machines import library_of, problem_of, tiny

from simulator.run.sampling_plan import FEWEST_WAVES, Cuts, Side, Whole, cuts_of, extrapolated
from simulator.schedule.mapping import Mapping


@pytest.mark.parametrize(("length", "shortest", "step", "unit"), [(100, 7, 8, 2), (164, 32, 5, 1)])
def test_whole_steps_lead_to_the_true_length(
    length: int, shortest: int, step: int, unit: int
) -> None:
    side = Side.cut(length, shortest, step, unit)
    assert side is not None
    assert shortest <= side.short < shortest + step
    assert side.short + side.factor * (side.long - side.short) == length
    assert side.check not in (side.short, side.long)
    assert side.simulated == side.short + side.long < length
    assert Side.cut(length, length - step, step) is None  # one step saves nothing


def test_what_is_linear_along_every_side_is_found_exactly() -> None:
    seen = []

    def at(stages: int, columns: int, rows: int, gemms: int) -> int:
        seen.append((stages, columns, rows, gemms))
        return (3 + 5 * stages) * (1 + columns) * (7 * rows + 2) * gemms

    def beyond(short: int, long: int, factor: int) -> int:
        return short + (long - short) * factor

    cut = Side.cut(100, 20, 10), Side.cut(90, 8, 8), Side.cut(50, 10, 20), Side.cut(9, 2, 2)
    cuts = Cuts(*(side for side in cut if side is not None))
    assert extrapolated(cuts, at, beyond) == 503 * 91 * 352 * 9
    assert len(set(seen)) == len(seen) == 16
    uncut = Cuts(*(Side.whole(length) for length in (4, 3, 2, 1)))
    assert uncut.cuts_nothing
    assert extrapolated(uncut, at, beyond) == 23 * 4 * 16 * 1


@pytest.mark.parametrize(("share", "is_safe"), [(10, True), (100, True), (10_000, False)])
def test_the_smallest_run_fills_the_cores_and_keeps_to_a_budget_that_is_large_enough(
    share: int, is_safe: bool
) -> None:
    hardware = tiny(core__count=8, memory__l2__bytes=2**16)
    problem = problem_of(hardware, "1:1", m=4096, n=4096, k=4096)
    whole = Whole(hardware, library_of(hardware), problem, Mapping(16, 16, 16, 8, 8))
    budget = whole.grid.outputs * whole.grid.stages // share
    cuts, safe = cuts_of(whole, budget)
    assert (safe, cuts.cost <= budget) == (is_safe, is_safe)
    assert cuts.columns.short * cuts.rows.short >= FEWEST_WAVES * hardware.core.count
