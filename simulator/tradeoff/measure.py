"""``rows, machine, network -> TradeOff``: the whole path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from simulator.errors import WorkloadError
from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.quality.measured import Figure, Measured, Qualities
from simulator.quantities import count
from simulator.report.report import Report
from simulator.sparsity import parse_pattern
from simulator.tradeoff.front import BEATEN, ESTIMATE, LIKE, Point, points_of
from simulator.tradeoff.groups import MIXED, Group, Measurements, select
from simulator.tradeoff.join import Clock, Networks, check_names, join_note, unjoined
from simulator.tradeoff.per_layer import Budget, Mix, method_of, mixed
from simulator.tradeoff.result import TradeOff
from simulator.tradeoff.verdict import RATE
from simulator.workload import Workload
from simulator.workload.patterned import under


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
    samples : int
        That run at once, of networks whose rows bring their own trace.
    """

    network: str | None = None
    task: str | None = None
    figure: str | None = None
    budget: Budget | None = None
    method: str | None = None
    rate: float = RATE
    samples: int = 1


def trade_off(
    rows: Sequence[Measured] | str | Path,
    machine: Clock | Hardware | str | Path,
    model: Workload | str | Path | None = None,
    asked: Asked | None = None,
    *,
    like: Workload | str | Path | None = None,
    where: str = "rows",
) -> TradeOff:
    """Join measured quality with simulated time.

    Parameters
    ----------
    rows : sequence of Measured, str or Path
        Of a store, or the store.
    machine : Clock, Hardware, str or Path
        As `load_hardware` takes it; a clock remembers what it has simulated.
    model : Workload, str or Path, optional
        The network whose quality was measured, as `load_workload` takes it; rows that bring their
        own trace need none.
    like : Workload, str or Path, optional
        Another network, to be timed under the same patterns.
    where : str
        What errors call rows that come without a store.

    Raises
    ------
    SimulatorError
        With one clear line.
    """
    if isinstance(rows, str | Path):
        where, rows = str(rows), _rows(rows)
    clock = machine if isinstance(machine, Clock) else Clock(load_hardware(machine))
    model = None if model is None else load_workload(model)
    like = None if like is None else load_workload(like)
    asked = asked or Asked()
    chosen = select(rows, asked.network, asked.task, where)
    if model is not None and all(row.trace is not None for row in chosen):
        hint = "--like times another network"
        raise WorkloadError(model.name, "is not needed: every row brings its trace", hint=hint)
    measured = Measurements.of(chosen, asked.figure, where)
    networks = Networks(model, asked.samples)
    workloads = [networks.of(group) for group in measured.networks]
    clock.expect(workloads)
    first, *others = points_of(measured, [clock.time_ns(workload) for workload in workloads])
    mix = None
    if asked.budget is not None:
        mix = mixed(asked.budget, method_of(measured, asked.method), measured, networks, clock)
    return TradeOff(
        clock.hardware.name, first.group.first.network, first.group.first.task, measured.figure,
        (first, *sorted(others, key=lambda point: -point.time_ns)),
        like=tuple(_like(first, others, like, clock)) if like is not None else (),
        like_name=like.name if like is not None else "",
        mix=mix, mix_point=_estimate(mix, first) if mix is not None else None,
        pruned_ratio=_pruned_ratio(measured, clock.report(workloads[0])),
        rate=asked.rate, notes=tuple(_notes(measured, workloads, mix)),
    )  # fmt: skip


def _rows(path: str | Path) -> list[Measured]:
    with Qualities(path, must_exist=True) as store:
        found = store.rows()
        store.check_whole()
    return found


def _pruned_ratio(measured: Measurements, dense: Report) -> float:
    """Of the dense network's time, what layers take that some network prunes."""
    pruned = {name for group in measured.networks for name in group.pruned}
    times = [(layer.members, layer.time_ns * layer.repeat) for layer in dense.layers]
    whole = sum(time for _, time in times)
    return sum(time for names, time in times if not pruned.isdisjoint(names)) / whole


def _notes(measured: Measurements, workloads: Sequence[Workload], mix: Mix | None) -> Iterator[str]:
    """What did not join, what was left aside, and what reading the networks assumed; each once."""
    warning = join_note(list(zip(workloads, measured.networks, strict=True)))
    if warning is not None:
        yield warning
    alone = len(measured.groups) - len(measured.networks)
    if alone and mix is None:
        yield f"{count(alone, 'measurement')} of one pruned layer: --per-layer uses them"
    yield from dict.fromkeys(note for workload in workloads for note in workload.notes)


def _like(
    dense: Point, others: Sequence[Point], network: Workload, clock: Clock
) -> Iterator[Point]:
    """What is not beaten, with the time of another network, where that can have such patterns.

    Layers join by name alone. Of a smaller network, such as one without some channels, there is no
    wider one.
    """
    check_names(network, dense.group)
    dense_ns = clock.time_ns(under(network, {}))
    for point in others:
        is_alike = point.weights == dense.weights and not unjoined(network, point.group)
        if is_alike and point.standing != BEATEN:
            time_ns = clock.time_ns(under(network, point.group.patterns))
            yield replace(
                point, time_ns=time_ns, speedup=dense_ns / time_ns, standing=LIKE, ties=()
            )


def _estimate(mix: Mix, dense: Point) -> Point | None:
    """A mix that was not measured, as its costs predict; None of one that is among the points."""
    if mix.measured is not None:
        return None
    sign = 1.0 if dense.figure.higher_is_better else -1.0
    value = Figure(dense.figure.value - sign * mix.drop, 0.0, dense.figure.higher_is_better)
    kept = _nonzeros(mix, dense.group)
    return Point(
        dense.group, f"mixed {mix.method}", MIXED, mix.method, value,
        Figure(mix.drop, 0.0, False), mix.time_ns, dense.time_ns / mix.time_ns,
        kept, dense.weights, ESTIMATE,
    )  # fmt: skip


def _nonzeros(mix: Mix, dense: Group) -> int:
    """Of layers that could be pruned, if every group of a pattern is full."""
    return sum(
        round(layer.weights * parse_pattern(mix.patterns.get(name, "1:1")).density)
        for name, layer in dense.layers.items()
    )
