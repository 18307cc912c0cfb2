"""CSV files as they really are, with the line and column of every cell."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from simulator import catalog
from simulator.errors import WorkloadError

MAX_FILE_BYTES, MAX_LINES, MAX_CELLS = 16 * 2**20, 200_000, 32
"""Of a file, a file and a line; a cell takes a hundred times as much memory as its comma."""

SPACES = re.compile(r"\s*")


@dataclass(frozen=True)
class Cell:
    """A stripped cell and where it stands."""

    text: str
    where: str


@dataclass(frozen=True)
class Row:
    """A row that is neither blank nor a comment."""

    path: Path
    line: int
    cells: tuple[Cell, ...]

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Table:
    """All rows of a file, and its comment lines."""

    path: Path
    rows: tuple[Row, ...]
    comments: tuple[Cell, ...]


def read_table(path: Path) -> Table:
    """Read a CSV: BOM, CRLF, blank rows, trailing commas and ``#`` lines are all right.

    Raises
    ------
    WorkloadError
        If the file cannot be read, is not text, or holds no rows.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise WorkloadError(str(path), "too large for a layer trace", want="at most 16 MiB")
    except OSError as error:
        raise WorkloadError(str(path), f"cannot be read: {error.strerror}") from None
    text = catalog.text_of(path, WorkloadError)
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise WorkloadError(str(path), "too many lines", want=f"at most {MAX_LINES}")
    rows: list[Row] = []
    comments: list[Cell] = []
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped.startswith("#"):
            comments.append(Cell(stripped, f"{path}:{number}"))
        elif stripped.strip(", \t"):
            rows.append(Row(path, number, _cells(path, number, line)))
    if not rows:
        raise WorkloadError(str(path), "is empty", want="a header and one layer a line")
    return Table(path, tuple(rows), tuple(comments))


def _cells(path: Path, number: int, line: str) -> tuple[Cell, ...]:
    if line.count(",") >= MAX_CELLS:
        raise WorkloadError(f"{path}:{number}", "too many cells", want=f"at most {MAX_CELLS}")
    try:
        (fields,) = csv.reader(io.StringIO(line), skipinitialspace=True)
    except (csv.Error, ValueError) as error:
        raise WorkloadError(f"{path}:{number}", f"not CSV: {error}") from None
    columns = _columns(line)
    return tuple(
        Cell(text.strip(), f"{path}:{number}:{columns[min(index, len(columns) - 1)]}")
        for index, text in enumerate(fields)
    )


def _columns(line: str) -> list[int]:
    """Where the cells of a line start: behind commas outside quotes, and behind spaces."""
    starts, quoted = [0], False
    for position, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            starts.append(position + 1)
    return [match.end() + 1 for start in starts if (match := SPACES.match(line, start))]
