"""How much of a large GEMM is simulated: samples grow until two of them agree.

What a sample says of its own error is a guess with wide floors; two samples of which the larger
has several times as many stages, cut otherwise, are two witnesses.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from simulator.hardware import Hardware, Library
from simulator.run.sampling import Engine, Errors, Estimate, estimate, keeps_step
from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import TileGrid
from simulator.workload.lowering import GemmProblem

PROMISED = Errors(0.01, 0.03)
"""What samples that agree, and pass their checks, are off by at most, but for a few."""

CLOSE = Errors(0.0101, 0.035)
"""Estimated errors up to which one sample is enough."""

AGREEMENT, CHECKED = Errors(0.002, 0.01), Errors(0.005, 0.02)
"""How far apart two samples may be, of which one has `GROWTH` times as many stages, and how far off
the line the third lengths of the larger one, to be believed. Set on a few hundred layers of one
seed, and judged on those of others (``tests/sampling``)."""

GROWTH = 4
WHOLE_STAGES, MOST_SAMPLED_STAGES = 57_000_000, 12_000_000
"""GEMMs of up to so many stages, two seconds at 35 ns each, are simulated whole where samples do
not agree; samples of larger ones grow up to the second."""

WORTHWHILE = 2
"""A sample is worth it where the whole has so many times its stages."""

FEW_CORES, UNSURE = 8, Errors(0.1, 0.7)
"""So few cores share little of what L2 holds: what a tile finds there again hangs on L2's size, to
a block, and samples agree on what is wrong. What they may be off by then."""


def close_estimate(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    mapping: Mapping,
    engine: Engine,
    budget_stages: int,
) -> Estimate:
    """As `estimate`, but with as many stages as it takes to be sure.

    Samples grow until two of them agree. A GEMM that takes no longer than two seconds is simulated
    whole where they do not, or where it has not many more stages.
    """
    grid = mapping.grid(problem)
    stages = grid.outputs * grid.stages
    simulated = partial(estimate, hardware, library, problem, mapping, engine)
    if hardware.core.count < FEW_CORES:
        return simulated(stages) if stages <= WHOLE_STAGES else _unsure(simulated(budget_stages))
    found = simulated(budget_stages)
    while not found.errors.within(CLOSE):
        budget_stages *= GROWTH
        if stages <= min(WHOLE_STAGES, WORTHWHILE * budget_stages):
            return simulated(stages)
        if budget_stages > MOST_SAMPLED_STAGES:
            return simulated(stages) if stages <= WHOLE_STAGES else found
        found = _believed(found, simulated(budget_stages), grid)
    return found


def _believed(small: Estimate, large: Estimate, whole: TileGrid) -> Estimate:
    """The larger of two samples, with what the smaller one says of its error.

    Where tiles are unequal cores drift apart for as long as there are stages: shorter tiles do not
    tell how far.
    """
    apart, part = large.apart(small), large.program.grid
    is_another = small.program.grid != part
    drifts = part.stages < whole.stages and not keeps_step(large.program)
    if is_another and not drifts and apart.within(AGREEMENT) and large.checked.within(CHECKED):
        return _off_by(large, PROMISED)
    return _off_by(large, Errors(*map(max, large.errors, apart)))


def _unsure(found: Estimate) -> Estimate:
    return _off_by(found, Errors(*map(max, found.errors, UNSURE)))


def _off_by(found: Estimate, errors: Errors) -> Estimate:
    return replace(found, time_error_ratio=errors.time, dram_error_ratio=errors.dram)
