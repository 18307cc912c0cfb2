"""What `notebooks/04_design_space` shows, and what its prose says of it."""

from __future__ import annotations

from types import SimpleNamespace

from kept import rerun


def test_18_has_a_knee_and_paths_have_to_grow_together() -> None:
    found = rerun("04_design_space")
    assert found.result.failed == 0
    the_fronts_are_as_told(found)
    a_larger_group_buys_time_where_paths_are_wide(found)
    l2_and_the_port_grow_together(found)


def the_fronts_are_as_told(found: SimpleNamespace) -> None:
    fronts = dict(list(found.front.groupby("pattern")))
    knee = found.smallest.T
    # Under 1:8 a machine of little more than half of the area is within 5 % of the fastest.
    assert knee["1:8"]["area, mm²"] < 0.6 * knee["1:8"]["area of the fastest, mm²"]
    assert knee["2:4"]["area, mm²"] > 0.8 * knee["2:4"]["area of the fastest, mm²"]
    assert knee["1:8"]["bound"] == "l2"
    small = fronts["1:8"][fronts["1:8"][found.CORES] == 48]
    assert small["time, ms"].min() < fronts["2:4"]["time, ms"].min()
    assert fronts["2:4"]["bound"].value_counts().idxmax() == "mac"
    fastest = fronts["1:8"]["time, ms"].min()
    assert knee["1:8"][found.CORES] == 64
    assert 1.7 < knee["1:8"]["area of the fastest, mm²"] / knee["1:8"]["area, mm²"] < 1.8
    assert 1.02 < knee["1:8"]["time, ms"] / fastest < 1.04
    # Machines with groups up to 4, which run 1:8 as 1:4, are worth it only at the small end.
    is_small_group = fronts["1:8"][found.GROUP] == 4
    areas = fronts["1:8"]["area, mm²"]
    assert areas[is_small_group].max() < areas[~is_small_group].min()
    # Energy follows time.
    alike = [rows for _, rows in found.frame.groupby(["pattern", "executed_as"]) if len(rows) > 9]
    assert len(alike) > 2
    assert all(rows["time, ms"].corr(rows["energy, mJ"]) > 0.8 for rows in alike)


def a_larger_group_buys_time_where_paths_are_wide(found: SimpleNamespace) -> None:
    narrow, wide = found.price.loc["as nm-flex"], found.price.loc["wide paths"]
    for machine in (narrow, wide):
        area, energy, time = machine["area, mm²"], machine["energy, mJ"], machine["time, ms"]
        assert 1.005 < area[8] / area[4] < 1.02
        assert 1.02 < area[16] / area[4] < 1.05
        assert energy[8] < 0.75 * energy[4]
        assert (energy[16], time[16]) == (energy[8], time[8])
    assert 1.1 < narrow["time, ms"][4] / narrow["time, ms"][8] < 1.25
    assert 1.25 < wide["time, ms"][4] / wide["time, ms"][8] < 1.5
    assert 1.1 < wide["area, mm²"][8] / narrow["area, mm²"][8] < 1.2


def l2_and_the_port_grow_together(found: SimpleNamespace) -> None:
    cells, dram_ms = found.cells, found.dram_ms
    assert cells.loc[128, 3855] / cells.loc[128, 7710] < 1.05
    assert cells.loc[384, 3855] / cells.loc[384, 7710] > 1.2
    assert cells.loc[128, 1928] / cells.loc[512, 1928] < 1.05
    assert cells.loc[128, 7710] / cells.loc[512, 7710] > 1.5
    twice = dram_ms.loc[2039e9] / dram_ms.loc[4078e9]
    half = dram_ms.loc[1019.5e9] / dram_ms.loc[2039e9]
    assert twice.between(0.999, 1.002).all()
    assert [round(100 * (ratio - 1)) for ratio in half] == [2, 6]
