"""Fused attention as one program: tiles of queries that pass along the context, block by block.

A tile's queries, rows of all heads that share keys and values, are loaded once. A stage is a block
of keys and values: both products and the softmax between them, whose scores stay in registers.
Causal, a tile ends with the block that its last query sees; the masked half of that is computed,
as kernels do. Parts of the context may go to cores of their own, which leave partial sums, one more
a row for the sum of its exponentials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Final, NamedTuple

from simulator.errors import MappingError
from simulator.hardware import Hardware
from simulator.hardware.attention import AttentionTile
from simulator.schedule.blocks import Blocks, edge_classes
from simulator.schedule.classes import (
    BLOCK_CLASSES,
    COLUMNS,
    OUTPUTS,
    PARTIALS,
    ROWS,
    STAGE_CLASSES,
    stage_code,
)
from simulator.schedule.laid import Laid
from simulator.schedule.limits import check_size
from simulator.schedule.mapping import Mapping, register_room
from simulator.schedule.partition import TileGrid, grouped_order
from simulator.schedule.program import Program, assemble
from simulator.schedule.tables import StageTables, int_array
from simulator.schedule.timing import (
    StageCost,
    StageShape,
    StageWork,
    VectorWork,
    alignment_factors,
    stage_cost,
    stage_work,
)
from simulator.units import ACCUMULATOR_BITS, bits_to_bytes, exact
from simulator.workload.attention_problem import AttentionProblem
from simulator.workload.operators import Operator

# Model: in fp32, as FlashAttention-2 does.
SCORE: Final = Operator(4, 1)
"""What a score takes of the vector unit: maximum, scaling, exponential, sum and conversion."""

CONVERSIONS: Final = {"int8": 2, "int4": 2}
"""What a score takes of the special functions besides, where products are of integers: sums become
floats, and shares integers. Integers and floats are converted there: NVIDIA Nsight Compute, metrics
reference, pipeline XU."""

SUM: Final = Operator(1, 0)
"""And an accumulator in a stage: it is scaled, since the maximum of its row may have grown."""


def attention_grid(problem: AttentionProblem, mapping: Mapping) -> TileGrid:
    """Tiles of queries, stages along the context."""
    return TileGrid(
        problem.m, problem.n, problem.k, problem.count,
        mapping.tile_m, mapping.tile_n, mapping.tile_k, mapping.splits,
        keeps_rows=True, row_ends=problem.row_ends(mapping.tile_m, mapping.tile_k),
    )  # fmt: skip


def attention_program(hardware: Hardware, problem: AttentionProblem, mapping: Mapping) -> Program:
    """Lay attention out on a machine.

    Raises
    ------
    MappingError
        If the mapping does not fit.
    WorkloadError
        If the run would not fit in memory or its time in 62 bits.
    """
    check_attention(hardware, problem, mapping)
    grid = attention_grid(problem, mapping)
    check_size(grid)
    stages = _stages(hardware, problem, mapping, grid)
    return assemble(
        hardware,
        hardware.attention,
        Laid(grid, grouped_order(grid, 1), _blocks(problem, grid, stages.works), stages),
        stage_buffers=mapping.stage_buffers,
        drain_ps=hardware.cycles_ps(hardware.core.tensor_cores.drain_cycles),
    )


class StageSides(NamedTuple):
    """Valid queries and keys of a stage, and whether the queries are loaded with it."""

    rows: int
    context: int
    is_first: bool


def attention_stage(
    hardware: Hardware, problem: AttentionProblem, mapping: Mapping, sides: StageSides
) -> tuple[StageWork, StageCost]:
    """What a stage moves, executes and takes.

    The tensor cores execute the whole tile, whatever of it is valid: kernels predicate loads and
    stores. Every warp reads all keys and values; its own queries it reads once a stage, or holds.
    """
    rows, block, head = mapping.tile_m, mapping.tile_k, problem.head_dim
    kernels = hardware.attention
    holds = kernels.queries == "register"
    by_queries = hardware.taking_rows_from("register") if holds else hardware
    by_scores = hardware.taking_rows_from("register")  # where the first product has left them
    scores = stage_work(
        by_queries, problem.scores, StageShape(rows, block, head, mapping.fragment_m, block)
    )
    values = stage_work(
        by_scores, problem.values, StageShape(rows, head, block, mapping.fragment_m, head)
    )
    both = {x.name: getattr(scores, x.name) + getattr(values, x.name) for x in fields(StageWork)}
    reads_queries = sides.is_first or not holds
    bits = problem.bits
    work = replace(
        StageWork(**both),
        rows_bytes=bits_to_bytes(sides.rows * head * bits) * sides.is_first,
        columns_bytes=2 * bits_to_bytes(sides.context * head * bits),
        rows_read_bytes=scores.rows_read_bytes * reads_queries,
        rows_fill_bytes=scores.rows_fill_bytes * reads_queries,
        slots_stored=2 * sides.rows * sides.context * head,
        executed_m=scores.executed_m,
        executed_n=scores.executed_n,
    )
    vectors = _softmax(hardware, problem.dtype, scores.executed_m * scores.executed_n, rows * head)
    return work, stage_cost(hardware, problem.scores, work, vectors)


def _softmax(hardware: Hardware, dtype: str, scores: int, sums: int) -> VectorWork:
    """Between the products of a stage: of so many scores, and of the sums that are rescaled.

    Model: it is free where the machine states no vector unit.
    """
    unit = hardware.core.vector
    if unit is None:
        return VectorWork()
    macs = scores * exact(SCORE.macs) + sums * exact(SUM.macs)
    specials = exact(SCORE.specials) + CONVERSIONS.get(dtype, 0)
    cycles = unit.cycles(macs, scores * specials)
    return VectorWork(cycles, hardware.attention.overlapped)


def _stages(
    hardware: Hardware, problem: AttentionProblem, mapping: Mapping, grid: TileGrid
) -> StageTables:
    """Tables of the stages: all classes, and those again of stages that are a tile's first."""
    known: dict[StageSides, tuple[StageWork, StageCost]] = {}
    works, costs = [], []
    for is_first in (False, True):
        for edges in STAGE_CLASSES:
            m, k = grid.extent("m", edges.last_row), grid.extent("k", edges.last_stage)
            sides = StageSides(m, k, is_first)
            if sides not in known:
                known[sides] = attention_stage(hardware, problem, mapping, sides)
            works.append(known[sides][0])
            costs.append(known[sides][1])
    factor, _ = alignment_factors(hardware, problem.scores)
    port = hardware.port_rate
    return StageTables(
        tuple(works),
        tuple(costs),
        int_array([port.ps(work.rows_bytes * factor) for work in works]),
        int_array([port.ps(work.columns_bytes * factor) for work in works]),
    )


