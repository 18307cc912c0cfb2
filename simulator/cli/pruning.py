"""The command `nmsim prune`: what a pattern keeps of real weights, and the pruned weights."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.importing import parameters_of
from simulator.cli.options import Parameters
from simulator.cli.pruned import Pruned, of_model, of_tensors
from simulator.cli.screen import screen
from simulator.errors import WeightsError

if TYPE_CHECKING:
    from simulator.quality.spec import PruneSpec

ALL = "all"


def prune(
    weights: Annotated[
        Path,
        typer.Argument(metavar="WEIGHTS", help="File of weights: .safetensors, .npz, model.onnx."),
    ],
    pattern: Annotated[
        str, typer.Option(help="keep:group along the inputs, or unstructured:density.")
    ] = "2:4",
    method: Annotated[
        str, typer.Option(help="magnitude, wanda or sparsegpt; the latter two of ONNX models.")
    ] = "magnitude",
    calibrate: Annotated[
        str | None,
        typer.Option(metavar="INPUTS", help="What an ONNX model is fed with: an .npz of samples by "
                     "input names, or module:function that yields batches."),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Names of tensors, or of an ONNX model's layers, to "
                     "prune; default: all, embeddings in files of weights too."),
    ] = None,
    dense: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Layers of an ONNX model that stay dense."),
    ] = None,
    layers_at_once: Annotated[
        str | None,
        typer.Option(metavar="L", help="Layers pruned on the same inputs, which all before have "
                     "changed: a number, default 1, or all."),
    ] = None,
    damping: Annotated[
        float | None,
        typer.Option(help="Added to the diagonal of Gram matrices, in shares of its mean; "
                     "default: 0.01."),
    ] = None,
    permute: Annotated[
        bool, typer.Option("--permute", help="Reorder inputs so that the pattern keeps more; files "
                           "of weights only.")
    ] = False,
    inputs_first: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Names of matrices stored [in, out], as GPT-2's "
                     "Conv1D: c_attn|c_proj|c_fc."),
    ] = None,
    param: Parameters = None,
    format: Annotated[
        str, typer.Option("--format", help="What is printed: table, json or csv.")
    ] = "table",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write pruned weights: .safetensors, "
                     "or .onnx of an ONNX model."),
    ] = None,
) -> None:  # fmt: skip
    """Prune weights: what is kept, N:M against unstructured, and by how much outputs change."""
    from simulator.cli import output as out
    from simulator.sparsity import parse_prunable

    asked = parse_prunable(pattern, "--pattern")
    kind = out.choose_format(format, None)
    is_model = weights.suffix.lower() == ".onnx"
    if output is not None:
        out.check_target(output)
        out.check_apart({"-o": output}, weights, calibrate)
        wanted = ".onnx" if is_model else ".safetensors"
        if output.suffix.lower() != wanted:
            raise WeightsError(f"-o {output}", "unknown format", want=wanted)
    if is_model:
        from simulator.quality.spec import PruneSpec
        from simulator.weights.methods import DAMPING

        _refuse(OF_WEIGHTS, {"--permute": permute, "--inputs-first": inputs_first})
        spec = PruneSpec(
            asked, method, layers, dense, at_once(layers_at_once),
            DAMPING if damping is None else damping,
        )  # fmt: skip
        result, notes = _pruned_model(weights, spec, calibrate, parameters_of(param, None), output)
    else:
        _refuse(OF_MODELS, {
            "--method": method != "magnitude" and method, "--calibrate": calibrate,
            "--dense": dense, "--layers-at-once": layers_at_once,
            "--damping": damping is not None, "--param": param,
        })  # fmt: skip
        options = {
            "pattern": asked, "layers": layers, "inputs_first": inputs_first, "permute": permute
        }  # fmt: skip
        result, notes = _pruned_tensors(weights, options, output)
    out.write_result(result, kind, None, result.table)
    for note in () if screen.quiet else notes:
        print(note, file=sys.stderr)


OF_WEIGHTS = {
    "--permute": "reorders inputs, which in a model are outputs of others, or of several layers",
    "--inputs-first": "is for files of weights: in a model every operator says how it reads them",
}
OF_MODELS = {
    "--method": "looks at the inputs of layers, which need the ONNX model and --calibrate",
} | dict.fromkeys(
    ("--calibrate", "--dense", "--layers-at-once", "--damping", "--param"),
    "is for ONNX models, and this is a file of weights",
)
"""Options that go with one kind of file, and why they do not with the other."""


def _refuse(options: Mapping[str, str], given: Mapping[str, object]) -> None:
    for option, what in options.items():
        if given[option]:
            got = given[option] if isinstance(given[option], str) else None
            raise WeightsError(option, what, got=got)


def at_once(text: str | None) -> int:
    """What ``--layers-at-once`` says; all is 0."""
    if text is None or text.strip() == ALL:
        return 1 if text is None else 0
    if not text.strip().isdecimal() or int(text) < 1:
        want = f"a number of layers, or {ALL}"
        raise WeightsError("--layers-at-once", "not a number of layers", want=want, got=text)
    return int(text)


def _pruned_tensors(
    weights: Path, options: Mapping[str, Any], output: Path | None
) -> tuple[Pruned, Iterable[str]]:
    """A file of weights, by magnitude."""
    from simulator.weights.prune import prune_file

    pruning = prune_file(weights, output, **options)
    return of_tensors(pruning), pruning.notes


def _pruned_model(
    path: Path, spec: PruneSpec, calibrate: str | None, parameters: dict[str, int],
    output: Path | None,
) -> tuple[Pruned, Iterable[str]]:  # fmt: skip
    """An ONNX model, by any method."""
    from simulator.cli.progress import layers_bar
    from simulator.quality.calibration import calibration_of
    from simulator.quality.memory import megabytes
    from simulator.quality.model import PrunableModel
    from simulator.quality.pruning import prune_model
    from simulator.quality.spec import gram_memory

    model = PrunableModel.read(path, parameters)
    calibration = None if calibrate is None else calibration_of(calibrate, path)
    if calibration is not None and not screen.quiet:
        print(gram_memory(model, spec), file=sys.stderr)
    with layers_bar(first="") as progress:
        pruned = prune_model(model, spec, calibration, progress)
    if output is not None:
        pruned.write(output)
    notes = model.notes
    if pruned.kept_bytes:
        notes.append(f"activations between layers: at most {megabytes(pruned.kept_bytes)}")
    return of_model(pruned, str(spec.patterns)), notes
