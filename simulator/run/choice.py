"""Which mapping, and which pattern, a GEMM runs with: the fastest of a few that are simulated."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count
from typing import TypeVar

import numpy as np

from simulator.engine.result import EngineResult
from simulator.errors import MappingError
from simulator.hardware import Hardware, Library
from simulator.hardware.library import Unit
from simulator.run.sampling import Estimate, estimate
from simulator.run.sampling_growth import WHOLE_STAGES, close_estimate
from simulator.schedule.attention import attention_program
from simulator.schedule.attention_ranking import attention_candidates
from simulator.schedule.bench import Bench
from simulator.schedule.mapping import Mapping, check
from simulator.schedule.masking import Mask
from simulator.schedule.program import Program, gemm_program, stream_program
from simulator.schedule.ranking import Few, Ranked, rank
from simulator.sparsity import DENSE, VectorPattern
from simulator.workload import Attention, Stream
from simulator.workload.attention_problem import AttentionProblem, Problem
from simulator.workload.gathered import Gathered
from simulator.workload.laid_out import laid_out
from simulator.workload.lowering import Executed, GemmProblem

EQUAL_RATIO = 0.005
"""Mappings are equally fast if their times differ by less. Model: a library's own ranking decides
then; and which one it is does not hang on the last nanosecond, nor on a sample's error."""

FIRST_STAGES, FINAL_STAGES = 80_000, 260_000
"""Stages of a sample: of each mapping that is tried, and of the first one of those that look
fastest. 9 ms at 35 ns a stage."""

UNSURE_RATIO = 0.001
"""Samples that come so near to `EQUAL_RATIO` do not tell whether mappings are equally fast."""

CLOSE_RATIO = 0.01
"""Mappings that a small sample shows closer to the fastest are sampled again."""

LARGE_STAGES, LARGE_SCALE = 10**8, 4
"""GEMMs of more stages are sampled so much more."""

LARGE_EXACT_STAGES, LARGE_CANDIDATES = 4 * FIRST_STAGES, 2
"""Of GEMMs of more stages, so many mappings of a pattern are tried, and so many simulated whole."""

SIMULATED_HOSTS = 3
"""Of the patterns that contain what was asked, so many with the lowest estimates are simulated. On
100 random layers and all patterns of powers of two, the fastest mapping of any was missed by more
than 2 % in 1 of 100 cases, as by simulating all within `HOST_RATIO`; of two, in 1.4."""

HOST_RATIO, CLOSE_HOST_RATIO = 0.2, 0.05
"""By how much the estimate of another pattern that contains what was asked may exceed the lowest,
for its first mapping to be simulated, and that mapping the fastest, for its other ones. The spread
of the estimate within a problem is 0.05."""

RANKED_AT_ONCE = 512
"""Problems: enough for arrays to pay, and few enough that these take little memory."""

MASKED_FEW = Few(2, 0.5, 40_000)
"""Mappings that are tried with real non-zeros, each with stages of several depths."""

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Option:
    """One of the problems that a layer may become, and the real non-zeros of its rows.

    The mask stands only where it decides what stages cost.
    """

    problem: GemmProblem
    mask: Mask | None = None

    def tie_order(self, hardware: Hardware) -> tuple[Fraction, int]:
        """Equally fast patterns go by metadata, then by group."""
        pattern = self.problem.pattern
        if isinstance(pattern, Gathered):
            return Fraction(0), 0
        return pattern.metadata_per_weight(hardware.sparsity.metadata)


@dataclass(frozen=True)
class Outcome:
    """What identical layers share; ``hardware`` has the clock that the power limit left.

    The problem is in the order in which it ran; it, the mapping and the option are None for a
    streaming layer, the option for attention. Every outcome has a ``number`` of its own.
    """

    hardware: Hardware
    estimate: Estimate
    problem: Problem | None = None
    mapping: Mapping | None = None
    option: Option | None = None
    number: int = field(default_factory=count().__next__, init=False, compare=False)

    @property
    def time_ps(self) -> int:
        """Device time but for the start that every mapping pays."""
        return self.estimate.result.makespan_ps + self.estimate.program.restart_ps


