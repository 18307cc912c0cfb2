"""What `nmsim diff` prints: what moved, and through what; then tables of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from simulator.cli.grid import Column, Grid
from simulator.cli.screen import note_lines
from simulator.cli.tables import Part
from simulator.decisions.difference.changes import LayerChange, RunChange
from simulator.decisions.difference.of_machines import KeyChange, MachinesDifference, text_of
from simulator.decisions.difference.of_reports import ReportsDifference
from simulator.decisions.difference.of_stores import RowChange, StoresDifference
from simulator.decisions.difference.result import Difference
from simulator.names import words
from simulator.quantities import COLUMN_TIME, SIZE, Scale, count, signed, times
from simulator.report.account import CORE_TIME
from simulator.units import PS_PER_NS

MOST_ROWS: Final = 12
"""Layers or points that a table shows unless all are asked for."""
MOST_KEYS: Final = 50
"""Keys, likewise: in the order of the YAML those of libraries, hundreds of them, come last."""
MOST_CHARACTERS: Final = 40
"""Of a key's value, likewise."""


def difference_parts(told: Difference, verbose: bool) -> Iterable[Part]:
    """Sentences, what A and B are, and tables."""
    yield from told.sentences()
    yield f"A: {told.before}"
    yield f"B: {told.after}"
    yield from note_lines(told.notes)
    yield from _TABLES[type(told)](told, verbose)


def _of_reports(told: ReportsDifference, verbose: bool) -> Iterable[Part]:
    for run in told.runs:
        start = f"{run.name}: " if len(told.runs) > 1 else ""
        yield ""
        yield _parts_table(run, start)
        yield ""
        yield _layers_table(run, start, verbose)
        if any(before != after for before, after in run.moved_bytes.values()):
            yield ""
            yield _traffic_table(run, start)


def _parts_table(run: RunChange, start: str) -> Grid:
    """Kinds of core-time, whose changes add up to that of the time."""
    before, after = run.average_core_ns
    rows = {words(kind): (before[kind], after[kind]) for kind in CORE_TIME}
    rows["sum"] = sum(before.values()), sum(after.values())
    scale = Scale.of((time for pair in rows.values() for time in pair), COLUMN_TIME)
    title = f"{start}Where an average core's time goes, {scale.unit.name}"
    columns = [Column("part", "word"), *map(Column, ("A", "B", "change", "of A's time"))]
    made = Grid(title, columns)
    for name, (one, two) in rows.items():
        if one or two:
            share = run.share((two - one) * PS_PER_NS)
            made.add_row(
                name, scale.text(one), scale.text(two), _plus(scale, two - one), signed(share)
            )
    return made


def _layers_table(run: RunChange, start: str, verbose: bool) -> Grid | str:
    """Layers that moved most, and what of them runs otherwise; those left out share a row."""
    largest = run.largest
    same = [layer for layer in run.layers if layer.otherwise and not layer.change_ps]
    rows = [*largest, *same]
    if not rows:
        return f"{start}No layer takes another time, or runs otherwise."
    shown = rows if verbose or len(rows) <= MOST_ROWS + 1 else rows[:MOST_ROWS]
    rest = rows[len(shown) :]
    sums = [[sum(layer.times_ps[at] for layer in rest) for at in (0, 1)]] * bool(rest)
    every = [*(layer.times_ps for layer in shown), *sums]
    scale = Scale.of((ps / PS_PER_NS for pair in every for ps in pair), COLUMN_TIME)
    unit = scale.unit.name
    made = Grid(
        f"{start}Layers that moved, with their repeats",
        [
            Column("layer", "name"),
            Column(f"A {unit}"),
            Column(f"B {unit}"),
            Column(f"change {unit}"),
            Column("of A's time"),
            Column("mostly", "word"),
            Column("otherwise", "prose"),
        ],
        drops=("otherwise", f"A {unit}", f"B {unit}"),
    )
    for layer in shown:
        made.add_row(*_layer_cells(run, layer, scale))
    for before_ps, after_ps in sums:
        name = count(len(rest), "other layer")
        made.add_row(name, *_times_cells(run, before_ps, after_ps, scale), "", "")
    return made


def _layer_cells(run: RunChange, layer: LayerChange, scale: Scale) -> list[str]:
    kind, part = max(layer.parts_ps.items(), key=lambda item: abs(item[1]))
    cells = _times_cells(run, *layer.times_ps, scale)
    if layer.only_in:
        cells["BA".index(layer.only_in)] = "-"
    otherwise = [f"{words(name)} {a} → {b}" for name, (a, b) in layer.otherwise.items()]
    otherwise += [f"only in {layer.only_in}"] * bool(layer.only_in)
    return [layer.name, *cells, words(kind) if part else "-", "; ".join(otherwise)]


