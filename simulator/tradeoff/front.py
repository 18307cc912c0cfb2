"""Which groups are worth choosing from: quality against time, each with its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulator.quality.measured import Figure
from simulator.tradeoff.groups import Group, Measurements, cost, is_within_error

FRONT, TIE, BEATEN = "front", "tie", "beaten"
DENSE, ESTIMATE, LIKE = "dense", "estimate", "like"


@dataclass(frozen=True)
class Point:
    """A network under patterns: what it gets right and how long it takes.

    Attributes
    ----------
    group : Group
        Whose quality it is; of an estimate, of the dense network.
    name, pattern, method : str
    figure, cost : Figure
        And by how much that is worse than the dense network's; errors are standard errors.
    time_ns, speedup : float
        Device time, and that of the dense network over it.
    nonzeros, weights : int
        Of layers that could be pruned.
    standing : str
        `FRONT`: no other is as fast and as good; `TIE`: those that are lead by less than their
        errors explain; `BEATEN`; `ESTIMATE`: its quality was not measured; `LIKE`: its time is that
        of another network. The last two take no part in the front.
    ties : tuple of str
        Names of points of the front that it cannot be told from in quality.
    """

    group: Group
    name: str
    pattern: str
    method: str
    figure: Figure
    cost: Figure
    time_ns: float
    speedup: float
    nonzeros: int
    weights: int
    standing: str
    ties: tuple[str, ...] = ()


def points_of(measured: Measurements, times_ns: Sequence[float]) -> list[Point]:
    """A point a network, each with its standing among all.

    Parameters
    ----------
    times_ns : sequence of float
        Of `Measurements.networks`, in their order: the dense one first.
    """
    points = [
        Point(
            group, group.name, group.pattern, group.method, group.figure(measured.figure),
            measured.cost(group), time_ns, times_ns[0] / time_ns,
            group.first.nonzeros, group.first.weights, BEATEN,
        )
        for group, time_ns in zip(measured.networks, times_ns, strict=True)
    ]  # fmt: skip
    return with_standings(points, measured.figure)


def with_standings(points: Sequence[Point], figure: str) -> list[Point]:
    """Each point with its standing among all and whom it ties with."""
    stood = [replace(point, standing=_standing(point, points, figure)) for point in points]
    front = [point for point in stood if point.standing == FRONT]
    return [replace(point, ties=_ties(point, front, figure)) for point in stood]


def _standing(point: Point, points: Sequence[Point], figure: str) -> str:
    better = [other for other in points if _dominates(other, point)]
    if not better:
        return FRONT
    leads = [cost(other.group, point.group, figure) for other in better]
    return TIE if all(map(is_within_error, leads)) else BEATEN


def _dominates(one: Point, other: Point) -> bool:
    """No slower, no worse, and not equal in both."""
    sign = 1.0 if one.figure.higher_is_better else -1.0
    lead = sign * (one.figure.value - other.figure.value)
    gain = other.time_ns - one.time_ns
    return lead >= 0 and gain >= 0 and (lead > 0 or gain > 0)


def _ties(point: Point, front: Sequence[Point], figure: str) -> tuple[str, ...]:
    if point.standing == BEATEN:
        return ()
    others = (other for other in front if other.group is not point.group)
    same = (o for o in others if is_within_error(cost(o.group, point.group, figure)))
    return tuple(other.name for other in same)
