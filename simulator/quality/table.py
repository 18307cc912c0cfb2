"""``rows -> tables``: a line a figure of a row, for people, notebooks and files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.described.qualities import MEASURED_LINES
from simulator.quality.measured import Measured
from simulator.sparsity import DENSE

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Final = {
    "network": "string",
    "task": "string",
    "method": "string",
    "pattern": "string",
    "dense": "string",
    "seed": "Int64",
    "figure": "string",
    "value": "float64",
    "error": "float64",
    "nonzeros": "Int64",
    "weights": "Int64",
    "layer": "string",
}
"""And what they hold; ``layer`` is the only one that is pruned, empty where there are more."""


@dataclass(frozen=True)
class MeasuredRows:
    """Measured qualities, and their forms.

    Attributes
    ----------
    rows : tuple of Measured
    """

    rows: tuple[Measured, ...]

    def records(self) -> list[dict[str, Any]]:
        """One mapping a row, with its figures and layers by name."""
        return [_record(row) for row in self.rows]

    def to_json(self) -> str:
        return json.dumps(self.records(), indent=2, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """One line a figure of a row: `COLUMNS`."""
        import pandas as pd

        lines = [line for row in self.rows for line in _lines(row)]
        columns = {
            name: pd.Series([line[name] for line in lines], dtype=kind)
            for name, kind in COLUMNS.items()
        }
        frame = pd.DataFrame(columns)
        frame.attrs = MEASURED_LINES.attrs(columns)
        return frame

    def to_csv(self) -> str:
        text: str = self.to_frame().to_csv(index=False)
        return text


def pruned_layers(row: Measured) -> list[str]:
    """Names of the layers that are not dense."""
    return [name for name, cost in row.layers_of.items() if cost.pattern != str(DENSE)]


def _lines(row: Measured) -> Iterator[dict[str, Any]]:
    pruned = pruned_layers(row)
    layer = pruned[0] if len(pruned) == 1 else ""
    shared = {name: getattr(row, name, None) for name in COLUMNS} | {"layer": layer}
    for name, figure in row.figures_of.items():
        yield shared | {"figure": name, "value": figure.value, "error": figure.error}


def _record(row: Measured) -> dict[str, Any]:
    record = asdict(row) | {"key": row.key.hex()}
    record["figures"] = {name: asdict(figure) for name, figure in row.figures_of.items()}
    record["layers"] = {name: asdict(cost) for name, cost in row.layers_of.items()}
    return record
