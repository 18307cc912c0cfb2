"""Do the compiled loops over masks count what loops in Python count?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import WeightsError
from simulator.sparsity import Pattern
from simulator.weights import kernels
from simulator.weights.compliance import check_compliance, require_compliance

GROUPS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 40]


def naive_lane_slots(mask: np.ndarray, group: int, lanes: int) -> np.ndarray:
    """Block by block, group by group, row by row."""
    rows, k = mask.shape
    blocks = []
    for top in range(0, rows, lanes):
        counts = []
        for left in range(0, k, group):
            block_rows = range(top, min(rows, top + lanes))
            columns = range(left, min(k, left + group))
            counts.append(max(sum(int(mask[r, c]) for c in columns) for r in block_rows))
        blocks.append(counts)
    return np.array(blocks)


def naive_stage_slots(mask: np.ndarray, group: int, lanes: int, depth: int) -> np.ndarray:
    slots = naive_lane_slots(mask, group, lanes)
    stages = range(0, slots.shape[1], depth)
    return np.array([[sum(row[s : s + depth].tolist()) for s in stages] for row in slots])


def random_bytes(seed: int, rows: int, k: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((rows, k)) < rng.random()).astype(np.uint8)


cases = given(
    seed=st.integers(0, 2**31),
    rows=st.integers(1, 13),
    k=st.integers(1, 100),
    group=st.sampled_from(GROUPS),
    lanes=st.integers(1, 9),
    depth=st.integers(1, 7),
)


@settings(max_examples=150, deadline=None)
@cases
def test_byte_masks_count_as_the_oracle(
    seed: int, rows: int, k: int, group: int, lanes: int, depth: int
) -> None:
    mask = random_bytes(seed, rows, k)
    slots = kernels.lane_slots(mask, group, lanes)
    assert slots.dtype == np.uint8
    assert np.array_equal(slots, naive_lane_slots(mask, group, lanes))
    stages = kernels.stage_slots(mask, group, lanes, depth)
    assert stages.dtype == np.int64
    assert np.array_equal(stages, naive_stage_slots(mask, group, lanes, depth))


@settings(max_examples=100, deadline=None)
@cases
def test_packed_bits_count_as_bytes(
    seed: int, rows: int, k: int, group: int, lanes: int, depth: int
) -> None:
    mask = random_bytes(seed, rows, k)
    packed = np.packbits(mask, axis=1)
    expected = naive_lane_slots(mask, group, lanes)
    assert np.array_equal(kernels.lane_slots(packed, group, lanes, k), expected)
    stages = kernels.stage_slots(packed, group, lanes, depth, k)
    assert np.array_equal(stages, naive_stage_slots(mask, group, lanes, depth))


@settings(max_examples=100, deadline=None)
@cases
def test_compliance_finds_the_first_group_that_an_oracle_finds(
    seed: int, rows: int, k: int, group: int, lanes: int, depth: int
) -> None:
    mask = random_bytes(seed, rows, k)
    keep = min(group, (lanes + depth) // 2)
    counts = naive_lane_slots(mask, group, 1)
    places = np.argwhere(counts > keep)
    found = check_compliance(mask, Pattern(keep, group))
    assert (found.groups, found.broken) == (counts.size, len(places))
    assert found.complies == (not len(places))
    if len(places):
        row, index = places[0]
        assert (found.row, found.group, found.count) == (row, index, counts[row, index])
    assert check_compliance(mask.astype(bool), Pattern(keep, group)) == found
    assert check_compliance(mask * np.float32(-0.5), Pattern(keep, group)) == found


@pytest.mark.slow
@pytest.mark.parametrize("group", [4, 5, 8])
def test_masks_larger_than_a_tile_and_a_chunk(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "CHUNK_BYTES", 4096)
    mask = random_bytes(7, 21, 9 * kernels.TILE_GROUPS + 3)
    padded = np.pad(mask, ((0, 3), (0, -mask.shape[1] % group)))
    counts = padded.reshape(3, 8, -1, group).sum(axis=3).max(axis=1)
    assert np.array_equal(kernels.lane_slots(mask, group, 8), counts)
    sums = np.add.reduceat(counts, np.arange(0, counts.shape[1], 7), axis=1)
    assert np.array_equal(kernels.stage_slots(mask, group, 8, 7), sums)
    packed = np.packbits(mask, axis=1)
    assert np.array_equal(kernels.lane_slots(packed, group, 8, mask.shape[1]), counts)
    assert np.array_equal(kernels.stage_slots(packed, group, 8, 7, mask.shape[1]), sums)
    whole = np.ascontiguousarray(padded[:21])
    assert np.array_equal(kernels.lane_slots(whole, group, 8), counts)
    assert np.array_equal(kernels.stage_slots(whole, group, 8, 7), sums)
    rows = padded[:21].reshape(21, -1, group).sum(axis=2)
    assert check_compliance(mask, Pattern(2, group)).broken == np.count_nonzero(rows > 2)


@pytest.mark.parametrize("group", [256, 264, 300, 70_000])
def test_counts_of_groups_beyond_a_byte(group: int) -> None:
    mask = random_bytes(5, 7, 1003)
    mask[3] = 1
    slots = kernels.lane_slots(mask, group, 3)
    assert np.iinfo(slots.dtype).max >= group
    assert np.array_equal(slots, naive_lane_slots(mask, group, 3))
    assert np.array_equal(
        kernels.stage_slots(mask, group, 3, 2), naive_stage_slots(mask, group, 3, 2)
    )
    packed = np.packbits(mask, axis=1)
    assert np.array_equal(kernels.lane_slots(packed, group, 3, 1003), slots)
    assert kernels.broken_groups(mask, min(group, 1003) - 1, group, None).groups == int(
        (naive_lane_slots(mask, group, 1) >= min(group, 1003)).sum()
    )


@pytest.mark.parametrize("group", [2, 4, 5, 8, 16])
def test_compliance_of_packed_bits(group: int) -> None:
    mask = random_bytes(9, 21, 1001)
    packed = np.packbits(mask, axis=1)
    for keep in range(1, group):
        assert kernels.broken_groups(packed, keep, group, 1001) == kernels.broken_groups(
            mask, keep, group
        )


@pytest.mark.parametrize("group", [2, 4, 8, 16, 5])
def test_views_count_as_copies(group: int) -> None:
    every = random_bytes(3, 16, 161)
    for view in (every[:, 1:], every[::2, :80], every.T, every[:, ::-1]):
        expected = kernels.lane_slots(np.ascontiguousarray(view), group, 4)
        assert np.array_equal(kernels.lane_slots(view, group, 4), expected)


@pytest.mark.parametrize("group", GROUPS)
def test_a_mask_holds_zeros_and_ones(group: int) -> None:
    for row, column in ((0, 0), (6, 47), (3, 20)):
        mask = np.zeros((7, 48), dtype=np.uint8)
        mask[row, column] = 2
        for count in (
            lambda m: kernels.lane_slots(m, group, 5),
            lambda m: kernels.stage_slots(m, group, 5, 2),
            lambda m: kernels.broken_groups(m, 1, group),
        ):
            with pytest.raises(WeightsError, match="other than 0 and 1"):
                count(mask)


def test_what_is_no_mask_is_refused() -> None:
    for bad in (np.zeros(4, np.uint8), np.zeros((2, 2), np.int64), np.zeros((0, 4), np.uint8)):
        with pytest.raises(WeightsError, match="not a mask"):
            kernels.lane_slots(bad, 4, 1)
    good = np.zeros((2, 12), np.uint8)
    with pytest.raises(WeightsError, match="must be >= 1"):
        kernels.stage_slots(good, 4, 1, 0)
    with pytest.raises(WeightsError, match="wrong width, want 2 bytes a row"):
        kernels.lane_slots(good, 4, 1, 12)
    with pytest.raises(WeightsError, match="beyond the last weight"):
        kernels.lane_slots(np.ones((1, 2), np.uint8), 4, 1, 12)


def test_required_compliance_says_where_it_breaks() -> None:
    mask = np.zeros((3, 12), dtype=bool)
    mask[1, 4:7] = mask[2] = True
    with pytest.raises(WeightsError) as caught:
        require_compliance(mask, Pattern(2, 4), "fc1")
    assert str(caught.value) == (
        "layer fc1, row 1, group 1: breaks 2:4, want at most 2 non-zeros, got 3 (4 of 9 groups do)"
    )
    assert require_compliance(mask[:1], Pattern(2, 4), "fc1").complies
    with pytest.raises(WeightsError, match="not a matrix"):
        check_compliance(mask[0], Pattern(2, 4))
