"""What Hopper's fp8 kernels do otherwise: tiles by waves, promoted sums, staged outputs, dirty L2,
and a clock that load lowers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from machines import MIXED, contended, problem_of, tiny

from simulator import ConfigError, Gemm, Hardware, Workload, load_hardware, simulate
from simulator.hardware.core import Promotion
from simulator.hardware.machine import Sustained
from simulator.report.layer import LayerReport
from simulator.schedule.mapping import Mapping
from simulator.schedule.offers import Offers, stages_of
from simulator.schedule.ranking import candidates
from simulator.schedule.timing import StageShape, stage_cost, stage_work

OWN = "libraries__own__"


def run(hardware: Hardware, **sizes: Any) -> LayerReport:
    """One dense product."""
    return simulate(hardware, Workload("one", [Gemm("g", **sizes)]), "1:1").layers[0]


# Which library


def test_a_dtype_may_have_a_library_of_its_own() -> None:
    own = load_hardware(tiny()).libraries["own"].model_dump()
    machine = tiny(
        libraries={"own": own, "other": own | {"epilogue_ns": 5000.0}},
        library__dtypes={"dense int8": "other"},
    )
    for dtype, pattern, name in (
        ("int8", "1:1", "other"), ("int8", "2:4", "own"), ("fp16", "1:1", "own"),
    ):  # fmt: skip
        work = Workload("one", [Gemm("g", m=32, n=32, k=64, dtype=dtype)])
        assert (
            simulate(machine, work, pattern).layers
            == simulate(machine, work, pattern, library=name).layers
        )


@pytest.mark.parametrize(
    ("dtypes", "message"),
    [
        ({"dense fp7": "own"}, "want 'dense' or 'sparse' and a dtype, got 'dense fp7'"),
        ({"fp16": "own"}, "want 'dense' or 'sparse' and a dtype, got 'fp16'"),
        ({"dense fp16": "owm"}, "no library 'owm' .did you mean 'own'"),
    ],
)
def test_a_dtype_s_library_must_be_there(dtypes: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny(library__dtypes=dtypes)


# Tiles


def test_a_list_of_widths_is_a_tile_of_each() -> None:
    tiles = [{"m": 16, "n": [8, 24], "slots": 16}, {"m": 8, "n": 8, "slots": 16, "fragment_m": 4}]
    (library,) = tiny(**{OWN + "tiles": tiles}).libraries.values()
    assert [(tile.m, tile.n, tile.fragment_m, tile.fragment_n) for tile in library.tiles] == [
        (16, 8, 16, 8), (16, 24, 16, 24), (8, 8, 4, 8),
    ]  # fmt: skip


@pytest.mark.parametrize("tiles", [[{"m": 16, "n": ["x"], "slots": 16}], [{"m": 16, "slots": 16}]])
def test_a_width_must_be_a_number(tiles: list[dict[str, object]]) -> None:
    with pytest.raises(ConfigError, match="tiles"):
        tiny(**{OWN + "tiles": tiles})


WIDTHS = (8, 12, 16, 20, 24, 28, 32)


def _by_waves(m: int, n: int, cores: int) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Tiles by dealing them out one by one: waves, idle cores, size, height; and the tile."""
    for tile_m, tile_n in product((16, 32), WIDTHS):
        tiles = len(range(0, m, tile_m)) * len(range(0, n, tile_n))
        waves = idle = 0
        while tiles > 0:
            waves, idle, tiles = waves + 1, max(0, cores - tiles), tiles - cores
        yield waves, idle, tile_m * tile_n, tile_m, tile_m, tile_n


@pytest.mark.parametrize(("m", "n"), [(16, 40), (32, 100), (64, 300), (200, 60), (160, 160)])
def test_waves_are_filled(m: int, n: int) -> None:
    """The fewest waves, then the fullest last one, then the smallest tile."""
    machine = tiny(
        core__count=7,
        **{
            OWN + "tiles": [{"m": rows, "n": list(WIDTHS), "slots": 16} for rows in (16, 32)],
            OWN + "choice": "waves",
            OWN + "swap": False,
        },
    )
    (library,) = machine.libraries.values()
    problem = problem_of(machine, "1:1", m=m, n=n, k=64)
    (chosen,) = candidates(machine, library, problem)
    assert (chosen.tile_m, chosen.tile_n) == min(_by_waves(m, n, 7))[-2:]


