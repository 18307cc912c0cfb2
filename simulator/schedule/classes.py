"""Classes of stages and of blocks: what costs the same, as tables.

Whatever a stage or a block costs depends on its class alone, so that costs are arrays with a place
a class. A class's *code* is its place in the table here, which compiled loops count in.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class StageClass(NamedTuple):
    """Whether a stage is at an edge of its grid, where it may be cut short."""

    last_row: bool
    last_column: bool
    last_stage: bool


STAGE_CLASSES: Final = (
    #          last row, last column, last along k
    StageClass(False, False, False),
    StageClass(False, False, True),
    StageClass(False, True, False),
    StageClass(False, True, True),
    StageClass(True, False, False),
    StageClass(True, False, True),
    StageClass(True, True, False),
    StageClass(True, True, True),
)
LAST_ROW, LAST_COLUMN, LAST_STAGE = 4, 2, 1
"""What each edge adds to a stage's code."""


def stage_code(last_row: bool, last_column: bool, last_stage: bool) -> int:
    """Place of a class in `STAGE_CLASSES`; of arrays, too."""
    return LAST_ROW * last_row + LAST_COLUMN * last_column + LAST_STAGE * last_stage


FIRST_STAGE: Final = len(STAGE_CLASSES)
"""What being a tile's first stage adds, where its rows are loaded then and kept: such programs have
a second set of classes for those."""


ROWS, COLUMNS, OUTPUTS, PARTIALS = range(4)
"""Operands: what is read along m (W, unless operands are swapped) and along n, tiles of Y, and
their partial sums where k is split."""


class BlockClass(NamedTuple):
    """Whose block it is, and the edges of the grid that it is at.

    An operand that is shared out evenly, as the input of a convolution, has its smaller share in
    its first class and its larger one in the second.
    """

    operand: int
    edges: StageClass


BLOCK_CLASSES: Final = (
    #          of, last row, last column, last along k
    BlockClass(ROWS, StageClass(False, False, False)),
    BlockClass(ROWS, StageClass(False, False, True)),
    BlockClass(ROWS, StageClass(True, False, False)),
    BlockClass(ROWS, StageClass(True, False, True)),
    BlockClass(COLUMNS, StageClass(False, False, False)),
    BlockClass(COLUMNS, StageClass(False, False, True)),
    BlockClass(COLUMNS, StageClass(False, True, False)),
    BlockClass(COLUMNS, StageClass(False, True, True)),
    BlockClass(OUTPUTS, StageClass(False, False, False)),
    BlockClass(OUTPUTS, StageClass(False, True, False)),
    BlockClass(OUTPUTS, StageClass(True, False, False)),
    BlockClass(OUTPUTS, StageClass(True, True, False)),
    BlockClass(PARTIALS, StageClass(False, False, False)),
    BlockClass(PARTIALS, StageClass(False, True, False)),
    BlockClass(PARTIALS, StageClass(True, False, False)),
    BlockClass(PARTIALS, StageClass(True, True, False)),
)
BLOCKS_OF: Final = {
    operand: slice(first, first + 4)
    for operand, first in ((ROWS, 0), (COLUMNS, 4), (OUTPUTS, 8), (PARTIALS, 12))
}
"""Codes of an operand's blocks."""
