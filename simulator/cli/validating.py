"""`nmsim validate` as text: errors by data set, worst rows, what was fitted, every figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.text import Text

from simulator.cli.tables import table
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
    more_cells,
    remarks,
)


def validation_parts(
    results: Sequence[Validation], rows: bool, fitted: bool
) -> Iterable[RenderableType]:
    """Errors by data set; then, where asked for, what was fitted to what, and every figure."""
    errors = table(TITLE, COLUMNS, left=["data set"])
    more = table("Worst rows", MORE_COLUMNS, left=MORE_COLUMNS)
    for result in results:
        errors.add_row(*cells(result))
        more.add_row(*more_cells(result))
    for part in (errors, more):
        yield part
        yield Text("")
    for result in results:
        yield Text(f"{result.dataset.name}: {'; '.join(remarks(result))}")
    if fitted:
        yield from _fitted_parts()
    if rows:
        for result in results:
            yield from _every_row(result)


def _fitted_parts() -> Iterable[RenderableType]:
    yield Text("\nFitted: constants of machines and conditions of data sets")
    for fitted in FITTED:
        yield Text(fitted_line(fitted))
    read_off = table("Read off a data set", READ_OFF_COLUMNS, left=["of", "key", "read off"])
    for row in all_read_off_cells():
        read_off.add_row(*row)
    yield Text("")
    yield read_off


def _every_row(result: Validation) -> Iterable[RenderableType]:
    made = table(
        f"{result.dataset.name}, {result.dataset.unit}; mean error with sign "
        f"{100 * result.bias:+.1f} %",
        ["figure", "measured", "predicted", "error", "counts"],
        left=["figure", "counts"],
    )
    for point in result.points:
        made.add_row(
            point.label,
            f"{point.measured:,.2f}",
            f"{point.predicted:,.2f}",
            f"{100 * point.error:+.1f} %",
            "no" if point.set_aside else "yes",
        )
    yield Text("")
    yield made
