"""Programs that find something in L2: blocks of their own, and blocks that nothing asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from simulator.hardware import Hardware
from simulator.schedule.classes import BLOCKS_OF, COLUMNS, PARTIALS, ROWS
from simulator.schedule.limits import check_time
from simulator.schedule.partition import IntArray
from simulator.schedule.program import Program

FOREIGN_BLOCK_BYTES: Final = 65536
"""Model: what others left in L2 leaves it in blocks of 64 KiB, four chunks of a stream."""


LONG_PS: Final = 2**40
"""A second, which is nothing beside what an event key can hold."""

NO_BLOCKS: Final = np.zeros(0, dtype=np.int64)


class Found(NamedTuple):
    """Consecutive blocks of a program that L2 holds at the start; the last ones are dirty."""

    first: int
    blocks: int
    dirty: int


class Foreign(NamedTuple):
    """Bytes of others that L2 holds at the start."""

    size: int
    dirty: bool


@dataclass(frozen=True)
class Layout:
    """Where the operands of a program lie among its blocks, and how large they are.

    Attributes
    ----------
    first, blocks : tuple of int
        First block, and how many there are, of rows, columns, and outputs.
    sizes : tuple of int
        Bytes of rows, columns, outputs, and partial sums.
    """

    first: tuple[int, ...]
    blocks: tuple[int, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, program: Program) -> Layout:
        grid = program.grid
        first = 0, grid.columns_base, grid.outputs_base, grid.partials_base
        counts = np.bincount(program.block_class, minlength=program.block_bytes.size)
        stored = counts * program.block_bytes
        return cls(
            first[:PARTIALS],
            tuple(stop - start for start, stop in pairwise(first)),
            tuple(stored.reshape(-1, 4).sum(axis=1).tolist()),
        )


def started(
    hardware: Hardware,
    program: Program,
    found: Sequence[Found],
    foreign: Sequence[Foreign],
    kept_bytes: int = 0,
) -> Program:
    """The program where L2 holds what was found, oldest first, and older than that ``foreign``.

    Between the two may be ``kept_bytes`` of others that nothing will evict: they only take room.
    What others leave dirty is known, so that reads do not pay for `foreign_dirty_ratio`.

    Raises
    ------
    MappingError
        If writing back what others left takes longer than an event key can hold.
    """
    blocks, is_dirty = NO_BLOCKS, NO_BLOCKS > 0
    if found:
        blocks = np.concatenate([np.arange(x.first, x.first + x.blocks) for x in found])
        is_dirty = np.concatenate([np.arange(x.blocks) >= x.blocks - x.dirty for x in found])
    start = program.but(
        warm_blocks=blocks,
        warm_dirty=is_dirty,
        foreign=_in_blocks(hardware, foreign) if foreign else program.foreign,
        l2_bytes=program.l2_bytes - kept_bytes,
        dram_ps=_read_ps(hardware, program),
    )
    if int(start.foreign[:, 1].sum()) > LONG_PS:
        check_time(start)
    return start


def _in_blocks(hardware: Hardware, foreign: Sequence[Foreign]) -> IntArray:
    """A row a block: bytes, and the time that writing it takes."""
    rows, times, rate = [], [], hardware.dram_write_rate
    for size, is_dirty in foreign:
        whole, rest = divmod(size, FOREIGN_BLOCK_BYTES)
        for block, count in ((FOREIGN_BLOCK_BYTES, whole), (rest, rest > 0)):
            rows.append((block, rate.ps(block) if is_dirty else 0))
            times.append(count)
    return np.repeat(np.array(rows), times, axis=0)


def _read_ps(hardware: Hardware, program: Program) -> IntArray:
    """Times at DRAM without what `foreign_dirty_ratio` adds to reads."""
    if not hardware.memory.l2.foreign_dirty_ratio:
        return program.dram_ps
    times, rate = program.dram_ps.copy(), hardware.dram_rate
    for operand in (ROWS, COLUMNS):
        of = BLOCKS_OF[operand]
        times[of] = [rate.ps(size) for size in program.block_bytes[of].tolist()]
    return times
