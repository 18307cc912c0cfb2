"""The command `nmsim prune`: what a pattern keeps of real weights, and the pruned weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.screen import screen
from simulator.errors import WeightsError

if TYPE_CHECKING:
    from simulator.cli.grid import Grid
    from simulator.weights.prune import Kept, Pruning


def prune(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help=".safetensors or .npz file.")],
    pattern: Annotated[str, typer.Option(help="keep:group along the inputs.")] = "2:4",
    permute: Annotated[
        bool, typer.Option("--permute", help="Reorder inputs so that the pattern keeps more.")
    ] = False,
    layers: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Names of tensors to prune; default: all, embeddings "
                     "too."),
    ] = None,
    inputs_first: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Names of matrices stored [in, out], as GPT-2's "
                     "Conv1D: c_attn|c_proj|c_fc."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write pruned weights: .safetensors."),
    ] = None,
) -> None:  # fmt: skip
    """Prune weights by magnitude: kept magnitude and energy, N:M against unstructured."""
    from simulator.cli import output as out
    from simulator.cli.tables import render
    from simulator.sparsity import Pattern
    from simulator.weights.files import read_weights, write_safetensors
    from simulator.weights.prune import prune_tensors

    asked = Pattern.parse(pattern, "--pattern")
    if output is not None:
        out.check_target(output)
        out.check_apart({"-o": output}, weights)
        if output.suffix.lower() != ".safetensors":
            raise WeightsError(f"-o {output}", "unknown format", want=".safetensors")
    tensors = read_weights(weights)
    pruning = prune_tensors(tensors, asked, layers, inputs_first=inputs_first, permute=permute)
    if output is not None:
        write_safetensors(output, pruning.tensors)
    out.write(render([pruning_table(pruning)]).encode(), None)
    for note in () if screen.quiet else pruning.notes:
        print(note, file=sys.stderr)


def pruning_table(pruning: Pruning) -> Grid:
    """A row a tensor and one in all; dense ones are not part of the last."""
    from simulator.cli.grid import Column, Grid

    made = Grid(
        f"{pruning.pattern} by magnitude, share kept; unstructured: same density, per tensor",
        [
            Column("tensor", "name"),
            Column("shape"),
            Column("kept"),
            Column("magnitude"),
            Column("unstructured", group="magnitude"),
            Column("energy"),
            Column("unstructured", group="energy"),
            Column("note", "prose"),
        ],
        drops=("shape", "energy"),
    )
    for layer in pruning.layers:
        shape = "x".join(str(size) for size in layer.shape)
        figures = [] if layer.note else [*_ratios(layer.magnitude), *_ratios(layer.energy)]
        figures = figures or ["-"] * 4
        made.add_row(layer.name, shape, f"{layer.kept / layer.weights:.1%}", *figures, layer.note)
    pruned = [layer for layer in pruning.layers if not layer.note]
    if pruned:
        share = sum(layer.kept for layer in pruned) / sum(layer.weights for layer in pruned)
        totals = [*_ratios(pruning.magnitude), *_ratios(pruning.energy)]
        made.add_row("all", "", f"{share:.1%}", *totals, "")
    return made


def _ratios(kept: Kept) -> list[str]:
    return [f"{kept.pattern_ratio:.4f}", f"{kept.unstructured_ratio:.4f}"]
