"""Is what pages show what their commands print today? `make shown` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import shown
from shown import PAGES, ROOT, blocks, rewritten

EXTRAS = "tests/cli/test_wheel.py::test_an_installed_wheel_finds_its_presets"
TRAINED = "tests/cli/test_cli.py::test_examples_run"  # a shorter recipe
CLUSTER = "tests/exploration/test_sweep.py::test_dask_s_workers_give_the_same_rows"

NOT_RUN = {
    "make demo     # sets everything up, then compares dense, 2:4 and 1:8 on BERT-large": (
        "tests/cli/test_screens.py"
        "::test_the_demo_shows_sparsity_at_work_and_why_a_batch_of_one_gains_little"
    ),
    "make test     # sets everything up, then runs the tests": "what runs this",
    "python3 -m venv .venv": "installs; `make test` begins with it",
    ".venv/bin/pip install -e .": "installs; `make test` begins with it",
    ". .venv/bin/activate": "of the shell that a reader sits at",
    'pip install "nmsim[onnx]"': EXTRAS,
    'pip install "nmsim[quality]"': EXTRAS,
    'pip install "nmsim[train]"': EXTRAS,
    'pip install "nmsim[search]"': EXTRAS,
    'pip install "nmsim[cluster]"': EXTRAS,
    'pip install "nmsim[notebooks]"': EXTRAS,
    "jupyter lab notebooks/": "a server; what it shows is run by the tests of notebooks",
    "dask scheduler --port 8786": CLUSTER,
    "dask worker tcp://scheduler:8786 --nthreads 1 --nworkers 16": CLUSTER,
    "nmsim sweep space.yaml --store runs.sqlite --scheduler tcp://scheduler:8786": CLUSTER,
    "nmsim train recipe.yaml --store runs.sqlite --workers 2": TRAINED,
    "nmsim train --claims runs.sqlite": TRAINED,
    "nmsim tradeoff nm-micro --quality runs.sqlite --batch 256 --plot front.svg": (
        "tests/cli/test_tradeoff.py::test_trained_networks_need_no_model"
    ),
    "python docs/measure_gemms.py -o measurements.csv": (
        "tests/cli/test_measure_gemms.py::test_what_it_writes_is_what_calibrate_reads"
    ),
}
"""Lines of blocks ``sh``, and the test that runs what they ask for, or why none can."""

PAGE = """# A page

```{code-block} yaml
:caption: mine.yaml

base: nm-edge
name: mine
```

```console
$ nmsim run mine.yaml gemm:64x48x96 \\
    --pattern 2:4 | head -1
what it printed once
$ nmsim run nm-edgy gemm:64x48x96
$ nmsim hardware mine.yaml > copy.yaml
$ ls
```

```python
from simulator import load_hardware
machine = load_hardware("mine.yaml")
```

```python
print(machine.name)
```

```sh
rm -rf everything
```
"""


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_page_shows_what_is_printed(page: Path) -> None:
    assert shown.run(page).splitlines() == page.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_what_a_page_cannot_run_is_accounted_for(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    for block in blocks(lines):
        if block.kind == "sh":
            assert set(lines[block.start : block.end]) <= {*NOT_RUN, ""}


def test_the_account_names_tests_and_lines_that_exist() -> None:
    """No line that has left the pages, no test that has left the suite."""
    every = {line for page in PAGES for line in page.read_text(encoding="utf-8").splitlines()}
    assert set(NOT_RUN) <= every
    for where in NOT_RUN.values():
        file, _, test = where.partition("::")
        if test:
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_readme_is_short_and_leads_to_files_that_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / target).is_file()


def test_a_page_is_run_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = rewritten(PAGE, "page")
    assert (
        "$ nmsim run mine.yaml gemm:64x48x96 \\\n    --pattern 2:4 | head -1\n"
        "gemm:64x48x96 on mine, pattern: 2:4\n$ nmsim run nm-edgy"
    ) in text
    assert "\nnmsim: nm-edgy: " in text
    assert "$ ls\ncopy.yaml  mine.yaml\n```" in text
    assert 'machine = load_hardware("mine.yaml")\n```\n\n```python' in text
    assert "print(machine.name)\n```\n\n```text\nmine\n```\n\n```sh\nrm -rf everything" in text
    assert rewritten(text, "page") == text


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("```console\n$ rm -rf everything\n```\n", "not a command that pages run: rm"),
        ("```console\n$ nmsim hardware | sh\n```\n", "not a command that pages run: nmsim"),
        ("1. A step:\n\n   ```console\n   $ ls\n   ```\n", "line 3: a block that is indented"),
        ("```python\nraise ValueError('as it is')\n```\n", "as it is"),
    ],
)
def test_what_pages_may_not_run_ends_the_run(page: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        rewritten(page, "page")
