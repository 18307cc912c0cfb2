"""``Program, EngineResult -> Account``: where core-time went, to the picosecond."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import mul
from typing import Final

from simulator.engine.result import EngineResult
from simulator.frozen import FrozenDict
from simulator.schedule.program import Program
from simulator.units import PS_PER_NS


class Account(FrozenDict[str, int]):
    """Picoseconds of a core, or of several, by what they were spent on.

    A dictionary that does not change. Every kind is an attribute, too. Sums, differences and
    multiples are those of every kind.

    Attributes
    ----------
    kernel_start : int
        Before any work.
    mac_useful, mac_padding : int
        Multiplying on slots that can hold a weight, and on others. `of` calls all of it useful;
        `divided` tells them apart, which can only be said of a whole layer.
    scratchpad_stall, operand_stall, vector_stall, barrier : int
        The rest of stages: waiting for the scratchpad, for the path of operands, for vector lanes,
        and for warps.
    memory_stall, prologue, epilogue, reduction : int
        Waiting between stages, and for what leaves the core.
    idle : int
        After a core's last output, until the layer ends.
    """

    __slots__ = ()

    kernel_start: int
    mac_useful: int
    mac_padding: int
    scratchpad_stall: int
    operand_stall: int
    vector_stall: int
    barrier: int
    memory_stall: int
    prologue: int
    epilogue: int
    reduction: int
    idle: int

    def __init__(
        self, times: Mapping[str, int] | Iterable[tuple[str, int]] = (), **others: int
    ) -> None:
        given = dict(times, **others)
        assert given.keys() <= _KINDS, "no such kind of time"
        super().__init__(_NO_TIME | given)

    def __getattr__(self, kind: str) -> int:
        if kind not in CORE_TIME:
            raise AttributeError(kind)
        return self[kind]

    @classmethod
    def of(
        cls, program: Program, result: EngineResult, start_ps: int = 0, core: int | None = None
    ) -> Account:
        """All time of one core, or of all: its parts add up to cores times start and makespan."""
        cores = slice(None) if core is None else slice(core, core + 1)
        sums = program.stages.sums(result.stages[cores].sum(axis=0))
        barrier, operand = sums["barrier_ps"], sums["operand_stall_ps"]
        vector = sums["vector_stall_ps"]
        mac, worked = int(result.mac_ps[cores].sum()), int(result.worked_ps[cores].sum())
        ends_ps = result.end_ps[cores]
        return cls(
            kernel_start=len(ends_ps) * start_ps,
            mac_useful=mac,
            scratchpad_stall=worked - mac - barrier - operand - vector,
            operand_stall=operand,
            vector_stall=vector,
            barrier=barrier,
            **result.waits(core)._asdict(),
            idle=len(ends_ps) * result.makespan_ps - int(ends_ps.sum()),
        )

    @classmethod
    def added(cls, parts: Iterable[tuple[Account, int]]) -> Account:
        """The sum of multiples, as ``+`` and ``*`` give it, in one go."""
        accounts, times = zip(*parts, strict=True)
        kinds = zip(*(account.values() for account in accounts), strict=True)
        spent = (sum(map(mul, kind, times)) for kind in kinds)
        return cls(zip(CORE_TIME, spent, strict=True))

    def divided(self, slots_used: int, executed: int) -> Account:
        """With the time of MACs shared between useful ones and padding, as their slots are."""
        useful = self.mac * slots_used // executed if executed else 0
        return Account(self, mac_useful=useful, mac_padding=self.mac - useful)

    @property
    def mac(self) -> int:
        """Multiplying, whether useful or not."""
        return self.mac_useful + self.mac_padding

    def undivided(self) -> dict[str, int]:
        """The same with MACs as one kind, ``mac``: what can be said of a part of a layer."""
        others = {kind: time for kind, time in self.items() if not kind.startswith("mac_")}
        return {"mac": self.mac} | others

    @property
    def total(self) -> int:
        return sum(self.values())

    def of_average_core_ns(self, time_ps: int) -> dict[str, float]:
        """Nanoseconds of an average core by kind, in a time that all cores had."""
        cores = self.total / time_ps
        return {kind: time / cores / PS_PER_NS for kind, time in self.items()}

    def __add__(self, other: Account) -> Account:
        return Account({kind: time + other[kind] for kind, time in self.items()})

    def __sub__(self, other: Account) -> Account:
        return Account({kind: time - other[kind] for kind, time in self.items()})

    def __mul__(self, repeats: int) -> Account:
        return Account({kind: time * repeats for kind, time in self.items()})

    __rmul__ = __mul__


CORE_TIME: Final = tuple(Account.__annotations__)
"""What core-time is spent on, in the order of every table and picture."""

_KINDS: Final = frozenset(CORE_TIME)
_NO_TIME: Final = dict.fromkeys(CORE_TIME, 0)
