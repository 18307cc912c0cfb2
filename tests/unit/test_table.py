"""Is a CSV cut into cells as it is written, and is what cannot be cut pointed at?"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator import simulate
from simulator.errors import SimulatorError, WorkloadError
from simulator.importers import load_workload
from simulator.workload import Gemm
from simulator.workload.table import read_table
from simulator.workload.trace import read_trace

HEADER = "name,kind,m,n,k\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.csv"


def refused(path: Path, text: str | bytes) -> str:
    """What stands behind the file's name in the one line that a bad trace ends in."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SimulatorError) as caught:
        load_workload(path)
    found = str(caught.value)
    assert "\n" not in found
    return found.removeprefix(str(path))


# Quotes

OPEN = ": a quote that is not closed on its line, want no line end inside a cell"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ('"fc,linear,8,8,8\n', f":2:1{OPEN}"),
        ('fc,linear,"8,8,8\n', f":2:11{OPEN}"),
        ('fc,linear, "8,8,8\n', f":2:12{OPEN}"),
        ('"a\nb",linear,8,8,8\n', f":2:1{OPEN}"),
        ('fc,linear,8,8,"8\n"\n', f":2:15{OPEN}"),
        ('"f""c,linear,8,8,8\n', f":2:1{OPEN}"),
        ('a,linear,8,8,8\n"b\n#c",linear,8,8,8\n', f":3:1{OPEN}"),
        ('"fc"x,linear,8,8,8\n', ":2:1: text behind a closing quote, got '\"fc\"x'"),
    ],
)
def test_a_quote_opens_and_closes_on_its_line(path: Path, rows: str, says: str) -> None:
    assert refused(path, HEADER + rows) == says


def test_a_quote_that_is_open_in_the_header(path: Path) -> None:
    assert refused(path, '"name,kind,m,n,k\nfc,linear,8,8,8\n') == f":1:1{OPEN}"


@pytest.mark.parametrize(
    ("cell", "name"),
    [('"a, b"', "a, b"), ('"a ""b"""', 'a "b"'), ('5" disk', '5" disk'), ('"#1"', "#1")],
)
def test_quotes_that_are_fine(path: Path, cell: str, name: str) -> None:
    path.write_text(f"{HEADER}{cell},linear,8,8,8\n")
    assert load_workload(path).layers == (Gemm(name, 8, 8, 8),)


texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=6)


@given(rows=st.lists(st.lists(texts, min_size=2, max_size=6), min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cells_are_those_that_python_s_writer_wrote(path: Path, rows: list[list[str]]) -> None:
    """The writer quotes what it must; blank rows and comments are no rows."""
    rows = [row for row in rows if not row[0].startswith("#") and "".join(row).strip(",;")]
    if not rows:
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["name", "kind"], *rows])
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    table = read_table(path)
    assert [[cell.text for cell in row.cells] for row in table.rows[1:]] == rows
    for row in table.rows:
        line = text.getvalue().split("\n")[row.line - 1]
        for cell in row.cells:
            at = int(cell.where.rsplit(":", 1)[1]) - 1
            assert line[at:].startswith((cell.text, '"' + cell.text.replace('"', '""')))


# What separates cells


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_commas_tabs_and_semicolons_separate(path: Path, separator: str) -> None:
    path.write_text(f"# a, b\n{HEADER}\nfc,linear,8,16,32,,\n".replace(",", separator))
    assert load_workload(path).layers == (Gemm("fc", 8, 16, 32),)


def test_positions_where_tabs_separate(path: Path) -> None:
    rows = "name\tkind\tm\tn\tk\nfc\t linear\t8\tx\t8\n"
    assert refused(path, rows).startswith(":2:14 n: unknown parameter 'x'")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEADER}fc\tlinear\t8\t8\t8\n", ":2: cells are separated by tabs, want commas"),
        (f"{HEADER}fc;linear;8;8;8\n", ":2: cells are separated by semicolons, want commas"),
        ("name\tkind\nfc,softmax\n", ":2: cells are separated by commas, want tabs"),
    ],
)
def test_a_row_is_separated_as_its_header(path: Path, text: str, says: str) -> None:
    assert refused(path, text) == f"{says}, as in the header"


# Headers, parameters, texts


def test_a_header_may_end_in_commas(path: Path) -> None:
    path.write_text("name,kind,m,n,k,,\nfc,linear,8,8,8,,\n")
    assert load_workload(path).layers == (Gemm("fc", 8, 8, 8),)
    assert "more cells than columns" in refused(path, "name,kind,m,n,k,,\nfc,linear,8,8,8,9,\n")


def test_a_column_in_capitals_is_pointed_at(path: Path) -> None:
    text = "Name,Kind,m,n,k\nfc,linear,8,8,8\n"
    assert refused(path, text) == ":1:1: unknown column, got 'Name' (did you mean 'name'?)"


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("# parameter: a = 1\n# parameter: a = 1\n", ":2: parameter 'a' is declared twice"),
        ("# parameter: a = 1\n# b\n#parameter:a=2\n", ":3: parameter 'a' is declared twice"),
        ("# Parameter: a = 1\n", ":1: want '# parameter: name = value'"),
        ("# parameters: a = 1\n", ":1: want '# parameter: name = value'"),
        ("# parameter: A2 = 1\n", ":1: want '# parameter: name = value'"),
    ],
)
def test_parameters_are_declared_once_and_as_they_should(path: Path, lines: str, says: str) -> None:
    assert refused(path, f"{lines}{HEADER}fc,linear,8,8,8\n").startswith(says)
    path.write_text(f"{lines}{HEADER}fc,linear,8,8,8\n")
    with pytest.raises(WorkloadError):  # whatever else is given for it
        read_trace(read_table(path), {"a": 3})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"name,kind\nfc,li\x00near\n", ":2:6: not text: a control character, got '\\x00'"),
        (b"\x1bname,kind\n", ":1:1: not text: a control character"),
        (HEADER.encode("utf-16"), ": not UTF-8 text: byte 0 (looks like UTF-16: save it as UTF-8)"),
        (b"name,kind\r\xe9,linear\r", ": not UTF-8 text: byte 10"),
    ],
)
def test_what_is_no_text_is_pointed_at(path: Path, text: bytes, says: str) -> None:
    assert refused(path, text).startswith(says)


def test_a_separator_of_lines_that_no_editor_shows_is_a_character(path: Path) -> None:
    path.write_text(f"{HEADER}f\u2028c,linear,8,8,8\nfc,linear,x,8,8\n", encoding="utf-8")
    with pytest.raises(WorkloadError, match=r"trace\.csv:3:11 m: "):
        load_workload(path)


def test_an_oversized_streaming_layer_is_not_called_a_gemm(path: Path) -> None:
    path.write_text(f"name,kind,reads,writes\ns,softmax,{2**40},5\n")
    with pytest.raises(WorkloadError) as caught:
        simulate("nm-edge", path)
    found = str(caught.value)
    assert "gemm" not in found.lower()
    assert f"softmax of {2**40} reads and 5 writes: too large to simulate" in found
