"""Write what the documents show of `nmsim validate`: `make figures`.

README's table of data sets, ARCHITECTURE's of fitted numbers, and the picture. The tests compare
what stands there with what is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from simulator.pictures import save
from simulator.validation import Validation, validate
from simulator.validation.fitted import FITTED
from simulator.validation.picture import plot_validation
from simulator.validation.summary import (
    COLUMNS,
    FITTED_COLUMNS,
    MORE_COLUMNS,
    cells,
    fitted_cells,
    lines,
    more_cells,
)

ROOT = Path(__file__).parents[2]
README, ARCHITECTURE = ROOT / "README.md", ROOT / "ARCHITECTURE.md"
PICTURE = ROOT / "notebooks/validation.png"
README_COLUMNS = (*COLUMNS, "what", *MORE_COLUMNS[1:])


def readme_cells(line: Validation) -> tuple[str, ...]:
    """A line of the README: what the terminal shows in two tables."""
    return (*cells(line), line.dataset.title, *more_cells(line)[1:])


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def table_in(document: Path, columns: Sequence[str]) -> tuple[int, int]:
    """Lines, from and to, of the table with that header."""
    lines = document.read_text(encoding="utf-8").splitlines()
    start = lines.index(markdown(columns, [])[0])
    end = start
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    return start, end


def replace(document: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table where one with the same header stands."""
    start, end = table_in(document, columns)
    lines = document.read_text(encoding="utf-8").splitlines()
    lines[start:end] = markdown(columns, rows)
    document.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    results = validate()
    replace(README, README_COLUMNS, map(readme_cells, lines(results)))
    replace(ARCHITECTURE, FITTED_COLUMNS, map(fitted_cells, FITTED))
    save(plot_validation(results), PICTURE)


if __name__ == "__main__":
    main()
