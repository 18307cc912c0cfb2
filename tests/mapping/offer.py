"""All that a library offers for a layer, and how long each of it takes at least and exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from cases import Case

from simulator import Attention
from simulator.engine import fast
from simulator.errors import MappingError
from simulator.hardware import Hardware, Library
from simulator.run.attach import options_of
from simulator.run.choice import Option, Outcome, Terms, attended, fastest, ranking
from simulator.schedule.attention import attention_program
from simulator.schedule.attention_ranking import attention_offer
from simulator.schedule.mapping import Mapping, check
from simulator.schedule.offers import FloatArray, Offers, Rates, stages_of
from simulator.schedule.program import gemm_program
from simulator.schedule.ranking import _Offer
from simulator.units import ACCUMULATOR_BITS, PS_PER_SECOND
from simulator.workload.attention_problem import AttentionProblem
from simulator.workload.lowering import GemmProblem

STAGE_US, PROGRAM_US = 0.035, 250
"""What a stage takes to simulate, and a program to make, about."""

SURE_RATIO = 0.99
"""Bounds are floats, and are taken by so much."""


@dataclass(frozen=True)
class Offered:
    """One way to run a layer: of the library, with ``least_ps`` no longer than it takes."""

    option: Option
    order: GemmProblem
    mapping: Mapping
    least_ps: float

    @property
    def cost_us(self) -> float:
        """To simulate it."""
        return PROGRAM_US + STAGE_US * self.mapping.grid(self.order).stage_events

    def time_ps(self, terms: Terms) -> int:
        """Simulated exactly."""
        program = gemm_program(
            *terms.kernels_of(self.order), self.order, self.mapping, self.option.mask
        )
        return fast.run(program).makespan_ps + program.restart_ps


def automatic(case: Case, terms: Terms) -> tuple[Outcome, list[Option]]:
    """What runs by itself, and the options that it was chosen from."""
    layer = case.work.layer
    if isinstance(layer, Attention):
        return attended(terms, layer), []
    work = case.work.laid_out(terms.laid_out)
    options = options_of(work, case.hardware)
    return fastest(terms, options, ranking(terms, work.problems)), options


def alike(options: Sequence[Option], chosen: Option) -> list[Option]:
    """Those of the pattern that was chosen: on other units, or laid out in other ways."""
    return [one for one in options if one.problem.pattern == chosen.problem.pattern]


def offer(terms: Terms, option: Option, unruled: bool = False) -> Iterator[Offered]:
    """Every mapping of an option that its library offers; ``unruled``, whatever its rules say of
    which tiles and splits it looks at."""
    hardware, library = terms.kernels_of(option.problem)
    if unruled:
        tiles = tuple(tile.model_copy(update={"fallback": False}) for tile in library.tiles)
        ruled = {"choice": "time", "busy_ratio": None, "tiles": tiles}
        library = library.model_copy(update=ruled)
    if option.mask is not None:
        lanes = hardware.sparsity.lockstep_rows
        fit = tuple(tile for tile in library.tiles if tile.m % lanes == 0)
        library = library.model_copy(update={"swap": False, "tiles": fit or library.tiles})
    found = _Offer.of(hardware, library, [option.problem])
    for place, order in enumerate(found.orders):
        whole = [w for w, p in zip(found.whole, found.of_order, strict=True) if p == place]
        mappings = [m for m, p in zip(found.mappings, found.of_order, strict=True) if p == place]
        every = [
            one
            for mapping, is_whole in zip(mappings, whole, strict=True)
            for one in _split(library, order, mapping, is_whole)
        ]
        if option.mask is not None:
            every = [deep for one in every for deep in _deeper(hardware, library, order, one)]
            yield from (Offered(option, order, one, 0.0) for one in every)
        elif every:
            least = least_ps(hardware, library, order, every)
            for mapping, bound in zip(every, least.tolist(), strict=True):
                yield Offered(option, order, mapping, bound)


def _split(library: Library, order: GemmProblem, mapping: Mapping, whole: bool) -> list[Mapping]:
    stages = mapping.grid(order).stages
    fit = [1] if whole else [one for one in library.splits if one <= stages]
    return [replace(mapping, splits=one) for one in fit or [1]]


def _deeper(
    hardware: Hardware, library: Library, order: GemmProblem, mapping: Mapping
) -> Iterator[Mapping]:
    """Deeper stages, which skipping leaves room for, with fewer buffers."""
    for factor in (1, 2, 4):
        buffers = max(min(2, mapping.stage_buffers), mapping.stage_buffers // factor)
        deeper = replace(mapping, tile_k=mapping.tile_k * factor, stage_buffers=buffers)
        try:
            check(hardware, library, order, deeper)
        except MappingError:
            return
        yield deeper


def least_ps(
    hardware: Hardware, library: Library, order: GemmProblem, mappings: Sequence[Mapping]
) -> FloatArray:
    """What cores work at least, evenly shared, and the longest tile: whole stages and epilogues."""
    offers = Offers.of(hardware, library, [order], [0] * len(mappings), mappings)
    stages, rates = stages_of(hardware, library, order, offers), Rates.of(hardware, library)
    splits = np.array([one.splits for one in mappings], dtype=np.float64)
    deep = np.maximum(1, np.floor(offers.k / offers.tile_k))
    bits = np.where(splits > 1, ACCUMULATOR_BITS, order.output_bits)
    held = stages.elements * bits / 8 * rates.carried + rates.epilogue
    slowest = np.maximum(stages.core, stages.port)
    if library.epilogue_overlap:
        held = held * 0
    shared = (stages.outputs * (deep * slowest + splits * held)).sum(axis=0) / hardware.core.count
    longest = np.where(stages.outputs > 0, np.floor(deep / splits) * slowest + held, 0).max(axis=0)
    ps = PS_PER_SECOND / hardware.clock_hz
    found: FloatArray = np.maximum(shared, longest) * ps * SURE_RATIO
    return found


def attention_times(case: Case) -> dict[str, int]:
    """Of every mapping that the machine's kernels of attention offer."""
    assert isinstance(case.work.layer, Attention)
    problem = AttentionProblem.of(case.work.layer, case.hardware)
    times = {}
    for mapping in attention_offer(case.hardware, problem):
        program = attention_program(case.hardware, problem, mapping)
        times[str(mapping)] = fast.run(program).makespan_ps + program.restart_ps
    return times
