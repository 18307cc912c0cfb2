"""Which few mappings of a GEMM are worth simulating.

``auto`` does what a real library does: it ranks the tile shapes, stage depths, k-splits and operand
orders that the library offers by a closed-form estimate of time, and hands the best few to the
engine.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.errors import MappingError
from simulator.hardware import Hardware, Library, Tile
from simulator.schedule.bench import Bench
from simulator.schedule.closed_form import times_ps
from simulator.schedule.mapping import Mapping, fitting, stage_depth
from simulator.schedule.offers import (
    FloatArray,
    Offers,
    beside_memory,
    core_stages_of,
    stages_of,
)
from simulator.schedule.outline import EVENTS, Outline, Rivals
from simulator.schedule.partition import IntArray
from simulator.units import ceil_div
from simulator.workload.lowering import GemmProblem

REHEARSED_EVENTS, LEAST_REHEARSED, LEAST_IN_PARTS = 6_000, 8, 14
"""Events of all mappings of a problem that are rehearsed, about, and mappings at least: of small
products, and of those that are rehearsed in parts."""

REHEARSED_RATIO = 0.5
"""By how much the closed-form estimate of a mapping that is rehearsed may exceed the lowest."""


@dataclass(frozen=True)
class Few:
    """Which of a problem's mappings are simulated before the fastest is taken.

    Attributes
    ----------
    most : int
        How many, whatever their stages.
    ratio : float
        By how much the rehearsed time of one may exceed the lowest.
    stages : int
        More of them are simulated until all together have so many: 1.4 ms for 40,000.
    """

    most: int
    ratio: float
    stages: int = 0


WHOLE_FEW, ADDED_FEW, PART_FEW = Few(2, 0.01), Few(3, 0.1), Few(4, 0.12, 40_000)
"""Where all stages were rehearsed; where outputs are read as well, whose place in the queues a
rehearsal does not keep; and where some stages were rehearsed."""

EQUAL_RATIO = 0.005
"""Of mirror images that are rehearsed as closely one is simulated: 128x64 of swapped operands is
64x128; so are tiles that differ only in what exceeds the GEMM."""

KEPT_LISTS, KEPT_PROBLEMS = 8, 64
"""Lists of mappings that are kept, for machines that differ in memory alone, and of how many
problems each may be."""

SPLIT_WAVES = 10
"""Waves of cores up to which k-splits are ranked. Beyond two they only even out the last wave: of
2.1 waves of tiles, 8.6 of their splits."""


def candidates(hardware: Hardware, library: Library, problem: GemmProblem) -> list[Mapping]:
    """The best few mappings that the library offers, fastest estimate first.

    Raises
    ------
    MappingError
        If none of the library's tiles fits; it tells what the smallest one lacks.
    """
    (ranked,) = rank(hardware, library, [problem])
    if isinstance(ranked, MappingError):
        raise ranked
    return [mapping for mapping, _ in ranked]


Ranked = list[tuple[Mapping, float]]
"""Mappings and their estimates in picoseconds, fastest first."""


def rank(
    hardware: Hardware,
    library: Library,
    problems: Sequence[GemmProblem],
    few: Few | None = None,
    bench: Bench | None = None,
) -> list[Ranked | MappingError]:
    """`candidates` of many problems, estimated together; they share pattern, dtype and unit.

    Parameters
    ----------
    few : Few, optional
        By default as closely as they were rehearsed.
    bench : Bench, optional
        That of the machine and the library, where it is known.
    """
    drawn_up = _kept_list if len(problems) <= KEPT_PROBLEMS else _List
    listed = drawn_up(bench or Bench.of(hardware, library), hardware.core.count, tuple(problems))
    offer = listed.offer
    if not offer.mappings:
        return [refusal for refusal in offer.refusals if refusal is not None]
    stages = beside_memory(hardware, library, listed.offers, listed.in_core)
    times = times_ps(hardware, library, listed.problem, listed.offers, stages, listed.splits)
    chosen = [
        _promising(times.all_ps[start:end], start, listed) for start, end in pairwise(listed.bounds)
    ]
    some = np.array(list(chain.from_iterable(chosen)), dtype=np.int64)
    is_whole = listed.outline.whole(some)
    ends = np.cumsum([0, *map(len, chosen)]).tolist()
    closely = [
        few or _few(listed, rows[:1], bool(is_whole[start:end].all()))
        for rows, (start, end) in zip(chosen, pairwise(ends), strict=True)
    ]
    lengths = np.diff(ends)
    reach = np.repeat([one.ratio for one in closely], lengths)
    of_problem = np.repeat(np.arange(lengths.size), lengths)
    rivals = Rivals(of_problem, times.dram_ps[some], times.all_ps[some], reach)
    warm = ~stages.cold[some]
    costs = listed.outline.rehearsed_ps(hardware, library, some, warm, rivals)
    costs = np.maximum(costs, rivals.least_ps).tolist()
    ranked: list[Ranked | MappingError] = []
    for number, refusal in enumerate(offer.refusals):
        own = costs[ends[number] : ends[number + 1]]
        best = _fastest(listed, chosen[number], own, closely[number])
        ranked.append(best if best or refusal is None else refusal)
    return ranked


class _List:
    """The mappings that are ranked for some problems, and what of them hangs on no memory."""

    def __init__(self, bench: Bench, cores: int, problems: tuple[GemmProblem, ...]) -> None:
        hardware, library = bench.hardware, bench.library
        assert cores == hardware.core.count
        self.offer = offer = _Offer.of(hardware, library, problems)
        if not offer.mappings:
            return
        offers = Offers.of(hardware, library, offer.orders, offer.of_order, offer.mappings)
        place, splits = _splits(hardware, library, offers, np.array(offer.whole))
        self.problem, self.offers = offer.orders[0], offers.take(place)
        self.splits = splits
        self.in_core = core_stages_of(hardware, library, self.problem, self.offers)
        self.outline = Outline(hardware, library, self.problem, self.offers, splits)
        self.bounds = np.searchsorted(place, [0, *offer.ends]).tolist()
        self.stages = self.offers.count * np.prod(self.offers.grid, axis=0)
        self.events = np.minimum(self.stages, EVENTS).tolist()
        self.mappings = [
            (offer.of_order[number], offer.mappings[number], int(split))
            for number, split in zip(place.tolist(), splits.tolist(), strict=True)
        ]
        m = np.minimum(self.offers.tile_m, self.offers.m)
        n = np.minimum(self.offers.tile_n, self.offers.n)
        turned = np.array(offer.of_order)[place]
        alike = np.stack([turned, m, n, self.offers.tile_k, splits], axis=1)
        self.alike = list(map(tuple, alike.tolist()))


_kept_list: Final = lru_cache(maxsize=KEPT_LISTS)(_List)


def _promising(costs: FloatArray, start: int, listed: _List) -> list[int]:
    """Places of the mappings that are rehearsed, lowest estimate first, and one of those alike."""
    order = np.argsort(costs, kind="stable")
    near = order[costs[order] <= costs.min(initial=np.inf) * (1 + REHEARSED_RATIO)] + start
    least = LEAST_IN_PARTS if listed.stages[near].max(initial=0) > EVENTS else LEAST_REHEARSED
    found: dict[tuple[float, ...], int] = {}
    spent = 0.0
    for at in near.tolist():
        key = listed.alike[at]
        if key not in found:
            spent += listed.events[at]
            if spent > REHEARSED_EVENTS and len(found) >= least:
                break
            found[key] = at
    return list(found.values())


def _few(listed: _List, first: list[int], is_whole: bool) -> Few:
    """How many are simulated of a problem's mappings, of which the first is given."""
    if not is_whole:
        return PART_FEW
    adds = any(listed.offer.orders[listed.mappings[at][0]].accumulates for at in first)
    return ADDED_FEW if adds else WHOLE_FEW


