"""The brute-force oracle: stage costs from enumerated slots and addresses, without closed forms.

It shares no code with `simulator.timing`; it lists every stored slot, every activation address and
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
    """Sizes in bytes, times in picoseconds."""

    rows_bytes: int
    metadata_bytes: int
    columns_bytes: int
    reads: int
    writes: int
    steps: int
    macs_executed: int
    operand_bits: int
    stage_ps: int
    mac_ps: int


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


def naive_stage(
    hardware: Hardware, keep: int, group: int, dtype: str, stage: NaiveStage, alignment: tuple
) -> NaiveCost:
    """Cost of one stage. ``alignment`` is the factor on (rows, columns) writes."""
    bits, core = BITS[dtype], hardware.core
    instruction = core.tensor_cores.instructions[dtype]
    code = hardware.sparsity.metadata
    groups = _chunks(stage.k, group)
    per_group = _metadata_bits(keep, group, code)

    # Every stored slot: (row of W, group along k, slot in the group).
    slots = list(product(range(stage.m), range(len(groups)), range(keep)))
    metadata_bits = sum(per_group for _ in product(range(stage.m), groups))
    addresses = [(k, n) for positions in groups for k in positions for n in range(stage.n)]
    rows_bytes = math.ceil(len(slots) * bits / 8)
    metadata_bytes = math.ceil(metadata_bits / 8)
    columns_bytes = math.ceil(len(addresses) * bits / 8)

    # Slots of one row in the order in which steps take them.
    if hardware.sparsity.skip == "none":
        depth = len(groups) * group
    else:
        depth = len([s for s in slots if s[0] == 0])
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
    for _ in steps:
        for _ in row_blocks:
            for width in widths:
                macs += instruction.m * width * instruction.k
                accumulators += instruction.m * width * 32

    rows_from_register = core.operand_source.w == "register"
    columns_from_register = core.operand_source.x == "register"
    executed_slots = range(len(steps) * instruction.k)
    operand = accumulators
    if rows_from_register:
        values = sum(bits for _ in executed_slots) * instruction.m
        if hardware.sparsity.skip != "none":
            values += len({slot // keep for slot in executed_slots}) * per_group * instruction.m
        operand += values * len(row_blocks) * len(column_blocks)
    if columns_from_register:
        reach = Fraction(group, keep) if hardware.sparsity.skip != "none" else Fraction(1)
        span = math.ceil(sum((reach for _ in executed_slots), Fraction(0)))
        operand += sum(span * width * bits for _ in row_blocks for width in widths)

    # Reads of the scratchpad: once a fragment strip into registers, or once an instruction.
    rows_loads = len(column_strips) if rows_from_register else len(column_blocks)
    columns_loads = len(row_strips) if columns_from_register else len(row_blocks)
    row_reads = sum(rows_bytes + metadata_bytes for _ in range(rows_loads))
    column_reads = sum(columns_bytes for _ in range(columns_loads))
    fill = row_reads * rows_from_register + column_reads * columns_from_register
    writes = (rows_bytes + metadata_bytes) * alignment[0] + columns_bytes * alignment[1]

    pad = Fraction(str(core.scratchpad.bytes_per_cycle)) * Fraction(
        str(core.scratchpad.efficiency_ratio)
    )
    mac = macs / Fraction(str(core.tensor_cores.macs_per_cycle[dtype]))
    operand_cycles = Fraction(operand, 8) / Fraction(
        str(core.register_file.operand_bytes_per_cycle)
    )
    reads = row_reads + column_reads
    port = (reads + writes) / pad if core.scratchpad.shared_port else max(reads, writes) / pad
    cycles = max(mac, port, operand_cycles)
    if core.register_file.buffers == 1:
        cycles = fill / pad + max(mac, operand_cycles, port - fill / pad)
    cycles += Fraction(str(core.barrier_cycles))
    ps = Fraction(10**12, hardware.clock_hz)
    return NaiveCost(
        rows_bytes,
        metadata_bytes,
        columns_bytes,
        reads,
        rows_bytes + metadata_bytes + columns_bytes,
        len(steps),
        macs,
        operand,
        max(1, math.ceil(cycles * ps)),
        min(max(1, math.ceil(cycles * ps)), math.ceil(mac * ps)),
    )
