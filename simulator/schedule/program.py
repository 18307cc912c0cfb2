"""Everything that is decided before time zero, as plain integers and arrays for an engine.

An engine knows neither layers nor patterns: it sees cores that take tiles from queues, stages
that need a rows block and a columns block, and blocks that live in L2. What a stage or a block
costs depends only on its class, so that costs are small tables:

* stage class ``4 * last_row + 2 * last_column + last_stage``: valid extents of an edge stage; real
  masks divide the classes into as many kinds of stages as take different numbers of steps;
* block class ``4 * operand + variant``: rows, columns, outputs, partial sums in up to 4 sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.errors import MappingError, WorkloadError
from simulator.hardware import Hardware, Library
from simulator.schedule.mapping import Mapping
from simulator.schedule.masking import Mask, MaskedStages, masked_stages
from simulator.schedule.partition import DISPATCH, IntArray, Queues, TileGrid, grouped_order
from simulator.schedule.timing import (
    StageCost,
    StageShape,
    StageWork,
    alignment_factors,
    stage_cost,
    stage_work,
)
from simulator.units import (
    ACCUMULATOR_BITS,
    DTYPE_BITS,
    Rate,
    bits_to_bytes,
    ceil_div,
    cycles_to_ps,
    ns_to_ps,
)
from simulator.workload.layer import Stream
from simulator.workload.lowering import GemmProblem

ROWS, COLUMNS, OUTPUTS, PARTIALS = range(4)
STAGE_CLASSES: Final = 8
BLOCK_CLASSES: Final = 16

STREAM_CHUNK_BYTES: Final = 16384
"""Model: a streaming kernel's thread block moves 16 KiB: 1024 threads of one 16-byte vector."""

NO_WORK: Final = StageWork(*[0] * len(fields(StageWork)))
"""A stage that moves and executes nothing."""

MAX_STATE_BYTES: Final = 4 * 2**30
MAX_STAGES: Final = 10**10
TIME_BITS: Final = 62
"""Bits of a packed event key: time, then kind, then core."""


@dataclass(frozen=True)
class Program:
    """One launch, ready to run.

    Times are picoseconds. ``rows_shared`` and its kin say how block ids are formed: the block of
    tile row i and stage s of GEMM b is ``(b * rows + i) * stages + s``, that of tile column j is
    ``columns_base + (b * columns + j) * stages + s``, and so on.

    ``works``, ``costs`` and the tables of stages have a row a *kind* of stage. The kind is the
    class; where real masks make stages of a class unequal, it is
    ``masked_kinds[last_column, rows_block]``.
    """

    cores: int
    grid: TileGrid
    queues: Queues
    split_bounds: IntArray
    # Core
    stage_buffers: int
    accumulator_sets: int
    prefetch: bool
    issue_ps: int
    drain_ps: int
    stage_ps: IntArray
    mac_ps: IntArray
    prologue_ps: IntArray
    masked_kinds: npt.NDArray[np.int32]
    rows_port_ps: IntArray
    columns_port_ps: IntArray
    hold_ps: IntArray
    partial_port_ps: IntArray
    # Memory
    block_class: npt.NDArray[np.uint8]
    block_bytes: IntArray
    dram_ps: IntArray
    l2_ps: IntArray
    link_ps: IntArray
    l2_bytes: int
    l2_latency_ps: int
    far_latency_ps: int
    halves: bool
    dram_latency_ps: int
    writes_to_dram: bool
    warm_blocks: IntArray
    # For the report only
    works: tuple[StageWork, ...] = field(compare=False)
    costs: tuple[StageCost, ...] = field(compare=False)
    metadata_bytes: IntArray = field(compare=False)
    masked: MaskedStages | None = field(compare=False)

    @property
    def columns_base(self) -> int:
        return self.grid.count * self.grid.rows * self.grid.stages

    @property
    def outputs_base(self) -> int:
        columns = self.grid.columns if self.has_columns else 0
        return self.columns_base + self.grid.count * columns * self.grid.stages

    @property
    def partials_base(self) -> int:
        return self.outputs_base + self.grid.outputs

    @property
    def has_columns(self) -> bool:
        """Streaming layers have no columns operand."""
        return bool(self.columns_port_ps[0])

    @property
    def is_masked(self) -> bool:
        """Whether stages cost what their real non-zeros cost."""
        return self.masked is not None

    def stage_kind(self, tile_class: int, rows_block: int, stage: int) -> int:
        """The kind of a tile's stage; the tile's class and rows block are those of stage 0."""
        if self.is_masked:
            return int(self.masked_kinds[tile_class >> 1 & 1, rows_block + stage])
        return tile_class + (stage == self.grid.stages - 1)

    @property
    def stage_events(self) -> int:
        """Stages in all: every tile's, over its splits."""
        return self.grid.outputs * self.grid.stages

    @cached_property
    def all_bytes(self) -> int:
        """Bytes of all blocks."""
        counts = np.bincount(self.block_class, minlength=BLOCK_CLASSES).tolist()
        return sum(c * s for c, s in zip(counts, self.block_bytes.tolist(), strict=True))

    @property
    def fits_l2(self) -> bool:
        """Whether nothing can ever be evicted, so that recency does not matter."""
        return self.all_bytes <= self.l2_bytes


