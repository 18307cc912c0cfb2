"""The page of the documentation that lists the notebooks."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from kept import NOTEBOOKS

DOCS = Path(__file__).parents[2] / "docs"


def test_every_notebook_is_listed_with_its_question_and_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    from generate import notebooks

    pages = notebooks.pages()
    index = pages["notebooks/index.md"]
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        assert pages[f"notebooks/{path.name}"] == text
        assert f":link: {path.stem}\n" in index
        assert f"\n{path.stem}\n" in index.partition("toctree")[2]
        assert base64.b64encode(pages[f"notebooks/{path.stem}.png"]).decode() in text
    assert "**Question" not in index
