"""Markdown of MyST, a piece at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

_OBEYED = re.compile(r"([\\`*_\[\]<>{}$|#])")
_NAME = re.compile(
    r"`([^`]+)`"
    r"|(?<![\w.:/-])([a-z][a-z0-9]*(?:[._][a-z0-9_*]+)+)(?![\w:/(-])"
    r"|(?<![\w-])(--[a-z][a-z-]*(?: [A-Za-z_.]+=[\w:]+)?)"
)
"""What stands between backticks; and what looks like a name: with a dot or a ``_``; an option."""

Anchors = Callable[[str], str | None]


def plain(text: str) -> str:
    """A text of the program's, of which Markdown obeys nothing."""
    return _OBEYED.sub(r"\\\1", text)


def code(text: object) -> str:
    """A value or a name, as it is typed."""
    return f"`` {text} ``" if "`" in str(text) else f"`{text}`"


def prose(text: str, anchors: Anchors = lambda _: None) -> str:
    """A description: names are code, and links where they stand somewhere.

    Parameters
    ----------
    anchors : callable
        Where a name stands, as a link; None: nowhere.
    """
    parts, end = [], 0
    for found in _NAME.finditer(text):
        name = found[1] or found[2] or found[3]
        parts.append(plain(text[end : found.start()]))
        parts.append(link(code(name), anchors(name)))
        end = found.end()
    return "".join([*parts, plain(text[end:])])


def link(text: str, target: str | None) -> str:
    """A link, or the text alone where there is nothing to go to."""
    return f"[{text}]({target})" if target else text


def named(kind: str, name: str, heading: str) -> str:
    """A heading that the search finds by a name, or by a part of it, as a ``key`` or a ``field``;
    ``index`` for other words."""
    return f"```{{{kind}}} {name}\n```\n\n{heading}" if name else heading


def bullets(items: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {item}" for item in items)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are one line each."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell or " " for cell in line) + " |" for line in lines)


def fold(title: str, text: str) -> str:
    """What is there to open."""
    return f":::{{dropdown}} {title}\n{text}\n:::"


def block(language: str, text: str) -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def page(*parts: str) -> str:
    """Parts that are not empty, with a line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def contents(*names: str, depth: int = 1) -> str:
    """A table of contents that stands in the margin alone."""
    return "\n".join(["```{toctree}", ":hidden:", f":maxdepth: {depth}", "", *names, "```"])
