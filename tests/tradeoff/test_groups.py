"""Are rows grouped by what they are, and differences paired where seeds are shared?"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from measured_rows import DIGEST, pruned_rows, row, trained_rows

from simulator.errors import StoreError
from simulator.quality.measured import Figure
from simulator.tradeoff.groups import (
    Measurements,
    cost,
    dense_of,
    figure_name,
    grouped,
    is_within_error,
    select,
)


def test_seeds_are_one_group_with_mean_and_standard_error() -> None:
    groups = {group.name: group for group in grouped(trained_rows())}
    assert set(groups) == {"dense", "2:4 rewind", "2:4 finetune", "2:4 channels(keep=0.5)"}
    figure = groups["2:4 finetune"].figure("accuracy")
    assert figure.value == pytest.approx(0.78)
    assert figure.error == pytest.approx(0.03 / math.sqrt(3))
    assert groups["dense"].seeds == [0, 1, 2]


def test_a_single_row_keeps_the_error_of_its_evaluator() -> None:
    (group,) = grouped([row("sparsegpt", "2:4", 0.97, 0.003)])
    assert group.figure("accuracy") == Figure(0.97, 0.003)


def test_differences_of_shared_seeds_are_paired() -> None:
    groups = {group.name: group for group in grouped(trained_rows())}
    paired = cost(groups["dense"], groups["2:4 rewind"], "accuracy")
    # Three differences: 0.010, 0.011, 0.010. Unpaired, the error would be 0.024.
    assert paired.value == pytest.approx(0.031 / 3)
    assert paired.error == pytest.approx(math.sqrt(1e-6 / 3) / math.sqrt(3))
    assert not is_within_error(paired)


def test_differences_without_shared_seeds_are_not() -> None:
    dense, other = grouped([row("dense", "1:1", 0.9, 0.03), row("wanda", "2:4", 0.8, 0.04)])
    difference = cost(dense, other, "accuracy")
    assert (difference.value, difference.error) == pytest.approx((0.1, 0.05))
    assert is_within_error(difference)


def test_of_losses_more_is_worse() -> None:
    dense, other = grouped([row("dense", "1:1", 0.9), row("wanda", "2:4", 0.8)])
    assert cost(dense, other, "loss").value == pytest.approx(0.1)


def test_what_was_made_in_two_ways_is_two_groups() -> None:
    rows = [
        row("sparsegpt", "2:4", value, provenance={"calibration": name})
        for name, value in (("a", 0.9), ("b", 0.8))
    ]
    groups = grouped(rows)
    assert [group.name for group in groups] == ["2:4 sparsegpt", "2:4 sparsegpt (2)"]
    assert [group.figure("accuracy").value for group in groups] == [0.9, 0.8]


def test_mixes_of_other_layers_are_other_groups() -> None:
    rows = [row("sparsegpt", {name: "2:4", "third": "1:4"}, 0.9) for name in ("first", "second")]
    assert len(grouped(rows)) == 2


def test_rows_that_prune_one_layer_are_told_apart() -> None:
    alone, some = grouped(
        [
            row("sparsegpt", {"first": "2:4"}, 0.98, named="2:4"),
            row("sparsegpt", {"first": "2:4", "second": "2:4"}, 0.97, named="2:4"),
        ]
    )
    assert (alone.prunes_one, some.prunes_one) == (True, False)
    assert some.is_uniform


def test_dense_is_the_whole_network_that_prunes_nothing() -> None:
    rows = [row("dense", "1:1", 0.9), row("sparsegpt", "2:4", 0.8)]
    small = replace(rows[0], method="channels(keep=0.5)", weights=10, key=b"s" * 32)
    assert dense_of(grouped([small, *rows]), "q").method == "dense"
    with pytest.raises(StoreError, match="no row of the dense network"):
        dense_of(grouped(rows[1:]), "q.sqlite")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "digits"}, r"q: holds 2 tasks: digits, lines \(choose with --task\)"),
        ({"digest": "ab" * 32, "network": "b"}, r"q: holds 2 networks: b, net \(choose with"),
        ({"digest": "ab" * 32}, r"2 networks: net [0-9a-f]{12}, net [0-9a-f]{12} "),
    ],
)
def test_what_is_ambiguous_is_one_line(change: dict[str, str], words: str) -> None:
    rows = pruned_rows()
    with pytest.raises(StoreError, match=words):
        select([*rows, replace(rows[0], **change)], None, None, "q")


def test_networks_are_chosen_by_name_or_digest() -> None:
    rows = pruned_rows()
    other = replace(rows[0], digest="ab" * 32)
    assert select([*rows, other], "ab", None, "q") == [other]
    assert select([*rows, other], DIGEST, "lines", "q") == rows
    with pytest.raises(StoreError, match=r"--network: no row has it, got 'nett'.*'net'"):
        select(rows, "nett", None, "q")
    with pytest.raises(StoreError, match="q: has no rows"):
        select([], None, None, "q")


def test_the_first_figure_is_meant_unless_another_is_named() -> None:
    groups = grouped(pruned_rows())
    assert figure_name(groups, None) == "accuracy"
    assert figure_name(groups, "loss") == "loss"
    with pytest.raises(StoreError, match=r"no such figure.*did you mean 'accuracy'"):
        figure_name(groups, "acuracy")
    broken = grouped([*pruned_rows(), row("wanda", "2:4", math.nan)])
    with pytest.raises(StoreError, match=r"not a number in a row \(2:4 wanda\)"):
        figure_name(broken, None)


def test_one_layer_alone_is_no_network_of_the_front() -> None:
    rows = [*pruned_rows(), row("sparsegpt", {"first": "2:4"}, 0.98)]
    measured = Measurements.of(rows, None, "q")
    assert len(measured.networks) == len(rows) - 1
    assert measured.networks[0] is measured.dense
