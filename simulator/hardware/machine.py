"""The machine, as its YAML describes it. Field names are the YAML keys and carry their units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from simulator.catalog import CONTROL
from simulator.errors import ConfigError, did_you_mean
from simulator.sparsity import Capability, MetadataCode, Pattern
from simulator.units import DTYPE_BITS, PS_PER_MS, Rate, ceil_div, cycles_to_ps, exact, ns_to_ps

Count = Annotated[int, Field(ge=1, le=2**40, strict=True)]
Size = Annotated[int, Field(ge=1, le=65536, strict=True)]
Positive = Annotated[float, Field(ge=1e-12, le=1e18, strict=True, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=1e12, strict=True, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=1e-6, le=1, strict=True, allow_inf_nan=False)]
_WIDTH = {"type": "integer", "minimum": 1}
Switch = Annotated[bool, Field(strict=True)]
Source = Literal["register", "scratchpad"]
Dispatch = Literal["dynamic", "round_robin", "contiguous"]
Side = Literal["m", "n", "k"]
Skip = Literal["none", "slots", "nonzeros"]
Width = Annotated[Count, WithJsonSchema({"anyOf": [_WIDTH, {"type": "array", "items": _WIDTH}]})]
RegisterBuffers = Annotated[int, Field(ge=1, le=2, strict=True)]

MAX_CORES = 4096
MAX_STAGE_BUFFERS = 64
MAX_CLUSTER = 16  # CUDA's largest cluster, where a kernel opts for more than 8


class Section(BaseModel):
    """A part of the YAML: immutable, and no key that is not listed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Instruction(Section):
    """What the tensor cores take whole."""

    m: Size = Field(description="Rows of W.")
    n: Size = Field(description="Columns of X: the most that one instruction covers.")
    k: Size = Field(description="Slots along k.")
    n_step: Count | None = Field(
        None, description="Columns come in steps of this many (Hopper: 8); default: all of n."
    )

    @property
    def column_step(self) -> int:
        """Columns to which a narrow instruction is rounded up."""
        return self.n_step or self.n

    @model_validator(mode="after")
    def _step_divides(self) -> Instruction:
        if self.n % self.column_step:
            raise ValueError(f"n_step must divide n = {self.n}")
        return self


class Issue(Section):
    """How instructions follow each other on one core, for `nmsim microbench`."""

    partitions: Count = Field(description="Tensor cores of a core; warps are dealt out to them.")
    latency_cycles: NotNegative = Field(description="Completion latency apart from the passes.")
    latency_per_pass_ratio: Positive = Field(
        description="Completion latency per cycle that the instruction occupies its tensor core."
    )
    turnaround_cycles: NotNegative = Field(
        description="Between dependent iterations of a warp; other warps of the partition hide it."
    )
    sparse_interval_cycles: NotNegative = Field(
        0, description="Least time between two sparse instructions of a partition, however short."
    )


class TensorCores(Section):
    """All tensor cores of one core, together."""

    macs_per_cycle: dict[str, Positive] = Field(
        min_length=1, description="Multiply-accumulates of stored slots per cycle, by dtype."
    )
    instructions: dict[str, Instruction] = Field(description="Instruction shape, by dtype.")
    drain_cycles: NotNegative = Field(
        0, description="From the last instruction's issue to its result; paid once a tile."
    )
    issue: Issue | None = None

    @field_validator("macs_per_cycle", "instructions")
    @classmethod
    def _known_dtypes(cls, value: dict[str, object]) -> dict[str, object]:
        for dtype in value:
            if dtype not in DTYPE_BITS:
                raise ValueError(f"unknown dtype '{dtype}' ({did_you_mean(dtype, DTYPE_BITS)})")
        return value

    @model_validator(mode="after")
    def _same_dtypes(self) -> TensorCores:
        missing = set(self.macs_per_cycle) ^ set(self.instructions)
        if missing:
            raise ValueError(
                f"macs_per_cycle and instructions must list the same dtypes: see {sorted(missing)}"
            )
        return self


class RegisterFile(Section):
    """The register file of one core."""

    bytes: Count
    reserved_bytes: Annotated[int, Field(ge=0, strict=True)] = Field(
        0, description="Not available to operands and accumulators: addresses, loop counters."
    )
    buffers: RegisterBuffers = Field(
        2, description="2: the load of step i+1 hides behind the MACs of step i; 1: they add up."
    )
    operand_bytes_per_cycle: Positive = Field(
        description="From the register file to the tensor cores."
    )


