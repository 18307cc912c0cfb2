"""``SweepSpec -> SearchResult``: Optuna looks for good points instead of trying all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.described.sweeps import SEARCH
from simulator.errors import SpecError
from simulator.exploration.pareto import front
from simulator.exploration.plan import Plan, Point, plan_of
from simulator.exploration.row import Row
from simulator.exploration.runs import Runs, filling
from simulator.exploration.space import Settings, at, is_continuous, length_of, values_of
from simulator.exploration.spec import Axis, Search, SweepSpec
from simulator.exploration.sweep import PointProgress
from simulator.exploration.table import frame_of, records_of, typed
from simulator.workers.dispatch import Dispatch
from simulator.workers.executors import pool_of

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    from optuna.distributions import BaseDistribution

PATTERN = "pattern"
"""The pattern is a dimension of the search beside the hardware keys."""


@dataclass(frozen=True)
class Trial:
    """A machine and a pattern that were tried; ``values`` are sums over the workloads.

    ``error`` says why there are none.
    """

    number: int
    settings: Settings
    pattern: str | None
    values: tuple[float, ...] | None
    error: str | None = None


@dataclass(frozen=True)
class SearchResult:
    """The result of `search`: every trial, and which of them no other beats."""

    objectives: tuple[str, ...]
    trials: tuple[Trial, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def front(self) -> tuple[Trial, ...]:
        """The Pareto front, by the first objective; of equal points the first trial."""
        done = {t.values: t for t in reversed(self.trials) if t.values is not None}
        chosen = list(done.values())
        kept = front(np.array([t.values for t in chosen], dtype=float)) if chosen else []
        return tuple(chosen[index] for index in kept)

    def records(self) -> list[dict[str, Any]]:
        """A mapping a trial."""
        return records_of(self._columns())

    def _columns(self) -> dict[str, list[Any]]:
        best = {trial.number for trial in self.front}
        keys = sorted({key for trial in self.trials for key in trial.settings})
        none = [None] * len(self.objectives)
        values = [trial.values or none for trial in self.trials]
        columns: dict[str, list[Any]] = {
            "trial": [trial.number for trial in self.trials],
            "pattern": [trial.pattern for trial in self.trials],
            **{key: [trial.settings.get(key) for trial in self.trials] for key in keys},
            **{name: [some[i] for some in values] for i, name in enumerate(self.objectives)},
            "pareto": [trial.number in best for trial in self.trials],
            "error": [trial.error for trial in self.trials],
        }
        return {name: typed(name, column) for name, column in columns.items()}

    def to_frame(self) -> pd.DataFrame:
        """One row a trial; ``pareto`` marks the front."""
        return frame_of(self._columns(), SEARCH)

    def to_html(self, title: str = "Search") -> str:
        """A page with the trials and their front, as the text of one HTML file.

        Raises
        ------
        OutputError
            If no trial has figures.
        """
        from simulator.exploration.paged import search_html

        return search_html(self, title)

    def to_json(self) -> str:
        return json.dumps(self.records(), indent=2, ensure_ascii=False)


def search(
    spec: SweepSpec | Mapping[str, Any] | str | Path,
    *,
    store: str | Path | None = None,
    workers: int | None = None,
    executor: str = "processes",
    scheduler: str | None = None,
    progress: PointProgress | None = None,
) -> SearchResult:
    """Look for machines that are good in several objectives at once.

    The same spec tries the same points, whatever the workers: trials are drawn a batch at a time.

    Parameters
    ----------
    spec : SweepSpec, mapping, str or Path
        As `simulator.sweep` takes it, with a key ``search``. Ranges need no steps.
    store : str or Path, optional
        Keeps the rows, and beside it ``.journal`` the trials, so that a search can go on.
    workers, executor, scheduler, progress
        As in `simulator.sweep`.

    Raises
    ------
    SimulatorError
        As `simulator.sweep`; SpecError if Optuna is not installed.
    """
    _require_optuna()
    from simulator.exploration.journal import open_study, reading

    spec = SweepSpec.load(spec)
    asked = spec.search or Search()
    plan = plan_of(spec, sampled=True)
    _check(spec, asked, plan)
    journal = None if store is None else Path(f"{store}.journal")
    pool = pool_of(executor, workers, scheduler)
    with Runs(store) as opened, filling(opened, plan, pool) as dispatch:
        kept = open_study(journal, _name(spec, asked, plan), len(asked.objectives))
        run = _Run(plan, asked, kept, dispatch, opened)
        with reading(journal):
            known = kept.get_trials(deepcopy=False)
            points = run.points_of(known)
        dispatch.run(points)  # those of a store that was changed, or is another
        with reading(journal):
            run.check_known(known)
        run.to_the_end(known, progress)
        return SearchResult(asked.objectives, run.trials(), opened.notes)


class _Run:
    """Batches of trials: all of one are drawn before the figures of any are known.

    They are drawn from a study in memory, each by a sampler seeded with its number. So a batch of
    which only a part was kept is drawn again as it was, and its points are found in the store.
    """

    def __init__(
        self,
        plan: Plan,
        asked: Search,
        kept: optuna.Study,
        dispatch: Dispatch[Point, Row],
        store: Runs,
    ) -> None:
        from simulator.exploration.journal import open_study

        self.plan, self.asked, self.kept = plan, asked, kept
        self.dispatch, self.store = dispatch, store
        self.study = open_study(None, kept.study_name, len(asked.objectives))
        self.distributions = {key: _distribution(axis) for key, axis in plan.space.axes.items()}
        self.distributions[PATTERN] = _distribution(Axis(values=tuple(map(str, plan.patterns))))

    def points_of(self, known: list[optuna.trial.FrozenTrial]) -> list[Point]:
        """The points of trials that a journal tells of; ValueError if another search's."""
        for trial in known:
            if trial.distributions != self.distributions or not trial.state.is_finished():
                raise ValueError("other keys")
        return [point for trial in known for point in self._points(trial.params)]

    def check_known(self, known: list[optuna.trial.FrozenTrial]) -> None:
        """ValueError if a journal tells of other objectives than the store does."""
        for trial in known:
            values, _ = self._values(self._points(trial.params))
            if (None if trial.values is None else tuple(trial.values)) != values:
                raise ValueError("other figures")

    def to_the_end(
        self, known: list[optuna.trial.FrozenTrial], progress: PointProgress | None
    ) -> None:
        """Batch after batch, until there are as many trials as asked for."""
        total, batch = self.asked.trials, self.asked.batch
        whole = total if len(known) >= total else len(known) // batch * batch
        self.study.add_trials(known[:whole])
        for start in range(whole, total, batch):
            if progress is not None:
                progress(start, total)
            self._settle(self._draw(range(start, min(start + batch, total))))
            for trial in self.study.get_trials(deepcopy=False)[max(start, len(known)) :]:
                self.kept.add_trial(trial)
        if progress is not None:
            progress(total, total)

    def _draw(self, numbers: Iterable[int]) -> list[optuna.Trial]:
        drawn = []
        for number in numbers:
            self.study.sampler = _sampler(self.asked, number)
            drawn.append(self.study.ask(self.distributions))
        return drawn

    def _settle(self, drawn: list[optuna.Trial]) -> None:
        from optuna.trial import TrialState

        points = [self._points(trial.params) for trial in drawn]
        self.dispatch.run(point for some in points for point in some)
        for trial, some in zip(drawn, points, strict=True):
            values, _ = self._values(some)
            if values is None:
                self.study.tell(trial, state=TrialState.FAIL)
            else:
                self.study.tell(trial, list(values))

    def _points(self, params: Mapping[str, Any]) -> list[Point]:
        settings, pattern = self._decoded(params)
        if not self.plan.space.allows(settings):
            return []
        return list(self.plan.points_at(settings, (pattern,)))

    def _decoded(self, params: Mapping[str, Any]) -> tuple[Settings, str | None]:
        axes = self.plan.space.axes
        settings = {
            key: params[key] if is_continuous(axis) else at(axis, params[key])
            for key, axis in axes.items()
        }
        return settings, self.plan.patterns[params[PATTERN]]

    def _values(self, points: list[Point]) -> tuple[tuple[float, ...] | None, str | None]:
        """Objectives, summed over the workloads; or why there are none."""
        if not points:
            return None, "a constraint does not hold"
        rows: list[Row] = self.store.rows([point.key for point in points])
        for row in rows:
            if row.error is not None:
                return None, row.error
        values = []
        for name in self.asked.objectives:
            figures = [getattr(row, name) for row in rows]
            if None in figures:
                return None, f"has no {name}"
            # The area is one machine's, whatever runs on it.
            values.append(figures[0] if name == "area_mm2" else sum(figures))
        return tuple(map(float, values)), None

    def trials(self) -> tuple[Trial, ...]:
        """All trials of the study, read from the store."""
        made = []
        for trial in self.study.get_trials(deepcopy=False):
            points = self._points(trial.params)
            settings, pattern = self._decoded(trial.params)
            settings = points[0].settings if points else settings
            made.append(Trial(trial.number, settings, pattern, *self._values(points)))
        return tuple(made)


