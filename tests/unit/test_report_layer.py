"""Do a layer's figures say what was counted, and what bounds it?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from machines import MIXED, contended, library_of, problem_of, tiny

from simulator import Gemm, LayerReport, Mapping, Report, Stream, Workload, simulate
from simulator.engine import fast
from simulator.report.layer import layer_report
from simulator.schedule.program import gemm_program
from simulator.sparsity import DENSE


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate(contended(), MIXED, "2:4")


def by_name(report: Report) -> dict[str, LayerReport]:
    return {layer.name: layer for layer in report.layers}


def test_patterns_asked_and_executed(report: Report) -> None:
    found = {name: (x.asked, x.executed_as, x.note) for name, x in by_name(report).items()}
    assert found == {
        "fc": ("2:4", "2:4", ""),
        "stem": (
            "2:4",
            "1:1",
            "2:4 runs dense: 3 channels are less than a group; "
            "padded for the library: k from 27 to 72",
        ),
        "conv": ("2:4", "2:4", ""),
        "scores": ("1:1", "1:1", ""),
        "softmax": ("1:1", "-", ""),
    }


def test_without_a_pattern_the_trace_decides() -> None:
    layers = [Gemm("a", 32, 32, 64, pattern="2:4"), Gemm("b", 32, 32, 64)]
    report = simulate(contended(), Workload("w", layers))
    assert report.pattern is None
    assert [x.executed_as for x in report.layers] == ["2:4", "1:1"]


@pytest.mark.parametrize("name", ["fc", "stem", "conv", "scores"])
def test_sizes_are_those_of_the_layer(report: Report, name: str) -> None:
    found = by_name(report)[name]
    layer = next(x for x in MIXED.layers if x.name == name)
    assert found.macs == layer.macs
    assert found.m * found.n * found.k * found.count >= layer.macs
    assert found.macs_executed == found.slots_used + found.slots_padded
    assert found.slots_padded >= 0
    density = {"1:1": 1, "2:4": 0.5}[found.executed_as]
    assert found.slots_used == density * layer.macs


def test_m_and_n_are_those_of_the_layer_even_where_operands_were_swapped() -> None:
    """A reader looks for the layer's own sizes; that it ran swapped stands in the mapping."""
    layer = Gemm("g", m=64, n=16, k=32)
    mapping = Mapping(16, 16, 16, 8, 8, swapped=True)
    (found,) = simulate(contended(), Workload("w", [layer]), mapping=mapping).layers
    assert "swapped" in found.mapping
    assert (found.m, found.n, found.k) == (64, 16, 32)


def test_a_streaming_layer_multiplies_nothing(report: Report) -> None:
    found = by_name(report)["softmax"]
    assert (found.m, found.n, found.k, found.count) == (0, 0, 0, 0)
    assert (found.macs, found.macs_executed, found.slots_used) == (0, 0, 0)
    assert (found.mac_utilization, found.mapping) == (0.0, "-")
    assert found.traffic_bytes["dram"]["activations"]["read"] == 8000
    assert found.traffic_bytes["l2"]["outputs"]["written"] == 8000


def test_bandwidth_is_traffic_over_time(report: Report) -> None:
    for layer in report.layers:
        for level, rate in layer.bandwidth_bytes_per_second.items():
            moved = sum(sum(ways.values()) for ways in layer.traffic_bytes[level].values())
            assert rate == pytest.approx(moved / (layer.time_ps * 1e-12))
        assert layer.bandwidth_bytes_per_second["dram"] <= 20e9 * (1 + 1e-9)


def test_the_bound_is_the_busiest_resource_or_latency(report: Report) -> None:
    for layer in report.layers:
        busiest = max(layer.busy_ratio, key=lambda name: layer.busy_ratio[name])
        if layer.busy_ratio[busiest] >= 0.5:
            assert layer.bound == busiest
        else:
            assert layer.bound == "latency"
        assert all(0 <= ratio <= 1 for ratio in layer.busy_ratio.values())


@pytest.mark.parametrize(
    ("changes", "bound"),
    [
        ({"core__tensor_cores__macs_per_cycle": {"fp16": 1, "int8": 1, "int4": 1}}, "mac"),
        ({"core__scratchpad__bytes_per_cycle": 1}, "scratchpad"),
        ({"core__register_file__operand_bytes_per_cycle": 1}, "operand"),
        ({"core__port_bytes_per_cycle": 0.5}, "port"),
        ({"memory__l2__bytes_per_cycle": 0.5}, "l2"),
        ({"memory__dram__bytes_per_second": 1e8}, "dram"),
        ({"memory__dram__latency_ns": 1e6, "memory__l2__bytes": 2**24}, "latency"),
        ({"launch_ns": 1e9}, "launch"),
    ],
)
def test_a_starved_resource_is_what_bounds(changes: dict[str, object], bound: str) -> None:
    layer = Workload("w", [Gemm("g", m=64, n=64, k=128)])
    report = simulate(tiny(**changes), layer)
    assert report.layers[0].bound == bound
    assert report.total.bound == bound
    assert report.total.bound_ratio == {bound: 1.0}


