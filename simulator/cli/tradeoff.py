"""The command `nmsim tradeoff`: measured quality beside simulated time, and a pattern per layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.importing import parameters_of
from simulator.cli.keeping import files_of
from simulator.cli.options import (
    Accuracy,
    Format,
    HardwareName,
    Html,
    Parameters,
    Plot,
    Settings,
    settings_of,
)
from simulator.errors import SpecError, WorkloadError

if TYPE_CHECKING:
    from simulator.cli.trading import MeasuredBy
    from simulator.quality.measured import Measured
    from simulator.tradeoff.per_layer import Budget
    from simulator.tradeoff.result import TradeOff

MOST_SAMPLES = 2**20
RATE = 0.1  # simulator.tradeoff.verdict.RATE, which would take long to import


def tradeoff(
    hardware: HardwareName,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="The network whose quality was measured; trained ones bring their own.",
        ),
    ] = None,
    quality: Annotated[
        Path, typer.Option(metavar="FILE", help="What nmsim quality or train --store wrote.")
    ] = ...,  # type: ignore[assignment]  # typer's sign of an option that must be given
    network: Annotated[
        str | None, typer.Option(help="Of several in the store: its name or digest.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Of several in the store, the one to weigh.")
    ] = None,
    figure: Annotated[
        str | None, typer.Option(help="Such as accuracy; default: the first of the rows.")
    ] = None,
    rate: Annotated[
        float,
        typer.Option(
            "--worth",
            help="A pattern is worth it if the share of quality that it costs, two standard errors "
            "included, is at most so much of the share of speed that it gains.",
        ),
    ] = RATE,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL2",
            help="Time another network under the same patterns, too; layers join by name.",
        ),
    ] = None,
    per_layer: Annotated[
        bool, typer.Option("--per-layer", help="Choose a pattern for every layer.")
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="quality=Q|time=T",
            help="With --per-layer: the fastest mix with at least a share Q of the dense network's "
            "quality (default 0.98), or the best one in a share T of its time.",
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="With --per-layer; default: the best one.")
    ] = None,
    settings: Settings = None,
    batch: Annotated[
        int | None,
        typer.Option(help="The model's parameter 'batch'; samples of trained networks."),
    ] = None,
    param: Parameters = None,
    accuracy: Accuracy = "exact",
    format: Format = None,
    plot: Plot = None,
    html: Html = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE",
            help="Write the result here; with --per-layer, the mix as a trace: mixed.csv.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """What sparsity costs beside what it gains: measured quality, simulated time, and a verdict.

    Figures that differ by less than two standard errors of their difference are a tie. A pattern is
    worth it if the share of quality that it costs is at most a tenth (--worth) of the share of
    speed that it gains, two standard errors included; not worth it if that fails by as much, or if
    it gains less than 2 %; undecided between the two.
    """
    from simulator.cli import output as out
    from simulator.cli.progress import points_bar
    from simulator.cli.trading import MeasuredBy
    from simulator.hardware import load_hardware
    from simulator.importers import load_workload
    from simulator.tradeoff.join import Clock
    from simulator.tradeoff.measure import Asked, trade_off

    how = MeasuredBy(model, quality, output if per_layer else None)
    asked_budget = _budget(per_layer, budget, method)
    table_file = None if per_layer else output
    outputs = {"-o": output, "--plot": plot, "--html": html, **files_of("--quality", quality)}
    kind = out.prepare(format, {**outputs, "-o": table_file}, hardware, model, like)
    _check_trace(output if per_layer else None, outputs, hardware, model, like)
    _check_rate(rate)
    rows, fault = _rows(quality)
    parameters = parameters_of(param, batch)
    machine = load_hardware(hardware, settings_of(settings))
    samples = _samples(parameters) if model is None else 1
    asked = Asked(network, task, figure, asked_budget, method, rate, samples)
    with points_bar() as progress:
        result = trade_off(
            rows,
            Clock(machine, accuracy, progress),
            load_workload(model, **parameters) if model else None,
            asked,
            like=load_workload(like, **parameters) if like else None,
            where=str(quality),
        )
    out.write_result(
        result, kind, table_file, lambda: _text(result, how),
        (plot, out.picture(result.plot)),
        (html, out.text(result.to_html)),
        (output if per_layer else None, out.text(lambda: _mix(result))),
    )  # fmt: skip
    fault()


def _budget(per_layer: bool, budget: str | None, method: str | None) -> Budget | None:
    from simulator.tradeoff.per_layer import DEFAULT, Budget

    if not per_layer:
        for option, given in (("--budget", budget), ("--method", method)):
            if given is not None:
                raise SpecError(option, "is of --per-layer", got=given)
        return None
    return DEFAULT if budget is None else Budget.parse(budget)


def _samples(parameters: dict[str, int]) -> int:
    """What --batch says of networks that bring their own trace, which has no other parameters."""
    for name, size in parameters.items():
        if name != "batch" or not 1 <= size <= MOST_SAMPLES:
            want = f"--batch alone, 1 to {MOST_SAMPLES}, or a MODEL"
            raise WorkloadError(f"--param {name}={size}", "not of trained networks", want=want)
    return parameters.get("batch", 1)


def _check_rate(rate: float) -> None:
    if not 0 <= rate < math.inf:
        raise SpecError("--worth", "not a share of quality for one of speed", got=rate, want="0.1")


def _check_trace(file: Path | None, outputs: dict[str, Path | None], *inputs: str | None) -> None:
    """Refuse a file for the mix that cannot be written, before any work is done."""
    from simulator.cli import output as out

    out.check_target(file)
    out.check_apart(outputs, *inputs)
    if file is not None and not out.is_stream(file):
        out.check_suffix(file, {".csv": "csv"})


def _rows(quality: Path) -> tuple[list[Measured], Callable[[], None]]:
    """The rows of a store, and what says, once those are written, which are left out."""
    from simulator.quality.measured import Qualities

    with Qualities(quality, must_exist=True) as store:
        rows = store.rows()
        if not rows:
            store.check_whole()
    return rows, store.check_whole


def _mix(result: TradeOff) -> str:
    from simulator.workload.trace_writer import write_trace

    assert result.mix is not None
    return write_trace(result.mix.workload)


def _text(result: TradeOff, how: MeasuredBy) -> str:
    from simulator.cli.tables import render
    from simulator.cli.trading import tradeoff_parts

    return render(tradeoff_parts(result, how))
