"""At which clock does a layer run: where it may draw no more than so much, or where load lowers it?

Energies are those of the YAML's voltage. Model: a lower clock does not lower the voltage, so that a
power limit costs its full share of time. What load does to a clock is stated as such, without
energies (`Sustained`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from simulator.errors import ConfigError
from simulator.hardware import Hardware
from simulator.hardware.library import Unit
from simulator.report.layer import LayerReport, layer_report
from simulator.run.choice import Outcome, Terms, attended, fastest, streamed
from simulator.sparsity import DENSE, AnyPattern
from simulator.workload import Attention, Layer, Stream
from simulator.workload.attention_problem import AttentionProblem
from simulator.workload.lowering import GemmProblem

CLOCK_STEPS: Final = 100
"""A power limit lowers the clock in hundredths of the YAML's."""


def has_limit(hardware: Hardware) -> bool:
    """Whether the machine has a power limit."""
    return hardware.energy is not None and hardware.energy.tdp_w is not None


def at_its_clock(terms: Terms, layer: Layer, outcome: Outcome) -> Outcome:
    """What came of a layer at the clock that load and a power limit leave it."""
    return within_limit(terms, layer, under_load(terms, layer, outcome))


def under_load(terms: Terms, layer: Layer, outcome: Outcome) -> Outcome:
    """What came of a layer; where load lowers the clock, at its mean over the layer's time."""
    sustained = terms.hardware.sustained
    if sustained is None or not sustained.applies:
        return outcome
    step = CLOCK_STEPS
    # A longer time means a lower clock, so that this ends.
    while (lower := round(CLOCK_STEPS * sustained.mean_ratio(outcome.time_ps))) < step:
        step = lower
        outcome = _at_step(terms, layer, outcome, step)
    return outcome


def within_limit(terms: Terms, layer: Layer, outcome: Outcome) -> Outcome:
    """What came of a layer; where the limit is exceeded, at a lower clock, mapped as before.

    Raises
    ------
    ConfigError
        If the machine has a limit, but no energy of the layer's dtype.
    """
    step = CLOCK_STEPS
    while has_limit(terms.hardware):
        report = report_of(terms, layer, outcome)
        if report.energy_pj is None:
            raise ConfigError(
                f"layer {layer.name}", "its power is not known, so that no limit can be held",
                want=f"energy.mac_pj.{layer.dtype}",
            )  # fmt: skip
        lower = limited_step(terms.hardware, step, report.energy_pj, report.time_ps)
        if lower == step:
            break
        step = lower
        outcome = _at_step(terms, layer, outcome, step)
    return outcome


def limited_step(hardware: Hardware, step: int, energy_pj: float | None, time_ps: int) -> int:
    """The clock, in hundredths, to try after a run at ``step``; ``step`` itself if it may stay.

    Time grows at most as the clock falls, so that the highest step at which the power could be low
    enough follows from energy and time; the run there decides. At one hundredth it stays.
    """
    limits = hardware.energy
    if limits is None or limits.tdp_w is None or energy_pj is None or step == 1:
        return step
    if energy_pj <= limits.tdp_w * time_ps:
        return step
    actions_pj = energy_pj - limits.static_w * time_ps
    needed_ps = actions_pj / (limits.tdp_w - limits.static_w)
    return max(1, min(step - 1, int(step * time_ps / needed_ps)))


def report_of(
    terms: Terms, layer: Layer, outcome: Outcome, asked: AnyPattern = DENSE, note: str = ""
) -> LayerReport:
    """The figures of a layer at the clock that the power limit left it."""
    hardware, unit = outcome.hardware, _unit(terms, outcome)
    if isinstance(outcome.problem, GemmProblem) and unit == "tensor":
        # As its library found it, whose sums decide what the tensor cores can do.
        own = terms if hardware is terms.hardware else replace(terms, hardware=hardware)
        hardware, _ = own.kernels_of(outcome.problem)
    return layer_report(
        hardware,
        layer,
        outcome.estimate.program,
        outcome.estimate.result,
        problem=outcome.problem,
        mapping=outcome.mapping,
        asked=asked,
        note=note,
        executed_on=unit,
        throttled=outcome.hardware is not terms.hardware,
        time_error_ratio=outcome.estimate.time_error_ratio,
        dram_error_ratio=outcome.estimate.dram_error_ratio,
        runs=outcome.estimate.runs,
    )


def _unit(terms: Terms, outcome: Outcome) -> Unit:
    """What a layer ran on."""
    if outcome.problem is None:
        return "vector"
    if isinstance(outcome.problem, AttentionProblem):
        return "tensor"
    return terms.kernels_of(outcome.problem)[1].unit


def _at_step(terms: Terms, layer: Layer, outcome: Outcome, step: int) -> Outcome:
    """The same layer at a lower clock, with the mapping and the pattern of ``outcome``."""
    full = terms.hardware
    slower = replace(terms, hardware=full.at_clock(full.clock_hz * step // CLOCK_STEPS))
    if isinstance(layer, Stream):
        return streamed(slower, layer)
    if isinstance(layer, Attention):
        return attended(slower, layer, outcome.mapping)
    assert outcome.mapping is not None
    assert outcome.option is not None
    return fastest(replace(slower, mapping=outcome.mapping), [outcome.option], {})
