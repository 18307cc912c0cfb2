"""How much slower the automatic mapping is than the fastest of all that a library offers.

Layers are random: GEMMs, batches, convolutions and attention, on every preset, in every dtype and
many patterns, aligned and not, some with real zeros. What was chosen is compared with every tile,
stage depth, split and order of operands that the library offers for the same pattern, simulated
exactly, but for those that a bound shows to take longer than what was chosen.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from cases import PRESETS, Case, draw
from offer import Offered, alike, attention_times, automatic, offer

from simulator.engine import fast
from simulator.engine.result import EngineResult
from simulator.errors import SimulatorError
from simulator.run.choice import Option, Outcome, Terms
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import Program
from simulator.units import PS_PER_SECOND

MOST_US, MOST_STAGES = 400_000, 300_000
"""Layers whose offer takes longer to simulate, or whose coarsest tiles have more stages, are drawn
again."""

MEDIAN, MOST, LARGEST = 1.0005, 1.03, 1.10
"""What is to be reached: of half of all layers, of 99 in 100, and of every one."""


@dataclass(frozen=True)
class Row:
    """One layer. ``regret`` is against what the library looks at, ``unruled`` against all of its
    tiles and splits, where its rules leave some aside."""

    number: int
    machine: str
    what: str
    choice: str
    chosen: str
    best: str
    time_us: float
    regret: float
    unruled: float
    tried: int
    choosing_us: float


@dataclass
class Counted:
    """An engine that counts what it runs."""

    runs: int = 0

    def __call__(self, program: Program) -> EngineResult:
        self.runs += 1
        return fast.run(program)


def row(seed: str, number: int, presets: Sequence[str]) -> Row:
    """The number-th layer of a seed."""
    rng = random.Random(f"{seed} {number}")
    preset = presets[number % len(presets)]
    while True:
        try:
            found = measured(number, draw(rng, preset))
        except SimulatorError:  # no memory holds it
            continue
        if found is not None:
            return found


def measured(number: int, case: Case) -> Row | None:
    """How a layer's automatic mapping compares; None where that takes too long to say."""
    engine = Counted()
    terms = Terms(case.hardware, engine)
    if case.work.lowered is None:
        chosen, _ = automatic(case, terms)
        times = attention_times(case)
        best = min(times, key=lambda name: times[name])
        regret = chosen.time_ps / times[best]
        return _row(number, case, "attention", (str(chosen.mapping), best), chosen.time_ps,
                    (regret, regret), engine.runs, 0.0)  # fmt: skip
    if _least_stages(case, terms) > MOST_STAGES:
        return None
    started = time.process_time()
    chosen, options = automatic(case, terms)
    choosing_us = (time.process_time() - started) * 1e6
    assert chosen.option is not None
    tried, library = engine.runs, terms.kernels_of(chosen.option.problem)[1]
    ways = alike(options, chosen.option)
    every = [one for option in ways for one in offer(terms, option)]
    least_ps = min(one.least_ps for one in every)
    if sum(one.cost_us for one in every if one.least_ps <= 2 * least_ps) > MOST_US:
        return None
    best_ps, best = fastest_of(terms, every, chosen.time_ps, _named(chosen))
    unruled_ps, others = best_ps, []
    has_rules = library.choice != "time" or any(tile.fallback for tile in library.tiles)
    if has_rules:
        others = [one for option in ways for one in offer(terms, option, unruled=True)]
        unruled_ps, _ = fastest_of(terms, others, best_ps, best)
    return _row(number, case, "by rules" if library.choice != "time" else "time",
                (_named(chosen), best), chosen.time_ps,
                (chosen.time_ps / best_ps, chosen.time_ps / unruled_ps), tried,
                choosing_us)  # fmt: skip


def _named(outcome: Outcome) -> str:
    assert isinstance(outcome.mapping, Mapping)
    assert outcome.option is not None
    return named(outcome.mapping, outcome.option)


def named(mapping: Mapping, option: Option) -> str:
    """Mapping and what else tells ways to run a layer apart."""
    unit = "" if option.problem.unit == "tensor" else " on vectors"
    return f"{mapping} ({mapping.stage_buffers} buffers){unit} as {option.problem.pattern}"


def _least_stages(case: Case, terms: Terms) -> float:
    """Of the coarsest tiles and deepest stages, to leave aside early what is far too large."""
    found = []
    for problem in case.work.problems:
        tiles = terms.kernels_of(problem)[1].tiles
        found.append(
            min(problem.m * problem.n * problem.count / (tile.m * tile.n) for tile in tiles)
            * problem.k / problem.pattern.weights_of(2 * max(tile.slots for tile in tiles))
        )  # fmt: skip
    return min(found)


