"""The commands `nmsim run` and `compare`: a workload on a machine, under a pattern or several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.importing import parameters_of
from simulator.cli.options import (
    Accuracy,
    Batch,
    Brief,
    Dense,
    EngineName,
    Format,
    HardwareName,
    Html,
    LibraryName,
    Output,
    Overflow,
    Parameters,
    Plot,
    Settings,
    StackName,
    WeightsFile,
    WorkloadName,
    settings_of,
)
from simulator.cli.reproducing import command_of
from simulator.cli.weighing import weighed, weights_files
from simulator.errors import OutputError

if TYPE_CHECKING:
    from simulator.hardware import Hardware
    from simulator.report.comparison import Comparison
    from simulator.report.report import Report
    from simulator.sparsity import AnyPattern
    from simulator.timeline.replay import TileRange
    from simulator.timeline.trace_file import Timeline
    from simulator.workload import Workload

TimelineFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write every core's timeline: .json for Perfetto, or .html."),
]
TimelineTiles = Annotated[
    str | None,
    typer.Option(
        metavar="FIRST:LAST",
        help="Tiles to show in detail; default: as many of the first and last ones as fit.",
    ),
]


def run(
    context: typer.Context,
    hardware: HardwareName,
    workload: WorkloadName,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="keep:group, rows:keep:group or unstructured:density for all weights; trace "
            "(default): as the trace says."
        ),
    ] = None,
    settings: Settings = None,
    engine: EngineName = "fast",
    batch: Batch = None,
    param: Parameters = None,
    library: LibraryName = None,
    accuracy: Accuracy = "exact",
    stack: StackName = None,
    dense: Dense = None,
    weights: WeightsFile = None,
    allow_overflow: Overflow = False,
    brief: Brief = False,
    format: Format = None,
    plot: Plot = None,
    html: Html = None,
    timeline: TimelineFile = None,
    timeline_tiles: TimelineTiles = None,
    output: Output = None,
) -> None:
    """Simulate a workload on a machine, layer by layer."""
    from simulator.cli import output as out
    from simulator.cli.progress import layers_bar
    from simulator.hardware import load_hardware
    from simulator.run.asked import staying_dense
    from simulator.run.kernels import kernels_of, with_weights
    from simulator.run.simulate import simulate
    from simulator.sparsity import parse_asked

    outputs = {"-o": output, "--plot": plot, "--html": html, "--timeline": timeline}
    asked = [parse_asked(pattern, "--pattern")]
    files = weights_files(weights, asked, "--pattern")
    kind = out.prepare(format, outputs, hardware, workload, *files.all)
    tiles = _tiles(timeline_tiles, timeline)
    machine = load_hardware(hardware, settings_of(settings))
    trace, tensors = weighed(workload, files, asked, parameters_of(param, batch))
    record = None
    if timeline is not None:
        real = with_weights(trace, tensors.get(asked[0]) or {})
        kernels = kernels_of(trace, stack, staying_dense(trace, dense), real)
        record = _timeline(machine, kernels, asked[0], tiles)
    with layers_bar() as progress:
        report = simulate(
            machine,
            trace,
            asked[0],
            engine,
            library=library,
            accuracy=accuracy,
            stack=stack,
            dense=dense,
            weights=tensors.get(asked[0]),
            allow_overflow=allow_overflow,
            progress=progress,
            observe=None if record is None else record.add,
        )
    out.write_result(
        report, kind, output, lambda: _text(report, brief),
        (plot, out.picture(report.plot)),
        (html, out.text(lambda: report.to_html(command_of(context, report.pattern_name)))),
        (timeline, lambda file: _write_timeline(record, file)),
    )  # fmt: skip


def compare(
    context: typer.Context,
    hardware: HardwareName,
    workload: WorkloadName,
    patterns: Annotated[
        str,
        typer.Option(
            help="Comma-separated; trace: as the trace says; fastest: each layer as it is fastest "
            "under the others. Speed-ups are against the first."
        ),
    ] = "1:1,2:4,1:8",
    settings: Settings = None,
    engine: EngineName = "fast",
    batch: Batch = None,
    param: Parameters = None,
    library: LibraryName = None,
    accuracy: Accuracy = "exact",
    stack: StackName = None,
    dense: Dense = None,
    weights: WeightsFile = None,
    allow_overflow: Overflow = False,
    brief: Brief = False,
    format: Format = None,
    plot: Plot = None,
    html: Html = None,
    output: Output = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show the mapping of every layer, too.")
    ] = False,
) -> None:
    """Compare patterns: speed-up, utilisation, what bounds each, traffic; per layer and in all."""
    from simulator.cli import output as out
    from simulator.cli.progress import layers_bar
    from simulator.hardware import load_hardware
    from simulator.run.compare import compare as compare_patterns
    from simulator.run.fastest import Compared

    outputs = {"-o": output, "--plot": plot, "--html": html}
    names = [name for name in patterns.split(",") if name.strip()]
    asked = Compared.parse(names, "--patterns")
    files = weights_files(weights, asked.simulated, "--patterns")
    kind = out.prepare(format, outputs, hardware, workload, *files.all)
    machine = load_hardware(hardware, settings_of(settings))
    trace, tensors = weighed(workload, files, asked.simulated, parameters_of(param, batch))
    with layers_bar(asked.runs) as progress:
        comparison = compare_patterns(
            machine,
            trace,
            names,
            engine,
            library=library,
            accuracy=accuracy,
            stack=stack,
            dense=dense,
            weights=tensors,
            allow_overflow=allow_overflow,
            progress=progress,
        )
    shown = [report.pattern_name for report in comparison.reports]
    out.write_result(
        comparison, kind, output, lambda: _side_by_side(comparison, brief, verbose),
        (plot, out.picture(comparison.plot)),
        (html, out.text(lambda: comparison.to_html({it: command_of(context, it) for it in shown}))),
    )  # fmt: skip


def _text(report: Report, brief: bool) -> str:
    from simulator.cli.tables import render, report_parts

    return render(report_parts(report, brief))


def _side_by_side(comparison: Comparison, brief: bool, verbose: bool) -> str:
    from simulator.cli.tables import comparison_parts, render

    return render(comparison_parts(comparison, brief, verbose))


def _timeline(
    machine: Hardware, kernels: Workload, pattern: AnyPattern | None, tiles: TileRange | None
) -> Timeline:
    from simulator.timeline.trace_file import Timeline

    title = f"{kernels.name} on {machine.name}, {pattern or 'as the trace says'}"
    return Timeline(machine, title, len(kernels.layers), tiles)


def _write_timeline(record: Timeline | None, file: Path) -> None:
    from simulator.cli import output as out

    if record is None:
        return
    if file.suffix.lower() == ".html":
        out.write(record.to_html().encode(), file)
    else:
        out.write_through(file, record.write)


def _tiles(text: str | None, timeline: Path | None) -> TileRange | None:
    if text is None:
        return None
    from simulator.timeline.replay import TileRange

    if timeline is None:
        raise OutputError("--timeline-tiles", "says what --timeline FILE shows", got=text)
    return TileRange.parse(text, "--timeline-tiles")
