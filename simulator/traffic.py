"""Traffic: bytes by level of the machine, operand, and direction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product, repeat
from operator import add
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


_KNOWN: Final = frozenset(FLOWS)


class Traffic(FrozenDict[str, FrozenDict[str, FrozenDict[str, int]]]):
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
        assert moved_bytes.keys() <= _KNOWN, "no such level, operand or direction"
        return cls.of_sizes(map(moved_bytes.get, FLOWS, repeat(0)))

    @classmethod
    def of_sizes(cls, sizes: Iterable[int]) -> Traffic:
        """Bytes of all flows, in their order."""
        left = iter(sizes)
        ways = [
            FrozenDict(zip(DIRECTIONS, pair, strict=True)) for pair in zip(left, left, strict=True)
        ]
        count = len(OPERANDS)
        by_level = [
            FrozenDict(zip(OPERANDS, ways[at : at + count], strict=True))
            for at in range(0, len(ways), count)
        ]
        return cls(zip(LEVELS, by_level, strict=True))

    @classmethod
    def added(cls, parts: Iterable[tuple[Traffic, int]]) -> Traffic:
        """The sum of multiples, as ``+`` and ``*`` give it, in one go."""
        sizes = [0] * len(FLOWS)
        for traffic, times in parts:
            for at, size in enumerate(traffic.sizes()):
                if size:
                    sizes[at] += size * times
        return cls.of_sizes(sizes)

    def sizes(self) -> list[int]:
        """Bytes of all flows, in their order."""
        return [size for of in self.values() for ways in of.values() for size in ways.values()]

    def total(self, level: str, direction: str | None = None) -> int:
        """All bytes of a level, or those of one direction."""
        if direction is None:
            return sum([size for ways in self[level].values() for size in ways.values()])
        return sum([ways[direction] for ways in self[level].values()])

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic.of_sizes(map(add, self.sizes(), other.sizes()))

    def __mul__(self, repeats: int) -> Traffic:
        return Traffic.of_sizes(size * repeats for size in self.sizes())

    __rmul__ = __mul__
