"""Is what pages show what their commands print today? `make shown` writes it anew."""

from __future__ import annotations

from pathlib import Path

import pytest
import shown
from shown import PAGES, ROOT, blocks, rewritten

NOT_RUN: dict[str, str] = {}
"""Lines of blocks ``sh``, and the test that runs each, or why none can."""

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
