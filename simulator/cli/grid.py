"""Tables that fit: in a pipe whole, on a terminal as much as its width holds, and no figure cut.

A table that is too wide first breaks its titles and its prose over lines and shortens its names in
the middle, then leaves out columns in the order that it states, and says which. What is still too
wide is set in parts below each other, each with the names again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, Literal

from rich.cells import cell_len, chop_cells
from rich.text import Text

from simulator.names import shortened

GAP: Final = 2
NAME_CELLS, PROSE_CELLS = 24, 24
"""What a name or a text may take before columns are left out for want of room."""

Kind = Literal["figure", "word", "name", "prose"]
"""Figures stand right and, as words, are never cut; names are shortened in the middle; prose is
broken over lines."""


@dataclass(frozen=True)
class Column:
    """A column's title, what it holds, and the group that is left out together.

    Attributes
    ----------
    group : str
        Of columns that are left out together, such as one a pattern; by default the title.
    """

    title: str
    kind: Kind = "figure"
    group: str = ""

    @property
    def group_name(self) -> str:
        return self.group or self.title


def headings(
    titles: Iterable[str],
    *,
    name: Collection[str] = (),
    word: Collection[str] = (),
    prose: Collection[str] = (),
) -> list[Column]:
    """Columns of figures, but for those whose titles are named."""
    kinds: dict[str, Kind] = dict.fromkeys(name, "name")
    kinds |= dict.fromkeys(word, "word")
    kinds |= dict.fromkeys(prose, "prose")
    return [Column(title, kinds.get(title, "figure")) for title in titles]


@dataclass
class Grid:
    """A table: the first column names its rows.

    Attributes
    ----------
    drops : sequence of str
        Groups of columns that may be left out, the first one first.
    """

    title: str
    columns: Sequence[Column]
    drops: Sequence[str] = ()
    rows: list[list[str]] = field(default_factory=list)

    def add_row(self, *cells: str) -> None:
        assert len(cells) == len(self.columns)
        self.rows.append(list(cells))

    def printed(self, width: int | None, *, plain: bool) -> Iterable[Text]:
        """Texts, a line each, of at most ``width`` cells, or whole; ``plain``: without styles.

        Only what is narrower than one name and one figure is exceeded.
        """
        if self.title:
            yield from sentence(self.title, width, "" if plain else "bold")
        kept = list(range(len(self.columns)))
        dropped: list[str] = []
        for group in self.drops:
            if width is None or self._least(kept) <= width:
                break
            gone = [at for at in kept if self.columns[at].group_name == group]
            if gone:
                dropped.append(group)
                kept = [at for at in kept if at not in gone]
        for number, part in enumerate(self._parts(kept, width)):
            if number:
                yield Text("")
            yield from self._part(part, width, plain)
        if dropped:
            note = f"Left out for want of room: {', '.join(dropped)} (--wide shows all)"
            yield from sentence(note, width, "" if plain else "dim")

    def _parts(self, kept: Sequence[int], width: int | None) -> Iterable[list[int]]:
        """Columns that stand beside each other: all, or as many as fit beside the names."""
        first, *others = kept
        part = [first]
        for at in others:
            if width is not None and len(part) > 1 and self._least([*part, at]) > width:
                yield part
                part = [first]
            part.append(at)
        yield part

    def _least(self, shown: Sequence[int]) -> int:
        """Cells that columns take with broken titles and prose and shortened names."""
        return sum(self._smallest(at) for at in shown) + GAP * (len(shown) - 1)

    def _smallest(self, at: int) -> int:
        column, cells = self.columns[at], [row[at] for row in self.rows]
        if column.kind == "name":
            cells = [shortened(cell, NAME_CELLS, cell_len) for cell in cells]
        widest = _widest(cells)
        if column.kind == "prose":
            widest = min(widest, PROSE_CELLS)
        return max(widest, _widest(_pieces(column.title)))

    def _widths(self, shown: Sequence[int], width: int | None) -> list[int]:
        """Cells of each column: full, or what is too much taken off titles, prose and names."""
        full = [_widest([self.columns[at].title, *(row[at] for row in self.rows)]) for at in shown]
        over = 0 if width is None else sum(full) + GAP * (len(full) - 1) - width
        widths, least = list(full), [self._smallest(at) for at in shown]
        for kinds in (("figure", "word"), ("prose",), ("name",)):
            for _ in range(max(0, over)):
                spare = [
                    (widths[index], index)
                    for index, at in enumerate(shown)
                    if self.columns[at].kind in kinds and widths[index] > least[index]
                ]
                if not spare:
                    break
                widths[max(spare)[1]] -= 1
                over -= 1
        return widths

    def _part(self, shown: Sequence[int], width: int | None, plain: bool) -> Iterable[Text]:
        widths = self._widths(shown, width)
        titles = [_broken(self.columns[at].title, w) for at, w in zip(shown, widths, strict=True)]
        most = max(map(len, titles))
        titles = [[""] * (most - len(lines)) + lines for lines in titles]
        yield from self._row(shown, titles, widths, "" if plain else "bold")
        if not plain:
            yield Text("─" * (sum(widths) + GAP * (len(widths) - 1)), style="dim")
        for row in self.rows:
            cells = [self._cell(at, row[at], w) for at, w in zip(shown, widths, strict=True)]
            yield from self._row(shown, cells, widths, "")

    def _cell(self, at: int, text: str, width: int) -> list[str]:
        """The lines of a cell."""
        kind = self.columns[at].kind
        if cell_len(text) <= width or kind in ("figure", "word"):
            return [text]
        if kind == "name":
            return [shortened(text, width, cell_len)]
        return _wrapped(text, width)

    def _row(
        self, shown: Sequence[int], cells: Sequence[list[str]], widths: Sequence[int], style: str
    ) -> Iterable[Text]:
        for texts in zip_longest(*cells, fillvalue=""):
            line = []
            for at, text, width in zip(shown, texts, widths, strict=True):
                blank = " " * max(0, width - cell_len(text))
                line.append(blank + text if self.columns[at].kind == "figure" else text + blank)
            yield Text((" " * GAP).join(line).rstrip(), style=style)


def sentence(text: str, width: int | None, style: str = "") -> Iterable[Text]:
    """Lines of at most ``width`` cells, no word cut; further ones are indented."""
    first, *others = [text] if width is None else _wrapped(text, width)
    if others and width is not None:
        others = [f"  {line}" for line in _wrapped(" ".join(others), width - 2)]
    return [Text(line, style=style) for line in (first, *others)]


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells, broken at blanks; only a longer word is broken itself."""
    lines = [""]
    for word in text.split():
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
            continue
        pieces = chop_cells(word, width) if cell_len(word) > width else [word]
        lines += pieces
    return [line for line in lines if line] or [""]


def _widest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _pieces(title: str) -> list[str]:
    """Where a title may be broken: behind blanks, and behind the dots and underscores of a key."""
    return re.split(r" +|(?<=[._])(?=[a-z])", title)


def _broken(title: str, width: int) -> list[str]:
    """A title in lines."""
    lines = [""]
    rest = title
    for piece in _pieces(title):
        at = rest.index(piece)
        blank, rest = rest[:at], rest[at + len(piece) :]
        if lines[-1] and cell_len(lines[-1] + blank + piece) > width:
            lines.append(piece)
        else:
            lines[-1] += blank + piece
    return lines
