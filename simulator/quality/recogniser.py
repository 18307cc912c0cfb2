"""A text recogniser: what it reads of images of lines, and how many characters are right.

One as PP-OCR's are: it takes images (lines, 3, height, width) between -1 and 1, gives at each of
some places along the width a probability of every character or of none (connectionist temporal
classification, Graves et al. 2006), and lists its characters in its metadata.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.errors import WorkloadError
from simulator.quality.foreign import foreign
from simulator.quality.measured import Figure
from simulator.quality.sessions import session_of
from simulator.quality.text_lines import Line

CHARACTERS: Final = "character"
"""The key of the metadata that lists characters, one a line."""
BLANK: Final = 0
"""The class of no character; those of the list follow, and then a space."""
HEIGHT: Final = 48
"""Of images, where the model takes any."""
BATCH: Final = 4
"""Lines that are read at once; more are no faster."""
WIDTHS_PX: Final = 8
"""Images are widened to multiples of this."""


class Recogniser:
    """A model that reads lines of text.

    Raises
    ------
    WorkloadError
        If the model is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._session = session_of(path)
        self._alphabet = self._characters()
        self.input, self.height = self._images()

    def feeds(self, lines: Sequence[Line]) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
        """Batches of lines of about one width, as the model takes them, in the order of `read`."""
        for some in _batches(lines):
            yield {self.input: _as_input([line.image for line in some])}

    def read(self, lines: Sequence[Line]) -> list[tuple[str, str]]:
        """What stands in each line, and what is read; blanks before and behind do not count."""
        pairs = []
        for some, feed in zip(_batches(lines), self.feeds(lines), strict=True):
            with foreign(self.path, "ONNX Runtime cannot run it"):
                (scores, *_) = self._session.run(None, feed)
            self._check(scores, len(some))
            texts = (self._text(best) for best in scores.argmax(axis=-1))
            pairs += [(line.text, text) for line, text in zip(some, texts, strict=True)]
        return pairs

    def _text(self, best: npt.NDArray[np.int64]) -> str:
        """Each run of one class is one character, or none (Graves et al. 2006, eq. 1)."""
        return "".join(self._alphabet[one] for one, _ in groupby(best)).strip()

    def _characters(self) -> list[str]:
        listed = self._session.get_modelmeta().custom_metadata_map.get(CHARACTERS)
        if not listed:
            raise self._not_one(f"its metadata has no '{CHARACTERS}' that lists characters")
        return ["", *listed.splitlines(), " "]

    def _images(self) -> tuple[str, int]:
        """The name of the input, and the height of the images that it takes."""
        inputs = self._session.get_inputs()
        shapes = [list(one.shape) for one in inputs]
        if len(inputs) != 1 or len(shapes[0]) != 4 or shapes[0][1] != 3:
            raise self._not_one(f"it takes {shapes}, not one input (lines, 3, height, width)")
        height = shapes[0][2]
        return inputs[0].name, height if isinstance(height, int) else HEIGHT

    def _check(self, scores: Any, lines: int) -> None:
        want = (lines, len(self._alphabet))
        got = np.shape(scores)
        if len(got) != 3 or (got[0], got[2]) != want:
            what = f"gives {got} for {lines} lines, not (lines, places, {want[1]} characters)"
            raise self._not_one(what)
        if not np.isfinite(scores).all():
            raise WorkloadError(str(self.path), "gives NaN or infinite scores")

    def _not_one(self, why: str) -> WorkloadError:
        hint = "--measure drift is for any model"
        return WorkloadError(str(self.path), f"no text recogniser: {why}", hint=hint)


def character_accuracy(pairs: Sequence[tuple[str, str]]) -> Figure:
    """Share of characters that are right: 1 - distance / length, over all lines.

    The distance is the least number of characters to insert, delete or replace (Levenshtein), but
    at most the length: a line is read at worst not at all. The standard error is that of a ratio
    of two sums over lines (Cochran, Sampling Techniques, 1977, chapter 6).

    Parameters
    ----------
    pairs : sequence of (str, str)
        What stands there, at least one character, and what was read.
    """
    lengths = np.array([len(text) for text, _ in pairs], float)
    wrong = np.array([min(edit_distance(text, read), len(text)) for text, read in pairs], float)
    share = float(wrong.sum() / lengths.sum())
    count = len(pairs)
    spread = float(((wrong - share * lengths) ** 2).sum())
    error = math.sqrt(spread * count / max(1, count - 1)) / float(lengths.sum())
    return Figure(1 - share, error)


def edit_distance(text: str, other: str) -> int:
    """Levenshtein's, row by row."""
    above = list(range(len(other) + 1))
    for row, character in enumerate(text, start=1):
        here = [row]
        for at, one in enumerate(other):
            here.append(min(above[at + 1] + 1, here[at] + 1, above[at] + (character != one)))
        above = here
    return above[-1]


def _batches(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines of about one width together."""
    ordered = sorted(lines, key=lambda line: line.image.shape[1])
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]


def _as_input(images: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    """Images of one height, white behind the text, in three channels between -1 and 1."""
    widest = max(image.shape[1] for image in images)
    height, width = len(images[0]), -(-widest // WIDTHS_PX) * WIDTHS_PX
    made = np.ones((len(images), 3, height, width), np.float32)
    for number, image in enumerate(images):
        made[number, :, :, : image.shape[1]] = image / np.float32(127.5) - 1
    return made
