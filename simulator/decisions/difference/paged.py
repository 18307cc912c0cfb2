"""What differences pass to their page: what moved, by part and layer, key by key, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from simulator.decisions.difference.changes import LayerChange, RunChange
from simulator.decisions.difference.of_machines import KeyChange, MachinesDifference, text_of
from simulator.decisions.difference.of_reports import ReportsDifference
from simulator.decisions.difference.of_stores import RowChange, StoresDifference
from simulator.decisions.difference.result import Difference, longer
from simulator.errors import OutputError
from simulator.exploration.paged import MOST_POINTS
from simulator.names import capitalised, words
from simulator.pages import AnswerPage, Bars, Column, Section, answer_html
from simulator.quantities import signed, time
from simulator.report.account import CORE_TIME
from simulator.sparsity import asked_name
from simulator.units import PS_PER_NS
from simulator.version import __version__

BEFORE_AFTER: Final = (Column("A", "figure", "time"), Column("B", "figure", "time"))
CHANGE: Final = (
    Column("change", "figure", "time"),
    Column("of A's time", "figure", "change"),
)


def difference_html(told: Difference, commands: Mapping[str, str]) -> str:
    """The page of a difference; ``commands`` are lines for a shell, by what they are for."""
    return answer_html(
        AnswerPage(
            title="What moved from A to B",
            facts=(f"A: {told.before}", f"B: {told.after}"),
            sentences=tuple(told.sentences()),
            sections=tuple(_SECTIONS[type(told)](told)),
            notes=told.notes,
            made_by=f"nmsim {__version__}",
            commands=tuple(commands.items()),
        )
    )


def _of_reports(told: ReportsDifference) -> Iterator[Section]:
    for run in told.runs:
        group = run.name if len(told.runs) > 1 else ""
        yield _parts(run, group)
        yield _layers(run, group)
        yield _traffic(run, group)


def _parts(run: RunChange, group: str) -> Section:
    """Kinds of core-time, whose changes add up to that of the time."""
    before, after = run.average_core_ns
    shown = [kind for kind in CORE_TIME if before[kind] or after[kind]]
    before_ns, after_ns = (ps / PS_PER_NS for ps in run.times_ps)
    return Section(
        title="Where an average core's time goes",
        says=(f"{longer(before_ns, after_ns)}; the changes of the parts add up to that.",),
        columns=(Column("part", "text"), *BEFORE_AFTER, *CHANGE),
        rows=[
            (words(kind), before[kind], after[kind], float(part / PS_PER_NS), run.share(part))
            for kind in shown
            for part in [run.parts_ps[kind]]
        ],
        bars=Bars((3,), kinds=shown),
        group=group,
    )


def _layers(run: RunChange, group: str) -> Section:
    """Those that changed most first; each in the colour of the part that did so."""
    layers = [*run.largest, *(layer for layer in run.layers if not layer.change_ps)]
    return Section(
        title="Layers, with their repeats",
        says=("A bar has the colour of the part that changed most.",),
        columns=(
            Column("layer", "text"),
            *BEFORE_AFTER,
            *CHANGE,
            Column("mostly", "outcome"),
            Column("runs otherwise", "outcome"),
        ),
        rows=[_layer(run, layer) for layer in layers],
        hidden=(5,),
        filters=(5, 6),
        bars=Bars((3,), kinds=[_largest(layer) for layer in layers]),
        details=[tuple(_told(run, layer)) for layer in layers],
        group=group,
    )


def _largest(layer: LayerChange) -> str:
    """The part that changed most."""
    return max(layer.parts_ps, key=lambda kind: abs(layer.parts_ps[kind]))


def _layer(run: RunChange, layer: LayerChange) -> tuple[str | float | None, ...]:
    before_ps, after_ps = layer.times_ps
    return (
        layer.name,
        before_ps / PS_PER_NS if layer.before else None,
        after_ps / PS_PER_NS if layer.after else None,
        layer.change_ps / PS_PER_NS,
        run.share(layer.change_ps),
        words(_largest(layer)) if any(layer.parts_ps.values()) else "nothing",
        _otherwise(layer),
    )


def _otherwise(layer: LayerChange) -> str:
    if layer.only_in:
        return f"only in {layer.only_in}"
    return ", ".join(map(words, layer.otherwise)) or "no"


def _told(run: RunChange, layer: LayerChange) -> Iterator[str]:
    """How it runs otherwise, and its parts, the largest change first."""
    for name, (before, after) in layer.otherwise.items():
        yield f"{capitalised(words(name))}: {words(before)} → {words(after)}."
    for kind, part in sorted(layer.parts_ps.items(), key=lambda item: -abs(item[1])):
        if part:
            change = time(abs(float(part / PS_PER_NS))) + (" longer" if part > 0 else " shorter")
            share = signed(run.share(part))
            yield f"{capitalised(words(kind))}: {change}, {share} of A's time."


def _traffic(run: RunChange, group: str) -> Section:
    """Bytes by level and direction."""
    flows = {flow: pair for flow, pair in run.moved_bytes.items() if any(pair)}
    return Section(
        title="Traffic",
        columns=(
            Column("level", "text"),
            Column("A", "figure", "size"),
            Column("B", "figure", "size"),
            Column("change", "figure", "change"),
        ),
        rows=[
            (f"{words(level)} {way}", *pair, pair[1] / pair[0] - 1 if pair[0] else None)
            for (level, way), pair in flows.items()
        ],
        bars=Bars((3,)),
        group=group,
    )


def _of_machines(told: MachinesDifference) -> Iterator[Section]:
    if told.run is not None:
        yield from _of_reports(told.run)
    if told.keys:
        yield _keys(told.keys)


def _keys(keys: Sequence[KeyChange]) -> Section:
    return Section(
        title="Keys that differ",
        columns=(
            Column("key", "text"),
            Column("A", "text"),
            Column("B", "text"),
            Column("B over A", "figure", "times"),
        ),
        rows=[(one.key, *one.texts, one.ratio) for one in keys],
        details=[()] * len(keys),
    )


def _of_stores(told: StoresDifference) -> Iterator[Section]:
    """Rows that moved first, then those of one store, then all that are as they were."""
    if len(told.rows) > MOST_POINTS:
        want = f"at most {MOST_POINTS}"
        raise OutputError("page", "too many rows", got=len(told.rows), want=want)
    moved = [*told.moved, *told.only_in("A"), *told.only_in("B")]
    known = set(map(id, moved))
    rows = [*moved, *(row for row in told.rows if id(row) not in known)]
    if rows:
        yield Section(
            title="Rows",
            columns=(
                Column("workload", "choice"),
                Column("pattern", "choice"),
                Column("settings", "text"),
                *BEFORE_AFTER,
                Column("change", "figure", "change"),
                Column("which", "outcome"),
                Column("bound", "text"),
            ),
            rows=[_row(row) for row in rows],
            hidden=(6, 7),
            filters=(0, 1, 6),
            bars=Bars((5,)),
            details=[tuple(_failures(row)) for row in rows],
        )


def _row(change: RowChange) -> tuple[str | float | None, ...]:
    row = change.row
    settings = ", ".join(f"{key}={text_of(value)}" for key, value in row.settings.items())
    bounds = dict.fromkeys(
        words(side.bound or "-") for side in (change.before, change.after) if side
    )
    return (
        row.workload,
        asked_name(row.pattern),
        settings,
        *change.times_ns,
        change.change_ratio,
        f"only in {change.only_in}" if change.only_in else "moved" if change.moved else "as it was",
        " → ".join(bounds),
    )


def _failures(change: RowChange) -> Iterator[str]:
    for name, side in (("A", change.before), ("B", change.after)):
        if side is not None and side.error is not None:
            yield f"Failed in {name}: {side.error}"


_SECTIONS: Final[dict[type, Callable[[Any], Iterator[Section]]]] = {
    ReportsDifference: _of_reports,
    MachinesDifference: _of_machines,
    StoresDifference: _of_stores,
}
