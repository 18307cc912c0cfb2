"""Sampled accuracy against exact, on a few of the layers that `make held-out` draws."""

from __future__ import annotations

import pytest
from held_out import compare
from sampled_cases import case_of

SEED, MOST_STAGES = 2026, 4_000_000


@pytest.mark.parametrize("number", range(12))
def test_a_sample_is_within_its_estimate(number: int) -> None:
    row = compare(case_of(SEED, number, MOST_STAGES))
    assert abs(row.time_error) <= min(0.01, row.time_bound)
    assert abs(row.dram_error) <= min(0.15, row.dram_bound)
    assert row.same_mapping
