"""What would it take: the cheapest machine on which a pattern is so much faster than dense."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from simulator.decisions.requirement.cheapest import Came, Search, Wanted
from simulator.decisions.requirement.prices import priced
from simulator.decisions.requirement.result import Change, Requirement, Stop, Tried
from simulator.decisions.requirement.steps import MOST, Point, Steps, steps_of
from simulator.errors import SpecError, WorkloadError
from simulator.exploration.plan import Plan, Shared
from simulator.exploration.plan import Point as Run
from simulator.exploration.row import Row
from simulator.exploration.runs import Runs, filling
from simulator.exploration.space import Space
from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.run.asked import staying_dense
from simulator.run.simulate import simulate
from simulator.sparsity import DENSE, AnyPattern, asked_name, parse_asked, parse_pattern
from simulator.workers.dispatch import Dispatch
from simulator.workers.executors import pool_of
from simulator.workload import Workload
from simulator.workload.patterned import bearing, under

AS_IS, CHANGED = "as-is", "changed"
OF: Final = (AS_IS, CHANGED)

TRIES: Final = 80
"""Machines that are tried before the best one's steps are taken back: about a minute of ResNet-50
at batch 64."""
GAP: Final = 0.03
"""A search ends early if all that is cheaper by more than this share is ruled out."""

NEAR: Final = 0.99
"""Of what is out of reach, the cheapest machine is looked for that comes so near to the fastest."""

DENSE_NAME: Final = str(DENSE)
Progress = Callable[[int, int], None]


def require(
    hardware: Hardware | str | Path,
    workload: Workload | str | Path,
    pattern: AnyPattern | str | None,
    speedup: float,
    *,
    of: str = AS_IS,
    prices: Mapping[str, Any] | str | Path | None = None,
    free: Sequence[str] = (),
    most: float = MOST,
    library: str | None = None,
    stack: str | None = None,
    dense: str | None = None,
    accuracy: str = "exact",
    tries: int = TRIES,
    store: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Requirement:
    """The cheapest change of a machine with which a pattern reaches a speed-up over dense.

    Resources that have a price grow in quarter doublings. What is found reaches the target and
    misses it without any single step; that nothing cheaper does is only as sure as it says.

    Parameters
    ----------
    hardware : Hardware, str or Path
        As `simulator.load_hardware` takes it.
    workload : Workload, str or Path
        As `simulator.load_workload` takes it.
    pattern : Pattern or str
        As `simulator.simulate` takes it; not dense.
    speedup : float
        Device time of dense over that of the pattern.
    of : {"as-is", "changed"}
        Over dense on the machine as it is; or on the changed one, where dense may then not take
        longer than it did.
    prices : mapping, str or Path, optional
        As `simulator.decisions.prices.priced` takes it.
    free : sequence of str
        Resources or dotted keys that may grow and cost nothing.
    most : float
        No resource grows by a larger factor.
    library, stack, dense, accuracy
        As in `simulator.simulate`.
    tries : int
        Machines to try before the steps of the best one are taken back one by one.
    store : str or Path, optional
        Keeps all runs, so that a search that was stopped goes on from there.
    workers : int
        Processes beside this one, if more than 1; what is found does not depend on them.
    progress : callable, optional
        Called with (machines tried, machines to try).

    Raises
    ------
    SimulatorError
        With one clear line, if anything that is asked makes no sense.

    Examples
    --------
    >>> found = require("nm-flex", "resnet50", "1:8", 2.0)  # doctest: +SKIP
    >>> found.settings, found.price  # doctest: +SKIP
    """
    _check(speedup, of, tries)
    machine, network = load_hardware(hardware), load_workload(workload)
    text = _asked_of(network, pattern, dense)
    plain = under(network, _patterns(network, text, dense)) if dense is not None else network
    shared = Shared(machine, (plain,), "fast", accuracy, library)
    steps = steps_of(machine, priced(prices, tuple(free)), most)
    alone = None if dense is not None else text
    plan = Plan(shared, (alone,), Space({}), () if stack is None else (stack,), DENSE_NAME)
    executor = "serial" if workers == 1 else "processes"
    with Runs(store) as opened:
        count = _Count(tries * (1 + (of == CHANGED)), progress)
        with filling(opened, plan, pool_of(executor, workers, None), count) as dispatch:
            trials = _Trials(plan, steps, of == CHANGED, dispatch, opened)
            _require_runs(trials, shared, stack)
            wanted = Wanted(speedup, trials.dense_as_is, tries, GAP, of == AS_IS)
            search = _searched(trials, wanted)
            stop = _stop(trials, search) if search.best is None else None
            if stop is not None:
                search = _searched(trials, replace(wanted, gain=NEAR * stop.gain))
            found = _found(trials, search)
    about = (machine.name, network.name, asked_name(parse_asked(text)), speedup, of, most)
    computed = dispatch.tally.computed
    return Requirement(*about, **found, stop=stop, computed=computed, notes=opened.notes)


def _searched(trials: _Trials, wanted: Wanted) -> Search:
    search = Search(trials.steps, trials.tries, wanted)
    search.run()
    return search


def _require_runs(trials: _Trials, shared: Shared, stack: str | None) -> None:
    """Raise what keeps the machine as it is from running, as whoever found it says it."""
    (rows,) = trials.rows([{}], (trials.pattern, DENSE_NAME))
    for row in rows:
        if row.error is not None:
            about = shared.base, shared.workloads[0], row.pattern
            simulate(*about, library=shared.library, accuracy=shared.accuracy, stack=stack)
            raise SpecError(shared.base.name, row.error)


@dataclass
class _Count:
    """Tells how many runs are settled."""

    total: int
    progress: Progress | None
    settled: int = 0

    def __call__(self, runs: int) -> None:
        self.settled += runs
        if self.progress is not None:
            self.progress(self.settled, max(self.settled, self.total))


@dataclass
class _Trials:
    """Machines of the grid, simulated or found in the store."""

    plan: Plan
    steps: Steps
    is_over_changed: bool
    dispatch: Dispatch[Run, Row]
    store: Runs

    @property
    def pattern(self) -> str | None:
        return self.plan.patterns[0]

    def tries(self, points: Sequence[Point]) -> list[Came]:
        """What comes of each point."""
        patterns = (self.pattern, DENSE_NAME) if self.is_over_changed else (self.pattern,)
        rows = self.rows([self.steps.settings(point) for point in points], patterns)
        as_is = self.dense_as_is
        return [Came(self.time(row), self.time(*dense) if dense else as_is) for row, *dense in rows]

    @cached_property
    def dense_as_is(self) -> float:
        ((row,),) = self.rows([{}], (DENSE_NAME,))
        return self.time(row)

    def rows(
        self, settings: Sequence[dict[str, Any]], patterns: tuple[str | None, ...]
    ) -> list[tuple[Row, ...]]:
        """A row a pattern, of every machine."""
        runs = [run for one in settings for run in self.plan.points_at(one, patterns)]
        self.dispatch.run(runs)
        rows = self.store.rows([run.key for run in runs])
        width = len(patterns)
        return [tuple(rows[at : at + width]) for at in range(0, len(rows), width)]

    @staticmethod
    def time(row: Row) -> float:
        """Nanoseconds; endless where it cannot run."""
        return math.inf if row.time_ns is None else row.time_ns


def _found(trials: _Trials, search: Search) -> dict[str, Any]:
    """What a search has come to, as fields of a `Requirement`."""
    steps, wanted = trials.steps, search.wanted
    point = search.best
    assert point is not None  # the machine as it is, at least
    before, after = search.tried[steps.start], search.tried[point]
    ((dense_after,),) = trials.rows([steps.settings(point)], (DENSE_NAME,))
    return {
        "changes": tuple(_changes(search, point)),
        "price": steps.price(point),
        "floor": search.floor,
        "time_before_ns": before.time,
        "time_after_ns": after.time,
        "dense_before_ns": wanted.dense,
        "dense_after_ns": trials.time(dense_after),
        "tried": tuple(
            Tried(steps.price(p), came.gain, wanted.reached(came), p == point)
            for p, came in search.tried.items()
        ),
        "contradictions": search.contradictions,
    }


def _changes(search: Search, point: Point) -> list[Change]:
    steps, found = search.steps, []
    for at, (axis, step) in enumerate(zip(steps.axes, point, strict=True)):
        if not step:
            continue
        without = (*point[:at], 0, *point[at + 1 :])
        came = search.tried.get(without)
        values = {
            key: (_value_at(steps.machine, key), value)
            for key, value in axis.settings[step].items()
        }
        found.append(
            Change(
                axis.name,
                values,
                _factor(values, axis.is_less),
                axis.is_less,
                steps.price(point) - steps.price(without),
                None if came is None else came.gain,
            )
        )
    return found


def _factor(values: Mapping[str, tuple[float, float]], is_less: bool) -> float:
    """By how much a resource grows, as its first key is written."""
    before, after = next(iter(values.values()))
    return before / after if is_less else after / before


def _value_at(machine: Hardware, key: str) -> float:
    node: Any = machine
    for part in key.split("."):
        node = node[part] if isinstance(node, dict) else getattr(node, part)
    return float(node)


HELPS: Final = 1.01
"""What gives less is said to help no more."""


def _stop(trials: _Trials, search: Search) -> Stop:
    """What bounds the fastest machine that was found, and what twice of each thing would give."""
    wanted = search.wanted
    allowed = {p: came for p, came in search.tried.items() if came.dense <= wanted.dense}
    point = max(allowed, key=lambda p: allowed[p].gain)
    came, settings = allowed[point], trials.steps.settings(point)
    machine = load_hardware(trials.steps.machine, settings)
    more = {
        axis.name: settings | axis.priced.resource.settings(machine.model_dump(mode="json"), 2)
        for axis in trials.steps.axes
        if axis.priced.resource.scaled(machine, 2) is not None
    }
    ((row,),) = trials.rows([settings], (trials.pattern,))
    rows = trials.rows([*more.values()], (trials.pattern,))
    gains = {name: came.time / trials.time(row) for name, (row,) in zip(more, rows, strict=True)}
    helping = sorted((-gain, name) for name, gain in gains.items() if gain >= HELPS)
    return Stop(came.gain, row.bound or "", tuple((name, -gain) for gain, name in helping))


def _check(speedup: float, of: str, tries: int) -> None:
    if not 0 < speedup < math.inf:
        raise SpecError("--speedup", "not a speed-up", want="a number above 0", got=speedup)
    if of not in OF:
        raise SpecError("--of", "unknown", want=" or ".join(OF), got=of)
    if tries < 1:
        raise SpecError("--tries", "must be at least 1", got=tries)


def _asked_of(network: Workload, pattern: AnyPattern | str | None, dense: str | None) -> str | None:
    """The pattern by its name; None: as the trace says.

    Raises
    ------
    SimulatorError
        If no layer has weights, or all that have some are to be dense.
    """
    asked, stays = parse_asked(pattern, "--pattern"), staying_dense(network, dense)
    if not bearing(network):
        raise WorkloadError(network.name, "no layer has weights: there is nothing to prune")
    text = None if asked is None else str(asked)
    patterns = _patterns(network, text, dense).values()
    if all(parse_pattern(one).is_dense for one in patterns):
        why = "all layers that have weights stay dense" if stays else "is dense"
        raise SpecError("--pattern", why, got=asked_name(asked), want="such as 1:8")
    return text


def _patterns(network: Workload, pattern: str | None, dense: str | None) -> dict[str, str]:
    """What every layer that has weights is asked for."""
    stays = staying_dense(network, dense)
    return {
        name: DENSE_NAME if name in stays else str(pattern or layer.pattern or DENSE)
        for name, layer in bearing(network).items()
    }
