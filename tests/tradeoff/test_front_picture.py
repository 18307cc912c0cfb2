"""Does the picture of a front show every point as what it is, in its place?"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from measured_rows import LAYERS, MODEL, pruned_rows

from simulator import Gemm, Workload
from simulator.errors import OutputError
from simulator.hardware import load_hardware
from simulator.pictures import Picture, new_picture, save
from simulator.pictures.fronts import COLOURS, SERIES, Mark, Words, front
from simulator.tradeoff.drawn import short_names
from simulator.tradeoff.join import Clock
from simulator.tradeoff.measure import Asked, trade_off
from simulator.tradeoff.per_layer import Budget

WORDS = Words("a title", "speed-up", "accuracy, %", "2 standard errors", "times of wide")
MARKS = [
    Mark("dense", "dense", 1.0, 0.990, 0.0, "dense"),
    Mark("3:4 a", "a", 1.2, 0.985, 0.004, "front"),
    Mark("2:4 a", "a", 1.8, 0.90, 0.01, "front"),
    Mark("2:4 b", "b", 1.7, 0.90, 0.02, "tie"),
    Mark("2:4 c", "c", 1.7, 0.10, 0.01, "beaten"),
    Mark("3:4 a", "a", 1.6, 0.985, 0.004, "like"),
    Mark("mixed a", "a", 1.5, 0.95, 0.0, "estimate"),
]


def drawn(marks: list[Mark], *, shares: bool = True) -> tuple[Picture, Axes]:
    picture = new_picture(8.6, 5.2)
    axes = front(picture, marks, WORDS, shares=shares)
    picture.draw_without_rendering()
    return picture, axes


def points_of(axes: Axes) -> list[Line2D]:
    """Markers of one point each, the caps of bars apart."""
    return [line for line in axes.lines if len(line.get_xdata()) == 1 and line.get_marker() != "_"]


def legend_of(picture: Picture) -> list[str]:
    return [text.get_text() for legend in picture.legends for text in legend.get_texts()]


def test_every_point_is_there_and_says_what_it_is() -> None:
    picture, axes = drawn(MARKS)
    found = [line for line in points_of(axes) if line.get_markersize() > 5]
    assert len(found) == len(MARKS)
    assert legend_of(picture) == [
        "a", "b", "c", "dense, the reference", "within its error of the front",
        "an estimate, not measured", "times of wide", "beaten, below the scale",
        "2 standard errors", "1  dense", "2  3:4 a", "3  2:4 a", "4  mixed a", "5  2:4 b",
    ]  # fmt: skip
    assert axes.get_xlabel() == "speed-up"
    assert axes.get_ylabel() == "accuracy, %"


def test_hollow_points_are_hollow_and_carry_no_number() -> None:
    _, axes = drawn(MARKS)
    hollow = [line for line in points_of(axes) if line.get_markerfacecolor() == "none"]
    assert [float(line.get_xdata()[0]) for line in hollow] == [1.6]
    assert {text.get_text() for text in axes.texts} == {"1", "2", "3", "4", "5"}


def test_the_front_alone_is_joined() -> None:
    marks = [replace(mark, is_joined=mark.standing == "front") for mark in MARKS]
    _, axes = drawn(marks)
    (line,) = [line for line in axes.lines if len(line.get_xdata()) > 1]
    assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == [(1.2, 0.985), (1.8, 0.9)]


def test_hundredths_do_not_fill_the_picture() -> None:
    _, axes = drawn([MARKS[0], replace(MARKS[1], speedup=1.004)])
    left, right = axes.get_xlim()
    assert right - left > 0.04


def test_what_is_far_below_lies_at_the_edge() -> None:
    _, axes = drawn(MARKS)
    low, high = axes.get_ylim()
    assert 0.1 < low < 0.88
    assert high < 1
    (below,) = [line for line in points_of(axes) if line.get_marker() == "v"]
    assert below.get_ydata()[0] == low


def test_what_is_beaten_by_little_has_its_place() -> None:
    near = Mark("2:4 c", "c", 1.7, 0.85, 0.01, "beaten")
    picture, axes = drawn([*MARKS, near])
    assert axes.get_ylim()[0] < 0.85
    assert "beaten" in legend_of(picture)


def test_shares_near_one_are_spread() -> None:
    _, axes = drawn(MARKS)
    places = axes.transData.transform([(1, v) for v in (0.90, 0.985, 0.99)])[:, 1]
    assert places[2] - places[1] > 0.15 * (places[1] - places[0])  # on a line it would be 0.06
    ticks = [label.get_text() for label in axes.get_yticklabels()]
    assert {"90", "95", "98", "99"} <= set(ticks)


def test_other_figures_have_a_plain_scale() -> None:
    marks = [Mark("dense", "d", 1, 2.0, 0, "dense"), Mark("2:4 a", "a", 2, 2.5, 0.1, "front")]
    _, axes = drawn(marks, shares=False)
    assert axes.get_yscale() == "linear"
    _, axes = drawn([Mark("dense", "d", 1, 0.5, 0, "dense")])  # a point alone
    assert axes.get_ylim()[0] < 0.5 < axes.get_ylim()[1]


def test_numbers_and_legend_keep_clear() -> None:
    many = [
        Mark(f"{n}:16 method", "m", 1 + 0.1 * n, 0.9 - 0.004 * n, 0.01, "front") for n in range(20)
    ]
    for marks in (MARKS, many):
        picture, axes = drawn(marks)
        (legend,) = picture.legends
        box = legend.get_window_extent()
        assert not box.overlaps(axes.bbox)
        assert box.x1 <= picture.bbox.x1 + 1
        numbers = [text.get_window_extent() for text in axes.texts]
        assert 0 < len(numbers) <= 12
        for one, other in itertools.combinations(numbers, 2):
            assert not one.overlaps(other)


def test_methods_look_apart() -> None:
    """The first by colour and marker each, further ones by both together."""
    first = SERIES[: len(COLOURS)]
    assert len({marker for _, marker in first}) == len(first)
    assert len(set(SERIES)) == len(SERIES) > 2 * len(first)
    for one, other in itertools.combinations(COLOURS, 2):
        assert np.linalg.norm(np.subtract(to_rgb(one), to_rgb(other))) > 0.12


def test_nothing_to_draw_is_one_line() -> None:
    for marks in ([], [Mark("dense", "d", 1, float("nan"), 0, "dense")]):
        with pytest.raises(OutputError, match="front: wants points of finite numbers"):
            front(new_picture(4, 4), marks, WORDS)


def test_a_tradeoff_draws_itself(tmp_path: Path) -> None:
    wide = Workload("wide", [Gemm(name, 1024, 512, 1024) for name in LAYERS])
    result = trade_off(
        pruned_rows(), Clock(load_hardware("nm-edge")), MODEL,
        Asked(budget=Budget("quality", 0.98)), like=wide,
    )  # fmt: skip
    picture = result.plot()
    assert picture.axes[0].get_title(loc="left") == "net on nm-edge: lines"
    assert picture.axes[0].get_ylabel() == "accuracy, %"
    assert {"1  dense", "5  mixed sparsegpt"} <= set(legend_of(picture))
    files = [tmp_path / f"{name}.svg" for name in "ab"]
    for file in files:
        save(result.plot(), file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_names_keep_only_parameters_that_tell_methods_apart() -> None:
    up, nearest = "iterative(ramp=0.9, round=up)", "iterative(ramp=0.9, round=nearest)"
    assert short_names([up, nearest, "channels(keep=0.5)", "rewind"]) == {
        up: "iterative(round=up)",
        nearest: "iterative(round=nearest)",
        "channels(keep=0.5)": "channels",
        "rewind": "rewind",
    }
