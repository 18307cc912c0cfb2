"""Tables of the classes: what their stages move and take, how large their blocks are, and which
block is of which class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from fractions import Fraction
from functools import cached_property
from operator import mul
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.hardware import Hardware, Library
from simulator.schedule.classes import (
    BLOCK_CLASSES,
    BLOCKS_OF,
    COLUMNS,
    OUTPUTS,
    PARTIALS,
    ROWS,
    STAGE_CLASSES,
    stage_code,
)
from simulator.schedule.mapping import Mapping
from simulator.schedule.masking import MaskedStages
from simulator.schedule.partition import IntArray, TileGrid
from simulator.schedule.tables import StageTables, int_array, times_ps
from simulator.schedule.timing import (
    StageCost,
    StageShape,
    StageWork,
    alignment_factors,
    executed_work,
    output_waits,
    stage_cost,
)
from simulator.units import (
    ACCUMULATOR_BITS,
    Rate,
    bits_to_bytes,
    ceil_div,
    ceil_share,
    exact,
)
from simulator.workload.lowering import GemmProblem

Codes = npt.NDArray[np.uint8]

NO_WORK: Final = StageWork(*[0] * len(fields(StageWork)))
"""A stage that moves and executes nothing."""


def class_stages(
    hardware: Hardware, problem: GemmProblem, mapping: Mapping, grid: TileGrid
) -> tuple[list[StageWork], list[StageCost]]:
    """What a stage of every class moves and takes; edges are often full tiles."""
    fragment = mapping.fragment_m, mapping.fragment_n
    tile = StageShape(mapping.tile_m, mapping.tile_n, mapping.tile_k, *fragment)
    known: dict[tuple[int, ...], tuple[StageWork, StageCost]] = {}
    works, costs = [], []
    ms, ns, ks = map(grid.extents, "mnk")
    for edges in STAGE_CLASSES:
        m, n, k = ms[edges.last_row], ns[edges.last_column], ks[edges.last_stage]
        if (m, n, k) not in known:
            work = executed_work(hardware, problem, StageShape(m, n, k, *fragment), tile)
            known[m, n, k] = work, stage_cost(hardware, problem, work)
        work, cost = known[m, n, k]
        works.append(work)
        costs.append(cost)
    return works, costs


def gemm_stages(
    hardware: Hardware,
    problem: GemmProblem,
    works: Sequence[StageWork],
    costs: Sequence[StageCost],
    masked: MaskedStages | None,
) -> StageTables:
    """Tables of a GEMM's stages: those of its classes, or of what real masks make of them."""
    if masked:
        works, costs = masked.works, masked.costs
    port = hardware.port_rate
    rows_factor, columns_factor = alignment_factors(hardware, problem)
    return StageTables(
        tuple(works),
        tuple(costs),
        int_array([port.ps((w.rows_bytes + w.metadata_bytes) * rows_factor) for w in works]),
        int_array([port.ps(w.columns_bytes * columns_factor) for w in works]),
        masked,
    )


NO_SHARE: Final = BLOCKS_OF[OUTPUTS].start + 2
"""A class of outputs that has no bytes where outputs are shares, of two sizes."""


class BlockSizes(NamedTuple):
    """Bytes of a block of every class: stored, taken through L2 by a request, and of metadata."""

    stored: IntArray
    passed: IntArray
    metadata: IntArray


