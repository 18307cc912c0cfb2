"""What L2 holds between layers: a list of tensors, oldest first, with their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from simulator.schedule.started import FOREIGN_BLOCK_BYTES, Foreign
from simulator.units import ceil_div

Tensor = tuple[str | int, ...]
"""What tells tensors apart: weights by layer and iteration, outputs by a count."""


class Share(NamedTuple):
    """Bytes of a tensor that L2 holds, and how many of them are dirty."""

    held: int = 0
    dirty: int = 0

    def part(self, some: int, whole: int) -> Share:
        return Share(self.held * some // whole, self.dirty * some // whole)

    def plus(self, other: Share) -> Share:
        return Share(self.held + other.held, self.dirty + other.dirty)

    def within(self, other: Share) -> Share:
        return Share(min(self.held, other.held), min(self.dirty, other.dirty))

    def minus(self, other: Share) -> Share:
        return Share(self.held - other.held, self.dirty - other.dirty)


class Contents:
    """What L2 holds, tensor by tensor, oldest first."""

    def __init__(self) -> None:
        self.shares: dict[Tensor, Share] = {}
        self.used = 0

    def take(self, tensor: Tensor) -> Share:
        share = self.shares.pop(tensor, Share())
        self.used -= share.held
        return share

    def put(self, tensor: Tensor, share: Share, size: int | None = None) -> None:
        """As the newest, beside what there is of it; all of it has so many bytes."""
        if share.held:
            share = share.plus(self.take(tensor))
            if size is not None:  # both operands may be the same tensor
                share = share.within(Share(size, size))
            self.shares[tensor] = share
            self.used += share.held

    def runs(self) -> Iterator[Foreign]:
        """From the oldest on; of a tensor, what is clean is older."""
        for held, dirty in self.shares.values():
            if held > dirty:
                yield Foreign(held - dirty, False)
            if dirty:
                yield Foreign(dirty, True)

    def evict(self, size: int) -> int:
        """Drop the oldest bytes; returns how many of them were dirty."""
        written = 0
        while size > 0 and self.shares:
            tensor = next(iter(self.shares))
            held, dirty = self.take(tensor)
            gone = min(size, held)
            dropped = max(0, gone - (held - dirty))
            written += dropped
            size -= gone
            if gone < held:  # still the oldest
                rest = {tensor: Share(held - gone, dirty - dropped)}
                self.shares = rest | self.shares
                self.used += held - gone
        return written

    def evicted_by(self, overflow: int) -> int:
        """Bytes that leave where so many are too many: in whole blocks, from the oldest on."""
        gone = 0
        for size, _ in self.runs():
            if gone >= overflow:
                break
            gone += min(size, ceil_div(overflow - gone, FOREIGN_BLOCK_BYTES) * FOREIGN_BLOCK_BYTES)
        return gone
