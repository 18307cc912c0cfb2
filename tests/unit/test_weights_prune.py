"""Do the tensors of a file take every method, whatever their format, layout and order?"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from simulator.errors import WeightsError
from simulator.sparsity import Pattern
from simulator.weights.compliance import check_compliance
from simulator.weights.files import Tensor
from simulator.weights.layout import channel_rows, to_matrix
from simulator.weights.masks import magnitude_mask
from simulator.weights.methods import METHODS, importance_of, prune_rows, reconstruction_error
from simulator.weights.permutation import search_permutation
from simulator.weights.prune import prune_tensors
from tests.naive_pruning import gram_of

RNG = np.random.default_rng(12)
LINEAR = RNG.standard_normal((16, 24)).astype(np.float32)
KERNEL = RNG.standard_normal((8, 6, 3, 2)).astype(np.float32)
GRAMS = {"fc": gram_of(RNG, 24), "conv": gram_of(RNG, 36)}
TENSORS = {"fc": Tensor("fc", "fp32", LINEAR), "conv": Tensor("conv", "fp32", KERNEL)}


@pytest.fixture(autouse=True)
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.weights.permutation.RESTARTS", 3)


@pytest.mark.parametrize("method", METHODS)
def test_tensors_are_pruned_as_their_rows(method: str) -> None:
    pruning = prune_tensors(TENSORS, "2:4", method=method, grams=GRAMS, damping=0.1)
    assert pruning.method == method
    for layer, values, run in zip(pruning.layers, (LINEAR, KERNEL), (24, 6), strict=True):
        rows, gram = to_matrix(values), GRAMS[layer.name]
        expected = prune_rows(rows, "2:4", method, gram, 0.1, run=run)
        found = pruning.tensors[layer.name].data
        assert found.shape == values.shape
        np.testing.assert_array_equal(to_matrix(found), expected)
        assert (
            layer.kept
            == np.count_nonzero(found)
            == rows.size // run * Pattern(2, 4).useful_slots(run)
        )
        assert layer.error == reconstruction_error(rows, expected, gram)
        kept = np.abs(rows, dtype=np.float64)[expected != 0].sum()
        assert layer.magnitude.pattern == pytest.approx(kept)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["fc", "conv"])
def test_inputs_in_another_order(method: str, name: str) -> None:
    """The Gram matrix moves with the inputs, in a convolution at every kernel position."""
    pruning = prune_tensors({name: TENSORS[name]}, "2:4", permute=True, method=method, grams=GRAMS)
    order, values = pruning.tensors[f"{name}.permutation"].data, TENSORS[name].data
    importance = channel_rows(values)
    if method != "magnitude":
        norms = np.sqrt(np.diag(GRAMS[name])).reshape(-1, values.shape[1])
        importance = (
            np.moveaxis(np.abs(values), 1, -1).reshape(len(values), *norms.shape) * norms
        ).reshape(-1, values.shape[1])
    np.testing.assert_array_equal(order, search_permutation(importance, "2:4").order)
    assert not np.array_equal(order, np.arange(len(order)))
    moved = values[:, order]
    positions = values[0, 0].size
    columns = np.concatenate([order + at * len(order) for at in range(positions)])
    gram = np.array([[GRAMS[name][a, b] for b in columns] for a in columns])
    expected = prune_rows(to_matrix(moved), "2:4", method, gram, run=len(order))
    np.testing.assert_array_equal(to_matrix(pruning.tensors[name].data), expected)
    (layer,) = pruning.layers
    assert layer.error == pytest.approx(reconstruction_error(to_matrix(moved), expected, gram))
    straight = prune_tensors({name: TENSORS[name]}, "2:4", method=method, grams=GRAMS)
    assert layer.error < straight.layers[0].error


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("permute", [False, True])
def test_matrices_stored_inputs_first(method: str, permute: bool) -> None:
    turned = {"fc": Tensor("fc", "fp32", np.ascontiguousarray(LINEAR.T))}
    options: dict[str, Any] = {"permute": permute, "method": method, "grams": GRAMS}
    found = prune_tensors(turned, "2:4", inputs_first="fc", **options)
    straight = prune_tensors({"fc": TENSORS["fc"]}, "2:4", **options)
    np.testing.assert_array_equal(found.tensors["fc"].data, straight.tensors["fc"].data.T)
    assert found.layers[0].error == pytest.approx(straight.layers[0].error)
    if permute:
        orders = [one.tensors["fc.permutation"].data for one in (found, straight)]
        np.testing.assert_array_equal(*orders)


def stored(dtype: str) -> Tensor:
    if dtype == "bf16":
        return Tensor("w", dtype, (LINEAR.view(np.uint32) >> 16).astype(np.uint16))
    if dtype == "int8":
        return Tensor("w", dtype, np.rint(LINEAR * 20).astype(np.int8))
    return Tensor("w", dtype, LINEAR.astype({"fp16": np.float16, "fp32": np.float32}[dtype]))


@pytest.mark.parametrize(
    ("dtype", "method"), list(product(["fp32", "fp16", "bf16", "int8"], METHODS))
)
def test_formats_hold_what_methods_make_of_weights(dtype: str, method: str) -> None:
    """Masks leave weights to the last bit; weights that make up for others are rounded."""
    tensor = stored(dtype)
    pruning = prune_tensors({"w": tensor}, "2:4", method=method, grams={"w": GRAMS["fc"]})
    found, before = pruning.tensors["w"], tensor.values()
    assert (found.dtype, found.data.dtype) == (dtype, tensor.data.dtype)
    assert check_compliance(found.data, "2:4").complies  # no -0.0 among bits of bf16
    assert pruning.layers[0].kept == np.count_nonzero(found.values())
    exact = prune_rows(before.astype(np.float32), "2:4", method, GRAMS["fc"])
    step = {"fp32": 0, "fp16": 2.0**-11, "bf16": 2.0**-8, "int8": 0.5}[dtype]
    room = step * (np.abs(exact) if dtype != "int8" else 1)
    assert (np.abs(found.values() - exact) <= room + 1e-6 * (dtype == "fp16")).all()
    if method != "sparsegpt":
        kept = found.values() != 0
        np.testing.assert_array_equal(found.data[kept], tensor.data[kept])


def test_numbers_too_large_for_a_format_are_one_line() -> None:
    tensor = Tensor("w", "fp16", np.ones((1, 2), np.float16))
    with pytest.raises(WeightsError, match="tensor w: has weights that are NaN or infinite"):
        tensor.with_values(np.array([[1e5, 1.0]]))
    assert stored("int8").with_values(np.full((1, 2), 200.0)).data.tolist() == [[127, 127]]


def test_zeros_anywhere() -> None:
    pruning = prune_tensors(TENSORS, "unstructured:0.25", method="sparsegpt", grams=GRAMS)
    assert [layer.kept for layer in pruning.layers] == [96, 72]
    by_magnitude = prune_tensors(TENSORS, "unstructured:0.25")
    assert [layer.kept for layer in by_magnitude.layers] == [96, 72]
    assert all(layer.error is None for layer in by_magnitude.layers)
    with pytest.raises(WeightsError, match="--permute: zeros anywhere need no order"):
        prune_tensors(TENSORS, "unstructured:0.25", permute=True)


@pytest.mark.parametrize("permute", [False, True])
@pytest.mark.parametrize(
    ("grams", "says"),
    [
        (None, "tensor fc: gram: sparsegpt needs the inputs' Gram matrix"),
        ({"fc": np.eye(24)}, "tensor conv: gram: sparsegpt needs"),
        ({"fc": np.eye(16)}, r"tensor fc: gram: another shape, want \(24, 24\), got \(16, 16\)"),
        ({"fc": np.zeros((24, 24))}, "tensor fc: gram: is all zeros"),
    ],
)
def test_gram_matrices_that_do_not_fit_are_one_line(grams: Any, says: str, permute: bool) -> None:
    with pytest.raises(WeightsError, match=says):
        prune_tensors(TENSORS, "2:4", permute=permute, method="sparsegpt", grams=grams)


def test_tensors_without_a_group_stay_dense_and_need_no_gram() -> None:
    pruning = prune_tensors({"conv": TENSORS["conv"]}, "2:8", method="wanda")
    assert pruning.layers[0].note == "stays dense: 6 inputs are less than a group"
    np.testing.assert_array_equal(pruning.tensors["conv"].data, KERNEL)
    with pytest.raises(WeightsError, match="--method: no such method"):
        prune_tensors(TENSORS, "2:4", method="obd")


def test_importance_is_what_the_method_ranks_by() -> None:
    """Up to a factor."""
    for method in ("wanda", "sparsegpt"):
        found = importance_of(LINEAR, method, GRAMS["fc"])
        ranked = np.abs(LINEAR) * np.sqrt(np.diag(GRAMS["fc"]))
        np.testing.assert_allclose(found / found.max(), ranked / ranked.max())
    assert np.array_equal(importance_of(LINEAR), np.abs(LINEAR))
    kept = prune_rows(LINEAR, "2:4", "wanda", GRAMS["fc"]) != 0
    np.testing.assert_array_equal(
        kept, magnitude_mask(importance_of(LINEAR, "wanda", GRAMS["fc"]), "2:4")
    )
