"""The notebooks, as they are kept, and a page that lists their questions."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

INDEX = """# Notebooks

A question each, asked in Python and answered with pictures. They are shown as they ran; the files
are in the folder `notebooks`, to open and to change.

{cards}

```{{toctree}}
:hidden:

{names}
```
"""
CARD = """:::{{grid-item-card}} {title}
:link: {name}
:link-type: doc
:img-top: {name}.png
:img-alt: The first picture of {title}

{question}
:::
"""


def opening(notebook: dict[str, Any]) -> tuple[str, str]:
    """Title and question: the first line, and what is asked in the paragraph below it."""
    title, _, rest = "".join(notebook["cells"][0]["source"]).partition("\n")
    paragraph = rest.strip().partition("\n\n")[0].removeprefix("**Question:** ")
    question = paragraph[: paragraph.rindex("?") + 1]
    return title.removeprefix("# "), question[0].upper() + question[1:]


def first_picture(notebook: dict[str, Any]) -> bytes:
    """The PNG that a notebook shows first."""
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", []))
    pictures = (output["data"]["image/png"] for output in outputs if "image/png" in output["data"])
    return base64.b64decode(next(pictures))


def pages() -> dict[str, str | bytes]:
    """Every notebook, its first picture, and the page that lists them."""
    made: dict[str, str | bytes] = {}
    cards = []
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        notebook = json.loads(text)
        title, question = opening(notebook)
        cards.append(CARD.format(name=path.stem, title=title, question=question))
        made[f"notebooks/{path.name}"] = text
        made[f"notebooks/{path.stem}.png"] = first_picture(notebook)
    grid = "::::{grid} 1 2 2 2\n:gutter: 3\n\n" + "\n".join(cards) + "::::"
    names = "\n".join(path.stem for path in NOTEBOOKS)
    return made | {"notebooks/index.md": INDEX.format(cards=grid, names=names)}
