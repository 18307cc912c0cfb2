"""``SweepSpec -> SweepResult``: every point of a plan, in parallel, into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import SpecError
from simulator.exploration.plan import Plan, Point, plan_of
from simulator.exploration.row import Row
from simulator.exploration.runs import Runs, filling
from simulator.exploration.spec import SweepSpec
from simulator.exploration.table import Rows, baseline_of
from simulator.workers.executors import pool_of

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
    rows : tuple of Row
        A point each; those of points that failed have an ``error`` and no figures.
    computed, known, failed : int
        Rows that were simulated now, that the store had before, and that have an error.
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
        """The rows with their speed-ups."""
        return Rows.over(self.baseline, self.rows)

    def to_frame(self) -> pd.DataFrame:
        """One row a point: its parameters, its figures, or its error."""
        return self.table.to_frame()

    def to_csv(self) -> str:
        """The columns of `to_frame` as CSV."""
        return self.table.to_csv()

    def to_json(self) -> str:
        """The columns of `to_frame` as a list of objects."""
        return self.table.to_json()

    def to_html(self, title: str = "Sweep") -> str:
        """A page with the points, their fronts and filters, as the text of one HTML file.

        Raises
        ------
        OutputError
            If no point has figures, or there are too many for a page.
        """
        return self.table.to_html(title, self.notes)

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

    def count(points: int) -> None:
        nonlocal settled
        settled += points
        if progress is not None:
            progress(settled, total)

    if workers is None and scheduler is None and total < ALONE and executor == "processes":
        executor = "serial"
    keys: dict[bytes, None] = {}  # as a set that keeps its order
    pool = pool_of(executor, workers, scheduler)
    with Runs(store) as opened:
        with filling(opened, plan, pool, count) as dispatch:
            dispatch.run(_noted(plan.points(), keys))
        rows = opened.rows(list(keys))
    tally, failed = dispatch.tally, sum(row.error is not None for row in rows)
    baseline = baseline_of(plan.patterns, plan.baseline)
    notes = (*_sampled(plan, total, len(keys)), *opened.notes)
    return SweepResult(tuple(rows), tally.computed, tally.known, failed, baseline, notes)


def _noted(points: Iterator[Point], keys: dict[bytes, None]) -> Iterator[Point]:
    """Points, whose keys are noted as they go by."""
    for point in points:
        keys[point.key] = None
        yield point


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
