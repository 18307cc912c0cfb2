"""Does the work on a layer stay within few bytes a weight, beyond what it reads and returns?"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from simulator.sparsity import Pattern
from simulator.weights import kernels
from simulator.weights.compliance import check_compliance
from simulator.weights.compress import compress
from simulator.weights.files import Tensor
from simulator.weights.masks import (
    kept_energy,
    magnitude_mask,
    random_mask,
    random_unstructured_mask,
    unstructured_mask,
)

SHAPE = (4000, 5000)
WEIGHTS = SHAPE[0] * SHAPE[1]
BYTES_A_WEIGHT = 2
PATTERN = Pattern(2, 4)


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[:, ::4] = mask[:, 1::4] = 1
    return mask


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(-9, 10, SHAPE, dtype=np.int8)


def beyond_result(call: Callable[[], object]) -> int:
    """Peak bytes of a call, without those of an array that it returns."""
    call()  # compiles
    tracemalloc.start()
    try:
        result = call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return peak - (result.nbytes if isinstance(result, np.ndarray) else 0)


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("odd", [0, 1])
def test_counts_of_bytes_and_bits(mask: np.ndarray, lanes: int, odd: int) -> None:
    part = mask[:, odd:]
    packed, k = np.packbits(part, axis=1), part.shape[1]
    for call in (
        lambda: kernels.stage_slots(part, 4, lanes, 16),
        lambda: kernels.stage_slots(packed, 4, lanes, 16, k),
        lambda: kernels.broken_groups(part, 2, 4),
        lambda: check_compliance(part, PATTERN),
    ):
        assert beyond_result(call) < BYTES_A_WEIGHT * WEIGHTS // 4
    slots = beyond_result(lambda: (kernels.lane_slots(part, 2, lanes), None))  # its result counts
    assert slots < BYTES_A_WEIGHT * WEIGHTS


@pytest.mark.slow
def test_masks(weights: np.ndarray) -> None:
    for call in (
        lambda: magnitude_mask(weights, PATTERN),
        lambda: random_mask(SHAPE, PATTERN, 0),
        lambda: unstructured_mask(weights, 0.5),
        lambda: random_unstructured_mask(SHAPE, 0.5, 0),
    ):
        assert beyond_result(call) < BYTES_A_WEIGHT * WEIGHTS


@pytest.mark.slow
def test_compression_and_what_is_kept(mask: np.ndarray, weights: np.ndarray) -> None:
    pruned = weights * mask.view(np.int8)
    for call in (
        lambda: compress(weights, PATTERN, "int8", mask=mask),
        lambda: compress(pruned, PATTERN, "int8"),
        lambda: kept_energy(weights, mask),
    ):
        assert beyond_result(call) < BYTES_A_WEIGHT * WEIGHTS


def test_numbers_of_bf16() -> None:
    raw = Tensor("w", "bf16", np.full(SHAPE, 0x3F80, dtype=np.uint16))
    assert beyond_result(raw.values) < BYTES_A_WEIGHT * WEIGHTS
