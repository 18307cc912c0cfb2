"""The commands `nmsim validate` and `microbench`: how far is the model from measurements?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.options import Format, HardwareName, Html, Output, Settings, settings_of

if TYPE_CHECKING:
    from simulator.cli.output import Result
    from simulator.pictures import Picture
    from simulator.validation import Validation


def validate(
    context: typer.Context,
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATASET]...",
            help="Such as decisions, networks or sparse24; default: all of them.",
        ),
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Print every row, its mapping and what bounds it, too.")
    ] = False,
    worst: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Print the N worst rows of all, too.")
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Print errors by family, and what was fitted to what, too."
        ),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw predicted against measured: PNG, SVG or PDF."),
    ] = None,
    html: Html = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """How far is the model from published measurements?"""
    from simulator.cli import output as out
    from simulator.cli.progress import layers_bar
    from simulator.validation import validate as run_validation

    kind = out.prepare(format, {"-o": output, "--plot": plot, "--html": html})
    with layers_bar() as progress:
        results = run_validation(datasets or [], progress)

    def page() -> str:
        from simulator.cli.reproducing import again
        from simulator.validation.paged import validation_html

        return validation_html(results, {"These figures again": again(context)})

    def picture() -> Picture:
        from simulator.validation.picture import plot_validation

        return plot_validation(results)

    out.write_result(
        _records(results, rows, worst), kind, output,
        lambda: _text(results, rows, worst, verbose),
        (plot, out.picture(picture)),
        (html, out.text(page)),
    )  # fmt: skip


def _text(results: Sequence[Validation], rows: bool, most: int | None, verbose: bool) -> str:
    """All that was asked for."""
    from simulator.cli.tables import render
    from simulator.cli.validating import every_row_parts, validation_parts, worst_parts

    parts = list(validation_parts(results, verbose))
    parts += [] if most is None else worst_parts(results, most)
    return render([*parts, *(every_row_parts(results) if rows else [])])


def _records(results: Sequence[Validation], rows: bool, most: int | None) -> Result:
    """Every row or the worst ones, else the lines; of what decides alone, every decision."""
    from simulator.validation.advised import decisions_told
    from simulator.validation.table import (
        decision_records,
        every,
        figure_records,
        line_records,
        worst,
    )

    if most is None and all(result.dataset.decides for result in results):
        return decision_records(decisions_told())
    if rows or most is not None:
        return figure_records(every(results) if most is None else worst(results, most))
    return line_records(results)


def microbench(
    hardware: HardwareName,
    dtype: Annotated[
        list[str] | None, typer.Option(help="Number formats to time; default: all of the machine.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Loops of tensor-core instructions on one core: latency and MACs a cycle, dense and sparse."""
    from simulator.cli.tables import microbench_parts, render
    from simulator.hardware import load_hardware

    machine = load_hardware(hardware, settings_of(settings))
    typer.echo(render(microbench_parts(machine, dtype or list(machine.dtypes))), nl=False)
