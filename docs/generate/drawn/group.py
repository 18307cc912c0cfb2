"""Eight weights of a row of W under two patterns: what is stored, loaded, picked, multiplied."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

from generate.drawn.svg import Drawing
from simulator.colours import OPERAND_COLOURS

COLOURS = {kind: OPERAND_COLOURS[kind] for kind in ("weights", "metadata", "activations")}
WEIGHTS = 8
CELL = 36.0
KEPT = {(2, 4): ((0, 3), (1, 2)), (1, 8): ((5,),)}
"""By pattern, which weights of each group are no zeros."""


def drawing() -> Drawing:
    """2:4 and 1:8 side by side."""
    picture = Drawing(
        "A group of weights under 2:4 and under 1:8",
        "Of eight weights 2:4 stores four slots and 1:8 stores one. Both load all eight "
        "activations. Multiplexers pick one activation for every slot: four of 4 to 1, or one of "
        "8 to 1.",
        520,
        COLOURS,
    )
    labels = (
        (66, "W, a row"), (140, "slots"), (172, "metadata"), (256, "MACs"),
        (338, "multi-\nplexers"), (440, "X, a\ncolumn"),
    )  # fmt: skip
    for y, words in labels:
        picture.text((0, y), words, anchor="start")
    for x, ((keep, group), kept) in zip((96.0, 430.0), KEPT.items(), strict=True):
        _panel(picture, x, (keep, group), kept)
    return picture


def _panel(
    picture: Drawing, left: float, pattern: tuple[int, int], kept: Sequence[Sequence[int]]
) -> None:
    keep, group = pattern
    slots = WEIGHTS * keep // group
    picture.text((left + 4 * CELL, 22), f"{keep}:{group}", kind="large")
    for first, inside in zip(range(0, WEIGHTS, group), kept, strict=True):
        for place in range(group):
            x = left + CELL * (first + place)
            is_kept = place in inside
            picture.box((x + 2, 50), (CELL - 4, 32), "weights" if is_kept else "plain",
                        f"w{first + place}" if is_kept else "0")  # fmt: skip
            picture.box((x + 2, 424), (CELL - 4, 32), "activations", f"x{first + place}")
        picture.path(
            [(left + CELL * first + 2, 92), (left + CELL * (first + group) - 2, 92)], "bracket"
        )
        for slot, place in enumerate(inside):
            x = left + CELL * (first + group * (slot + 0.5) / keep)
            _slot(picture, x, (left + CELL * first, group), first, place)
    bits = slots * ceil(log2(group))
    words = f"{slots} slot{'s' * (slots > 1)} and {bits} bits are stored,\n"
    picture.text((left + 4 * CELL, 490), f"{words}{WEIGHTS} activations are loaded")


def _slot(picture: Drawing, x: float, group_at: tuple[float, int], first: int, place: int) -> None:
    """A stored weight, the multiplexer that its metadata set, and the MAC where they meet."""
    left, group = group_at
    half = 4.0 * group
    picture.arrow((left + CELL * (place + 0.5), 82), (left + CELL * (place + 0.5), 104), (x, 124))
    picture.box((x - 22, 124), (44, 32), "weights", f"w{first + place}")
    picture.box((x - 22, 156), (44, 32), "metadata", f"{place:0{ceil(log2(group))}b}")
    picture.arrow((x, 188), (x, 238))
    picture.circle((x, 256), 18, "×")
    picture.arrow((x, 322), (x, 274))
    for one in range(group):
        from_x = left + CELL * (one + 0.5)
        to_x = x + (one + 0.5) * 2 * half / group - half
        picture.path([(from_x, 424), (to_x, 356)], "picked" if one == place else "thin")
    picture.path(
        [(x - half, 356), (x + half, 356), (x + 10, 322), (x - 10, 322)], "plain", closed=True
    )
    steered = x + (half + 10) / 2
    way = (x + 22, 172), (steered + 14, 172), (steered + 14, 339), (steered, 339)
    picture.arrow(*way, kind="steers")
