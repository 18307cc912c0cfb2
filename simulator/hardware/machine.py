"""The whole machine, as its YAML describes it. Names are the YAML keys and carry their units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, field_validator, model_validator

from simulator.catalog import CONTROL
from simulator.errors import ConfigError, did_you_mean
from simulator.hardware.attention import AttentionKernels
from simulator.hardware.core import Core, Source
from simulator.hardware.library import Library, LibraryChoice
from simulator.hardware.memory import Memory
from simulator.hardware.section import Count, NotNegative, Positive, Ratio, Section, Switch
from simulator.sparsity import Capability, MetadataCode, Pattern
from simulator.units import PS_PER_MS, Rate, cycles_to_ps, exact, ns_to_ps

Skip = Literal["none", "slots", "nonzeros"]
Launches = Literal["stream", "graph"]


class Sparsity(Section):
    """Which patterns of zeros the machine executes, and which zeros it skips."""

    patterns: tuple[str, ...] = Field(
        (),
        description='Patterns executed, such as ["2:4"]; replaces a largest_group of the base.',
    )
    largest_group: Annotated[int, Field(ge=0, le=256, strict=True)] = Field(
        0,
        description="Any keep:group up to this group is executed, instead of those that the base "
        "lists; 0: only the listed ones.",
    )
    skip: Skip = Field(
        "slots",
        description="slots: keep slots a group are computed; none: zeros are stored compressed "
        "but computed; nonzeros: a group costs its real non-zeros, where weights are given.",
    )
    lockstep_rows: Count = Field(
        16, description="Rows of W that advance together and wait for the fullest (nonzeros)."
    )
    metadata: MetadataCode = Field(
        "index",
        description="How positions of slots are coded: an index a slot, keep * ceil(log2 group) "
        "bits a group; or the number of the mask, ceil(log2 C(group, keep)) bits (enumerative).",
    )

    @field_validator("patterns", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            raise ValueError('want a list of patterns, such as ["2:4"]')
        try:
            return tuple(str(Pattern.parse(item, "pattern")) for item in value)
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @property
    def capability(self) -> Capability:
        return Capability(tuple(Pattern.parse(p) for p in self.patterns), self.largest_group)


class Energy(Section):
    """Energy per action, each with its source; leave the section out where nothing is known."""

    mac_pj: dict[str, NotNegative] = Field(
        description="Energy of one executed multiply-accumulate, padding included, by dtype; from "
        "published circuits."
    )
    register_file_pj_per_byte: NotNegative = Field(
        description="Energy of a byte that operands or accumulators write to a register file, or "
        "read from it."
    )
    scratchpad_pj_per_byte: NotNegative = Field(
        description="Energy of a byte that stages write to a scratchpad, or fragments read from it."
    )
    l2_pj_per_byte: NotNegative = Field(
        description="Energy of a byte that passes between L2 and a core, either way."
    )
    dram_pj_per_byte: NotNegative = Field(
        description="Energy of a byte that is read from main memory, or written to it."
    )
    static_w: NotNegative = Field(0, description="Drawn all the time: leakage, clocks, idle I/O.")
    tdp_w: Positive | None = Field(
        None, description="Power limit: a layer that would draw more runs at a lower clock."
    )

    @model_validator(mode="after")
    def _limit_above_static(self) -> Energy:
        if self.tdp_w is not None and self.tdp_w <= self.static_w:
            raise ValueError(f"tdp_w must be above static_w = {self.static_w:g}")
        return self


class Sustained(Section):
    """What a clock falls to under a load that lasts: the card holds its power.

    Model: it nears ``clock_ratio`` exponentially from the start of every layer, whatever the layer
    does; main memory keeps its clock.
    """

    clock_ratio: Ratio = Field(
        description="Clock after a long time under load, over clock_hz; fitted."
    )
    settling_ms: Positive = Field(
        description="Time under load in which the clock goes 63 % of the way there."
    )
    applies: Switch = Field(
        False, description="Whether load lowers the clock; off, it stays whatever a layer takes."
    )

    def mean_ratio(self, time_ps: int) -> float:
        """Mean clock of a layer that takes so long, of clock_hz."""
        times = time_ps / (self.settling_ms * PS_PER_MS)
        fallen = 1 + math.expm1(-times) / times if times else 0.0
        return 1 - (1 - self.clock_ratio) * fallen


class Hardware(Section):
    """A whole machine: cores, what they share, and the libraries whose kernels run on it.

    Units stand in the names of keys; a key without one is a count.
    """

    # The properties below derive what the model needs in exact units: picoseconds, and picoseconds
    # per byte as rationals.

    name: str = Field(description="What reports and tables call the machine.")
    description: str = Field("", description="In a line, what it is, for lists of machines.")
    clock_hz: Annotated[int, Field(ge=10**6, le=10**11, strict=True)] = Field(
        description="Of cores and L2, from the data sheet: the boost clock, where loads hold it. "
        "Main memory keeps its own."
    )
    launch_ns: NotNegative = Field(
        0, description="Host time of one launch, apart from device time."
    )
    graph_launch_ns: NotNegative | None = Field(
        None,
        description="Host time of one kernel in a graph that is launched whole; default: "
        "launch_ns.",
    )
    launches: Launches = Field(
        "stream",
        description="How the host launches kernels: one by one (stream), or all in a graph.",
    )
    kernel_start_ns: NotNegative = Field(
        0,
        description="Device time that every kernel takes besides its work: blocks and parameters "
        "reach the cores, instruction and constant caches fill, completion is signalled.",
    )
    stream_start_ns: NotNegative | None = Field(
        None,
        description="Device time that a streaming kernel takes besides its work, which has little "
        "code and asks for no scratchpad; default: kernel_start_ns.",
    )
    core: Core = Field(description="One core, and how many equal ones there are.")
    memory: Memory = Field(description="What the cores share: L2 and main memory.")
    sparsity: Sparsity = Field(
        Sparsity(),
        description="Which patterns are executed, which zeros are skipped; default: dense only.",
    )
    libraries: dict[str, Library] = Field(
        min_length=1, description="How the kernels of each software library use the machine."
    )
    library: LibraryChoice = Field(
        description="Which of the libraries runs dense layers, and which runs sparse ones."
    )
    attention: AttentionKernels = Field(
        AttentionKernels(),
        description="Kernels of fused attention; default: as FlashAttention-2.",
    )
    energy: Energy | None = Field(
        None, description="What actions cost; absent, energy and power are not known."
    )
    sustained: Sustained | None = Field(
        None, description="What a load that lasts does to the clock; absent, nothing."
    )

    @field_validator("name", "description")
    @classmethod
    def _no_control_characters(cls, value: str) -> str:
        if CONTROL.search(value):
            raise ValueError("holds a control character")
        return value

    @model_validator(mode="after")
    def _one_limit(self) -> Hardware:
        if self.energy and self.energy.tdp_w and self.sustained and self.sustained.applies:
            raise ValueError("sustained: applies beside energy.tdp_w: both lower the clock")
        return self

    @model_validator(mode="after")
    def _libraries_fit(self) -> Hardware:
        chosen = self.library
        optional = (chosen.vector,) if chosen.vector is not None else ()
        for name in (chosen.dense, chosen.sparse, *optional, *chosen.dtypes.values()):
            if name not in self.libraries:
                raise ValueError(
                    f"library: no library '{name}' ({did_you_mean(name, self.libraries)})"
                )
        if chosen.vector is not None and self.libraries[chosen.vector].unit != "vector":
            raise ValueError(f"library.vector: {chosen.vector} has another unit")
        for name, library in self.libraries.items():
            if library.unit == "vector" and self.core.vector is None:
                raise ValueError(f"libraries.{name}.unit: the machine has no core.vector")
            if library.cluster.cores > self.core.count:
                raise ValueError(
                    f"libraries.{name}.cluster: {library.cluster.cores} cores are more than "
                    f"core.count = {self.core.count}"
                )
        return self

    @property
    def dtypes(self) -> tuple[str, ...]:
        return tuple(self.core.tensor_cores.macs_per_cycle)

    @property
    def dram_rate(self) -> Rate:
        """Of reads."""
        dram = self.memory.dram
        return _rate(dram.bytes_per_second, dram.efficiency_ratio)

    @property
    def dram_write_rate(self) -> Rate:
        dram = self.memory.dram
        return _rate(dram.bytes_per_second, dram.write_efficiency_ratio or dram.efficiency_ratio)

    @property
    def l2_rate(self) -> Rate:
        return _rate(self.memory.l2.bytes_per_cycle, self.clock_hz)

    @property
    def link_rate(self) -> Rate | None:
        halves = self.memory.l2.halves
        return _rate(halves.link_bytes_per_cycle, self.clock_hz) if halves else None

    @property
    def port_rate(self) -> Rate:
        return _rate(self.core.port_bytes_per_cycle, self.clock_hz)

    @property
    def scratchpad_rate(self) -> Rate:
        pad = self.core.scratchpad
        return _rate(pad.bytes_per_cycle, pad.efficiency_ratio, self.clock_hz)

    @property
    def scratchpad_bytes_per_cycle(self) -> Fraction:
        """Sustained."""
        pad = self.core.scratchpad
        return exact(pad.bytes_per_cycle) * exact(pad.efficiency_ratio)

    def under(self, library: Library) -> Hardware:
        """The machine as the kernels of a library find it: with the library's own values in place.

        Everything that is simulated, ranked or checked under a library takes its numbers from here.
        """
        core = self.core
        if library.register_buffers is not None:
            file = _with(core.register_file, buffers=library.register_buffers)
            core = _with(core, register_file=file)
        for key in ("barrier_cycles", "whole_tiles", "promotion"):
            if getattr(library, key) is not None:
                core = _with(core, **{key: getattr(library, key)})
        cores = core.tensor_cores
        if library.sums == "fp16" and cores.fp16_sums_macs_per_cycle is not None:
            rates = cores.macs_per_cycle | {"fp16": cores.fp16_sums_macs_per_cycle}
            core = _with(core, tensor_cores=_with(cores, macs_per_cycle=rates))
        if library.unit == "vector" and core.vector is not None:
            core = _with(core, tensor_cores=core.vector.multiplying(self.dtypes))
        # Every value was checked where the library was read.
        return self if core is self.core else _with(self, core=core)

    def taking_rows_from(self, source: Source) -> Hardware:
        """The machine whose tensor cores take the rows operand, which is W's place, from there."""
        core = self.core
        if core.operand_source.w == source:
            return self
        return _with(self, core=_with(core, operand_source=_with(core.operand_source, w=source)))

    def vector_library(self, rows: int, name: str | None = None) -> str | None:
        """The library that runs weights of which ``rows`` rows choose columns together, if any.

        The named one, or else the choice for sparse layers before all others.
        """
        names = [name] if name else [self.library.sparse, *self.libraries]
        return next((one for one in names if rows in self.libraries[one].vector_rows), None)

    def vector_rows(self, name: str | None = None) -> list[int]:
        """How many rows may choose columns together under any library, or the named one; most
        first."""
        libraries = [self.libraries[name]] if name else self.libraries.values()
        return sorted({rows for library in libraries for rows in library.vector_rows}, reverse=True)

    def at_clock(self, clock_hz: int) -> Hardware:
        """The same machine at another clock; main memory keeps its own."""
        return self.model_copy(update={"clock_hz": clock_hz})

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Hardware:
        """A copy that is checked as a whole."""
        del deep  # a machine is frozen, and so are its parts
        return type(self).model_validate({**self.model_dump(), **(update or {})})

    def macs_per_cycle(self, dtype: str) -> Fraction:
        """Of one core."""
        return exact(self.core.tensor_cores.macs_per_cycle[dtype])

    def cycles_ps(self, cycles: float) -> int:
        """Picoseconds of a number of cycles written in the YAML, rounded up."""
        return cycles_to_ps(cycles, self.clock_hz)

    def start_ps(self, *, streaming: bool) -> int:
        """Device time of a kernel besides its work."""
        own = self.stream_start_ns if streaming else None
        return ns_to_ps(self.kernel_start_ns if own is None else own)

    @property
    def host_ns(self) -> float:
        """Host time of a launch, the way that this machine's are made."""
        of_graph = self.graph_launch_ns if self.launches == "graph" else None
        return float(self.launch_ns if of_graph is None else of_graph)

    @property
    def dram_latency_ps(self) -> int:
        return ns_to_ps(self.memory.dram.latency_ns)


@lru_cache(maxsize=4096)
def _rate(*factors: float) -> Rate:
    """Bytes a second as the exact product of numbers as they are written."""
    return Rate.from_bytes_per_second(math.prod(map(exact, factors), start=Fraction(1)))


_SectionT = TypeVar("_SectionT", bound=BaseModel)


def _with(section: _SectionT, **values: object) -> _SectionT:
    """A section with other values, which are valid already."""
    return BaseModel.model_copy(section, update=values)
