"""The `nmsim` command. Heavy imports wait until a command needs them."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from simulator.cli.advising import advise
from simulator.cli.calibrating import calibrate
from simulator.cli.checking import microbench, validate
from simulator.cli.completing import completion, prepare_answer
from simulator.cli.diffing import diff
from simulator.cli.help import CHECK, DECIDE, EXPLORE, MODELS, SIMULATE, GroupedHelp
from simulator.cli.importing import import_model
from simulator.cli.limiting import limits
from simulator.cli.listing import hardware, workloads
from simulator.cli.pruning import prune
from simulator.cli.quality import quality
from simulator.cli.requiring import require
from simulator.cli.running import compare, run
from simulator.cli.schemas import schema
from simulator.cli.screen import NOTHING_KEPT, InterruptedCommandError, Quiet, begin, on_screen
from simulator.cli.sweeping import pareto, results, search, sweep
from simulator.cli.tradeoff import tradeoff
from simulator.cli.training import train
from simulator.errors import SimulatorError

app = typer.Typer(
    cls=GroupedHelp,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples: nmsim compare nm-flex resnet50 --patterns 1:1,2:4,1:8; "
    "nmsim run a100-sxm4-80gb gemm:4096x4096x4096 --pattern 2:4",
)


def _version(ctx: typer.Context, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:  # as where a shell asks what may follow
        from simulator import __version__

        typer.echo(f"nmsim {__version__}")
        raise typer.Exit


@app.callback()
def nmsim(
    quiet: Quiet = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version of the program, and end.",
        ),
    ] = False,
) -> None:
    """What would N:M structured sparsity give me on this machine, for this network, and what
    limits it?"""
    del version
    begin(quiet)


app.command(
    rich_help_panel=SIMULATE,
    epilog="Examples: nmsim run nm-flex bert-base --pattern 1:8 --batch 8 --param seq=384; "
    "nmsim run machine.yaml trace.csv --set core.count=64 --format json -o result.json",
)(on_screen(run))
app.command(
    rich_help_panel=SIMULATE,
    epilog="Examples: nmsim compare nm-flex resnet50 --patterns 1:1,2:4,1:8; "
    "nmsim compare a100-sxm4-80gb gemm:8192x8192x8192 --patterns 1:1,2:4",
)(on_screen(compare))
app.command(rich_help_panel=SIMULATE)(on_screen(hardware))
app.command(rich_help_panel=SIMULATE)(on_screen(workloads))

app.command(
    rich_help_panel=DECIDE,
    epilog="Examples: nmsim advise a100-sxm4-80gb bert-base --patterns 2:4 --batch 1,8,64; "
    "nmsim advise nm-flex resnet50 -o best.csv --plot gains.png",
)(on_screen(advise))
app.command(
    rich_help_panel=DECIDE,
    epilog="Examples: nmsim limits a100-sxm4-80gb gemm:4096x4096x4096 --pattern 2:4; "
    "nmsim limits nm-flex bert-base --pattern 1:8 --plot limits.svg -o limits.csv",
)(on_screen(limits))
app.command(
    rich_help_panel=DECIDE,
    epilog="Examples: nmsim require nm-flex bert-base --pattern 1:8 --speedup 1.7 "
    "-o machine.yaml; nmsim require nm-flex bert-base --pattern 2:4 --speedup 2 --free clock "
    "--store runs.sqlite",
)(on_screen(require))
app.command(
    rich_help_panel=DECIDE,
    epilog="Examples: nmsim tradeoff nm-edge model.onnx --quality q.sqlite --plot front.svg; "
    "nmsim tradeoff nm-micro --quality runs.sqlite --figure accuracy; "
    "nmsim tradeoff nm-edge model.onnx --quality q.sqlite --per-layer --budget quality=0.99 "
    "-o mixed.csv",
)(on_screen(tradeoff))
app.command(
    rich_help_panel=DECIDE,
    epilog="Examples: nmsim diff before.json after.json --tolerance 0.02; "
    "nmsim diff a100-sxm4-80gb h100-sxm --workload bert-base "
    "--pattern 2:4; nmsim diff old.sqlite new.sqlite",
)(on_screen(diff))

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
    "-o pruned.safetensors; nmsim prune model.onnx --method sparsegpt --calibrate inputs.npz "
    "-o pruned.onnx",
)(on_screen(prune))
app.command(
    rich_help_panel=MODELS,
    epilog="Examples: nmsim quality model.onnx --patterns 3:4,2:4 --methods wanda "
    "--calibrate inputs.npz --measure drift --store q.sqlite; "
    "nmsim quality model.onnx --methods wanda --calibrate inputs.npz --measure mine:accuracy",
)(on_screen(quality))
app.command(
    rich_help_panel=MODELS,
    epilog="Examples: nmsim train recipe.yaml --store trained.sqlite --simulate nm-edge; "
    "nmsim train --claims trained.sqlite",
)(on_screen(train))

app.command(
    rich_help_panel=CHECK,
    epilog="Examples: nmsim validate; nmsim validate llmcompass sparse24 --rows; "
    "nmsim validate --worst 10; nmsim validate --plot validation.png",
)(on_screen(validate))
app.command(
    rich_help_panel=CHECK,
    epilog="Examples: nmsim calibrate measurements.csv --machine a100-sxm4-80gb -o mine.yaml; "
    "nmsim calibrate measurements.csv --machine a100-sxm4-80gb --fit kernel_start_ns",
)(on_screen(calibrate))
app.command(
    rich_help_panel=CHECK,
    epilog="Examples: nmsim microbench a100-sxm4-80gb; "
    "nmsim microbench a100-sxm4-80gb --dtype fp16 --dtype int8",
)(on_screen(microbench))
app.command(rich_help_panel=CHECK, epilog="Examples: nmsim schema; nmsim schema sweep")(
    on_screen(schema)
)
app.command(rich_help_panel=CHECK, epilog="Examples: nmsim completion bash; nmsim completion zsh")(
    on_screen(completion)
)


# The base of typer's own exceptions: BadParameter is a UsageError is a ClickException. Its home has
# moved between versions of typer.
_ClickError: Any = typer.BadParameter.__mro__[2]


CONTROL_C = 130
"""Exit code of what Control-C has ended, as shells have it."""


def main() -> None:
    """Run the command; bad input is one line on standard error and exit code 2."""
    _open_standard_error()
    prepare_answer()
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
