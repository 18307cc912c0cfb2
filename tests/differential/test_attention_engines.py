"""Attention: do both engines agree, and with what is counted query by query?"""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
from attention_cases import AttentionCase, attention_case
from naive_attention import count

from simulator.engine import fast, reference
from simulator.engine.result import EngineResult
from simulator.report.layer import layer_report
from simulator.schedule.classes import BLOCKS_OF, COLUMNS, OUTPUTS, PARTIALS, ROWS

CASES = 300


def _features(case: AttentionCase, result: EngineResult) -> set[str]:
    """What a case exercised."""
    program = case.program
    found = {
        "split context": case.mapping.splits > 1,
        "split context, causal": case.mapping.splits > 1 and case.layer.causal,
        "tiles that end early": len(set(program.grid.row_ends)) > 1,
        "shared keys and values": case.problem.sharing > 1,
        "eviction": result.evictions > 0,
        "warm start": program.warm_blocks.size > 0,
        "prefetch": program.prefetch,
        "free softmax": case.hardware.core.vector is None,
        "loads through registers": not program.async_copies,
    }
    return {name for name, holds in found.items() if holds}


def test_engines_agree_and_reach_every_corner() -> None:
    seen: Counter[str] = Counter()
    for seed in range(CASES):
        case = attention_case(random.Random(seed))
        result = fast.run(case.program)
        assert result.differences(reference.run(case.program)) == [], f"seed {seed}: {case}"
        seen.update(_features(case, result))
    assert len(seen) == 9
    assert min(seen.values()) >= CASES // 16, seen


def test_everything_is_counted_as_query_by_query() -> None:
    for seed in range(CASES):
        case = attention_case(random.Random(seed))
        program, result, wanted = case.program, fast.run(case.program), count(case)
        stages = result.stages.sum(axis=0)
        assert stages.sum() == wanted.stages == program.stage_events, seed
        executed = sum(
            n * work.macs_executed for n, work in zip(stages.tolist(), program.works, strict=True)
        )
        assert executed == wanted.macs_executed, seed
        assert case.problem.slots_used == case.layer.macs == wanted.useful_macs, seed
        moved = sum(
            n * (work.read_bytes + work.write_bytes)
            for n, work in zip(stages.tolist(), program.works, strict=True)
        )
        assert moved == wanted.scratchpad_bytes, seed
        vector = np.array([cost.vector_ps for cost in program.costs])
        assert int(stages @ vector) == wanted.vector_ps, seed
        for operand, name in ((ROWS, "queries"), (COLUMNS, "keys and values")):
            assert _bytes(program.block_bytes, result.requests, operand) == wanted.asked_bytes[name]
            distinct = _distinct(case, operand)
            assert distinct == wanted.distinct_bytes[name], (seed, name)
        assert result.worked_ps.sum() == wanted.worked_ps, seed
        assert _distinct(case, OUTPUTS) == wanted.distinct_bytes["outputs"], seed
        partials = _distinct(case, PARTIALS)
        assert partials == wanted.asked_bytes["partials"], seed


def test_reports_add_up() -> None:
    """Every report is audited: core time, MACs, ratios."""
    for seed in range(60):
        case = attention_case(random.Random(seed))
        report = layer_report(
            case.hardware, case.layer, case.program, fast.run(case.program), problem=case.problem,
            mapping=case.mapping, asked=case.problem.pattern, note="",
        )  # fmt: skip
        assert report.slots_used == case.layer.macs
        has_lanes = case.hardware.core.vector is not None
        if has_lanes and not case.hardware.attention.overlapped:
            assert report.core_time_ps.vector_stall > 0


def _bytes(sizes: np.ndarray, counts: np.ndarray, operand: int) -> int:
    codes = BLOCKS_OF[operand]
    return int(sizes[codes] @ counts[codes])


def _distinct(case: AttentionCase, operand: int) -> int:
    counts = np.bincount(case.program.block_class, minlength=16)
    return _bytes(case.program.block_bytes, counts, operand)
