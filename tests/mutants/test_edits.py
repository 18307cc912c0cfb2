"""Can the wrong edits still be made, and are the tests that they must fail still there?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from edits import EDITS, ROOT, Edit, apply


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name.replace(" ", "-"))
def test_an_edit_can_be_made(edit: Edit, tmp_path: Path) -> None:
    for name in {name for name, _, _ in edit.changes}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    apply(edit, tmp_path)
    path, _, test = edit.test.partition("::")
    assert not test or f"def {test}(" in (ROOT / path).read_text()
