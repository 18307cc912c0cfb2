"""Spatha on an RTX 3090: V:2:M and 2:4, of which its authors publish speed-ups over cuBLAS.

Where cuBLAS's time of a size is published as well, a time follows, and the model is held to it.
Where it is not, the model's own answer for cuBLAS stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from simulator.hardware import Hardware, load_hardware
from simulator.report.layer import LayerReport
from simulator.run.simulate import simulate
from simulator.sparsity import VectorPattern
from simulator.units import DTYPE_BITS
from simulator.validation import tables
from simulator.validation.fitted import RTX3090
from simulator.validation.gemms import Row, compared, modelled
from simulator.validation.measurement import Measurement
from simulator.workload import Gemm, Workload

TABLE: Final = "spatha"
KERNELS: Final = {"128": "spatha", "64": "spatha-64"}
"""The library of the machine that has the kernels in which so many rows choose together."""

Part = Callable[[Row], bool]

PARTS: Final[dict[str, Part]] = {
    "128": lambda row: bool(row["dense_us"]) and row["rows"] == "128" and row["group"] != "4",
    "64": lambda row: bool(row["dense_us"]) and row["rows"] == "64" and row["group"] != "4",
    "24": lambda row: bool(row["dense_us"]) and row["group"] == "4",
    "speedup": lambda row: not row["dense_us"],
}
"""Which rows of the table a data set has: every row is in one of them."""


def pattern_of(row: Row) -> VectorPattern:
    """Of the weights of a row of the table."""
    return VectorPattern(int(row["rows"]), 2, int(row["group"]))


def ran(hardware: Hardware, row: Row) -> LayerReport:
    """The model's answer to a row of the table."""
    m, n, k = (int(row[size]) for size in ("m", "n", "k"))
    workload = Workload("row", [Gemm("gemm", m=m, n=n, k=k, dtype="fp16")])
    return simulate(hardware, workload, pattern_of(row), library=KERNELS[row["rows"]]).layers[0]


def measured_us(row: Row) -> float:
    """cuBLAS's time over the speed-up."""
    return float(row["dense_us"]) / float(row["speed_up"])


def _roofline_us(hardware: Hardware, row: Row, pattern: VectorPattern | None = None) -> float:
    """The larger of peak compute and peak DRAM time, in microseconds; dense without a pattern."""
    m, n, k = (int(row[size]) for size in ("m", "n", "k"))
    density = float(pattern.density) if pattern else 1.0
    read = pattern.columns(k) * float(pattern.distinct_ratio(m)) if pattern else k
    peak = float(hardware.macs_per_cycle("fp16")) * hardware.clock_hz * hardware.core.count
    size = DTYPE_BITS["fp16"] / 8 * (m * k * density + read * n + m * n)
    return 1e6 * max(m * n * k * density / peak, size / hardware.memory.dram.bytes_per_second)


def _rows(part: str) -> Iterable[tuple[Row, str]]:
    """Rows of a data set, and their labels."""
    for row in tables.read(TABLE):
        if PARTS[part](row):
            yield row, f"{pattern_of(row)} {row['m']}x{row['n']}x{row['k']}"


def times(part: str) -> Iterable[Measurement]:
    """Times of the rows of a data set."""
    hardware = load_hardware(RTX3090)
    for row, label in _rows(part):
        run = ran(hardware, row)
        roofline = _roofline_us(hardware, row, pattern_of(row))
        figures = (measured_us(row), run.time_ns / 1e3, roofline)
        rows = f"V = {row['rows']}" if part == "24" else ""
        yield compared(TABLE, row, figures, run, label=label, part=rows, preset=RTX3090)


def speedups() -> Iterable[Measurement]:
    """Speed-ups over cuBLAS where its time is not published."""
    hardware = load_hardware(RTX3090)
    for row, label in _rows("speedup"):
        dense, sparse = modelled(hardware, row), ran(hardware, row)
        roofline = _roofline_us(hardware, row) / _roofline_us(hardware, row, pattern_of(row))
        figures = (float(row["speed_up"]), dense.time_ps / sparse.time_ps, roofline)
        rows = f"V = {row['rows']}"
        about = {"label": label, "part": rows, "preset": RTX3090}
        yield compared(TABLE, row, figures, dense, sparse, **about)
