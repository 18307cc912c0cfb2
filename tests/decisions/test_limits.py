"""Are limits those of plain runs, their end what can be computed by hand, and said as they are?"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from math import inf, isinf, log
from pathlib import Path

import pytest
from machines import contended, tiny

from simulator import Attention, Gemm, Stream, Workload, limits, load_hardware, simulate
from simulator.cli.limiting import limits_parts
from simulator.decisions.limiting.result import MOVES_RATIO, Limits, Relaxed
from simulator.decisions.limiting.told import next_speedup
from simulator.errors import ConfigError, MappingError, WorkloadError
from simulator.hardware.resources import RESOURCES
from simulator.pictures import save

NETWORK = Workload(
    "net",
    [
        Gemm("fc", m=64, n=64, k=256),
        Gemm("head", m=30, n=48, k=128, repeat=2),
        Attention("heads", heads=2, kv_heads=2, head_dim=8, seq=32, context=64),
        Stream("norm", reads=4000, writes=4000, op="softmax"),
    ],
)
LIMITED = contended(
    core__tensor_cores__drain_cycles=10,
    core__scratchpad__latency_cycles=12,
    core__barrier_cycles=4,
    core__vector={"macs_per_cycle": {"fp32": 16}, "specials_per_cycle": 4},
    libraries__own__epilogue_ns=20,
    kernel_start_ns=30,
)
DIVISIBLE = Workload("even", [Gemm("g", m=64, n=64, k=512)])


SEEN: list[tuple[int, int, str]] = []
"""What progress was told of."""


@cache
def found() -> Limits:
    return limits(LIMITED, NETWORK, "1:8", progress=lambda *now: SEEN.append(now))


@cache
def even(pattern: str) -> Limits:
    """A product that fills tiles and cores."""
    machine = contended(libraries__own__epilogue_ns=20, core__tensor_cores__drain_cycles=10)
    return limits(machine, DIVISIBLE, pattern)


def test_every_figure_is_that_of_a_plain_run() -> None:
    own = found()
    for pattern, report in (("1:8", own.report), ("1:1", own.dense)):
        assert report == simulate(LIMITED, NETWORK, pattern)
    for one in own.relaxed[::3]:
        machine = load_hardware(LIMITED, one.settings)
        assert one.time_ps == simulate(machine, NETWORK, "1:8").total.time_ps
        assert one.time_of_dense_ps == simulate(machine, NETWORK, "1:1").total.time_ps


def test_every_resource_is_relaxed_by_each_factor_or_moves_nothing() -> None:
    own = found()
    lacking = {"promotion", "L2 far latency", "L2 link", "L2 foreign dirty"}
    assert set(own.resources) == {x.name for x in RESOURCES if x.role != "part"} - lacking
    for name in own.moving:
        factors = {1.25, 2.0, inf} if own.resources[name].can_be_unlimited else {1.25, 2.0}
        assert set(own.by_factor(name)) == factors - ({1.25} if name == "alignment" else set())
    for name in own.unmoving:
        ((factor, end),) = own.by_factor(name).items()
        assert isinf(factor)
        assert own.gain(end) == pytest.approx(1, abs=2 * MOVES_RATIO)
    assert {"cores", "clock", "MACs", "vector unit"} <= set(own.moving)


@pytest.mark.parametrize(
    ("resource", "settings"),
    [
        ("DRAM", {"memory.dram.bytes_per_second": 25e9}),
        ("DRAM latency", {"memory.dram.latency_ns": 80}),
        ("clock", {"clock_hz": 1_250_000_000}),
        ("scratchpad rate", {"core.scratchpad.bytes_per_cycle": 80}),
        ("kernel start", {"kernel_start_ns": 24}),
    ],
)
def test_elasticities_are_finite_differences(resource: str, settings: dict[str, float]) -> None:
    (elastic,) = (one for one in found().elasticities if one.resource == resource)
    for pattern, value in (("1:8", elastic.of_pattern), ("1:1", elastic.of_dense)):
        before = simulate(LIMITED, NETWORK, pattern).total.time_ps
        after = simulate(load_hardware(LIMITED, settings), NETWORK, pattern).total.time_ps
        assert value == pytest.approx(log(before / after) / log(1.25))


@pytest.mark.parametrize("pattern", ["1:1", "1:8"])
def test_without_limits_multiplying_is_left(pattern: str) -> None:
    """MACs of stored slots over the peak of all cores, in whole instructions."""
    own = even(pattern)
    keep, group = map(int, pattern.split(":"))
    at_peak_ps = 64 * 64 * 512 * keep / group / (64 * 4) * 1000
    assert own.ideal.total.time_ps == pytest.approx(at_peak_ps, rel=1e-3)
    assert own.steps[-1].time_ps == own.ideal.total.time_ps
    assert own.steps[-1].time_of_dense_ps == own.ideal_of_dense.total.time_ps


def test_instructions_stay_whole_without_limits() -> None:
    """3 of 30 rows and columns beyond the last whole instruction cost one."""
    own = limits(tiny(core__port_bytes_per_cycle=16), Workload("w", [Gemm("g", 30, 30, 64)]), "1:1")
    assert own.ideal.total.time_ps == pytest.approx(32 * 32 * 64 / 64 * 1000, rel=1e-3)


@pytest.mark.parametrize("pattern", ["1:1", "1:8"])
def test_with_memory_alone_limited_compulsory_bytes_are_left(pattern: str) -> None:
    machine = contended(memory__writes="dram")
    tree = machine.model_dump(mode="json")
    freed = [
        one.unlimited(tree) for one in RESOURCES if one.can_be_unlimited and one.name != "DRAM"
    ]
    settings = {key: value for one in freed for key, value in one.items()}
    machine = load_hardware(machine, {**settings, "memory.dram.bytes_per_second": 1e9})
    total = simulate(machine, DIVISIBLE, pattern).total
    assert total.time_ns == pytest.approx(total.compulsory_dram_bytes, rel=2e-3)


def test_the_best_order_takes_what_gives_most_first() -> None:
    own = found()
    ends = {one.resource: one for one in own.relaxed if isinf(one.factor)}
    first = own.steps[1]
    assert first.time_ps == min(one.time_ps for one in ends.values())
    taken: dict[str, object] = {}
    for before, step in zip(own.steps, own.steps[1:], strict=False):
        for name in step.resources:
            taken |= ends[name].settings
        machine = load_hardware(LIMITED, taken)
        assert step.time_ps == simulate(machine, NETWORK, "1:8").total.time_ps
        assert step.time_of_dense_ps == simulate(machine, NETWORK, "1:1").total.time_ps
        if len(step.resources) == 1:
            assert step.time_ps < before.time_ps / (1 + MOVES_RATIO)
    assert taken.keys() == {key for one in ends.values() for key in one.settings}


def test_nothing_is_left_that_moves_the_time() -> None:
    own = found()
    ends = {one.resource: one for one in own.relaxed if isinf(one.factor)}
    *taken, last = own.steps
    assert len(last.resources) > 1, "this network leaves some"
    settings = {
        k: v for step in taken for name in step.resources for k, v in ends[name].settings.items()
    }
    for name in last.resources:
        machine = load_hardware(LIMITED, settings | ends[name].settings)
        time_ps = simulate(machine, NETWORK, "1:8").total.time_ps
        assert time_ps >= taken[-1].time_ps / (1 + MOVES_RATIO)


def test_frame_and_json_hold_every_machine() -> None:
    own = found()
    frame = own.to_frame()
    assert [*frame.columns[:4]] == ["key", "factor", "time_ns", "time_of_dense_ns"]
    assert len(frame) == len(own.relaxed) + 1
    assert frame["factor"].iloc[0] == 1
    dram = frame[frame["key"] == "memory.dram.bytes_per_second"].set_index("factor")
    assert dram.loc[2.0, "time_ns"] == own.by_factor("DRAM")[2.0].time_ps / 1000
    assert json.loads(dram.loc[inf, "settings"])["memory.dram.bytes_per_second"] > 1e15
    data = json.loads(own.to_json())
    assert data["sentences"] == [*own.sentences()]
    assert data["relaxed"][-1]["factor"] == "unlimited"
    assert len(data["steps"]) == len(own.steps)
    assert {row["kind"] for row in data["stalls"]} == {
        kind for kind, spent in own.report.core_time_ns().items()
        if spent or own.dense.core_time_ns()[kind]
    }  # fmt: skip


def test_shares_of_stalls_are_those_of_the_run() -> None:
    own = found()
    assert sum(share for _, share, _, _ in own.stalls) == pytest.approx(1)
    assert sum(share for _, _, share, _ in own.stalls) == pytest.approx(1)
    for *_, names in own.stalls:
        assert set(names) <= set(own.resources)


def test_the_verdict_comes_first() -> None:
    own = found()
    first, second, *_ = own.sentences()
    best = max(
        (own.by_factor(name)[2.0] for name in own.moving if own.resources[name].role != "whole"),
        key=own.gain,
    )
    assert first.startswith(f"net under 1:8 on tiny is limited by the {best.resource}: ")
    assert f"gives {own.gain(best):.2f}x" in first
    assert second.startswith("Dense is limited by the ")


def slower(own: Limits, name: str, dense: bool = False) -> Limits:
    """The same, where twice as much of a resource is slower by a tenth."""

    def changed(one: Relaxed) -> Relaxed:
        if one.resource != name or one.factor != 2:
            return one
        if dense:
            own_ps, dense_ps = own.time_ps, own.time_of_dense_ps * 11 // 10
            return replace(one, time_ps=own_ps, time_of_dense_ps=dense_ps)
        return replace(one, time_ps=own.time_ps * 11 // 10)

    return replace(own, relaxed=tuple(map(changed, own.relaxed)))


def test_what_makes_it_slower_is_shown() -> None:
    text = " ".join(slower(found(), "DRAM").sentences())
    assert "With twice the DRAM 1:8 gets slower (0.91x)" in text
    text = " ".join(slower(found(), "DRAM latency").sentences())
    assert "With half the DRAM latency 1:8 gets slower (0.91x)" in text
    assert "Such anomalies" in text
    own = slower(found(), "DRAM")
    total = replace(own.report.total, throttled=True)
    text = " ".join(replace(own, report=replace(own.report, total=total)).sentences())
    assert "(0.91x): what limits the clock then lowers it further." in text


def test_a_ratio_that_rises_since_dense_gets_slower_is_told() -> None:
    own = slower(found(), "DRAM", dense=True)
    (text,) = (one for one in own.sentences() if one.startswith("Mind the ratio"))
    now = own.time_of_dense_ps / own.time_ps
    assert "with twice the DRAM the speed-up over dense rises" in text
    assert f"from {now:.2f}x to {now * 1.1:.2f}x" in text
    assert "dense gets slower (0.91x)" in text


def test_bound_and_core_time_are_told_apart_only_where_they_differ() -> None:
    machine = tiny(core__scratchpad__bytes_per_cycle=16)
    same = limits(machine, DIVISIBLE, "1:8")
    assert max(same.report.core_time_ns(), key=same.report.core_time_ns().get) == "scratchpad_stall"
    assert same.report.total.bound == "scratchpad"
    assert not [one for one in same.sentences() if one.startswith("By share of time")]
    few = limits(load_hardware(machine, {"core.count": 64}), DIVISIBLE, "1:8")
    (text,) = (one for one in few.sentences() if one.startswith("By share of time"))
    assert "1:8 is bound by scratchpad (100%" in text
    assert "core-time is idle (75%" in text


def test_dense_alone_and_patterns_that_run_dense_are_said_to_be_one() -> None:
    assert not any("Dense is" in one or "are one" in one for one in even("1:1").sentences())
    layer = Workload("w", [Gemm("g", m=32, n=32, k=64)])
    lacking = limits(tiny(sparsity__largest_group=0), layer, "1:8")
    assert "1:8 and dense are one here: both run the same." in [*lacking.sentences()]
    traced = limits(tiny(), layer, "trace")
    assert next(iter(traced.sentences())).startswith("w as the trace says on tiny")


def test_streams_alone() -> None:
    streams = Workload("s", [Stream("norm", reads=40000, writes=40000, op="softmax")])
    own = limits(contended(), streams, "1:8")
    assert own.time_ps == own.time_of_dense_ps
    assert next(iter(own.sentences())).startswith("s under 1:8 on tiny is limited by the ")
    assert "vector unit" not in own.resources


def test_layers_that_stay_dense_do_so_on_every_machine() -> None:
    own = limits(LIMITED, NETWORK, "1:8", dense="fc|head")
    assert own.report.total.time_ps == own.dense.total.time_ps
    assert all(one.time_ps == one.time_of_dense_ps for one in own.relaxed)


def test_other_factors() -> None:
    own = limits(LIMITED, DIVISIBLE, "1:8", factors=[4, 1.5])
    assert own.factors == (1.5, 4)
    (elastic,) = (one for one in own.elasticities if one.resource == "clock")
    assert elastic.of_pattern == pytest.approx(
        log(own.gain(own.by_factor("clock")[1.5])) / log(1.5)
    )
    text = " ".join(own.sentences())
    assert "4 times as much gives" in text or "1/4 of it gives" in text
    assert "More of the whole chip: 4 times the " in text


def test_what_cannot_be_scaled_is_left_out() -> None:
    """A machine of as many cores as there can be, whose vectors are hardly narrowed by 1.25."""
    machine = tiny(core__count=4096, core__port_bytes_per_cycle=4)
    own = limits(machine, Workload("w", [Gemm("g", m=32, n=32, k=100)]), "1:1", factors=[1.25])
    assert not own.by_factor("cores")
    assert set(own.by_factor("alignment")) == {inf}
    assert "cores" not in [*own.moving, *own.unmoving]
    assert "alignment" in own.moving
    assert {"cores", "alignment"}.isdisjoint(one.resource for one in own.elasticities)
    assert "With everything but the cores, clock and MACs unlimited" in " ".join(own.sentences())
    assert json.loads(own.to_json())["relaxed"]
    assert [*limits_parts(own, "nmsim")]


@pytest.mark.parametrize("factor", [1, 0.5, inf, float("nan")])
def test_factors_are_above_one(factor: float) -> None:
    with pytest.raises(ConfigError, match="factors: want numbers above 1"):
        limits(LIMITED, DIVISIBLE, "1:8", factors=[factor])
    with pytest.raises(ConfigError, match="factors: name at least one"):
        limits(LIMITED, DIVISIBLE, "1:8", factors=[])


def test_bad_input_is_that_of_a_run() -> None:
    with pytest.raises(ConfigError, match="no such library"):
        limits(LIMITED, DIVISIBLE, "1:8", library="owm")
    with pytest.raises(WorkloadError, match="finds no layer"):
        limits(LIMITED, DIVISIBLE, "1:8", dense="nothing")
    with pytest.raises(ConfigError, match="accuracy: want 'exact' or 'sampled'"):
        limits(LIMITED, DIVISIBLE, "1:8", accuracy="rough")
    with pytest.raises(MappingError, match="too large for the memory"):
        limits(tiny(memory__dram__bytes=1000), DIVISIBLE, "1:8")


def test_a_lower_clock_is_told() -> None:
    energy = {
        "mac_pj": {"fp16": 1.0}, "register_file_pj_per_byte": 0, "scratchpad_pj_per_byte": 0,
        "l2_pj_per_byte": 0, "dram_pj_per_byte": 0, "tdp_w": 0.1,
    }  # fmt: skip
    machine = tiny(energy=energy, core__count=4, core__port_bytes_per_cycle=64)
    own = limits(machine, DIVISIBLE, "1:1")
    assert own.ideal.total.throttled
    text = " ".join(own.sentences())
    assert "Power or load lowers the clock in 1 of 1 layer, and in 1 where nothing else" in text


def test_samples_say_how_far_off_they_may_be() -> None:
    own = found()
    total = replace(own.report.total, time_error_ratio=0.02)
    sampled = replace(own, report=replace(own.report, total=total))
    assert [*sampled.sentences()][-1].startswith("Sampled: times may be off by 2.0 %")
    assert not any(one.startswith("Sampled") for one in own.sentences())


def test_progress_ends_where_it_said() -> None:
    found()
    assert [done for done, *_ in SEEN] == sorted(done for done, *_ in SEEN)
    assert all(done <= planned for done, planned, _ in SEEN)


def test_a_speedup_to_ask_for_lies_between_now_and_the_ideal() -> None:
    own = found()
    asked = next_speedup(own)
    assert asked is not None
    assert own.time_of_dense_ps / own.time_ps < asked
    assert asked < own.time_of_dense_ps / own.ideal.total.time_ps
    assert next_speedup(replace(own, ideal=own.report)) is None


def test_the_picture_is_drawn_the_same_twice(tmp_path: Path) -> None:
    own = found()
    for name in ("a.svg", "b.svg"):
        save(own.plot(), tmp_path / name)
    first = (tmp_path / "a.svg").read_text()
    assert first == (tmp_path / "b.svg").read_text()
    for text in ("scratchpad rate", "computing alone", "What limits net on tiny", "dense"):
        assert text in first


def test_names_are_text_in_a_notebook() -> None:
    odd = replace(found(), report=replace(found().report, workload="<b>net"))
    assert "&lt;b&gt;net" in odd._repr_html_()
