"""Is the front what no other beats, are ties ties, and does the sentence say what follows?"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured_rows import LAYERS, MODEL, pruned_rows, row, store_of, trained_rows

from simulator import Conv, Gemm, Workload
from simulator.errors import SimulatorError
from simulator.hardware import load_hardware
from simulator.quality.measured import Figure, Measured
from simulator.tradeoff.front import BEATEN, FRONT, LIKE, TIE, Point, points_of
from simulator.tradeoff.groups import Measurements
from simulator.tradeoff.join import Clock
from simulator.tradeoff.measure import Asked, trade_off
from simulator.tradeoff.verdict import NOT_WORTH, OPEN, RATE, WORTH, sentences, verdict
from simulator.workload.trace_writer import write_trace

METHODS = ("a", "b", "c", "d", "e", "f")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(load_hardware("nm-edge"))


def stood(*figures: tuple[float, float, float]) -> list[Point]:
    """Points of (time, value, standard error): the first is dense."""
    (_, value, error), *others = figures
    rows = [row("dense", "1:1", value, error)]
    rows += [row(m, "2:4", v, e) for m, (_, v, e) in zip(METHODS, others, strict=False)]
    return points_of(Measurements.of(rows, None, "q"), [time for time, _, _ in figures])


def test_the_front_is_what_no_other_beats() -> None:
    points = stood((10, 0.9, 0), (8, 0.8, 0), (9, 0.7, 0), (8, 0.85, 0), (5, 0.1, 0))
    assert [p.standing for p in points] == [FRONT, BEATEN, BEATEN, FRONT, FRONT]


def test_who_is_beaten_within_the_error_ties() -> None:
    points = stood((10, 0.90, 0.01), (8, 0.91, 0.01), (8, 0.60, 0.01))
    assert [p.standing for p in points] == [TIE, FRONT, BEATEN]
    assert points[0].ties == ("2:4 a",)
    assert points[2].ties == ()


def test_equal_points_both_stay() -> None:
    points = stood((10, 0.9, 0), (8, 0.8, 0), (8, 0.8, 0))
    assert [p.standing for p in points] == [FRONT, FRONT, FRONT]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=2, max_size=7))
def test_the_front_agrees_with_comparing_all_pairs(drawn: list[tuple[int, int]]) -> None:
    points = stood(*((float(time), value / 10, 0.0) for time, value in drawn))
    pairs = [(p.time_ns, p.figure.value) for p in points]
    for point in points:
        mine = (point.time_ns, point.figure.value)
        beaten = any(t <= mine[0] and v >= mine[1] and (t, v) != mine for t, v in pairs)
        assert (point.standing == FRONT) == (not beaten)


@pytest.mark.parametrize(
    ("speedup", "cost", "error", "said"),
    [
        (1.5, 0.01, 0.001, WORTH),  # 1 % of 1.0 for 50 %
        (1.05, 0.009, 0.0015, NOT_WORTH),  # 0.9 % for 5 %: 0.5 % would be
        (1.05, 0.009, 0.003, OPEN),
        (1.5, 0.0, 0.05, OPEN),  # nothing that shows, but nothing is known either
        (1.01, -0.1, 0.0, NOT_WORTH),  # no faster
        (0.9, 0.0, 0.0, NOT_WORTH),
    ],
)
def test_what_is_worth_it(speedup: float, cost: float, error: float, said: str) -> None:
    dense, point = stood((10, 1.0, 0), (5, 0.9, 0))
    point = replace(point, speedup=speedup, cost=Figure(cost, error, False))
    assert verdict(point, dense, RATE) == said


def test_sentences_tell_the_front_alone(clock: Clock) -> None:
    found = list(trade_off(pruned_rows(), clock, MODEL).sentences())
    assert found == [
        "3:4 by sparsegpt costs no accuracy that shows (0.1 points ±0.6) and gains 22%: "
        "worth it on nm-edge.",
        "2:4 by sparsegpt costs 2.0 points of accuracy (±0.7) and gains 84%: worth it on nm-edge.",
        "1:4 by sparsegpt costs 89.0 points of accuracy (±4.0) and gains 179%: not worth it on "
        "nm-edge, where that gain may cost 17.7 points.",
        "2 others are beaten: something no slower is better.",
    ]


def test_what_gains_nothing_is_not_worth_it() -> None:
    points = stood((10, 0.9, 0.001), (9.9, 0.85, 0.001))
    (said,) = sentences(points, points[0], "accuracy", "m", RATE)
    assert said == (
        "2:4 by a costs 5.0 points of accuracy (±0.3) and gains 1.0%: not worth it on m, since "
        "less than 2 % is not enough."
    )


def test_what_the_error_leaves_open_is_not_decided() -> None:
    points = stood((10, 0.9, 0.001), (9, 0.89, 0.003))
    (said,) = sentences(points, points[0], "accuracy", "m", RATE)
    assert said == (
        "2:4 by a costs 1.0 points of accuracy (±0.6) and gains 11%: undecided on m, where that "
        "gain may cost 1.0 points."
    )


def test_a_machine_on_which_nothing_pays_says_so() -> None:
    points = stood((10, 0.9, 0), (10, 0.8, 0))
    said = list(sentences(points, points[0], "accuracy", "m", RATE))
    assert said[0] == "Nothing measured is faster or better than dense on m."
    assert said[1] == "1 other is beaten: something no slower is better."


def test_losses_are_no_points(clock: Clock) -> None:
    asked = Asked(figure="loss")
    said = next(iter(trade_off(pruned_rows(), clock, MODEL, asked).sentences()))
    assert said.startswith("3:4 by sparsegpt costs no loss that shows (0.001 ±0.0057)")


def test_smaller_networks_stand_on_the_same_front(clock: Clock) -> None:
    result = trade_off(trained_rows(), clock)
    names = {point.name: point for point in result.points}
    assert names["2:4 finetune"].standing == BEATEN
    small = names["2:4 channels(keep=0.5)"]
    assert small.standing == FRONT
    assert small.speedup > names["2:4 rewind"].speedup > 1


def test_fewer_channels_without_a_pattern_are_told_too(clock: Clock) -> None:
    small = Workload("cnn", [Gemm("fc", m=64, n=512, k=256), Gemm("head", m=16, n=512, k=64)])
    rows = [*trained_rows(), *(
        row("channels(keep=0.25)", "1:1", 0.795 + 0.03 * seed, seed=seed, network=small)
        for seed in range(3)
    )]  # fmt: skip
    result = trade_off(rows, clock)
    assert result.dense.name == "dense"
    assert any(said.startswith("1:1 by channels(keep=0.25)") for said in result.sentences())


def test_many_sentences_are_cut() -> None:
    points = stood(*((10 - n, 0.9 - 0.01 * n, 0.0) for n in range(7)))
    points = [replace(point, pattern=f"{n}:16") for n, point in enumerate(points)]
    points.append(replace(points[-1], pattern="7:16"))
    said = list(sentences(points, points[0], "accuracy", "m", RATE))
    assert said[-1] == "1 more that gain more are in the table."


def test_what_stays_dense_bounds_the_gain(clock: Clock) -> None:
    model = Workload("net", [*MODEL.layers, Conv("deep", 64, 64, 56, 56, kernel=5, groups=32)])
    said = list(trade_off(pruned_rows(), clock, model).sentences())
    assert re.fullmatch(
        r"The layers that are pruned take [0-9]+% of the dense network's time on nm-edge: "
        r"no pattern can save more\.",
        said[-1],
    )
    assert not any("layers" in one for one in trade_off(pruned_rows(), clock, MODEL).sentences())


def test_hollow_points_take_part_in_nothing(clock: Clock) -> None:
    wide = Workload("wide", [Gemm(name, 1024, 512, 1024) for name in LAYERS])
    alone, both = (trade_off(pruned_rows(), clock, MODEL, like=like) for like in (None, wide))
    assert both.points == alone.points
    assert list(both.sentences()) == list(alone.sentences())
    assert [point.name for point in both.like] == [
        f"{pattern} sparsegpt" for pattern in ("3:4", "2:4", "1:4")
    ]
    assert {point.standing for point in both.like} == {LIKE}
    hollow = [record for record in both.records() if record["standing"] == LIKE]
    assert {record["network"] for record in hollow} == {"wide"}
    assert all(record["verdict"] == "" for record in hollow)


def test_what_a_wider_network_cannot_be_is_left_out(clock: Clock) -> None:
    wide = Workload("wide", [Gemm("fc", 512, 512, 512), Gemm("head", 16, 512, 512)])
    found = trade_off(trained_rows(), clock, like=wide)
    assert [point.method for point in found.like] == ["rewind"]  # not the one of fewer channels
    other = Workload("wide", [Gemm("other", 512, 512, 512)])
    with pytest.raises(SimulatorError, match="no layer is named as in the rows"):
        trade_off(trained_rows(), clock, like=other)


def test_a_model_that_is_not_needed_is_refused(clock: Clock) -> None:
    with pytest.raises(SimulatorError, match="net: is not needed: every row brings its trace"):
        trade_off(trained_rows(), clock, MODEL)


def test_names_do_for_files(tmp_path: Path) -> None:
    store = store_of(tmp_path / "q.sqlite", pruned_rows())
    (tmp_path / "net.csv").write_text(write_trace(MODEL))
    found = trade_off(store, "nm-edge", tmp_path / "net.csv")
    assert found == trade_off(pruned_rows(), "nm-edge", MODEL)
    store_of(store, [replace(pruned_rows()[0], task="digits", key=b"k" * 32)])
    with pytest.raises(SimulatorError, match=r"q\.sqlite: holds 2 tasks"):
        trade_off(store, "nm-edge", MODEL)


def test_one_seed_is_enough(clock: Clock) -> None:
    rows: list[Measured] = trained_rows(seeds=(0,))
    assert trade_off(rows, clock).dense.figure.error == 0
