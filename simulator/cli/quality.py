"""The command `nmsim quality`: what a model still gets right, pattern by pattern."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from simulator.cli.importing import parameters_of
from simulator.cli.keeping import StoreFile, files_of, interruptible, say
from simulator.cli.options import Format, Output, Parameters
from simulator.cli.pruning import at_once
from simulator.cli.screen import note_lines
from simulator.errors import SpecError
from simulator.names import words
from simulator.quantities import count, percent

if TYPE_CHECKING:
    from simulator.cli.grid import Grid
    from simulator.cli.tables import Part
    from simulator.quality.measured import Figure, Measured
    from simulator.quality.study import QualityResult

OnnxFile = Annotated[
    Path, typer.Argument(metavar="MODEL", help="The model to prune, as an ONNX file.")
]
Patterns = Annotated[
    str | None,
    typer.Option(help="Such as 3:4,2:4,unstructured:0.5; default: 2:4, or none with --mix."),
]
Methods = Annotated[
    str, typer.Option(help="Ways to prune: magnitude, wanda, sparsegpt; one or more.")
]
Measure = Annotated[
    str, typer.Option(help="drift, text-lines, or module:function, from a path to named figures.")
]
Calibrate = Annotated[
    str | None,
    typer.Option(
        metavar="INPUTS",
        help="INPUTS.npz or module:function: what wanda and sparsegpt calibrate on. text-lines "
        "draws lines for it.",
    ),
]
Inputs = Annotated[
    str | None,
    typer.Option(metavar="INPUTS", help="What drift measures on; default: as --calibrate."),
]
Layers = Annotated[
    str | None, typer.Option(metavar="REGEX", help="Layers to prune, by name; default: all.")
]
Dense = Annotated[
    str | None,
    typer.Option(metavar="REGEX", help="Layers that stay dense, by name; default: none."),
]
Mix = Annotated[
    Path | None,
    typer.Option(metavar="TRACE", help="A trace whose patterns, layer by layer, are measured."),
]
EachLayer = Annotated[
    bool, typer.Option("--each-layer", help="Prune one layer at a time, all others dense.")
]
AtOnce = Annotated[
    str | None,
    typer.Option(
        metavar="L",
        help="Layers pruned on the same inputs, which all before have changed: a number, default "
        "1, or all.",
    ),
]
Damping = Annotated[
    float | None,
    typer.Option(
        help="Added to the diagonal of Gram matrices, in shares of its mean; default: 0.01."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of the lines that text-lines draws to read.")]


def quality(
    model: OnnxFile,
    patterns: Patterns = None,
    methods: Methods = "magnitude",
    measure: Measure = "drift",
    calibrate: Calibrate = None,
    inputs: Inputs = None,
    layers: Layers = None,
    dense: Dense = None,
    mix: Mix = None,
    each_layer: EachLayer = False,
    layers_at_once: AtOnce = None,
    damping: Damping = None,
    param: Parameters = None,
    seed: Seed = 0,
    store: StoreFile = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Prune an ONNX model and measure what it still gets right (needs the extra 'quality').

    Rows of a store go on where they were, however the command ended.
    """
    from simulator.cli import output as out
    from simulator.cli.tables import render
    from simulator.quality.plan import QualityStudy
    from simulator.quality.study import measure_quality
    from simulator.weights.methods import DAMPING

    kind = out.prepare(format, {"-o": output, **files_of("--store", store)}, model, mix)
    study = QualityStudy(
        model=model,
        patterns=_patterns(patterns, mix),
        methods=_listed("--methods", methods),
        measure=measure,
        calibrate=calibrate,
        inputs=inputs,
        layers=layers,
        dense=dense,
        mix=mix,
        each_layer=each_layer,
        layers_at_once=at_once(layers_at_once),
        damping=DAMPING if damping is None else damping,
        parameters=parameters_of(param, None),
        seed=seed,
    )
    with interruptible(store, "rows") as progress:
        result = measure_quality(study, store=store, progress=progress)
    if kind != "table":
        say(result.notes)
    out.write_result(result, kind, output, lambda: render(_parts(result, each_layer)))


