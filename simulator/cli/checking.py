"""The commands `nmsim validate` and `microbench`: how far is the model from measurements?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.options import Format, HardwareName, Html, Output, Settings, settings_of

if TYPE_CHECKING:
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
    _write_validation(results, rows, worst, verbose, kind, output)
    if plot is not None:
        from simulator.validation.picture import plot_validation

        out.draw(plot_validation(results), plot)
    if html is not None:
        from simulator.cli.reproducing import again
        from simulator.validation.paged import validation_html

        page = validation_html(results, {"These figures again": again(context)})
        out.write(page.encode(), html)


def _write_validation(
    results: Sequence[Validation],
    rows: bool,
    most: int | None,
    verbose: bool,
    kind: str,
    file: Path | None,
) -> None:
    """As text all that was asked for; as records every row or the worst ones, else the lines; of
    what decides alone, every decision."""
    from simulator.cli import output as out
    from simulator.cli.tables import render
    from simulator.cli.validating import every_row_parts, validation_parts, worst_parts
    from simulator.validation.advised import decisions_told
    from simulator.validation.table import (
        decision_records,
        every,
        figure_records,
        line_records,
        worst,
    )

    def text() -> str:
        parts = list(validation_parts(results, verbose))
        parts += [] if most is None else worst_parts(results, most)
        return render([*parts, *(every_row_parts(results) if rows else [])])

    if most is None and all(result.dataset.decides for result in results):
        records = decision_records(decisions_told())
    elif rows or most is not None:
        records = figure_records(every(results) if most is None else worst(results, most))
    else:
        records = line_records(results)
    out.write_result(records, kind, file, text)


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
