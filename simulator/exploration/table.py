"""``Rows -> table``: a column a parameter and a figure, for people, notebooks and files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from simulator.described import Described, Table
from simulator.described.sweeps import FRONT
from simulator.errors import SpecError, did_you_mean
from simulator.exploration.row import Row
from simulator.hardware import Hardware
from simulator.hardware.schema import description_at
from simulator.report.total import SHOWN
from simulator.sparsity import DENSE, TRACE, asked_name, parse_asked, parse_pattern

if TYPE_CHECKING:
    import pandas as pd

ABOUT = ("hardware", "workload", "stack", "pattern", "engine", "accuracy")
FIGURES = (*(figure.name for figure in SHOWN), "error")
_KIND_OF = {int: "Int64", float: "float64", bool: "boolean", str: "string"}
_TYPES = {
    **dict.fromkeys((*ABOUT, "error", "key", "idle"), "string"),
    **{figure.name: _KIND_OF[figure.kind] for figure in SHOWN},
    "ties": "Int64",
}


@dataclass(frozen=True)
class Rows:
    """Rows and how they are shown: what they are, their parameters, their figures, their key.

    Attributes
    ----------
    rows : sequence of Row
    baseline_ps : mapping
        Device time of the pattern that speed-ups are over, by setup.
    more : mapping
        Columns besides those of every table, such as ``idle``.
    """

    rows: Sequence[Row]
    baseline_ps: Mapping[bytes, int] = field(default_factory=dict)
    more: Mapping[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def over(cls, baseline: str | None, rows: Sequence[Row]) -> Rows:
        """All rows, with speed-ups over a pattern (None: as the trace says)."""
        times = {
            row.setup: row.time_ps
            for row in rows
            if row.pattern == baseline and row.time_ps is not None
        }
        return cls(rows, times)

    @classmethod
    def of_store(cls, rows: Sequence[Row], named: str | None) -> Rows:
        """All rows of a store, which compares with what its last spec named, or with dense."""
        patterns = {row.pattern for row in rows}
        known = named if named in {asked_name(pattern) for pattern in patterns} else None
        return cls.over(baseline_of(sorted(patterns, key=_densest), known), rows)

    def of_patterns(self, asked: Sequence[str]) -> Rows:
        """Only rows of some patterns; all, if none is named.

        Raises
        ------
        SpecError
            If no row has such a pattern.
        ConfigError
            If it is none.
        """
        if not asked:
            return self
        where, there = "--pattern", {asked_name(row.pattern) for row in self.rows}
        named = [parse_asked(name, where) for text in asked for name in text.split(",")]
        wanted = {asked_name(pattern) for pattern in named}
        for pattern in wanted - there:
            hint = did_you_mean(pattern, there) if there else None
            raise SpecError(where, "no row has it", got=pattern, hint=hint)
        return replace(self, rows=[row for row in self.rows if asked_name(row.pattern) in wanted])

    @property
    def parameters(self) -> list[str]:
        """Every key that some row varies."""
        return sorted({name for row in self.rows for name in row.settings})

    def columns(self) -> dict[str, list[Any]]:
        """Values of one type by column; None where a row has none."""
        names = [*ABOUT, *self.parameters, *FIGURES, *self.more, "key"]
        return {name: typed(name, self._column(name)) for name in names}

    def _column(self, name: str) -> list[Any]:
        if name == "key":
            return [row.key.hex() for row in self.rows]
        if name in self.more:
            return self.more[name]
        if name == "speedup":
            return [self._speedup(row) for row in self.rows]
        if name in ABOUT or name in FIGURES:
            return [getattr(row, name) for row in self.rows]
        return [row.settings.get(name) for row in self.rows]

    def _speedup(self, row: Row) -> float | None:
        baseline_ps = self.baseline_ps.get(row.setup)
        return baseline_ps / row.time_ps if baseline_ps and row.time_ps else None

    def records(self) -> list[dict[str, Any]]:
        """One mapping a row, each with every column."""
        return records_of(self.columns())

    def to_json(self) -> str:
        return json.dumps(self.records(), indent=2, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a point; figures of points that failed are missing."""
        return frame_of(self.columns(), FRONT)

    def to_csv(self) -> str:
        text: str = self.to_frame().to_csv(index=False)
        return text

    def to_html(self, title: str, notes: Sequence[str] = ()) -> str:
        """A page with the points, their fronts and filters, as the text of one HTML file.

        Raises
        ------
        OutputError
            If no point has figures, or there are too many for a page.
        """
        from simulator.exploration.paged import rows_html

        return rows_html(self, title, notes)


def baseline_of(patterns: Sequence[str | None], named: str | None) -> str | None:
    """The pattern that speed-ups are over: the one named, else dense, else the first.

    ``trace`` names None, which is a pattern of rows: as the trace says.
    """
    if named is not None:
        return None if named == TRACE else named
    return str(DENSE) if str(DENSE) in patterns else next(iter(patterns), None)


def _densest(pattern: str | None) -> tuple[float, str]:
    """In order of their density; what the trace says comes first."""
    if pattern is None:
        return -math.inf, ""
    return -float(parse_pattern(pattern).density), pattern


def records_of(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """One mapping a row."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def frame_of(columns: Mapping[str, list[Any]], described: Table) -> pd.DataFrame:
    """Columns that `typed` made, as a table; those that were varied are keys of the machine."""
    import pandas as pd

    frame = pd.DataFrame({name: series(name, column) for name, column in columns.items()})
    frame.attrs = described.attrs(columns, _key_of_machine)
    return frame


def _key_of_machine(name: str) -> Described | None:
    text = description_at(Hardware, tuple(name.split(".")))
    return Described(name, "", text) if text else None


def series(name: str, values: list[Any]) -> pd.Series[Any]:
    """A column whose type does not depend on which rows failed."""
    import pandas as pd

    return pd.Series(values, dtype=_kind_of(name, values))


def typed(name: str, values: list[Any]) -> list[Any]:
    """Values of one type, whatever a parameter was set to; None stays None."""
    convert = _PYTHON[_kind_of(name, values)]
    return [None if value is None else convert(value) for value in values]


def _kind_of(name: str, values: list[Any]) -> str:
    """What a column holds: by its name, or the narrowest that holds all values."""
    if name in _TYPES:
        return _TYPES[name]
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "Int64" if all(v is None or _fits(v) for v in values) else "string"
    if kinds and kinds <= {int, float} and all(v is None or _fits(v) for v in values):
        return "float64"
    return "string"


def _fits(number: float) -> bool:
    return abs(number) < 2**63 if isinstance(number, int) else math.isfinite(number)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_PYTHON: dict[str, Any] = {"boolean": bool, "Int64": int, "float64": float, "string": _as_text}
