"""Is energy the actions of a layer times what each costs?"""

from __future__ import annotations

import json

import pytest
from machines import MIXED, contended

from simulator import Gemm, LayerReport, Report, Stream, Workload, simulate
from simulator.hardware import load_hardware

ENERGY = {
    "mac_pj": {"fp16": 1.5},
    "register_file_pj_per_byte": 1.25,
    "scratchpad_pj_per_byte": 2.5,
    "l2_pj_per_byte": 12.5,
    "dram_pj_per_byte": 162.5,
    "static_w": 0.25,
}


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate(contended(), MIXED, "2:4")


def test_without_an_energy_section_there_is_no_energy(report: Report) -> None:
    assert contended().energy is None
    assert [x.energy_pj for x in report.layers] == [None] * 5
    assert report.total.energy_pj is None
    assert json.loads(report.to_json())["total"]["energy_pj"] is None


def energy_pj(layer: LayerReport, costs: dict[str, object]) -> float:
    """Energy from a layer's counters and the costs of its actions, added up by hand."""
    total = layer.macs_executed * costs["mac_pj"][layer.dtype]  # type: ignore[index]
    for level in ("register_file", "scratchpad", "l2", "dram"):
        for ways in layer.traffic_bytes[level].values():
            total += (ways["read"] + ways["written"]) * costs[f"{level}_pj_per_byte"]
    # A watt is a joule a second: 10**12 pJ in 10**12 ps.
    return total + costs["static_w"] * layer.time_ps  # type: ignore[operator,no-any-return]


def test_energy_is_actions_times_their_cost() -> None:
    report = simulate(contended(energy=ENERGY), MIXED, "2:4")
    for layer in report.layers:
        assert layer.energy_pj == pytest.approx(energy_pj(layer, ENERGY))
    wanted = sum(x.energy_pj * x.repeat for x in report.layers if x.energy_pj is not None)
    assert report.total.energy_pj == pytest.approx(wanted)


def test_energy_of_nm_edge() -> None:
    hardware = load_hardware("nm-edge")
    # Horowitz, ISSCC 2014, figure 1.1.9: fp16 multiply 1.1 pJ and fp32 add 0.9 pJ; 8 KiB, 32
    # KiB and 1 MiB of SRAM at 10, 20 and 100 pJ for 64 bits; DRAM from 1.3 nJ for 64 bits.
    costs = {
        "mac_pj": {"fp16": 1.1 + 0.9},
        "register_file_pj_per_byte": 10 / 8,
        "scratchpad_pj_per_byte": 20 / 8,
        "l2_pj_per_byte": 100 / 8,
        "dram_pj_per_byte": 1300 / 8,
        "static_w": 0,
    }
    (layer,) = simulate(hardware, "gemm:128x128x128", "2:4").layers
    assert layer.energy_pj == pytest.approx(energy_pj(layer, costs))
    assert layer.traffic_bytes["dram"]["weights"]["read"] == 128 * 128  # half of 2 bytes each
    assert layer.traffic_bytes["dram"]["metadata"]["read"] == 128 * 128 // 8
    assert layer.traffic_bytes["dram"]["activations"]["read"] == 2 * 128 * 128


def test_an_unknown_mac_energy_leaves_the_layer_and_the_total_without() -> None:
    layers = [Gemm("a", 32, 32, 64), Gemm("b", 32, 32, 64, dtype="int8"), Stream("s", 64, 64)]
    report = simulate(contended(energy=ENERGY), Workload("w", layers))
    known = [layer.energy_pj is not None for layer in report.layers]
    assert known == [True, False, True]
    assert report.total.energy_pj is None