# Promotion

ADDED = {"every_k": 32, "rows": 16, "sums_per_cycle": 16.0}


def test_sums_are_added_after_their_macs() -> None:
    """A stage of 24 x 16 and 64 of k: two turns of 16 rows, two pieces of k."""
    plain, adding = tiny(), tiny(core__promotion=ADDED)
    problem = problem_of(plain, "1:1", m=24, n=16, k=64)
    shape = StageShape(24, 16, 64, 8, 8)
    before = stage_cost(plain, problem, stage_work(plain, problem, shape))
    after = stage_cost(adding, problem, stage_work(adding, problem, shape))
    added_ps = 2 * 2 * 16 * 16 // 16 * 1000
    assert before.stage_ps == before.mac_ps  # bound by MACs
    assert after.stage_ps == before.stage_ps + added_ps
    assert (after.mac_ps, after.barrier_ps) == (before.mac_ps, before.barrier_ps + added_ps)


def test_additions_hide_while_stages_come_in() -> None:
    """A stage that the scratchpad bounds takes no longer for them."""
    slow = {"core__scratchpad__bytes_per_cycle": 8}
    plain, adding = tiny(**slow), tiny(core__promotion=ADDED, **slow)
    problem = problem_of(plain, "1:1", m=24, n=16, k=64)
    shape = StageShape(24, 16, 64, 8, 8)
    costs = [
        stage_cost(each, problem, stage_work(each, problem, shape)) for each in (plain, adding)
    ]
    assert costs[0].stage_ps == costs[1].stage_ps


def test_a_library_promotes_as_a_machine_would() -> None:
    machine, profile = contended(core__promotion=ADDED), contended(**{OWN + "promotion": ADDED})
    assert simulate(machine, MIXED).layers == simulate(profile, MIXED).layers
    assert simulate(machine, MIXED).total.time_ps > simulate(contended(), MIXED).total.time_ps


def test_the_ranking_sees_promotion() -> None:
    """The same cycles as the exact cost."""
    machine = tiny(core__promotion=ADDED)
    (library,) = machine.libraries.values()
    problem = problem_of(machine, "1:1", m=24, n=16, k=64)
    mapping = Mapping(24, 16, 64, 8, 8)
    offers = Offers.of(machine, library, [problem], [0], [mapping])
    cost = stage_cost(machine, problem, stage_work(machine, problem, StageShape(24, 16, 64, 8, 8)))
    (cycles,) = stages_of(machine, library, problem, offers).core.ravel()
    assert cycles * 1000 == pytest.approx(cost.stage_ps)


def test_promotion_is_checked() -> None:
    with pytest.raises(ConfigError, match="sums_per_cycle"):
        tiny(core__promotion=ADDED | {"sums_per_cycle": 0})
    assert Promotion(**ADDED).rows == 16  # type: ignore[arg-type]  # keys of several types


# Staged outputs


def test_staged_outputs_pass_the_scratchpad_twice() -> None:
    """An output of 16 x 16 fp16: 512 bytes in, and out again, at 64 bytes a cycle."""
    plain = tiny(core__scratchpad__bytes_per_cycle=64)
    staged = load_hardware(plain, {"libraries.own.epilogue_staged": True})
    sizes = {"m": 16, "n": 16, "k": 64}
    assert run(staged, **sizes).time_ps - run(plain, **sizes).time_ps == 2 * 512 // 64 * 1000


# An L2 that others left dirty


def test_reads_evict_what_others_wrote() -> None:
    """A product that DRAM bounds, of fewer bytes than L2 has: each brings its share of writes."""
    slow = {"memory__dram__bytes_per_second": 1e9}
    clean, dirty = tiny(**slow), tiny(memory__l2__foreign_dirty_ratio=0.25, **slow)
    sizes = {"m": 64, "n": 64, "k": 1024}
    reads_ps = 2 * 64 * 1024 * 2 * 1000
    longer = run(dirty, **sizes).time_ps - run(clean, **sizes).time_ps
    assert longer == pytest.approx(reads_ps / 4, rel=0.01)
    assert run(dirty, **sizes).traffic_bytes == run(clean, **sizes).traffic_bytes


