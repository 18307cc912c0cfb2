"""Numbers by class or kind, as arrays for engines and for the sums of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

import numpy as np

from simulator.errors import MappingError
from simulator.schedule.masking import MaskedStages
from simulator.schedule.partition import IntArray
from simulator.schedule.timing import StageCost, StageWork
from simulator.units import Rate

WORK: Final = tuple(field.name for field in fields(StageWork))
COST: Final = ("barrier_ps", "operand_stall_ps", "vector_stall_ps")
SUMMED: Final = tuple(name.replace("_bits", "_bytes") for name in WORK) + COST
"""What is added up over stages: their work, of which bits are whole bytes of each stage, and why
tensor cores wait in them."""

_IN_BITS: Final = np.array([name.endswith("_bits") for name in WORK])
_WORK_OF: Final = attrgetter(*WORK)
_COST_OF: Final = attrgetter(*COST)


@dataclass(frozen=True)
class StageTables:
    """What stages move and take, by kind: the class, or finer where real masks tell them apart."""

    works: tuple[StageWork, ...]
    costs: tuple[StageCost, ...]
    rows_port_ps: IntArray
    columns_port_ps: IntArray
    masked: MaskedStages | None = None

    @cached_property
    def stage_ps(self) -> IntArray:
        return int_array([cost.stage_ps for cost in self.costs])

    @cached_property
    def mac_ps(self) -> IntArray:
        return int_array([cost.mac_ps for cost in self.costs])

    @cached_property
    def prologue_ps(self) -> IntArray:
        return int_array([cost.prologue_ps for cost in self.costs])

    @cached_property
    def busy_ps(self) -> IntArray:
        """At the scratchpad, at the operand path, and in vector lanes; (kinds, 3)."""
        return int_array([(x.scratchpad_ps, x.operand_ps, x.vector_ps) for x in self.costs])

    @cached_property
    def _summed(self) -> IntArray:
        """A row a kind, a column each of `SUMMED`."""
        works = int_array([_WORK_OF(work) for work in self.works])
        works = np.where(_IN_BITS, -(-works // 8), works)
        return np.hstack([works, int_array([_COST_OF(cost) for cost in self.costs])])

    @cached_property
    def _largest(self) -> int:
        return int(self._summed.max())

    def sums(self, stages: IntArray) -> dict[str, int]:
        """Of so many stages of every kind, by the names of `SUMMED`."""
        table: Any = self._summed
        if int(stages.sum()) * self._largest >= 2**63:
            table = table.astype(object)
        return dict(zip(SUMMED, (stages @ table).tolist(), strict=True))


def times_ps(rates: Sequence[Rate], sizes: IntArray) -> IntArray:
    """Times of transfers, a row of sizes for every rate.

    Raises
    ------
    MappingError
        If one does not fit int64.
    """
    num, den = [rate.num for rate in rates], [rate.den for rate in rates]
    if max(max(1, int(sizes.max())) * max(num), *den) < 2**63:
        times: IntArray = -(-sizes * np.array(num)[:, None] // np.array(den)[:, None])
        return times
    rows = zip(rates, sizes.tolist(), strict=True)
    return int_array([[rate.ps(size) for size in row] for rate, row in rows])


def int_array(values: Sequence[Any]) -> IntArray:
    """As int64.

    Raises
    ------
    MappingError
        If one does not fit.
    """
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        what = "takes longer than int64 picoseconds can hold"
        raise MappingError("a transfer or a stage", what) from None