def _blocks(problem: AttentionProblem, grid: TileGrid, works: Sequence[StageWork]) -> Blocks:
    """Queries a tile, keys and values a block of context, outputs, and partial sums."""
    head, sizes = problem.head_dim, []
    for operand, edges in BLOCK_CLASSES:
        rows = grid.extent("m", edges.last_row)
        bits = {
            ROWS: rows * head * problem.bits,
            COLUMNS: works[stage_code(*edges)].columns_bytes * 8,
            OUTPUTS: rows * head * problem.output_bits,
            PARTIALS: rows * (head + 1) * ACCUMULATOR_BITS,
        }
        sizes.append(bits_to_bytes(bits[operand]))
    blocks, outputs = Blocks(), edge_classes(grid.count, grid.rows, 1)
    blocks.add(ROWS, sizes, outputs)
    blocks.add(COLUMNS, sizes, edge_classes(grid.count, 1, grid.stages))
    blocks.add(OUTPUTS, sizes, outputs)
    if grid.splits > 1:
        blocks.add(PARTIALS, sizes, outputs.repeat(grid.splits))
    return blocks


def attention_mapping(
    hardware: Hardware, problem: AttentionProblem, tile: AttentionTile, splits: int = 1
) -> Mapping:
    """A tile with as many buffers as its kernels use and the scratchpad holds."""
    mapping = Mapping(
        tile.rows, problem.head_dim, tile.context, tile.fragment_rows, problem.head_dim, splits, 1
    )
    pad = hardware.core.scratchpad.bytes
    a_stage = _stage_bytes(problem, mapping)
    room = (pad - _queries_bytes(hardware, problem, mapping)) // a_stage
    most = hardware.attention.stage_buffers
    return replace(mapping, stage_buffers=max(1, min(most, room)))


def check_attention(hardware: Hardware, problem: AttentionProblem, mapping: Mapping) -> None:
    """Refuse a mapping that the machine cannot hold, or that leaves a part without work.

    Raises
    ------
    MappingError
        Which bytes are too many, and by how much.
    """
    where = f"attention {mapping}"
    for what, need, have in (
        ("register file", _register_bytes(hardware, problem, mapping), register_room(hardware)),
        (
            "scratchpad",
            _queries_bytes(hardware, problem, mapping)
            + mapping.stage_buffers * _stage_bytes(problem, mapping),
            hardware.core.scratchpad.bytes,
        ),
    ):
        if need > have:
            raise MappingError(
                where, f"the {what} is {need - have} bytes too small",
                got=f"{need} bytes needed", want=f"at most {have}",
                hint="list a smaller tile under attention.tiles",
            )  # fmt: skip
    if not takes_splits(attention_grid(problem, mapping)):
        raise MappingError(
            where, "a part of the context would have nothing to do", got=mapping.splits,
            hint="causal attention is split only where all of its rows see all parts",
        )  # fmt: skip


def takes_splits(grid: TileGrid) -> bool:
    """Whether every split of every tile has a stage: all must arrive before sums are added up."""
    last_starts = grid.split_bounds()[-2]
    return grid.splits <= grid.stages and last_starts < min(grid.row_ends, default=grid.stages)


def _stage_bytes(problem: AttentionProblem, mapping: Mapping) -> int:
    """Keys and values of a stage."""
    return 2 * bits_to_bytes(mapping.tile_k * problem.head_dim * problem.bits)


def _queries_bytes(hardware: Hardware, problem: AttentionProblem, mapping: Mapping) -> int:
    """Queries that stay in the scratchpad."""
    if hardware.attention.queries == "register":
        return 0
    return bits_to_bytes(mapping.tile_m * problem.head_dim * problem.bits)


def _register_bytes(hardware: Hardware, problem: AttentionProblem, mapping: Mapping) -> int:
    """Accumulators, scores, and operands in flight: of every warp those of one step of the wider
    product; queries that are held; without asynchronous copies the stage that is being loaded.

    Model: probabilities take the place of scores.
    """
    core, rows, head = hardware.core, mapping.tile_m, problem.head_dim
    step = core.tensor_cores.instructions[problem.dtype].k
    held = rows * (head + mapping.tile_k) * ACCUMULATOR_BITS
    fragment = mapping.fragment_m * (core.operand_source.w == "register")
    fragment += max(head, mapping.tile_k) * (core.operand_source.x == "register")
    warps = -(-rows // mapping.fragment_m)
    held += warps * fragment * step * problem.bits * core.register_file.buffers
    if hardware.attention.queries == "register":
        held += rows * head * problem.bits
    return bits_to_bytes(held) + (0 if core.async_copies else _stage_bytes(problem, mapping))
