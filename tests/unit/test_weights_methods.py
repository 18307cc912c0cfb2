"""Do magnitude, Wanda and SparseGPT prune as they are defined, and refuse what they cannot use?"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from simulator.errors import WeightsError
from simulator.sparsity import Pattern, Unstructured
from simulator.weights import sparsegpt
from simulator.weights.compliance import check_compliance
from simulator.weights.layout import channel_rows, from_matrix, to_matrix
from simulator.weights.masks import magnitude_mask
from simulator.weights.methods import (
    METHODS,
    method_named,
    prune_rows,
    reconstruction_error,
)
from tests.naive_pruning import gram_of, groups_of, lost, masks_of, optimum, sparsegpt_row

PATTERNS = ["1:2", "2:4", "3:4", "1:4", "4:8", "8:16", "1:16", "5:7", "4:4"]


def case(seed: int, rows: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, k)), gram_of(rng, k)


# Against definitions


@pytest.mark.parametrize("block", [1, 12, 128])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_sparsegpt_is_what_inverses_anew_give(
    pattern: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks narrower than a group, of some groups, and one for all; a ragged last group."""
    monkeypatch.setattr(sparsegpt, "BLOCK_COLUMNS", block)
    monkeypatch.setattr(sparsegpt, "LEAF", 4)
    rows, gram = case(3, 5, 37)
    pruned = prune_rows(rows, pattern, "sparsegpt", gram, 0.02)
    expected = [sparsegpt_row(row, Pattern.parse(pattern), gram, 0.02) for row in rows]
    np.testing.assert_allclose(pruned, expected, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("k", [16, 37, 3])
def test_groups_keep_exactly_what_they_may(method: str, pattern: str, k: int) -> None:
    rows, gram = case(k, 9, k)
    asked = Pattern.parse(pattern)
    pruned = prune_rows(rows.astype(np.float32), pattern, method, gram)
    assert pruned.dtype == np.float32
    assert check_compliance(pruned, asked).complies
    assert np.count_nonzero(pruned) == len(rows) * asked.useful_slots(k)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("density", ["0.5", "0.3", "0.07", "1"])
def test_zeros_anywhere_keep_the_exact_count(
    method: str, density: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparsegpt, "BLOCK_COLUMNS", 10)
    rows, gram = case(1, 7, 37)
    pruned = prune_rows(rows, f"unstructured:{density}", method, gram)
    assert np.count_nonzero(pruned) == math.floor(Fraction(density) * rows.size + Fraction(1, 2))
    if method == "sparsegpt":
        for end in (10, 20, 30):
            share = math.floor(Fraction(density) * end * len(rows) + Fraction(1, 2))
            assert np.count_nonzero(pruned[:, :end]) == share


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pattern", ["2:4", "4:4", "unstructured:0.5", "unstructured:1"])
def test_weights_given_stay_as_they_are(method: str, pattern: str) -> None:
    rows, gram = case(1, 4, 8)
    before = rows.copy(), gram.copy()
    pruned = prune_rows(rows, pattern, method, gram)
    assert not np.shares_memory(pruned, rows)
    np.testing.assert_array_equal(rows, before[0])
    np.testing.assert_array_equal(gram, before[1])


def test_reconstruction_error_is_that_of_the_outputs() -> None:
    rng = np.random.default_rng(0)
    rows, inputs = rng.standard_normal((6, 12)), rng.standard_normal((12, 40))
    pruned = prune_rows(rows, "2:4", "sparsegpt", inputs @ inputs.T)
    change, outputs = (rows - pruned) @ inputs, rows @ inputs
    expected = np.sum(change**2) / np.sum(outputs**2)
    assert reconstruction_error(rows, pruned, inputs @ inputs.T) == pytest.approx(expected)
    nothing = np.zeros((2, 3))
    assert reconstruction_error(nothing, nothing, np.eye(3)) == 0
    assert reconstruction_error(nothing, nothing + 1, np.eye(3)) == math.inf
    with pytest.raises(WeightsError, match="shapes do not belong together"):
        reconstruction_error(rows, pruned, np.eye(3))


# Against the optimum, found by enumeration


@pytest.mark.parametrize(
    ("pattern", "factor"), [("2:4", 2.5), ("1:4", 6), ("3:4", 3), ("4:8", 6), ("4:5", 2)]
)
def test_no_method_beats_the_optimum_of_all_masks(pattern: str, factor: float) -> None:
    """Compensated weights against masks with least squares, others against masks alone.

    Over all rows SparseGPT loses less than ``factor`` times the optimum, on inputs as correlated
    as here and with only eight of them: the last weights have none left to make up for them."""
    sums = dict.fromkeys(["optimum", "sparsegpt", "wanda", "magnitude"], 0.0)
    asked = Pattern.parse(pattern)
    for seed in range(40):
        (row,), gram = case(seed, 1, 8)
        best = optimum(row, asked, gram, compensate=True)
        best_mask = optimum(row, asked, gram, compensate=False)
        total = row @ gram @ row
        sums["optimum"] += best / total
        for method in METHODS:
            (pruned,) = prune_rows(row[None], asked, method, gram, damping=0)
            found = (row - pruned) @ gram @ (row - pruned)
            assert found >= (best if method == "sparsegpt" else best_mask) * (1 - 1e-9)
            sums[method] += found / total
    assert sums["sparsegpt"] < factor * sums["optimum"]
    assert sums["sparsegpt"] < sums["wanda"] < sums["magnitude"]


@pytest.mark.parametrize("pattern", ["2:4", "1:4", "3:4", "3:8", "2:5"])
@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
def test_inputs_that_are_not_correlated_make_it_easy(pattern: str, method: str) -> None:
    """A diagonal Gram matrix: the loss is a sum over weights, and nothing can be compensated."""
    rng = np.random.default_rng(7)
    rows, gram = rng.standard_normal((20, 8)), np.diag(rng.uniform(0.1, 10, 8))
    pruned = prune_rows(rows, pattern, method, gram, damping=0)
    for row, left in zip(rows, pruned, strict=True):
        best = optimum(row, Pattern.parse(pattern), gram, compensate=True)
        assert (row - left) @ gram @ (row - left) == pytest.approx(best, rel=1e-12)
        np.testing.assert_array_equal(left[left != 0], row[left != 0])


@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
def test_zeros_anywhere_are_placed_over_all_rows(method: str) -> None:
    """The optimum of inputs that are not correlated keeps the costliest weights, wherever."""
    rng = np.random.default_rng(9)
    rows, inputs = rng.standard_normal((6, 8)) * rng.uniform(0.1, 3, (6, 1)), rng.uniform(1, 9, 8)
    pruned = prune_rows(rows, "unstructured:0.25", method, np.diag(inputs), damping=0)
    costs = rows**2 * inputs
    expected = np.where(costs >= np.sort(costs, axis=None)[-12], rows, 0)
    np.testing.assert_array_equal(pruned, expected)


@pytest.mark.parametrize("method", METHODS)
def test_of_equal_inputs_the_largest_weights_are_best(method: str) -> None:
    rows = np.random.default_rng(8).standard_normal((20, 8))
    pruned = prune_rows(rows, "2:4", method, 3 * np.eye(8))
    np.testing.assert_array_equal(pruned, np.where(magnitude_mask(rows, "2:4"), rows, 0))
    for row, left in zip(rows, pruned, strict=True):
        best = optimum(row, Pattern(2, 4), np.eye(8), compensate=True)
        assert np.sum((row - left) ** 2) == pytest.approx(best, rel=1e-12)


def test_without_compensation_wanda_is_no_optimum_of_correlated_inputs() -> None:
    """So the enumeration above can tell: some mask loses less than Wanda's."""
    (row,), gram = case(0, 1, 8)
    (pruned,) = prune_rows(row[None], "2:4", "wanda", gram)
    found = lost(row, pruned != 0, gram, compensate=False)
    assert sum(1 for _ in masks_of(8, Pattern(2, 4))) == 36
    assert optimum(row, Pattern(2, 4), gram, compensate=False) < found


# Convolutions


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("channels", "pattern"), [(8, "2:4"), (6, "2:4"), (7, "3:5"), (3, "1:4")])
def test_groups_of_a_convolution_stay_within_a_kernel_position(
    method: str, channels: int, pattern: str
) -> None:
    """Rows are (out, kernel_h * kernel_w * channels), channels fastest; groups start anew at every
    kernel position, as those of `channel_rows`, and of `to_matrix` with its padding."""
    rng = np.random.default_rng(channels)
    kernel = rng.standard_normal((5, channels, 3, 2))
    k, asked = channels * 6, Pattern.parse(pattern)
    gram, rows = gram_of(rng, k), to_matrix(kernel)
    np.testing.assert_array_equal(rows.reshape(-1, channels), channel_rows(kernel))
    pruned = prune_rows(rows, pattern, method, gram, run=channels)
    for group in groups_of(k, asked, channels):
        kept = np.count_nonzero(pruned[:, list(group)], axis=1)
        assert (kept == min(asked.keep, len(group))).all()
    back = from_matrix(pruned, kernel.shape)
    assert check_compliance(channel_rows(back), asked).complies
    assert check_compliance(to_matrix(back, asked.group), asked).complies
    if method == "magnitude":
        rows_of_channels = channel_rows(kernel)
        kept_of_channels = magnitude_mask(rows_of_channels, asked)
        np.testing.assert_array_equal(channel_rows(back) != 0, kept_of_channels)
    if method == "sparsegpt":
        expected = [sparsegpt_row(row, asked, gram, 0.01, channels) for row in rows]
        np.testing.assert_allclose(pruned, expected, atol=1e-9)


