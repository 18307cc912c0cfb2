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
from simulator.exploration.plan import Point, Shared, plan_of
from simulator.exploration.row import Row, warm
from simulator.exploration.spec import SweepSpec
from simulator.exploration.store import Store
from simulator.exploration.table import Rows

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]

ALONE = 64
"""Unless told how many workers, fewer points than this run in this process: starting others takes
longer."""


@dataclass(frozen=True)
class SweepResult:
    """The result of `sweep`: a row a point, in the order of the spec."""

    rows: tuple[Row, ...] = field(repr=False)
    computed: int
    known: int
    failed: int

    def to_frame(self) -> pd.DataFrame:
        """One row a point: its parameters, its figures, or its error."""
        return Rows(self.rows).to_frame()

    def to_csv(self) -> str:
        return Rows(self.rows).to_csv()

    def to_json(self) -> str:
        return Rows(self.rows).to_json()

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
    progress: Progress | None = None,
) -> SweepResult:
    """Simulate every point of a design space.

    Parameters
    ----------
    spec : SweepSpec, mapping, str or Path
        What varies: a YAML file, or a mapping with the same keys: ``hardware``, ``workloads``,
        ``patterns``, ``parameters``, and optionally ``settings``, ``constraints``, ``sample``,
        ``engine``.
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
        with dispatching(plan.shared, opened, executor, workers, scheduler, counted) as dispatch:
            dispatch.run(noted())
        rows = opened.rows(list(order))
    tally, failed = dispatch.tally, sum(row.error is not None for row in rows)
    return SweepResult(tuple(rows), tally.computed, tally.known, failed)


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
