"""``SweepSpec -> SweepResult``: every point of a plan, in parallel, into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import SpecError
from simulator.exploration.dispatch import Dispatch
from simulator.exploration.executors import pool_of
from simulator.exploration.plan import Plan, Point, Shared, plan_of
from simulator.exploration.row import Row, warm
from simulator.exploration.spec import SweepSpec
from simulator.exploration.store import Store
from simulator.exploration.table import Rows, baseline_of

if TYPE_CHECKING:
    import pandas as pd

PointProgress = Callable[[int, int], None]

ALONE = 64
"""Unless told how many workers, fewer points than this run in this process: starting others takes
longer."""


@dataclass(frozen=True)
class SweepResult:
    """The result of `sweep`: a row a point, in the order of the spec.

    Attributes
    ----------
    baseline : str or None
        The pattern that speed-ups are over; None: as the trace says.
    notes : tuple of str
        What was not as it was asked for, or was found.
    """

    rows: tuple[Row, ...] = field(repr=False)
    computed: int
    known: int
    failed: int
    baseline: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> Rows:
        return Rows.over(self.baseline, self.rows)

    def to_frame(self) -> pd.DataFrame:
        """One row a point: its parameters, its figures, or its error."""
        return self.table.to_frame()

    def to_csv(self) -> str:
        return self.table.to_csv()

    def to_json(self) -> str:
        return self.table.to_json()

    def _repr_html_(self) -> str:
        table: str = self.to_frame().drop(columns="key").to_html(index=False, max_rows=20)
        return table


def sweep(
    spec: SweepSpec | Mapping[str, Any] | str | Path,
    *,
    store: str | Path | None = None,
    workers: int | None = None,
    executor: str = "processes",
    scheduler: str | None = None,
    progress: PointProgress | None = None,
) -> SweepResult:
    """Simulate every point of a design space.

    Parameters
    ----------
    spec : SweepSpec, mapping, str or Path
        What varies: a YAML file, or a mapping with the same keys: ``hardware``, ``workloads``,
        ``patterns``, ``parameters``, and optionally ``settings``, ``constraints``, ``sample``,
        ``baseline``, ``engine``, ``accuracy``.
    store : str or Path, optional
        File that keeps the rows; points that it has are not computed again. Default: in memory.
    workers : int, optional
        Default: one a core; none for a few points.
    executor : {"processes", "threads", "serial"}
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:port``, whose workers are used instead.
    progress : callable, optional
        Called with (points settled, points in all).

    Raises
    ------
    SimulatorError
        SpecError, ConfigError or WorkloadError if the sweep cannot start; StoreError. A point that
        fails is a row with its error.

    Examples
    --------
    >>> spec = {"hardware": "nm-flex", "workloads": "resnet50", "patterns": ["1:1", "2:4"]}
    >>> spec["parameters"] = {"core.count": [54, 108]}
    >>> frame = sweep(spec).to_frame()  # doctest: +SKIP
    """
    plan = plan_of(SweepSpec.load(spec))
    total = plan.count()
    if not total:
        raise SpecError("constraints", "no point fulfils them all", hint="loosen one")
    settled = 0

    def counted(points: int) -> None:
        nonlocal settled
        settled += points
        if progress is not None:
            progress(settled, total)

    order: dict[bytes, None] = {}  # as a set that keeps its order

    def noted() -> Iterator[Point]:
        for point in plan.points():
            order[point.key] = None
            yield point

    if workers is None and scheduler is None and total < ALONE and executor == "processes":
        executor = "serial"
    with Store(store) as opened:
        opened.name_baseline(plan.baseline)
        with dispatching(plan.shared, opened, executor, workers, scheduler, counted) as dispatch:
            dispatch.run(noted())
        rows = opened.rows(list(order))
        notes = (*_sampled(plan, total, len(order)), *recomputed(opened))
    tally, failed = dispatch.tally, sum(row.error is not None for row in rows)
    baseline = baseline_of(plan.patterns, plan.baseline)
    return SweepResult(tuple(rows), tally.computed, tally.known, failed, baseline, notes)


def _sampled(plan: Plan, allowed_points: int, points: int) -> Iterator[str]:
    """What a sample asked for and did not get."""
    sample = plan.space.sample
    if sample is None:
        return
    machines, allowed = points // plan.combinations, allowed_points // plan.combinations
    if machines == sample.points:
        return
    reasons = []
    if allowed < sample.points:
        reasons.append(f"constraints drop {sample.points - allowed}")
    if machines < allowed:
        reasons.append(f"{allowed - machines} are drawn twice")
    yield f"sample: {machines} machines of {sample.points} asked for: {' and '.join(reasons)}"


def recomputed(store: Store) -> Iterator[str]:
    """What was wrong with a store, and is no more."""
    if store.changed:
        yield f"{store.path}: {store.changes}; dropped, and computed anew where asked for"


@contextmanager
def dispatching(
    shared: Shared,
    store: Store,
    executor: str,
    workers: int | None,
    scheduler: str | None,
    progress: Callable[[int], None] | None,
) -> Iterator[Dispatch]:
    """Workers that are ready, and a store for what they find."""
    with pool_of(executor, workers, scheduler) as pool:
        if scheduler is None and shared.engine == "fast":
            warm()
        yield Dispatch(shared, store, pool, progress)
