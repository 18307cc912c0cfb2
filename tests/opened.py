"""Pages as a browser takes them apart: elements, texts, and the data."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

NASTY = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "<!--",
    "]]>&lt;",
    "\"quotes' & <b>",
    "ünïcödé 层 \U0001f680",
    "lone \ud800 surrogate",
    "two\nlines\u2028here",
    "$(reboot)`ls`;",
    "it's {0} {title} %s",
    "a" * 300,
)
"""Names that no page may take for anything but text."""


class Opened(HTMLParser):
    """What is in a page.

    Attributes
    ----------
    elements : list of (str, dict)
        Tags with their attributes, in order.
    texts : dict of str to list of str
        What stands in elements, by tag.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()

    @property
    def data(self) -> Any:
        """The data of the script."""
        return json.loads(self.texts["script"][0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data
