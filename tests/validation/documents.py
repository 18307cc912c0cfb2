"""Write what the documents show of `nmsim validate`: `make figures`.

README's table of some data sets, ARCHITECTURE's of fitted numbers, the table of bands, and the
figures that the site is made of. The tests compare what stands there with what is computed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from simulator.decisions import trust
from simulator.validation import Validation, bands, validate
from simulator.validation.fitted import FITTED
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
sys.path.insert(0, str(ROOT / "docs"))

from generate.validation import figures  # noqa: E402  # of the site, which is no package

README, ARCHITECTURE = ROOT / "README.md", ROOT / "ARCHITECTURE.md"
README_COLUMNS = ("data set", "what", "rows", "mean", "worst", "roofline", "constants")
README_SETS = (
    "llmcompass",
    "sparse24",
    "v100-deepbench",
    "speedups-24",
    "trex",
    "networks-24",
)


def readme_cells(line: Validation) -> tuple[str, ...]:
    """A line of the README: some of what the terminal shows in two tables, and what it is."""
    shown = dict(zip((*COLUMNS, *MORE_COLUMNS), (*cells(line), *more_cells(line)), strict=True))
    shown["what"] = line.dataset.title
    return tuple(shown[column] for column in README_COLUMNS)


def in_readme(results: Iterable[Validation]) -> list[Validation]:
    """The data sets that the README shows, in its order."""
    by_name = {result.dataset.name: result for result in results}
    return [by_name[name] for name in README_SETS]


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
    replace(README, README_COLUMNS, map(readme_cells, lines(in_readme(results))))
    replace(ARCHITECTURE, FITTED_COLUMNS, map(fitted_cells, FITTED))
    trust.TABLE.write_text(bands.table(results), encoding="utf-8")
    figures.FILE.write_text(figures.text(results), encoding="utf-8")


if __name__ == "__main__":
    main()
