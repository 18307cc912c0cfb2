"""Which sparse layers would be faster dense, where the machine's software does not run them so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from simulator.workload.lowering import GemmProblem, lower


@dataclass(frozen=True)
class Came:
    """What came of a layer, in short: ``is_plain`` with the machine's own clock, and no mask."""

    number: int
    time_ps: int
    problem: GemmProblem | None
    is_plain: bool

    @classmethod
    def of(cls, terms: Terms, outcome: Outcome) -> Came:
        """Of attention and of streaming layers there is no problem."""
        option = outcome.option
        if option is None:
            return cls(outcome.number, outcome.time_ps, None, False)
        is_plain = option.mask is None and outcome.hardware is terms.hardware
        return cls(outcome.number, outcome.time_ps, option.problem, is_plain)


def slower_than_dense(
    terms: Terms, works: Sequence[Attached], came: Sequence[Came]
) -> Sequence[bool]:
    """Of every layer, whether dense kernels would run it faster.

    Not where mappings are the user's own, where memory does not hold them dense, where a power
    limit lowered the clock, which dense might keep, nor where real weights decide what stages cost.
    """
    rivals: dict[int, list[GemmProblem]] = {}
    if terms.mapping == "auto":
        for work, one in zip(works, came, strict=True):
            if one.number not in rivals and _is_sparse(work, one):
                rivals[one.number] = _rivals(terms, work, one)
    ranked = ranking(terms, [problem for problems in rivals.values() for problem in problems])
    times = {one.number: one.time_ps for one in came}
    dense = {
        number: problems[0]
        for number, problems in rivals.items()
        if problems and _loses(terms, times[number], problems, ranked)
    }
    kept = [
        (work.layer, dense.get(one.number, one.problem))
        for work, one in zip(works, came, strict=True)
    ]
    room = terms.hardware.memory.dram.bytes
    if dense and held(kept, terms.hardware.sparsity.metadata).all_bytes > room:
        dense = {}
    return [one.number in dense for one in came]


def _is_sparse(work: Attached, came: Came) -> bool:
    """Whether a layer could run as patterns alone."""
    if not came.is_plain or isinstance(work.asked, Unstructured):
        return False
    return not any(problem.pattern.is_dense for problem in work.problems)


def _rivals(terms: Terms, work: Attached, came: Came) -> list[GemmProblem]:
    """The layer dense, as far as peak rates do not say already that it is no faster."""
    layer = work.layer
    assert not isinstance(layer, Stream | Attention)
    (problem, *_) = lower(layer, DENSE, terms.hardware, library=terms.library_name).problems
    return [one for one in terms.laid_out(problem) if _least_ps(terms, one) < came.time_ps]


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


def _loses(terms: Terms, time_ps: int, problems: Sequence[GemmProblem], ranked: Ranking) -> bool:
    """Whether dense is faster, simulated where the estimate says so, or nearly."""
    options, near = [], time_ps * (1 + CLOSE_HOST_RATIO)
    for problem in problems:
        best = ranked[problem]
        if not isinstance(best, MappingError) and best[0][1] < near:
            options.append(Option(problem))
    if not options:
        return False
    start_ps = terms.hardware.start_ps(streaming=False)
    dense_ps = fastest(terms, options, ranked).time_ps + start_ps
    return time_ps + start_ps > dense_ps * (1 + EQUAL_RATIO)
