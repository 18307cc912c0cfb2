"""``Program, EngineResult -> Traffic``: what an engine counted, as bytes."""

from __future__ import annotations

from collections import Counter

from simulator.engine.result import EngineResult
from simulator.schedule.classes import BLOCK_CLASSES, COLUMNS, OUTPUTS, PARTIALS, ROWS
from simulator.schedule.program import Program
from simulator.schedule.timing import StageWork
from simulator.traffic import Flow, Traffic
from simulator.units import ceil_div
from simulator.workload.attention_problem import Problem
from simulator.workload.lowering import Role


def traffic_of(
    program: Program,
    result: EngineResult,
    stages: list[int],
    problem: Problem | None,
    runs: int,
) -> Traffic:
    """Bytes by level, operand and direction; what others have left dirty is outputs, too."""
    rows: Role = problem.rows_role if problem else "activations"
    columns: Role = problem.columns_role if problem else "activations"
    names = {ROWS: rows, COLUMNS: columns, OUTPUTS: "outputs", PARTIALS: "partial_sums"}
    stored, passed = program.block_bytes.tolist(), program.passed_bytes.tolist()
    metadata = program.metadata_bytes.tolist()
    moved: Counter[Flow] = Counter()
    for level, way, counts, sizes in (
        ("dram", "read", result.misses, stored),
        ("l2", "read", result.requests, passed),
        ("l2", "written", result.written, passed),
        ("dram", "written", result.dram_written, stored),
    ):
        for code, count in enumerate(counts.tolist()):
            if count:
                operand = names[BLOCK_CLASSES[code].operand]
                moved[level, operand, way] += count * (sizes[code] - metadata[code])
                moved[level, "metadata", way] += count * metadata[code]
    moved["dram", "outputs", "written"] += foreign_written_bytes(program, result)
    if runs > 1:
        for flow, size in moved.items():
            moved[flow] = ceil_div(size, runs if flow[0] == "dram" else 1)
    for count, work in zip(stages, program.works, strict=True):
        if count:
            for level, operand, way, size in _inside_core(work, rows, columns):
                moved[level, operand, way] += count * size
    return Traffic.of(moved)


def foreign_written_bytes(program: Program, result: EngineResult) -> int:
    """Bytes that earlier layers wrote, and that reach DRAM as this one evicts them."""
    if not result.foreign_evicted:
        return 0
    sizes, write_ps = program.foreign[: result.foreign_evicted].T
    return int(sizes[write_ps > 0].sum())


def _inside_core(
    work: StageWork, rows: Role, columns: Role
) -> tuple[tuple[str, str, str, int], ...]:
    """What one stage moves between scratchpad, register file and tensor cores."""
    accumulators = -(-work.accumulator_bits // 8)
    return (
        ("scratchpad", rows, "written", work.rows_bytes),
        ("scratchpad", "metadata", "written", work.metadata_bytes),
        ("scratchpad", columns, "written", work.columns_bytes),
        ("scratchpad", rows, "read", work.rows_read_bytes),
        ("scratchpad", "metadata", "read", work.metadata_read_bytes),
        ("scratchpad", columns, "read", work.columns_read_bytes),
        ("register_file", rows, "written", work.rows_fill_bytes),
        ("register_file", "metadata", "written", work.metadata_fill_bytes),
        ("register_file", columns, "written", work.columns_fill_bytes),
        ("register_file", rows, "read", -(-work.rows_operand_bits // 8)),
        ("register_file", "metadata", "read", -(-work.metadata_operand_bits // 8)),
        ("register_file", columns, "read", -(-work.columns_operand_bits // 8)),
        ("register_file", "partial_sums", "read", accumulators),
        ("register_file", "partial_sums", "written", accumulators),
    )
