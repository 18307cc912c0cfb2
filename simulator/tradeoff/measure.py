"""``rows, machine, network -> TradeOff``: the whole path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from simulator.quality.measured import Figure, Measured
from simulator.quantities import count
from simulator.sparsity import parse_pattern
from simulator.tradeoff.front import ESTIMATE, LIKE, Point, measured_point, with_standings
from simulator.tradeoff.groups import (
    Group,
    dense_of,
    figure_name,
    grouped,
    select,
)
from simulator.tradeoff.join import Clock, Networks, check_names, join_note, under, unjoined
from simulator.tradeoff.per_layer import Budget, Mix, method_of, mixed
from simulator.tradeoff.result import TradeOff
from simulator.tradeoff.verdict import RATE
from simulator.workload import Workload


@dataclass(frozen=True)
class Asked:
    """What a trade-off is asked for.

    Attributes
    ----------
    network, task, figure : str, optional
        Needed where the rows hold several networks or tasks; the first figure by default.
    budget : Budget, optional
        Choose a pattern per layer, too.
    method : str, optional
        Of a pattern per layer.
    rate : float
        See `simulator.tradeoff.verdict`.
    parameters : mapping
        Of the traces that rows bring.
    """

    network: str | None = None
    task: str | None = None
    figure: str | None = None
    budget: Budget | None = None
    method: str | None = None
    rate: float = RATE
    parameters: Mapping[str, int] = field(default_factory=dict)


def tradeoff(
    rows: Sequence[Measured],
    clock: Clock,
    model: Workload | None = None,
    asked: Asked | None = None,
    *,
    like: Workload | None = None,
    where: str = "rows",
) -> TradeOff:
    """Join measured quality with simulated time.

    Parameters
    ----------
    rows : sequence of Measured
        Of a store.
    clock : Clock
        The machine.
    model : Workload, optional
        The network whose quality was measured; rows that bring their own trace need none.
    like : Workload, optional
        Another network, to be timed under the same patterns.
    where : str
        What errors call the rows.

    Raises
    ------
    SimulatorError
        With one clear line.
    """
    asked = asked or Asked()
    every = grouped(select(rows, asked.network, asked.task, where))
    figure = figure_name(every, asked.figure)
    dense = dense_of(every, where)
    networks = Networks(model, asked.parameters)
    groups = [dense, *(g for g in every if g is not dense and not g.prunes_one)]
    workloads = [networks.of(group) for group in groups]
    times = [clock.time_ns(workload) for workload in workloads]
    points = [
        measured_point(group, dense, figure, time_ns, times[0])
        for group, time_ns in zip(groups, times, strict=True)
    ]
    stood = with_standings(points, figure)
    first, *others = stood
    mix = None
    if asked.budget is not None:
        method = method_of(every, asked.method, figure)
        mix = mixed(asked.budget, method, every, first, figure, networks, clock)
    alone = len(every) - len(groups)
    notes = [
        join_note(list(zip(workloads, groups, strict=True))),
        f"{count(alone, 'measurement')} of one pruned layer: --per-layer uses them"
        if alone and mix is None
        else None,
        *({note: None for workload in workloads for note in workload.notes}),
    ]
    return TradeOff(
        clock.hardware.name, dense.first.network, dense.first.task, figure,
        (first, *sorted(others, key=lambda point: -point.time_ns)),
        tuple(_like(stood, like, clock)) if like is not None else (),
        like.name if like is not None else "",
        mix, _estimate(mix, first) if mix is not None else None,
        asked.rate, tuple(filter(None, notes)),
    )  # fmt: skip


def _like(points: Sequence[Point], network: Workload, clock: Clock) -> list[Point]:
    """Points of which only the time is another network's; those that it cannot have are left out.

    Layers join by name alone. Of a smaller network, such as one without some channels, there is no
    wider one.
    """
    check_names(network, points[0].group)
    whole = points[0].weights
    alike = [p for p in points if p.weights == whole and not unjoined(network, p.group)]
    dense_ns = clock.time_ns(under(network, {}))
    found = []
    for point in alike:
        time_ns = clock.time_ns(under(network, point.group.patterns))
        found.append(
            replace(point, time_ns=time_ns, speedup=dense_ns / time_ns, standing=LIKE, ties=())
        )
    return found


def _estimate(mix: Mix, dense: Point) -> Point | None:
    """A mix that was not measured, as its costs predict; None of one that is among the points."""
    if mix.measured is not None:
        return None
    sign = 1.0 if dense.figure.higher_is_better else -1.0
    value = Figure(dense.figure.value - sign * mix.drop, 0.0, dense.figure.higher_is_better)
    kept = _nonzeros(mix, dense.group)
    return Point(
        dense.group, f"mixed {mix.method}", "mixed", mix.method, value,
        Figure(mix.drop, 0.0, False), mix.time_ns, dense.time_ns / mix.time_ns,
        kept, dense.weights, ESTIMATE,
    )  # fmt: skip


def _nonzeros(mix: Mix, dense: Group) -> int:
    """Of layers that could be pruned, if every group of a pattern is full."""
    return sum(
        round(layer.weights * parse_pattern(mix.patterns.get(name, "1:1")).density)
        for name, layer in dense.layers.items()
    )
