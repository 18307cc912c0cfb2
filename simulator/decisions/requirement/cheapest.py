"""The cheapest point of a grid that reaches a target, with as few trials as may be.

More of anything never makes a point slower: a point that misses rules out all that have no more of
anything, and what is left bounds the price from below. Trials are made where they are guessed to
tell most: the cheapest point that is guessed to reach, beside a point that is guessed to miss and,
if it does, rules out what is cheapest.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.decisions.requirement.guess import Array, Guess
from simulator.decisions.requirement.steps import Point, Steps

Points = npt.NDArray[np.int64]

STRIDES: Final = (1, 2, 4, 8)
"""By how many steps one thing may become less, or another more, at a time."""
SURE: Final = 0.01
"""A point is guessed to miss if its time is longer by so much than what would do."""
HOPES: Final = (1.0, 1.01)
"""A point is guessed to reach surely, or barely, if its time is longer by no more than this."""
LEAST: Final = 1e-9
AT_ONCE: Final = 256
"""Points that are guessed at a time."""
MOST_MOVES: Final = 60
MOST_LOOKED_AT: Final = 3000
"""Points whose price is looked at before the next trial, to raise the bound."""


@dataclass(frozen=True)
class Came:
    """What came of a trial.

    Attributes
    ----------
    time : float
        Infinite where nothing can run.
    dense : float
        The time that a speed-up is over.
    """

    time: float
    dense: float

    @property
    def gain(self) -> float:
        return self.dense / self.time


@dataclass(frozen=True)
class Wanted:
    """What is to be reached, and how far to look.

    Attributes
    ----------
    gain : float
    dense : float
        Of the machine as it is; no other may take longer. As no trial's ``dense`` is below what
        more of everything would leave of it, ``dense / gain`` bounds the time of all that reach.
    budget : int
        Trials, after which the best is taken that was found.
    gap : float
        How much cheaper, as a share, what is not ruled out may be in the end.
    is_fixed : bool
        Whether all trials are over the ``dense`` of the machine as it is.
    """

    gain: float
    dense: float
    budget: int
    gap: float
    is_fixed: bool = True

    def reached(self, came: Came) -> bool:
        return came.gain >= self.gain and came.dense <= self.dense

    def rules_out(self, came: Came) -> bool:
        """Whether what has no more of anything misses, too."""
        return math.isfinite(came.time) and self.dense / came.time < self.gain


Tries = Callable[[Sequence[Point]], Sequence[Came]]


class Search:
    """Trials so far, and what follows of them.

    Attributes
    ----------
    tried : dict
        What came of every point, in the order in which they were tried.
    best : Point or None
        The cheapest that reached.
    """

    def __init__(self, steps: Steps, tries: Tries, wanted: Wanted) -> None:
        self.steps, self.tries, self.wanted = steps, tries, wanted
        self.tried: dict[Point, Came] = {}
        self.best: Point | None = None
        self.best_price = math.inf
        self._missed: Points = np.empty((0, len(steps.axes)), dtype=np.int64)
        least = steps.all_free if wanted.is_fixed else steps.start
        self._open: list[tuple[float, Point]] = [(0.0, least)]
        self._seen = {least}
        self.moves = _moves(len(steps.axes))

    def run(self) -> None:
        """Search until nothing that is much cheaper is left, or the budget is spent."""
        self.look_at([self.steps.start, self.steps.top])
        if self.steps.start == self.best or self.is_out_of_reach:
            return
        self._survey()
        while self._goes_on():
            guessed = _Guessed.of(self)
            new = guessed.reaching()
            if new:
                self.look_at(new)
                continue
            known = len(self.tried)
            self._take_back()
            if len(self.tried) == known:
                self._raise_floor(guessed)
            if len(self.tried) == known:
                break
        self._take_back()

    def _goes_on(self) -> bool:
        is_proven = self.floor >= (1 - self.wanted.gap) * self.best_price
        return len(self.tried) < self.wanted.budget and not is_proven

    @property
    def is_out_of_reach(self) -> bool:
        """Whether as much of everything as there may be misses."""
        top = self.tried.get(self.steps.top)
        return top is not None and self.wanted.rules_out(top)

    @property
    def floor(self) -> float:
        """No point that is cheaper is left, if more never makes slower."""
        return min(self._open[0][0] if self._open else math.inf, self.best_price)

    @property
    def open_point(self) -> Point:
        """The cheapest one known that may not be ruled out."""
        return self._open[0][1] if self._open else self.steps.start

    @property
    def contradictions(self) -> int:
        """Trials that missed although others reached with no more of anything."""
        reached = np.array([p for p, came in self.tried.items() if self.wanted.reached(came)])
        if not len(reached):
            return 0
        return sum(1 for missed in self._missed if (reached <= missed).all(axis=1).any())

    def look_at(self, points: Sequence[Point]) -> list[Came]:
        """Try points, those that are known already apart."""
        new = [point for point in dict.fromkeys(points) if point not in self.tried]
        for point, came in zip(new, self.tries(new) if new else [], strict=True):
            self.tried[point] = came
            if self.wanted.rules_out(came):
                self._missed = np.vstack([self._missed, point])
            if self.wanted.reached(came):
                self._take(point)
        return [self.tried[point] for point in points]

    def _take(self, point: Point) -> None:
        """Make it the best, if it is cheaper, or has fewer steps at the same price."""
        price = self.steps.price(point)
        saved = self.best_price - price
        is_shorter = self.best is not None and sum(point) < sum(self.best)
        if saved > LEAST or (abs(saved) <= LEAST and is_shorter):
            self.best, self.best_price = point, price

    def ruled_out(self, points: Points) -> npt.NDArray[np.bool_]:
        """Of each point, whether one that has no less of anything missed."""
        out = np.zeros(len(points), dtype=np.bool_)
        for missed in self._missed:
            out |= (points <= missed).all(axis=1)
        return out

    def bound(self) -> Point | None:
        """The cheapest point that is not ruled out, as far as one looks; None: none is left.

        Points that are ruled out give way to those that have one step more, of one thing, than
        what ruled them out: whatever reaches is above one of these.
        """
        for _ in range(MOST_LOOKED_AT):
            if not self._open or self._open[0][0] >= self.best_price:
                return None
            _, point = self._open[0]
            above = self._missed[(self._missed >= point).all(axis=1)]
            if not len(above) and point not in self.tried:
                return point
            heapq.heappop(self._open)
            narrowest = self._narrowest(above) if len(above) else np.array(point)
            self._add_above(point, narrowest)
        return self.open_point

    def _narrowest(self, missed: Points) -> Points:
        """Of points that missed, the one that leaves the fewest ways up."""
        ways: Points = (missed < self.steps.top).sum(axis=1)
        narrowest: Points = missed[ways.argmin()]
        return narrowest

    def _add_above(self, point: Point, missed: Points) -> None:
        ways = [at for at, top in enumerate(self.steps.top) if missed[at] < top]
        above = [(*point[:at], int(missed[at]) + 1, *point[at + 1 :]) for at in ways]
        new = [one for one in above if one not in self._seen]
        if not new:
            return
        self._seen.update(new)
        for one, price in zip(new, self.steps.prices(new), strict=True):
            if price < self.best_price:
                heapq.heappush(self._open, (float(price), one))

    def _survey(self) -> None:
        """More of everything alike, by bisection; and there, all but one thing."""
        low, high = 0, max(self.steps.top)
        while high - low > 1:
            middle = (low + high) // 2
            (came,) = self.look_at([self._alike(middle)])
            low, high = (low, middle) if self.wanted.reached(came) else (middle, high)
        level = self._alike(high)
        self.look_at([(*level[:at], 0, *level[at + 1 :]) for at in range(len(level))])

    def affordable(self) -> Point:
        """Of each thing, as much as is cheaper than the best while all others stay as they are."""
        most = []
        for at, top in enumerate(self.steps.top):
            alone = np.zeros((top + 1, len(self.steps.axes)), dtype=np.int64)
            alone[:, at] = np.arange(top + 1)
            most.append(int((self.steps.prices(alone) < self.best_price).sum()) - 1)
        return tuple(most)

    def _alike(self, step: int) -> Point:
        return tuple(min(step, top) for top in self.steps.top)

    def _raise_floor(self, guessed: _Guessed) -> None:
        """Try what rules out most of what is cheapest, if it misses."""
        bound = self.bound()
        if bound is not None:
            point = guessed.missing(bound)
            self.look_at([bound if point in self.tried else point])

    def _take_back(self) -> None:
        """Take steps back, a single one or all of one thing, until each one misses without.

        Of what is free half of the steps may go at a time: nothing else would tell how many.
        """
        free = self.steps.all_free
        while self.best is not None:
            best = self.best
            moved = [at for at, step in enumerate(best) if step]
            halved = [(at, part) for at in moved if free[at] for part in (0, best[at] // 2)]
            single = [(at, best[at] - 1) for at in moved]
            for fewer in (halved, single, [(at, 0) for at in moved]):
                self.look_at([(*best[:at], step, *best[at + 1 :]) for at, step in fewer])
                if best != self.best:
                    break
            else:
                return


@dataclass(frozen=True)
class _Guessed:
    """What is guessed of points that were not tried."""

    search: Search
    time: Guess
    dense: Guess | None
    """None where it is the same for all."""

    @classmethod
    def of(cls, search: Search) -> _Guessed:
        known = {p: came for p, came in search.tried.items() if math.isfinite(came.time)}
        factors = search.steps.factors([*known])
        time = Guess.of(factors, np.array([came.time for came in known.values()]))
        dense = np.array([came.dense for came in known.values()])
        is_same = bool((dense == dense[0]).all())
        return cls(search, time, None if is_same else Guess.of(factors, dense))

    def lacks(self, points: Points) -> Array:
        """By which factor times are guessed to be too long; at most 1 where a point reaches."""
        factors = self.search.steps.factors(points)
        wanted = self.search.wanted
        dense = wanted.dense if self.dense is None else self.dense.times(factors)
        lacks: Array = self.time.times(factors) * wanted.gain / dense
        return lacks

    def reaching(self) -> list[Point]:
        """The cheapest points that are guessed to reach, surely or barely: new ones that are
        cheaper than the best."""
        search = self.search
        starts = [self._raised(search.open_point)]
        starts += [search.best] if search.best is not None else []
        found = []
        for lack in HOPES:
            cheapest = min((self._cheaper(start, lack) for start in starts), key=search.steps.price)
            if search.steps.price(cheapest) < search.best_price and cheapest not in search.tried:
                found.append(cheapest)
        return [*dict.fromkeys(found)]

    def missing(self, bound: Point) -> Point:
        """A point above one that is not ruled out, as dear as may be, that is guessed to miss.

        Of a thing by itself it has no more than what is cheaper than the best.
        """
        most = self.search.affordable()
        while True:
            higher = self._ups(bound, most, STRIDES)
            lack, *lacks = self.lacks(np.array([bound, *higher]))
            is_short = np.array(lacks) > 1 + SURE
            if not is_short.any():
                return bound
            miss = higher[is_short]
            lost = np.log(lack / np.array(lacks)[is_short])
            added = self.search.steps.prices(miss) - self.search.steps.price(bound)
            bound = _point(miss[(added / np.maximum(lost, LEAST)).argmax()])

    def _raised(self, point: Point) -> Point:
        """More of what is guessed to give most for its price, until that reaches."""
        top = self.search.steps.top
        while point != top:
            higher = self._ups(point, top, STRIDES)
            lack, *lacks = self.lacks(np.array([point, *higher]))
            if lack <= 1:
                break
            won = np.log(lack / np.maximum(lacks, 1))
            added = self.search.steps.prices(higher) - self.search.steps.price(point)
            point = _point(higher[(won / np.maximum(added, LEAST)).argmax()])
        return point

    def _cheaper(self, point: Point, lack: float) -> Point:
        """Less of one thing, and perhaps more of another, as long as that is guessed to reach."""
        search, steps = self.search, self.search.steps
        for _ in range(MOST_MOVES):
            others = np.clip(point + search.moves, 0, steps.top)
            prices = steps.prices(others)
            order = np.argsort(prices, kind="stable")
            order = order[prices[order] < steps.price(point) - LEAST]
            found = self._first(others[order], lack)
            if found is None:
                break
            point = found
        return point

    def _first(self, points: Points, lack: float) -> Point | None:
        """The first that is guessed to reach and not ruled out."""
        for start in range(0, len(points), AT_ONCE):
            some = points[start : start + AT_ONCE]
            some = some[~self.search.ruled_out(some)]
            reaches = self.lacks(some) <= lack
            if reaches.any():
                return _point(some[reaches.argmax()])
        return None

    def _ups(self, point: Point, most: Point, strides: Sequence[int]) -> Points:
        """Points with more of one thing, but at most so much."""
        moves = [
            (*point[:at], step, *point[at + 1 :])
            for at, top in enumerate(most)
            for step in sorted({min(top, point[at] + stride) for stride in strides})
            if step > point[at]
        ]
        return np.array(moves, dtype=np.int64).reshape(-1, len(point))


def _moves(axes: int) -> Points:
    """Less of one thing, and perhaps more of another: steps to add (moves, axes)."""
    moves = []
    for less, down in product(range(axes), STRIDES):
        lower = np.zeros(axes, dtype=np.int64)
        lower[less] = -down
        moves.append(lower)
        for more, up in product(range(axes), STRIDES):
            if more != less:
                moves.append(lower.copy())
                moves[-1][more] = up
    return np.array(moves)


def _point(row: Points) -> Point:
    return tuple(int(step) for step in row)
