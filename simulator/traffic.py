"""Traffic: bytes by level of the machine, operand, and direction."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Final

from simulator.frozen import FrozenDict

LEVELS: Final = ("dram", "l2", "scratchpad", "register_file")
OPERANDS: Final = ("weights", "metadata", "activations", "outputs", "partial_sums")
"""Of every layer, whether it moves them or not, so that all rows of a table have all columns."""

DIRECTIONS: Final = ("read", "written")
"""Read from a level, written to it."""

Flow = tuple[str, str, str]
"""A level, an operand and a direction."""

FLOWS: Final[tuple[Flow, ...]] = tuple(product(LEVELS, OPERANDS, DIRECTIONS))


Ways = FrozenDict[str, int]
Operands = FrozenDict[str, Ways]


class Traffic(FrozenDict[str, Operands]):
    """Bytes by level, operand and direction, as nested dictionaries; never changed once made.

    The sum of two is that of every flow, and so is a multiple.

    Examples
    --------
    >>> moved = {("dram", "weights", "read"): 64, ("dram", "outputs", "written"): 8}
    >>> traffic = 3 * Traffic.of(moved)
    >>> traffic["dram"]["weights"]["read"], traffic.total("dram"), traffic.total("l2")
    (192, 216, 0)
    """

    __slots__ = ()

    @classmethod
    def of(cls, moved_bytes: Mapping[Flow, int]) -> Traffic:
        """Traffic of so many bytes by (level, operand, direction); what is not named is 0."""
        assert moved_bytes.keys() <= set(FLOWS), "no such level, operand or direction"
        return cls(
            {
                level: Operands(
                    {
                        operand: Ways(
                            {way: moved_bytes.get((level, operand, way), 0) for way in DIRECTIONS}
                        )
                        for operand in OPERANDS
                    }
                )
                for level in LEVELS
            }
        )

    def total(self, level: str, direction: str | None = None) -> int:
        """All bytes of a level, or those of one direction."""
        chosen = DIRECTIONS if direction is None else (direction,)
        return sum(ways[way] for ways in self[level].values() for way in chosen)

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic.of({(a, b, c): self[a][b][c] + other[a][b][c] for a, b, c in FLOWS})

    def __mul__(self, repeats: int) -> Traffic:
        return Traffic.of({(a, b, c): self[a][b][c] * repeats for a, b, c in FLOWS})

    __rmul__ = __mul__
