"""Samples grow until two agree; what does not take long is else simulated whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
from linear import MAPPING, Linear, batch_of, fast_memory
from machines import library_of

from simulator.run import sampling_growth as growth
from simulator.run.sampling import Errors, Estimate, estimate
from simulator.run.sampling_growth import close_estimate

LONG = (4, 4, 40_000, 1)
STAGES = 4 * 4 * 40_000
BUDGET = 3000
WHOLE = MAPPING.grid(batch_of(fast_memory(), *LONG))


@pytest.fixture(autouse=True)
def _four_cores_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "FEW_CORES", 4)


def grown(engine: Linear, budget: int = BUDGET) -> Estimate:
    hardware = fast_memory()
    library, problem = library_of(hardware, swizzle=2), batch_of(hardware, *LONG)
    return close_estimate(hardware, library, problem, MAPPING, engine, budget)


def sample(budget: int) -> Estimate:
    hardware = fast_memory()
    library, problem = library_of(hardware, swizzle=2), batch_of(hardware, *LONG)
    return estimate(hardware, library, problem, MAPPING, Linear(), budget)


def simulated(engine: Linear) -> int:
    return sum(grid.stage_events for grid in engine.asked)


def test_one_sample_is_enough_where_its_error_is_known() -> None:
    engine = Linear()
    found = grown(engine)
    assert simulated(engine) <= BUDGET
    assert found.time_error_ratio == pytest.approx(0.009)
    assert found.dram_error_ratio == pytest.approx(0.03)


def test_the_whole_is_run_where_no_two_samples_agree() -> None:
    engine = Linear(bend_ps=50)
    found = grown(engine)
    assert found.errors == (0, 0)
    assert engine.asked[-1].stage_events == STAGES
    # Samples of four times the stages, as long as the whole has twice as many.
    samples = [grid.stage_events for grid in engine.asked[:-1]]
    assert max(samples) > 10 * min(samples)
    assert simulated(engine) < 2.5 * STAGES


def test_but_not_where_it_takes_longer_than_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "WHOLE_STAGES", STAGES - 1)
    monkeypatch.setattr(growth, "MOST_SAMPLED_STAGES", 20 * BUDGET)
    engine = Linear(bend_ps=50)
    found = grown(engine)
    assert simulated(engine) < 30 * BUDGET
    assert found.errors.time > 0.01


def test_two_samples_are_believed_that_agree_are_cut_otherwise_and_pass_their_checks() -> None:
    large = sample(4 * BUDGET)
    small = replace(sample(BUDGET), result=large.result)
    unsure = replace(large, time_error_ratio=0.2, dram_error_ratio=0.5)
    assert growth._believed(small, unsure, WHOLE).errors == growth.PROMISED
    assert growth._believed(unsure, unsure, WHOLE).errors == (0.2, 0.5)  # cut alike
    bent = replace(unsure, checked=Errors(0.006, 0.0))
    assert growth._believed(small, bent, WHOLE).errors == (0.2, 0.5)
    slower = replace(small.result, makespan_ps=small.result.makespan_ps * 101 // 100)
    assert growth._believed(replace(small, result=slower), unsure, WHOLE).errors == (0.2, 0.5)
    sure = replace(large, time_error_ratio=0.001)
    apart = growth._believed(replace(small, result=slower), sure, WHOLE).errors.time
    assert apart == pytest.approx(0.01, rel=0.05)


def test_samples_of_few_cores_promise_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "FEW_CORES", 5)
    engine = Linear()
    assert grown(engine).errors == (0, 0)
    assert simulated(engine) == STAGES
    monkeypatch.setattr(growth, "WHOLE_STAGES", STAGES - 1)
    assert grown(Linear()).errors == growth.UNSURE
