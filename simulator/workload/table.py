"""CSV files as they really are, with the line and column of every cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from simulator import catalog
from simulator.errors import WorkloadError

MAX_FILE_BYTES, MAX_LINES, MAX_CELLS, MAX_CHARACTERS = 16 * 2**20, 200_000, 32, 10_000
"""Of a file, a file, a line and a cell; a cell takes a hundred times as much memory as its comma.
"""

SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}
"""What may stand between cells; the first that a file's header holds is the file's."""

BLANK = "".join(SEPARATORS) + " "
"""What spreadsheets leave of cells that are empty, behind comments, too."""

QUOTED = re.compile(r'"((?:[^"]|"")*+)"')


class Cell(NamedTuple):
    """A stripped cell and where it stands: a line, and a column unless it is the whole of it."""

    text: str
    line: str
    column: int | None = None

    @property
    def where(self) -> str:
        return self.line if self.column is None else f"{self.line}:{self.column}"


@dataclass(frozen=True)
class Row:
    """A row that is neither blank nor a comment."""

    path: Path
    line: int
    cells: tuple[Cell, ...]

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def filled(self) -> tuple[Cell, ...]:
        """The cells up to the last one that is not empty: trailing separators mean nothing."""
        count = len(self.cells)
        while count > 1 and not self.cells[count - 1].text:
            count -= 1
        return self.cells[:count]


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
        If the file cannot be read, is not text, or holds no rows; with line and column, if a quote
        is not closed on its line.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise WorkloadError(str(path), "too large for a layer trace", want="at most 16 MiB")
    except OSError as error:
        raise WorkloadError(str(path), f"cannot be read: {error.strerror}") from None
    return table_of(path, catalog.text_of(path, WorkloadError))


def table_of(path: Path, text: str) -> Table:
    """As `read_table`, of a text that is there already; ``path`` is what errors call it."""
    # Not splitlines(): a text may hold other separators of lines than its editor shows.
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise WorkloadError(str(path), "too many lines", want=f"at most {MAX_LINES}")
    separator = ""
    rows: list[Row] = []
    comments: list[Cell] = []
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped.startswith("#"):
            comments.append(Cell(stripped.rstrip(BLANK), f"{path}:{number}"))
        elif stripped.strip(BLANK):
            separator = separator or _separator(line)
            rows.append(Row(path, number, tuple(_cells(f"{path}:{number}", line, separator))))
    if not rows:
        raise WorkloadError(str(path), "is empty", want="a header, and lines below it")
    return Table(path, tuple(rows), tuple(comments))


def _separator(header: str) -> str:
    unquoted = re.sub('"[^"]*"', "", header.strip())
    return next((one for one in SEPARATORS if one in unquoted), ",")


def _cells(where: str, line: str, separator: str) -> list[Cell]:
    """The cells of a line, with the column at which the text of each begins."""
    cells: list[Cell] = []
    start = 0
    while start <= len(line):
        if len(cells) == MAX_CELLS:
            raise WorkloadError(where, "too many cells", want=f"at most {MAX_CELLS}")
        cell, start = _cell(where, line, start, separator)
        cells.append(cell)
    other = next((one for one in SEPARATORS if one != separator and one in cells[0].text), None)
    if len(cells) == 1 and other is not None:
        raise WorkloadError(
            where,
            f"cells are separated by {SEPARATORS[other]}",
            want=f"{SEPARATORS[separator]}, as in the header",
        )
    return cells


def _cell(where: str, line: str, start: int, separator: str) -> tuple[Cell, int]:
    """The cell that begins at an index, and where the next one begins."""
    while start < len(line) and line[start] != separator and line[start].isspace():
        start += 1
    if line.startswith('"', start):
        quoted = QUOTED.match(line, start)
        if quoted is None:
            raise WorkloadError(
                f"{where}:{start + 1}",
                "a quote that is not closed on its line",
                want="no line end inside a cell",
            )
        text, rest = quoted[1].replace('""', '"'), quoted.end()
    else:
        text, rest = "", start
    end = line.find(separator, rest)
    end = len(line) if end < 0 else end
    plain = line[rest:end].strip()
    if rest > start and plain:
        at = f"{where}:{start + 1}"
        raise WorkloadError(at, "text behind a closing quote", got=line[start:end])
    text = (text or plain).strip()
    if len(text) > MAX_CHARACTERS:
        want = f"at most {MAX_CHARACTERS} characters"
        raise WorkloadError(where, "not CSV: a cell is too long", want=want)
    return Cell(text, where, start + 1), end + 1