def gemm_program(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    mapping: Mapping,
    mask: Mask | None = None,
    grid: TileGrid | None = None,
) -> Program:
    """Lay a GEMM out on a machine.

    Parameters
    ----------
    mask : array (count * m, k), uint8, optional
        Real non-zeros of the rows operand, for hardware that skips them.
    grid : TileGrid, optional
        A part of the problem's grid, to lay out that much of it.

    Raises
    ------
    WorkloadError
        If the run would not fit in memory or its time in 62 bits.
    """
    if mapping.swapped and not problem.inputs_are_rows:
        problem = problem.swapped()
    whole = mapping.grid(problem)
    grid = grid or whole
    _check_size(grid)
    works, costs = _stage_classes(hardware, problem, mapping, grid)
    blocks = _gemm_blocks(grid, whole, problem, works)
    masked = None
    if mask is not None:
        masked = masked_stages(hardware, problem, grid, works, mask)
        works, costs = list(masked.works), list(masked.costs)
    port = hardware.port_rate
    rows_factor, columns_factor = alignment_factors(hardware, problem)

    return _assemble(
        hardware,
        library,
        grid,
        blocks,
        works,
        costs,
        stage_buffers=mapping.stage_buffers,
        rows_port_ps=[port.ps((w.rows_bytes + w.metadata_bytes) * rows_factor) for w in works],
        columns_port_ps=[port.ps(w.columns_bytes * columns_factor) for w in works],
        drain_ps=hardware.cycles_ps(hardware.core.tensor_cores.drain_cycles),
        masked=masked,
    )


def _stage_classes(
    hardware: Hardware, problem: GemmProblem, mapping: Mapping, grid: TileGrid
) -> tuple[list[StageWork], list[StageCost]]:
    """What a stage of every class moves and takes; edges are often full tiles."""
    m, n, k = ([grid.extent(axis, edge) for edge in (False, True)] for axis in "mnk")
    known: dict[tuple[int, int, int], tuple[StageWork, StageCost]] = {}
    works, costs = [], []
    for index in range(STAGE_CLASSES):
        extents = m[index >> 2], n[index >> 1 & 1], k[index & 1]
        if extents not in known:
            shape = StageShape(*extents, mapping.fragment_m, mapping.fragment_n)
            work = stage_work(hardware, problem, shape)
            known[extents] = work, stage_cost(hardware, problem, work)
        work, cost = known[extents]
        works.append(work)
        costs.append(cost)
    return works, costs


