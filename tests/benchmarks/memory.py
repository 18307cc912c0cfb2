"""`make bench`: peak memory of a layer of 10^9 weights, beyond its mask and the weights read.

Each step runs in a process of its own. Fails if one takes 2 GiB or more.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from simulator.sparsity import Pattern
from simulator.weights import kernels
from simulator.weights.compliance import check_compliance
from simulator.weights.compress import compress
from simulator.weights.masks import kept_energy, magnitude_mask, unstructured_mask

ROWS, K = 32768, 30520
LIMIT_GIB = 2.0
PATTERN = Pattern(2, 4)


def mask_of(k: int = K) -> np.ndarray:
    """2:4, the same in every group."""
    mask = np.zeros((ROWS, k), dtype=np.uint8)
    mask[:, ::4] = mask[:, 1::4] = 1
    return mask


def weights_of(dtype: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    weights = np.empty((ROWS, K), dtype=dtype)
    for row in weights:
        row[:] = rng.integers(-127, 128, K)
    return weights


def slots(lanes: int, k: int = K, packed: bool = False) -> int:
    mask = mask_of(k)
    size, of_bits = mask.nbytes, None
    if packed:
        mask, of_bits = np.packbits(mask, axis=1), k
    kernels.lane_slots(mask, 4, lanes, of_bits)
    return size + mask.nbytes if packed else size


def stages() -> int:
    mask = mask_of()
    kernels.stage_slots(mask, 4, 8, 16)
    return mask.nbytes


def compliance() -> int:
    mask = mask_of()
    assert check_compliance(mask, PATTERN).complies
    return mask.nbytes


def compression() -> int:
    mask, weights = mask_of(), weights_of("int8")
    compress(weights, PATTERN, "int8", mask=mask)
    return mask.nbytes + weights.nbytes


def masking(mask_of_weights: Callable[[np.ndarray], np.ndarray]) -> int:
    weights = weights_of("float16")
    mask = mask_of_weights(weights)
    kept_energy(weights, mask)
    return mask.nbytes + weights.nbytes


STEPS: dict[str, Callable[[], int]] = {
    "lane_slots, 8 rows": lambda: slots(8),
    "lane_slots, 1 row": lambda: slots(1),
    "lane_slots, rows end in a partial group": lambda: slots(8, K - 2),
    "lane_slots of packed bits": lambda: slots(8, packed=True),
    "stage_slots": stages,
    "compliance": compliance,
    "compression of int8": compression,
    "magnitude mask and kept energy": lambda: masking(lambda w: magnitude_mask(w, PATTERN)),
    "unstructured mask and kept energy": lambda: masking(lambda w: unstructured_mask(w, 0.5)),
}


def main() -> int:
    if len(sys.argv) > 1:
        given = STEPS[sys.argv[1]]()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print((peak - given) / 2**30)
        return 0
    worst = 0.0
    print(f"{ROWS * K:,} weights: peak memory beyond mask and weights, reach < {LIMIT_GIB} GiB")
    for name in STEPS:
        started = time.perf_counter()
        command = [sys.executable, __file__, name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        beyond = float(done.stdout)
        worst = max(worst, beyond)
        print(f"{name:58} {beyond:8.2f} GiB {time.perf_counter() - started:8.1f} s", flush=True)
    return int(worst >= LIMIT_GIB)


if __name__ == "__main__":
    sys.exit(main())
