"""Two stores of runs: which moved, and which are only in one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simulator.decisions.difference.changes import numbered
from simulator.decisions.difference.result import Difference, listed, longer, moved, some
from simulator.described.decisions import STORES
from simulator.quantities import count
from simulator.sparsity import asked_name

if TYPE_CHECKING:
    from simulator.exploration.row import Row


@dataclass(frozen=True)
class RowChange:
    """A point that both stores have, or one of them."""

    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        """What says which point it is."""
        found = self.before or self.after
        assert found is not None
        return found

    @property
    def name(self) -> str:
        """Workload, pattern and settings; machine and stack are rarely what tells points apart."""
        row = self.row
        settings = [f"{key}={value}" for key, value in row.settings.items()]
        return " ".join([row.workload, asked_name(row.pattern), *settings])

    @property
    def times_ns(self) -> tuple[float | None, float | None]:
        """Before and after; None where the point is not there, or failed."""
        before, after = self.before, self.after
        return before.time_ns if before else None, after.time_ns if after else None

    @property
    def only_in(self) -> str:
        """``A`` or ``B``; empty: it is in both."""
        return "B" if self.before is None else "A" if self.after is None else ""

    @property
    def moved(self) -> float:
        """As `simulator.decisions.difference.moved`, of its time."""
        return moved(*self.times_ns)

    @property
    def change_ratio(self) -> float | None:
        """Known where it ran in both."""
        before_ns, after_ns = self.times_ns
        return after_ns / before_ns - 1 if before_ns and after_ns else None


@dataclass(frozen=True)
class StoresDifference(Difference):
    """Rows of two stores, matched by what they are."""

    described = STORES
    rows: tuple[RowChange, ...]

    @cached_property
    def moved(self) -> list[RowChange]:
        """Rows of both whose time is another, those first that moved most."""
        both = [row for row in self.rows if not row.only_in and row.moved]
        return sorted(both, key=lambda row: -row.moved)

    def only_in(self, side: str) -> list[RowChange]:
        return [row for row in self.rows if row.only_in == side]

    def sentences(self) -> Iterable[str]:
        both = len(self.rows) - len(self.only_in("A")) - len(self.only_in("B"))
        if not both:
            yield "No row is in both."
        elif not self.moved:
            yield f"Of {count(both, 'row')} in both, none takes another time."
        else:
            verb = "takes" if len(self.moved) == 1 else "take"
            text = f"Of {count(both, 'row')} in both, {len(self.moved)} {verb} another time"
            yield f"{text}; most of all {self.moved[0].name}: {_said(self.moved[0])}."
        for side in "AB":
            if only := [row.name for row in self.only_in(side)]:
                yield f"Only in {side}: {count(len(only), 'row')}: {some(only)}."

    def beyond(self, tolerance: float) -> list[str]:
        found = [f"{row.name} ({_said(row)})" for row in self.moved if row.moved > tolerance]
        only = [row for side in "AB" for row in self.only_in(side)]
        return found + [f"{row.name} (only in {row.only_in})" for row in only]

    def records(self) -> list[dict[str, Any]]:
        """A row a point."""
        return [_record(row) for row in self.rows]


def stores_difference(
    names: tuple[str, str], before: Sequence[Row], after: Sequence[Row]
) -> StoresDifference:
    """Rows of equal settings, workload, stack, pattern, engine and accuracy are one point.

    Of several machines in one store, so are those of one machine.
    """
    several = max(len({row.hardware for row in rows}) for rows in (before, after)) > 1
    first, second = (
        numbered(rows, lambda row: _identity(row, with_machine=several)) for rows in (before, after)
    )
    rows = tuple(RowChange(first.get(key), second.get(key)) for key in first | second)
    return StoresDifference(*names, _notes(before, after, several), rows)


def _notes(before: Sequence[Row], after: Sequence[Row], several: bool) -> tuple[str, ...]:
    """That rows of two machines are compared."""
    machines = [rows[0].hardware for rows in (before, after)]
    if several or machines[0] == machines[1]:
        return ()
    return (f"hardware: {machines[0]} in A, {machines[1]} in B",)


def _identity(row: Row, *, with_machine: bool) -> str:
    """What says which point a row is."""
    about = [row.workload, row.stack, row.pattern, row.engine, row.accuracy, row.settings]
    return json.dumps([*about, row.hardware if with_machine else None], sort_keys=True, default=str)


def _said(row: RowChange) -> str:
    """How the time of a row of both moved."""
    before_ns, after_ns = row.times_ns
    if before_ns and after_ns:
        return longer(before_ns, after_ns)
    failed = [side for side, time_ns in zip("AB", row.times_ns, strict=True) if time_ns is None]
    return f"failed in {listed(failed)}"


def _record(change: RowChange) -> dict[str, Any]:
    row, (before_ns, after_ns) = change.row, change.times_ns
    record: dict[str, Any] = {
        "workload": row.workload,
        "stack": row.stack,
        "pattern": asked_name(row.pattern),
        "engine": row.engine,
        "accuracy": row.accuracy,
        "settings": json.dumps(row.settings, ensure_ascii=False),
        "only_in": change.only_in or None,
        "time_a_ns": before_ns,
        "time_b_ns": after_ns,
        "change_ratio": change.change_ratio,
    }
    for name in ("hardware", "bound", "executed_as", "energy_pj", "dram_bytes", "error"):
        record[f"{name}_a"] = getattr(change.before, name, None)
        record[f"{name}_b"] = getattr(change.after, name, None)
    return record
