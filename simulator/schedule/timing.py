"""What one stage costs inside a core: bytes, steps, and the largest of three times.

"Load one weight group's activations into the register file, then compute only the non-zero
slots." All sizes here are integers; times are exact fractions of a cycle until rounded up once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from simulator.hardware import Hardware, Library
from simulator.units import ACCUMULATOR_BITS, PS_PER_SECOND, bits_to_bytes, ceil_div, exact
from simulator.workload.lowering import GemmProblem


@dataclass(frozen=True)
class StageShape:
    """Valid extents of a stage and the fragments its tile is worked on in."""

    m: int
    n: int
    k: int
    fragment_m: int
    fragment_n: int


@dataclass(frozen=True)
class StageWork:
    """What a stage moves and executes; bytes unless named otherwise.

    The rows operand is the one along m (W), the columns operand the one along n (X). A *fill* loads
    an operand from the scratchpad into the register file; an operand that the tensor cores read
    from the scratchpad has none. ``slots_stored`` counts the MACs of stored slots of valid rows and
    columns: what of ``macs_executed`` can be useful. ``promoted_sums`` are partial sums that CUDA
    cores add up, those of absent rows in flight included.
    """

    rows_bytes: int
    metadata_bytes: int
    columns_bytes: int
    rows_read_bytes: int
    metadata_read_bytes: int
    columns_read_bytes: int
    rows_fill_bytes: int
    metadata_fill_bytes: int
    columns_fill_bytes: int
    promoted_sums: int
    steps: int
    executed_m: int
    executed_n: int
    macs_executed: int
    slots_stored: int
    rows_operand_bits: int
    metadata_operand_bits: int
    columns_operand_bits: int
    accumulator_bits: int

    @property
    def operand_bits(self) -> int:
        """From the register file to the tensor cores. Model: results return over wires of their
        own, so that accumulators count once."""
        operands = self.rows_operand_bits + self.metadata_operand_bits + self.columns_operand_bits
        return operands + self.accumulator_bits

    @property
    def fill_bytes(self) -> int:
        """From the scratchpad into the register file."""
        return self.rows_fill_bytes + self.metadata_fill_bytes + self.columns_fill_bytes

    @property
    def write_bytes(self) -> int:
        """Into the scratchpad."""
        return self.rows_bytes + self.metadata_bytes + self.columns_bytes

    @property
    def read_bytes(self) -> int:
        """Out of the scratchpad."""
        return self.rows_read_bytes + self.metadata_read_bytes + self.columns_read_bytes


@dataclass(frozen=True)
class StageCost:
    """Times of a stage in picoseconds.

    Attributes
    ----------
    stage_ps : int
        ``max(mac + promotion + vector, scratchpad, operand)`` and a barrier, rounded up once; where
        vectors overlap, the longer of them and the others counts.
    mac_ps, scratchpad_ps, operand_ps : int
        The three terms, each rounded up on its own, for the account of where time went.
    barrier_ps : int
        Part of the stage in which the core's warps meet, and add partial sums, before they go on.
    prologue_ps : int
        First register load of a tile that starts with this stage.
    vector_ps, vector_stall_ps : int
        How long the vector unit works, and the part of the stage in which tensor cores wait for it.
    """

    stage_ps: int
    mac_ps: int
    scratchpad_ps: int
    operand_ps: int
    barrier_ps: int
    prologue_ps: int
    vector_ps: int = 0
    vector_stall_ps: int = 0

    @property
    def stall_ps(self) -> int:
        """Part of the stage in which the tensor cores wait for operands."""
        return self.stage_ps - self.mac_ps - self.barrier_ps - self.vector_stall_ps

    @property
    def stalled_by_operand(self) -> bool:
        return self.operand_ps > self.scratchpad_ps

    @property
    def operand_stall_ps(self) -> int:
        """All of the stall, if it is the operands' path that they wait for."""
        return self.stall_ps * self.stalled_by_operand


