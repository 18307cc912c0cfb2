"""Is a GEMM that was simulated in part close to the whole, and does it add up?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulator import Gemm, LayerReport, Workload, load_hardware, simulate
from simulator.engine import fast, reference
from simulator.errors import SimulatorError
from simulator.hardware import Hardware
from simulator.run.sampling import estimate
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import gemm_program
from simulator.schedule.ranking import candidates
from simulator.sparsity import parse_pattern
from simulator.workload import Conv, Layer, Matmul
from simulator.workload.lowering import lower


def layer(machine: str, pattern: str, m: int, n: int, k: int, **options: Any) -> LayerReport:
    workload = Workload("one", [Gemm("gemm", m=m, n=n, k=k)])
    return simulate(machine, workload, pattern, **options).layers[0]


def dram_bytes(report: LayerReport) -> int:
    return sum(sum(ways.values()) for ways in report.traffic_bytes["dram"].values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("machine", "pattern", "m", "n", "k", "dram"),
    [
        ("a100-sxm4-80gb", "1:1", 12288, 12288, 12288, 0.01),
        ("a100-sxm4-80gb", "2:4", 12288, 12288, 12288, 0.01),
        ("nm-flex", "1:8", 16384, 16384, 16384, 0.01),
        ("nm-flex", "2:8", 16384, 16384, 16384, 0.01),
        ("nm-edge", "1:1", 6144, 6144, 6144, 0.01),
        # Bound by DRAM; splits along k; shallow.
        ("a100-sxm4-80gb", "1:1", 65536, 16, 65536, 0.01),
        ("a100-sxm4-80gb", "1:1", 256, 256, 2**22, 0.01),
        ("a100-sxm4-80gb", "1:1", 65536, 65536, 256, 0.01),
        # Edges, which put cores out of step: the traffic is then only known roughly.
        ("a100-sxm4-80gb", "1:1", 9999, 19999, 11111, 0.1),
        ("nm-flex", "1:8", 30000, 10000, 20000, 0.1),
    ],
)
def test_sampled_is_within_a_percent_of_exact(
    machine: str, pattern: str, m: int, n: int, k: int, dram: float
) -> None:
    exact = layer(machine, pattern, m, n, k)
    sampled = layer(machine, pattern, m, n, k, accuracy="sampled")
    assert sampled.time_error_ratio > 0, "nothing was saved"
    time_error = abs(sampled.time_ps / exact.time_ps - 1)
    dram_error = abs(dram_bytes(sampled) / dram_bytes(exact) - 1)
    assert time_error <= min(0.01, sampled.time_error_ratio)
    assert dram_error <= min(dram, sampled.dram_error_ratio)
    # What needs no estimate has no error.
    assert (sampled.stages, sampled.macs_executed) == (exact.stages, exact.macs_executed)
    assert sampled.mapping == exact.mapping
    assert sampled.traffic_bytes["scratchpad"] == exact.traffic_bytes["scratchpad"]
    assert sampled.traffic_bytes["register_file"] == exact.traffic_bytes["register_file"]
    assert sampled.busy_ratio["mac"] == pytest.approx(exact.busy_ratio["mac"], abs=0.02)
    assert sampled.imbalance_ratio == pytest.approx(exact.imbalance_ratio, abs=0.1)


WAITS = [
    # Two buffers: a stage that misses L2 waits for DRAM longer than it takes, those behind it not,
    # until they have caught up.
    ("rtx3090", {}, "2:4", Gemm("g", m=30000, n=6000, k=9000, dtype="tf32")),
    ("rtx3090", {}, "2:4", Gemm("g", m=24064, n=6144, k=10240, dtype="tf32")),
    ("a100-sxm4-80gb", {"libraries.tensorop.stage_buffers": 2, "memory.dram.latency_ns": 900},
     "1:1", Gemm("g", m=16384, n=8192, k=8192)),
    # So large an L2 that columns stay in it from band to band.
    ("rtx3090", {"memory.l2.bytes": 33554432}, "2:4", Gemm("g", m=33920, n=14818, k=879)),
]  # fmt: skip


@pytest.mark.parametrize(("machine", "changes", "pattern", "one"), WAITS)
def test_where_stages_wait_for_dram_the_error_is_as_estimated(
    machine: str, changes: dict[str, object], pattern: str, one: Layer
) -> None:
    hardware, workload = load_hardware(machine, changes), Workload("one", [one])
    exact, sampled = (
        simulate(hardware, workload, pattern, accuracy=accuracy).layers[0]
        for accuracy in ("exact", "sampled")
    )
    assert 0 < sampled.time_error_ratio < 0.05, "nothing was saved, or nothing is known"
    assert abs(sampled.time_ps / exact.time_ps - 1) <= sampled.time_error_ratio


SIDES = [
    # Batches, convolutions whose outputs leave L2, and machines that deal tiles out otherwise.
    ("a100-sxm4-80gb", {}, Matmul("g", m=128, n=128, k=2048, batch=20000)),
    ("a100-sxm4-80gb", {}, Matmul("g", m=512, n=512, k=64, batch=30000)),
    ("a100-sxm4-80gb", {}, Conv("g", 64, 64, 56, 56, kernel=3, padding=1, batch=4096)),
    ("nm-flex", {}, Gemm("g", m=20_000_000, n=64, k=256)),
    ("nm-flex", {"memory.l2.bytes": 200 * 2**20}, Gemm("g", m=16384, n=16384, k=4096)),
    ("nm-flex", {"core.count": 1}, Gemm("g", m=16384, n=16384, k=8192)),
    ("a100-sxm4-80gb", {"libraries.tensorop.dispatch": "round_robin"},
     Gemm("g", m=16384, n=16384, k=8192)),
    ("a100-sxm4-80gb", {"libraries.tensorop.dispatch": "contiguous"},
     Gemm("g", m=8192, n=8192, k=16384)),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("machine", "changes", "one"), SIDES)
def test_other_layers_and_machines(machine: str, changes: dict[str, object], one: Layer) -> None:
    hardware, workload = load_hardware(machine, changes), Workload("one", [one])
    exact, sampled = (
        simulate(hardware, workload, accuracy=accuracy).layers[0]
        for accuracy in ("exact", "sampled")
    )
    assert sampled.time_error_ratio > 0, "nothing was saved"
    assert abs(sampled.time_ps / exact.time_ps - 1) <= min(0.02, sampled.time_error_ratio)
    assert abs(dram_bytes(sampled) / dram_bytes(exact) - 1) <= max(0.02, sampled.dram_error_ratio)
    assert max(sampled.busy_ratio.values()) <= 1


def test_the_reference_engine_is_exact_only() -> None:
    with pytest.raises(SimulatorError, match="samples are sized for the fast engine"):
        layer("nm-edge", "1:1", 64, 64, 64, accuracy="sampled", engine="reference")


@pytest.mark.slow
def test_a_huge_gemm_is_affordable() -> None:
    """No exact run is: 268 million stages. Peak work alone takes 1.80 s of the machine."""
    sampled = layer("a100-sxm4-80gb", "1:1", 65536, 65536, 65536, accuracy="sampled")
    least_ps = 65536**3 / (108 * 1024 * 1.41e9) * 1e12
    assert least_ps < sampled.time_ps < 1.1 * least_ps
    assert sampled.stages == (65536 // 256) * (65536 // 128) * (65536 // 32)


def test_small_gemms_are_exact() -> None:
    exact = layer("a100-sxm4-80gb", "1:1", 2048, 2048, 2048)
    sampled = layer("a100-sxm4-80gb", "1:1", 2048, 2048, 2048, accuracy="sampled")
    assert sampled == exact
    assert (exact.time_error_ratio, exact.dram_error_ratio) == (0, 0)


def part(
    hardware: Hardware, m: int, n: int, k: int, engine: Callable[..., Any], budget: int
) -> tuple[Any, Mapping, Any]:
    problem = lower(Gemm("gemm", m=m, n=n, k=k), parse_pattern("2:4"), hardware).problem
    library = hardware.libraries[hardware.library.sparse]
    mapping = candidates(hardware, library, problem)[0]
    found = estimate(hardware, library, problem, mapping, engine, budget)
    return found, mapping, gemm_program(hardware, library, problem, mapping)


def test_both_engines_give_the_same_estimate() -> None:
    hardware = load_hardware("nm-edge")
    one, _, _ = part(hardware, 1000, 900, 2048, fast.run, 2000)
    other, _, _ = part(hardware, 1000, 900, 2048, reference.run, 2000)
    assert one.time_error_ratio > 0
    assert one.result.differences(other.result) == []
    assert (one.time_error_ratio, one.dram_error_ratio) == (
        other.time_error_ratio, other.dram_error_ratio,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "k"), [(4096, 4096, 4096), (4000, 300, 9000), (100, 9999, 999)])
@pytest.mark.parametrize("machine", ["nm-edge", "nm-flex", "a100-sxm4-80gb"])
def test_every_class_of_stage_and_every_core_adds_up(machine: str, m: int, n: int, k: int) -> None:
    found, _, whole = part(load_hardware(machine), m, n, k, fast.run, 3000)
    exact, sampled = fast.run(whole), found.result
    np.testing.assert_array_equal(sampled.stages.sum(axis=0), exact.stages.sum(axis=0))
    np.testing.assert_array_equal(sampled.requests, exact.requests)
    np.testing.assert_array_equal(sampled.end_ps, sampled.worked_ps + sampled.waits_ps.sum(axis=1))
    assert sampled.end_ps.max() <= sampled.makespan_ps
    assert (sampled.misses <= sampled.requests).all()
    assert min(np.min(getattr(sampled, name)) for name in ("stages", "waits_ps", "misses")) >= 0


def test_accuracy_is_exact_or_sampled() -> None:
    with pytest.raises(SimulatorError, match="accuracy: want 'exact' or 'sampled', got 'rough'"):
        layer("nm-edge", "1:1", 64, 64, 64, accuracy="rough")