@dataclass(frozen=True)
class Terms:
    """On what terms the layers of a run are simulated.

    Attributes
    ----------
    engine : callable
        Runs a program.
    mapping : "auto" or Mapping
        A mapping of the user's own is used as it is.
    library_name : str or None
        Instead of the machine's choice between dense and sparse.
    accuracy : {"exact", "sampled"}
    """

    hardware: Hardware
    engine: Callable[[Program], EngineResult]
    mapping: Mapping | str = "auto"
    library_name: str | None = None
    accuracy: str = "exact"
    _known: dict[str, Bench] = field(default_factory=dict, init=False, repr=False, compare=False)

    def kernels(
        self, pattern: Executed, dtype: str, unit: Unit = "tensor"
    ) -> tuple[Hardware, Library]:
        """The library that runs a pattern in a dtype, behind the machine as it finds it."""
        bench = self.bench(pattern, dtype, unit)
        return bench.hardware, bench.library

    def bench(self, pattern: Executed, dtype: str, unit: Unit = "tensor") -> Bench:
        """The same, as layers are laid out there; once for every library."""
        choice = self.hardware.library
        # Model: no library has kernels of the unstructured baseline: tiles of dense ones run it.
        is_dense = pattern.is_dense or isinstance(pattern, Gathered)
        name = self.library_name or choice.of(is_dense=is_dense, dtype=dtype)
        if unit == "vector" and choice.vector is not None:
            name = choice.vector
        if isinstance(pattern, VectorPattern):
            name = self.hardware.vector_library(pattern.rows, self.library_name) or name
        if name not in self._known:
            library = self.hardware.libraries[name]
            self._known[name] = Bench.of(self.hardware.under(library), library)
        return self._known[name]

    def laid_out(self, problem: GemmProblem) -> tuple[GemmProblem, ...]:
        """How the library that runs a problem may run it."""
        return laid_out(problem, *self.kernels_of(problem))

    def kernels_of(self, problem: GemmProblem) -> tuple[Hardware, Library]:
        """The library that runs a problem, behind the machine as it finds it."""
        return self.kernels(problem.pattern, problem.dtype, problem.unit)


Ranking = MappingType[GemmProblem, Ranked | MappingError]
"""The best few mappings of every problem of a run, or why none fits."""

_Tried = tuple[Option, Mapping]


def ranking(terms: Terms, problems: Iterable[GemmProblem]) -> Ranking:
    """Rank the mappings of many problems at once, which is faster than one after another."""
    found: dict[GemmProblem, Ranked | MappingError] = {}
    if terms.mapping != "auto":
        return found
    alike: dict[Hashable, dict[GemmProblem, None]] = {}
    for problem in problems:
        kind = problem.pattern, problem.dtype, problem.unit, problem.windowed
        alike.setdefault(kind, {})[problem] = None
    for same in map(list, alike.values()):
        for first in range(0, len(same), RANKED_AT_ONCE):
            some = same[first : first + RANKED_AT_ONCE]
            bench = terms.bench(some[0].pattern, some[0].dtype, some[0].unit)
            ranked = rank(bench.hardware, bench.library, some, bench=bench)
            found.update(zip(some, ranked, strict=True))
    return found


def fastest(terms: Terms, options: Sequence[Option], ranked: Ranking) -> Outcome:
    """The fastest of the few best mappings, under whichever pattern.

    Parameters
    ----------
    ranked : mapping
        Of the problems without a mask, where mappings are not the user's own.

    Raises
    ------
    MappingError
        If nothing fits under any pattern: why not under the first.
    """
    if isinstance(terms.mapping, Mapping):
        tried = _given(terms, terms.mapping, options)
    else:
        tried = _tried(terms, options, ranked)
    if all(option.mask is None for option, _ in tried):
        if terms.accuracy == "sampled" and _most_stages(tried) > LARGE_EXACT_STAGES:
            return _sampled(terms, tried)
        if _most_stages(tried) > LARGE_EXACT_STAGES and len(tried) > LARGE_CANDIDATES:
            tried = _narrowed(terms, tried)
    return _first_of_fastest(terms, _simulated(terms, tried))


def streamed(terms: Terms, layer: Stream) -> Outcome:
    """A layer that only moves data: there is nothing to choose."""
    bench = terms.bench(DENSE, layer.dtype)
    program = stream_program(bench.hardware, bench.library, layer, bench=bench)
    return Outcome(terms.hardware, Estimate(program, terms.engine(program)))


