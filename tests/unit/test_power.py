"""Does a power limit lower the clock as far as it must, no further, and does the report say so?"""

from __future__ import annotations

import pytest
from machines import tiny

from simulator import Gemm, Stream, Workload, load_hardware, simulate
from simulator.errors import ConfigError
from simulator.hardware import Hardware
from simulator.run.power import CLOCK_STEPS, limited_step

LAYERS = Workload("w", [Gemm("a", 64, 64, 256), Stream("s", 4000, 4000), Gemm("b", 64, 64, 256)])
ENERGY = {
    "mac_pj": {"fp16": 10.0},
    "register_file_pj_per_byte": 0.0,
    "scratchpad_pj_per_byte": 0.0,
    "l2_pj_per_byte": 0.0,
    "dram_pj_per_byte": 0.0,
    "static_w": 0.1,
}


def machine(tdp_w: float | None) -> Hardware:
    """A core that draws up to 64 MACs x 10 pJ a ns = 0.64 W, and 0.1 W at rest."""
    return tiny(energy=ENERGY | {"tdp_w": tdp_w})


def test_without_a_limit_nothing_is_throttled() -> None:
    report = simulate(machine(None), LAYERS)
    assert not report.total.throttled
    for layer in report.layers:
        assert layer.energy_pj is not None
        assert layer.power_w == pytest.approx(layer.energy_pj / layer.time_ps)
        assert (layer.clock_hz, layer.throttled) == (10**9, False)


def test_a_limit_that_is_kept_changes_nothing() -> None:
    assert simulate(machine(0.75), LAYERS).total == simulate(machine(None), LAYERS).total


@pytest.mark.parametrize("tdp_w", [0.6, 0.4, 0.2])
def test_the_clock_is_the_highest_step_that_keeps_the_limit(tdp_w: float) -> None:
    report = simulate(machine(tdp_w), LAYERS)
    first, stream, again = report.layers
    assert report.total.throttled
    assert (stream.throttled, stream.clock_hz) == (False, 10**9)
    assert (first.throttled, first.clock_hz) == (again.throttled, again.clock_hz)
    assert first.throttled
    assert first.power_w is not None
    assert first.power_w <= tdp_w
    # Compute bound: the power of its actions follows the clock. One step up exceeds the limit.
    step = 10**9 // CLOCK_STEPS
    actions_w = (first.power_w - 0.1) * (first.clock_hz + step) / first.clock_hz
    assert actions_w + 0.1 > tdp_w
    assert first.time_ps > simulate(machine(None), LAYERS).layers[0].time_ps


def test_a_throttled_layer_keeps_its_mapping_and_its_actions() -> None:
    full, slow = (simulate(machine(tdp_w), LAYERS).layers[0] for tdp_w in (None, 0.3))
    assert slow.mapping == full.mapping
    assert slow.macs_executed == full.macs_executed
    assert slow.traffic_bytes == full.traffic_bytes


def test_both_engines_throttle_alike() -> None:
    fast, reference = (simulate(machine(0.3), LAYERS, engine=e) for e in ("fast", "reference"))
    assert fast.layers == reference.layers


def test_a_limit_that_no_clock_keeps_stops_at_a_hundredth() -> None:
    hot = ENERGY | {"dram_pj_per_byte": 1e9, "tdp_w": 0.2}
    layer = simulate(tiny(energy=hot), LAYERS).layers[0]
    assert layer.clock_hz == 10**7
    assert layer.throttled


def test_the_limit_must_exceed_what_is_always_drawn() -> None:
    with pytest.raises(ConfigError, match=r"tdp_w must be above static_w = 0.1"):
        machine(0.1)


def test_steps_follow_from_energy_and_time() -> None:
    hardware = machine(0.4)
    assert limited_step(hardware, 100, 400, 1000) == 100
    # 600 pJ of actions in 1000 ps; 0.3 W are left for them, so 2000 ps.
    assert limited_step(hardware, 100, 700, 1000) == 50
    assert limited_step(hardware, 50, 401, 1000) == 49
    assert limited_step(hardware, 2, 10**6, 1) == 1
    assert limited_step(hardware, 1, 10**9, 1) == 1
    assert limited_step(hardware, 100, None, 1000) == 100
    for unlimited in (tiny(), tiny(energy=ENERGY)):
        assert limited_step(unlimited, 100, 10**9, 1) == 100


def test_a_limit_that_cannot_be_held_is_one_line() -> None:
    """No energy of b1 is published, so that nobody knows what it draws."""
    machine = load_hardware("a100-sxm4-80gb", {"energy.tdp_w": 300})
    with pytest.raises(ConfigError, match=r"gemm: its power is not known.*energy\.mac_pj\.b1"):
        simulate(machine, "gemm:4096x4096x4096:b1")
