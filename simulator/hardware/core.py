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
    """What the tensor cores take whole; its rate is separate from its shape."""

    m: Size = Field(
        description="Rows of W that an instruction takes, to which edges of tiles are rounded up."
    )
    n: Size = Field(description="Columns of X: the most that one instruction covers.")
    k: Size = Field(
        description="Slots along k that an instruction takes; they stand for group / keep as many "
        "weights."
    )
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
    latency_cycles: NotNegative = Field(
        description="From issue to result, apart from the cycles that the instruction occupies its "
        "tensor core; fitted to a microbenchmark."
    )
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
    """All tensor cores of one core, together: rates, instructions, latency."""

    macs_per_cycle: dict[str, Positive] = Field(
        min_length=1,
        description="Multiply-accumulates of stored slots a cycle, by dtype: the dense peak of the "
        "data sheet over clock and cores. Under 2:4 they stand for twice as many.",
    )
    instructions: dict[str, Instruction] = Field(
        description="Shape of an instruction, by dtype, of the same dtypes as macs_per_cycle; the "
        "instruction set's."
    )
    fp16_sums_macs_per_cycle: Positive | None = Field(
        None,
        description="Multiply-accumulates a cycle of fp16 products that are summed in fp16, by "
        "libraries that say so; default: as any fp16 product. Model: such sums take as much room "
        "as others.",
    )
    drain_cycles: NotNegative = Field(
        0,
        description="From the last instruction's issue to its result; paid once a tile. From a "
        "microbenchmark of latency.",
    )
    issue: Issue | None = Field(
        None,
        description="How instructions follow each other on a tensor core; nothing but `nmsim "
        "microbench` reads it. Default: not known.",
    )

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
        description="Multiply-adds of all lanes a cycle, by dtype; fp32 must be listed, and what "
        "is not listed takes its rate. The data sheet's peak without tensor cores."
    )
    specials_per_cycle: Positive = Field(
        description="Exponentials, reciprocals, roots and the like a cycle, in fp32."
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
    """The register file of one core: what it holds, and its path to the tensor cores."""

    bytes: Count = Field(
        description="Capacity, from the data sheet: accumulators, fragments in flight and "
        "reserved_bytes have to fit."
    )
    reserved_bytes: Annotated[int, Field(ge=0, strict=True)] = Field(
        0, description="Not available to operands and accumulators: addresses, loop counters."
    )
    buffers: RegisterBuffers = Field(
        2, description="2: the load of step i+1 hides behind the MACs of step i; 1: they add up."
    )
    operand_bytes_per_cycle: Positive = Field(
        description="Width of the path from the register file to the tensor cores, which slots, "
        "metadata, whole groups of activations and accumulators take."
    )


class Scratchpad(Section):
    """The scratchpad (shared memory) of one core: stages in flight, and the port to them."""

    bytes: Count = Field(
        description="Capacity, from the data sheet: all stages in flight have to fit."
    )
    bytes_per_cycle: Positive = Field(
        description="Peak bandwidth of the port; on GPUs banks times their width."
    )
    efficiency_ratio: Ratio = Field(
        1.0,
        description="Sustained over peak bandwidth: what bank conflicts leave. Fitted, or from a "
        "microbenchmark.",
    )
    latency_cycles: NotNegative = Field(
        0,
        description="Of a read. A tile pays it once, with its first register load; a sum over a "
        "row, with every exchange between its threads. From a microbenchmark.",
    )
    banks: Count = Field(
        32,
        description="Banks that serve one access a cycle each; read only where unstructured "
        "weights gather their activations.",
    )
    bank_bytes: Count = Field(
        4, description="Width of a bank, read only where unstructured weights gather activations."
    )
    shared_port: Switch = Field(
        True, description="Reads and incoming writes share the port; false: the larger one counts."
    )


class OperandSource(Section):
    """Where the tensor cores take their operands from.

    What comes from registers is loaded once a fragment; what comes from the scratchpad is read
    once an instruction, and takes neither registers nor their path.
    """

    w: Source = Field(
        "register",
        description="Where instructions take the slots of W and their metadata from.",
    )
    x: Source = Field(
        "register", description="Where instructions take X from; Hopper's read the scratchpad."
    )


class Promotion(Section):
    """Partial sums that CUDA cores add up, since the tensor cores' own sums are too short.

    Model: the warp groups of a tile work on the same stage and wait for its last instruction, so
    that their additions follow its MACs and tensor cores idle meanwhile.
    """

    every_k: Count = Field(
        description="Weights along k that the tensor cores sum by themselves, until CUDA cores add."
    )
    rows: Size = Field(
        description="Rows whose sums are in flight at a time, 64 a warp group; taller tiles take "
        "several turns. Fewer rows take as long: their warps have lanes of their own."
    )
    sums_per_cycle: Positive = Field(
        description="Partial sums that are scaled and added a cycle, of all rows in flight; fitted."
    )


class Core(Section):
    """One core, and how many of them there are."""

    count: Annotated[int, Field(ge=1, le=MAX_CORES, strict=True)] = Field(
        description="Equal cores of the machine, from the data sheet: SMs, compute units."
    )
    tensor_cores: TensorCores = Field(
        description="What multiplies matrices: rates and instruction shapes, of one core."
    )
    vector: VectorUnit | None = Field(
        None,
        description="Vector lanes beside the tensor cores; absent, whatever is not a product is "
        "computed for free.",
    )
    register_file: RegisterFile = Field(
        description="Registers of one core, and their path to the tensor cores."
    )
    scratchpad: Scratchpad = Field(
        description="Shared memory of one core: capacity, bandwidth and latency."
    )
    operand_source: OperandSource = Field(
        OperandSource(),
        description="Whether instructions take W and X from registers or from the scratchpad; "
        "default: registers.",
    )
    port_bytes_per_cycle: Positive = Field(
        description="Bandwidth between one core and L2, in each direction; from a whitepaper or a "
        "microbenchmark."
    )
    async_copies: Switch = Field(
        True,
        description="Loads go past the register file into the scratchpad; false: through registers "
        "of the threads that compute, one stage at a time.",
    )
    issue_cycles: Positive = Field(
        1, description="Least time between two stage requests of a core."
    )
    barrier_cycles: NotNegative = Field(
        0,
        description="Added to every stage: all warps meet, and the tensor pipeline runs dry. A "
        "library may have its own.",
    )
    promotion: Promotion | None = Field(
        None,
        description="How CUDA cores add partial sums, in kernels of libraries that do not say; "
        "default: they do not.",
    )
    whole_tiles: Switch = Field(
        False,
        description="Tiles at the edges are multiplied whole, zeros beyond Y included; false: only "
        "instructions that hold a part of Y.",
    )
    alignment_bytes: Count = Field(
        16,
        description="Vector width that full bandwidth of port and scratchpad writes needs; rows "
        "aligned to a fraction of it take as many times longer.",
    )
