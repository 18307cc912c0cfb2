"""What a trade-off passes to its picture."""

from __future__ import annotations

from collections.abc import Collection
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
    short = short_names({point.method for point in tradeoff.shown})
    return [
        Mark(
            point.name.replace(point.method, short[point.method]), short[point.method],
            point.speedup, point.figure.value,
            WITHIN_ERRORS * point.cost.error, DENSE if point is dense else point.standing,
            point.standing == FRONT,
        )
        for point in tradeoff.shown
    ]  # fmt: skip


def short_names(methods: Collection[str]) -> dict[str, str]:
    """Methods without the parameters that all of one kind share: ``iterative(round=up)``."""
    kinds: dict[str, list[set[str]]] = {}
    for method in methods:
        kind, parameters = _taken_apart(method)
        kinds.setdefault(kind, []).append(set(parameters))
    names = {}
    for method in methods:
        kind, parameters = _taken_apart(method)
        shared = set.intersection(*kinds[kind])
        telling = ", ".join(one for one in parameters if one not in shared)
        names[method] = f"{kind}({telling})" if telling else kind
    return names


def _taken_apart(method: str) -> tuple[str, list[str]]:
    kind, _, parameters = method.removesuffix(")").partition("(")
    return kind, parameters.split(", ") if parameters else []


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
