"""What `nmsim tradeoff` prints: what follows, every point, and the layers of a mix."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from simulator.cli.grid import Column, Grid
from simulator.cli.screen import WARNING, note_lines, screen
from simulator.cli.tables import Part
from simulator.names import words
from simulator.quantities import COLUMN_TIME, Scale, percent, time, times
from simulator.tradeoff.front import ESTIMATE, LIKE, TIE, Point
from simulator.tradeoff.groups import WITHIN_ERRORS
from simulator.tradeoff.per_layer import Mix
from simulator.tradeoff.result import TradeOff
from simulator.tradeoff.verdict import (
    LEAST_GAIN,
    amount_text,
    error_text,
    is_share,
    value_text,
)


@dataclass(frozen=True)
class MeasuredBy:
    """The files of a command line, for whoever is to measure a mix."""

    model: str | None
    quality: Path
    mix: Path | None

    def command(self, method: str, task: str) -> str:
        """Its quality into the same store."""
        words = ["nmsim", "quality", self.model or "MODEL", "--mix", str(self.mix or "mixed.csv")]
        words += ["--methods", method, "--measure", task, "--store", str(self.quality)]
        return shlex.join(words)


def tradeoff_parts(result: TradeOff, how: MeasuredBy) -> Iterable[Part]:
    """Warnings, the sentences and the rule behind them, a mix, and a row a point."""
    notes = note_lines(result.notes)
    yield f"{result.title}, {words(result.figure)}"
    yield from (note for note in notes if note.startswith(WARNING))
    yield from result.sentences()
    yield (
        f"Worth it: each 1 % of speed may cost {result.rate:g} % of {words(result.figure)}, "
        f"{WITHIN_ERRORS:g} standard errors included; less than {100 * LEAST_GAIN:g} % of speed is "
        f"worth nothing. ±: {WITHIN_ERRORS:g} standard errors."
    )
    if result.mix is not None:
        yield ""
        yield from _mix_parts(result, result.mix, how)
    yield ""
    yield _points_table(result)
    if result.mix is not None:
        yield ""
        yield _layers_table(result, result.mix)
    yield from (note for note in notes if not note.startswith(WARNING))


def _points_table(result: TradeOff) -> Grid:
    """Every point: those of the front first."""
    shown = result.shown
    scale = Scale.of((point.time_ns for point in shown), COLUMN_TIME)
    points = " points" if is_share(result.figure) else ""
    drops = ["seeds", "kept", "dense layers", "±", "verdict"]
    made = Grid(
        "",
        [
            Column("pattern", "word"),
            Column("method", "name"),
            Column("dense layers", "name"),
            Column("seeds"),
            Column("kept"),
            Column(f"time {scale.unit.name}"),
            Column("speed-up"),
            Column(words(result.figure)),
            Column("±"),
            Column(f"cost{points}"),
            Column("± ", group="±"),
            Column("standing", "prose"),
            Column("verdict", "word"),
        ],
        drops=drops,
    )
    for point in shown:
        made.add_row(*_cells(result, point, scale))
    return _without_empty(made, ("dense layers", "seeds", "verdict"))


def _without_empty(made: Grid, titles: Iterable[str]) -> Grid:
    """Columns in which no row has anything are left out."""
    empty = {
        at
        for at, column in enumerate(made.columns)
        if column.title in titles and not any(row[at] for row in made.rows)
    }
    kept = [at for at in range(len(made.columns)) if at not in empty]
    rows = [[row[at] for at in kept] for row in made.rows]
    return Grid(made.title, [made.columns[at] for at in kept], made.drops, rows)


def _cells(result: TradeOff, point: Point, scale: Scale) -> list[str]:
    figure = result.figure
    is_out = point.standing in (ESTIMATE, LIKE)
    is_dense = point.group is result.dense.group and not is_out
    is_known = not is_dense and point.standing != ESTIMATE
    cost = "0" if is_dense else amount_text(figure, point.cost.value).removesuffix(" points")
    return [
        point.pattern,
        point.method,
        point.group.first.dense,
        str(len(point.group.seeds) or ""),
        percent(point.nonzeros / max(1, result.dense.weights)),
        scale.text(point.time_ns),
        times(point.speedup),
        value_text(figure, point.figure),
        "-" if point.standing == ESTIMATE else error_text(figure, point.figure),
        cost,
        error_text(figure, point.cost) if is_known else "-",
        _standing(result, point),
        result.verdict(point),
    ]


def _standing(result: TradeOff, point: Point) -> str:
    if point.standing == LIKE:
        return f"time of {result.like_name}"
    if not point.ties:
        return point.standing
    tied = f"tied with {' and '.join(point.ties[:2])}"
    tied += f" and {len(point.ties) - 2} more" if len(point.ties) > 2 else ""
    return tied if point.standing == TIE else f"{point.standing}, {tied}"


def _mix_parts(result: TradeOff, mix: Mix, how: MeasuredBy) -> Iterable[Part]:
    """How many layers run as what, what that gives, how sure that is, and each layer."""
    layers = ", ".join(f"{number} of {pattern}" for pattern, number in mix.counts.items())
    dense = result.dense
    yield (
        f"Per layer, {mix.budget} of dense, {mix.method}: {layers}; {time(mix.time_ns)}, "
        f"{times(dense.time_ns / mix.time_ns)} dense."
    )
    predicted = amount_text(result.figure, mix.drop)
    if mix.measured is not None:
        known = mix.measured.figure(result.figure)
        yield (
            f"Measured: {value_text(result.figure, known)} ±{error_text(result.figure, known)} of "
            f"{words(result.figure)}; predicted was {predicted} less than dense "
            f"({mix.origin})."
        )
    else:
        yield f"Predicted: {predicted} less {words(result.figure)} than dense ({mix.origin})."
        if how.mix is not None or not screen.quiet:
            yield f"To measure it: {how.command(mix.method, result.task)}"


def _layers_table(result: TradeOff, mix: Mix) -> Grid:
    """What each layer runs as, what that gains, and what it costs."""
    options = [option for pair in mix.layers.values() for option in pair]
    scale = Scale.of((option.time_ns for option in options), COLUMN_TIME)
    points = " points" if is_share(result.figure) else ""
    made = Grid(
        "Per layer",
        [
            Column("layer", "name"),
            Column("pattern", "word"),
            Column(f"time {scale.unit.name}"),
            Column(f"dense {scale.unit.name}"),
            Column("speed-up"),
            Column(f"cost{points}"),
        ],
    )
    for name, (option, dense) in mix.layers.items():
        speedup = times(dense.time_ns / option.time_ns)
        texts = scale.text(option.time_ns), scale.text(dense.time_ns), speedup
        made.add_row(name, option.pattern, *texts, f"{option.cost * (100 if points else 1):.2g}")
    return made
