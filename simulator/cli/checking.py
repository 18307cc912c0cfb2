"""The commands `nmsim validate` and `microbench`: how far is the model from measurements?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.options import HardwareName, Settings, settings_of


def validate(
    datasets: Annotated[
        list[str] | None, typer.Argument(metavar="[DATASET]...", help="Default: all of them.")
    ] = None,
    rows: Annotated[bool, typer.Option("--rows", help="Print every figure, too.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print what was fitted, and to what, too.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw predicted against measured: PNG, SVG or PDF."),
    ] = None,
) -> None:
    """How far is the model from published measurements?"""
    from simulator.cli import output as out
    from simulator.cli.progress import layers_bar
    from simulator.cli.tables import render
    from simulator.cli.validating import validation_parts
    from simulator.validation import validate as run_validation

    out.check_picture(plot)
    with layers_bar() as progress:
        results = run_validation(datasets or [], progress)
    out.write(render(validation_parts(results, rows, verbose)).encode(), None)
    if plot is not None:
        from simulator.validation.picture import plot_validation

        out.draw(plot_validation(results), plot)


def microbench(
    hardware: HardwareName,
    dtype: Annotated[list[str] | None, typer.Option(help="Default: all of the machine.")] = None,
    settings: Settings = None,
) -> None:
    """Loops of tensor-core instructions on one core: latency and MACs a cycle, dense and sparse."""
    from simulator.cli.tables import microbench_parts, render
    from simulator.hardware import load_hardware

    machine = load_hardware(hardware, settings_of(settings))
    typer.echo(render(microbench_parts(machine, dtype or list(machine.dtypes))), nl=False)