def test_equal_layers_give_equal_figures() -> None:
    layers = [Gemm("a", 64, 48, 128), Gemm("b", 64, 48, 128, repeat=2)]
    first, second = simulate(contended(), Workload("w", layers), "2:4").layers
    own = {"name": "", "members": (), "repeat": 0}
    own |= {"compulsory_dram_bytes": 0}  # the first reads what is given
    assert first.exported() | own == second.exported() | own


def test_the_account_and_traffic_of_two_tiles() -> None:
    """Two stages of each: 16 x 16 x 32 MACs are 128 cycles, half of that for 2:4; bytes through the
    scratchpad take longer, and 3 cycles of barrier follow."""
    hardware = tiny(core__scratchpad__bytes_per_cycle=16, core__barrier_cycles=3)
    mapping = Mapping(16, 16, 32, 8, 8)
    workload = Workload("w", [Gemm("g", m=16, n=32, k=64)])
    (layer,) = simulate(hardware, workload, "2:4", mapping=mapping).layers
    assert layer.executed_as == "2:4"
    # W: 16 rows of 16 slots of 2 bytes, and 4 bits for each of 8 groups; X: 32 rows of 16 columns.
    slots, metadata, columns = 16 * 16 * 2, 16 * 8 * 4 // 8, 32 * 16 * 2
    moved = slots + metadata + columns + 2 * (slots + metadata + columns)
    account = layer.core_time_ps
    assert account["mac_useful"] == 4 * 64_000
    assert (account["mac_padding"], account["operand_stall"]) == (0, 0)
    assert account["scratchpad_stall"] == 4 * (moved * 1000 // 16 - 64_000)
    assert account["barrier"] == 4 * 3000
    pad, registers = layer.traffic_bytes["scratchpad"], layer.traffic_bytes["register_file"]
    for operand, size in (("weights", slots), ("metadata", metadata), ("activations", columns)):
        assert pad[operand] == {"read": 4 * 2 * size, "written": 4 * size}
        assert registers[operand]["written"] == 4 * 2 * size
    # Each of 4 x 4 instructions of 4 slots reads W, metadata and all of its groups; sums both ways.
    assert registers["weights"]["read"] == 4 * 4 * slots
    assert registers["metadata"]["read"] == 4 * 4 * metadata
    assert registers["activations"]["read"] == 4 * 4 * columns
    sums = 4 * 4 * (16 * 16 * 4)  # 4 stages of 4 steps
    assert registers["partial_sums"] == {"read": sums, "written": sums}


def test_a_narrow_operand_path_is_its_own_stall() -> None:
    """As many bytes as `test_replay` counts: 16 KiB a stage at 64 a cycle, 256 cycles."""
    hardware = tiny(core__register_file__operand_bytes_per_cycle=64)
    workload = Workload("w", [Gemm("g", m=16, n=16, k=96)])
    (layer,) = simulate(hardware, workload, mapping=Mapping(16, 16, 32, 8, 8)).layers
    assert layer.core_time_ps["operand_stall"] == 3 * 128_000
    assert layer.core_time_ps["scratchpad_stall"] == layer.core_time_ps["barrier"] == 0


def test_what_is_not_said_of_a_layer_is_exact_and_at_the_full_clock() -> None:
    hardware, gemm, mapping = tiny(), Gemm("g", m=16, n=16, k=96), Mapping(16, 16, 32, 8, 8)
    problem = problem_of(hardware, "1:1", m=16, n=16, k=96)
    program = gemm_program(hardware, library_of(hardware), problem, mapping)
    layer = layer_report(
        hardware, gemm, program, fast.run(program),
        problem=problem, mapping=mapping, asked=DENSE, note="",
    )  # fmt: skip
    assert not layer.throttled
    assert layer.time_error_ratio == layer.dram_error_ratio == 0
    workload = Workload("w", [gemm])
    (simulated,) = simulate(hardware, workload, mapping=mapping).layers
    assert replace(simulated, compulsory_dram_bytes=0) == layer
    assert simulated.compulsory_dram_bytes == 2 * (16 * 96 + 96 * 16 + 16 * 16)


def test_a_stream_may_have_a_dtype_that_tensor_cores_lack() -> None:
    """As a framework's casts to 32 bits do."""
    (layer,) = simulate(
        "a100-sxm4-80gb", Workload("w", [Stream("cast", 4096, 4096, "cast", dtype="fp32")])
    ).layers
    assert layer.time_ps > 0
    assert layer.mac_utilization == layer.dense_equivalent_utilization == 0
