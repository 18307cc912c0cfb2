"""The `nmsim` command. Heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.help import CHECK, EXPLORE, MACHINES, MODELS, SIMULATE, GroupedHelp
from simulator.cli.importing import import_model, parameters_of
from simulator.cli.listing import hardware, schema, workloads
from simulator.cli.pruning import prune
from simulator.cli.screen import NOTHING_KEPT, InterruptedCommandError, Quiet, begin, on_screen
from simulator.cli.sweeping import pareto, results, search, sweep
from simulator.errors import ConfigError, OutputError, SimulatorError

if TYPE_CHECKING:
    from simulator.timeline.replay import TileRange
    from simulator.workload import Workload

app = typer.Typer(
    cls=GroupedHelp,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples: nmsim compare nm-flex resnet50 --patterns 1:1,2:4,1:8; "
    "nmsim run a100-sxm4-80gb gemm:4096x4096x4096 --pattern 2:4",
)

HardwareName = Annotated[str, typer.Argument(metavar="HARDWARE", help="Preset or YAML file.")]
WorkloadName = Annotated[
    str,
    typer.Argument(
        metavar="WORKLOAD",
        help="Preset, CSV trace, model.onnx, config.json, PyTorch trace or gemm:MxNxK[:dtype].",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key: --set core.count=64."),
]
Batch = Annotated[int | None, typer.Option(help="The trace's parameter 'batch'.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "--dim", metavar="NAME=N", help="A parameter of the trace: seq=384."),
]
EngineName = Annotated[str, typer.Option(help="fast or reference; both give the same figures.")]
Accuracy = Annotated[
    str, typer.Option(help="exact, or sampled: large GEMMs in part, with an error estimate.")
]
LibraryName = Annotated[str | None, typer.Option(help="One of the machine's libraries.")]
WeightsFile = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Real weights by layer name: .safetensors, .npz, or the model.onnx itself.",
    ),
]
Format = Annotated[
    str | None, typer.Option("--format", help="table, json, csv or parquet; default by file name.")
]
Overflow = Annotated[
    bool, typer.Option("--allow-overflow", help="Simulate what does not fit into memory, too.")
]
Brief = Annotated[
    bool, typer.Option("--brief", help="Totals and what limits them, without tables of layers.")
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw the result, too: .png, .svg or .pdf."),
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write here instead.")
]


def _version(asked: bool) -> None:
    if asked:
        from simulator import __version__

        typer.echo(f"nmsim {__version__}")
        raise typer.Exit


@app.callback()
def nmsim(
    quiet: Quiet = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What would N:M structured sparsity give me on this machine, for this network, and what
    limits it?"""
    del version
    begin(quiet)


@app.command(
    rich_help_panel=SIMULATE,
    epilog="Examples: nmsim run nm-flex bert-base --pattern 1:8 --batch 8 --param seq=384; "
    "nmsim run machine.yaml trace.csv --set core.count=64 --format json -o result.json",
)
@on_screen
def run(
    hardware: HardwareName,
    workload: WorkloadName,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="keep:group or unstructured:density for all weights; trace (default): as the "
            "trace says."
        ),
    ] = None,
    settings: Settings = None,
    engine: EngineName = "fast",
    batch: Batch = None,
    param: Parameters = None,
    library: LibraryName = None,
    accuracy: Accuracy = "exact",
    weights: WeightsFile = None,
    allow_overflow: Overflow = False,
    brief: Brief = False,
    format: Format = None,
    plot: Plot = None,
    timeline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write every core's timeline for Perfetto: .json."),
    ] = None,
    timeline_tiles: Annotated[
        str | None,
        typer.Option(metavar="FIRST:LAST", help="Tiles to show in detail; default: as many of "
                     "the first and last ones as fit."),
    ] = None,
    output: Output = None,
) -> None:  # fmt: skip
    """Simulate a workload on a machine, layer by layer."""
    from simulator.cli import output as out
    from simulator.cli.progress import progress_bar
    from simulator.hardware import load_hardware
    from simulator.run.simulate import simulate

    out.check_target(output)
    out.check_picture(plot)
    out.check_timeline(timeline)
    outputs = {"-o": output, "--plot": plot, "--timeline": timeline}
    out.check_apart(outputs, hardware, workload, weights)
    kind = out.choose_format(format, output)
    tiles = _tiles(timeline_tiles, timeline)
    machine = load_hardware(hardware, _settings(settings))
    trace, tensors = _workload(workload, weights, parameters_of(param, batch))
    record = None
    if timeline is not None:
        from simulator.sparsity import parse_asked
        from simulator.timeline.trace_file import Timeline

        title = f"{trace.name} on {machine.name}, {parse_asked(pattern) or 'as the trace says'}"
        record = Timeline(machine, title, len(trace.layers), tiles)
    with progress_bar() as progress:
        report = simulate(
            machine,
            trace,
            pattern,
            engine,
            library=library,
            accuracy=accuracy,
            weights=tensors,
            allow_overflow=allow_overflow,
            progress=progress,
            observe=None if record is None else record.add,
        )
    text = ""
    if kind == "table":
        from simulator.cli.tables import render, report_parts

        text = render(report_parts(report, brief))
    out.write(out.encode(report, text, kind), output)
    if plot is not None:
        out.draw(report.plot(), plot)
    if timeline is not None and record is not None:
        out.write_through(timeline, record.write)


