"""Data sets: what was measured, under which conditions, and what the model says.

Conditions of a measurement (the launch overhead in it, the clock of its card) stand here; constants
of a machine stand in its YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from simulator.engine import fast
from simulator.hardware import Hardware, load_hardware
from simulator.microbench import mma_timing
from simulator.program import Program, stream_program
from simulator.run import simulate
from simulator.units import DTYPE_BITS, PS_PER_SECOND
from simulator.validation import tables
from simulator.workload import Gemm, Stream, Workload

LLMCOMPASS_LAUNCH_US = 21.0
"""What LLMCompass adds to every A100 matmul: hardware_model/compute_module.py of its repository."""

MAGICUBE_LAUNCH_US = {"fp16": 10.3, "int8": 21.3}
"""Fitted, one constant a dtype: what the magicube rows hold beside the model's device time."""

MAGICUBE_CLOCK_HZ = 1_095_000_000
"""Default application clock of the A100-SXM4-40GB; at its boost clock the slope does not fit."""


@dataclass(frozen=True)
class Point:
    """One figure: measured, as the model has it, and as a roofline would."""

    label: str
    measured: float
    predicted: float
    roofline: float | None = None


@dataclass(frozen=True)
class DataSet:
    """A published table and the model's answer to it.

    Attributes
    ----------
    table : str
        Name of the table of figures, with its sources.
    unit : str
    predict : callable
        Yields the points.
    bound : float or None
        Mean absolute error, as a ratio, that the tests hold the model to; None: reported only.
    """

    name: str
    title: str
    table: str
    unit: str
    predict: Callable[[], Iterable[Point]]
    bound: float | None


def _time_us(hardware: Hardware, m: int, n: int, k: int, pattern: str, dtype: str) -> float:
    workload = Workload("row", [Gemm("gemm", m=m, n=n, k=k, dtype=dtype)])
    return simulate(hardware, workload, pattern).total.time_ns / 1e3


def _roofline_us(hardware: Hardware, m: int, n: int, k: int, pattern: str, dtype: str) -> float:
    """The larger of peak compute and peak DRAM time, in microseconds."""
    density = {"1:1": 1.0, "2:4": 0.5}[pattern]
    peak = float(hardware.macs_per_cycle(dtype)) * hardware.clock_hz * hardware.core.count
    size = DTYPE_BITS[dtype] / 8 * (m * k * density + k * n + m * n)
    return 1e6 * max(m * n * k * density / peak, size / hardware.memory.dram.bytes_per_second)


def _sizes(row: dict[str, str]) -> tuple[int, int, int]:
    return int(row["m"]), int(row["n"]), int(row["k"])


def _llmcompass() -> Iterable[Point]:
    hardware = load_hardware("a100-sxm4-80gb")
    for row in tables.read("llmcompass"):
        m, n, k = _sizes(row)
        model = _time_us(hardware, m, n, k, "1:1", "fp16")
        roofline = _roofline_us(hardware, m, n, k, "1:1", "fp16")
        yield Point(
            f"{m}x{n}x{k}",
            float(row["time_us"]),
            model + LLMCOMPASS_LAUNCH_US,
            roofline + LLMCOMPASS_LAUNCH_US,
        )


def _magicube(dtype: str) -> Iterable[Point]:
    hardware = load_hardware("a100-sxm4-40gb", {"clock_hz": MAGICUBE_CLOCK_HZ})
    launch = MAGICUBE_LAUNCH_US[dtype]
    for row in tables.read(f"magicube_{dtype}"):
        m, n, k = _sizes(row)
        model = _time_us(hardware, m, n, k, "1:1", dtype)
        roofline = _roofline_us(hardware, m, n, k, "1:1", dtype)
        yield Point(f"{m}x{n}x{k}", float(row["time_us"]), model + launch, roofline + launch)