class _Instructions(NamedTuple):
    """Instructions that cover a stage, and what they span: rows and columns of Y, slots along k."""

    row_strips: int
    column_strips: int
    m: int
    n: int
    steps: int
    depth: int

    @classmethod
    def of(cls, hardware: Hardware, problem: GemmProblem, shape: StageShape) -> _Instructions:
        pattern = problem.pattern
        instruction = hardware.core.tensor_cores.instructions[problem.dtype]
        row_strips = _in_strips(shape.m, shape.fragment_m, instruction.m)
        column_strips = _in_strips(shape.n, shape.fragment_n, instruction.n)
        step = instruction.column_step
        n = _in_strips(shape.n, shape.fragment_n, step) * step
        # Model: skip none stores zeros compressed but computes them: a step spans instruction_k
        # of k.
        skips = hardware.sparsity.skip != "none"
        depth = pattern.slots(shape.k) if skips else pattern.padded(shape.k)
        steps = ceil_div(depth, instruction.k)
        return cls(
            row_strips, column_strips, row_strips * instruction.m, n, steps, steps * instruction.k
        )

    def operand_bits(self, hardware: Hardware, problem: GemmProblem) -> tuple[int, int, int]:
        """Of rows, metadata and columns, from the register file to the tensor cores."""
        pattern, bits, source = problem.pattern, problem.bits, hardware.core.operand_source
        skips = hardware.sparsity.skip != "none"
        rows = metadata = columns = 0
        if source.w == "register":
            rows = self.column_strips * self.m * self.depth * bits
            if skips:
                per_row = pattern.slot_metadata_bits(self.depth, hardware.sparsity.metadata)
                metadata = self.column_strips * self.m * per_row
        if problem.gathers:  # nothing is shared between rows: every slot has its own activations
            columns = self.m * self.n * self.depth * bits
        elif source.x == "register":
            span = pattern.span(self.depth) if skips else self.depth
            columns = self.row_strips * self.n * span * bits
        return rows, metadata, columns


def stage_work(hardware: Hardware, problem: GemmProblem, shape: StageShape) -> StageWork:
    """Count what a stage moves and executes.

    Integer arithmetic alone, so that the extents of ``shape`` may also be arrays: the ranking of
    mappings counts all its candidates at once.
    """
    pattern, bits = problem.pattern, problem.bits
    source, code = hardware.core.operand_source, hardware.sparsity.metadata
    slots = pattern.slots(shape.k)
    rows_bytes = bits_to_bytes(shape.m * slots * bits)
    metadata_bytes = bits_to_bytes(problem.metadata_bits(shape.m, shape.k, code))
    columns_bytes = bits_to_bytes(problem.columns_elements(shape.m, shape.n, shape.k) * bits)
    executed = _Instructions.of(hardware, problem, shape)
    rows_bits, metadata_bits, columns_bits = executed.operand_bits(hardware, problem)

    # Register-sourced operands are read once a fragment strip, others once an instruction.
    fills_rows, fills_columns = source.w == "register", source.x == "register"
    rows_loads, columns_loads = executed.column_strips, executed.row_strips
    if fills_rows:
        rows_loads = ceil_div(shape.n, shape.fragment_n)
    if fills_columns:
        columns_loads = ceil_div(shape.m, shape.fragment_m)
    rows_read, metadata_read = rows_loads * rows_bytes, rows_loads * metadata_bytes
    columns_read = columns_loads * columns_bytes
    if problem.own_columns:
        columns_read = bits_to_bytes(shape.m * slots * shape.n * bits)
    return StageWork(
        rows_bytes=rows_bytes,
        metadata_bytes=metadata_bytes,
        columns_bytes=columns_bytes,
        rows_read_bytes=rows_read,
        metadata_read_bytes=metadata_read,
        columns_read_bytes=columns_read,
        rows_fill_bytes=rows_read if fills_rows else 0,
        metadata_fill_bytes=metadata_read if fills_rows else 0,
        columns_fill_bytes=columns_read if fills_columns else 0,
        promoted_sums=_promoted_sums(hardware, shape, executed.n),
        steps=executed.steps,
        executed_m=executed.m,
        executed_n=executed.n,
        macs_executed=executed.m * executed.n * executed.depth,
        slots_stored=shape.m * shape.n * slots,
        rows_operand_bits=rows_bits,
        metadata_operand_bits=metadata_bits,
        columns_operand_bits=columns_bits,
        accumulator_bits=executed.m * executed.n * executed.steps * ACCUMULATOR_BITS,
    )


