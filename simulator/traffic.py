"""Traffic: bytes by level of the machine, operand, and direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Final

LEVELS: Final = ("dram", "l2", "scratchpad", "register_file")
OPERANDS: Final = ("weights", "metadata", "activations", "outputs", "partial_sums")
"""Of every layer, whether it moves them or not, so that all rows of a table have all columns."""

DIRECTIONS: Final = ("read", "written")
"""Read from a level, written to it."""

Flow = tuple[str, str, str]
"""A level, an operand and a direction."""

FLOWS: Final[tuple[Flow, ...]] = tuple(product(LEVELS, OPERANDS, DIRECTIONS))


class Traffic(Mapping[str, Mapping[str, Mapping[str, int]]]):
    """Bytes by level, operand and direction; never changed once made.

    Reads as a nested mapping. The sum of two is that of every flow, and so is a multiple.

    Parameters
    ----------
    moved_bytes : mapping, optional
        Bytes by (level, operand, direction); what it lacks is 0.

    Examples
    --------
    >>> traffic = 3 * Traffic({("dram", "weights", "read"): 64, ("dram", "outputs", "written"): 8})
    >>> traffic["dram"]["weights"]["read"], traffic.total("dram"), traffic.total("l2")
    (192, 216, 0)
    """

    __slots__ = ("_bytes",)

    def __init__(self, moved_bytes: Mapping[Flow, int] | None = None) -> None:
        moved_bytes = moved_bytes or {}
        assert moved_bytes.keys() <= set(FLOWS), "no such level, operand or direction"
        self._bytes = {flow: moved_bytes.get(flow, 0) for flow in FLOWS}

    def __getitem__(self, level: str) -> dict[str, dict[str, int]]:
        return {
            operand: {way: self._bytes[level, operand, way] for way in DIRECTIONS}
            for operand in OPERANDS
        }

    def __iter__(self) -> Iterator[str]:
        return iter(LEVELS)

    def __len__(self) -> int:
        return len(LEVELS)

    def __repr__(self) -> str:
        moved = {flow: size for flow, size in self._bytes.items() if size}
        return f"Traffic({moved})"

    def total(self, level: str, direction: str | None = None) -> int:
        """All bytes of a level, or those of one direction."""
        ways = DIRECTIONS if direction is None else (direction,)
        return sum(self._bytes[level, operand, way] for operand in OPERANDS for way in ways)

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic({flow: self._bytes[flow] + other._bytes[flow] for flow in FLOWS})

    def __mul__(self, repeats: int) -> Traffic:
        return Traffic({flow: size * repeats for flow, size in self._bytes.items()})

    __rmul__ = __mul__