def _pairs(preset: str, table: str) -> Iterable[tuple[dict[str, str], dict[str, float]]]:
    """Rows that have a dense and a 2:4 time, and the model's and the roofline's for both."""
    hardware = load_hardware(preset)
    for row in tables.read(table):
        m, n, k = _sizes(row)
        yield (
            row,
            {
                "dense": _time_us(hardware, m, n, k, "1:1", "fp16"),
                "sparse": _time_us(hardware, m, n, k, "2:4", "fp16"),
                "dense_roofline": _roofline_us(hardware, m, n, k, "1:1", "fp16"),
                "sparse_roofline": _roofline_us(hardware, m, n, k, "2:4", "fp16"),
            },
        )


@cache
def _sparse24_pairs() -> tuple[tuple[dict[str, str], dict[str, float]], ...]:
    return tuple(_pairs("a100-sxm4-80gb", "sparse24"))


@cache
def _venom_pairs() -> tuple[tuple[dict[str, str], dict[str, float]], ...]:
    """Without the rows where cuBLAS changes to a slower kernel, k >= 9984."""
    pairs = _pairs("rtx3090", "venom")
    return tuple(pair for pair in pairs if int(pair[0]["k"]) < VENOM_SWITCH_K)


VENOM_SWITCH_K = 9984
"""From this k on cuBLAS runs another kernel, 15 % slower: a choice of the library, not modelled."""


def _label(row: dict[str, str]) -> str:
    library = row.get("library", "")
    return f"{row['m']}x{row['n']}x{row['k']} {library}".strip()


def _speedups(pairs: Iterable[tuple[dict[str, str], dict[str, float]]]) -> Iterable[Point]:
    for row, model in pairs:
        yield Point(
            _label(row),
            float(row["dense_us"]) / float(row["sparse_us"]),
            model["dense"] / model["sparse"],
            model["dense_roofline"] / model["sparse_roofline"],
        )


def _times(pairs: Iterable[tuple[dict[str, str], dict[str, float]]], which: str) -> Iterable[Point]:
    for row, model in pairs:
        yield Point(
            _label(row), float(row[f"{which}_us"]), model[which], model[f"{which}_roofline"]
        )


def _sparseloop() -> Iterable[Point]:
    hardware = load_hardware("sparseloop-stc")
    for row in tables.read("sparseloop"):
        m, n, k = _sizes(row)
        workload = Workload("row", [Gemm("gemm", m=m, n=n, k=k)])
        cycles = simulate(hardware, workload, row["pattern"]).total.cycles
        yield Point(f"{row['design']} {row['pattern']} {m}x{n}x{k}", float(row["cycles"]), cycles)


MMA_NAMES = {"binary": "b1"}


def _mma(pattern: str) -> Iterable[Point]:
    """Completion latency, and throughput at 4 and 8 warps."""
    hardware = load_hardware("a100-sxm4-80gb")
    in_flight = {"4": 3, "8": 2}  # of the dense row of the same instruction: mma.sp names none
    for row in tables.read("mma"):
        if row["pattern"] != pattern:
            continue
        dtype = MMA_NAMES.get(row["inputs"], row["inputs"])
        slots = int(row["k"]) // (2 if pattern == "2:4" else 1)
        name = f"{row['inputs']}/{row['sums']} m{row['m']}n{row['n']}k{row['k']}"
        for warps in ("4", "8"):
            timing = mma_timing(
                hardware,
                dtype,
                warps=int(warps),
                in_flight=int(row[f"in_flight_{warps}"] or in_flight[warps]),
                pattern=pattern,
                k=slots,
            )
            measured = float(row[f"macs_per_cycle_{warps}"])
            yield Point(f"{name}, MACs a cycle, {warps} warps", measured, timing.macs_per_cycle)
        latency = float(row["latency_cycles"])
        yield Point(f"{name}, latency", latency, timing.latency_cycles)


