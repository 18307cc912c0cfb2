"""Elements of a drawing, in the theme's colours: pixels of a page as wide as its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from math import atan2, cos, pi, sin
from typing import Final, Literal

from simulator.colours import ON_DARK

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]

WIDTH: Final = 740
"""Of every drawing: the theme's column of text, so that letters are as large as the text's."""
LINE: Final = 20
"""From one line of a text to the next."""
DARK: Final = (
    "body[data-theme=dark] .drawn",
    "@media (prefers-color-scheme:dark)",
    "body:not([data-theme=light]) .drawn",
)
"""How the theme says that its ground is dark: asked for, or as the reader's screen is."""


@dataclass
class Drawing:
    """A picture that grows element by element, later ones above earlier ones.

    Parameters
    ----------
    title, description : str
        What it is, and what it shows, for readers who do not see it.
    height : float
        Its width is `WIDTH`.
    colours : mapping of str to str
        By name, what boxes may be filled with beside the classes of ``static/site.css``.
    """

    title: str
    description: str
    height: float
    colours: Mapping[str, str] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)

    def box(
        self, corner: Point, size: Point, kind: str = "plain", words: str = "", tip: str = ""
    ) -> None:
        """A rectangle, with words in its middle, and a tip for who points at it."""
        (x, y), (width, height) = corner, size
        inside = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}">{inside}</rect>'
        )
        if words:
            on = f"on-{kind}" if kind in self.colours else ""
            self.text((x + width / 2, y + height / 2), words, kind=on)

    def text(self, at: Point, words: str, *, anchor: Anchor = "middle", kind: str = "") -> None:
        """Words whose lines are centred on a height."""
        lines = words.split("\n")
        x, first = at[0], at[1] - LINE * (len(lines) - 1) / 2
        for number, line in enumerate(lines):
            self.parts.append(
                f'<text class="{kind}" x="{x:.1f}" y="{first + LINE * number:.1f}" '
                f'text-anchor="{anchor}">{escape(line)}</text>'
            )

    def path(self, points: Sequence[Point], kind: str = "wire", closed: bool = False) -> None:
        """Straight lines from point to point."""
        way = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.parts.append(f'<path class="{kind}" d="M{way}{" Z" if closed else ""}"/>')

    def arrow(self, *points: Point, kind: str = "wire", both: bool = False) -> None:
        """A line with a head at its end, or at both."""
        self.path(points, kind)
        for before, tip in ((points[-2], points[-1]), (points[1], points[0]))[: 1 + both]:
            angle = atan2(tip[1] - before[1], tip[0] - before[0])
            wings = [
                (tip[0] + 9 * cos(angle + turn), tip[1] + 9 * sin(angle + turn))
                for turn in (pi - 0.4, pi + 0.4)
            ]
            self.path([tip, *wings], f"{kind} head", closed=True)

    def circle(self, centre: Point, radius: float, words: str) -> None:
        """A round box with a word."""
        x, y = centre
        self.parts.append(f'<circle class="core" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>')
        self.text(centre, words)

    def dot(self, centre: Point, kind: str) -> None:
        """A point of a plot."""
        self.parts.append(
            f'<circle class="{kind}" cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="7"/>'
        )

    def span(self, start: Point, end: Point, words: str, *, above: bool = True) -> None:
        """A length with a word for it: two heads between two points on one height."""
        self.arrow(start, end, both=True)
        middle = (start[0] + end[0]) / 2
        self.text((middle, start[1] + (-14 if above else 16)), words)

    def legend(
        self, at: Point, entries: Sequence[tuple[str, str]], widths: Sequence[float]
    ) -> None:
        """Names beside their colours, in one row."""
        x, y = at
        for (kind, words), width in zip(entries, widths, strict=True):
            self.box((x, y - 8), (16, 16), kind)
            self.text((x + 24, y), words, anchor="start")
            x += width

    def __str__(self) -> str:
        rules = "".join(_rules(name, colour) for name, colour in self.colours.items())
        return (
            f'<svg class="drawn" role="img" viewBox="0 0 {WIDTH} {self.height:g}" '
            'xmlns="http://www.w3.org/2000/svg">\n'
            f"<title>{escape(self.title)}</title>\n<desc>{escape(self.description)}</desc>\n"
            f"<style>{rules}</style>\n" + "\n".join(self.parts) + "\n</svg>\n"
        )


def _rules(name: str, colour: str) -> str:
    """A fill, and what is legible on it, on light and on dark ground."""
    asked, screen, followed = DARK
    dark = ON_DARK.get(colour, colour)
    return (
        _fills(".drawn", name, colour)
        + _fills(asked, name, dark)
        + f"{screen}{{{_fills(followed, name, dark)}}}"
    )


def _fills(where: str, name: str, colour: str) -> str:
    return f"{where} .{name}{{fill:{colour}}}{where} .on-{name}{{fill:{_ink(colour)}}}"


def _ink(colour: str) -> str:
    """Black or white, whichever has the greater contrast."""
    red, green, blue = ((int(colour[at : at + 2], 16) / 255) ** 2.2 for at in (1, 3, 5))
    return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#fff"
