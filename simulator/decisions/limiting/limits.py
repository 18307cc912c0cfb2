"""What limits a pattern on a machine: every resource relaxed alone, and in the best order.

Every figure is that of a plain `simulate` of the changed machine, with mappings chosen anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import Any, Final

from simulator.decisions.limiting.result import MOVES_RATIO, Limits, Relaxed, Step
from simulator.errors import ConfigError
from simulator.hardware import Hardware, load_hardware
from simulator.hardware.resources import RESOURCES, Resource
from simulator.importers import load_workload
from simulator.report.report import Report
from simulator.run.asked import staying_dense
from simulator.run.simulate import simulate
from simulator.sparsity import DENSE, AnyPattern, asked_name, parse_asked
from simulator.workload import Workload
from simulator.workload.lowering import asked_pattern, lower
from simulator.workload.patterned import bearing
from simulator.workload.stack import Stack

FACTORS: Final = (1.25, 2.0)

GROWTH: Final = 2
"""What a resource gives may rise as others are relaxed: a gain that was measured some steps ago is
trusted to have grown by so much a step at most. On ResNet-50 and BERT-base a third of all runs then
gives nearly the order that all of them give."""

Progress = Callable[[int, int, str], None]
Settings = Mapping[str, object]


@dataclass(frozen=True)
class Asked:
    """What is simulated on every machine."""

    hardware: Hardware
    network: Workload
    pattern: AnyPattern | None
    options: Mapping[str, Any]

    def report(self, pattern: AnyPattern | None, settings: Settings) -> Report:
        """A plain run of the machine with other values of some keys."""
        machine = load_hardware(self.hardware, settings)
        return simulate(machine, self.network, pattern, **self.options)

    @property
    def is_dense(self) -> bool:
        """Whether nothing would run otherwise dense: no weights, or no pattern that the machine
        has."""
        stays = staying_dense(self.network, self.options["dense"])
        for name, layer in bearing(self.network).items():
            asked = asked_pattern(layer, self.pattern)
            if name in stays or asked == DENSE:
                continue
            problems = lower(layer, asked, self.hardware, library=self.options["library"]).problems
            if not all(problem.pattern.is_dense for problem in problems):
                return False
        return True


@dataclass
class _Runs:
    """Runs of both patterns on changed machines, each once.

    Attributes
    ----------
    as_is : Report
        Of the pattern on the machine as it is.
    patterns : list
        Dense, and the one asked where that runs otherwise.
    planned : int
        Runs in all, as far as is known.
    """

    asked: Asked
    as_is: InitVar[Report]
    progress: Progress | None
    patterns: list[AnyPattern | None] = field(default_factory=list)
    planned: int = 0
    _known: dict[tuple[str, frozenset[tuple[str, object]]], int] = field(default_factory=dict)

    def __post_init__(self, as_is: Report) -> None:
        pattern = self.asked.pattern
        self.patterns = [DENSE] if self.asked.is_dense else [DENSE, pattern]
        self._known[_key(pattern, {})] = as_is.total.time_ps

    def report(self, number: int, settings: Settings) -> Report:
        """Whole, of dense (0) or of the pattern (-1)."""
        pattern = self.patterns[number]
        found = self.asked.report(pattern, settings)
        self._known[_key(pattern, settings)] = found.total.time_ps
        return found

    def times_ps(self, number: int, machines: Sequence[Settings], what: str) -> list[int]:
        """Of dense (0) or of the pattern (-1), on all of these machines.

        What is the same whatever memory is like is kept from one to the next for one pattern only,
        hence patterns are not mixed.
        """
        pattern = self.patterns[number]
        times = []
        for settings in machines:
            key = _key(pattern, settings)
            if key not in self._known:
                self._known[key] = self.asked.report(pattern, settings).total.time_ps
                if self.progress is not None:
                    done = len(self._known)
                    self.progress(done, max(done, self.planned), what)
            times.append(self._known[key])
        return times

    def both_ps(self, machines: Sequence[Settings], what: str) -> list[tuple[int, int]]:
        """Of the pattern, and of dense."""
        dense = self.times_ps(0, machines, what)
        return list(zip(self.times_ps(-1, machines, what), dense, strict=True))

    def plan(self, more: int) -> None:
        """So many machines are still to run, at most."""
        self.planned = len(self._known) + more * len(self.patterns)


def limits(
    hardware: Hardware | str | Path,
    workload: Workload | str | Path,
    pattern: AnyPattern | str | None,
    *,
    library: str | None = None,
    stack: Stack | str | None = None,
    dense: str | None = None,
    accuracy: str = "exact",
    allow_overflow: bool = False,
    factors: Sequence[float] = FACTORS,
    progress: Progress | None = None,
) -> Limits:
    """What limits a pattern on a machine, and what dense, and what relaxing it would give.

    Every resource that the machine has is relaxed alone, by each factor and, but for what computes
    (cores, clock, MACs and vector unit), without a limit; then one after another, what gives most
    first, until nothing moves the time by a thousandth, and all the others together.

    Parameters
    ----------
    hardware, workload, pattern, library, stack, dense, accuracy, allow_overflow
        As `simulate` takes them; ``trace`` or None is a pattern, too.
    factors : sequence of float
        Above 1; elasticities are taken from the first.
    progress : callable, optional
        Called with (runs done, runs in all as far as known, what is being relaxed).

    Raises
    ------
    SimulatorError
        As `simulate` does, and where a factor is none.

    Examples
    --------
    >>> from simulator import limits
    >>> found = limits("nm-flex", "gemm:4096x4096x4096", "1:8")  # doctest: +SKIP
    >>> print(*found.sentences(), sep="\\n")  # doctest: +SKIP
    """
    if not factors:
        raise ConfigError("factors", "name at least one", want="numbers above 1")
    for factor in factors:
        if not (isfinite(factor) and factor > 1):
            raise ConfigError("factors", "want numbers above 1", got=factor)
    options: dict[str, Any] = {
        "library": library,
        "stack": stack,
        "dense": dense,
        "accuracy": accuracy,
        "allow_overflow": allow_overflow,
    }
    asked = Asked(load_hardware(hardware), load_workload(workload), parse_asked(pattern), options)
    report = asked.report(asked.pattern, {})
    runs = _Runs(asked, report, progress)
    tree = asked.hardware.model_dump(mode="json")
    present = [one for one in RESOURCES if one.role != "part" and one.keys_of(tree)]
    freed = {one.name: one.unlimited(tree) for one in present if one.can_be_unlimited}
    everything = _joined(freed, freed)
    dense_as_is, ideal_of_dense = runs.report(0, {}), runs.report(0, everything)
    ideal = runs.report(-1, everything)
    relaxed = _alone(runs, tree, present, freed, sorted(set(factors)))
    return Limits(
        pattern=asked_name(asked.pattern),
        report=report,
        dense=dense_as_is,
        ideal=ideal,
        ideal_of_dense=ideal_of_dense,
        factors=tuple(sorted(set(factors))),
        resources={one.name: one for one in present},
        values={key: much for one in present for key, much in one.values(tree).items()},
        relaxed=tuple(relaxed),
        steps=tuple(_in_order(runs, freed)),
    )


def _alone(
    runs: _Runs,
    tree: Mapping[str, Any],
    present: Sequence[Resource],
    freed: Mapping[str, Settings],
    factors: Sequence[float],
) -> list[Relaxed]:
    """Without a limit first: what moves nothing then is not tried by factors."""
    runs.plan(len(freed) + len(present) * len(factors))
    (base,) = runs.both_ps([{}], "as it is")
    ends = dict(zip(freed, runs.both_ps(list(freed.values()), "alone, unlimited"), strict=True))
    moving = [one for one in present if one.name not in ends or _moves(base, ends[one.name])]
    asked = [(one, factor) for one in moving for factor in factors]
    settings = [one.settings(tree, factor) for one, factor in asked]
    tried = [
        (one, factor, changed)
        for (one, factor), changed in zip(asked, settings, strict=True)
        if changed and one.scaled(runs.asked.hardware, factor) is not None
    ]
    times = runs.both_ps([changed for *_, changed in tried], "alone, by factors")
    ended = [(one, inf, freed[one.name]) for one in present if one.name in freed]
    every = [*zip(tried, times, strict=True), *zip(ended, ends.values(), strict=True)]
    order = {one.name: at for at, one in enumerate(present)}
    every.sort(key=lambda row: (order[row[0][0].name], row[0][1]))
    return [
        Relaxed(one.name, tuple(one.keys_of(tree)), factor, dict(changed), *both)
        for (one, factor, changed), both in every
    ]


def _in_order(runs: _Runs, freed: Mapping[str, Settings]) -> list[Step]:
    """One resource after another without a limit, what lowers the pattern's time most first; then
    all that is left, together."""
    order = _Order(runs, freed)
    while (best := order.next()) is not None:
        order.take(best)
    machines = [_joined(freed, order.taken[:count]) for count in range(len(order.taken) + 1)]
    names = [(), *((name,) for name in order.taken)]
    if order.left:
        machines.append(_joined(freed, freed))
        names.append(tuple(order.left))
    both = runs.both_ps(machines, "in the best order, dense")
    return [Step(*step) for step in zip(names, *zip(*both, strict=True), strict=True)]


class _Order:
    """What was taken, and what is left with what each gave when it was last measured."""

    def __init__(self, runs: _Runs, freed: Mapping[str, Settings]) -> None:
        self.runs, self.freed = runs, freed
        self.taken: list[str] = []
        self.left = list(freed)
        self.gains: dict[str, float] = {}
        self.measured: dict[str, int] = {}
        self.times_ps: dict[str, int] = {}
        (self.now_ps,) = runs.times_ps(-1, [{}], "as it is")
        for name in self.left:
            self._measure(name)

    def next(self) -> str | None:
        """What gives most now; None where nothing moves the time any more.

        In the order of what each may give by now, until the rest may give less than the best.
        """
        self.runs.plan(len(self.left))
        best, most = None, MOVES_RATIO
        may_give = {name: self._may_give(name) for name in self.left}
        for name in sorted(self.left, key=lambda name: -may_give[name]):
            if best is not None and may_give[name] <= most:
                break
            self._measure(name)
            if self.gains[name] > most:
                best, most = name, self.gains[name]
        return best

    def take(self, name: str) -> None:
        self.now_ps = self.times_ps[name]
        self.taken.append(name)
        self.left.remove(name)

    def _may_give(self, name: str) -> float:
        steps = len(self.taken) - self.measured[name]
        return max(self.gains[name], MOVES_RATIO) * float(GROWTH**steps)

    def _measure(self, name: str) -> None:
        machine = _joined(self.freed, [*self.taken, name])
        what = f"in the best order, step {len(self.taken) + 1}"
        (self.times_ps[name],) = self.runs.times_ps(-1, [machine], what)
        self.gains[name] = self.now_ps / self.times_ps[name] - 1
        self.measured[name] = len(self.taken)


def _joined(freed: Mapping[str, Settings], names: Iterable[str]) -> dict[str, object]:
    """Several resources at once; no two share a key."""
    return {key: value for name in names for key, value in freed[name].items()}


def _moves(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether either time does."""
    pairs = zip(before, after, strict=True)
    return any(abs(new - old) > MOVES_RATIO * old for old, new in pairs)


def _key(
    pattern: AnyPattern | None, settings: Settings
) -> tuple[str, frozenset[tuple[str, object]]]:
    return asked_name(pattern), frozenset(settings.items())
