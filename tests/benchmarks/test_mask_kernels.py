"""How fast are the loops over masks, against reading the same bytes once?

`make bench` prints each kernel's share of the plain read.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from simulator.sparsity import Pattern
from simulator.weights import kernels
from simulator.weights.masks import random_mask

ROWS, K, LANES, DEPTH = 4096, 65536, 8, 16


def mask_of(group: int) -> np.ndarray:
    """256 MiB, beyond any cache."""
    part = random_mask((64, K), Pattern(group // 2, group), 0).view(np.uint8)
    return np.tile(part, (ROWS // 64, 1))


def best_seconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("group", [2, 4, 8, 16])
@pytest.mark.parametrize("kernel", ["lane_slots", "stage_slots", "compliance", "lane_slots_packed"])
def test_share_of_a_plain_read(benchmark: object, kernel: str, group: int) -> None:
    mask = mask_of(group)
    packed = np.packbits(mask, axis=1) if kernel == "lane_slots_packed" else mask
    calls: dict[str, Callable[[], object]] = {
        "lane_slots": lambda: kernels.lane_slots(mask, group, LANES),
        "stage_slots": lambda: kernels.stage_slots(mask, group, LANES, DEPTH),
        "compliance": lambda: kernels.broken_groups(mask, group // 2, group),
        "lane_slots_packed": lambda: kernels.lane_slots_packed(packed, K, group, LANES),
    }
    call = calls[kernel]
    call()
    plain = best_seconds(lambda: packed.view(np.uint64).sum())
    taken = best_seconds(call)
    benchmark.pedantic(call, rounds=1)  # type: ignore[attr-defined]
    speeds = f"{packed.nbytes / taken / 1e9:.1f} of {packed.nbytes / plain / 1e9:.1f} GB/s"
    print(f"\n{kernel} group {group}: {plain / taken:.0%} of a plain read, {speeds}")
