"""``Program, EngineResult -> Traffic``: what an engine counted, as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np

from simulator.engine.result import EngineResult
from simulator.schedule.classes import BLOCKS_OF, ROWS
from simulator.schedule.partition import IntArray
from simulator.schedule.program import Program
from simulator.traffic import FLOWS, Traffic
from simulator.workload.attention_problem import Problem
from simulator.workload.lowering import Role

PASSED: Final = (("dram", "read"), ("l2", "read"), ("l2", "written"), ("dram", "written"))
"""Where whole blocks pass."""

INSIDE_CORES: Final = (
    ("scratchpad", "rows", "written", "rows_bytes"),
    ("scratchpad", "metadata", "written", "metadata_bytes"),
    ("scratchpad", "columns", "written", "columns_bytes"),
    ("scratchpad", "rows", "read", "rows_read_bytes"),
    ("scratchpad", "metadata", "read", "metadata_read_bytes"),
    ("scratchpad", "columns", "read", "columns_read_bytes"),
    ("register_file", "rows", "written", "rows_fill_bytes"),
    ("register_file", "metadata", "written", "metadata_fill_bytes"),
    ("register_file", "columns", "written", "columns_fill_bytes"),
    ("register_file", "rows", "read", "rows_operand_bytes"),
    ("register_file", "metadata", "read", "metadata_operand_bytes"),
    ("register_file", "columns", "read", "columns_operand_bytes"),
    ("register_file", "partial_sums", "read", "accumulator_bytes"),
    ("register_file", "partial_sums", "written", "accumulator_bytes"),
)
"""What stages move between scratchpad, register file and tensor cores: level, operand, direction,
and the sum that it is."""


_OTHERS: Final = FLOWS.index(("dram", "outputs", "written"))
_OF_DRAM: Final = [flow[0] == "dram" for flow in FLOWS]


def traffic_of(
    program: Program,
    result: EngineResult,
    sums: Mapping[str, int],
    problem: Problem | None,
    runs: int,
) -> Traffic:
    """Bytes by level, operand and direction; what others have left dirty is outputs, too.

    ``sums`` are those of all stages (`StageTables.sums`).
    """
    rows: Role = problem.rows_role if problem else "activations"
    columns: Role = problem.columns_role if problem else "activations"
    inside = np.array([sums[name] for *_, name in INSIDE_CORES])
    moved = np.concatenate([_passed(program, result), inside]) @ _flows(rows, columns)
    moved[_OTHERS] += foreign_written_bytes(program, result)
    if runs > 1:
        moved[_OF_DRAM] = -(-moved[_OF_DRAM] // runs)
    return Traffic.of_sizes(moved.tolist())


def _passed(program: Program, result: EngineResult) -> IntArray:
    """Bytes of blocks that passed as `PASSED` says: each by operand, without metadata; then the
    metadata of each."""
    counts = np.array([result.misses, result.requests, result.written, result.dram_written])
    stored, passed, metadata = program.block_bytes, program.passed_bytes, program.metadata_bytes
    plain = counts * (np.array([stored, passed, passed, stored]) - metadata)
    by_operand = plain.reshape(-1, BLOCKS_OF[ROWS].stop).sum(axis=1)
    return np.concatenate([by_operand, counts @ metadata])


@cache
def _flows(rows: Role, columns: Role) -> IntArray:
    """Which of `FLOWS` everything is that is counted: `_passed`, then `INSIDE_CORES`; 0 and 1."""
    names = {"rows": rows, "columns": columns}
    operands = rows, columns, "outputs", "partial_sums"
    counted = [
        *((level, operand, way) for level, way in PASSED for operand in operands),
        *((level, "metadata", way) for level, way in PASSED),
        *((level, names.get(operand, operand), way) for level, operand, way, _ in INSIDE_CORES),
    ]
    return np.array([[one == flow for flow in FLOWS] for one in counted], dtype=np.int64)


def foreign_written_bytes(program: Program, result: EngineResult) -> int:
    """Bytes that earlier layers wrote, and that reach DRAM as this one evicts them."""
    if not result.foreign_evicted:
        return 0
    sizes, write_ps = program.foreign[: result.foreign_evicted].T
    return int(sizes[write_ps > 0].sum())
