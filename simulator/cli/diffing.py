"""The command `nmsim diff`: what moved between two reports, machines or stores of runs."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import completing
from simulator.cli.importing import parameters_of
from simulator.cli.options import Batch, Format, Html, Output, Parameters, Plot
from simulator.errors import OutputError, ReportError

if TYPE_CHECKING:
    from simulator.decisions.difference.result import Difference
    from simulator.workload import Workload

MOVED = 1
"""Exit code where something moved by more than the tolerance."""


def diff(
    context: typer.Context,
    before: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A report (what run or compare -o FILE.json wrote), a machine (a preset or "
            "FILE.yaml), or a store (what sweep --store wrote).",
            autocompletion=completing.COMPARED,
        ),
    ],
    after: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="Another one of the same kind.",
            autocompletion=completing.COMPARED,
        ),
    ],
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Exit with 1 if something moved by more than this share of what it was, either "
            "way: 0.02. Of reports, the time in all, and of each layer that takes 1 % of it; of "
            "stores, the time of each row; of machines, each key, or with --workload their runs. "
            "What is only in one has moved.",
        ),
    ] = None,
    workload: Annotated[
        str | None,
        typer.Option(
            metavar="WORKLOAD",
            help="Of two machines: run it on both, and compare.",
            autocompletion=completing.WORKLOAD,
        ),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help="Of the weights in that run; default: as the trace says.")
    ] = None,
    batch: Batch = None,
    param: Parameters = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Print every layer, key or row, too.")
    ] = False,
    format: Format = None,
    plot: Plot = None,
    html: Html = None,
    output: Output = None,
) -> None:
    """What moved between two reports, machines or stores: by how much, and through what."""
    from simulator.cli import output as out
    from simulator.cli.differing import difference_parts
    from simulator.cli.reproducing import again
    from simulator.cli.tables import render
    from simulator.decisions.difference.diff import diff as difference_of

    _check(tolerance)
    inputs = [before, after, workload]
    kind = out.prepare(format, {"-o": output, "--plot": plot, "--html": html}, *inputs)
    network = _network(workload, parameters_of(param, batch))
    told = difference_of(before, after, workload=network, pattern=pattern)
    pictures = [] if plot is None else [(plot, _picture(told, plot))]
    beyond = [] if tolerance is None else told.beyond(tolerance)
    out.write_result(
        told, kind, output, lambda: render(difference_parts(told, verbose)),
        *pictures,
        (html, out.text(lambda: told.to_html({"These figures again": again(context)}))),
    )  # fmt: skip
    _end(tolerance, beyond)


def _picture(told: Difference, plot: Path) -> Callable[[Path], None]:
    """What writes the picture; where there is none, that is said before anything is written."""
    from simulator.cli import output as out

    try:
        drawn = told.plot()
    except OutputError as error:
        raise OutputError(f"--plot {plot}", error.what, want=error.want) from None
    return out.picture(lambda: drawn)


def _network(workload: str | None, parameters: dict[str, int]) -> Workload | None:
    """The network that machines are to run, with its parameters."""
    if workload is None:
        if parameters:
            name = next(iter(parameters))
            raise ReportError(f"--param {name}", "is of a workload", want="--workload, too")
        return None
    from simulator.importers import load_workload

    return load_workload(workload, **parameters)


def _check(tolerance: float | None) -> None:
    if tolerance is not None and not 0 <= tolerance < math.inf:
        raise ReportError("--tolerance", "not a share", got=tolerance, want="0.02 for 2 %")


def _end(tolerance: float | None, beyond: list[str]) -> None:
    """Exit with 1, and say why on standard error, where something moved beyond the tolerance."""
    if tolerance is None or not beyond:
        return
    from simulator.decisions.difference.result import some

    print(f"nmsim: moved by more than {100 * tolerance:g} %: {some(beyond)}", file=sys.stderr)
    raise typer.Exit(MOVED)
