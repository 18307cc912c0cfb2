"""The brute-force oracle: stage costs from enumerated slots and addresses, without closed forms.

It shares no code with `schedule.timing`; it lists every stored slot, every activation address and
every instruction of a stage and counts. Slow, and only meant for small stages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from simulator.hardware import Hardware

BITS = {"fp16": 16, "int8": 8, "int4": 4}


@dataclass(frozen=True)
class NaiveStage:
    """Valid extents of a stage and its fragment."""

    m: int
    n: int
    k: int
    fragment_m: int
    fragment_n: int


@dataclass
class NaiveCost:
    """Sizes in bytes, times in picoseconds. ``moved`` is by (level, operand, direction)."""

    rows_bytes: int
    metadata_bytes: int
    columns_bytes: int
    reads: int
    writes: int
    steps: int
    macs_executed: int
    operand_bits: int
    moved: dict[tuple[str, str, str], int]
    stage_ps: int
    mac_ps: int
    scratchpad_ps: int
    operand_ps: int
    barrier_ps: int
    first_load_ps: int


def _chunks(size: int, width: int) -> list[list[int]]:
    """Indices 0..size-1 in runs of ``width``."""
    return [list(range(start, min(size, start + width))) for start in range(0, size, width)]


def _metadata_bits(keep: int, group: int, code: str) -> int:
    """Of one group: enough bits to tell all masks, or all positions, apart."""
    if keep == group:
        return 0
    if code == "enumerative":
        masks = math.comb(group, keep)
        return next(bits for bits in range(64) if 2**bits >= masks)
    return keep * next(bits for bits in range(64) if 2**bits >= group)


def naive_factors(
    hardware: Hardware, keep: int, group: int, dtype: str, k: int, n: int | None = None
) -> tuple[int, int]:
    """By how much (W, X) rows of ``k`` elements lengthen transfers: the widest vector that divides
    both a row and what the machine wants. Compressed rows are packed, so that they fit. Rows of X
    that are gathered have ``n`` elements."""
    want = hardware.core.alignment_bytes * 8
    row = (k if n is None else n) * BITS[dtype]
    widest = next(bits for bits in range(want, 0, -1) if row % bits == 0 and want % bits == 0)
    return want // widest if keep == group else 1, want // widest


def naive_chosen(k: int, group: int) -> list[int]:
    """Columns of ``k`` that some rows choose together, 4 of every group; here the first ones."""
    return [column for columns in _chunks(k, group) for column in columns[:4]]


def naive_block_steps(
    rows: list[list[int]], group: int, lanes: int, instruction_k: int
) -> list[int]:
    """Steps of every block of ``lanes`` rows of one stage's non-zeros: in every group the block
    takes as many slots as its fullest row has, and whole instructions take them all."""
    steps = []
    for top in range(0, len(rows), lanes):
        block, slots = rows[top : top + lanes], 0
        for left in range(0, len(rows[0]), group):
            slots += max(sum(row[left : left + group]) for row in block)
        steps.append(math.ceil(slots / instruction_k))
    return steps


def _promotion_cycles(hardware: Hardware, stage: NaiveStage, width: int) -> Fraction:
    """Of the sums of every turn of rows, after every piece of k; absent rows take part."""
    promotion = hardware.core.promotion
    if promotion is None:
        return Fraction(0)
    sums = 0
    for _ in _chunks(stage.k, promotion.every_k):
        for _ in _chunks(stage.m, promotion.rows):
            sums += promotion.rows * width
    return sums / Fraction(str(promotion.sums_per_cycle))


def _stored(
    hardware: Hardware, keep: int, group: int, bits: int, stage: NaiveStage, chooses: bool
) -> tuple[int, int, int]:
    """Bytes of slots, metadata and activations, each of them listed."""
    groups = _chunks(stage.k, group)
    per_group = _metadata_bits(keep, 4 if chooses else group, hardware.sparsity.metadata)
    reached = naive_chosen(stage.k, group) if chooses else list(range(stage.k))
    index_bits = _metadata_bits(1, group, "index") if chooses and group > 4 else 0
    # Every stored slot: (row of W, group along k, slot in the group).
    slots = list(product(range(stage.m), range(len(groups)), range(keep)))
    metadata_bits = sum(per_group for _ in product(range(stage.m), groups))
    metadata_bits += sum(index_bits for _ in reached)
    addresses = [(k, n) for k in reached for n in range(stage.n)]
    sizes = len(slots) * bits, metadata_bits, len(addresses) * bits
    return tuple(math.ceil(size / 8) for size in sizes)


def naive_stage(
    hardware: Hardware,
    keep: int,
    group: int,
    dtype: str,
    stage: NaiveStage,
    alignment: tuple[int, int],
    block_steps: list[int] | None = None,
    tile: NaiveStage | None = None,
    chooses: bool = False,
) -> NaiveCost:
    """Cost of one stage.

    ``alignment`` is the factor on (rows, columns) writes; ``block_steps`` are the steps of blocks
    of lockstep rows, where real non-zeros decide them; ``tile`` is what the core goes through on
    machines that multiply tiles whole. ``chooses``: all rows of the stage choose 4 columns of every
    group together, and store in which of these their slots are.
    """
    bits, core = BITS[dtype], hardware.core
    instruction = core.tensor_cores.instructions[dtype]
    rows_bytes, metadata_bytes, columns_bytes = _stored(hardware, keep, group, bits, stage, chooses)
    if core.whole_tiles and tile is not None:
        stage = tile
    full_rows, full_metadata, full_columns = _stored(hardware, keep, group, bits, stage, chooses)
    groups = _chunks(stage.k, group)
    per_group = _metadata_bits(keep, 4 if chooses else group, hardware.sparsity.metadata)

    # Slots of one row in the order in which steps take them.
    if hardware.sparsity.skip == "none":
        depth = len(groups) * group
    else:
        depth = len(list(product(groups, range(keep))))
    steps = _chunks(depth, instruction.k)

    row_strips = _chunks(stage.m, stage.fragment_m)
    column_strips = _chunks(stage.n, stage.fragment_n)
    row_blocks = [b for strip in row_strips for b in _chunks(len(strip), instruction.m)]
    column_blocks = [b for strip in column_strips for b in _chunks(len(strip), instruction.n)]
    step_n = instruction.n_step or instruction.n

    macs = accumulators = 0
    widths = []
    for block in column_blocks:
        width = len(block)
        while width % step_n:
            width += 1
        widths.append(width)
    # What advances together, and for how many steps: instructions, or blocks of lockstep rows.
    together = [(instruction.m, len(steps)) for _ in row_blocks]
    if block_steps is not None:
        together = [(hardware.sparsity.lockstep_rows, taken) for taken in block_steps]
    for rows, taken in together:
        for _ in range(taken):
            for width in widths:
                macs += rows * width * instruction.k
                accumulators += rows * width * 32

    rows_from_register = core.operand_source.w == "register"
    columns_from_register = core.operand_source.x == "register"
    skips = hardware.sparsity.skip != "none"
    row_operand = metadata_operand = column_operand = 0
    if rows_from_register:
        # All steps together carry the metadata of every group that their slots touch.
        a_step = Fraction(math.ceil(len(steps) * instruction.k / keep) * per_group, len(steps))
        passed = sum(rows * taken for rows, taken in together) * len(column_blocks)
        row_operand = passed * instruction.k * bits
        metadata_operand = math.ceil(passed * a_step) if skips else 0
    if columns_from_register:  # whole, whatever is pruned
        executed_slots = range(len(steps) * instruction.k)
        reach = Fraction(4 if chooses else group, keep) if skips else Fraction(1)
        span = math.ceil(sum((reach for _ in executed_slots), Fraction(0)))
        column_operand = sum(span * width * bits for _ in row_blocks for width in widths)
    operand = row_operand + metadata_operand + column_operand + accumulators

    # Reads of the scratchpad: once a fragment strip into registers, or once an instruction.
    rows_loads = len(column_strips) if rows_from_register else len(column_blocks)
    columns_loads = len(row_strips) if columns_from_register else len(row_blocks)
    row_reads = sum(full_rows for _ in range(rows_loads))
    metadata_reads = sum(full_metadata for _ in range(rows_loads))
    column_reads = sum(full_columns for _ in range(columns_loads))
    fill = (row_reads + metadata_reads) * rows_from_register
    fill += column_reads * columns_from_register
    writes = (rows_bytes + metadata_bytes) * alignment[0] + columns_bytes * alignment[1]
    moved = {
        ("scratchpad", "weights", "written"): rows_bytes,
        ("scratchpad", "metadata", "written"): metadata_bytes,
        ("scratchpad", "activations", "written"): columns_bytes,
        ("scratchpad", "weights", "read"): row_reads,
        ("scratchpad", "metadata", "read"): metadata_reads,
        ("scratchpad", "activations", "read"): column_reads,
        ("register_file", "weights", "written"): row_reads * rows_from_register,
        ("register_file", "metadata", "written"): metadata_reads * rows_from_register,
        ("register_file", "activations", "written"): column_reads * columns_from_register,
        ("register_file", "weights", "read"): math.ceil(row_operand / 8),
        ("register_file", "metadata", "read"): math.ceil(metadata_operand / 8),
        ("register_file", "activations", "read"): math.ceil(column_operand / 8),
        ("register_file", "partial_sums", "read"): math.ceil(accumulators / 8),
        ("register_file", "partial_sums", "written"): math.ceil(accumulators / 8),
    }

    pad = Fraction(str(core.scratchpad.bytes_per_cycle)) * Fraction(
        str(core.scratchpad.efficiency_ratio)
    )
    mac = macs / Fraction(str(core.tensor_cores.macs_per_cycle[dtype]))
    operand_cycles = Fraction(operand, 8) / Fraction(
        str(core.register_file.operand_bytes_per_cycle)
    )
    reads = row_reads + metadata_reads + column_reads
    port = (reads + writes) / pad if core.scratchpad.shared_port else max(reads, writes) / pad
    added = _promotion_cycles(hardware, stage, sum(widths))
    cycles = max(mac + added, port, operand_cycles)
    if core.register_file.buffers == 1:
        cycles = fill / pad + max(mac + added, operand_cycles, port - fill / pad)
    barrier = Fraction(str(core.barrier_cycles))
    first_load = fill / pad / len(steps) + Fraction(str(core.scratchpad.latency_cycles))
    ps = Fraction(10**12, hardware.clock_hz)
    stage_ps = max(1, math.ceil((cycles + barrier) * ps))
    mac_ps = min(stage_ps, math.ceil(mac * ps))
    return NaiveCost(
        rows_bytes,
        metadata_bytes,
        columns_bytes,
        reads,
        rows_bytes + metadata_bytes + columns_bytes,
        len(steps),
        macs,
        operand,
        moved,
        stage_ps,
        mac_ps,
        scratchpad_ps=math.ceil(port * ps),
        operand_ps=math.ceil(operand_cycles * ps),
        barrier_ps=min(stage_ps - mac_ps, math.ceil((barrier + added) * ps)),
        first_load_ps=math.ceil(first_load * ps),
    )
