"""Y = W . X: a tile, and a stage of it that ends where groups end."""

from __future__ import annotations

from generate.drawn.svg import Drawing, Point
from simulator.colours import OPERAND_COLOURS

COLOURS = {kind: OPERAND_COLOURS[kind] for kind in ("weights", "activations", "outputs")}
STAGES, GROUPS, GROUP = 5, 4, 4
STAGE = 60.0
SHOWN = 2
"""Which stage is lit."""
CELL = 17.0
KEPT = ("1010", "0110", "1001", "0011", "1100", "0101")
"""Groups of a row under 2:4, taken in turn."""


def drawing() -> Drawing:
    """W on the left, X above Y, and the lit stage of W enlarged."""
    picture = Drawing(
        "A tile of Y = W X, and its stages",
        "A tile of Y takes a band of rows of W and a band of columns of X. Both are cut along k "
        "into stages, whose edges fall between groups. Enlarged: four rows of a stage of W under "
        "2:4, two weights of every group of four are kept.",
        560,
        COLOURS,
    )
    left, top, right = 80.0, 372.0, 460.0
    picture.box((left, top), (STAGES * STAGE, 170), "frame")
    picture.box((right, 10), (240, STAGES * STAGE), "frame")
    picture.box((right, top), (240, 170), "frame")
    _band(picture, (left, top + 46), right + 80)
    picture.box((right + 80, top + 46), (80, 80), "outputs", "tile")
    picture.text((left + 8, top + 23), "W, m by k", anchor="start")
    picture.text((right + 8, 28), "X, k by n", anchor="start")
    picture.text((right + 8, top + 23), "Y, m by n", anchor="start")
    picture.arrow((left - 14, top + 46), (left - 14, top + 126), both=True)
    picture.text((left - 24, top + 86), "tile_m", anchor="end")
    picture.span((right + 80, 326), (right + 160, 326), "tile_n", above=False)
    picture.span((right + 176, 10 + SHOWN * STAGE), (right + 176, 10 + (SHOWN + 1) * STAGE), "")
    picture.text((right + 184, 10 + (SHOWN + 0.5) * STAGE), "tile_k", anchor="start")
    _enlarged(picture, (40, 90), (left + SHOWN * STAGE, top + 46))
    return picture


def _band(picture: Drawing, corner: Point, columns: float) -> None:
    """The tile's rows of W and columns of X, stage by stage."""
    left, top = corner
    for stage in range(STAGES):
        lit = stage == SHOWN
        x, y = left + stage * STAGE, 10 + stage * STAGE
        picture.box((x, top), (STAGE, 80), "weights" if lit else "plain")
        picture.box((columns, y), (80, STAGE), "activations" if lit else "plain")
        for group in range(1, GROUPS):
            along = group * STAGE / GROUPS
            picture.path([(x + along, top), (x + along, top + 80)], "thin")
            picture.path([(columns, y + along), (columns + 80, y + along)], "thin")


def _enlarged(picture: Drawing, corner: Point, stage: Point) -> None:
    """Four rows of the lit stage of W, weight by weight."""
    x, y = corner
    gap = 12.0
    width = GROUPS * (GROUP * CELL + gap) - gap
    picture.text((x + width / 2, y - 52), "one stage of W under 2:4,\nfour of its rows")
    for row in range(4):
        for group in range(GROUPS):
            for place, kept in enumerate(KEPT[(5 * row + group) % len(KEPT)]):
                at = x + group * (GROUP * CELL + gap) + place * CELL, y + row * CELL
                picture.box(at, (CELL, CELL), "weights" if kept == "1" else "plain")
    below = y + 4 * CELL
    picture.span((x, below + 14), (x + GROUP * CELL, below + 14), "a group", above=False)
    picture.path([(x, below + 52), (stage[0], stage[1])], "thin")
    picture.path([(x + width, below + 52), (stage[0] + STAGE, stage[1])], "thin")
    picture.path([(x, below + 52), (x + width, below + 52)], "thin")
    picture.text((x + width / 2, below + 78), "a stage ends where a group ends")