class Blocks:
    """The class of every block in the order of their ids, and the sizes of the classes."""

    def __init__(self) -> None:
        self.class_bytes = [0] * len(BLOCK_CLASSES)
        self.passed_bytes = [0] * len(BLOCK_CLASSES)  # what of it one request takes through L2
        self.metadata_bytes = [0] * len(BLOCK_CLASSES)  # how much of that is metadata
        self.parts: list[Codes] = []

    @cached_property
    def codes(self) -> Codes:
        """Once all are there, as the counts and sizes below."""
        return np.concatenate(self.parts)

    @cached_property
    def counts(self) -> list[int]:
        """How many blocks there are of every class."""
        counts: list[int] = np.bincount(self.codes, minlength=len(BLOCK_CLASSES)).tolist()
        return counts

    @cached_property
    def sizes(self) -> BlockSizes:
        rows = self.class_bytes, self.passed_bytes, self.metadata_bytes
        return BlockSizes(*int_array(rows))

    def add(self, operand: int, class_bytes: list[int], which: Codes) -> None:
        """Append an operand's blocks: which of its classes each is of, and all classes' sizes."""
        codes = BLOCKS_OF[operand]
        self.class_bytes[codes] = self.passed_bytes[codes] = class_bytes[codes]
        self.parts.append(which.ravel() + np.uint8(codes.start))

    def add_shares(self, operand: int, total_bytes: int, parts: int, times: int = 1) -> None:
        """Append bytes in parts, ``times`` over; only two sizes occur.

        Part i of ``total_bytes`` is ``floor((i+1) total / parts) - floor(i total / parts)``.
        """
        smaller, rest = divmod(total_bytes, parts)
        marks = np.arange(parts + 1, dtype=np.int64) * rest // parts
        first = BLOCKS_OF[operand].start
        both = slice(first, first + 2)
        self.class_bytes[both] = self.passed_bytes[both] = smaller, smaller + 1
        self.parts.append(np.tile(np.diff(marks).astype(np.uint8), times) + np.uint8(first))


def gemm_blocks(
    grid: TileGrid, whole: TileGrid, problem: GemmProblem, works: Sequence[StageWork]
) -> Blocks:
    """Blocks of a GEMM, or of the part ``grid`` of the whole; works are those of its classes.

    Where rows choose columns, a block of X holds the columns that some rows choose, and a request
    takes those that its own rows chose. Of a convolution's input, which is stored once, a request
    takes through L2 what blocks hold on average: copies into the scratchpad pass by the caches of
    cores (cp.async.cg, as CUTLASS' convolutions have it).
    """
    unique, distinct = problem.unique_input_bytes, problem.pattern.distinct_ratio(problem.m)
    blocks, sizes = Blocks(), _class_bytes(grid, problem, works, distinct)
    if unique is not None:
        columns = problem.pattern.columns(problem.run)
        unique = min(unique, ceil_share(unique * columns, distinct / problem.run))
    for operand, lines, all_lines in (
        (ROWS, grid.rows, whole.rows),
        (COLUMNS, grid.columns, whole.columns),
    ):
        if unique is not None and problem.inputs_are_rows == (operand == ROWS):
            parts = lines * grid.stages
            total_bytes = unique * parts // (all_lines * whole.stages)
            blocks.add_shares(operand, total_bytes, parts, grid.count)
            side = grid.m if operand == ROWS else grid.n
            held = bits_to_bytes(side * problem.pattern.columns(grid.k) * problem.bits)
            blocks.passed_bytes[BLOCKS_OF[operand]] = [ceil_div(held, parts)] * 4
        else:
            blocks.add(operand, sizes, edge_classes(grid.count, lines, grid.stages))
    if unique is None or problem.inputs_are_rows:
        for code in range(len(BLOCK_CLASSES))[BLOCKS_OF[COLUMNS]]:
            work = works[stage_code(*BLOCK_CLASSES[code].edges)]
            blocks.passed_bytes[code] = work.columns_bytes
    blocks.metadata_bytes = [
        works[stage_code(*edges)].metadata_bytes if operand == ROWS else 0
        for operand, edges in BLOCK_CLASSES
    ]
    tiles = edge_classes(grid.count, grid.rows, grid.columns)
    blocks.add(OUTPUTS, sizes, tiles)
    if grid.splits > 1:
        blocks.add(PARTIALS, sizes, np.repeat(tiles, grid.splits))
    return blocks


def epilogue_waits(
    library: Library, problem: GemmProblem, mapping: Mapping, grid: TileGrid
) -> list[int]:
    """Of every class of blocks, as `output_waits`; none but where an output is read."""
    waits = [0] * len(BLOCK_CLASSES)
    read = range(len(waits))[BLOCKS_OF[OUTPUTS]] if problem.accumulates else ()
    for code in read:
        edges = BLOCK_CLASSES[code].edges
        m, n = grid.extent("m", edges.last_row), grid.extent("n", edges.last_column)
        shape = StageShape(m, n, 1, mapping.fragment_m, mapping.fragment_n)
        waits[code] = int(output_waits(library, problem.output_bits, shape))
    return waits