def _parts(result: QualityResult, each_layer: bool) -> Iterator[Part]:
    """What was measured, and for every figure a table of patterns and one of layers."""
    from simulator.quality.plan import MIXED

    dense, *pruned = result.rows
    alone = [row for row in pruned if each_layer and row.pattern != MIXED]
    whole = [row for row in pruned if row not in alone]
    rows = count(len(result.rows), "row")
    yield f"{dense.network} by {dense.task}, {rows}: {result.computed} measured now, " \
          f"{result.known} known before"  # fmt: skip
    yield f"Dense: {', '.join(_sentence(name, it) for name, it in dense.figures_of.items())}"
    yield from note_lines(result.notes)
    for name in dense.figures_of:
        if whole:
            yield ""
            yield _patterns_table(name, dense, whole)
        if alone:
            yield ""
            yield _layers_table(name, dense, alone)


def _patterns_table(name: str, dense: Measured, rows: Sequence[Measured]) -> Grid:
    """A row a pattern and a column a method."""
    from simulator.cli.grid import Column, Grid

    methods = list(dict.fromkeys(row.method for row in rows))
    found = {(row.pattern, row.method): row for row in rows}
    heads = [Column("pattern", "word"), Column("kept"), *map(Column, methods)]
    made = Grid(_title(name, [dense, *rows]), heads, drops=("kept",))
    made.add_row(dense.pattern, _kept(dense), *[_cell(name, dense.figures_of[name])] * len(methods))
    for pattern in dict.fromkeys(row.pattern for row in rows):
        here = [found.get((pattern, method)) for method in methods]
        first = next(row for row in here if row is not None)
        made.add_row(pattern, _kept(first), *(_figure(name, row) for row in here))
    return made


def _layers_table(name: str, dense: Measured, rows: Sequence[Measured]) -> Grid:
    """A row a layer and pattern, what hurts most first, and a column a method."""
    from simulator.cli.grid import Column, Grid
    from simulator.quality.table import pruned_layers

    methods = list(dict.fromkeys(row.method for row in rows))
    found: dict[tuple[str, str], dict[str, Measured]] = {}
    for row in rows:
        found.setdefault((pruned_layers(row)[0], row.pattern), {})[row.method] = row
    heads = [Column("layer", "name"), Column("pattern", "word"), *map(Column, methods)]
    made = Grid(f"{_title(name, [dense, *rows])}, one layer pruned at a time", heads)
    sign = 1 if dense.figures_of[name].higher_is_better else -1

    def worst(item: tuple[tuple[str, str], dict[str, Measured]]) -> float:
        return min(sign * row.figures_of[name].value for row in item[1].values())

    for (layer, pattern), by_method in sorted(found.items(), key=worst):
        made.add_row(layer, pattern, *(_figure(name, by_method.get(m)) for m in methods))
    return made


SHARES: Final = ("accuracy", "agreement")
"""How names of figures end that are shares of 1, which people read in per cent."""


def _title(name: str, rows: Sequence[Measured]) -> str:
    figures = [row.figures_of[name] for row in rows if name in row.figures_of]
    unit = " in %" if name.endswith(SHARES) else ""
    errors = " and standard error" if any(figure.error for figure in figures) else ""
    better = "" if figures[0].higher_is_better else ", lower is better"
    text = words(name)
    return f"{text[:1].upper()}{text[1:]}{unit}{errors}{better}"


def _sentence(name: str, figure: Figure) -> str:
    return f"{words(name)} {_cell(name, figure)}{' %' if name.endswith(SHARES) else ''}"


def _figure(name: str, row: Measured | None) -> str:
    figures = {} if row is None else row.figures_of
    return _cell(name, figures[name]) if name in figures else "-"


def _cell(name: str, figure: Figure) -> str:
    """``99.2 ± 0.3``: of a share tenths of a per cent, else two digits of the error."""
    if name.endswith(SHARES):
        return _with_error(100 * figure.value, 100 * figure.error, 1)
    if not figure.error:
        return f"{figure.value:.4g}"
    decimals = 1 - math.floor(math.log10(figure.error))
    return _with_error(figure.value, figure.error, min(4, max(0, decimals)))


def _with_error(value: float, error: float, decimals: int) -> str:
    """An error that is rounded to nothing is none."""
    text, spread = f"{value:.{decimals}f}", f"{error:.{decimals}f}"
    return f"{text} ± {spread}" if float(spread) else text


def _kept(row: Measured) -> str:
    return percent(row.nonzeros / row.weights)


def _patterns(text: str | None, mix: Path | None) -> list[str]:
    """Those that are named; a mix is enough alone."""
    if text is None:
        return ["2:4"] if mix is None else []
    return _listed("--patterns", text)


def _listed(option: str, text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise SpecError(option, "names none", got=text)
    return parts
