"""Attention counted query by query: instructions, bytes, time. Shares no code with the model."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from attention_cases import AttentionCase


@dataclass
class NaiveCounts:
    """Of all tiles: what they ask L2 for, what cores execute, and how long each stage takes."""

    asked_bytes: Counter[str] = field(default_factory=Counter)
    distinct_bytes: Counter[str] = field(default_factory=Counter)
    stages: int = 0
    macs_executed: int = 0
    useful_macs: int = 0
    worked_ps: int = 0
    vector_ps: int = 0
    scratchpad_bytes: int = 0


def count(case: AttentionCase) -> NaiveCounts:
    """Walk every tile and every block of context that one of its queries sees."""
    layer, mapping, found = case.layer, case.mapping, NaiveCounts()
    sharing = layer.heads // layer.kv_heads
    queries = [(i, h) for i in range(layer.seq) for h in range(sharing)]  # heads side by side
    tiles = [queries[at : at + mapping.tile_m] for at in range(0, len(queries), mapping.tile_m)]
    blocks = [
        list(range(at, min(at + mapping.tile_k, layer.context)))
        for at in range(0, layer.context, mapping.tile_k)
    ]
    starts = [part * len(blocks) // mapping.splits for part in range(mapping.splits + 1)]
    for _ in range(layer.batch * layer.kv_heads):
        found.distinct_bytes["queries"] += _bytes(case, len(queries))
        found.distinct_bytes["outputs"] += _bytes(case, len(queries))
        found.distinct_bytes["keys and values"] += sum(2 * _bytes(case, len(b)) for b in blocks)
        for tile in tiles:
            for start, end in pairwise(starts):
                first = True
                for block in blocks[start:end]:
                    seen = [(q, key) for q in tile for key in block if _sees(case, q, key)]
                    if seen:
                        found.useful_macs += 2 * layer.head_dim * len(seen)
                        _stage(case, found, len(tile), len(block), first=first)
                        first = False
                if mapping.splits > 1:  # sums in fp32, and the sum of a row's exponentials
                    found.asked_bytes["partials"] += len(tile) * (layer.head_dim + 1) * 4
    return found


def _sees(case: AttentionCase, query: tuple[int, int], key: int) -> bool:
    layer = case.layer
    return not layer.causal or key <= query[0] + layer.context - layer.seq


def _bytes(case: AttentionCase, rows: int) -> int:
    return rows * case.layer.head_dim * (2 if case.layer.dtype == "fp16" else 1)


def _stage(case: AttentionCase, found: NaiveCounts, rows: int, keys: int, *, first: bool) -> None:
    """One stage, of which the core executes the whole tile, warp by warp."""
    core, mapping, layer = case.hardware.core, case.mapping, case.layer
    shape = core.tensor_cores.instructions[layer.dtype]
    warps = mapping.tile_m // mapping.fragment_m
    element = 2 if layer.dtype == "fp16" else 1

    def covered(size: int, unit: int) -> int:
        return len(range(0, size, unit)) * unit

    own = warps * covered(mapping.fragment_m, shape.m)
    block, head = mapping.tile_k, layer.head_dim
    products = [(block, head), (head, block)]  # columns and depth of each
    macs = sum(own * covered(n, shape.n) * covered(k, shape.k) for n, k in products)
    found.stages += 1
    found.macs_executed += macs
    query_bytes = _bytes(case, rows) if first else 0
    found.asked_bytes["queries"] += query_bytes
    found.asked_bytes["keys and values"] += 2 * _bytes(case, keys)

    # Out of the scratchpad: keys and values once a warp, or once a strip of instructions.
    holds = case.hardware.attention.queries == "register"
    is_loaded = core.operand_source.x == "register", holds or core.operand_source.w == "register"
    columns_read = 2 * block * head * element * (warps if is_loaded[0] else own // shape.m)
    rows_read = 0
    if first or not holds:
        strips = 1 if is_loaded[1] else len(range(0, block, shape.n))
        rows_read = strips * mapping.tile_m * head * element
    written = query_bytes + 2 * _bytes(case, keys)
    found.scratchpad_bytes += columns_read + rows_read + written

    operand_bits = 0
    for from_register, (n, k) in zip((is_loaded[1], True), products, strict=True):
        deep, wide = covered(k, shape.k), covered(n, shape.n)
        operand_bits += wide // shape.n * own * deep * element * 8 * from_register
        operand_bits += own // shape.m * wide * deep * element * 8 * is_loaded[0]
        operand_bits += own * wide * (deep // shape.k) * 32
    vector = _softmax_cycles(case, own * covered(block, shape.n), mapping.tile_m * head)
    found.vector_ps += _ps(case, vector)
    mac = Fraction(macs) / Fraction(str(core.tensor_cores.macs_per_cycle[layer.dtype]))
    fill = columns_read * is_loaded[0] + rows_read * is_loaded[1]
    aligned = core.alignment_bytes // math.gcd(head * element, core.alignment_bytes)
    pad = Fraction(str(core.scratchpad.bytes_per_cycle))
    pad *= Fraction(str(core.scratchpad.efficiency_ratio))
    ways = written * aligned, columns_read + rows_read
    port = (sum(ways) if core.scratchpad.shared_port else max(ways)) / pad
    computed = max(mac, vector) if case.hardware.attention.overlapped else mac + vector
    operand = Fraction(operand_bits, 8) / Fraction(str(core.register_file.operand_bytes_per_cycle))
    if core.register_file.buffers == 1:
        cycles = fill / pad + max(computed, operand, port - fill / pad)
    else:
        cycles = max(computed, operand, port)
    found.worked_ps += max(1, _ps(case, cycles + Fraction(str(core.barrier_cycles))))


def _softmax_cycles(case: AttentionCase, scores: int, sums: int) -> Fraction:
    """An exponential and four operations a score; every sum is scaled. Scores of integers become
    floats, and then integers again."""
    unit = case.hardware.core.vector
    if unit is None:
        return Fraction(0)
    lanes = Fraction(str(unit.macs_per_cycle["fp32"]))
    specials = Fraction(str(unit.specials_per_cycle))
    each = 3 if case.layer.dtype.startswith("int") else 1
    return max((4 * scores + sums) / lanes, each * scores / specials)


def _ps(case: AttentionCase, cycles: Fraction) -> int:
    return math.ceil(cycles * 10**12 / case.hardware.clock_hz)
