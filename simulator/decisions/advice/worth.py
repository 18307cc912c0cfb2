"""What patterns cost in measured quality beside what they gain, by the rule of a trade-off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simulator.hardware import Hardware
from simulator.names import words
from simulator.quality.measured import Measured
from simulator.sparsity import parse_pattern
from simulator.tradeoff.front import Point
from simulator.tradeoff.join import Clock
from simulator.tradeoff.measure import trade_off
from simulator.tradeoff.result import TradeOff
from simulator.tradeoff.verdict import NOT_WORTH, OPEN, WORTH, amount_text, error_text, verdict
from simulator.workload import Workload

Store = Sequence[Measured] | str | Path

UNKNOWN: Final = "not measured"
ORDER: Final = (WORTH, OPEN, NOT_WORTH)


@dataclass(frozen=True)
class Worth:
    """What one pattern costs, and whether that is worth it.

    Attributes
    ----------
    verdict : str
        Of `simulator.tradeoff.verdict`, or `UNKNOWN`.
    text : str
        A clause: what it costs, and by which method.
    layers : frozenset of str
        Names of the layers that had the pattern where that was measured.
    """

    verdict: str
    text: str
    layers: frozenset[str] = frozenset()

    @property
    def is_worth_it(self) -> bool:
        return self.verdict == WORTH


def worth_of(
    store: Store, hardware: Hardware, network: Workload, patterns: Sequence[str], accuracy: str
) -> tuple[dict[str, Worth], tuple[str, ...]]:
    """Of every pattern, the best of its methods; and what a reader of that should know.

    Raises
    ------
    SimulatorError
        If the store cannot be read, has no rows, or is of another network.
    """
    result = trade_off(store, Clock(hardware, accuracy), network)
    return {pattern: _worth(result, pattern) for pattern in patterns}, result.notes


def _worth(result: TradeOff, pattern: str) -> Worth:
    """Of the rows that have the pattern in all layers that they prune."""
    asked = parse_pattern(pattern)
    points = [
        (ORDER.index(verdict(point, result.dense, result.rate)), point.cost.value, at, point)
        for at, point in enumerate(result.points)
        if point.group.is_uniform and parse_pattern(point.pattern) == asked
    ]
    if not points:
        return Worth(UNKNOWN, f"no quality was measured for {pattern}")
    rank, _, _, best = min(points)
    return Worth(ORDER[rank], _text(result, best), frozenset(best.group.pruned))


def _text(result: TradeOff, point: Point) -> str:
    figure, cost = result.figure, point.cost
    verb = "costs" if cost.value >= 0 else "wins"
    amount = amount_text(figure, abs(cost.value))
    return f"{verb} {amount} of {words(figure)} (±{error_text(figure, cost)}) by {point.method}"