def _fastest(listed: _List, places: list[int], costs: list[float], few: Few) -> Ranked:
    """The few that are simulated, fastest rehearsal first."""
    stages = [0] * len(places)
    if few.stages:
        stages = listed.stages[places].tolist()
    lowest = min(costs, default=0.0)

    def doubt(at: int) -> tuple[float, float]:
        """What rehearsals cannot tell apart goes by stages: the fewer, the less is between them."""
        is_equal = costs[at] <= lowest * (1 + EQUAL_RATIO)
        return (lowest, stages[at]) if is_equal and few.stages else (costs[at], 0)

    near = [at for at, cost in enumerate(costs) if cost <= lowest * (1 + few.ratio)]
    near.sort(key=doubt)
    near[2:] = sorted(near[2:], key=stages.__getitem__)  # so that many are simulated
    known: dict[tuple[int, ...], float] = {}
    best: Ranked = []
    spent = 0
    for at in near:
        if len(best) >= few.most and spent >= few.stages:
            break
        order, mapping, split = listed.mappings[places[at]]
        key = _alike(listed.offer.orders[order], mapping, split)
        if key in known and costs[at] <= known[key] * (1 + EQUAL_RATIO):
            continue
        known[key] = costs[at]
        spent += stages[at]
        best.append((replace(mapping, splits=split) if split > 1 else mapping, costs[at]))
    return sorted(best, key=lambda one: one[1])