class Scratchpad(Section):
    """The scratchpad (shared memory) of one core."""

    bytes: Count
    bytes_per_cycle: Positive
    efficiency_ratio: Ratio = Field(1.0, description="Sustained over peak bandwidth.")
    latency_cycles: NotNegative = Field(0, description="First register load; paid once a tile.")
    banks: Count = Field(32, description="Banks that serve one access a cycle each.")
    bank_bytes: Count = Field(4, description="Width of a bank.")
    shared_port: Switch = Field(
        True, description="Reads and incoming writes share the port; false: the larger one counts."
    )


class OperandSource(Section):
    """Where the tensor cores take their operands from."""

    w: Source = "register"
    x: Source = "register"


class Promotion(Section):
    """Partial sums that CUDA cores add up, since the tensor cores' own sums are too short.

    Model: the warp groups of a tile work on the same stage and wait for its last instruction, so
    that their additions follow its MACs and tensor cores idle meanwhile.
    """

    every_k: Count = Field(description="Weights along k that the tensor cores sum by themselves.")
    rows: Size = Field(
        description="Rows whose sums are in flight at a time, 64 a warp group; taller tiles take "
        "several turns. Fewer rows take as long: their warps have lanes of their own."
    )
    sums_per_cycle: Positive = Field(description="Scaled and added, of all rows in flight.")


class Core(Section):
    """One core, and how many of them there are."""

    count: Annotated[int, Field(ge=1, le=MAX_CORES, strict=True)]
    tensor_cores: TensorCores
    register_file: RegisterFile
    scratchpad: Scratchpad
    operand_source: OperandSource = OperandSource()
    port_bytes_per_cycle: Positive = Field(description="Between the core and L2, each direction.")
    async_copies: Switch = Field(
        True,
        description="Loads go past the register file into the scratchpad; false: through registers "
        "of the threads that compute, one stage at a time.",
    )
    issue_cycles: Positive = Field(1, description="Least time between two stage requests.")
    barrier_cycles: NotNegative = Field(
        0, description="Between stages: all warps meet, and the tensor pipeline runs dry."
    )
    promotion: Promotion | None = Field(
        None, description="Of kernels that no library says otherwise of."
    )
    whole_tiles: Switch = Field(
        False,
        description="Tiles at the edges are multiplied whole, zeros beyond Y included; false: only "
        "instructions that hold a part of Y.",
    )
    alignment_bytes: Count = Field(
        16, description="Vector width that full port bandwidth needs rows to be aligned to."
    )


class Halves(Section):
    """An L2 in two halves: half of the blocks are far from any one core."""

    far_latency_cycles: NotNegative = Field(description="Added to a far access.")
    link_bytes_per_cycle: Positive = Field(description="Between the halves.")


class L2(Section):
    """The cache that all cores share."""

    bytes: Count
    bytes_per_cycle: Positive
    latency_cycles: NotNegative
    halves: Halves | None = None
    start: Literal["cold", "warm"] = Field("cold", description="At the start of each layer.")
    foreign_dirty_ratio: Annotated[float, Field(ge=0, le=1, strict=True)] = Field(
        0.0,
        description="Share of L2 that at the start of each layer holds what others wrote, and that "
        "is written to DRAM when the layer's reads evict it.",
    )


class Dram(Section):
    """Main memory."""

    bytes: Count
    bytes_per_second: Positive
    efficiency_ratio: Ratio = Field(
        1.0,
        description="Sustained over peak bandwidth; of reads, where writes have another.",
    )
    write_efficiency_ratio: Ratio | None = Field(
        None,
        description="What a written byte costs among reads, for which the bus turns around; "
        "default: efficiency_ratio.",
    )
    latency_ns: NotNegative = Field(description="From a core's request to the data, unloaded.")


class Memory(Section):
    """What the cores share."""

    l2: L2
    dram: Dram
    writes: Literal["l2", "dram"] = Field(
        "l2", description="Outputs go to L2 and to DRAM on eviction, or straight to DRAM."
    )


class Sparsity(Section):
    """Which zeros the machine can skip."""

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
    metadata: MetadataCode = Field("index", description="How slot positions are coded.")

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


