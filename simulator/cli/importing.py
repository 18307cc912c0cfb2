"""The command `nmsim import`: a model of another tool as a native trace, and what is missing."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.screen import screen, warnings_first
from simulator.errors import WorkloadError

Pairs = list[str] | None


def import_model(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="ONNX model, Hugging Face config.json, PyTorch profiler trace, or any workload.",
        ),
    ],
    batch: Annotated[
        int | None, typer.Option(help="The model's parameter 'batch', as --dim batch=N.")
    ] = None,
    param: Annotated[
        Pairs,
        typer.Option("--param", "--dim", metavar="NAME=N",
                     help="A parameter, or a dimension of an ONNX input: seq=128, input.2=640."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write the trace into this file instead: .csv."
        ),
    ] = None,
) -> None:  # fmt: skip
    """Write a model's layers as a native CSV trace; say on standard error what is not in it."""
    from simulator.cli import output as out
    from simulator.importers import import_workload
    from simulator.workload.trace_writer import write_trace

    out.check_target(output)
    out.check_apart({"-o": output}, model)
    imported = import_workload(model, parameters_of(param, batch))
    if output is not None and not out.is_stream(output):
        out.check_suffix(output, {".csv": "csv"})
    out.write(write_trace(imported.workload).encode(), output)
    if screen.quiet:
        return
    notes = imported.workload.notes
    said = (imported.summary, *(note for note in notes if imported.summary not in note))
    for line in warnings_first(said):
        print(line, file=sys.stderr)


def parameters_of(pairs: Pairs, batch: int | None) -> dict[str, int]:
    """What ``--param NAME=NUMBER`` and ``--batch`` say; names are as in the model: ``input.2``.

    Raises
    ------
    WorkloadError
        If a pair is not a name and a whole number, or a name comes twice.
    """
    parameters = {} if batch is None else {"batch": batch}
    for pair in pairs or []:
        name, _, value = pair.rpartition("=")
        if not name.strip() or not re.fullmatch(r"\s*[0-9]{1,12}\s*", value):
            raise WorkloadError(f"--param {pair}", "want NAME=NUMBER", hint="such as seq=384")
        if name in parameters:
            raise WorkloadError(f"--param {pair}", f"'{name}' is given twice")
        parameters[name] = int(value)
    return parameters
