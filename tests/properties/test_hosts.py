"""Is a pattern as fast as every one that contains it and that the machine executes?"""

from __future__ import annotations

import random
from itertools import islice

import pytest

from tests.mapping.hosts import cases, slower

EQUAL_RATIO, SLIP_RATIO = 0.005, 0.1
"""What counts as equally fast, and how far a slip of the estimate may go. `make hosts` counts."""


@pytest.mark.parametrize("seed", [20, 21])
def test_a_pattern_takes_no_longer_than_one_that_contains_it(seed: int) -> None:
    found = filter(None, map(slower, cases(random.Random(seed))))
    ratios = [ratio for ratio, _ in islice(found, 60)]
    assert max(ratios) <= SLIP_RATIO
    assert sum(ratio > EQUAL_RATIO for ratio in ratios) <= 3
