"""Pages and pictures that are made of what the program itself says.

A module a section; each has a function `pages()`, paths below `docs/` and what stands there. The
folders in `FOLDERS` hold nothing else, and are not kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from generate import drawn, notebooks, reference, validation

Pages = dict[str, str | bytes]

FOLDERS = ("reference", "validation", "notebooks", "drawn")
MAKERS: tuple[Callable[[], Pages], ...] = (
    drawn.pages,
    notebooks.pages,
    reference.pages,
    validation.pages,
)


def every_page() -> Pages:
    """All of them, by path."""
    return {path: text for maker in MAKERS for path, text in maker().items()}


def write(docs: Path) -> None:
    """Write what has changed, so that a second build is quick; remove what is no longer made."""
    pages = {docs / path: text for path, text in every_page().items()}
    for path, text in pages.items():
        content = text.encode() if isinstance(text, str) else text
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for folder in FOLDERS:
        if not any(path.is_relative_to(docs / folder) for path in pages):
            shutil.rmtree(docs / folder, ignore_errors=True)
        for path in (docs / folder).rglob("*"):
            if path.is_file() and path not in pages:
                path.unlink()
