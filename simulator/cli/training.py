"""The command `nmsim train`: networks trained under patterns, and the article's claims of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.keeping import StoreFile, files_of, interruptible, say
from simulator.cli.options import Format, Output
from simulator.cli.screen import screen
from simulator.cli.sweeping import Workers
from simulator.errors import ConfigError, OutputError
from simulator.quantities import COLUMN_TIME, Scale, count, times

if TYPE_CHECKING:
    from simulator.cli.grid import Grid
    from simulator.cli.tables import Part
    from simulator.training.paired import Paired, Spread
    from simulator.training.table import RunTable, Summary
    from simulator.training.verdicts import ClaimsResult, Finding


def train(
    recipe: Annotated[
        Path | None,
        typer.Argument(
            metavar="RECIPE",
            help="YAML, such as {task: digits, network: mlp, epochs: 10, seeds: 3, "
            "patterns: [2:4, 1:8], recipes: [dense, finetune, rewind]}.",
        ),
    ] = None,
    store: StoreFile = None,
    workers: Workers = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write every network there as ONNX, too; what is not there yet is trained again.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="RECIPE", help="What others are compared with; default: dense."),
    ] = None,
    simulate: Annotated[
        str | None, typer.Option(metavar="HARDWARE", help="Time every network on this machine.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="With --simulate: samples that run at once.")
    ] = None,
    claims: Annotated[
        Path | None,
        typer.Option(metavar="STORE", help="Put the article's claims to its runs (or a CSV's)."),
    ] = None,
    format: Format = None,
    output: Output = None,
) -> None:  # fmt: skip
    """Train networks under patterns, by recipes that win accuracy back (needs the extra 'train').

    Rows and dense networks are kept in --store and beside it; the same command goes on from there.
    --claims tests what the article says of accuracy on runs that are there.
    """
    if (recipe is None) == (claims is None):
        raise ConfigError("train", "want a RECIPE to train, or --claims of a store, and not both")
    if batch is not None and simulate is None:
        raise ConfigError("--batch", "says how many samples --simulate HARDWARE takes at once")
    if claims is not None:
        only = {"--store": store, "--workers": workers, "--export": export, "--against": against}
        for option, value in only.items():
            if value is not None:
                raise ConfigError(option, "nothing is trained where --claims is asked for")
        _claims(claims, (simulate, batch or 1), format, output)
        return
    assert recipe is not None
    _train(recipe, store, workers, export, (against, simulate, batch or 1), format, output)


def _train(
    recipe: Path,
    store: Path | None,
    workers: int | None,
    export: Path | None,
    shown: tuple[str | None, str | None, int],
    format: str | None,
    output: Path | None,
) -> None:
    """Train, and show what came of it: compared with a recipe, and timed on a machine."""
    from simulator.cli import output as out
    from simulator.cli.tables import render
    from simulator.training.execute import train as execute

    against, simulate, samples = shown
    kind = out.prepare(format, {"-o": output, **files_of("--store", store)}, recipe)
    if export is not None and export.exists() and not export.is_dir():
        raise OutputError(f"--export {export}", "is a file", want="a folder")
    with interruptible(store, "networks") as progress:
        table = execute(
            recipe, store=store, workers=workers, export=export, simulate=simulate,
            samples=samples, against=against, progress=progress,
        )  # fmt: skip
    if kind != "table":
        say(table.notes)
    out.write_result(table, kind, output, lambda: render(_summary(table)))


def _claims(
    path: Path, timed: tuple[str | None, int], format: str | None, output: Path | None
) -> None:
    from simulator.cli import output as out
    from simulator.cli.tables import render
    from simulator.training.claims import claims_of
    from simulator.training.stored import stored_tables

    kind = out.prepare(format, {"-o": output, **files_of("--claims", path)})
    result = claims_of(stored_tables(path, *timed))
    out.write_result(result, kind, output, lambda: render(_findings(result)))


def _summary(table: RunTable) -> Iterator[Part]:
    """What was trained, then a row a recipe and pattern."""
    yield f"{_about(table)}: mean ± standard deviation over seeds"
    if table.against is not None:
        other = f"{table.against} of the same pattern and seed"
        if len(table.patterns_of(table.against)) == 1:
            other = f"{table.against} of the same seed"
        yield f"Δ: difference to {other}, mean ± standard error; in points, and in nats of loss"
    else:
        yield "Δ: nothing to compare with (add the recipe dense)"
    yield from () if screen.quiet else table.notes
    yield ""
    yield _summary_table(table)


def _about(table: RunTable) -> str:
    first = table.runs[0]
    dense = f", dense: {first.dense}" if first.dense else ""
    epochs = count(first.epochs, "epoch")
    seeds = count(len({run.seed for run in table.runs}), "seed")
    return f"{first.task} by {first.network}{dense}, {epochs}, {seeds}"


def _summary_table(table: RunTable) -> Grid:
    """Recipes below each other, pattern by pattern."""
    from simulator.cli.grid import Column, Grid

    rows = table.summary()
    scale = Scale.of((row.time_ns for row in rows if row.time_ns is not None), COLUMN_TIME)
    columns: list[tuple[Column, Callable[[Summary], str]]] = [
        (Column("recipe", "prose"), lambda row: row.recipe),
        (Column("weights %"), lambda row: f"{100 * row.kept_ratio:.1f}"),
        (Column("accuracy %"), lambda row: _spread(row.accuracy, 100, 1)),
        (Column("Δ points"), lambda row: _paired(row.accuracy_difference, 100, 2)),
        (Column("loss"), lambda row: _spread(row.loss, 1, 3)),
        (Column("Δ loss"), lambda row: _paired(row.loss_difference, 1, 3)),
        (Column(f"time {scale.unit.name}", group="time"), lambda row: _time(row.time_ns, scale)),
        (Column("speed-up"), lambda row: "-" if row.speedup is None else times(row.speedup)),
    ]
    shown = columns if any(row.time_ns is not None for row in rows) else columns[:-2]
    made = Grid("", [column for column, _ in shown], drops=("time", "weights %", "loss"))
    for pattern, some in groupby(rows, key=lambda row: row.pattern):
        if made.rows:
            made.add_row(*[""] * len(shown))
        made.add_row(f"at {pattern}", *[""] * (len(shown) - 1))
        for row in some:
            made.add_row(*(cell(row) for _, cell in shown))
    return made


def _spread(spread: Spread, scale: float, decimals: int) -> str:
    """``98.3 ± 0.2``; of a single seed, its value."""
    text = f"{scale * spread.mean:.{decimals}f}"
    return text if spread.deviation is None else f"{text} ± {scale * spread.deviation:.{decimals}f}"


def _paired(paired: Paired | None, scale: float, decimals: int) -> str:
    """``+0.010 ± 0.002``; of a single seed, its difference."""
    if paired is None:
        return "-"
    text = f"{scale * paired.mean:+.{decimals}f}"
    return text if paired.error is None else f"{text} ± {scale * paired.error:.{decimals}f}"


def _time(time_ns: float | None, scale: Scale) -> str:
    return "-" if time_ns is None else scale.text(time_ns)


def _findings(result: ClaimsResult) -> Iterator[Part]:
    """Of every setup each claim: its verdict, its parts, and the answers that they stand on."""
    for number, (table, findings) in enumerate(result.setups):
        if number:
            yield ""
        yield f"{_about(table)}; mean ± standard error of paired differences, 95 % by Student's t"
        for claim, finding in enumerate(findings, 1):
            yield ""
            yield f"{claim}. {finding.claim.text}: {finding.verdict or 'cannot be told'}."
            yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[Part]:
    from simulator.cli.grid import Grid, headings

    if len(finding.parts) > 1:
        parts = [f"{part} - {verdict or 'cannot be told'}" for part, verdict in
                 finding.parts.items()]  # fmt: skip
        word = "Either part is enough" if finding.claim.any_part else "All parts are needed"
        yield f"{word}: {'; '.join(parts)}."
    if finding.missing:
        yield f"Missing: {', '.join(finding.missing)}."
    if not finding.answers:
        return
    titles = ["difference", "95 % from", "to", "seeds"]
    made = Grid(
        "",
        headings(["what", *titles, "verdict"], prose=["what"], word=["verdict"]),
        drops=("seeds",),
    )
    for answer in finding.answers:
        scale, decimals = (100, 2) if answer.question.figure == "accuracy" else (1, 4)
        low, high = (f"{scale * end:+.{decimals}f}" for end in answer.paired.interval)
        told = "" if answer.question.part else " (told)"
        made.add_row(
            answer.question.what,
            _paired(answer.paired, scale, decimals),
            low,
            high,
            str(answer.paired.seeds),
            answer.verdict + told,
        )
    yield made
