"""`nmsim validate` as text: errors by data set, worst rows, what was fitted, every figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulator.cli.grid import Grid, headings
from simulator.cli.tables import Part
from simulator.validation import Validation
from simulator.validation.fitted import FITTED
from simulator.validation.summary import (
    COLUMNS,
    MORE_COLUMNS,
    READ_OFF_COLUMNS,
    TITLE,
    all_read_off_cells,
    cells,
    fitted_line,
    lines,
    marked,
    more_cells,
    remarks,
)


def validation_parts(results: Sequence[Validation], rows: bool, fitted: bool) -> Iterable[Part]:
    """Errors by data set; then, where asked for, what was fitted to what, and every figure."""
    errors = Grid(TITLE, headings(COLUMNS, word=["data set"]), drops=["roofline"])
    more = Grid(
        "Worst rows", headings(MORE_COLUMNS, word=MORE_COLUMNS[:-1], prose=MORE_COLUMNS[-1:])
    )
    for line in lines(results):
        errors.add_row(*cells(line))
        more.add_row(*more_cells(line))
    for part in (errors, more):
        yield part
        yield from marked(results)
        yield ""
    for result in results:
        yield f"{result.dataset.name}: {'; '.join(remarks(result))}"
    if fitted:
        yield from _fitted_parts()
    if rows:
        for result in results:
            yield from _every_row(result)


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


def _every_row(result: Validation) -> Iterable[Part]:
    made = Grid(
        f"{result.dataset.name}, {result.dataset.unit}; mean error with sign "
        f"{100 * result.bias:+.1f} %",
        headings(["figure", "measured", "predicted", "error", "counts"], word=["figure", "counts"]),
        drops=["counts"],
    )
    for point in result.points:
        made.add_row(
            point.label,
            f"{point.measured:,.2f}",
            f"{point.predicted:,.2f}",
            f"{100 * point.error:+.1f} %",
            "no" if point.set_aside else "yes",
        )
    yield ""
    yield made
