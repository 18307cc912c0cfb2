"""What follows: is a pattern worth what it costs, on this machine?

The rule is stated, since nobody can know what a point of accuracy is worth to someone else. A
pattern is *worth it* if the share of quality that it costs is at most `RATE` of the share of speed
that it gains: one percent of the quality for ten percent of the speed. That must hold for the cost
and two standard errors more; if it fails for the cost and two standard errors less, it is *not
worth it*; between the two the measurement cannot tell, and the sentence says so. What gains less
than `LEAST_GAIN` is not worth it, whatever it costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulator.names import words
from simulator.quality.measured import Figure
from simulator.quantities import count
from simulator.tradeoff.front import FRONT, TIE, Point
from simulator.tradeoff.groups import WITHIN_ERRORS, is_within_error

RATE = 0.1
LEAST_GAIN = 0.02
SAID = 6
"""Sentences at most."""

NOTHING = "nothing"
WORTH, NOT_WORTH, OPEN = "worth it", "not worth it", "undecided"

SHARES = ("accuracy", "agreement", "top-1", "top1")
"""Figures whose names hold one of these are shares, shown in percent and points."""


def is_share(name: str) -> bool:
    return any(word in name.lower() for word in SHARES)


def value_text(name: str, figure: Figure) -> str:
    """``98.3 %``, or a number of four digits."""
    return f"{100 * figure.value:.1f} %" if is_share(name) else f"{figure.value:.4g}"


def error_text(name: str, figure: Figure) -> str:
    """Two standard errors, as `value_text`."""
    error = WITHIN_ERRORS * figure.error
    return f"{100 * error:.1f}" if is_share(name) else f"{error:.2g}"


def amount_text(name: str, value: float) -> str:
    """Of a difference: ``0.9 points``, or a number."""
    return f"{100 * value:.1f} points" if is_share(name) else f"{value:.2g}"


def verdict(point: Point, dense: Point, rate: float) -> str:
    """One of `WORTH`, `NOT_WORTH`, `OPEN`, by the rule of this module."""
    gain = point.speedup - 1
    if gain < LEAST_GAIN:
        return NOT_WORTH
    allowed = rate * gain * abs(dense.figure.value)
    margin = WITHIN_ERRORS * point.cost.error
    if point.cost.value + margin <= allowed:
        return WORTH
    return NOT_WORTH if point.cost.value - margin > allowed else OPEN


def sentences(
    points: Sequence[Point], dense: Point, figure: str, machine: str, rate: float
) -> Iterable[str]:
    """What is on the front or tied with it, the least gain first; then the others.

    Of methods that take as long under one pattern the best is told.
    """
    standing = [p for p in points if p.standing in (FRONT, TIE) and p is not dense]
    told: dict[tuple[str, float], Point] = {}
    for point in sorted(standing, key=lambda point: (point.cost.value, point.time_ns)):
        told.setdefault((point.pattern, point.time_ns), point)
    if not told:
        yield f"Nothing measured is faster or better than dense on {machine}."
    chosen = sorted(told.values(), key=lambda point: point.speedup)
    for point in chosen[:SAID]:
        yield _sentence(point, dense, figure, machine, rate)
    if len(chosen) > SAID:
        yield f"{len(chosen) - SAID} more that gain more are in the table."
    beaten = len(points) - len(standing) - 1
    if beaten:
        verb = "is" if beaten == 1 else "are"
        yield f"{count(beaten, 'other')} {verb} beaten: something no slower is better."


def _sentence(point: Point, dense: Point, figure: str, machine: str, rate: float) -> str:
    gain = point.speedup - 1
    said = verdict(point, dense, rate)
    is_loss = gain < 0 and _speed(gain) != NOTHING
    speed = f"loses {_speed(-gain)} of speed" if is_loss else f"gains {_speed(gain)}"
    text = f"{point.pattern} by {point.method} {_cost(point.cost, figure)} and {speed}: "
    return f"{text}{said} on {machine}{_because(point, dense, figure, rate, said)}."


def _speed(gain: float) -> str:
    if abs(gain) < LEAST_GAIN / 20:
        return NOTHING
    return f"{gain:.0%}" if gain >= 0.1 else f"{gain:.1%}"


def _cost(cost: Figure, figure: str) -> str:
    amount, error = amount_text(figure, abs(cost.value)), error_text(figure, cost)
    if is_within_error(cost):
        sign = "-" if cost.value < 0 else ""
        return f"costs no {words(figure)} that shows ({sign}{amount} ±{error})"
    verb = "costs" if cost.value > 0 else "wins"
    return f"{verb} {amount} of {words(figure)} (±{error})"


def _because(point: Point, dense: Point, figure: str, rate: float, said: str) -> str:
    gain = point.speedup - 1
    if gain < LEAST_GAIN:
        return f", since less than {100 * LEAST_GAIN:g} % is not enough"
    if said == WORTH:
        return ""
    allowed = amount_text(figure, rate * gain * abs(dense.figure.value))
    return f", where that gain may cost {allowed}"
