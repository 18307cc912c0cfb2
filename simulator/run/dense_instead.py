"""Which sparse layers would be faster dense, where the machine's software does not run them so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.errors import MappingError
from simulator.run.attach import Attached
from simulator.run.choice import (
    CLOSE_HOST_RATIO,
    EQUAL_RATIO,
    Option,
    Outcome,
    Ranking,
    Terms,
    fastest,
    ranking,
)
from simulator.schedule.capacity import held
from simulator.sparsity import DENSE, Unstructured
from simulator.units import PS_PER_SECOND, bits_to_bytes
from simulator.workload import Attention, Stream
from simulator.workload.lowering import DENSE_FASTER, GemmProblem, lower

Found = tuple[Attached, Outcome]


def with_dense_told(terms: Terms, found: Sequence[Found]) -> list[Found]:
    """The same layers, with a remark on those that dense kernels would run faster.

    Not where mappings are the user's own, where memory does not hold them dense, where a power
    limit lowered the clock, which dense might keep, nor where real weights decide what stages cost.
    """
    if terms.mapping != "auto":
        return list(found)
    rivals: dict[int, list[GemmProblem]] = {}
    for work, outcome in found:
        if id(outcome) not in rivals and _is_sparse(terms, work, outcome):
            rivals[id(outcome)] = _rivals(terms, work, outcome)
    ranked = ranking(terms, [problem for problems in rivals.values() for problem in problems])
    faster = {
        id(outcome)
        for outcome in {id(outcome): outcome for _, outcome in found}.values()
        if rivals.get(id(outcome)) and _loses(terms, outcome, rivals[id(outcome)], ranked)
    }
    dense = {one: rivals[one][0] for one in faster}
    kept = [
        (work.layer, dense.get(id(outcome), outcome.option.problem if outcome.option else None))
        for work, outcome in found
    ]
    room = terms.hardware.memory.dram.bytes
    if faster and held(kept, terms.hardware.sparsity.metadata).all_bytes > room:
        return list(found)
    return [
        (replace(work, remark=DENSE_FASTER) if id(outcome) in faster else work, outcome)
        for work, outcome in found
    ]


def _is_sparse(terms: Terms, work: Attached, outcome: Outcome) -> bool:
    """Whether a layer could run as patterns alone, with the machine's own clock and no mask."""
    option = outcome.option
    if option is None or option.mask is not None or outcome.hardware is not terms.hardware:
        return False
    if isinstance(work.asked, Unstructured):
        return False
    return not any(problem.pattern.is_dense for problem in work.problems)


def _rivals(terms: Terms, work: Attached, outcome: Outcome) -> list[GemmProblem]:
    """The layer dense, as far as peak rates do not say already that it is no faster."""
    layer = work.layer
    assert not isinstance(layer, Stream | Attention)
    (problem, *_) = lower(layer, DENSE, terms.hardware, library=terms.library_name).problems
    ways = terms.laid_out(problem)
    return [one for one in ways if _least_ps(terms, one) < outcome.time_ps]


def _least_ps(terms: Terms, problem: GemmProblem) -> float:
    """No dense run takes less: at the peak rate of MACs, or, from a cold L2, of reads of DRAM."""
    hardware, _ = terms.kernels_of(problem)
    cycles = problem.macs / (hardware.core.count * hardware.macs_per_cycle(problem.dtype))
    least = float(cycles * PS_PER_SECOND / hardware.clock_hz)
    if hardware.memory.l2.start != "cold":
        return least
    inputs = problem.unique_input_bytes or bits_to_bytes(problem.k * problem.n * problem.bits)
    weights = bits_to_bytes(problem.m * problem.k * problem.bits)
    return max(least, float(hardware.dram_rate.ps((inputs + weights) * problem.count)))


def _loses(
    terms: Terms, outcome: Outcome, problems: Sequence[GemmProblem], ranked: Ranking
) -> bool:
    """Whether dense is faster, simulated where the estimate says so, or nearly."""
    options, near = [], outcome.time_ps * (1 + CLOSE_HOST_RATIO)
    for problem in problems:
        best = ranked[problem]
        if not isinstance(best, MappingError) and best[0][1] < near:
            options.append(Option(problem))
    if not options:
        return False
    start_ps = terms.hardware.start_ps(streaming=False)
    dense_ps = fastest(terms, options, ranked).time_ps + start_ps
    return outcome.time_ps + start_ps > dense_ps * (1 + EQUAL_RATIO)