def test_no_more_is_evicted_than_there_was() -> None:
    """Of a product that moves many times what L2 holds, the first part only."""
    slow = {"memory__dram__bytes_per_second": 1e9, "memory__l2__bytes": 40_000}
    clean, dirty = tiny(**slow), tiny(memory__l2__foreign_dirty_ratio=0.5, **slow)
    sizes = {"m": 16, "n": 16, "k": 20_000}
    longer = run(dirty, **sizes).time_ps - run(clean, **sizes).time_ps
    assert longer == pytest.approx(40_000 / 2 * 1000, rel=0.02)


# Clocks under load

HELD = {"clock_ratio": 0.6, "settling_ms": 0.01}


def test_the_mean_clock_falls_from_the_first_to_the_last() -> None:
    held = Sustained(**HELD)
    assert held.mean_ratio(0) == 1
    assert held.mean_ratio(10**4) == pytest.approx(1, abs=1e-3)
    assert held.mean_ratio(10**7) == pytest.approx(0.6 + 0.4 * (1 - 0.36787944))
    assert held.mean_ratio(10**13) == pytest.approx(0.6, abs=1e-4)


def test_load_lowers_the_clock_only_where_that_is_asked_for() -> None:
    layers = Workload("w", [Gemm("long", 256, 256, 4096), Gemm("short", 16, 16, 64)])
    slower = HELD | {"settling_ms": 0.05}
    plain, off = simulate(tiny(), layers), simulate(tiny(sustained=slower), layers)
    assert off.layers == plain.layers
    on = simulate(tiny(sustained=slower | {"applies": True}), layers)
    long, short = on.layers
    assert (short.time_ps, short.throttled) == (plain.layers[1].time_ps, False)
    assert long.throttled
    assert long.mapping == plain.layers[0].mapping
    # The mean over the time that it takes at that clock, in hundredths.
    held = Sustained(**slower)
    assert long.clock_hz == pytest.approx(1e9 * held.mean_ratio(long.time_ps), abs=1e7)
    assert long.time_ps * long.clock_hz == pytest.approx(plain.layers[0].time_ps * 1e9, rel=0.01)


def test_both_engines_hold_the_same_clock() -> None:
    machine = contended(sustained=HELD | {"applies": True})
    fast, reference = (simulate(machine, MIXED, engine=engine) for engine in ("fast", "reference"))
    assert fast.layers == reference.layers
    assert fast.total.throttled


def test_one_thing_lowers_the_clock() -> None:
    energy = {
        "mac_pj": {"fp16": 1.0}, "register_file_pj_per_byte": 0.0, "scratchpad_pj_per_byte": 0.0,
        "l2_pj_per_byte": 0.0, "dram_pj_per_byte": 0.0, "tdp_w": 1.0,
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"sustained: applies beside energy\.tdp_w"):
        tiny(energy=energy, sustained=HELD | {"applies": True})


# The machines


@pytest.mark.parametrize("name", ["h800", "h20"])
def test_hopper_s_machines_share_what_was_fitted(name: str) -> None:
    one, other = load_hardware("h100-sxm"), load_hardware(name)
    assert other.kernel_start_ns == one.kernel_start_ns
    assert other.libraries == one.libraries
    assert other.library == one.library


def test_peaks_are_those_of_the_data_sheets() -> None:
    for name, hz, dtype, peak in (
        ("h100-sxm", 1.83e9, "fp16", 989e12),
        ("h100-sxm", 1.83e9, "fp8", 1979e12),
        ("h20", 1.853e9, "fp16", 148e12),
        ("h20", 1.853e9, "fp8", 296e12),
    ):
        machine = load_hardware(name)
        reached = 2 * float(machine.macs_per_cycle(dtype)) * machine.core.count * hz
        assert reached == pytest.approx(peak, rel=0.002)