def stream_blocks(
    grid: TileGrid, works: Sequence[StageWork], shared_bytes: int | None, write_bytes: int
) -> Blocks:
    """Blocks of a streaming layer: what chunks read, or their shares of it, and what they write.

    The last pass over a chunk writes its share; the passes before it write nothing.
    """
    blocks = Blocks()
    if shared_bytes is None:
        sizes = [works[stage_code(*edges)].rows_bytes for _, edges in BLOCK_CLASSES]
        blocks.add(ROWS, sizes, edge_classes(grid.count, grid.rows, grid.stages))
    else:
        blocks.add_shares(ROWS, shared_bytes, grid.rows)
    blocks.add_shares(OUTPUTS, write_bytes, grid.rows)
    shares = blocks.parts.pop()
    empty = np.full((grid.rows, grid.columns - 1), NO_SHARE, dtype=np.uint8)
    blocks.parts.append(np.column_stack([empty, shares]).ravel())
    return blocks


def _class_bytes(
    grid: TileGrid, problem: GemmProblem, works: Sequence[StageWork], distinct: Fraction
) -> list[int]:
    """Bytes of a block of every class."""
    sizes = []
    ms, ns, ks = map(grid.extents, "mnk")
    for operand, edges in BLOCK_CLASSES:
        work = works[stage_code(*edges)]
        if operand == ROWS:
            sizes.append(work.rows_bytes + work.metadata_bytes)
        elif operand == COLUMNS:
            stored = ks[edges.last_stage] * ns[edges.last_column]
            some = ceil_share(work.columns_bytes, distinct)
            sizes.append(min(some, bits_to_bytes(stored * problem.bits)))
        else:
            bits = problem.output_bits if operand == OUTPUTS else ACCUMULATOR_BITS
            elements = ms[edges.last_row] * ns[edges.last_column]
            sizes.append(bits_to_bytes(elements * bits))
    return sizes


def edge_classes(count: int, lines: int, places: int) -> Codes:
    """Which class of its operand a block is of: the last line counts two, the last place one."""
    which = np.zeros((count, lines, places), dtype=np.uint8)
    which[:, -1, :] = 2
    which[:, :, -1] += 1
    return which


class MemoryTimes(NamedTuple):
    """Picoseconds of a block of every class at a core's port and at its scratchpad, at DRAM, in L2
    and on the link between its halves; arrays with a place a class."""

    port: IntArray
    scratchpad: IntArray
    dram: IntArray
    dram_write: IntArray
    l2: IntArray
    link: IntArray

    @classmethod
    def of(cls, hardware: Hardware, blocks: Blocks) -> MemoryTimes:
        """Model: what is read evicts what others left in L2, of which a share is written to DRAM
        first; all that is read has its part in that, although only the first reads of a layer do
        so. Model: what is written costs as much where it is read again.
        """
        stored, passed, _ = blocks.sizes
        share = _dirty_share(hardware, blocks)
        read = stored
        if share:
            read = int_array([size + ceil_share(size, share) for size in stored.tolist()])
        rates = (
            hardware.port_rate, hardware.scratchpad_rate, hardware.dram_rate,
            hardware.dram_write_rate, hardware.l2_rate, hardware.link_rate or Rate(0, 1),
        )  # fmt: skip
        port, scratchpad, dram, write, l2, link = times_ps(
            rates, np.array([stored, stored, read, stored, passed, passed])
        )
        is_read = BLOCKS_OF[OUTPUTS].start
        dram = np.concatenate([dram[:is_read], write[is_read:]])
        return cls(port, scratchpad, dram, write, l2, link)


def _dirty_share(hardware: Hardware, blocks: Blocks) -> Fraction:
    """Bytes of others that are written to DRAM for a byte that is read."""
    l2 = hardware.memory.l2
    if not l2.foreign_dirty_ratio:
        return Fraction(0)
    moved = sum(map(mul, blocks.counts, blocks.class_bytes))
    return exact(l2.foreign_dirty_ratio) * min(Fraction(1), Fraction(l2.bytes, max(1, moved)))
