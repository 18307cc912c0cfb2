"""A site as it was built: what its pages fetch, where their links go, what its search knows."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.search.en import SearchEnglish

FETCHED = {
    "script": "src", "link": "href", "img": "src", "source": "src", "iframe": "src",
    "video": "src", "audio": "src", "object": "data", "embed": "src", "image": "href",
}  # fmt: skip
"""What a browser fetches without being asked, by the attribute that says from where."""

IN_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")

CONTENTS = "sidebar-tree"
"""The class of the contents in the margin."""

OUTSIDE_CONTENTS = {"genindex.html", "search.html", "py-modindex.html"}


@dataclass
class Page(HTMLParser):
    """A page: its anchors, its links, and what it fetches."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.depth_of_contents = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.ids |= {said[name] for name in ("id", "name") if name in said}
        if tag == "div" and (self.depth_of_contents or CONTENTS in said.get("class", "").split()):
            self.depth_of_contents += 1
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
            if self.depth_of_contents:
                self.listed.append(said["href"])
        source = said.get(FETCHED.get(tag, ""))
        self.fetched += [one for one in (source, *IN_STYLES.findall(said.get("style", ""))) if one]

    def handle_endtag(self, tag: str) -> None:
        if tag == "div" and self.depth_of_contents:
            self.depth_of_contents -= 1

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.fetched += IN_STYLES.findall(data)


def is_elsewhere(address: str) -> bool:
    """Whether an address is of another host; what stands in itself, as data, is of none."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


@dataclass(frozen=True)
class Site:
    """A folder of pages."""

    folder: Path

    @cached_property
    def pages(self) -> dict[str, Page]:
        """By their paths."""
        found = {}
        for path in sorted(self.folder.rglob("*.html")):
            if "_static" not in path.parts:
                page = found[path.relative_to(self.folder).as_posix()] = Page()
                page.feed(path.read_text(encoding="utf-8"))
        return found

    def fetched_elsewhere(self) -> list[str]:
        """What pages and styles fetch from other hosts."""
        styles = {
            path.relative_to(self.folder).as_posix(): IN_STYLES.findall(path.read_text("utf-8"))
            for path in self.folder.rglob("*.css")
        }
        every = {name: page.fetched for name, page in self.pages.items()} | styles
        return [
            f"{name}: {one}" for name, all_ in every.items() for one in all_ if is_elsewhere(one)
        ]

    def dead_links(self) -> list[str]:
        """Links to files and anchors of the site that are not there."""
        return [
            f"{name}: {link}"
            for name, page in self.pages.items()
            for link in dict.fromkeys([*page.links, *page.fetched])
            if not is_elsewhere(link) and not self._leads(name, link)
        ]

    def _leads(self, name: str, link: str) -> bool:
        if link.startswith("data:"):
            return True
        path, anchor = self._target(name, link), unquote(urlsplit(link).fragment)
        is_there = (self.folder / path).is_file()
        return is_there and (not anchor or path not in self.pages or anchor in self.pages[path].ids)

    def _target(self, name: str, link: str) -> str:
        """The path that a link on a page leads to, from the site's folder."""
        path = unquote(urlsplit(link).path)
        return os.path.normpath(Path(name).parent / path) if path else name

    def outside_contents(self) -> list[str]:
        """Pages that the contents of the first page do not list."""
        listed = {self._target("index.html", link) for link in self.pages["index.html"].listed}
        return sorted({*self.pages} - listed - OUTSIDE_CONTENTS - {"index.html"})

    @cached_property
    def _index(self) -> dict[str, object]:
        text = (self.folder / "searchindex.js").read_text(encoding="utf-8")
        return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))

    def found(self, word: str) -> Iterator[str]:
        """Pages that the search finds by a word of their text or their headings."""
        stem = SearchEnglish({}).stem(word.lower())
        names = [str(name) for name in self._index["docnames"]]
        for kind in ("terms", "titleterms"):
            places = self._index[kind].get(stem, [])
            for place in [places] if isinstance(places, int) else places:
                yield names[place]