def _require_optuna() -> None:
    try:
        import optuna
    except ImportError:
        hint = "install the extra: pip install 'nmsim[search]'"
        raise SpecError("search", "Optuna is not installed", hint=hint) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _check(spec: SweepSpec, asked: Search, plan: Plan) -> None:
    if len(plan.stacks) > 1:
        raise SpecError(
            spec.where("stack"), "a search takes one stack", got=", ".join(plan.stacks),
            hint="name one, or sweep",
        )  # fmt: skip
    where = spec.where("search", "objectives")
    if "energy_pj" in asked.objectives and plan.shared.base.energy is None:
        hint = "name other objectives, or state energies under settings"
        raise SpecError(where, "the machine states no energies", got="energy_pj", hint=hint)


def _name(spec: SweepSpec, asked: Search, plan: Plan) -> str:
    """Of the study: all that decides its trials but their number."""
    axes = {key: axis.model_dump(mode="json") for key, axis in plan.space.axes.items()}
    shared = plan.shared
    what = [
        shared.base.model_dump_json(),
        [repr(workload) for workload in shared.workloads],
        [shared.engine, shared.accuracy, *plan.stacks, *map(str, plan.patterns)],
        axes,
        spec.constraints,
        asked.model_dump(mode="json", exclude={"trials"}),
    ]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _sampler(asked: Search, number: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import NSGAIISampler, TPESampler

    seed = (asked.seed * 1_000_003 + number) % 2**32
    if asked.algorithm == "tpe":
        return TPESampler(seed=seed, n_startup_trials=asked.batch)
    return NSGAIISampler(seed=seed, population_size=asked.batch)


def _distribution(axis: Axis) -> BaseDistribution:
    """Numbers keep their order: a neighbour of a good value is worth trying."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if is_continuous(axis):
        assert axis.start is not None
        assert axis.stop is not None
        if isinstance(axis.start, int) and isinstance(axis.stop, int):
            return IntDistribution(axis.start, axis.stop)
        return FloatDistribution(axis.start, axis.stop)
    last = length_of(axis) - 1
    is_ordered = axis.values is None or (
        all(type(value) in (int, float) for value in axis.values)
        and values_of(axis) == sorted(axis.values)
    )
    return IntDistribution(0, last) if is_ordered else CategoricalDistribution(range(last + 1))
