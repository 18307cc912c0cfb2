"""The command `nmsim advise`: which layers gain by which pattern, why others do not, and from what
size on they would."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.importing import parameters_of
from simulator.cli.keeping import files_of
from simulator.cli.options import (
    Accuracy,
    Dense,
    Format,
    HardwareName,
    Html,
    LibraryName,
    Overflow,
    Parameters,
    Plot,
    Settings,
    StackName,
    WorkloadName,
    settings_of,
)
from simulator.errors import OutputError, WorkloadError

if TYPE_CHECKING:
    from simulator.cli.grid import Grid
    from simulator.cli.tables import Part
    from simulator.decisions.advice.result import Advice, LayerAdvice

PROBED = 5  # simulator.decisions.advice.advise.PROBED, which would take long to import
MOST_PROBED = 1000


def advise(
    context: typer.Context,
    hardware: HardwareName,
    workload: WorkloadName,
    patterns: Annotated[
        str, typer.Option(help="Comma-separated; dense is always among the choices.")
    ] = "2:4,1:8",
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N...]",
            help="The trace's parameter 'batch'; of several the first is advised for, and all are "
            "compared.",
        ),
    ] = None,
    param: Parameters = None,
    quality: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What nmsim quality or train --store wrote: only what is worth what it costs is "
            "advised.",
        ),
    ] = None,
    break_even: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Look for the batch that would gain, and for the sizes that so many layers would "
            "need; 0: do not.",
        ),
    ] = PROBED,
    settings: Settings = None,
    library: LibraryName = None,
    accuracy: Accuracy = "exact",
    stack: StackName = None,
    dense: Dense = None,
    allow_overflow: Overflow = False,
    format: Format = None,
    plot: Plot = None,
    html: Html = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE",
            help="Write the network as advised, a trace with its pattern column: best.csv.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Does sparsity pay: which layers gain by which pattern, why others do not, what it would take.

    Each layer is advised the pattern under which it is fastest, and dense where that is no gain.
    Gains within the mean error of speed-ups that were measured on this very machine are ties.
    """
    from simulator.cli import output as out
    from simulator.cli.progress import layers_bar
    from simulator.decisions.advice.advise import advise as advise_on
    from simulator.decisions.advice.advise import patterns_of
    from simulator.hardware import load_hardware

    asked = patterns_of([text for text in patterns.split(",") if text.strip()], "--patterns")
    sizes, parameters = _batches(batch), parameters_of(param, None)
    if sizes and "batch" in parameters:
        raise WorkloadError("--batch", "is given as --param, too", got=batch)
    if not 0 <= break_even <= MOST_PROBED:
        raise WorkloadError("--break-even", "not a number of layers", want=f"0 to {MOST_PROBED}",
                            got=break_even)  # fmt: skip
    outputs = {"-o": output, "--plot": plot, "--html": html}
    outputs |= {} if quality is None else files_of("--quality", quality)
    kind = _kind(format, outputs, hardware, workload)
    machine = load_hardware(hardware, settings_of(settings))
    with layers_bar((len(asked) + 2) * max(1, len(sizes))) as progress:
        advice = advise_on(
            machine,
            workload,
            asked,
            batches=sizes,
            parameters=parameters,
            quality=quality,
            library=library,
            stack=stack,
            dense=dense,
            accuracy=accuracy,
            allow_overflow=allow_overflow,
            break_even=break_even,
            progress=progress,
        )
    if output is not None:
        out.write(_trace(advice).encode(), output)  # before the text that says so
    out.write_result(
        advice, kind, None, lambda: _text(advice, output),
        (plot, out.picture(advice.plot)),
        (html, out.text(lambda: advice.to_html(_commands(context, output)))),
    )  # fmt: skip


def _commands(context: typer.Context, output: Path | None) -> dict[str, str]:
    """What prints the figures of the page, and runs what is advised."""
    from simulator.cli.reproducing import again, run_of

    written = {} if output is None else {"Run what is advised": run_of(context, output)}
    return {"These figures again": again(context), **written}


def _kind(format: str | None, outputs: dict[str, Path | None], *inputs: str) -> str:
    """The format of standard output; ``-o`` is a trace."""
    from simulator.cli import output as out

    kind = out.prepare(format or "table", {**outputs, "-o": None}, *inputs)
    file = outputs["-o"]
    out.check_target(file)
    out.check_apart(outputs, *inputs)
    if file is not None and not out.is_stream(file):
        out.check_suffix(file, {".csv": "csv"})
    if kind == "parquet":
        raise OutputError("--format", "is not for standard output", got=kind, want="json or csv")
    return kind


def _batches(text: str | None) -> list[int]:
    """What ``--batch 1,8,64`` says.

    Raises
    ------
    WorkloadError
        If it is no list of whole numbers, each once.
    """
    if text is None:
        return []
    parts = text.split(",")
    if not all(re.fullmatch(r"\s*[0-9]{1,9}\s*", part) for part in parts):
        raise WorkloadError("--batch", "want whole numbers", want="such as 1,8,64", got=text)
    sizes = [int(part) for part in parts]
    if 0 in sizes or len(set(sizes)) < len(sizes):
        raise WorkloadError("--batch", "want each batch once, from 1 on", got=text)
    return sizes


def _trace(advice: Advice) -> str:
    from simulator.workload.trace_writer import write_trace

    return write_trace(advice.workload)


def _text(advice: Advice, output: Path | None) -> str:
    from simulator.cli.tables import render

    return render(advice_parts(advice, output))


