"""Do lines, families and worst rows hold the points that they should, and no others?"""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import pytest

from simulator.validation import DataSet, Measurement, Validation
from simulator.validation.summary import (
    cells,
    constants,
    explained,
    family_cells,
    marked,
    more_cells,
    remarks,
)
from simulator.validation.table import every, line_records, worst


def point(label: str, error: float, family: str = "", **more: object) -> Measurement:
    """A row whose measured value is 100."""
    return Measurement(label, 100, 100 * (1 + error), family=family, **more)  # type: ignore[arg-type]  # fields


def result(*points: Measurement, bound: float | None = None) -> Validation:
    return Validation(DataSet("some", "Some rows", "none", "µs", lambda: points, bound), points)


MIXED = result(
    *(point(f"a{n}", 0.02, "a", fitted=True) for n in range(8)),
    *(point(f"b{n}", -0.10, "b", part="slow") for n in range(9)),
    *(point(f"c{n}", 0.50, "c", part="short") for n in range(7)),
    point("refused", 4.0, "b", set_aside="never ran"),
    bound=0.05,
)


def test_no_line_mixes_rows_that_a_fit_has_seen_with_others() -> None:
    seen, others = MIXED.lines()
    assert cells(seen)[:3] == ("some *", "8", "2.0")
    assert cells(others) == ("some", "16 of 17", "27.5", "49.4", "10.0", "+50.0", "-")
    assert (more_cells(seen)[1], more_cells(others)[1]) == ("fitted", "held out")
    assert marked([MIXED])
    assert not marked([others])


def test_words_for_constants_are_explained_where_they_occur() -> None:
    assert explained(MIXED.lines()) == [
        "fitted: numbers were fitted to these rows",
        "held out: these rows decided nothing",
    ]
    chosen = replace(MIXED, dataset=replace(MIXED.dataset, chosen="the card's clock"))
    assert [constants(line) for line in chosen.lines()] == ["fitted", "chosen"]
    assert "chosen after looking: the card's clock" in remarks(chosen)


def test_remarks_name_parts_by_line() -> None:
    assert "slow (9 rows) 10.0 %" in remarks(MIXED)
    both = result(point("a", 0.1, part="k", fitted=True), point("b", 0.2, part="k"))
    assert remarks(both)[1:] == ["k * (1 row) 10.0 %", "k (1 row) 20.0 %"]


def test_families_of_eight_rows_are_held_to_twice_the_bound() -> None:
    assert family_cells([MIXED]) == [
        ("some *", "a", "8", "2.0", "10.0"),
        ("some", "b", "9", "10.0", "10.0"),
    ]
    assert set(MIXED.families()) == {"a", "b"}
    assert MIXED.families()["b"].mape == pytest.approx(0.10)  # without the row that does not count


def test_the_worst_rows_are_of_those_that_count() -> None:
    figures = worst([MIXED], 9)
    assert [point.label for _, point in figures] == [f"c{n}" for n in range(7)] + ["b0", "b1"]
    assert len(every([MIXED])) == 25


def test_a_line_without_a_row_that_counts_has_no_mean() -> None:
    (line,) = result(point("refused", 3, set_aside="never ran")).lines()
    assert isnan(line.mape)
    assert isnan(line.bias)
    assert cells(line) == ("some", "0 of 1", "-", "300.0", "-", "-", "-")
    (record,) = line_records([line]).records
    assert (record["mean_error_ratio"], record["worst_row"]) == (None, None)
