"""What a trade-off passes to its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.names import words
from simulator.pictures.fronts import Mark, Words
from simulator.quantities import time
from simulator.tradeoff.front import DENSE, FRONT
from simulator.tradeoff.groups import WITHIN_ERRORS
from simulator.tradeoff.verdict import is_share

if TYPE_CHECKING:
    from simulator.tradeoff.result import TradeOff


def marks_of(tradeoff: TradeOff) -> list[Mark]:
    """All points; bars are of their difference to dense, as long as what is taken for an error."""
    dense = tradeoff.dense
    return [
        Mark(
            point.name, point.method, point.speedup, point.figure.value,
            WITHIN_ERRORS * point.cost.error, DENSE if point is dense else point.standing,
            point.standing == FRONT,
        )
        for point in tradeoff.shown
    ]  # fmt: skip


def words_of(tradeoff: TradeOff) -> Words:
    unit = ", %" if is_share(tradeoff.figure) else ""
    like = next(iter(tradeoff.like), None)
    of_like = f"\n({time(like.time_ns * like.speedup)} dense)" if like is not None else ""
    return Words(
        tradeoff.title,
        f"speed-up over dense ({time(tradeoff.dense.time_ns)}), ratio",
        words(tradeoff.figure) + unit,
        f"{WITHIN_ERRORS:g} standard errors of the\ndifference to dense",
        f"times of {tradeoff.like_name}{of_like}",
    )
