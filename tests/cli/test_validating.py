"""Does `nmsim validate` list every row, and is a file of it what the screen shows?"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from test_cli import Nmsim, fine, nmsim

from simulator.validation import validate

__all__ = ["nmsim"]  # the fixture

SETS = ["magicube-fp16", "magicube-int8-more"]


def test_every_row_is_listed_with_its_mapping_and_what_bounds_it(nmsim: Nmsim) -> None:
    text = fine(nmsim("validate", *SETS, "--rows")).text
    rows = [line.split() for line in text.splitlines() if line and line.split()[0].count("x") == 2]
    results = validate(SETS)
    assert len(rows) == sum(len(result.points) for result in results)
    points = {(p.label, f"{p.measured:,.2f}"): p for result in results for p in result.points}
    for row in rows:
        point = points[row[0], row[1]]
        assert row[2:4] == [f"{point.predicted:,.2f}", f"{100 * point.error:+.1f}"]
        assert point.bound in row
        assert " ".join(row[4:]).startswith(point.mapping)


def test_the_worst_rows_of_all_come_in_order(nmsim: Nmsim) -> None:
    text = fine(nmsim("validate", *SETS, "--worst", "7")).text
    _, _, table = text.partition("The 7 rows that the model is furthest off\n")
    shown = [line.split() for line in table.splitlines()[1:8]]
    errors = [abs(point.error) for result in validate(SETS) for point in result.counted]
    want = [f"{100 * error:.1f}" for error in sorted(errors, reverse=True)[:7]]
    found = [[word[1:] for word in row if word[0] in "+-" and "." in word] for row in shown]
    assert found == [[error] for error in want]


def test_a_file_holds_every_row(nmsim: Nmsim) -> None:
    fine(nmsim("validate", *SETS, "--rows", "-o", "rows.csv"))
    frame = pd.read_csv("rows.csv")
    assert len(frame) == 51 + 23
    assert frame["fitted"].sum() == 44
    errors = frame["predicted"] / frame["measured"] - 1
    assert frame["error_ratio"].to_numpy() == pytest.approx(errors.to_numpy())
    assert set(frame["unit"]) == {"µs"}


def test_without_rows_a_file_holds_the_lines(nmsim: Nmsim) -> None:
    lines = json.loads(fine(nmsim("validate", "magicube-int8", "--format", "json")).text)
    assert [line["fitted"] for line in lines] == [True, False]
    assert [(line["counted"], line["published"]) for line in lines] == [(47, 47), (0, 4)]
    assert lines[1]["mean_error_ratio"] is None
    frame = pd.read_csv(io.StringIO(fine(nmsim("validate", "mma", "--format", "csv")).text))
    assert frame["constants"].tolist() == ["fitted"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mma", "--worst", "0"], "Invalid value for '--worst'"),
        (["mma", "-o", "rows.xml"], "-o rows.xml: its ending says no format"),
        (["mam"], "mam: no such data set (did you mean 'mma'?)"),
        (["mma", "-o", "a.csv", "--plot", "no/a.png"], "--plot no/a.png: its folder does not"),
    ],
)
def test_bad_arguments_are_one_line(nmsim: Nmsim, arguments: list[str], says: str) -> None:
    ended = nmsim("validate", *arguments)
    assert ended.code == 2
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert not list(Path().iterdir())
