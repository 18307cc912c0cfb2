"""What a trade-off passes to its page: its points, as columns and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.names import words
from simulator.pages import Column, PointsPage, points_html
from simulator.quantities import count
from simulator.tradeoff.front import BEATEN, ESTIMATE, FRONT, LIKE, TIE
from simulator.tradeoff.groups import WITHIN_ERRORS
from simulator.tradeoff.verdict import is_share
from simulator.version import __version__

if TYPE_CHECKING:
    from simulator.tradeoff.result import TradeOff

COLUMNS: Final = {
    "network": Column("network", "choice"),
    "method": Column("method", "choice"),
    "pattern": Column("pattern", "choice"),
    "dense_layers": Column("dense layers", "choice"),
    "value": Column("value", "figure"),
    "speedup": Column("speed-up", "figure", "times", is_good=True),
    "time_ns": Column("time", "figure", "time"),
    "cost": Column("cost", "figure"),
    "cost_error": Column("standard error of it", "figure"),
    "nonzeros": Column("non-zero weights", "figure"),
    "standing": Column("standing", "outcome"),
    "verdict": Column("verdict", "outcome"),
    "ties": Column("ties with", "text"),
}
"""Of the records of a trade-off those that a page has, by name; ``value`` is its figure."""

PLACES: Final = {
    FRONT: "On the front",
    TIE: "As good as the front, within errors",
    BEATEN: "Beaten by another point",
    ESTIMATE: "Not compared: its quality is estimated",
    LIKE: "Not compared: its time is another network's",
}
"""What the page says of a chosen point by its standing."""


def tradeoff_html(tradeoff: TradeOff) -> str:
    """The page of a trade-off: its figure over the speed-up, with its own front and errors."""
    records = [{name: _told(one[name]) for name in COLUMNS} for one in tradeoff.records()]
    names = [name for name in COLUMNS if any(one[name] is not None for one in records)]
    unit = "ratio" if is_share(tradeoff.figure) else ""
    is_good = tradeoff.dense.figure.higher_is_better
    columns = COLUMNS | {
        "value": Column(words(tradeoff.figure), "figure", unit, is_good),
        "cost": Column(f"cost in {words(tradeoff.figure)}", "figure", unit),
        "cost_error": Column("standard error of it", "figure", unit),
    }
    return points_html(
        PointsPage(
            title=tradeoff.title,
            facts=(count(len(records), "point"), tradeoff.hardware),
            columns=tuple(columns[name] for name in names),
            rows=[[record[name] for name in names] for record in records],
            apart=names.index("method"),
            groups=names.index("network"),
            x=names.index("speedup"),
            y=names.index("value"),
            sentences=tuple(tradeoff.sentences()),
            notes=tradeoff.notes,
            made_by=f"nmsim {__version__}",
            best=tuple(at for at, one in enumerate(records) if one["standing"] == FRONT),
            places=tuple(PLACES[one["standing"]] for one in records),
            errors=tuple(WITHIN_ERRORS * record["cost_error"] for record in records),
        )
    )


def _told(value: Any) -> Any:
    """None for a text that says nothing."""
    return None if value == "" else value
