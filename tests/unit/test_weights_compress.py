"""Do compressed weights come back exactly, and take the room that the pattern says?"""

from __future__ import annotations

import dataclasses
import itertools
from typing import get_args

import numpy as np
import pytest

from simulator.errors import WeightsError
from simulator.sparsity import MetadataCode, Pattern
from simulator.weights import masks
from simulator.weights.compress import STORED, compress, decompress
from simulator.weights.masks import random_mask

PATTERNS = [Pattern(keep, group) for group in range(1, 17) for keep in range(1, group + 1)]


def weights_of(pattern: Pattern, dtype: str, rows: int, k: int, seed: int = 0) -> np.ndarray:
    """Random weights that follow the pattern; about a quarter of them zero besides."""
    rng = np.random.default_rng(seed)
    kept = random_mask((rows, k), pattern, seed) & (rng.random((rows, k)) < 0.75)
    if dtype in ("fp32", "fp16"):
        dense = rng.standard_normal((rows, k)).astype(STORED[dtype])
    elif dtype == "bf16":
        dense = rng.integers(1, 0x7F80, (rows, k)).astype(np.uint16)
    else:
        low = -8 if dtype == "int4" else -128
        dense = rng.integers(low, -low, (rows, k)).astype(np.int8)
    return np.where(kept, dense, dense.dtype.type(0))


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("code", get_args(MetadataCode))
def test_every_pattern_comes_back_in_every_format(dtype: str, code: MetadataCode) -> None:
    for pattern in PATTERNS:
        weights = weights_of(pattern, dtype, rows=5, k=3 * pattern.group + pattern.group // 2 + 1)
        packed = compress(weights, pattern, dtype, code)
        back = decompress(packed)
        assert back.dtype == weights.dtype
        assert np.array_equal(back, weights), pattern
        k = weights.shape[1]
        slots = pattern.slots(k)
        assert packed.values.shape == (5, -(-slots // 2) if dtype == "int4" else slots)
        bits = 5 * pattern.stored_metadata_bits(k, code)
        assert packed.metadata.nbytes == -(-bits // 8)


@pytest.mark.parametrize("code", get_args(MetadataCode))
@pytest.mark.parametrize("dtype", ["bf16", "int4"])
def test_blocks_of_rows_continue_the_stream(
    dtype: str, code: MetadataCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = weights_of(Pattern(2, 5), dtype, rows=13, k=17)
    whole = compress(weights, Pattern(2, 5), dtype, code)
    monkeypatch.setattr(masks, "BLOCK_WEIGHTS", 40)
    blocks = compress(weights, Pattern(2, 5), dtype, code)
    assert np.array_equal(blocks.values, whole.values)
    assert np.array_equal(blocks.metadata, whole.metadata)
    weights[11, 5:8] = 1
    for mask in (None, weights != 0):
        with pytest.raises(WeightsError, match="row 11, group 1: breaks 2:5"):
            compress(weights, Pattern(2, 5), dtype, code, mask)


def test_the_number_of_a_mask_counts_all_masks() -> None:
    """Colexicographic order, from 0 to C(5, 3) - 1, against itertools."""
    pattern = Pattern(3, 5)
    masks = sorted(itertools.combinations(range(5), 3), key=lambda places: places[::-1])
    for number, places in enumerate(masks):
        weights = np.zeros((1, 5), dtype=np.float32)
        weights[0, list(places)] = 1.0
        assert compress(weights, pattern, code="enumerative").metadata.tolist() == [number]


def test_index_metadata_of_a_known_row() -> None:
    weights = np.array([[0, 5, 0, 6, 7, 0, 0, 0]], dtype=np.int8)
    packed = compress(weights, Pattern(2, 4), "int8")
    assert packed.values.tolist() == [[5, 6, 7, 0]]
    assert packed.metadata.tolist() == [1 | 3 << 2 | 0 << 4 | 1 << 6]
    halves = compress(weights, Pattern(2, 4), "int4")
    assert halves.values.tolist() == [[5 | 6 << 4, 7]]


def test_large_groups_have_an_index_code() -> None:
    pattern = Pattern(100, 1000)
    weights = weights_of(pattern, "fp32", 2, 2500)
    assert np.array_equal(decompress(compress(weights, pattern)), weights)
    with pytest.raises(WeightsError, match="too many masks"):
        compress(weights, pattern, code="enumerative")


def test_a_mask_may_keep_zeros() -> None:
    weights = np.zeros((1, 4), dtype=np.float32)
    packed = compress(weights, Pattern(1, 4), mask=np.array([[False, False, True, False]]))
    assert packed.metadata.tolist() == [2]
    minus = compress(np.array([[-0.0, 1, 2, -0.0]], np.float32), Pattern(2, 4))
    assert decompress(minus).tolist() == [[0, 1, 2, 0]]


def test_what_cannot_be_compressed_says_why() -> None:
    full = np.ones((2, 8), dtype=np.float32)
    full[0, 1::2] = full[1, 1:3] = 0
    with pytest.raises(WeightsError, match=r"row 1, group 1: breaks 2:4, .*got 4"):
        compress(full, Pattern(2, 4))
    with pytest.raises(WeightsError, match="not fp16, want float16"):
        compress(full, Pattern(2, 4), "fp16")
    with pytest.raises(WeightsError, match="cannot be stored"):
        compress(full, Pattern(2, 4), "fp8")
    with pytest.raises(WeightsError, match="not int4, want -8 to 7"):
        compress(np.full((1, 4), 9, np.int8), Pattern(2, 4), "int4")
    with pytest.raises(WeightsError, match="another shape"):
        compress(full, Pattern(2, 4), mask=full[:1] != 0)


def test_metadata_that_no_mask_has_is_refused() -> None:
    weights = np.array([[1, 0, 0, 2]], dtype=np.int8)
    for code, byte in (("index", 0b0000), ("index", 0b0011), ("enumerative", 7)):
        packed = compress(weights, Pattern(2, 4), "int8", code)
        bad = dataclasses.replace(packed, metadata=np.array([byte], dtype=np.uint8))
        with pytest.raises(WeightsError, match="row 0, group 0: no mask"):
            decompress(bad)
    packed = compress(weights, Pattern(2, 4), "int8")
    with pytest.raises(WeightsError, match="wrong size"):
        decompress(dataclasses.replace(packed, metadata=np.zeros(2, np.uint8)))
    with pytest.raises(WeightsError, match="wrong size"):
        decompress(dataclasses.replace(packed, k=5))
    with pytest.raises(WeightsError, match="no mask"):
        decompress(dataclasses.replace(packed, k=3))
