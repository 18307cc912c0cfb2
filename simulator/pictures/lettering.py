"""Text as grey images, drawn letter by letter with the fonts that matplotlib ships."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

Image = npt.NDArray[np.uint8]

DOTS_PER_INCH = 72
"""At which a point is a pixel."""


def lettered(text: str, font: str, size_px: float) -> Image:
    """A line of text, as tight as its letters are.

    Parameters
    ----------
    text : str
    font : str
        A file of matplotlib's without its ending, such as ``DejaVuSans``.
    size_px : float
        Of the font, which is about the height from the top of a letter to the foot of a ``g``.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        255 where there is ink, 0 where there is none.
    """
    face = _face(font)
    face.set_size(size_px, DOTS_PER_INCH)
    face.set_text(text, 0.0)
    face.draw_glyphs_to_bitmap(antialiased=True)
    return np.array(face.get_image(), dtype=np.uint8)


@cache
def _face(font: str) -> FT2Font:
    return FT2Font(str(Path(get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"))
