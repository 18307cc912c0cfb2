"""One core, as a machine's YAML describes it: tensor cores, register file, scratchpad."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from simulator.errors import did_you_mean
from simulator.hardware.section import Count, NotNegative, Positive, Ratio, Section, Size, Switch
from simulator.units import DTYPE_BITS, exact

Source = Literal["register", "scratchpad"]
RegisterBuffers = Annotated[int, Field(ge=1, le=2, strict=True)]

MAX_CORES = 4096


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
    fp16_sums_macs_per_cycle: Positive | None = Field(
        None,
        description="Of fp16 products that are summed in fp16, by libraries that say so; default: "
        "as any fp16 product. Model: such sums take as much room as others.",
    )
    drain_cycles: NotNegative = Field(
        0, description="From the last instruction's issue to its result; paid once a tile."
    )
    issue: Issue | None = None

    @field_validator("macs_per_cycle", "instructions")
    @classmethod
    def _known_dtypes(cls, value: dict[str, object]) -> dict[str, object]:
        return _of_dtypes(value)

    @model_validator(mode="after")
    def _same_dtypes(self) -> TensorCores:
        missing = set(self.macs_per_cycle) ^ set(self.instructions)
        if missing:
            raise ValueError(
                f"macs_per_cycle and instructions must list the same dtypes: see {sorted(missing)}"
            )
        return self


def _of_dtypes(value: dict[str, object]) -> dict[str, object]:
    """A mapping, if its keys are dtypes."""
    for dtype in value:
        if dtype not in DTYPE_BITS:
            raise ValueError(f"unknown dtype '{dtype}' ({did_you_mean(dtype, DTYPE_BITS)})")
    return value


VECTOR_DTYPE: Final = "fp32"
"""What a vector unit computes in where nothing else is said, as frameworks do with formats that are
half as wide."""


LANE_PRODUCTS: Final = {"int8": 4}
"""Products that a lane adds up at a time, where it is more than one."""


class VectorUnit(Section):
    """All vector lanes of one core, together: beside the tensor cores, and for what those cannot.

    Lanes and special functions are pipelines of their own, which work side by side.
    """

    macs_per_cycle: dict[str, Positive] = Field(
        description="Multiply-adds per cycle, by dtype; fp32 is asked for, and others that are not "
        "listed compute in it."
    )
    specials_per_cycle: Positive = Field(
        description="Exponentials, reciprocals, roots and the like, in fp32."
    )

    @field_validator("macs_per_cycle")
    @classmethod
    def _known_dtypes(cls, value: dict[str, object]) -> dict[str, object]:
        if VECTOR_DTYPE not in value:
            raise ValueError(f"must list {VECTOR_DTYPE}")
        return _of_dtypes(value)

    def rate(self, dtype: str = VECTOR_DTYPE) -> Fraction:
        """Multiply-adds per cycle in a dtype."""
        return exact(self.macs_per_cycle.get(dtype, self.macs_per_cycle[VECTOR_DTYPE]))

    def multiplying(self, dtypes: Iterable[str]) -> TensorCores:
        """The lanes in the place of tensor cores, for the dtypes of these.

        Model: a lane takes one product at a time, of int8 four along k, as NVIDIA's dp4a and AMD's
        v_dot4 do; the few cycles of its pipeline hide behind other warps.
        """
        depths = {dtype: LANE_PRODUCTS.get(dtype, 1) for dtype in dtypes}
        shapes = {dtype: Instruction(m=1, n=1, k=depth) for dtype, depth in depths.items()}
        rates = {dtype: float(self.rate(dtype)) for dtype in depths}
        return TensorCores(macs_per_cycle=rates, instructions=shapes)

    def cycles(self, macs: Fraction | int, specials: Fraction | int) -> Fraction:
        """Of so many multiply-adds in fp32 and special functions, exactly."""
        return max(macs / self.rate(), specials / exact(self.specials_per_cycle))


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
    vector: VectorUnit | None = Field(
        None, description="Absent, whatever is not a product is computed for free."
    )
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
