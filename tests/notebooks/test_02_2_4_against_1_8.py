"""What `notebooks/02_2_4_against_1_8` shows, and what its prose says of it."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

from kept import carried, figures_of, rerun
from pictures import CORE_TIME

SPARSE = ["2:4", "1:4", "2:8", "1:8"]


def test_the_scratchpad_keeps_18_from_being_four_times_as_fast_as_24() -> None:
    found = rerun("02_2_4_against_1_8")
    the_scratchpad_binds(found)
    the_scratchpad_is_the_first_limit(found)
    more_of_several_resources_gets_there(found)
    gpt3_shows_the_same(found)
    a_larger_group_costs_metadata_alone(found)
    # The picture of README is of the same comparison.
    assert carried(CORE_TIME.read_bytes()) == figures_of(found.gpt3.plot_core_time())


def the_scratchpad_binds(found: SimpleNamespace) -> None:
    large = found.large
    assert large["bound"]["1:1"] == "mac"
    for pattern in SPARSE:
        assert large["bound"][pattern] == "scratchpad"
        assert large["scratchpad, %"][pattern] > 80
    of_density = large["speed-up"] / large["density"]
    assert of_density["2:4"] > 0.75
    assert of_density["1:8"] < 0.30
    gained = large["speed-up"]
    assert 1.25 < gained["1:8"] / gained["2:4"] < 1.4  # a third, where density would give 4


def the_scratchpad_is_the_first_limit(found: SimpleNamespace) -> None:
    limited = found.limited
    first = limited.steps[1]
    assert first.name == "scratchpad rate"
    assert limited.gain_of_dense(first) < 1.05  # it is not dense that gets slower
    assert limited.dense.total.time_ns / limited.ideal.total.time_ns > 7


def more_of_several_resources_gets_there(found: SimpleNamespace) -> None:
    half, eighth = found.needed["2:4"], found.needed["1:8"]
    assert list(half.to_frame().key) == ["core.scratchpad.bytes_per_cycle"]
    assert len(eighth.changes) > 2
    assert eighth.to_frame().key[0] == "core.scratchpad.bytes_per_cycle"
    assert half.price < eighth.price
    for needed in (half, eighth):
        assert needed.is_reached
        assert all(change.without < needed.speedup for change in needed.changes)


def gpt3_shows_the_same(found: SimpleNamespace) -> None:
    gpt3, gained = found.gpt3, found.fc1["speed-up"]
    block = {report.pattern: gpt3.speedup(report) for report in gpt3.reports}
    assert all(report.total.time_error_ratio < 0.02 for report in gpt3.reports)
    assert 1.6 < block["2:4"] < 1.65
    assert 1.85 < block["2:8"] < block["1:4"] < 1.95
    assert 2.2 < block["1:8"] < 2.3
    assert all(0.95 < block[pattern] / gained[pattern] < 1.01 for pattern in SPARSE)
    for report in gpt3.reports[1:]:
        weighted = [layer for layer in report.layers if layer.kind == "gemm"]
        assert len(weighted) == 4
        assert {layer.bound for layer in weighted} == {"scratchpad"}


def a_larger_group_costs_metadata_alone(found: SimpleNamespace) -> None:
    for chain in found.chains.values():
        for small, large in pairwise(chain):
            assert 0.96 < found.by_group[large] / found.by_group[small] < 1.005
