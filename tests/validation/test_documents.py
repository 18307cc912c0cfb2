"""Do README, ARCHITECTURE and the site show what the commands print today?

`make figures` writes them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from documents import (
    ARCHITECTURE,
    README,
    README_COLUMNS,
    README_SETS,
    ROOT,
    figures,
    readme_cells,
    table_in,
)
from results import EVERY_DATA_SET, result_of

from simulator.decisions import trust
from simulator.exploration.sweep import ALONE
from simulator.pictures import new_picture, save
from simulator.validation import bands
from simulator.validation.fitted import FITTED
from simulator.validation.summary import FITTED_COLUMNS

GUIDES = ROOT / "docs/guides"


def _rows(document: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    start, end = table_in(document, columns)
    lines = document.read_text(encoding="utf-8").splitlines()[start + 2 : end]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(columns, row, strict=True)) for row in cells]


@pytest.mark.slow
def test_the_readme_shows_some_data_sets_whole() -> None:
    """What fits have seen of them and what they have not, with the same figures."""
    shown = [line for name in README_SETS for line in result_of(name).lines()]
    rows = [tuple(row.values()) for row in _rows(README, README_COLUMNS)]
    assert rows == [readme_cells(line) for line in shown]


@pytest.mark.parametrize("name", EVERY_DATA_SET)
def test_the_site_is_made_of_today_s_figures(name: str) -> None:
    """Each to six digits, with its mapping and what bounds it."""
    kept = figures.FILE.read_text(encoding="utf-8").splitlines()
    today = figures.text([result_of(name)]).splitlines()
    assert [kept[0], *(line for line in kept if line.startswith(f"{name},"))] == today


@pytest.mark.slow
def test_the_table_of_bands_is_today_s() -> None:
    """Errors, rows and machines: a preset that has changed is another machine."""
    today = bands.table(result_of(name) for name in bands.SETS)
    assert trust.TABLE.read_text(encoding="utf-8") == today


@pytest.mark.parametrize("page", ["explore", "cluster"])
def test_guides_say_from_how_many_points_a_sweep_uses_all_cores(page: str) -> None:
    text = (GUIDES / f"{page}.md").read_text(encoding="utf-8")
    assert f" {ALONE} points" in text


def test_the_architecture_shows_every_fitted_number() -> None:
    rows = _rows(ARCHITECTURE, FITTED_COLUMNS)
    assert len(rows) == len(FITTED)
    for row, fitted in zip(rows, FITTED, strict=True):
        assert (row["of"], row["key"]) == (fitted.of, fitted.key)
        assert float(row["value"]) == fitted.value
        for name, seen in fitted.seen.items():
            assert f"{seen} of {name}" in row["fitted to"].split(", ")
        assert row["spread"] == f"{100 * fitted.spread_ratio:.1f}"
        assert row["left out"] == f"{100 * fitted.left_out_ratio:.1f}"


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_carries_its_description(tmp_path: Path, suffix: str) -> None:
    picture = new_picture(2, 2)
    picture.description = "mean 2.7"
    save(picture, tmp_path / f"picture{suffix}")
    assert b"mean 2.7" in (tmp_path / f"picture{suffix}").read_bytes()
