"""Is every kind of core-time explained, and does each resource that is said to lower it do so?"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from machines import tiny

from simulator import Attention, Gemm, Workload, simulate
from simulator.hardware.resources import RESOURCES
from simulator.report.account import CORE_TIME
from simulator.report.stalls import STALLS
from simulator.workload import Layer

GEMM = Gemm("g", m=64, n=64, k=256)
UNEVEN = Gemm("u", m=30, n=30, k=100)
DEEP = Gemm("d", m=16, n=16, k=2048)
FEW = Gemm("few", m=80, n=16, k=256)
ATTENTION = Attention("a", heads=2, kv_heads=2, head_dim=8, seq=32, context=64)

BY_NAME = {resource.name: resource for resource in RESOURCES}

DRAM_BOUND: dict[str, Any] = {"memory__dram__bytes_per_second": 5e9, "core__count": 2}
LATE: dict[str, Any] = {
    "memory__dram__latency_ns": 200,
    "memory__l2__latency_cycles": 100,
    "memory__l2__halves": {"far_latency_cycles": 80, "link_bytes_per_cycle": 1000},
    "core__scratchpad__latency_cycles": 20,
    "core__count": 2,
}
SMALL_L2 = {"memory__l2__bytes": 2000, "memory__dram__bytes_per_second": 20e9}
LINKED = {"memory__l2__halves": {"far_latency_cycles": 0, "link_bytes_per_cycle": 4}}
SPLIT = {"libraries__own__splits": [4], "core__count": 4}

CASES: tuple[tuple[dict[str, Any], Layer], ...] = (
    ({}, GEMM),
    ({}, UNEVEN),
    ({"core__scratchpad__bytes_per_cycle": 16}, UNEVEN),
    ({"core__register_file__operand_bytes_per_cycle": 16}, GEMM),
    ({"core__vector": {"macs_per_cycle": {"fp32": 4}, "specials_per_cycle": 1}}, ATTENTION),
    ({"core__barrier_cycles": 20}, GEMM),
    ({"core__promotion": {"every_k": 32, "rows": 8, "sums_per_cycle": 4}}, GEMM),
    (DRAM_BOUND, GEMM),
    (SMALL_L2, GEMM),
    ({**SMALL_L2, "memory__l2__bytes": 9000}, Gemm("wide", m=128, n=128, k=16)),
    (LINKED, GEMM),
    ({"memory__l2__bytes_per_cycle": 8, "core__count": 2}, GEMM),
    ({"core__port_bytes_per_cycle": 8}, UNEVEN),
    ({"core__issue_cycles": 500}, GEMM),
    ({**LATE, "core__scratchpad__bytes": 2048}, GEMM),
    (LATE, GEMM),
    ({"libraries__own__epilogue_ns": 100, "core__tensor_cores__drain_cycles": 50}, GEMM),
    ({**SPLIT, "core__port_bytes_per_cycle": 8}, DEEP),
    ({**SPLIT, "memory__l2__bytes_per_cycle": 16}, DEEP),
    ({**SPLIT, **LATE}, DEEP),
    ({**SPLIT, **LINKED}, DEEP),
    ({"kernel_start_ns": 100}, GEMM),
    ({**DRAM_BOUND, "memory__writes": "dram"}, UNEVEN),
    ({"core__count": 4, "core__scratchpad__bytes_per_cycle": 16}, FEW),
    ({"core__count": 4}, FEW),
    ({"core__count": 4, **LINKED}, FEW),
    ({"core__count": 4, "memory__l2__bytes_per_cycle": 8}, FEW),
    (
        {
            "core__count": 4,
            "core__vector": {"macs_per_cycle": {"fp32": 4}, "specials_per_cycle": 1},
        },
        Attention("few", heads=5, kv_heads=5, head_dim=8, seq=32, context=64),
    ),
)


@cache
def core_time(case: int, resource: str = "") -> dict[str, float] | None:
    """Of an average core, on a machine that has twice as much of a resource, if it has any."""
    changes, layer = CASES[case]
    machine = tiny(**changes)
    if resource:
        scaled = BY_NAME[resource].scaled(machine, 2)
        if scaled is None:
            return None
        machine = scaled
    return simulate(machine, Workload("w", [layer])).core_time_ns()


def lowers(case: int, kind: str, resource: str) -> bool:
    before, after = core_time(case), core_time(case, resource)
    assert before is not None
    return after is not None and after[kind] < 0.98 * before[kind]


def test_every_kind_of_core_time_is_explained_once() -> None:
    assert tuple(STALLS) == CORE_TIME
    for kind, stall in STALLS.items():
        assert stall.kind == kind
        assert stall.means.endswith(".")
        assert stall.means.count(". ") == 0, "one sentence"
        assert len(set(stall.lowered_by)) == len(stall.lowered_by) > 0
        assert set(stall.lowered_by) <= set(BY_NAME)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [(kind, name) for kind, stall in STALLS.items() for name in stall.lowered_by],
)
def test_more_of_a_resource_lowers_what_it_is_said_to(kind: str, resource: str) -> None:
    assert any(lowers(case, kind, resource) for case in range(len(CASES)))
