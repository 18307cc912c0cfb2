"""Lines of text that a recogniser is to read, made up from a seed and drawn.

Their words stand here and their fonts are matplotlib's: nothing is read from anywhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_VOCABULARY: Final = """
about above across after again always animal answer apple around autumn basket beach before
between bird black blue board book bottle bread bridge bright broken brother brown build butter
candle careful castle chair cheese child circle city clean clever cloud coffee cold colour corner
country cousin dance daughter desert dinner doctor door dream early earth eight elbow engine
evening every farmer father feather field finger five flower forest fresh friend garden gentle
glass golden grass green guitar hammer happy harbour heavy helmet history honest horse hour house
hundred island jacket journey judge juggle kettle king kitchen kitten knife ladder language laugh
letter library listen little market meadow memory middle minute mirror money morning mother
mountain music narrow nature needle never night north number ocean office orange other oxygen
paint paper pencil people person picture planet pocket potato purple puzzle quarter queen question
quick quiet rabbit railway rain reason river rocket round sailor salt school season secret seven
shadow sheep shoulder silver simple sister sleep slow small smooth snow south spring square
station stone story street strong sugar summer table teacher thank thirteen thunder tiger today
together tower train travel tree under valley velvet village violin visit voice walk warm water
weather wheel window winter wolf wonder world yellow young zebra zero
"""
WORDS: Final = tuple(_VOCABULARY.split())
"""Ordinary words, in which every letter occurs."""

FONTS: Final = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSerif",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralBol",
)
SIZES_PX: Final = (22, 25, 28)
"""In images of 48: below 20 the dense recogniser errs, above 30 letters are no test."""
PUNCTUATION: Final = (".", ",", "!", "?", ":", ";")

MARGIN_RATIO = 1 / 6
"""Of the height of an image: what is left empty before and behind the text."""
SHARES: Final = (0.3, 0.4, 0.4)
"""Of lines that begin with a capital, hold a number, and end with a mark."""


@dataclass(frozen=True)
class Line:
    """A line and its image.

    Attributes
    ----------
    text : str
    image : ndarray of uint8, shape (height, width)
        Black on white: 0 where there is ink, 255 where there is none.
    """

    text: str
    image: npt.NDArray[np.uint8]


def text_lines(count: int, height: int, seed: int, use: int) -> list[Line]:
    """Draw lines of two to four words and, in some, a number and a punctuation mark.

    Parameters
    ----------
    count : int
    height : int
        Of their images, pixels. Sizes of fonts are for 48 and follow it.
    seed, use : int
        Lines of one seed for different uses have nothing in common but their words.
    """
    random = np.random.default_rng([seed, use])
    return [_drawn(_made_up(random), number, height) for number in range(count)]


def digest_of(lines: Iterable[Line]) -> str:
    """SHA-256 of texts and pixels, which another version of matplotlib may draw otherwise."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line.text}\0{line.image.shape}\0".encode() + line.image.tobytes())
    return digest.hexdigest()


def _made_up(random: np.random.Generator) -> str:
    chosen = random.integers(len(WORDS), size=random.integers(2, 5))
    words = [WORDS[at] for at in chosen]
    capital, number, mark = random.random(3) < SHARES
    if capital:
        words[0] = words[0].capitalize()
    if number:
        words.insert(int(random.integers(len(words) + 1)), str(random.integers(10_000)))
    ending = PUNCTUATION[random.integers(len(PUNCTUATION))] if mark else ""
    return " ".join(words) + ending


def _drawn(text: str, number: int, height: int) -> Line:
    """Fonts and sizes take turns, so that any few lines hold many of them."""
    from simulator.pictures.lettering import lettered

    size = SIZES_PX[number // len(FONTS) % len(SIZES_PX)] * height / 48
    ink = lettered(text, FONTS[number % len(FONTS)], size)[:height]
    margin, above = round(height * MARGIN_RATIO), (height - len(ink)) // 2
    image = np.full((height, ink.shape[1] + 2 * margin), 255, np.uint8)
    image[above : above + len(ink), margin:-margin] -= ink
    return Line(text, image)