@app.command(
    rich_help_panel=SIMULATE,
    epilog="Examples: nmsim compare nm-flex resnet50 --patterns 1:1,2:4,1:8; "
    "nmsim compare a100-sxm4-80gb gemm:8192x8192x8192 --patterns 1:1,2:4",
)
@on_screen
def compare(
    hardware: HardwareName,
    workload: WorkloadName,
    patterns: Annotated[
        str,
        typer.Option(
            help="Comma-separated; trace: as the trace says. Speed-ups are against the first."
        ),
    ] = "1:1,2:4,1:8",
    settings: Settings = None,
    engine: EngineName = "fast",
    batch: Batch = None,
    param: Parameters = None,
    library: LibraryName = None,
    accuracy: Accuracy = "exact",
    weights: WeightsFile = None,
    allow_overflow: Overflow = False,
    brief: Brief = False,
    format: Format = None,
    plot: Plot = None,
    output: Output = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show the mapping of every layer, too.")
    ] = False,
) -> None:
    """Compare patterns: speed-up, utilisation, what bounds each, traffic; per layer and in all."""
    from simulator.cli import output as out
    from simulator.cli.progress import progress_bar
    from simulator.hardware import load_hardware
    from simulator.run.simulate import compare as compare_patterns

    out.check_target(output)
    out.check_picture(plot)
    out.check_apart({"-o": output, "--plot": plot}, hardware, workload, weights)
    kind = out.choose_format(format, output)
    machine = load_hardware(hardware, _settings(settings))
    trace, tensors = _workload(workload, weights, parameters_of(param, batch))
    names = [name for name in patterns.split(",") if name.strip()]
    with progress_bar(len(names)) as progress:
        comparison = compare_patterns(
            machine,
            trace,
            names,
            engine,
            library=library,
            accuracy=accuracy,
            weights=tensors,
            allow_overflow=allow_overflow,
            progress=progress,
        )
    text = ""
    if kind == "table":
        from simulator.cli.tables import comparison_parts, render

        text = render(comparison_parts(comparison, brief, verbose))
    out.write(out.encode(comparison, text, kind), output)
    if plot is not None:
        out.draw(comparison.plot(), plot)


@app.command(
    rich_help_panel=CHECK,
    epilog="Examples: nmsim validate; nmsim validate llmcompass sparse24 --rows; "
    "nmsim validate --plot validation.png",
)
@on_screen
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
    from simulator.cli.progress import progress_bar
    from simulator.cli.tables import render
    from simulator.cli.validating import validation_parts
    from simulator.validation import validate as run_validation

    out.check_picture(plot)
    with progress_bar() as progress:
        results = run_validation(datasets or [], progress)
    out.write(render(validation_parts(results, rows, verbose)).encode(), None)
    if plot is not None:
        from simulator.validation.picture import plot_validation

        out.draw(plot_validation(results), plot)


@app.command(
    rich_help_panel=CHECK,
    epilog="Examples: nmsim microbench a100-sxm4-80gb; "
    "nmsim microbench a100-sxm4-80gb --dtype fp16 --dtype int8",
)
@on_screen
def microbench(
    hardware: HardwareName,
    dtype: Annotated[list[str] | None, typer.Option(help="Default: all of the machine.")] = None,
    settings: Settings = None,
) -> None:
    """Loops of tensor-core instructions on one core: latency and MACs a cycle, dense and sparse."""
    from simulator.cli.tables import microbench_parts, render
    from simulator.hardware import load_hardware

    machine = load_hardware(hardware, _settings(settings))
    typer.echo(render(microbench_parts(machine, dtype or list(machine.dtypes))), nl=False)


