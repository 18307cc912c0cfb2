"""What an advice passes to its page: gains by batch and by layer, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from simulator.decisions.advice.told import ADVISED
from simulator.names import capitalised, words
from simulator.pages import AnswerPage, Bars, Column, Section, answer_html
from simulator.quantities import count, percent, whole_percent
from simulator.report.stalls import STALLS
from simulator.version import __version__

if TYPE_CHECKING:
    from simulator.decisions.advice.breakeven import BreakEven
    from simulator.decisions.advice.result import Advice, LayerAdvice

MOST_BARS: Final = 7
"""Patterns that have a bar in every row; the advice has one of its own, and colours are eight."""

MOST_COLUMNS: Final = 5
"""Patterns whose gains have a column beside those bars; more are told of the chosen row."""


def advice_html(advice: Advice, commands: Mapping[str, str]) -> str:
    """The page of an advice; ``commands`` are lines for a shell, by what they are for."""
    sections = [_batches(advice)] if advice.batches else []
    sections += [_layers(advice)] if advice.layers else []
    return answer_html(
        AnswerPage(
            title=f"Does sparsity pay? {advice.title}",
            facts=tuple(_facts(advice)),
            sentences=tuple(sorted(advice.sentences(), key=_is_beside)),
            sections=tuple(sections),
            notes=advice.notes,
            made_by=f"nmsim {__version__}",
            commands=tuple(commands.items()),
        )
    )


def _is_beside(sentence: str) -> bool:
    """Whether a sentence stands behind what is advised, which a page begins with."""
    return not sentence.startswith(ADVISED)


def _facts(advice: Advice) -> Iterator[str]:
    yield f"dense or {' or '.join(advice.patterns)}"
    yield f"{count(len(advice.layers), 'kernel')} with weights"
    yield f"{whole_percent(advice.bearing_ratio)} of dense time"


def _patterns(advice: Advice) -> tuple[str, ...]:
    """In their order; where not all have a bar, those that are advised come first."""
    if len(advice.patterns) <= MOST_BARS:
        return advice.patterns
    advised = {layer.pattern for layer in advice.layers if not layer.is_dense}
    return tuple(sorted(advice.patterns, key=lambda pattern: pattern not in advised))


def _bars(advice: Advice, columns: Sequence[int], strong: tuple[int | None, ...] = ()) -> Bars:
    """Gains around 1, and those that are ties."""
    band = advice.band.error_ratio if advice.band else 0.0
    says = f"a tie: gains here were off by {percent(band)} where they were measured"
    return Bars(tuple(columns), 1.0, band, says, strong=strong)


def _gains(advice: Advice) -> tuple[Column, ...]:
    return tuple(Column(pattern, "figure", "times", True) for pattern in _patterns(advice))


def _batches(advice: Advice) -> Section:
    many = len(advice.patterns)
    return Section(
        title="Gain by batch",
        says=(
            "Dense time over the time where all layers are asked to follow a pattern, and as "
            "advised; layers that the software runs dense stay dense.",
        ),
        columns=(
            Column("batch", "choice"),
            Column("dense time", "figure", "time"),
            *_gains(advice),
            Column("as advised", "figure", "times", True),
            Column("with weights", "figure", "ratio"),
            Column("sparse layers", "text"),
        ),
        rows=[
            (row.batch, row.dense_ns, *(row.gains[pattern] for pattern in _patterns(advice)),
             row.advised, row.bearing_ratio, f"{row.sparse:,} of {row.layers:,}")
            for row in advice.batches
        ],
        bars=_bars(advice, (*range(2, 2 + min(many, MOST_BARS)), 2 + many)),
    )  # fmt: skip


def _layers(advice: Advice) -> Section:
    patterns = _patterns(advice)
    many = len(patterns)
    fewer = f" {MOST_BARS} of {many} patterns have a bar." if many > MOST_BARS else ""
    return Section(
        title="Layers, and what each would gain",
        says=(
            "Bars are dense time over time under each pattern: right of 1 the pattern is faster. "
            f"The pattern that is advised is drawn full.{fewer}",
        ),
        columns=(
            Column("layer", "text"),
            Column("advised", "outcome"),
            Column("what it gains", "outcome"),
            Column("share of dense time", "figure", "ratio"),
            *_gains(advice),
            Column("dense time, once", "figure", "time"),
            Column("times", "figure"),
            *(Column(size, "figure") for size in "mnk"),
        ),
        rows=[_row(advice, layer) for layer in advice.layers],
        hidden=tuple(range(4 + min(many, MOST_COLUMNS), 9 + many)),
        filters=(1, 2),
        bars=_bars(
            advice,
            range(4, 4 + min(many, MOST_BARS)),
            tuple(
                None if layer.is_dense else patterns.index(layer.pattern) for layer in advice.layers
            ),
        ),
        details=[tuple(_told(layer)) for layer in advice.layers],
        chosen=max(range(len(advice.layers)), key=lambda at: _spent(advice.layers[at])),
    )


def _spent(layer: LayerAdvice) -> float:
    """Dense time with all repeats, in nanoseconds."""
    return layer.dense_ns * layer.repeat


def _row(advice: Advice, layer: LayerAdvice) -> tuple[str | int | float, ...]:
    share = _spent(layer) / advice.dense.total.time_ns
    why = f": {layer.reason.kind}" if layer.reason else ""
    gains = (layer.gains[pattern] for pattern in _patterns(advice))
    sizes = (layer.m, layer.n, layer.k)
    advised = "dense" if layer.is_dense else layer.pattern
    return (
        layer.name,
        advised,
        f"{layer.outcome}{why}",
        share,
        *gains,
        layer.dense_ns,
        layer.repeat,
        *sizes,
    )


def _told(layer: LayerAdvice) -> Iterator[str]:
    """Why it does not gain, and what would help."""
    if len(layer.members) > 1:
        yield f"One kernel of {', '.join(layer.members)}."
    if layer.count > 1:
        yield f"{layer.count} products of these sizes."
    if layer.reason is None:
        return
    yield f"{capitalised(layer.reason.text)}."
    for kind in layer.reason.stalls:
        if lowered := STALLS[kind].lowered_by:
            yield f"{capitalised(words(kind))} is lowered by relaxing {', '.join(lowered)}."
    yield from _from_size(layer, "n", layer.columns)
    yield from _from_size(layer, "m x k", layer.width)


def _from_size(layer: LayerAdvice, sizes: str, found: BreakEven | None) -> Iterator[str]:
    if found is None:
        return
    if found.factor is None:
        most = str(found).removeprefix("> ")
        yield f"It would not gain by {layer.best} up to {sizes} = {most}."
    else:
        now = f"{layer.n}" if sizes == "n" else f"{layer.m} x {layer.k}"
        yield f"It would gain by {layer.best} from {sizes} = {found} on; it is {now}."
