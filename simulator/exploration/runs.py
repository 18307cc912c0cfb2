"""What sweeps and searches share: a store of runs, and the workers that fill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from simulator.errors import SimulatorError
from simulator.exploration.plan import Plan, Point
from simulator.exploration.row import Row, evaluate, warm
from simulator.sparsity import asked_name, parse_asked
from simulator.store.kind import Kind
from simulator.store.store import Store
from simulator.workers.dispatch import Dispatch
from simulator.workers.pool import Pool


def _order(row: Row) -> tuple[Any, ...]:
    """By name, pattern and settings; numbers in their order, before texts."""
    settings = [
        (name, (0, value, "") if isinstance(value, int | float) else (1, 0, str(value)))
        for name, value in sorted(row.settings.items())
    ]
    pattern = row.pattern or ""
    about = row.hardware, row.workload, row.stack, pattern
    return *about, settings, row.engine, row.accuracy, row.key


def _fault_of_baseline(text: str) -> str | None:
    try:
        if asked_name(parse_asked(text)) == text:
            return None
    except SimulatorError:
        pass
    return f"it compares with no pattern, but {text[:40]!r}"


RUNS = Kind("runs", "points", Row, _order, "nmsim sweep SPEC --store", _fault_of_baseline)


class Runs(Store[Row]):
    """A store of runs; what it remarks is the pattern that they are compared with."""

    def __init__(self, path: str | Path | None = None, *, must_exist: bool = False) -> None:
        super().__init__(RUNS, path, must_exist=must_exist)

    @property
    def baseline(self) -> str | None:
        """The pattern that the last spec to name one compares with."""
        return self.remark

    @property
    def notes(self) -> tuple[str, ...]:
        """What was wrong with the rows, and is no more."""
        if not self.changed:
            return ()
        return (f"{self.path}: {self.changes}; dropped, and computed anew where asked for",)


@contextmanager
def filling(
    store: Runs,
    plan: Plan,
    workers: AbstractContextManager[Pool],
    settled: Callable[[int], None] = lambda _: None,
) -> Iterator[Dispatch[Point, Row]]:
    """Workers that are ready, and a store for what they find.

    Parameters
    ----------
    workers : context manager
        As `simulator.workers.executors.pool_of` gives it.
    settled : callable, optional
        Called with the number of points that have just been settled.
    """
    with workers as pool:
        store.say(plan.baseline)
        if pool.is_local and plan.shared.engine == "fast":
            warm()
        yield Dispatch(partial(evaluate, plan.shared), store, pool, _named, settled)


def _named(row: Row, point: Point) -> Row:
    """The row of a machine that another sweep reached by other keys names these, too."""
    if point.settings.items() <= row.settings.items():
        return row
    return replace(row, settings=row.settings | point.settings)
