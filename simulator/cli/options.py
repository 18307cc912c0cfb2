"""Options that several commands share, as typer reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli import completing
from simulator.errors import ConfigError

HardwareName = Annotated[
    str,
    typer.Argument(
        metavar="HARDWARE",
        help="A machine: a preset, or a YAML file.",
        autocompletion=completing.HARDWARE,
    ),
]
WorkloadName = Annotated[
    str,
    typer.Argument(
        metavar="WORKLOAD",
        help="Preset, CSV trace, model.onnx, config.json, PyTorch trace or "
        "gemm:MxNxK[:dtype][:accumulate].",
        autocompletion=completing.WORKLOAD,
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key: --set core.count=64."),
]
Batch = Annotated[
    int | None, typer.Option(help="The trace's parameter 'batch', as --param batch=N.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "--dim", metavar="NAME=N", help="A parameter of the trace: seq=384."),
]
EngineName = Annotated[
    str,
    typer.Option(
        help="fast or reference; both give the same figures.", autocompletion=completing.engines
    ),
]
Accuracy = Annotated[
    str,
    typer.Option(
        help="exact, or sampled: large GEMMs in part, with an error estimate.",
        autocompletion=completing.accuracies,
    ),
]
LibraryName = Annotated[str | None, typer.Option(help="One of the machine's libraries.")]
StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        help="What becomes a kernel: eager, compiled, fused, or listed: each layer. "
        "Default: as the workload says.",
        autocompletion=completing.stacks,
    ),
]
WeightsFile = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        metavar="[PATTERN=]FILE",
        help="Real weights by layer name: .safetensors, .npz, or the model.onnx itself; "
        "2:4=FILE for one pattern.",
    ),
]
Dense = Annotated[
    str | None,
    typer.Option(
        "--dense", metavar="REGEX", help="Layers whose name it finds stay dense under any pattern."
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="table, json, csv or parquet; default by file name.",
        autocompletion=completing.formats,
    ),
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
Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page to click through, too: .html."),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write the result into this file instead."),
]


def settings_of(pairs: list[str] | None) -> dict[str, object]:
    """What ``--set KEY=VALUE`` says, by key.

    Raises
    ------
    ConfigError
        If a pair is none, or a key comes twice.
    """
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