def advice_parts(advice: Advice, output: Path | None) -> Iterable[Part]:
    """The verdict, a row a layer, what it would take, and gains by batch."""
    from simulator.cli.screen import WARNING, note_lines

    notes = note_lines(advice.notes)
    yield advice.title
    yield from (note for note in notes if note.startswith(WARNING))
    yield from advice.sentences()
    if advice.batches:
        yield ""
        yield _batch_table(advice)
    if advice.layers:
        yield ""
        yield _layers_table(advice)
        yield from _counted(advice)
    if any(layer.reason is not None for layer in advice.layers):
        yield ""
        yield _reasons_table(advice)
    if any(layer.width is not None for layer in advice.layers):
        yield ""
        yield _sizes_table(advice)
    yield from (note for note in notes if not note.startswith(WARNING))
    if output is not None:
        yield (
            f"Written: {output}, a trace of these sizes with the advised pattern of every layer: "
            "nmsim run takes it."
        )


def _batch_table(advice: Advice) -> Grid:
    """What is gained at every batch."""
    from simulator.cli.grid import Grid, headings
    from simulator.quantities import COLUMN_TIME, Scale, times, whole_percent

    scale = Scale.of((row.dense_ns for row in advice.batches), COLUMN_TIME)
    titles = ["batch", f"dense {scale.unit.name}", "with weights", *advice.patterns, "as advised"]
    titles.append("sparse layers")
    made = Grid("Gain by batch, and the share of dense time with weights", headings(titles))
    for row in advice.batches:
        gains = (times(row.gains[pattern]) for pattern in advice.patterns)
        sparse = f"{row.sparse:,} of {row.layers:,}"
        share = whole_percent(row.bearing_ratio)
        dense = scale.text(row.dense_ns)
        made.add_row(f"{row.batch:,}", dense, share, *gains, times(row.advised), sparse)
    return made


def _layers_table(advice: Advice) -> Grid:
    """What each layer should run as, what it would gain, and why not more."""
    from simulator.cli.grid import Column, Grid
    from simulator.quantities import COLUMN_TIME, Scale, times

    scale = Scale.of((layer.dense_ns for layer in advice.layers), COLUMN_TIME)
    columns = [
        Column("layer", "name"),
        Column("x"),
        *(Column(size, group="m, n, k") for size in "mnk"),
        Column("advised", "word"),
        Column(f"dense {scale.unit.name}"),
        *map(Column, advice.patterns),
        Column("why not sparse", "word"),
    ]
    made = Grid("Layers, and what each would gain", columns, drops=("m, n, k", "x"))
    for layer in advice.layers:
        many = f"{layer.count}*" if layer.count > 1 else ""
        made.add_row(
            layer.name,
            str(layer.repeat),
            f"{many}{layer.m}",
            str(layer.n),
            str(layer.k),
            "dense" if layer.is_dense else layer.pattern,
            scale.text(layer.dense_ns),
            *(times(layer.gains[pattern]) for pattern in advice.patterns),
            _why(layer),
        )
    return made


def _counted(advice: Advice) -> Iterator[str]:
    """What column x counts, where it is not the network's layers."""
    merged = next((layer for layer in advice.layers if len(layer.members) > 1), None)
    if merged is not None:
        yield f"x: kernels; of {merged.name} each is {len(merged.members)} layers"


def _why(layer: LayerAdvice) -> str:
    return "" if layer.reason is None else f"{layer.outcome}: {layer.reason.kind}"


def _reasons_table(advice: Advice) -> Grid:
    """Each reason once, with the layer for which it weighs most."""
    from simulator.cli.grid import Column, Grid
    from simulator.quantities import whole_percent

    made = Grid(
        "Why not, and the share of dense time that this is said of",
        [
            Column("reason", "word"),
            Column("layers"),
            Column("share"),
            Column("such as", "name"),
            Column("where", "prose"),
        ],
    )
    kinds: dict[str, list[LayerAdvice]] = {}
    for layer in advice.layers:
        if layer.reason is not None:
            kinds.setdefault(layer.reason.kind, []).append(layer)
    whole = advice.dense.total.time_ns
    shares = {
        kind: sum(layer.dense_ns * layer.repeat for layer in layers) / whole
        for kind, layers in kinds.items()
    }
    for kind in sorted(kinds, key=lambda kind: -shares[kind]):
        longest = max(kinds[kind], key=lambda layer: layer.dense_ns * layer.repeat)
        count = f"{sum(layer.layers for layer in kinds[kind]):,}"
        text = longest.reason.text if longest.reason else ""
        made.add_row(kind, count, whole_percent(shares[kind]), longest.name, text)
    return made


def _sizes_table(advice: Advice) -> Grid:
    """From which size on dense layers would gain; those that are alike in one row."""
    from simulator.cli.grid import Column, Grid

    made = Grid(
        "What it would take, of the dense layers that take most of the time",
        [
            Column("layer", "name"),
            Column("m x k", "word"),
            Column("n", "word"),
            Column("gains from n", "word"),
            Column("or from m x k", "word"),
            Column("by", "word"),
        ],
    )
    alike: dict[object, list[LayerAdvice]] = {}
    for layer in advice.layers:
        if layer.width is not None:
            alike.setdefault((layer.columns, layer.width), []).append(layer)
    for first, *others in alike.values():
        made.add_row(
            first.name + (f" and {len(others)} alike" if others else ""),
            f"{first.m} x {first.k}",
            str(first.n),
            "never" if first.columns is None else str(first.columns),
            str(first.width),
            first.best,
        )
    return made
