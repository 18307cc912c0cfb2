"""Do comments name only what a reader can open?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = re.compile(
    r"\b(MODEL|DESIGN|SPEC|PLAN|NOTES)\b(?! model)[ :]+(section|§|``)|\bTODO\b|\bFIXME\b"
)
NAMED = re.compile(r"\b[A-Z]{3,}\.md\b")
FOLDERS = {"simulator": "*.py", "tests": "*.py", "configs": "*.yaml", "workloads": "*.csv"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_comment_names_a_document_that_is_not_there(folder: str) -> None:
    for path in (ROOT / folder).rglob(FOLDERS[folder]):
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            where = f"{path}:{number}"
            assert not DOCUMENT.search(line), where
            missing = [name for name in NAMED.findall(line) if not (ROOT / name).is_file()]
            assert not missing or "github" in line, where
