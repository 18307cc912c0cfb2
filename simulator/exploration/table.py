"""``Rows -> table``: a column a parameter and a figure, for people, notebooks and files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.exploration.row import Row

if TYPE_CHECKING:
    import pandas as pd

ABOUT = ("hardware", "workload", "pattern", "engine", "accuracy")
FIGURES = (
    "executed_as",
    "time_ns",
    "time_ps",
    "cycles",
    "macs",
    "macs_executed",
    "mac_utilization",
    "bound",
    "dram_bytes",
    "l2_bytes",
    "energy_pj",
    "area_mm2",
    "power_w",
    "throttled",
    "time_error_ratio",
    "dram_error_ratio",
    "error",
)
_TYPES = {
    **dict.fromkeys(("time_ps", "cycles", "macs", "macs_executed"), "Int64"),
    **dict.fromkeys(("dram_bytes", "l2_bytes"), "Int64"),
    **dict.fromkeys(("time_ns", "mac_utilization", "energy_pj", "area_mm2"), "float64"),
    **dict.fromkeys(("power_w", "time_error_ratio", "dram_error_ratio"), "float64"),
    "throttled": "boolean",
}


@dataclass(frozen=True)
class Rows:
    """Rows and how they are shown: what they are, their parameters, their figures, their key."""

    rows: Sequence[Row]

    @property
    def parameters(self) -> list[str]:
        """Every key that some row varies."""
        return sorted({name for row in self.rows for name in row.settings})

    @property
    def columns(self) -> list[str]:
        return [*ABOUT, *self.parameters, *FIGURES, "key"]

    def _column(self, name: str) -> list[Any]:
        """The values of a column; parameters that a row does not set are None."""
        if name == "key":
            return [row.key.hex() for row in self.rows]
        if name in ABOUT or name in FIGURES:
            return [getattr(row, name) for row in self.rows]
        return [row.settings.get(name) for row in self.rows]

    def records(self) -> list[dict[str, Any]]:
        """One mapping a row."""
        columns = self.columns
        values = zip(*(self._column(name) for name in columns), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in values]

    def to_json(self) -> str:
        return json.dumps(self.records(), indent=2, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a point; figures of points that failed are missing."""
        import pandas as pd

        return pd.DataFrame({name: series(name, self._column(name)) for name in self.columns})

    def to_csv(self) -> str:
        text: str = self.to_frame().to_csv(index=False)
        return text


def series(name: str, values: list[Any]) -> pd.Series[Any]:
    """A column whose type does not depend on which rows failed."""
    import pandas as pd

    kind = _TYPES.get(name) or _kind({type(value) for value in values if value is not None})
    if kind is None:
        values = [json.dumps(v) if isinstance(v, list) else v for v in values]
        values = [v if v is None or isinstance(v, str) else str(v) for v in values]
        return pd.Series(values, dtype=object)
    return pd.Series(values, dtype=kind)


def _kind(types: set[type]) -> str | None:
    if types == {bool}:
        return "boolean"
    if types == {int}:
        return "Int64"
    if types and types <= {int, float}:
        return "float64"
    return None
