"""`nmsim validate` as text: errors by data set, worst rows, what was fitted, every figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import mean

from simulator.cli.grid import Grid, headings
from simulator.cli.tables import Part
from simulator.quantities import count
from simulator.validation import FAMILY_ROWS, Measurement, Validation
from simulator.validation.advised import Decision, decisions_told
from simulator.validation.decisions import counted
from simulator.validation.fitted import FITTED
from simulator.validation.summary import (
    COLUMNS,
    FAMILY_COLUMNS,
    MORE_COLUMNS,
    READ_OFF_COLUMNS,
    TITLE,
    all_read_off_cells,
    cells,
    explained,
    family_cells,
    fitted_line,
    lines,
    marked,
    more_cells,
    name,
    remarks,
)
from simulator.validation.table import worst

FIGURES = ("figure", "measured", "predicted", "error %", "mapping", "bound", "counts")
"""Of every row; the worst ones also name their data set and its unit."""

DROPS = ("counts", "mapping", "unit", "bound")
"""Columns that are left out where a terminal is too narrow, the first one first."""


def validation_parts(results: Sequence[Validation], verbose: bool) -> Iterable[Part]:
    """Errors by data set; then, where asked for, errors by family, and what was fitted to what."""
    errors = Grid(TITLE, headings(COLUMNS, word=["data set"]), drops=["roofline"])
    more = Grid(
        "Constants, and the worst row",
        headings(MORE_COLUMNS, word=MORE_COLUMNS[:-1], prose=MORE_COLUMNS[-1:]),
    )
    for line in lines(results):
        errors.add_row(*cells(line))
        more.add_row(*more_cells(line))
    yield errors
    yield from marked(results)
    yield ""
    yield more
    yield from explained(results)
    yield ""
    for result in results:
        yield f"{result.dataset.name}: {'; '.join(remarks(result))}"
    for result in results:
        if result.dataset.decides and (verbose or len(results) == 1):
            yield from _decision_parts()
    if verbose:
        yield from _family_parts(results)
        yield from _fitted_parts()


DECISIONS = ("gain", "published", "predicted", "verdict", "advised", "verdict ")
"""Two answers, each with its verdict."""


def _decision_parts() -> Iterable[Part]:
    """Every gain, and whether it is on the side of 1 that was published; what is wrong, and why."""
    told = decisions_told()
    made = Grid(
        "Gains, and decisions by them",
        headings(DECISIONS, word=["verdict", "verdict "], prose=["gain"]),
    )
    for one in told:
        predicted, advised = f"{one.predicted:.3f}", f"{one.advised:.3f}"
        gains = f"{one.published:.3f}", predicted, one.of_predicted, advised, one.of_advised
        made.add_row(one.label, *gains)
    yield ""
    yield made
    yield f"predicted: by that software's own kernels; {_said(told, 'predicted')}"
    yield f"advised: two plain runs of the preset and the trace; {_said(told, 'advised')}"
    bands = dict.fromkeys(one.band for one in told if one.band is not None)
    within = ", ".join(f"{band.machine} {100 * band.error_ratio:.1f} %" for band in bands)
    yield f"tie: the model's gain is nearer to 1 than its machine's gains are known: {within}"
    yield from (f"wrong: {one.label}: {one.reason}" for one in told if one.reason)


def _said(told: Sequence[Decision], answer: str) -> str:
    """How many verdicts of each kind an answer comes to, and how far off it is."""
    counts = counted(getattr(one, f"of_{answer}") for one in told)
    of_device = [one for one in told if not one.host]
    error = mean(getattr(one, answer) / one.published - 1 for one in of_device)
    verdicts = ", ".join(f"{many} {verdict}" for verdict, many in counts.items())
    signed = f"{100 * error:+.1f} % on average where the host does not decide"
    return f"{verdicts} of {len(told)}; {signed}"


def _family_parts(results: Sequence[Validation]) -> Iterable[Part]:
    title = f"Families of {FAMILY_ROWS} rows and more: mean absolute errors in per cent"
    made = Grid(title, headings(FAMILY_COLUMNS, word=["data set", "family"]))
    for row in family_cells(results):
        made.add_row(*row)
    if made.rows:
        yield ""
        yield made


def _fitted_parts() -> Iterable[Part]:
    yield ""
    yield "Fitted: constants of machines and conditions of data sets"
    for fitted in FITTED:
        yield fitted_line(fitted)
    words, prose = READ_OFF_COLUMNS[:1], ["key", "read off"]
    read_off = Grid("Read off a data set", headings(READ_OFF_COLUMNS, word=words, prose=prose))
    for row in all_read_off_cells():
        read_off.add_row(*row)
    yield ""
    yield read_off


def worst_parts(results: Sequence[Validation], most: int) -> Iterable[Part]:
    """The rows of all data sets on which the model is furthest off."""
    figures = worst(results, most)
    rows = [(name(line), line.dataset.unit, *_cells(point)) for line, point in figures]
    title = f"The {count(len(rows), 'row')} that the model is furthest off"
    yield ""
    yield _figures(title, ("data set", "unit", *FIGURES), rows)
    yield from marked(results)


def every_row_parts(results: Sequence[Validation]) -> Iterable[Part]:
    """Every row of each data set, those that fits have seen in a table of their own."""
    for line in lines(results):
        title = f"{name(line)}, {line.dataset.unit}; mean error with sign {100 * line.bias:+.1f} %"
        yield ""
        yield _figures(title, FIGURES, [_cells(point) for point in line.points])


def _cells(point: Measurement) -> tuple[str, ...]:
    return (
        point.label,
        f"{point.measured:,.2f}",
        f"{point.predicted:,.2f}",
        f"{100 * point.error:+.1f}",
        point.mapping,
        point.bound,
        "no" if point.set_aside else "yes",
    )


def _figures(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    """A table of figures, without columns that say nothing of any."""
    silent = ("", "yes")
    shown = [at for at in range(len(titles)) if any(row[at] not in silent for row in rows)]
    titles = [titles[at] for at in shown]
    words = ["data set", "unit", "figure", "bound", "counts"]
    made = Grid(title, headings(titles, word=words, prose=["mapping"]), drops=DROPS)
    for row in rows:
        made.add_row(*(row[at] for at in shown))
    return made
