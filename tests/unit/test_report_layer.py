"""Do a layer's figures say what was counted, and what bounds it?"""

from __future__ import annotations

from dataclasses import asdict

import pytest
from machines import MIXED, contended, tiny

from simulator import Gemm, LayerReport, Mapping, Report, Workload, simulate


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate(contended(), MIXED, "2:4")


def by_name(report: Report) -> dict[str, LayerReport]:
    return {layer.name: layer for layer in report.layers}


def test_patterns_asked_and_executed(report: Report) -> None:
    found = {name: (x.asked, x.executed_as, x.note) for name, x in by_name(report).items()}
    assert found == {
        "fc": ("2:4", "2:4", ""),
        "stem": ("2:4", "1:1", "2:4 runs dense: 3 channels are less than a group"),
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
    assert {**asdict(first), "name": "", "repeat": 0} == {
        **asdict(second),
        "name": "",
        "repeat": 0,
    }