def fastest_of(terms: Terms, every: Sequence[Offered], time_ps: int, name: str) -> tuple[int, str]:
    """The fastest of those that may be faster than what is known."""
    for one in sorted(every, key=lambda one: one.least_ps):
        if one.least_ps >= time_ps:
            break
        took_ps = one.time_ps(terms)
        if took_ps < time_ps:
            time_ps, name = took_ps, named(one.mapping, one.option)
    return time_ps, name


def _row(
    number: int, case: Case, choice: str, names: tuple[str, str], time_ps: int,
    regrets: tuple[float, float], tried: int, choosing_us: float,
) -> Row:  # fmt: skip
    return Row(
        number, case.machine, str(case), choice, *names, time_ps / PS_PER_SECOND * 1e6, *regrets,
        tried, choosing_us,
    )  # fmt: skip


def quantiles(rows: Sequence[Row], of: Callable[[Row], float] = lambda one: one.regret) -> str:
    """Median, 99 in 100, and the largest."""
    found = np.array([of(one) for one in rows])
    above = int((found > LARGEST).sum())
    return (
        f"{len(found):6d} {np.median(found):8.3f} {np.quantile(found, 0.99):8.3f} "
        f"{found.max():8.3f} {above:6d}"
    )


def show(rows: Sequence[Row], worst: int) -> bool:
    """Print the tables; whether what is to be reached was."""
    by_time = [one for one in rows if one.choice != "by rules"]
    print(f"{'':34}{'n':>6} {'median':>8} {'99 %':>8} {'largest':>8} {'>1.10':>6}")
    for preset in PRESETS:
        own = [one for one in by_time if one.machine == preset]
        if own:
            print(f"{preset:34}{quantiles(own)}")
    print(f"{'all, chosen by time':34}{quantiles(by_time)}")
    for name, rows_of in (
        ("  GEMMs", [one for one in by_time if one.choice == "time" and "conv" not in one.what]),
        ("  convolutions", [one for one in by_time if "conv" in one.what]),
        ("  attention", [one for one in by_time if one.choice == "attention"]),
        ("  real zeros", [one for one in by_time if "masked" in one.what]),
    ):
        if rows_of:
            print(f"{name:34}{quantiles(rows_of)}")
    print("\nLibraries with rules of their own, against all of their tiles and splits")
    for preset in PRESETS:
        own = [one for one in rows if one.machine == preset and _has_rules(one)]
        if own:
            print(f"{preset:34}{quantiles(own, lambda one: one.unruled)}")
    simulated = [one.tried for one in by_time if one.choice == "time"]
    choosing = [one.choosing_us for one in by_time if one.choice == "time"]
    print(
        f"\nsimulated {np.mean(simulated):.2f} mappings a layer; choosing took "
        f"{np.mean(choosing):.0f} us a layer, {np.median(choosing):.0f} at the median"
    )
    print(
        f"drawn again: layers of more than {MOST_STAGES:,} stages in the coarsest tiles, or whose "
        f"offer takes more than {MOST_US / 1e6} s to simulate"
    )
    print("\nThe largest")
    for one in sorted(by_time, key=lambda one: -one.regret)[:worst]:
        print(f"{one.regret:6.3f} {one.machine} {one.what}, {one.time_us:.1f} us, no. {one.number}")
        print(f"       chose {one.chosen}, fastest {one.best}")
    found = np.array([one.regret for one in by_time])
    reached = (
        np.median(found) <= MEDIAN, np.quantile(found, 0.99) <= MOST, found.max() <= LARGEST,
    )  # fmt: skip
    print(
        f"\nreached: median 1.000 {_yes(reached[0])}, 99 % <= {MOST} {_yes(reached[1])}, "
        f"largest <= {LARGEST:.2f} {_yes(reached[2])}"
    )
    return all(reached)


def _has_rules(one: Row) -> bool:
    return one.choice == "by rules" or one.unruled != one.regret


def _yes(reached: object) -> str:
    return "yes" if reached else "NO"


def _of_number(asked: tuple[str, int, Sequence[str]]) -> Row:
    return row(*asked)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seed", default="1")
    asked.add_argument("--count", type=int, default=3200)
    asked.add_argument("--first", type=int, default=0, help="number of the first layer")
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--machine", action="append", choices=PRESETS)
    asked.add_argument("--worst", type=int, default=10)
    given = asked.parse_args()
    presets = tuple(given.machine or PRESETS)
    numbers = range(given.first, given.first + given.count)
    work = [(given.seed, number, presets) for number in numbers]
    rows = []
    with get_context("spawn").Pool(given.workers) as pool:
        for done, one in enumerate(pool.imap_unordered(_of_number, work, chunksize=8), 1):
            rows.append(one)
            if done % 50 == 0 or done == len(work):
                print(f"\r{done} of {len(work)} layers", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    show(sorted(rows, key=lambda one: one.number), given.worst)


if __name__ == "__main__":
    main()