app.command(
    rich_help_panel=EXPLORE,
    epilog="Examples: nmsim sweep sweep.yaml --store runs.sqlite; "
    "nmsim sweep sweep.yaml --workers 2 -o rows.csv",
)(on_screen(sweep))
app.command(
    rich_help_panel=EXPLORE, epilog="Examples: nmsim search sweep.yaml --store runs.sqlite"
)(on_screen(search))
app.command(
    rich_help_panel=EXPLORE, epilog="Examples: nmsim results runs.sqlite --format csv -o rows.csv"
)(on_screen(results))
app.command(
    rich_help_panel=EXPLORE,
    epilog="Examples: nmsim pareto runs.sqlite --min time_ns --min energy_pj",
)(on_screen(pareto))

app.command(
    "import",
    rich_help_panel=MODELS,
    epilog="Examples: nmsim import model.onnx --dim height=224 -o trace.csv; "
    "nmsim import config.json --param seq=384 -o trace.csv",
)(on_screen(import_model))
app.command(
    rich_help_panel=MODELS,
    epilog="Examples: nmsim prune model.safetensors --pattern 2:4 --layers 'dense|query|key|value' "
    "-o pruned.safetensors",
)(on_screen(prune))
app.command(rich_help_panel=MODELS)(on_screen(workloads))

app.command(rich_help_panel=MACHINES)(on_screen(hardware))
app.command(rich_help_panel=MACHINES)(on_screen(schema))


def _tiles(text: str | None, timeline: Path | None) -> TileRange | None:
    if text is None:
        return None
    from simulator.timeline.replay import TileRange

    if timeline is None:
        raise OutputError("--timeline-tiles", "says what --timeline FILE shows", got=text)
    return TileRange.parse(text, "--timeline-tiles")


def _workload(
    name: str, weights: Path | None, parameters: dict[str, int]
) -> tuple[Workload, Mapping[str, Any] | None]:
    from simulator.importers import load_model, load_workload

    if weights is None:
        return load_workload(name, **parameters), None
    return load_model(name, weights, **parameters)


def _settings(pairs: list[str] | None) -> dict[str, object]:
    from simulator.hardware.yaml_file import parse_value

    settings: dict[str, object] = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {pair}", "want KEY=VALUE", hint="such as core.count=64")
        key = key.strip()
        if key in settings:
            raise ConfigError(f"--set {pair}", f"'{key}' is given twice")
        settings[key] = parse_value(value, f"--set {key}")
    return settings


# The base of typer's own exceptions: BadParameter is a UsageError is a ClickException. Its home has
# moved between versions of typer.
_ClickError: Any = typer.BadParameter.__mro__[2]


CONTROL_C = 130
"""Exit code of what Control-C has ended, as shells have it."""


def main() -> None:
    """Run the command; bad input is one line on standard error and exit code 2."""
    _open_standard_error()
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    try:
        code = app(prog_name="nmsim", standalone_mode=False)
        if code == CONTROL_C:  # before a command began: typer makes it an exit code
            raise KeyboardInterrupt
        if isinstance(code, int) and code:
            sys.exit(code)
    except SimulatorError as error:
        _fail(str(error))
    except _ClickError as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "nmsim"
        message = " ".join(error.format_message().split())
        _fail(f"{message} (see {command} --help)")
    except InterruptedCommandError as interrupted:
        _fail(str(interrupted), CONTROL_C)
    except (KeyboardInterrupt, typer.Abort):
        _fail(NOTHING_KEPT, CONTROL_C)
    except BrokenPipeError:  # the reader of our pipe has enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:  # files are handled where they are opened; what is left is a stream
        _fail(f"standard output: cannot be written: {error.strerror}")


def _open_standard_error() -> None:
    """Where it is closed, errors go nowhere: not into standard output, nor into the next file."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end


def _fail(message: str, code: int = 2) -> None:
    try:
        print(f"nmsim: {message}", file=sys.stderr)
    except OSError:  # nobody can be told; nor may the end of the interpreter try again
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
    sys.exit(code)
