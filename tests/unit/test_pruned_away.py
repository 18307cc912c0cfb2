"""Which layers stay dense, which weights has a pattern, and does a report say what was pruned?"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from simulator import Conv, Gemm, Matmul, Report, Stream, Workload, compare, simulate
from simulator.cli.tables import comparison_parts, render
from simulator.errors import ConfigError, SimulatorError, WeightsError, WorkloadError
from simulator.run.asked import staying_dense, weights_by_pattern
from simulator.sparsity import Pattern, parse_asked
from simulator.weights.masks import magnitude_mask

MACHINE = "nm-flex"
NETWORK = Workload(
    "net",
    [
        Conv("stem", in_channels=16, out_channels=32, in_h=8, in_w=8, kernel=3),
        Gemm("block.fc1", m=64, n=32, k=64, pattern="2:4"),
        Gemm("block.fc2", m=64, n=32, k=64, repeat=3),
        Matmul("block.scores", m=32, n=32, k=64),
        Stream("norm", reads=64, writes=64),
        Gemm("head", m=16, n=32, k=64, pattern="1:4"),
    ],
)


def random(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def as_pruned(rows: Any, pattern: str) -> Any:
    return np.where(magnitude_mask(rows, pattern), rows, 0.0)


def asked(report: Report) -> dict[str, str]:
    return {layer.name: layer.asked for layer in report.layers}


# Layers that stay dense


def test_layers_that_are_found_stay_dense_under_a_pattern_and_under_the_trace() -> None:
    bearing = {"stem": "1:8", "block.fc1": "1:8", "block.fc2": "1:8", "head": "1:8"}
    report = simulate(MACHINE, NETWORK, "1:8", dense="^stem|head")
    assert asked(report).items() >= (bearing | {"stem": "1:1", "head": "1:1"}).items()
    assert "2 of 4 layers stay dense: stem, head" in report.notes
    traced = simulate(MACHINE, NETWORK, "trace", dense="head")
    assert (asked(traced)["block.fc1"], asked(traced)["head"]) == ("2:4", "1:1")
    plain = simulate(MACHINE, NETWORK, "1:8")
    assert not any("stay dense" in note for note in plain.notes)
    for index in (0, 5):
        dense = simulate(MACHINE, NETWORK, "1:1").layers[index]
        assert report.layers[index] == dense
    assert report.layers[1:5] == plain.layers[1:5]


def test_a_comparison_keeps_them_dense_and_its_density_knows() -> None:
    comparison = compare(MACHINE, NETWORK, ["1:1", "2:4"], dense="stem|fc2|head")
    macs = {layer.name: layer.macs * layer.repeat for layer in NETWORK.layers}
    whole = sum(macs[name] for name in ("stem", "block.fc1", "block.fc2", "head"))
    bound = whole / (whole - macs["block.fc1"] / 2)
    assert comparison.density_speedup(comparison.reports[1]) == pytest.approx(bound)
    all_of_them = compare(MACHINE, NETWORK, ["1:1", "2:4"])
    assert all_of_them.density_speedup(all_of_them.reports[1]) == 2
    nothing = compare(MACHINE, NETWORK, ["1:1", "2:4"], dense="")
    assert nothing.speedup(nothing.reports[1]) == 1


@pytest.mark.parametrize(
    ("dense", "says"),
    [
        (
            "tail",
            "dense: finds no layer that has weights, got 'tail' (such as stem, block.fc1, head)",
        ),
        ("scores|norm", "dense: finds no layer that has weights, got 'scores|norm' (such"),
        ("(", "dense: not a regular expression: "),
    ],
)  # fmt: skip
def test_an_expression_that_chooses_nothing_is_refused(dense: str, says: str) -> None:
    for run in (simulate, compare):
        with pytest.raises(WorkloadError) as raised:
            run(MACHINE, NETWORK, dense=dense)
        assert str(raised.value).startswith(says)
    empty = Workload("moves", [Stream("norm", reads=64, writes=64)])
    with pytest.raises(WorkloadError, match=r"got 'fc'$"):
        staying_dense(empty, "fc")


# What was pruned


def test_pruned_weights_are_counted_by_layer_and_in_all() -> None:
    fc1, fc2 = random(64, 64), as_pruned(random(64, 64), "2:4")
    fc1[:, ::2] = 0  # two of four are zero, but not of every eight
    weights = {"block.fc1": fc1, "block.fc2": fc2}
    comparison = compare(MACHINE, NETWORK, ["1:1", "2:4", "1:4"], weights=weights)
    counted = [
        {x.name: (x.nonzeros, x.pruned_away) for x in report.layers}
        for report in comparison.reports
    ]
    half, quarter = 64 * 64 // 2, 64 * 64 // 4
    assert counted[0] == counted[1]
    assert counted[0] == {
        "stem": (None, None), "block.fc1": (half, 0), "block.fc2": (half, 0),
        "block.scores": (None, None), "norm": (None, None), "head": (None, None),
    }  # fmt: skip
    assert counted[2]["block.fc1"] == counted[2]["block.fc2"] == (quarter, quarter)
    total = comparison.reports[2].total  # the second block occurs three times
    assert (total.nonzeros, total.pruned_away) == (4 * quarter, 4 * quarter)
    assert total.pruned_ratio == 0.5
    data = json.loads(comparison.to_json())
    assert [part["total"]["pruned_away"] for part in data] == [0, 0, 4 * quarter]
    frame = comparison.to_frame()
    assert frame[frame.name == "block.fc1"].pruned_away.tolist() == [0, 0, quarter]
    assert frame[frame.name == "stem"].pruned_away.isna().all()
    assert "pruned_away" in comparison.reports[2].to_csv()


def test_a_comparison_says_what_it_pruned_and_that_it_pruned_nothing() -> None:
    """A network that was trained to 2:4 is not timed at 1:4 in silence."""
    weights = {"block.fc1": as_pruned(random(64, 64), "2:4"), "stem": random(32, 16, 3, 3)}
    comparison = compare(MACHINE, NETWORK, ["1:1", "2:4", "1:4"], weights=weights, dense="stem")
    said = [note for note in comparison.notes() if "pruned" in note]
    gone = 64 * 64 // 4 / (64 * 64 // 2 + 32 * 16 * 9)
    assert said == [
        "2:4: none of the weights was pruned, they run as they are",
        f"1:4: {100 * gone:.1f} % of the non-zero weights were pruned just now, by magnitude, "
        "in 1 of 2 layers",
    ]  # fmt: skip
    text = render(comparison_parts(comparison))
    assert "pruned now" in text
    assert f"{100 * gone:.1f} %" in text.split("1:4", 2)[-1]
    plain = compare(MACHINE, NETWORK, ["1:1", "2:4"])
    assert not any("pruned" in note for note in plain.notes())
    assert "pruned now" not in render(comparison_parts(plain))


@pytest.mark.parametrize("pattern", ["1:8", "unstructured:0.25"])
def test_whatever_pattern_the_sum_is_that_of_the_weights(pattern: str) -> None:
    weights = {"block.fc1": random(64, 64), "stem": random(32, 16, 3, 3), "head": random(16, 64)}
    (report,) = compare(MACHINE, NETWORK, [pattern], weights=weights).reports
    found = {layer.name: layer for layer in report.layers}
    for name, tensor in weights.items():
        kept, gone = found[name].nonzeros, found[name].pruned_away
        assert kept is not None
        assert gone is not None
        assert kept + gone == tensor.size
        assert kept == tensor.size * parse_asked(pattern).density  # type: ignore[union-attr]  # a text is no pattern of one kind
    held = simulate(MACHINE, NETWORK, "unstructured:0.25", weights=weights)
    assert (held.total.nonzeros, held.total.pruned_away) == (9728, 0)


def test_layers_without_a_whole_group_are_not_pruned() -> None:
    """They run dense, and stay dense where networks are pruned, too."""
    stem = Conv("stem", in_channels=3, out_channels=32, in_h=8, in_w=8, kernel=3)
    net = Workload("net", [stem, Gemm("fc", m=64, n=32, k=64)])
    weights = {"stem": random(32, 3, 3, 3), "fc": random(64, 64)}
    (report,) = compare(MACHINE, net, ["2:4"], weights=weights).reports
    first, second = report.layers
    assert (first.nonzeros, first.pruned_away) == (32 * 3 * 9, 0)
    assert (second.nonzeros, second.pruned_away) == (64 * 32, 64 * 32)


# Weights of their own


def test_every_pattern_is_timed_with_its_own_weights() -> None:
    halves, eighths = ({"block.fc1": as_pruned(random(64, 64), p)} for p in ("2:4", "1:8"))
    comparison = compare(
        MACHINE, NETWORK, ["1:1", "2:4", "1:8"], weights={" 2:4": halves, Pattern(1, 8): eighths}
    )
    totals = [report.total for report in comparison.reports]
    assert [total.nonzeros for total in totals] == [None, 64 * 32, 64 * 8]
    assert [total.pruned_away for total in totals] == [None, 0, 0]
    notes = list(comparison.notes())
    assert "1:8: none of the weights was pruned, they run as they are" in notes
    assert any(note.startswith("2:4: real weights for 1 of 4 layers") for note in notes)


@pytest.mark.parametrize(
    ("weights", "error", "says"),
    [
        ({"1:4": {}}, WeightsError,
         "weights: are of a pattern that is not compared, want 1:1, 2:4, trace, got '1:4'"),
        ({"2:4": {}, " 2:4": {}}, WeightsError, "weights: are given twice, want 1:1, 2:4, "),
        ({"fc": {}}, ConfigError, "weights: not a pattern"),
    ],
)  # fmt: skip
def test_weights_of_no_pattern_are_refused(
    weights: Any, error: type[SimulatorError], says: str
) -> None:
    patterns = [Pattern(1, 1), Pattern(2, 4), None]
    with pytest.raises(error) as raised:
        weights_by_pattern(weights, patterns)
    assert str(raised.value).startswith(says)


def test_weights_for_all_patterns_are_as_they_were() -> None:
    patterns = [Pattern(2, 4), None]
    arrays = {"fc": np.ones((4, 4))}
    assert weights_by_pattern(arrays, patterns) == [arrays, arrays]
    assert weights_by_pattern(None, patterns) == [None, None]
    assert weights_by_pattern({"trace": arrays}, patterns) == [None, arrays]