def stream_program(hardware: Hardware, library: Library, layer: Stream) -> Program:
    """Lay a streaming layer out: chunks that are read, pass the core once, and are written."""
    bits = DTYPE_BITS[layer.dtype]
    chunk = STREAM_CHUNK_BYTES * 8 // bits
    # Model: the larger side is cut into chunks; each has its share of the smaller side.
    larger = max(layer.reads, layer.writes)
    grid = TileGrid(larger, 1, 1, 1, ceil_div(larger, ceil_div(larger, chunk)), 1, 1)
    _check_size(grid, f"{layer.op} of {layer.reads} reads and {layer.writes} writes")
    read_bytes, write_bytes = bits_to_bytes(layer.reads * bits), bits_to_bytes(layer.writes * bits)
    works, costs = [], []
    for index in range(STAGE_CLASSES):
        size = bits_to_bytes(grid.extent("m", bool(index & 4)) * bits)
        if layer.reads < layer.writes:
            size = ceil_div(read_bytes, grid.rows)
        works.append(replace(NO_WORK, rows_bytes=size, rows_read_bytes=size, rows_fill_bytes=size))
        hz = hardware.clock_hz
        pass_ps = max(1, cycles_to_ps(size / hardware.scratchpad_bytes_per_cycle, hz))
        first = hardware.cycles_ps(hardware.core.scratchpad.latency_cycles)
        costs.append(StageCost(pass_ps, 0, pass_ps, 0, 0, first))
    blocks = _Blocks()
    if layer.reads < layer.writes:
        blocks.add(ROWS, *_shares(read_bytes, grid.rows))
    else:
        last = np.zeros(grid.rows, dtype=np.uint8)
        last[-1] = 1
        blocks.add(ROWS, [works[0].rows_bytes, works[4].rows_bytes], last)
    blocks.add(OUTPUTS, *_shares(write_bytes, grid.rows))
    port = hardware.port_rate
    return _assemble(
        hardware,
        library,
        grid,
        blocks,
        works,
        costs,
        stage_buffers=min(2, library.stage_buffers),
        rows_port_ps=[port.ps(w.rows_bytes) for w in works],
        columns_port_ps=[0] * len(works),
        drain_ps=0,
        streaming=True,
    )


class _Blocks:
    """Blocks in the order of their ids, with the sizes of their classes."""

    def __init__(self) -> None:
        self.bytes = [0] * BLOCK_CLASSES
        self.metadata = [0] * BLOCK_CLASSES
        self.parts: list[npt.NDArray[np.uint8]] = []

    def add(self, operand: int, sizes: list[int], variant: npt.NDArray[np.uint8]) -> None:
        """Append an operand's blocks, of which each is a variant with its size."""
        base = BLOCK_CLASSES // 4 * operand
        self.bytes[base : base + len(sizes)] = sizes
        variant += np.uint8(base)
        self.parts.append(variant.ravel())