def estimate_ps(
    hardware: Hardware, library: Library, problem: GemmProblem, mappings: Sequence[Mapping]
) -> FloatArray:
    """Closed-form times of mappings of a problem (swapped already, if they swap)."""
    offers = Offers.of(hardware, library, [problem], [0] * len(mappings), mappings)
    splits = np.array([mapping.splits for mapping in mappings], dtype=np.float64)
    stages = stages_of(hardware, library, problem, offers)
    return times_ps(hardware, library, problem, offers, stages, splits).all_ps


def _alike(order: GemmProblem, mapping: Mapping, splits: int) -> tuple[int, ...]:
    """Equal for a mapping and its mirror image, of swapped operands; tiles end where Y does."""
    m, n = min(mapping.tile_m, order.m), min(mapping.tile_n, order.n)
    return (*((n, m) if mapping.swapped else (m, n)), mapping.tile_k, splits)


Fits = dict[tuple[int, int, bool], list[Mapping]]
"""Mappings that fit, by the tile's place in its library, the depth and the order of operands."""


@lru_cache(maxsize=128)
def _known_fits(*_: Hashable) -> Fits:
    """What was found before, under arguments that hold all that `fitting` reads but these three."""
    return {}


def _fits(hardware: Hardware, library: Library, problem: GemmProblem) -> Fits:
    core, dtype = hardware.core, problem.dtype
    room = core.register_file, core.scratchpad, core.operand_source, core.async_copies
    instruction = core.tensor_cores.instructions[dtype]
    kind = problem.pattern, dtype, problem.windowed
    return _known_fits(*room, hardware.sparsity, instruction, library, *kind)