def _memory() -> Iterable[Point]:
    """Bandwidths as the slope between two sizes; latencies of one core's first request."""
    for row in tables.read("memory"):
        overrides = {
            "clock_hz": int(row["clock_hz"]),
            "core.count": int(row["cores"]),
            "memory.dram.bytes_per_second": int(row["dram_bytes_per_second"]),
            "memory.l2.start": "warm" if row["level"] == "l2" else "cold",
        }
        hardware = load_hardware(row["preset"], overrides)
        if row["metric"] == "latency_cycles":
            predicted = _latency_cycles(hardware)
        else:
            small, large = _footprints(hardware, row["level"])
            predicted = (large - small) / (_read_ps(hardware, large) - _read_ps(hardware, small))
            predicted *= PS_PER_SECOND / 1e9
        label = f"{row['preset']} {row['level']} {row['metric']}"
        yield Point(label, float(row["value"]), predicted)


def _footprints(hardware: Hardware, level: str) -> tuple[int, int]:
    l2 = hardware.memory.l2.bytes
    return (l2 // 4, l2 * 3 // 4) if level == "l2" else (4 * l2, 12 * l2)


def _reading(hardware: Hardware, size: int) -> Program:
    library = hardware.libraries[hardware.library.dense]
    return stream_program(hardware, library, Stream("read", reads=size, writes=1, dtype="int8"))


def _read_ps(hardware: Hardware, size: int) -> int:
    return fast.run(_reading(hardware, size)).makespan_ps


def _latency_cycles(hardware: Hardware) -> float:
    """From request to arrival of 32 bytes, less their own transfer."""
    program = _reading(hardware, 32)
    waited = int(fast.run(program).waits_ps[0, 1]) - int(program.prologue_ps[-1])
    return (waited - int(program.rows_port_ps[-1])) * hardware.clock_hz / PS_PER_SECOND


def _all() -> tuple[DataSet, ...]:
    return (
        DataSet("llmcompass", "A100 fp16 GEMM, wall clock", "llmcompass", "µs", _llmcompass, 0.04),
        DataSet(
            "magicube-fp16",
            "A100 small fp16 GEMM, cuBLAS",
            "magicube_fp16",
            "µs",
            lambda: _magicube("fp16"),
            0.09,
        ),
        DataSet(
            "magicube-int8",
            "A100 small int8 GEMM, cuBLAS",
            "magicube_int8",
            "µs",
            lambda: _magicube("int8"),
            None,
        ),
        DataSet("mma", "A100 mma, dense", "mma", "cycles, MACs", lambda: _mma("1:1"), 0.03),
        DataSet("mma-sp", "A100 mma.sp, 2:4", "mma", "cycles, MACs", lambda: _mma("2:4"), 0.03),
        DataSet(
            "sparse24",
            "A100 2:4 speed-up, cuSPARSELt",
            "sparse24",
            "ratio",
            lambda: _speedups(_sparse24_pairs()),
            0.05,
        ),
        DataSet(
            "sparse24-dense",
            "A100 dense time of the same rows",
            "sparse24",
            "µs",
            lambda: _times(_sparse24_pairs(), "dense"),
            None,
        ),
        DataSet(
            "sparse24-sparse",
            "A100 2:4 time of the same rows",
            "sparse24",
            "µs",
            lambda: _times(_sparse24_pairs(), "sparse"),
            None,
        ),
        DataSet(
            "venom-dense",
            "RTX 3090 fp16 GEMM, cuBLAS",
            "venom",
            "µs",
            lambda: _times(_venom_pairs(), "dense"),
            0.10,
        ),
        DataSet(
            "venom",
            "RTX 3090 2:4 speed-up",
            "venom",
            "ratio",
            lambda: _speedups(_venom_pairs()),
            0.10,
        ),
        DataSet("sparseloop", "Sparseloop's TC and STC", "sparseloop", "cycles", _sparseloop, 0.02),
        DataSet("memory", "L2 and DRAM plateaus", "memory", "GB/s, cycles", _memory, 0.05),
    )


DATASETS: dict[str, DataSet] = {dataset.name: dataset for dataset in _all()}