def _times_cells(run: RunChange, before_ps: int, after_ps: int, scale: Scale) -> list[str]:
    """Before, after, change, and its share of the run's time."""
    before, after = before_ps / PS_PER_NS, after_ps / PS_PER_NS
    share = run.share(after_ps - before_ps)
    return [scale.text(before), scale.text(after), _plus(scale, after - before), signed(share)]


def _traffic_table(run: RunChange, start: str) -> Grid:
    """Bytes by level and direction."""
    rows = {f"{words(level)} {way}": pair for (level, way), pair in run.moved_bytes.items()}
    scale = Scale.of((size for pair in rows.values() for size in pair), SIZE)
    heads = [Column("level", "word"), Column("A"), Column("B"), Column("change")]
    made = Grid(f"{start}Traffic, {scale.unit.name}", heads)
    for name, (one, two) in rows.items():
        if one or two:
            made.add_row(name, scale.text(one), scale.text(two), _ratio(one, two))
    return made


def _of_machines(told: MachinesDifference, verbose: bool) -> Iterable[Part]:
    if told.keys:
        yield ""
        yield from _keys_table(told.keys, verbose)
    if told.run is not None:
        yield from _of_reports(told.run, verbose)


def _keys_table(keys: Sequence[KeyChange], verbose: bool) -> Iterable[Part]:
    """The first keys, and values on one line each."""
    shown = keys if verbose or len(keys) <= MOST_KEYS + 1 else keys[:MOST_KEYS]
    made = Grid(
        "Keys that differ",
        [Column("key", "name"), Column("A", "prose"), Column("B", "prose"), Column("B over A")],
    )
    for key in shown:
        values = key.texts if verbose else (_brief(key.before), _brief(key.after))
        made.add_row(key.key, *values, "-" if key.ratio is None else times(key.ratio))
    yield made
    if len(shown) < len(keys):
        yield f"and {count(len(keys) - len(shown), 'key')} more (-v shows all)"


def _brief(value: object) -> str:
    """A value, or how many a long list holds."""
    text = text_of(value)
    if isinstance(value, list) and len(text) > MOST_CHARACTERS:
        return count(len(value), "entry", "entries")
    return text


def _of_stores(told: StoresDifference, verbose: bool) -> Iterable[Part]:
    """Rows that moved, those first that moved most; those of one store last."""
    rows = [*told.moved, *told.only_in("A"), *told.only_in("B")]
    if not rows:
        return
    shown = rows if verbose else rows[:MOST_ROWS]
    scale = Scale.of((time for row in shown for time in row.times_ns if time), COLUMN_TIME)
    unit = scale.unit.name
    made = Grid(
        "Rows that moved, or are only in one",
        [
            Column("workload", "name"),
            Column("pattern", "word"),
            Column("settings", "prose"),
            Column(f"A {unit}"),
            Column(f"B {unit}"),
            Column("change"),
            Column("bound", "word"),
        ],
        drops=("bound",),
    )
    for row in shown:
        made.add_row(*_row_cells(row, scale))
    yield ""
    yield made
    if len(shown) < len(rows):
        yield f"and {count(len(rows) - len(shown), 'row')} more (-v shows all)"


def _row_cells(change: RowChange, scale: Scale) -> list[str]:
    row = change.row
    settings = ", ".join(f"{key}={text_of(value)}" for key, value in row.settings.items())
    sides = [
        "-" if side is None else "failed" if time_ns is None else scale.text(time_ns)
        for side, time_ns in zip((change.before, change.after), change.times_ns, strict=True)
    ]
    bounds = dict.fromkeys(side.bound for side in (change.before, change.after) if side)
    moved = "-" if change.change_ratio is None else signed(change.change_ratio)
    bound = " → ".join(bound or "-" for bound in bounds)
    return [row.workload, row.pattern or "trace", settings or "-", *sides, moved, bound]


_TABLES: Final[dict[type, Callable[[Any, bool], Iterable[Part]]]] = {
    ReportsDifference: _of_reports,
    MachinesDifference: _of_machines,
    StoresDifference: _of_stores,
}


def _plus(scale: Scale, change: float) -> str:
    """A change, with its sign where it shows."""
    text = scale.text(abs(change))
    if not change or text.startswith("<"):
        return text
    return f"{'+' if change > 0 else '-'}{text}"


def _ratio(before: float, after: float) -> str:
    """By how much something changed; ``new`` where there was nothing."""
    if before == after:
        return signed(0)
    return signed(after / before - 1) if before else "new"