class _Offer:
    """What a library offers for problems like one: in both orders, without k-splits."""

    def __init__(self, hardware: Hardware, library: Library, alike: GemmProblem) -> None:
        self.hardware, self.library = hardware, library
        self.fits = _fits(hardware, library, alike)
        self.deepest = [stage_depth(hardware, alike, tile) for tile in library.tiles]
        tiles = list(enumerate(library.tiles))
        self.tiles = [number for number, tile in tiles if alike.pattern.takes_rows(tile.m)]
        self.regular = [number for number in self.tiles if not library.tiles[number].fallback]
        self.orders: list[GemmProblem] = []
        self.mappings: list[Mapping] = []
        self.of_order: list[int] = []
        self.whole: list[bool] = []  # no k-splits
        self.ends: list[int] = []
        self.refusals: list[MappingError | None] = []

    @classmethod
    def of(cls, hardware: Hardware, library: Library, problems: Sequence[GemmProblem]) -> _Offer:
        """The mappings of a problem end where ``ends`` says; why there are none, if so.

        The problems share their pattern and dtype.
        """
        offer = cls(hardware, library, problems[0])
        for problem in problems:
            before = len(offer.mappings)
            swap = library.swap and problem.can_swap and problem.m != problem.n
            orders = (problem, problem.swapped()) if swap else (problem,)
            for offered in offer._offered(orders):
                tile = offer._add(orders, offered)
                if len(offer.mappings) > before:
                    break
            content = any(_contents(hardware, library, order) for order in orders)
            offer.whole += [content] * (len(offer.mappings) - before)
            refusal = None
            if len(offer.mappings) == before:
                _, refusal = fitting(hardware, library, orders[-1], tile)
            offer.orders += orders
            offer.ends.append(len(offer.mappings))
            offer.refusals.append(refusal)
        return offer

    def _offered(self, orders: Sequence[GemmProblem]) -> Iterator[Sequence[int]]:
        """Tiles by their place in the library's list: first without fallbacks, if others give every
        core one in some order of the operands; then all, for where none of those fits."""
        tiles, cores = self.library.tiles, self.hardware.core.count
        if len(self.regular) < len(self.tiles) and any(
            _tiles(tiles[number], order) >= cores for number in self.regular for order in orders
        ):
            yield self.regular
        yield self.tiles

    def _add(self, orders: Sequence[GemmProblem], offered: Sequence[int]) -> Tile:
        """The mappings that fit of offered tiles; returns the last tile, which is the smallest."""
        hardware, library, fits = self.hardware, self.library, self.fits
        for place, order in enumerate(orders, len(self.orders)):
            for number in _considered(hardware, library, order, offered):
                tile = library.tiles[number]
                # Of k, only what cuts a stage short decides what fits.
                key = (number, min(order.k, self.deepest[number]), order.inputs_are_rows)
                if key not in fits:
                    fits[key], _ = fitting(hardware, library, order, tile)
                self.mappings += fits[key]
                self.of_order += [place] * len(fits[key])
        return tile


def _tiles(tile: Tile, problem: GemmProblem) -> int:
    """How many tiles of a kind a problem takes."""
    return ceil_div(problem.m, tile.m) * ceil_div(problem.n, tile.n) * problem.count


def _waves(hardware: Hardware, tile: Tile, problem: GemmProblem) -> tuple[int, int, int, int]:
    """What a tile is judged by, the least being best: waves of cores, idle cores of the last one,
    size, and of equally large ones height."""
    full, last = divmod(_tiles(tile, problem) - 1, hardware.core.count)
    return full, -last, tile.m * tile.n, tile.m


def _considered(
    hardware: Hardware, library: Library, problem: GemmProblem, offered: Sequence[int]
) -> Sequence[int]:
    """The offered tiles that the library considers for a problem."""
    if library.choice == "time":
        return offered
    if library.choice == "waves":
        return [min(offered, key=lambda number: _waves(hardware, library.tiles[number], problem))]
    areas = {number: library.tiles[number].m * library.tiles[number].n for number in offered}
    filling = [
        area
        for number, area in areas.items()
        if _tiles(library.tiles[number], problem) >= hardware.core.count
    ]
    if not filling:
        return offered
    return [number for number, area in areas.items() if area == max(filling)]


def _contents(hardware: Hardware, library: Library, problem: GemmProblem) -> bool:
    """Whether whole tiles keep so many cores busy that the library looks at no k-splits."""
    if library.busy_ratio is None:
        return False
    most = max((_tiles(x, problem) for x in library.tiles if not x.fallback), default=0)
    return most >= library.busy_ratio * hardware.core.count


def _splits(
    hardware: Hardware, library: Library, offers: Offers, whole: npt.NDArray[np.bool_]
) -> tuple[IntArray, FloatArray]:
    """The k-splits worth ranking: while they do not exceed a few waves of cores.

    Parameters
    ----------
    whole : array of bool
        Which mappings are not to be split.

    Returns
    -------
    array of int
        Place in ``offers`` of each mapping with its splits.
    array of float
        The splits.
    """
    rows, columns, stages = offers.grid
    most = np.minimum(SPLIT_WAVES * hardware.core.count / (rows * columns * offers.count), stages)
    most = np.where(whole, 1, most)
    splits = np.array([1, *library.splits], dtype=np.float64)
    allowed = splits <= np.maximum(1, most)[:, None]
    allowed[:, 0] = ~allowed[:, 1:].any(axis=1)  # 1 where the library offers nothing that fits
    place, which = np.nonzero(allowed)
    return place, splits[which]