# Inputs that say nothing


@pytest.mark.parametrize("damping", [0, 0.01])
@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
def test_weights_of_dead_inputs_go_first_the_smallest_of_them_before(
    method: str, damping: float
) -> None:
    """Each row of the Gram matrix but two of eight is zero."""
    gram = np.zeros((8, 8))
    gram[np.ix_([2, 3], [2, 3])] = [[2.0, 1.0], [1.0, 2.0]]
    rows = np.array([[9.0, 8.0, 0.1, 0.2, 1.0, -4.0, 3.0, 2.0]])
    pruned = prune_rows(rows, "2:4", method, gram, damping)
    np.testing.assert_allclose(pruned, [[0, 0, 0.1, 0.2, 0, -4, 3, 0]], atol=1e-12)
    three = prune_rows(rows, "3:4", method, gram, damping)
    np.testing.assert_allclose(three, [[9, 0, 0.1, 0.2, 0, -4, 3, 2]], atol=1e-12)


def test_fewer_samples_than_inputs_need_damping() -> None:
    rng = np.random.default_rng(2)
    inputs, rows = rng.standard_normal((16, 5)), rng.standard_normal((4, 16))
    gram = inputs @ inputs.T
    errors = {}
    for method in METHODS:
        pruned = prune_rows(rows, "2:4", method, gram, 1e-4)
        errors[method] = reconstruction_error(rows, pruned, gram)
    assert errors["sparsegpt"] < errors["wanda"] / 10  # eight weights a row for five samples
    with pytest.raises(WeightsError, match=r"weights: gram: is singular .*raise --damping"):
        prune_rows(rows, "2:4", "sparsegpt", gram, 0)