def attended(terms: Terms, layer: Attention, mapping: Mapping | None = None) -> Outcome:
    """Attention with the fastest of its best few mappings, or with the one given.

    It is simulated whole whatever the accuracy: it has few stages, and causal tiles are unequal.

    Raises
    ------
    MappingError
        If none of its tiles fits.
    """
    hardware = terms.hardware
    problem = AttentionProblem.of(layer, hardware)
    outcomes = []
    for one in [mapping] if mapping else attention_candidates(hardware, problem):
        program = attention_program(hardware, problem, one)
        outcomes.append(Outcome(hardware, Estimate(program, terms.engine(program)), problem, one))
    return _first_of_fastest(terms, outcomes)


def _simulated(terms: Terms, tried: list[_Tried]) -> list[Outcome]:
    """All mappings of the patterns whose first one comes near the fastest."""
    if all(option is tried[0][0] for option, _ in tried):
        return [_whole(terms, *one) for one in tried]
    leads = {option.problem: (option, mapping) for option, mapping in reversed(tried)}
    first = {problem: _whole(terms, *lead) for problem, lead in leads.items()}
    close = min(outcome.time_ps for outcome in first.values()) * (1 + CLOSE_HOST_RATIO)
    outcomes = []
    for option, mapping in tried:
        outcome = first[option.problem]
        if mapping == outcome.mapping:
            outcomes.append(outcome)
        elif option.mask is not None or outcome.time_ps <= close:
            outcomes.append(_whole(terms, option, mapping))
    return outcomes


def _given(terms: Terms, mapping: Mapping, options: Sequence[Option]) -> list[_Tried]:
    """The user's own mapping, under every pattern under which it fits; on the tensor cores, if
    they are among the options."""
    options = [one for one in options if one.problem.unit == "tensor"] or options
    tried: list[_Tried] = []
    refused: MappingError | None = None
    for option in options:
        pattern = option.problem.pattern
        if mapping.swapped and not (pattern.is_dense and option.mask is None):
            raise MappingError(
                "mapping.swapped",
                "only dense GEMMs can be swapped: sparse weights and masks are on the rows",
                got=str(pattern),
            )
        try:
            check(*terms.kernels_of(option.problem), option.problem, mapping)
        except MappingError as error:
            refused = refused or error
        else:
            tried.append((option, mapping))
    return _some(tried, refused)


def _tried(terms: Terms, options: Sequence[Option], ranked: Ranking) -> list[_Tried]:
    """The best few mappings of each pattern whose estimate comes near the lowest of all."""
    found: list[tuple[Option, Mapping, float]] = []
    refused: MappingError | None = None
    for option in options:
        best = ranked[option.problem] if option.mask is None else _deepened(terms, option)
        if isinstance(best, MappingError):
            refused = refused or best
            continue
        if option.mask is None and _most_stages([(option, best[0][0])]) > LARGE_EXACT_STAGES:
            best = best[:LARGE_CANDIDATES]
        found += [(option, *one) for one in best]
    near = min(cost for *_, cost in _some(found, refused)) * (1 + HOST_RATIO)
    lowest: dict[Executed, float] = {}
    for option, _, cost in found:
        pattern = option.problem.pattern
        lowest[pattern] = min(cost, lowest.get(pattern, cost))
    hosts = sorted(lowest, key=lambda pattern: lowest[pattern])[:SIMULATED_HOSTS]
    return [
        (option, mapping)
        for option, mapping, cost in found
        if cost <= near and (option.mask is not None or option.problem.pattern in hosts)
    ]


