"""Is what is found the cheapest of the grid, and is what is said of the rest true?"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest

from simulator import load_hardware
from simulator.decisions.requirement.cheapest import Came, Search, Wanted
from simulator.decisions.requirement.guess import Guess
from simulator.decisions.requirement.prices import priced
from simulator.decisions.requirement.steps import Point, Steps, steps_of

PRICES = {"DRAM": 0.25, "L2 rate": 0.1, "port": 0.05, "scratchpad rate": "area", "MACs": "area"}
MANY = 10_000


@dataclass
class Oracle:
    """A made-up network on a made-up machine: layers that wait for the slowest of some resources,
    and for others in turn."""

    steps: Steps
    waits: Sequence[Sequence[float]]
    asked: list[Point] = field(default_factory=list)

    @classmethod
    def drawn(cls, steps: Steps, seed: int) -> Oracle:
        drawn = random.Random(seed)
        axes = range(len(steps.axes))
        return cls(steps, [[drawn.choice((0, 1, 2, 4)) for _ in axes] for _ in range(4)])

    def time(self, point: Point) -> float:
        shares = [1 / axis.factors[step] for axis, step in zip(self.steps.axes, point, strict=True)]
        layers = [[w * s for w, s in zip(wait, shares, strict=True)] for wait in self.waits]
        return 1 + sum(max(layer) + sum(layer) / 4 for layer in layers)

    def __call__(self, points: Sequence[Point]) -> list[Came]:
        self.asked += points
        return [Came(self.time(point), 100.0) for point in points]


def few(most: float = 2.0, axes: int = 3) -> Steps:
    return steps_of(load_hardware("nm-flex"), priced(PRICES)[:axes], most)


def searched(oracle: Callable[..., list[Came]], steps: Steps, gain: float, tries: int) -> Search:
    search = Search(steps, oracle, Wanted(gain, 100.0, tries, 0.0))
    search.run()
    return search


def cheapest(steps: Steps, reaches: Callable[[Point], bool]) -> float:
    """By trying all."""
    points = [p for p in product(*(range(top + 1) for top in steps.top)) if reaches(p)]
    return float(steps.prices(points).min()) if points else math.inf


@pytest.mark.parametrize("seed", range(20))
def test_the_cheapest_of_all_is_found_where_more_never_makes_slower(seed: int) -> None:
    steps = few()
    oracle = Oracle.drawn(steps, seed)
    ends = oracle.time(steps.start), oracle.time(steps.top)
    gain = 100 / math.sqrt(ends[0] * ends[1])
    search = searched(oracle, steps, gain, MANY)
    assert search.best_price == pytest.approx(
        cheapest(steps, lambda p: gain * oracle.time(p) <= 100)
    )
    assert search.floor == pytest.approx(search.best_price)
    assert len(oracle.asked) == len(set(oracle.asked)) < math.prod(top + 1 for top in steps.top) / 2


@pytest.mark.parametrize("seed", range(6))
def test_a_budget_costs_little_of_the_price_and_the_floor_is_true(seed: int) -> None:
    steps = few(4.0, 4)
    oracle = Oracle.drawn(steps, seed)
    gain = 100 / (0.6 * oracle.time(steps.start) + 0.4 * oracle.time(steps.top))
    least = cheapest(steps, lambda p: gain * oracle.time(p) <= 100)
    search = searched(oracle, steps, gain, 40)
    assert search.floor <= least * (1 + 1e-9)
    assert search.best_price <= 1.05 * least
    assert search.contradictions == 0


def test_without_any_step_the_target_is_missed() -> None:
    steps = few(4.0, 4)
    oracle = Oracle.drawn(steps, 3)
    search = searched(oracle, steps, 130 / oracle.time(steps.start), 10)
    assert search.best is not None
    for at, step in enumerate(search.best):
        for fewer in {step - 1, 0} if step else ():
            without = (*search.best[:at], fewer, *search.best[at + 1 :])
            assert not search.wanted.reached(search.tried[without])


def test_what_is_out_of_reach_is_known_after_two() -> None:
    steps = few()
    oracle = Oracle.drawn(steps, 0)
    search = searched(oracle, steps, 101 / oracle.time(steps.top), MANY)
    assert search.best is None
    assert search.is_out_of_reach
    assert oracle.asked == [steps.start, steps.top]


def test_what_is_there_needs_nothing() -> None:
    steps = few()
    oracle = Oracle.drawn(steps, 0)
    search = searched(oracle, steps, 99 / oracle.time(steps.start), MANY)
    assert (search.best, search.best_price) == (steps.start, 0)


def test_machines_that_cannot_run_are_passed_by() -> None:
    """Nothing runs with the largest of one thing; the others are found all the same."""
    steps = few()
    oracle = Oracle.drawn(steps, 5)
    gain = 100 / math.sqrt(oracle.time(steps.start) * oracle.time((2, 2, 2)))

    def broken(points: Sequence[Point]) -> list[Came]:
        return [Came(math.inf if p[0] == steps.top[0] else oracle.time(p), 100.0) for p in points]

    search = searched(broken, steps, gain, MANY)
    least = cheapest(steps, lambda p: p[0] < steps.top[0] and gain * oracle.time(p) <= 100)
    assert search.best_price == pytest.approx(least)


@pytest.mark.parametrize("seed", range(4))
def test_dense_that_gains_too_is_no_way_out(seed: int) -> None:
    """Over dense on the changed machine: more may lower the speed-up, and nothing is ruled out
    that could reach."""
    steps = few(1.7)
    sparse, dense = Oracle.drawn(steps, seed), Oracle.drawn(steps, seed + 100)

    def both(points: Sequence[Point]) -> list[Came]:
        return [Came(sparse.time(point), dense.time(point)) for point in points]

    def gain_of(point: Point) -> float:
        return dense.time(point) / sparse.time(point)

    points = [*product(*(range(top + 1) for top in steps.top))]
    gain = (max(map(gain_of, points)) + gain_of(steps.start)) / 2
    search = Search(steps, both, Wanted(gain, dense.time(steps.start), MANY, 0.0))
    search.run()
    assert search.best_price == pytest.approx(cheapest(steps, lambda p: gain_of(p) >= gain))


def test_trials_that_contradict_each_other_are_counted() -> None:
    steps = few()

    def wavering(points: Sequence[Point]) -> list[Came]:
        return [Came(100.0 if p in (steps.start, (1, 0, 0)) else 10.0, 100.0) for p in points]

    search = searched(wavering, steps, 5.0, MANY)
    search.look_at([(0, 0, 1), (1, 0, 0)])
    assert search.contradictions == 0

    def worse(points: Sequence[Point]) -> list[Came]:
        return [Came(100.0 if p == steps.start or p[0] == 2 else 10.0, 100.0) for p in points]

    search = Search(steps, worse, Wanted(5.0, 100.0, MANY, 0.0))
    search.look_at([(1, 0, 0), (2, 0, 0), (2, 1, 1)])
    assert search.contradictions == 2


def test_guesses_are_what_is_known_and_near_what_is_not() -> None:
    steps = few(4.0, 4)
    oracle = Oracle.drawn(steps, 1)
    drawn = random.Random(1)
    points = [tuple(drawn.randint(0, top) for top in steps.top) for _ in range(60)]
    times = np.array([oracle.time(point) for point in points])
    guess = Guess.of(steps.factors(points[:40]), times[:40])
    guessed = guess.times(steps.factors(points))
    assert np.abs(guessed[:40] / times[:40] - 1).max() < 0.01
    assert np.abs(guessed[40:] / times[40:] - 1).mean() < 0.03
