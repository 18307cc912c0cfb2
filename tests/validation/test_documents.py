"""Do README, docs, ARCHITECTURE and the picture show what the commands print today?

`make figures` writes them.
"""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest
from documents import (
    ALL,
    ALL_COLUMNS,
    ARCHITECTURE,
    PICTURE,
    README,
    README_COLUMNS,
    README_SETS,
    ROOT,
    readme_cells,
    table_in,
)
from PIL import Image
from results import EVERY_DATA_SET, result_of

from simulator.decisions import trust
from simulator.exploration.sweep import ALONE
from simulator.pictures import new_picture, save
from simulator.validation import DATASETS, bands, summary
from simulator.validation.fitted import FITTED
from simulator.validation.picture import figures
from simulator.validation.summary import FITTED_COLUMNS

GUIDES = ROOT / "docs/guides"


def _rows(document: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    start, end = table_in(document, columns)
    lines = document.read_text(encoding="utf-8").splitlines()[start + 2 : end]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(columns, row, strict=True)) for row in cells]


@pytest.mark.slow
def test_the_table_lists_every_data_set() -> None:
    """Rows that fits have seen and others on lines of their own."""
    every = [summary.name(line) for name in DATASETS for line in result_of(name).lines()]
    assert [row["data set"] for row in _rows(ALL, ALL_COLUMNS)] == every


@pytest.mark.slow
def test_the_readme_shows_some_data_sets_whole() -> None:
    """What fits have seen of them and what they have not, with the same figures."""
    shown = [line for name in README_SETS for line in result_of(name).lines()]
    rows = [tuple(row.values()) for row in _rows(README, README_COLUMNS)]
    assert rows == [readme_cells(line) for line in shown]


@pytest.mark.parametrize("name", EVERY_DATA_SET)
def test_the_table_shows_today_s_figures(name: str) -> None:
    """Each cell by itself, to the printed digit."""
    rows = {row["data set"]: row for row in _rows(ALL, ALL_COLUMNS)}
    for line in result_of(name).lines():
        row = rows[name + " *" * line.points[0].fitted]
        counted, published = len(line.counted), len(line.points)
        assert row["rows"] == f"{counted}" + f" of {published}" * (counted != published)
        worst = line.worst
        assert row["mean"] == ("-" if worst is None else f"{100 * line.mape:.1f}")
        assert row["of all"] == f"{100 * line.mape_of_all:.1f}"
        assert row["median"] == ("-" if worst is None else f"{100 * line.median:.1f}")
        assert row["worst"] == ("-" if worst is None else f"{100 * worst.error:+.1f}")
        assert row["worst row"] == ("-" if worst is None else worst.label)
        assert row["what"] == DATASETS[name].title
        roofline = line.roofline_mape
        assert row["roofline"] == ("-" if isnan(roofline) else f"{100 * roofline:.1f}")


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


@pytest.mark.slow
def test_the_picture_shows_today_s_figures() -> None:
    """Not its pixels, which every version of matplotlib moves: the figures that it carries."""
    with Image.open(PICTURE) as picture:
        assert picture.info["Description"] == figures([result_of(name) for name in DATASETS])


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_carries_its_description(tmp_path: Path, suffix: str) -> None:
    picture = new_picture(2, 2)
    picture.description = "mean 2.7"
    save(picture, tmp_path / f"picture{suffix}")
    assert b"mean 2.7" in (tmp_path / f"picture{suffix}").read_bytes()
