"""Does a whole report equal what a brute-force machine counts, which shares no code with it?"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from machines import Case, random_case, with_state
from naive_machine import NaiveMachine
from naive_memory import NaiveRun

from simulator.engine import fast
from simulator.report.account import CORE_TIME
from simulator.report.layer import LayerReport, layer_report
from simulator.schedule.partition import DISPATCH
from simulator.workload import Gemm

ENERGY = {
    "mac_pj": {"fp16": 0.5, "int8": 0.25, "int4": 0.125},
    "register_file_pj_per_byte": 0.0625,
    "scratchpad_pj_per_byte": 0.75,
    "l2_pj_per_byte": 3.0,
    "dram_pj_per_byte": 32.0,
    "static_w": 2.0,
}


def small_case(seed: int) -> Case | None:
    """A random case that the brute-force machine covers: a GEMM, no prefetch, no overlap."""
    rng = random.Random(seed)
    case = random_case(rng, energy=ENERGY)
    if seed % 3 == 0 and case.hardware.memory.l2.start == "cold":
        case = with_state(case, rng)
    covered = case.problem is not None and case.problem.unique_input_bytes is None
    covered = covered and not case.library.prefetch and not case.library.epilogue_overlap
    covered = covered and not case.problem.inputs_are_rows
    return case if covered and case.problem.rows_role == "weights" else None


def naive(case: Case) -> NaiveRun:
    problem = case.problem
    assert problem is not None
    assert case.mapping is not None
    mask = None if case.mask is None else case.mask.tolist()
    program, warm = case.program, case.program.warm_blocks
    is_warm = case.hardware.memory.l2.start == "warm"
    shape = problem.count, problem.m, problem.n, problem.k
    pattern = problem.pattern.keep, problem.pattern.group
    return NaiveMachine(
        case.hardware,
        case.library,
        case.mapping,
        shape,
        pattern,
        problem.dtype,
        mask,
        problem.accumulates,
        start=None if is_warm else [*zip(warm.tolist(), program.warm_dirty.tolist(), strict=True)],
        foreign=[(size, write_ps > 0) for size, write_ps in program.foreign.tolist()],
    ).simulate()


def reported(case: Case) -> LayerReport:
    problem = case.problem
    assert problem is not None
    layer = Gemm(
        "g", m=problem.m, n=problem.n, k=problem.k, batch=problem.count, dtype=problem.dtype
    )
    result = fast.run(case.program)
    return layer_report(
        case.hardware, layer, case.program, result, problem=problem, mapping=case.mapping,
        asked=problem.pattern, note="",
    )  # fmt: skip


def _differences(case: Case) -> list[str]:
    """Figures of the report that the brute-force machine does not find; none if they agree."""
    run, report = naive(case), reported(case)
    moved: Counter[tuple[str, str, str]] = Counter(
        {
            (level, operand, way): size
            for level, operands in report.traffic_bytes.items()
            for operand, ways in operands.items()
            for way, size in ways.items()
        }
    )
    wrong = [
        f"{name}: {got}, want {want}"
        for name, got, want in (
            ("time_ps", report.time_ps, run.time_ps),
            ("macs_executed", report.macs_executed, run.macs_executed),
            ("slots_used", report.slots_used, run.slots_used),
            ("imbalance_ratio", report.imbalance_ratio, pytest.approx(run.imbalance_ratio)),
            ("energy_pj", report.energy_pj, pytest.approx(_energy_pj(case, run))),
        )
        if got != want
    ]
    for kind in CORE_TIME:
        if report.core_time_ps[kind] != run.core_time_ps[kind]:
            wrong.append(f"{kind}: {report.core_time_ps[kind]}, want {run.core_time_ps[kind]}")
    for key in sorted(moved.keys() | run.moved.keys()):
        if moved[key] != run.moved[key]:
            wrong.append(f"{key}: {moved[key]}, want {run.moved[key]}")
    for resource, ratio in report.busy_ratio.items():
        if ratio != run.busy_ps[resource] / run.time_ps:
            wrong.append(f"busy {resource}: {ratio}, want {run.busy_ps[resource] / run.time_ps}")
    return wrong


def _energy_pj(case: Case, run: NaiveRun) -> float:
    assert case.problem is not None
    total = run.macs_executed * ENERGY["mac_pj"][case.problem.dtype]  # type: ignore[index]
    total += run.time_ps * ENERGY["static_w"]  # type: ignore[operator]
    for (level, _, _), size in run.moved.items():
        total += size * ENERGY[f"{level}_pj_per_byte"]  # type: ignore[operator]
    return total


def _features(case: Case, run: NaiveRun) -> set[str]:
    """What a case exercised."""
    assert case.problem is not None
    assert case.mapping is not None
    memory = case.hardware.memory
    found = {
        case.library.dispatch: True,
        "several GEMMs": case.problem.count > 1,
        "k-split": case.mapping.splits > 1,
        "reduction": run.core_time_ps["reduction"] > 0,
        "link between halves": memory.l2.halves is not None,
        "warm start": memory.l2.start == "warm",
        "dirty start": case.program.warm_dirty.any(),
        "inputs written": run.moved["dram", "activations", "written"] > 0,
        "foreign blocks": len(case.program.foreign) > 0,
        "eviction": run.moved["dram", "activations", "read"] > case.program.all_bytes // 4,
        "partial sums in DRAM": run.moved["dram", "partial_sums", "written"] > 0,
        "real non-zeros": case.mask is not None,
        "operand stall": run.core_time_ps["operand_stall"] > 0,
        "scratchpad stall": run.core_time_ps["scratchpad_stall"] > 0,
        "barrier": run.core_time_ps["barrier"] > 0,
        "memory stall": run.core_time_ps["memory_stall"] > 0,
        "idle": run.core_time_ps["idle"] > 0,
        "compressed": run.moved["l2", "metadata", "read"] > 0,
        "misaligned": case.hardware.core.alignment_bytes > 1,
        "outputs added to": run.moved["dram", "outputs", "read"] > 0,
        "clusters along m": case.library.cluster.m > 1 and case.program.cluster_cores > 1,
        "clusters along n": case.library.cluster.n > 1 and case.program.cluster_cores > 1,
        "cores that fill no cluster": case.program.cores % case.program.cluster_cores > 0,
        "outputs added to, splits": case.problem.accumulates and case.mapping.splits > 1,
    }
    return {name for name, is_so in found.items() if is_so}


def test_reports_equal_the_brute_force_machine() -> None:
    """Time, core-time, traffic by level and operand, busy ratios, energy: all of it, exactly."""
    reached: Counter[str] = Counter()
    for seed in range(600):
        case = small_case(seed)
        if case is None:
            continue
        assert _differences(case) == [], seed
        reached.update(_features(case, naive(case)))
    assert len(reached) == 23 + len(DISPATCH)
    assert min(reached.values()) >= 3, reached