def _promoted_sums(hardware: Hardware, shape: StageShape, executed_n: int) -> int:
    """Sums that CUDA cores add in a stage: of all columns, and of whole turns of rows."""
    promotion = hardware.core.promotion
    if promotion is None:
        return 0
    turns = ceil_div(shape.m, promotion.rows) * ceil_div(shape.k, promotion.every_k)
    return turns * promotion.rows * executed_n


def executed_work(
    hardware: Hardware, problem: GemmProblem, shape: StageShape, tile: StageShape
) -> StageWork:
    """What a stage moves, and what the core executes of it: all of its tile where the machine
    multiplies tiles whole, with zeros in the place of what is beyond the edges."""
    work = stage_work(hardware, problem, shape)
    if not hardware.core.whole_tiles:
        return work
    return replace(
        stage_work(hardware, problem, tile),
        rows_bytes=work.rows_bytes,
        metadata_bytes=work.metadata_bytes,
        columns_bytes=work.columns_bytes,
        slots_stored=work.slots_stored,
    )


@dataclass(frozen=True)
class VectorWork:
    """Cycles of the vector unit between the products of a stage; overlapped, beside the products
    of other rows instead of while the tensor cores wait."""

    cycles: Fraction = Fraction(0)
    overlapped: bool = False


NO_VECTORS = VectorWork()


def stage_cost(
    hardware: Hardware, problem: GemmProblem, work: StageWork, vectors: VectorWork = NO_VECTORS
) -> StageCost:
    """Times of a stage from what it moves and executes.

    Exact: all terms are integers of *ticks*, a fraction of a cycle that every rate divides.
    """
    ticks = core_ticks(hardware, problem.dtype)
    conflict = problem.conflict_ratio
    # Of ticks: a wave of fetches, or of vectors, may take a broken number of cycles.
    scale = conflict.denominator * vectors.cycles.denominator
    mac = work.macs_executed * ticks.ticks_per_mac * scale
    operand = work.operand_bits * ticks.ticks_per_operand_bit * scale
    rows_factor, columns_factor = alignment_factors(hardware, problem)
    # Model: misaligned rows slow the writes into the scratchpad, whose own layout is padded, so
    # that reads from it stay aligned.
    writes = (work.rows_bytes + work.metadata_bytes) * rows_factor
    writes = (writes + work.columns_bytes * columns_factor) * scale
    # Bank conflicts: a gather takes as many cycles as its fullest bank has fetches.
    fetches = conflict.numerator * vectors.cycles.denominator
    longer = work.columns_read_bytes * (fetches - scale)
    reads = work.read_bytes * scale + longer
    both = writes + reads if hardware.core.scratchpad.shared_port else max(writes, reads)
    fill = work.fill_bytes * scale
    if hardware.core.operand_source.x == "register":
        fill += longer
    scratchpad, fill = both * ticks.ticks_per_byte, fill * ticks.ticks_per_byte
    # Additions follow the MACs whose sums they take; meanwhile the next stages still come in.
    promotion = work.promoted_sums * ticks.ticks_per_sum * scale
    vector = vectors.cycles.numerator * ticks.ticks_per_cycle * conflict.denominator
    computed = mac + promotion
    computed = max(computed, vector) if vectors.overlapped else computed + vector
    if hardware.core.register_file.buffers == 2:
        stage = max(computed, scratchpad, operand)
    else:
        stage = fill + max(computed, operand, scratchpad - fill)

    def ps(count: int, shares: int = 1) -> int:
        """Picoseconds of ticks over shares, rounded up once."""
        per_second = scale * ticks.ticks_per_cycle * hardware.clock_hz
        return ceil_div(count * PS_PER_SECOND, shares * per_second)

    barrier = ticks.barrier_ticks * scale
    stage_ps = max(1, ps(stage + barrier))
    mac_ps = min(stage_ps, ps(mac))
    barrier_ps = min(stage_ps - mac_ps, ps(barrier + promotion))
    return StageCost(
        stage_ps=stage_ps,
        mac_ps=mac_ps,
        scratchpad_ps=ps(scratchpad),
        operand_ps=ps(operand),
        barrier_ps=barrier_ps,
        prologue_ps=ps(fill + ticks.latency_ticks * scale * work.steps, work.steps),
        vector_ps=ps(vector),
        vector_stall_ps=min(stage_ps - mac_ps - barrier_ps, ps(computed - mac - promotion)),
    )


