"""How fast are the loops over masks, against reading the same bytes once?

`make bench` prints each kernel's share of the plain read: medians of runs that take turns. The
shares of packed bits are of the packed bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest

from simulator.sparsity import Pattern
from simulator.weights import kernels
from simulator.weights.compress import compress
from simulator.weights.masks import random_mask

ROWS, K, LANES, DEPTH, RUNS = 4096, 65536, 8, 16, 9


def mask_of(group: int) -> np.ndarray:
    """256 MiB, beyond any cache."""
    part = random_mask((64, K), Pattern(group // 2, group), 0).view(np.uint8)
    return np.tile(part, (ROWS // 64, 1))


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


@pytest.mark.parametrize("group", [2, 4, 8, 16])
@pytest.mark.parametrize("stored", ["bytes", "bits"])
@pytest.mark.parametrize("kernel", ["lane_slots", "stage_slots", "compliance"])
def test_share_of_a_plain_read(benchmark: object, kernel: str, stored: str, group: int) -> None:
    mask, k = mask_of(group), None
    if stored == "bits":
        mask, k = np.packbits(mask, axis=1), K
    calls: dict[str, Callable[[], object]] = {
        "lane_slots": lambda: kernels.lane_slots(mask, group, LANES, k),
        "stage_slots": lambda: kernels.stage_slots(mask, group, LANES, DEPTH, k),
        "compliance": lambda: kernels.broken_groups(mask, group // 2, group, k),
    }
    report(benchmark, f"{kernel} of {stored}, group {group}", calls[kernel], mask)


@pytest.mark.parametrize("group", [2, 4, 8, 16])
def test_share_of_a_plain_read_of_compression(benchmark: object, group: int) -> None:
    """int8 weights and their mask are read, slots and metadata written."""
    mask = mask_of(group)[: ROWS // 8]
    weights, pattern = mask.view(np.int8), Pattern(group // 2, group)
    both = np.stack([mask, mask])  # as many bytes as are read

    def call() -> None:
        compress(weights, pattern, "int8", mask=mask)

    report(benchmark, f"compression of int8, group {group}", call, both)


def report(benchmark: object, what: str, call: Callable[[], object], read: np.ndarray) -> None:
    call()
    pairs = [(seconds(read.view(np.uint64).sum), seconds(call)) for _ in range(RUNS)]
    plain, taken = (median(times) for times in zip(*pairs, strict=True))
    benchmark.pedantic(call, rounds=1)  # type: ignore[attr-defined]
    speeds = f"{read.nbytes / taken / 1e9:.1f} of {read.nbytes / plain / 1e9:.1f} GB/s"
    print(f"\n{what}: {plain / taken:.0%} of a plain read, {speeds}")
