"""How far sampled accuracy is from exact, on GEMMs whose exact run is affordable."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from simulator import Gemm, LayerReport, Workload, load_hardware, simulate

A100, FLEX, EDGE = "a100-sxm4-80gb", "nm-flex", "nm-edge"
H100, V100, RTX = "h100-sxm", "v100-sxm2", "rtx3090"

CUBES = [
    *((A100, pattern, size) for pattern in ("1:1", "2:4") for size in (12288, 16384)),
    *((FLEX, pattern, 16384) for pattern in ("1:1", "2:4", "1:4", "2:8", "1:8")),
    *((FLEX, "1:8", 24576), (H100, "1:1", 16384), (H100, "2:4", 20480), (RTX, "2:4", 8192)),
    *((V100, "1:1", 14336), (EDGE, "1:8", 8192), (EDGE, "1:1", 6144)),
]
OTHERS = [
    (FLEX, "1:8", 12288, 32768, 32768), (V100, "1:1", 16384, 16384, 8192),
    (RTX, "1:1", 16384, 8192, 8192), (EDGE, "1:1", 8192, 4096, 4096),
    # Layers of GPT-3 175B and LLaMA 70B, many tokens at a time.
    (A100, "1:1", 36864, 8192, 12288), (A100, "2:4", 36864, 8192, 12288),
    (A100, "1:1", 12288, 8192, 49152), (FLEX, "1:8", 49152, 16384, 12288),
    (FLEX, "1:4", 12288, 16384, 49152), (H100, "1:1", 49152, 8192, 12288),
    (A100, "1:1", 57344, 8192, 8192), (FLEX, "1:8", 57344, 16384, 8192),
    (FLEX, "2:8", 8192, 16384, 28672), (H100, "2:4", 57344, 16384, 8192),
    (A100, "2:4", 8192, 16384, 28672), (V100, "1:1", 8192, 8192, 28672),
    # Edges in every direction.
    (A100, "1:1", 12289, 8195, 16383), (A100, "1:1", 16385, 16385, 8193),
    (A100, "2:4", 20000, 30000, 10000), (A100, "1:1", 9999, 19999, 11111),
    (FLEX, "1:8", 30000, 10000, 20000), (FLEX, "1:4", 17001, 17003, 17005),
    (H100, "1:1", 10001, 20003, 9999), (EDGE, "2:4", 9001, 3001, 5001),
    (RTX, "1:1", 7777, 9999, 8888),
    # Bound by DRAM: few columns, or few rows.
    (A100, "1:1", 65536, 16, 65536), (A100, "1:1", 65536, 32, 65536),
    (A100, "2:4", 65536, 8, 65536), (FLEX, "1:8", 65536, 64, 65536),
    (FLEX, "1:8", 65536, 16, 65536), (A100, "1:1", 1, 65536, 65536),
    (A100, "1:1", 128, 65536, 65536), (H100, "1:1", 65536, 16, 65536),
    (EDGE, "1:8", 16384, 16, 16384),
    # Splits along k.
    (A100, "1:1", 256, 256, 2**22), (A100, "1:1", 300, 300, 2**22),
    (FLEX, "1:8", 512, 256, 2**22), (H100, "1:1", 384, 512, 2**22),
    # Shallow, and long one way.
    (A100, "1:1", 65536, 16384, 1024), (A100, "1:1", 65536, 65536, 256),
    (A100, "1:1", 16384, 65536, 1024), (A100, "1:1", 32768, 32768, 4096),
    (FLEX, "2:4", 65536, 32768, 2048), (A100, "1:1", 65536, 256, 65536),
    (A100, "1:1", 4096, 4096, 65536), (H100, "2:4", 65536, 8192, 4096),
]  # fmt: skip
GEMMS = [*((machine, pattern, *(3 * [size])) for machine, pattern, size in CUBES), *OTHERS]


@dataclass(frozen=True)
class Compared:
    """One GEMM, exact and sampled."""

    what: str
    stages: int
    exact_ms: float
    sampled_ms: float
    time_error: float
    dram_error: float
    time_estimate: float
    dram_estimate: float
    same_mapping: bool


def dram_bytes(layer: LayerReport) -> int:
    return sum(sum(ways.values()) for ways in layer.traffic_bytes["dram"].values())


def compare(machine: str, pattern: str, m: int, n: int, k: int) -> Compared:
    hardware = load_hardware(machine)
    workload = Workload("one", [Gemm("gemm", m=m, n=n, k=k)])
    layers, times = [], []
    for accuracy in ("exact", "sampled", "sampled"):
        started = time.perf_counter()
        layers.append(simulate(hardware, workload, pattern, accuracy=accuracy).layers[0])
        times.append(time.perf_counter() - started)
    exact, sampled = layers[:2]
    assert exact.macs == sampled.macs
    return Compared(
        f"{machine} {pattern} {m}x{n}x{k}",
        exact.stages,
        times[0] * 1e3,
        times[2] * 1e3,
        sampled.time_ps / exact.time_ps - 1,
        dram_bytes(sampled) / dram_bytes(exact) - 1,
        sampled.time_error_ratio,
        sampled.dram_error_ratio,
        exact.mapping == sampled.mapping,
    )


def main() -> None:
    simulate("nm-edge", Workload("warm", [Gemm("gemm", m=64, n=64, k=64)]))
    rows = []
    for gemm in GEMMS:
        row = compare(*gemm)
        rows.append(row)
        print(
            f"{row.what:44} {row.stages:>10,} stages "
            f"{row.exact_ms:8.0f} -> {row.sampled_ms:5.0f} ms"
            f"  time {row.time_error:+.2%} (±{row.time_estimate:.2%})"
            f"  dram {row.dram_error:+.2%} (±{row.dram_estimate:.2%})"
            f"{'' if row.same_mapping else '  another mapping'}"
        )
    count = len(rows)
    for what in ("time", "dram"):
        errors = [abs(getattr(row, f"{what}_error")) for row in rows]
        covered = sum(
            abs(getattr(row, f"{what}_error")) <= max(getattr(row, f"{what}_estimate"), 1e-9)
            for row in rows
        )
        within = sum(error <= 0.01 for error in errors)
        print(
            f"{what}: {within} of {count} within 1 %, largest {max(errors):.2%}, "
            f"median {median(errors):.3%}; estimate covers {covered} of {count}"
        )
    slowest = max(rows, key=lambda row: row.sampled_ms)
    print(
        f"sampled: median {median(row.sampled_ms for row in rows):.0f} ms, "
        f"slowest {slowest.sampled_ms:.0f} ms ({slowest.what})"
    )


if __name__ == "__main__":
    main()