class Tile(Section):
    """A tile that a library's kernels offer."""

    m: Count
    n: Width = Field(description="A list of widths is a tile of each width.")
    slots: Count = Field(description="tile_k in slots; the machine grows it with group / keep.")
    fragment_m: Count = Field(description="Default: all of m.")
    fragment_n: Count = Field(description="Default: all of n.")
    fallback: Switch = Field(
        False, description="Offered only where none of the other tiles gives every core one."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_fragment(cls, value: object) -> object:
        if isinstance(value, dict):
            return {f"fragment_{axis}": value[axis] for axis in "mn" if axis in value} | value
        return value

    @model_validator(mode="after")
    def _fragment_in_tile(self) -> Tile:
        if self.fragment_m > self.m or self.fragment_n > self.n:
            raise ValueError("a fragment cannot be larger than its tile")
        return self


class ClusterShape(Section):
    """How many tiles side by side are worked on by a cluster of cores that share what they read."""

    m: Annotated[int, Field(ge=1, le=MAX_CLUSTER, strict=True)] = Field(
        1, description="Along m; they share blocks of X."
    )
    n: Annotated[int, Field(ge=1, le=MAX_CLUSTER, strict=True)] = Field(
        1, description="Along n; they share blocks of W."
    )

    @property
    def cores(self) -> int:
        return self.m * self.n

    @model_validator(mode="after")
    def _not_too_many(self) -> ClusterShape:
        if self.cores > MAX_CLUSTER:
            raise ValueError(f"a cluster has at most {MAX_CLUSTER} cores, got {self.m}x{self.n}")
        return self


class Sizes(Section):
    """Rows of W, columns of X and depth of a product: of a convolution, k are channels."""

    m: Count = 1
    n: Count = 1
    k: Count = 1


class Library(Section):
    """How the kernels of one library use the machine. Never a correction factor.

    What is None here is the machine's: `Hardware.under` puts the two together.
    """

    tiles: tuple[Tile, ...] = Field(min_length=1)
    stage_buffers: Annotated[int, Field(ge=1, le=MAX_STAGE_BUFFERS, strict=True)] = Field(
        description="Stages in flight, at most; fewer where the scratchpad holds fewer."
    )
    register_buffers: RegisterBuffers | None = Field(
        None, description="Fragment loads hide behind MACs (2) or add to them (1); default: "
        "core.register_file.buffers.",
    )  # fmt: skip
    barrier_cycles: NotNegative | None = Field(
        None, description="Between stages; default: core.barrier_cycles."
    )
    promotion: Promotion | None = None
    whole_tiles: Switch | None = Field(
        None, description="Whether edges are multiplied whole; default: core.whole_tiles."
    )
    splits: tuple[Count, ...] = Field((1,), min_length=1, description="k-splits offered.")
    busy_ratio: Ratio | None = Field(
        None,
        description="Share of the cores that contents the library: k-splits are offered only where "
        "no tile that is no fallback gives so many of them one; default: always.",
    )
    swizzle: Count = Field(1, description="Tile rows walked together for L2 reuse; 1: raster.")
    choice: Literal["time", "largest_tile", "waves"] = Field(
        "time",
        description="How a tile is chosen: by time; the largest that gives every core one (by time "
        "among equals, and where none does); or that of the fewest waves of cores, then of the "
        "fullest last wave, then the smallest.",
    )
    swap: Switch = Field(True, description="Dense GEMMs may swap W and X where that fits better.")
    dispatch: Dispatch = "dynamic"
    prefetch: Switch = Field(False, description="Stages are numbered through consecutive tiles.")
    epilogue_overlap: Switch = Field(False, description="Epilogue beside the next main loop.")
    epilogue_ns: NotNegative = Field(0, description="Fixed part of an epilogue.")
    vector_rows: tuple[Size, ...] = Field(
        (),
        description="Rows that may choose columns together: 128 runs patterns such as 128:2:20, "
        "with 2:4 on the columns chosen. Tiles lie within such rows.",
    )
    epilogue_staged: Switch = Field(
        False,
        description="Outputs are laid into the scratchpad, and read from there on their way out, "
        "instead of leaving registers straight through the port.",
    )
    cluster: ClusterShape = Field(
        ClusterShape(),
        description="Tiles of which L2 sends shared blocks once: Hopper's multicast. Wants "
        "dispatch: round_robin; along a side whose tiles it does not divide each is on its own.",
    )
    epilogue_slice_bytes: Count | None = Field(
        None,
        description="Where sums add to what memory holds: outputs of a fragment that are waited "
        "for together; default: all.",
    )
    reduction_kernel: Switch = Field(
        False, description="Partial sums of k-splits are added up by a kernel that starts anew."
    )
    least: Sizes = Field(
        Sizes(), description="Least sizes that its kernels take; smaller ones are padded."
    )
    multiples: Sizes = Field(
        Sizes(), description="Sizes, in elements, to whose multiples others are padded."
    )
    multiples_bits: Sizes = Field(
        Sizes(), description="The same in bits: 128 are 8 elements of fp16 and 16 of int8."
    )

    @model_validator(mode="after")
    def _rows_have_tiles(self) -> Library:
        for rows in self.vector_rows:
            if all(rows % tile.m for tile in self.tiles):
                raise ValueError(f"vector_rows: no tile's m divides {rows}")
        if self.vector_rows and self.cluster.cores > 1:
            raise ValueError("vector_rows: rows that choose columns of their own share no cluster")
        return self

    @model_validator(mode="after")
    def _clusters_are_dealt_out(self) -> Library:
        if self.cluster.cores > 1 and self.dispatch != "round_robin":
            raise ValueError(
                f"a cluster wants dispatch: round_robin, as persistent kernels have, "
                f"got {self.dispatch}"
            )
        return self

    def padded(self, size: Side, elements: int, bits: int, unit: int = 1) -> int:
        """The least size that its kernels take for so many elements, in whole units."""
        of_width = ceil_div(getattr(self.multiples_bits, size), bits)
        unit = math.lcm(unit, of_width, getattr(self.multiples, size))
        return ceil_div(max(elements, getattr(self.least, size)), unit) * unit

    @field_validator("tiles", mode="before")
    @classmethod
    def _every_width(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        return [tile for written in value for tile in _widths(written)]


def _widths(tile: object) -> list[object]:
    """A tile of every width that is listed."""
    if isinstance(tile, dict) and isinstance(tile.get("n"), list):
        return [{**tile, "n": n} for n in tile["n"]]
    return [tile]


class LibraryChoice(Section):
    """Which library runs dense layers and which runs sparse ones."""

    dense: str
    sparse: str
    dtypes: dict[str, str] = Field(
        {}, description='Another library for some dtypes: {"dense fp8": ...}.'
    )

    @field_validator("dtypes")
    @classmethod
    def _kind_and_dtype(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            kind, _, dtype = key.partition(" ")
            if kind not in ("dense", "sparse") or dtype not in DTYPE_BITS:
                raise ValueError(f"want 'dense' or 'sparse' and a dtype, got '{key}'")
        return value

    def of(self, *, is_dense: bool, dtype: str) -> str:
        """Name of the library that runs a pattern in a dtype."""
        kind = "dense" if is_dense else "sparse"
        return self.dtypes.get(f"{kind} {dtype}", self.dense if is_dense else self.sparse)


class Energy(Section):
    """Energy per action; leave the section out where nothing is known."""

    mac_pj: dict[str, NotNegative] = Field(description="One executed MAC, by dtype.")
    register_file_pj_per_byte: NotNegative
    scratchpad_pj_per_byte: NotNegative
    l2_pj_per_byte: NotNegative
    dram_pj_per_byte: NotNegative
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

    clock_ratio: Ratio = Field(description="Clock after a long time under load, of clock_hz.")
    settling_ms: Positive = Field(description="In which 63 % of the way there is gone.")
    applies: Switch = Field(False, description="Off, the clock stays, whatever a layer takes.")

    def mean_ratio(self, time_ps: int) -> float:
        """Mean clock of a layer that takes so long, of clock_hz."""
        times = time_ps / (self.settling_ms * PS_PER_MS)
        fallen = 1 + math.expm1(-times) / times if times else 0.0
        return 1 - (1 - self.clock_ratio) * fallen


class Hardware(Section):
    """A whole machine.

    Attributes are the YAML's keys; the properties below derive what the model needs in exact
    units: picoseconds, and picoseconds per byte as rationals.
    """

    name: str
    description: str = ""
    clock_hz: Annotated[int, Field(ge=10**6, le=10**11, strict=True)]
    launch_ns: NotNegative = Field(
        0, description="Host time of one launch, apart from device time."
    )
    kernel_start_ns: NotNegative = Field(
        0,
        description="Device time that every kernel takes besides its work: blocks and parameters "
        "reach the cores, instruction and constant caches fill, completion is signalled.",
    )
    stream_start_ns: NotNegative | None = Field(
        None,
        description="The same of a streaming kernel, which has little code and asks for no "
        "scratchpad; default: kernel_start_ns.",
    )
    core: Core
    memory: Memory
    sparsity: Sparsity = Sparsity()
    libraries: dict[str, Library] = Field(min_length=1)
    library: LibraryChoice
    energy: Energy | None = None
    sustained: Sustained | None = None

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
        for name in (self.library.dense, self.library.sparse, *self.library.dtypes.values()):
            if name not in self.libraries:
                raise ValueError(
                    f"library: no library '{name}' ({did_you_mean(name, self.libraries)})"
                )
        for name, library in self.libraries.items():
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
        return Rate.from_bytes_per_second(self.scratchpad_bytes_per_cycle * self.clock_hz)

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
        # Every value was checked where the library was read.
        return self if core is self.core else _with(self, core=core)

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
    def dram_latency_ps(self) -> int:
        return ns_to_ps(self.memory.dram.latency_ns)


@lru_cache(maxsize=4096)
def _rate(count_bytes: float, per_second: float) -> Rate:
    """Bytes a second as the exact product of two numbers as they are written."""
    return Rate.from_bytes_per_second(exact(count_bytes) * exact(per_second))


_SectionT = TypeVar("_SectionT", bound=BaseModel)


def _with(section: _SectionT, **values: object) -> _SectionT:
    """A section with other values, which are valid already."""
    return BaseModel.model_copy(section, update=values)