@dataclass(frozen=True)
class CoreTicks:
    """A core's rates in ticks, the longest time of which all of them are multiples."""

    ticks_per_cycle: int
    ticks_per_mac: int
    ticks_per_byte: int  # through the scratchpad's port
    ticks_per_operand_bit: int
    barrier_ticks: int
    latency_ticks: int  # of the scratchpad
    ticks_per_sum: int  # that CUDA cores add


def core_ticks(hardware: Hardware, dtype: str) -> CoreTicks:
    """The rates of a core, on the coarsest grid that all of them share."""
    core, pad = hardware.core, hardware.core.scratchpad
    return _ticks(
        core.tensor_cores.macs_per_cycle[dtype],
        pad.bytes_per_cycle,
        pad.efficiency_ratio,
        core.register_file.operand_bytes_per_cycle,
        core.barrier_cycles,
        pad.latency_cycles,
        core.promotion.sums_per_cycle if core.promotion else None,
    )


@lru_cache(maxsize=4096)
def _ticks(
    macs: float, pad_bytes: float, pad_ratio: float, operand_bytes: float, barrier: float,
    latency: float, sums: float | None,
) -> CoreTicks:  # fmt: skip
    """From numbers as they are written: what a core does in a cycle, and cycles that it waits."""
    cycles = (
        1 / exact(macs),
        1 / (exact(pad_bytes) * exact(pad_ratio)),
        1 / (8 * exact(operand_bytes)),
        exact(barrier),
        exact(latency),
        1 / exact(sums) if sums else Fraction(0),
    )
    a_cycle = math.lcm(*(cost.denominator for cost in cycles))
    return CoreTicks(a_cycle, *(int(cost * a_cycle) for cost in cycles))


def output_waits(library: Library, output_bits: int, shape: StageShape) -> Any:
    """How often an epilogue that adds to what memory holds waits for it after the first time.

    Outputs of a fragment pass through registers slice by slice: read, added to, and stored before
    the next is read. The extents of ``shape`` may be arrays; fragments work side by side.
    """
    if library.epilogue_slice_bytes is None:
        return 0
    m, n = np.minimum(shape.m, shape.fragment_m), np.minimum(shape.n, shape.fragment_n)
    return np.ceil(m * n * output_bits / (8 * library.epilogue_slice_bytes)) - 1


def alignment_factors(hardware: Hardware, problem: GemmProblem) -> tuple[int, int]:
    """By how much misaligned rows lengthen transfers of the (rows, columns) operand, >= 1.

    Rows run along k: the slots of a row of W, the channels of a pixel or the features of a token.
    A row of ``r`` bits lets vectors of ``gcd(r, alignment)`` bits be used. Model: where columns of
    W are chosen, rows of X are gathered whole, so that it is stored along n.
    """
    want = hardware.core.alignment_bytes * 8
    if problem.window is not None:  # weights and pixels alike lie channel by channel
        both = want // math.gcd(problem.own.count * problem.bits, want)
        return both, both
    compressed = problem.k // problem.run * problem.pattern.slots(problem.run)
    weights = want // math.gcd(compressed * problem.bits, want)
    # Model: compressed weights are packed offline, with rows padded to whole vectors.
    weights = weights if problem.pattern.is_dense else 1
    along = problem.n if problem.pattern.chooses else problem.real_run
    inputs = want // math.gcd(along * problem.bits, want)
    return (inputs, weights) if problem.inputs_are_rows else (weights, inputs)


def _in_strips(size: int, strip: int, unit: int) -> int:
    """Units that cover ``size`` where every strip of it is covered on its own."""
    return size // strip * ceil_div(strip, unit) + ceil_div(size % strip, unit)
