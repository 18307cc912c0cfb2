"""Published times and speed-ups of matrix products, and what the model says to them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from simulator.hardware import Hardware, load_hardware
from simulator.run.simulate import simulate
from simulator.units import DTYPE_BITS
from simulator.validation import tables
from simulator.validation.fitted import V100, condition
from simulator.validation.measurement import Measurement
from simulator.workload import Gemm, Workload

LLMCOMPASS_LAUNCH_US = 21.0
"""What LLMCompass adds to every A100 matmul: hardware_model/compute_module.py of its repository."""

VENOM_SWITCH_K = 9984
"""From this k on venom's cuBLAS runs another kernel, 15 % slower: a choice that is not modelled."""

MAGICUBE_REFUSED_K = 147
MAGICUBE_REFUSED = "k = 147, done faster than a launch: cuBLAS wants a multiple of 4 in int8"

DEEPBENCH_FEW_COLUMNS = 128
DEEPBENCH_FITTED_M = ("2048", "6144")
"""Rows of these m were fitted to, with few columns and with many; no others."""

DEEPBENCH_LOOP: dict[str, object] = {"memory.l2.start": "warm"}
"""Its loop calls one product over and over: code/nvidia/gemm_bench.cu of its repository."""

Row = dict[str, str]


def time_us(
    hardware: Hardware,
    row: Row,
    pattern: str = "1:1",
    dtype: str = "fp16",
    *,
    accumulate: bool = False,
) -> float:
    """Device time of the GEMM that a row of a table names."""
    m, n, k = _sizes(row)
    workload = Workload("row", [Gemm("gemm", m=m, n=n, k=k, dtype=dtype, accumulate=accumulate)])
    return simulate(hardware, workload, pattern).total.time_ns / 1e3


def _roofline_us(hardware: Hardware, row: Row, pattern: str = "1:1", dtype: str = "fp16") -> float:
    """The larger of peak compute and peak DRAM time, in microseconds."""
    m, n, k = _sizes(row)
    density = {"1:1": 1.0, "2:4": 0.5}[pattern]
    peak = float(hardware.macs_per_cycle(dtype)) * hardware.clock_hz * hardware.core.count
    size = DTYPE_BITS[dtype] / 8 * (m * k * density + k * n + m * n)
    return 1e6 * max(m * n * k * density / peak, size / hardware.memory.dram.bytes_per_second)


def _sizes(row: Row) -> tuple[int, int, int]:
    return int(row["m"]), int(row["n"]), int(row["k"])


def _label(row: Row) -> str:
    return f"{row['m']}x{row['n']}x{row['k']} {row.get('library', '')}".strip()


def llmcompass() -> Iterable[Measurement]:
    """Wall-clock times; the host's part is what their authors add to every product."""
    hardware = load_hardware("a100-sxm4-80gb")
    for row in tables.read("llmcompass"):
        yield Measurement(
            _label(row),
            float(row["time_us"]),
            time_us(hardware, row) + LLMCOMPASS_LAUNCH_US,
            _roofline_us(hardware, row) + LLMCOMPASS_LAUNCH_US,
        )


def magicube(dtype: str, table: str) -> Iterable[Measurement]:
    """Times under two fitted conditions: the launch that is in them, and the card's clock."""
    fitted = f"magicube-{dtype}"
    launch_us = condition(fitted, "launch_us")
    hardware = load_hardware("a100-sxm4-40gb", {"clock_hz": round(condition(fitted, "clock_hz"))})
    for row in tables.read(table):
        refused = dtype == "int8" and int(row["k"]) == MAGICUBE_REFUSED_K
        yield Measurement(
            _label(row),
            float(row["time_us"]),
            time_us(hardware, row, dtype=dtype) + launch_us,
            _roofline_us(hardware, row, dtype=dtype) + launch_us,
            set_aside=MAGICUBE_REFUSED if refused else "",
        )


def _part(table: str, row: Row) -> str:
    """Rows of a table that behave alike: another library, another kernel."""
    if table == "venom":
        return f"k {'>=' if int(row['k']) >= VENOM_SWITCH_K else '<'} {VENOM_SWITCH_K}"
    if table == "venom_more":
        return "m = 768" if row["m"] == "768" else "m > 768"
    return row["library"]


@cache
def _both(preset: str, table: str) -> tuple[tuple[Row, dict[str, float]], ...]:
    """Every row, and the model's and the roofline's times for dense and 2:4."""
    hardware = load_hardware(preset)
    return tuple(
        (
            row,
            {
                "dense": time_us(hardware, row),
                "sparse": time_us(hardware, row, "2:4"),
                "dense_roofline": _roofline_us(hardware, row),
                "sparse_roofline": _roofline_us(hardware, row, "2:4"),
            },
        )
        for row in tables.read(table)
    )


def measured_speedup(row: Row) -> float:
    """Dense over sparse time, or the ratio itself where a source gives no more."""
    if "speed_up" in row:
        return float(row["speed_up"])
    return float(row["dense_us"]) / float(row["sparse_us"])


def speedups(preset: str, table: str) -> Iterable[Measurement]:
    """2:4 over dense."""
    for row, model in _both(preset, table):
        yield Measurement(
            _label(row),
            measured_speedup(row),
            model["dense"] / model["sparse"],
            model["dense_roofline"] / model["sparse_roofline"],
            _part(table, row),
        )


def times(preset: str, table: str, which: str) -> Iterable[Measurement]:
    """``dense`` or ``sparse`` times, each measurement once."""
    seen = set()
    for row, model in _both(preset, table):
        figure = (*_sizes(row), row[f"{which}_us"])
        if figure in seen:
            continue
        seen.add(figure)
        yield Measurement(
            f"{row['m']}x{row['n']}x{row['k']}" if which == "dense" else _label(row),
            float(row[f"{which}_us"]),
            model[which],
            model[f"{which}_roofline"],
            "" if table == "sparse24" and which == "dense" else _part(table, row),
        )


def deepbench() -> Iterable[Measurement]:
    """Products that add to C; what takes a slower path of the library is set aside."""
    hardware = load_hardware(V100, DEEPBENCH_LOOP)
    times: dict[tuple[int, int, int], float] = {}
    for row in tables.read("v100_deepbench"):
        m, n, _ = size = _sizes(row)
        if size not in times:  # layouts are not modelled
            times[size] = time_us(hardware, row, accumulate=True)
        slower = deepbench_slower_path(row)
        few = "<=" if n <= DEEPBENCH_FEW_COLUMNS else ">"
        yield Measurement(
            f"{_label(row)} {row['layout']}",
            float(row["time_us"]),
            times[size],
            _roofline_us(hardware, row),
            part=f"n {few} {DEEPBENCH_FEW_COLUMNS}",
            set_aside=slower,
            family=f"{m}x{n}x*",
            fitted=not slower and row["m"] in DEEPBENCH_FITTED_M,
        )


def deepbench_slower_path(row: Row) -> str:
    """Why a row runs other kernels than its neighbours, as its time shows; empty: it does not."""
    m, n, k = _sizes(row)
    if m == 35:
        return "m = 35"
    if k == 500_000:
        return "k = 500000"
    if row["layout"] == "TN" and n <= DEEPBENCH_FEW_COLUMNS and k & (k - 1):
        return f"TN, n <= {DEEPBENCH_FEW_COLUMNS}, k no power of two"
    return ""
