"""What an engine returns: times per core, and how often each class of thing happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulator.schedule.partition import IntArray


class Waits(NamedTuple):
    """Picoseconds for which a core that has work waits: for a stage in the midst of a tile, for a
    tile's first one, for accumulators that an epilogue holds, or a reduction."""

    memory_stall: int = 0
    prologue: int = 0
    epilogue: int = 0
    reduction: int = 0

    def plus(self, other: Waits) -> Waits:
        """Sums by kind."""
        return Waits(*(one + more for one, more in zip(self, other, strict=True)))


@dataclass(frozen=True)
class EngineResult:
    """Counts and picoseconds of one run; both engines fill it with equal numbers.

    Attributes
    ----------
    makespan_ps : int
        From time 0 until the last write has drained.
    stages : array (cores, kinds)
        Stages done, by core and kind: the stage class, or finer under real masks.
    waits_ps : array (cores, 4)
        Time of each core by the kinds of `Waits`; `waits` reads it by name.
    end_ps : array (cores,)
        When a core's last epilogue ended; 0 if it had no tile.
    worked_ps, mac_ps : array (cores,)
        Time of a core in stages, and in MACs alone.
    port_ps : array (cores,)
        How long a core's port was busy with reads.
    requests, misses : array (16,)
        L2 look-ups and those that read DRAM, by block class.
    multicast : array (16,)
        Requests for which L2 was not asked, since another core of the cluster had been sent the
        block already.
    far : array (16,)
        Look-ups that went to the other half of L2.
    written, dram_written : array (16,)
        Blocks written into L2, and to DRAM: on eviction, or directly.
    left : array (2, 16)
        Blocks in L2 at the end, clean and dirty, by block class.
    foreign_evicted : int
        How many of the program's foreign blocks left L2, the oldest first.
    evictions : int
        Blocks of its own that left L2.
    in_flight_hits : int
        Look-ups that found a block on its way from DRAM.
    ties : int
        Stage requests at the same picosecond as the one before.
    """

    makespan_ps: int
    stages: IntArray
    waits_ps: IntArray
    end_ps: IntArray
    worked_ps: IntArray
    mac_ps: IntArray
    port_ps: IntArray
    requests: IntArray
    misses: IntArray
    multicast: IntArray
    far: IntArray
    written: IntArray
    dram_written: IntArray
    left: IntArray
    foreign_evicted: int
    evictions: int
    in_flight_hits: int
    ties: int

    def waits(self, core: int | None = None) -> Waits:
        """How long one core has waited, or all of them."""
        by_kind = self.waits_ps.sum(axis=0) if core is None else self.waits_ps[core]
        return Waits(*by_kind.tolist())

    def differences(self, other: EngineResult) -> list[str]:
        """Names of the fields in which two results differ; none is agreement to the last bit."""
        return [
            name
            for name in self.__dataclass_fields__
            if not np.array_equal(getattr(self, name), getattr(other, name))
        ]