def _gemm_blocks(
    grid: TileGrid, whole: TileGrid, problem: GemmProblem, works: list[StageWork]
) -> _Blocks:
    blocks = _Blocks()
    unique = problem.unique_input_bytes
    for operand, lines, all_lines in (
        (ROWS, grid.rows, whole.rows),
        (COLUMNS, grid.columns, whole.columns),
    ):
        is_input = problem.inputs_are_rows == (operand == ROWS)
        if unique is not None and is_input:
            parts = lines * grid.stages
            sizes, one = _shares(unique * parts // (all_lines * whole.stages), parts)
            variant = np.tile(one, grid.count)
        else:
            variant = _corners(grid.count, lines, grid.stages)
            edge = 4 if operand == ROWS else 2
            stage = [works[(v >> 1) * edge + (v & 1)] for v in range(4)]
            if operand == ROWS:
                sizes = [w.rows_bytes + w.metadata_bytes for w in stage]
                blocks.metadata[:4] = [w.metadata_bytes for w in stage]
            else:
                sizes = [w.columns_bytes for w in stage]
        blocks.add(operand, sizes, variant)
    m, n = ([grid.extent(axis, edge) for edge in (False, True)] for axis in "mn")
    areas = [m[v >> 1] * n[v & 1] for v in range(4)]
    corners = _corners(grid.count, grid.rows, grid.columns)
    sizes = [bits_to_bytes(area * problem.output_bits) for area in areas]
    blocks.add(OUTPUTS, sizes, corners.copy())
    if grid.splits > 1:
        sizes = [bits_to_bytes(area * ACCUMULATOR_BITS) for area in areas]
        blocks.add(PARTIALS, sizes, np.repeat(corners, grid.splits))
    return blocks


def _corners(count: int, lines: int, places: int) -> npt.NDArray[np.uint8]:
    """``2 * last_line + last_place`` of every block of ``count`` grids."""
    corners = np.zeros((count, lines, places), dtype=np.uint8)
    corners[:, -1, :] = 2
    corners[:, :, -1] += 1
    return corners


def _shares(total: int, parts: int) -> tuple[list[int], npt.NDArray[np.uint8]]:
    """Part i of ``total`` bytes: ``floor((i+1) total / parts) - floor(i total / parts)``.

    Returns the two sizes that occur and which part has which.
    """
    whole, rest = divmod(total, parts)
    marks = np.arange(parts + 1, dtype=np.int64) * rest // parts
    return [whole, whole + 1], np.diff(marks).astype(np.uint8)


def _assemble(
    hardware: Hardware,
    library: Library,
    grid: TileGrid,
    blocks: _Blocks,
    works: list[StageWork],
    costs: list[StageCost],
    *,
    stage_buffers: int,
    rows_port_ps: list[int],
    columns_port_ps: list[int],
    drain_ps: int,
    streaming: bool = False,
    masked: MaskedStages | None = None,
) -> Program:
    l2, cores = hardware.memory.l2, hardware.core.count
    link = hardware.link_rate

    def table(rate: Rate) -> IntArray:
        return _array([rate.ps(size) if size else 0 for size in blocks.bytes])

    # Model: a streaming kernel's epilogue is its store alone.
    epilogue_ps = 0 if streaming else ns_to_ps(library.epilogue_ns)
    port_ps = table(hardware.port_rate)
    program = Program(
        cores=cores,
        grid=grid,
        queues=DISPATCH[library.dispatch](grouped_order(grid, library.swizzle), cores),
        split_bounds=_array(grid.split_bounds()),
        stage_buffers=stage_buffers,
        # Model: several thread blocks of a streaming kernel share a core, so that one loads while
        # another stores.
        accumulator_sets=2 if library.epilogue_overlap or streaming else 1,
        prefetch=library.prefetch or streaming,
        issue_ps=max(1, hardware.cycles_ps(hardware.core.issue_cycles)),
        drain_ps=drain_ps,
        stage_ps=_array([cost.stage_ps for cost in costs]),
        mac_ps=_array([cost.mac_ps for cost in costs]),
        prologue_ps=_array([cost.prologue_ps for cost in costs]),
        masked_kinds=masked.kinds if masked else np.zeros((2, 0), dtype=np.int32),
        rows_port_ps=_array(rows_port_ps),
        columns_port_ps=_array(columns_port_ps),
        hold_ps=port_ps + epilogue_ps,
        partial_port_ps=port_ps,
        block_class=np.concatenate(blocks.parts),
        block_bytes=_array(blocks.bytes),
        dram_ps=table(hardware.dram_rate),
        l2_ps=table(hardware.l2_rate),
        link_ps=table(link) if link else np.zeros(BLOCK_CLASSES, dtype=np.int64),
        l2_bytes=l2.bytes,
        l2_latency_ps=hardware.cycles_ps(l2.latency_cycles),
        far_latency_ps=hardware.cycles_ps(l2.halves.far_latency_cycles) if l2.halves else 0,
        halves=l2.halves is not None,
        dram_latency_ps=hardware.dram_latency_ps,
        writes_to_dram=hardware.memory.writes == "dram",
        warm_blocks=np.zeros(0, dtype=np.int64),
        works=tuple(works),
        costs=tuple(costs),
        metadata_bytes=_array(blocks.metadata),
        masked=masked,
    )
    _check_time(program)
    check_dram(hardware, program.all_bytes)
    if l2.start == "warm":
        program = _warmed(program)
    return program


def _warmed(program: Program) -> Program:
    """Input blocks in the order of their first use, for a warm start."""
    grid, stages = program.grid, program.grid.stages
    # Position of a tile in dispatch order; with several queues they are walked in turn.
    tiles = program.queues.tiles
    outputs, splits = np.divmod(tiles, grid.splits)
    gemms, inside = np.divmod(outputs, grid.rows * grid.columns)
    rows, columns = np.divmod(inside, grid.columns)
    first: dict[int, IntArray] = {}
    for base, line in (
        (0, gemms * grid.rows + rows),
        (program.columns_base, gemms * grid.columns + columns),
    ):
        if base and not program.has_columns:
            continue
        _, at = np.unique(line * grid.splits + splits, return_index=True)
        first[base] = at
    uses: list[tuple[IntArray, IntArray]] = []
    for base, at in first.items():
        lines = (gemms * grid.rows + rows if not base else gemms * grid.columns + columns)[at]
        for line, split, position in zip(lines, splits[at], at, strict=True):
            stage = np.arange(program.split_bounds[split], program.split_bounds[split + 1])
            order = (position * stages + stage) * 2 + (1 if base else 0)
            uses.append((order, base + line * stages + stage))
    order = np.concatenate([use[0] for use in uses])
    ids = np.concatenate([use[1] for use in uses])
    return replace(program, warm_blocks=ids[np.argsort(order, kind="stable")])


def _check_size(grid: TileGrid, streaming: str | None = None) -> None:
    """Refuse what would not fit in memory, before anything is allocated."""
    blocks = grid.count * (grid.rows + grid.columns) * grid.stages + grid.outputs + grid.tiles
    # A block takes a class, a 32-byte record and, at its peak, an id; a tile an id in its queue.
    need = blocks * 48 + grid.tiles * 40
    if need > MAX_STATE_BYTES or grid.outputs * grid.stages > MAX_STAGES:
        raise WorkloadError(
            streaming or f"gemm {grid.m}x{grid.n}x{grid.k} x {grid.count}",
            f"too large to simulate: {grid.outputs * grid.stages} stages, "
            f"{need / 2**30:.0f} GiB of engine state",
            want=f"at most {MAX_STAGES} stages and {MAX_STATE_BYTES // 2**30} GiB",
            hint="simulate a part of the layer",
        )


def check_dram(hardware: Hardware, need: int) -> None:
    """Refuse a layer whose operands and output exceed main memory."""
    room = hardware.memory.dram.bytes
    if need > room:
        raise MappingError(
            hardware.name,
            f"too large for the memory: operands and output need {need} bytes",
            want=f"at most memory.dram.bytes = {room}",
            hint="--allow-overflow, in Python allow_overflow=True, simulates it all the same",
        )


def _check_time(program: Program) -> None:
    """Refuse times that the packed event key could not hold: even if nothing ran in parallel."""
    memory = 2 * sum(max(p.tolist()) for p in (program.dram_ps, program.l2_ps, program.link_ps))
    latencies = program.l2_latency_ps + program.far_latency_ps + program.dram_latency_ps
    port = max(program.rows_port_ps.tolist()) + max(program.columns_port_ps.tolist())
    longest = max(program.stage_ps.tolist())
    a_stage = longest + max(program.prologue_ps.tolist()) + port
    a_stage += 2 * memory + 2 * latencies + program.issue_ps
    a_tile = 2 * max(program.hold_ps.tolist()) + program.drain_ps + 2 * memory + latencies
    reduction = max(program.partial_port_ps.tolist()) + 2 * memory + 2 * latencies
    a_tile += program.grid.splits * reduction
    serial = program.stage_events * a_stage + program.grid.tiles * a_tile
    core_bits = (program.cores - 1).bit_length() + 1
    if serial >= 2 ** (TIME_BITS - core_bits):
        raise MappingError(
            "simulated time",
            f"could reach {serial / 1e12:.3g} s, more than an event key holds",
            want=f"less than {2 ** (TIME_BITS - core_bits) / 1e12:.3g} s",
            hint="check the bandwidths of the machine and the sizes of the layer",
        )


def _array(values: list[int]) -> IntArray:
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        what = "takes longer than int64 picoseconds can hold"
        raise MappingError("a transfer or a stage", what) from None
