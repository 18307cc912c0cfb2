"""Does the page of a timeline show all of every core's time, and what it was spent on?"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from machines import MIXED, contended
from opened import NASTY, Opened

from simulator import Gemm, Report, Workload, simulate
from simulator.report.account import CORE_TIME
from simulator.timeline.replay import TileRange
from simulator.timeline.trace_file import Timeline

HARDWARE = contended()


def page_of(workload: Workload, tiles: TileRange | None = None) -> tuple[Report, Any]:
    timeline = Timeline(HARDWARE, f"{workload.name} here", len(workload.layers), tiles)
    report = simulate(HARDWARE, workload, "2:4", observe=timeline.add)
    return report, Opened(timeline.to_html()).data


def triples(flat: list[int]) -> list[list[int]]:
    return [flat[at : at + 3] for at in range(0, len(flat), 3)]


def test_parts_follow_each_other_until_the_layer_ends() -> None:
    report, page = page_of(MIXED)
    assert [layer["name"] for layer in page["layers"]] == [x.name for x in report.layers]
    for shown, layer in zip(page["layers"], report.layers, strict=True):
        assert shown["time_ns"] == pytest.approx(layer.time_ns, abs=1)
        assert [lane["core"] for lane in shown["lanes"]] == [0, 1, 2, 3]
        for lane in shown["lanes"]:
            parts = triples(lane["parts"])
            assert min(length for _, length, _ in parts) > 0
            for (start, length, _), (after, _, _) in itertools.pairwise(parts):
                assert start + length <= after + 1  # MACs of a stage are rounded once more
            last, length, _ = parts[-1]
            assert last + length == pytest.approx(shown["time_ns"], abs=1)


def test_kinds_are_those_of_the_account() -> None:
    report, page = page_of(MIXED)
    for shown, layer in zip(page["layers"], report.layers, strict=True):
        spent = dict.fromkeys(CORE_TIME, 0)
        parts = [part for lane in shown["lanes"] for part in triples(lane["parts"])]
        for _, length, kind in parts:
            spent[CORE_TIME[kind]] += length
        for kind, time_ps in layer.core_time_ps.undivided().items():
            name = "mac_useful" if kind == "mac" else kind
            assert spent[name] == pytest.approx(time_ps / 1000, abs=len(parts))


def test_tiles_asked_for_are_in_detail_and_others_not() -> None:
    workload = Workload("w", [Gemm("g", m=64, n=64, k=64)])
    _, page = page_of(workload, TileRange(5, 5))
    lanes = page["layers"][0]["lanes"]
    tiles = [tile for lane in lanes for _, _, tile in triples(lane["tiles"])]
    assert 5 in tiles
    assert -1 in {kind for lane in lanes for _, _, kind in triples(lane["parts"])}
    assert len(page["notes"]) == 1


def test_bandwidth_is_that_of_levels() -> None:
    _, page = page_of(MIXED)
    for layer in page["layers"]:
        assert set(layer["moved"]) == {"l2", "dram"}
        times = layer["moved"]["dram"][::3]
        assert times == sorted(times)
        assert max(layer["moved"]["dram"][1::3]) > 0


@pytest.mark.parametrize("name", NASTY)
def test_names_in_a_timeline_are_text(name: str) -> None:
    timeline = Timeline(HARDWARE, name, 1)
    simulate(HARDWARE, Workload(name, [Gemm(name, m=16, n=16, k=16)]), observe=timeline.add)
    page = Opened(timeline.to_html())
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert (page.data["title"], page.data["layers"][0]["name"]) == (name, name)