def _deepened(terms: Terms, option: Option) -> Ranked | MappingError:
    """Under a mask: what the library offers, also with deeper stages.

    Only the rows operand can be masked, in whole blocks of rows; and a step that skipping leaves
    half empty is filled only if a stage holds more groups. No estimate sees a mask: all of those
    cost the same, and of a small layer many are tried.
    """
    problem = option.problem
    hardware, library = terms.kernels_of(problem)
    lanes = hardware.sparsity.lockstep_rows
    tiles = tuple(tile for tile in library.tiles if tile.m % lanes == 0)
    offer = library.model_copy(update={"swap": False, "tiles": tiles or library.tiles})
    (ranked,) = rank(hardware, offer, [problem], MASKED_FEW)
    if isinstance(ranked, MappingError):
        return ranked
    found: Ranked = []
    for mapping, _ in ranked:
        for factor in (1, 2, 4):
            buffers = max(min(2, mapping.stage_buffers), mapping.stage_buffers // factor)
            deeper = replace(mapping, tile_k=mapping.tile_k * factor, stage_buffers=buffers)
            try:
                check(hardware, library, problem, deeper)
            except MappingError:
                break
            found.append((deeper, 0.0))
    return found


def _whole(terms: Terms, option: Option, mapping: Mapping) -> Outcome:
    order = option.problem.swapped() if mapping.swapped else option.problem
    bench = terms.bench(order.pattern, order.dtype, order.unit)
    program = gemm_program(bench.hardware, bench.library, order, mapping, option.mask, bench=bench)
    found = Estimate(program, terms.engine(program))
    return Outcome(terms.hardware, found, order, mapping, option)


def _part(
    terms: Terms, option: Option, mapping: Mapping, budget_stages: int, check: bool = True
) -> Outcome:
    """What a sample says of a mapping: one that is large enough, if it is to be checked."""
    order = option.problem.swapped() if mapping.swapped else option.problem
    kernels = terms.kernels_of(order)
    if check:
        found = close_estimate(*kernels, order, mapping, terms.engine, budget_stages)
    else:
        found = estimate(*kernels, order, mapping, terms.engine, budget_stages, check=False)
    return Outcome(terms.hardware, found, order, mapping, option)


def _narrowed(terms: Terms, tried: list[_Tried]) -> list[_Tried]:
    """The fastest on small samples, and another one that looks as fast.

    Patterns as dense with the same mapping differ in metadata alone: the first has the least.
    """
    apart: dict[Hashable, _Tried] = {}
    for option, mapping in tried:
        problem = option.problem
        apart.setdefault((problem.pattern.density, problem.unit, mapping), (option, mapping))
    tried = list(apart.values())
    if len(tried) == 1:
        return tried
    budget = FIRST_STAGES * _sample_scale(tried)
    times = [_part(terms, *one, budget, check=False).time_ps for one in tried]
    close = min(times) * (1 + CLOSE_RATIO)
    first = np.argsort(times, kind="stable")[:LARGE_CANDIDATES].tolist()
    return [tried[at] for at in sorted(first) if times[at] <= close]


def _sampled(terms: Terms, tried: list[_Tried]) -> Outcome:
    """The fastest mapping, by larger samples of those that look fastest."""
    budget = FINAL_STAGES * _sample_scale(tried)
    if len(tried) > LARGE_CANDIDATES:  # as exactly: fewer are all simulated
        tried = _narrowed(terms, tried)
    outcomes = [_part(terms, *one, budget) for one in tried]
    if _is_open(outcomes) and _most_stages(tried) <= WHOLE_STAGES:
        outcomes = [_whole(terms, *one) for one in tried]
    return _first_of_fastest(terms, outcomes)


def _is_open(outcomes: Sequence[Outcome]) -> bool:
    """Whether samples leave open which mapping is chosen: some are compared with whole runs, or are
    too near to where mappings are equally fast."""
    exact = [outcome.estimate.time_error_ratio == 0 for outcome in outcomes]
    if any(exact):
        return not all(exact)
    least = min(outcome.time_ps for outcome in outcomes)
    return any(
        abs(outcome.time_ps / least - 1 - EQUAL_RATIO) < UNSURE_RATIO for outcome in outcomes
    )


def _first_of_fastest(terms: Terms, outcomes: Sequence[Outcome]) -> Outcome:
    """Of those that take no longer than the fastest, but for `EQUAL_RATIO`, the pattern with the
    least metadata, and the first in the ranking."""
    longest = min(outcome.time_ps for outcome in outcomes) * (1 + EQUAL_RATIO)
    equal = [x for x in outcomes if x.time_ps <= longest]
    return min(equal, key=lambda x: x.option.tie_order(terms.hardware) if x.option else ())


def _some(found: list[_Found], refused: MappingError | None) -> list[_Found]:
    """What was found, or why there is nothing."""
    if not found:
        assert refused is not None
        raise refused
    return found


def _most_stages(tried: Sequence[_Tried]) -> int:
    return max(mapping.stage_events(option.problem) for option, mapping in tried)


def _sample_scale(tried: Sequence[_Tried]) -> int:
    return LARGE_SCALE if _most_stages(tried) > LARGE_STAGES else 1