# Bad input


NOT_DEFINITE = np.array([[1.0, 1, -1, 0], [1, 1, 1, 0], [-1, 1, 1, 0], [0, 0, 0, 1]])
ODD = np.eye(4) + np.triu(np.full((4, 4), 0.1), 1)


def with_entry(value: float) -> np.ndarray:
    gram = np.eye(4)
    gram[1, 1] = value
    return gram


@pytest.mark.parametrize("method", ["wanda", "sparsegpt"])
@pytest.mark.parametrize(
    ("gram", "says"),
    [
        (None, "needs the inputs' Gram matrix"),
        (np.eye(5), r"another shape, want \(4, 4\), got \(5, 5\)"),
        (np.ones(4), r"another shape, want \(4, 4\), got \(4,\)"),
        (with_entry(math.nan), "NaN or infinite"),
        (with_entry(-math.inf), "NaN or infinite"),
        (with_entry(-1), "not positive semi-definite"),
        (NOT_DEFINITE, "not positive semi-definite"),
        (ODD, "not symmetric"),
        (np.zeros((4, 4)), "is all zeros"),
    ],
)
def test_bad_gram_matrices_are_one_line(method: str, gram: Any, says: str) -> None:
    rows = np.ones((2, 4))
    with pytest.raises(WeightsError, match=f"layer fc: gram: .*{says}") as caught:
        prune_rows(rows, "2:4", method, gram, where="layer fc")
    assert "\n" not in str(caught.value)
    assert np.count_nonzero(prune_rows(rows, "2:4", gram=gram)) == 4  # magnitude does not look


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"damping": -0.1}, "damping: not a share"),
        ({"damping": math.nan}, "damping: not a share"),
        ({"damping": "0.1"}, "damping: not a share"),
        ({"method": "wonda"}, "--method: no such method, got 'wonda' .did you mean 'wanda'"),
        ({"rows": np.ones(4)}, "weights: not rows of weights"),
        ({"rows": np.ones((2, 4), np.int8)}, "weights: not rows of weights"),
        ({"rows": np.full((2, 4), math.nan)}, "weights: has weights that are not finite"),
        ({"run": 3}, "weights: not whole runs, want a divisor of 4, got 3"),
        ({"run": 0}, "weights: not whole runs"),
    ],
)
def test_bad_arguments_are_one_line(changes: dict[str, Any], says: str) -> None:
    given = {"rows": np.ones((2, 4)), "pattern": "2:4", "method": "sparsegpt", "gram": np.eye(4)}
    with pytest.raises(WeightsError, match=f"^{says}"):
        prune_rows(**{**given, **changes})


def test_sums_in_single_precision_are_symmetric_and_definite_enough() -> None:
    inputs = np.random.default_rng(0).standard_normal((32, 20)).astype(np.float32) + 5
    gram = inputs @ inputs.T
    gram[0, 1] += np.float32(1e-6) * gram[0, 1]
    rows = np.random.default_rng(1).standard_normal((4, 32)).astype(np.float32)
    for method in METHODS:
        assert check_compliance(prune_rows(rows, "2:4", method, gram), "2:4").complies


def test_names() -> None:
    assert [method_named(name).needs_gram for name in METHODS] == [False, True, True]
    assert list(METHODS) == ["magnitude", "wanda", "sparsegpt"]
    half = prune_rows(np.ones((2, 4)), Unstructured(Fraction(1, 2)))
    assert half.tolist() == [[1, 1, 1, 1], [0, 0, 0, 0]]
