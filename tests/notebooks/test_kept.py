"""Of every notebook: how it opens, that what it shows fits, and that a stale one is told."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from kept import NOTEBOOKS, code, drawn, figures_of, is_near, pictures, run, said, stale
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from simulator.pictures import new_picture

MOST_COLUMNS = 8
MOST_BYTES, MOST_BYTES_OF_ALL = 400_000, 3_000_000

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def opened(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


@each_notebook
def test_a_notebook_opens_with_its_question_and_a_picture(path: Path) -> None:
    notebook = opened(path)
    title, _, opening = notebook.cells[0].source.partition("\n")
    assert title.startswith("# ")
    assert opening.strip().startswith("**Question:** ")
    assert any(pictures(cell) for cell in code(notebook)[:2])


@each_notebook
def test_a_notebook_is_kept_as_it_ran_from_top_to_bottom(path: Path) -> None:
    notebook = opened(path)
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in code(notebook)] == [
        count for count, _ in enumerate(code(notebook), 1)
    ]
    shown = [output for cell in code(notebook) for output in cell.outputs]
    assert {output.output_type for output in shown} <= {"stream", "execute_result"}
    assert not [line for cell in code(notebook) for line in re.findall("^assert", cell.source)]


@each_notebook
def test_tables_fit_a_page(path: Path) -> None:
    for count, cell in enumerate(code(opened(path)), 1):
        for output in cell.outputs:
            table = output.get("data", {}).get("text/html", "")
            for head in re.findall("<thead>.*?</tr>", table, re.DOTALL):
                columns = len(re.findall("<th[ >]", head)) - 1  # without the index
                assert columns <= MOST_COLUMNS, f"cell {count}"


def test_notebooks_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in NOTEBOOKS}
    assert max(sizes.values()) < MOST_BYTES, sizes
    assert sum(sizes.values()) < MOST_BYTES_OF_ALL, sizes


def test_every_notebook_has_a_test_of_its_own() -> None:
    tests = {path.stem for path in Path(__file__).parent.glob("test_[0-9]*.py")}
    assert tests == {f"test_{path.stem}" for path in NOTEBOOKS}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A notebook of a table and a picture, without outputs."""
    cells = [
        new_markdown_cell("# Small"),
        new_code_cell("import pandas as pd\n\nprint('rows:')\npd.DataFrame({'a': [1, 2]})"),
        new_code_cell(
            "from simulator.pictures import new_picture\n\n"
            "picture = new_picture(8, 2)\npicture.subplots().plot([0, 1], [2, 3])\npicture"
        ),
    ]
    path = tmp_path / "small.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_the_same_notebook_is_the_same_bytes(small: Path) -> None:
    ran, names = run(small)
    again, _ = run(small)
    assert nbformat.writes(ran) == nbformat.writes(again)
    assert names["picture"].axes
    assert said(code(ran)[0]).startswith("rows:\n")
    assert [len(pictures(cell)) for cell in code(ran)] == [0, 1]


@pytest.mark.parametrize("number", [1, 2])
def test_a_stale_cell_is_named(small: Path, number: int) -> None:
    ran, _ = run(small)
    kept = copy.deepcopy(ran)
    assert not list(stale("small", kept, ran))
    del code(kept)[number - 1].outputs[-1]
    (told,) = stale("small", kept, ran)
    assert told.startswith(f"small, cell {number} (`make notebooks`")


@pytest.mark.parametrize(
    ("now", "near"),
    [
        ("costs 0.14 (±0.011) at 2:4", True),
        ("costs 0.15 (±0.01) at 2:4", True),
        ("costs 0.16 (±0.011) at 2:4", False),
        ("costs 0.14 (±0.011) at 2:8", False),
        ("costs 0.14 at 2:4", False),
    ],
)
def test_near_is_one_in_the_last_digit(now: str, near: bool) -> None:
    assert is_near("costs 0.14 (±0.011) at 2:4", now) == near


def test_a_picture_carries_its_words_and_figures() -> None:
    picture = new_picture(8, 2)
    axes = picture.subplots()
    axes.plot([0, 1], [2, 3.14159])
    axes.bar([0.5], [3], width=1)
    axes.set_xlabel("group")
    assert figures_of(picture) == "group | 1x3 | 0 0 1 3.14"
    assert drawn(picture) == drawn(picture)


@pytest.mark.parametrize("source", ["import warnings\nwarnings.warn('old')", "1 / 0"])
def test_a_warning_or_an_error_stops_a_notebook(source: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), path)
    with pytest.raises((UserWarning, ZeroDivisionError)):
        run(path)


def test_options_of_pandas_are_set_back(tmp_path: Path) -> None:
    path = tmp_path / "options.ipynb"
    before = pd.options.display.precision
    cell = new_code_cell(f"import pandas as pd\npd.options.display.precision = {before + 1}")
    nbformat.write(new_notebook(cells=[cell]), path)
    run(path)
    assert pd.options.display.precision == before
