"""Times of matrix products on your own GPU, as `nmsim calibrate` reads them.

    python measure_gemms.py -o measurements.csv

Needs torch and nothing else. The products are those of linear layers, ``x[n, k] @ w[m, k].T``, in
the sizes below: short ones, large ones, and ones with few columns; 2:4 where torch can. A few
minutes. See guides/measurements.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from math import ceil
from pathlib import Path
from statistics import median

import torch
from torch.nn.functional import linear

Call = Callable[[], object]
Clock = Callable[[Call], float]
"""Runs something, and returns how many microseconds that took."""

SHORT = [(256, 256, 256), (512, 512, 512), (1024, 512, 512), (512, 512, 2048), (1024, 1024, 1024)]
LARGE = [
    (2048, 2048, 2048), (2048, 4096, 1024), (4096, 2048, 4096), (4096, 4096, 4096),
    (3072, 4096, 9216), (8192, 4096, 4096), (8192, 8192, 8192), (12288, 2048, 4096),
]  # fmt: skip
FEW_COLUMNS = [
    (8192, 16, 8192), (16384, 16, 8192), (8192, 32, 16384), (16384, 16, 16384), (16384, 64, 16384),
]  # fmt: skip

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
PATTERNS = ("1:1", "2:4")
LAPS, WARM_LAPS, LAP_US, MOST_CALLS = 7, 2, 20_000, 200
AHEAD_CYCLES = 20_000_000


def cuda_us(run: Call) -> float:
    """Device time, by CUDA events.

    The device first sleeps for some ten milliseconds, in which the host launches all calls: short
    products then follow each other as fast as the device takes them, not as fast as Python does.
    """
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda._sleep(AHEAD_CYCLES)  # private, and what torch's own tests use
    start.record()
    run()
    end.record()
    end.synchronize()
    return 1e3 * float(start.elapsed_time(end))


def cpu_us(run: Call) -> float:
    """Wall-clock time: to try this file without a GPU."""
    start = time.perf_counter()
    run()
    return 1e6 * (time.perf_counter() - start)


def timed_us(calls: Sequence[Call], clock: Clock) -> float:
    """Median time of one call, after warm-up.

    Calls have operands of their own and take turns, so that each finds a cache that the others
    have filled.
    """
    turns = cycle(calls)

    def lap(count: int) -> float:
        chosen = list(islice(turns, count))
        return clock(lambda: [call() for call in chosen]) / count

    estimates = [lap(max(2, min(len(calls), MOST_CALLS))) for _ in range(WARM_LAPS)]
    count = min(MOST_CALLS, max(2, ceil(LAP_US / max(estimates[-1], 1e-3))))
    return median(lap(count) for _ in range(LAPS))


def pruned(weights: torch.Tensor) -> torch.Tensor:
    """The two largest of every four weights of a row; zeros else."""
    groups = weights.view(-1, 4)
    smallest = groups.abs().topk(2, dim=1, largest=False).indices
    return groups.scatter(1, smallest, 0).view_as(weights)


def products(
    size: tuple[int, int, int], dtype: torch.dtype, pattern: str, device: str, cold_bytes: int
) -> list[Call]:
    """Calls of one product, as many as it takes for their operands to exceed the cache."""
    m, n, k = size
    one = (m * k + k * n + m * n) * dtype.itemsize
    made: list[Call] = []
    for _ in range(max(2, ceil(cold_bytes / one))):
        x = torch.randn(n, k, dtype=dtype, device=device)
        w = torch.randn(m, k, dtype=dtype, device=device)
        if pattern == "2:4":
            w = torch.sparse.to_sparse_semi_structured(pruned(w))
        made.append(lambda x=x, w=w: linear(x, w))  # type: ignore[misc]  # bound now, not later
    return made


def runs_sparse(device: str) -> bool:
    """Whether torch has 2:4 kernels for this device."""
    if device != "cuda":
        return False
    return torch.cuda.get_device_capability() >= (8, 0) and torch.backends.cusparselt.is_available()


def cold_bytes_of(device: str) -> int:
    """Twice the second-level cache: what lies between two uses of an operand."""
    if device != "cuda":
        return 2 * 2**20
    found = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 0)
    return 2 * (found or 64 * 2**20)


def lines(
    sizes: Sequence[tuple[int, int, int]], dtype: str, patterns: Sequence[str], device: str
) -> Iterator[str]:
    """The file, line by line."""
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    yield f"# {name}, torch {torch.__version__}: device times, products in a row, cold L2"
    yield "m,n,k,dtype,pattern,time_us"
    clock, cold = (cuda_us if device == "cuda" else cpu_us), cold_bytes_of(device)
    for pattern in patterns:
        for size in sizes:
            if pattern == "2:4" and (min(size) < 64 or size[0] % 64 or size[2] % 64):
                continue  # torch's 2:4 kernels want whole tiles
            taken = timed_us(products(size, DTYPES[dtype], pattern, device, cold), clock)
            m, n, k = size
            yield f"{m},{n},{k},{dtype},{pattern},{taken:.3f}"


def size_of(text: str) -> tuple[int, int, int]:
    """``512x512x512``."""
    m, n, k = (int(part) for part in text.split("x"))
    return m, n, k


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Times of matrix products, for nmsim calibrate.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="CSV to write")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--dtype", choices=DTYPES, default="fp16")
    parser.add_argument("--patterns", default="1:1,2:4", help="1:1, 2:4 or both")
    parser.add_argument("--sizes", type=size_of, nargs="+", default=[*SHORT, *LARGE, *FEW_COLUMNS],
                        metavar="MxNxK")  # fmt: skip
    given = parser.parse_args(arguments)
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device; --device cpu tries this script without one")
    patterns = [p for p in given.patterns.split(",") if p != "2:4" or runs_sparse(given.device)]
    with given.output.open("w", encoding="utf-8") as file, torch.inference_mode():
        for line in lines(given.sizes, given.dtype, patterns, given.device):
            print(line, file=file, flush=True)
            print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
