"""Published times and speed-ups of matrix products, and what the model says to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from math import prod
from typing import Final

from simulator.hardware import Hardware, load_hardware
from simulator.report.layer import LayerReport
from simulator.run.simulate import simulate
from simulator.units import DTYPE_BITS
from simulator.validation import tables
from simulator.validation.fitted import A100, A100_40GB, V100, condition, machine_conditions
from simulator.validation.measurement import Measurement
from simulator.workload import Gemm, Workload

LLMCOMPASS_LAUNCH_US = 21.0
"""What LLMCompass adds to every A100 matmul: hardware_model/compute_module.py of its repository."""

RTX3090_SWITCH_K, RTX3090_SMALL_K = 9984, 1536
"""From the first k on, and up to the second, cuBLAS runs 1024x4096 in the four waves of 128x128
tiles, 15 % slower than in the seven of 128x64 that it takes between: a choice that is not modelled,
since by time the smaller tiles win everywhere."""

MAGICUBE_ODD_K = 147
MAGICUBE_REFUSED = "k = 147, done faster than a launch: cuBLAS wants a multiple of 4 in int8"

DEEPBENCH_FEW_COLUMNS = 128
DEEPBENCH_FITTED_M = ("2048", "6144")
DEEPBENCH_LOOP: Final[dict[str, object]] = {"memory.l2.start": "warm"}
"""Its loop calls one product over and over: code/nvidia/gemm_bench.cu of its repository."""

MAGICUBE_FALLBACK_MACS = 2**28
"""From so many MACs on, cuBLAS ran int8 products of these layouts without tensor cores: they take
several times as long as half of them do, at the rate of dp4a."""

MAGICUBE_FIRST_US = 16.0
MAGICUBE_LAUNCHED_FASTER = "below 16 µs: launched faster than all others"

QUEUED: Final[dict[str, dict[str, object]]] = {"sparse24": {"kernel_start_ns": 0}}
"""Model: where launches queue up, a kernel starts while the one before it ends."""

LIBRARIES: Final[dict[str, dict[str, str]]] = {
    # Dense linear layers of PyTorch call cublasLt: kernels of CUTLASS', k-splits by time.
    "sparse24": {"dense": "tensorop", "cuSPARSELt": "cusparselt", "CUTLASS": "cutlass"},
}
"""Which library ran what, by table: dense products, and sparse ones by their library's name there.
Of other tables, the machine's own."""

Row = dict[str, str]

FP8_FITTED: Final = {
    "H100": {"6144x2048", "11008x3584"},
    "H800": set(),
    "H20": {"6144x2048", "5120x2048", "2048x512", "12288x512", "3648x2048", "10240x5120",
            "576x7168", "2048x4096"},
}  # fmt: skip
"""Of fp8 products on Hopper machines the families of weights, n x k, that fits have seen; but for
the H100, whose clock falls with time, only up to `FP8_FITTED_M` tokens."""

FP8_FITTED_M: Final = 4096


def weights(row: Row) -> str:
    """Sizes of what rows of a family share, where m is tokens."""
    return f"{row['n']}x{row['k']}"


def _is_fitted_fp8(row: Row) -> bool:
    is_short = row["device"] == "H100" or int(row["m"]) <= FP8_FITTED_M
    return is_short and weights(row) in FP8_FITTED[row["device"]]


SEEN: Final[dict[str, Callable[[Row], bool]]] = {
    "llmcompass": lambda _: True,
    "magicube_fp16": lambda row: (
        int(row["k"]) != MAGICUBE_ODD_K and float(row["time_us"]) > MAGICUBE_FIRST_US
    ),
    "magicube_int8": lambda row: int(row["k"]) != MAGICUBE_ODD_K,
    "sparse24": lambda row: row["library"] == "cuSPARSELt",
    "hopper_fp8": _is_fitted_fp8,
    "rtx3090": lambda row: row["m"] == "1024",
    "rtx3090 dense": lambda row: _is_1024x4096(row) and _between_switches(row),
    "v100_deepbench": lambda row: row["m"] in DEEPBENCH_FITTED_M and not slower_path(row),
}
"""Which rows of a table a fit has seen, or which of its dense times; of other tables none."""


def _is_1024x4096(row: Row) -> bool:
    return (row["m"], row["n"]) == ("1024", "4096")


def _between_switches(row: Row) -> bool:
    return RTX3090_SMALL_K < int(row["k"]) < RTX3090_SWITCH_K


def slower_path(row: Row) -> str:
    """Why cuBLAS runs a row of DeepBench's in slower kernels than its neighbours, as its time
    shows; empty: it does not."""
    m, n, k = _sizes(row)
    if m == 35:
        return "m = 35"
    if k == 500_000:
        return "k = 500000"
    if row["layout"] == "TN" and n <= DEEPBENCH_FEW_COLUMNS and k & (k - 1):
        return f"TN, n <= {DEEPBENCH_FEW_COLUMNS}, k no power of two"
    return ""


def seen(table: str, row: Row, which: str = "") -> bool:
    """Whether a fit has seen that row, or its ``dense`` or ``sparse`` time."""
    is_seen = SEEN.get(f"{table} {which}", SEEN.get(table))
    return is_seen is not None and is_seen(row)


def seen_rows(table: str, which: str = "") -> list[Row]:
    """The rows of a table that a fit has seen, or whose ``dense`` or ``sparse`` time it has."""
    return [row for row in tables.read(table) if seen(table, row, which)]


def modelled(
    hardware: Hardware,
    row: Row,
    pattern: str = "1:1",
    dtype: str = "fp16",
    library: str | None = None,
    accuracy: str = "exact",
) -> LayerReport:
    """The model's answer to the GEMM that a row names: with a library that is named here, or in the
    row if it is sparse and the machine has a profile of it, else with the machine's choice of a
    library: what was measured is that kernel, and a sparse one never runs dense. Where rows name a
    layout, they add to what C holds."""
    m, n, k = _sizes(row)
    gemm = Gemm("gemm", m=m, n=n, k=k, dtype=dtype, accumulate="layout" in row)
    workload = Workload("row", [gemm])
    if library is None and pattern != "1:1":
        named = row.get("library", "")
        library = named if named in hardware.libraries else hardware.library.sparse
    return simulate(hardware, workload, pattern, library=library, accuracy=accuracy).layers[0]


def time_us(
    hardware: Hardware,
    row: Row,
    pattern: str = "1:1",
    dtype: str = "fp16",
    library: str | None = None,
) -> float:
    """Device time of the GEMM that a row of a table names."""
    return modelled(hardware, row, pattern, dtype, library).time_ns / 1e3


def library_of(table: str, row: Row, which: str) -> str | None:
    """The library that ran a row's ``dense`` or ``sparse`` product; None: the machine's."""
    return LIBRARIES.get(table, {}).get("dense" if which == "dense" else row.get("library", ""))


def under_conditions(preset: str, data_set: str) -> Hardware:
    """The machine as it was when a data set was measured."""
    return load_hardware(preset, {**QUEUED.get(data_set, {}), **machine_conditions(data_set)})


def roofline_us(hardware: Hardware, row: Row, pattern: str = "1:1", dtype: str = "fp16") -> float:
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


def compared(
    table: str,
    row: Row,
    figures: tuple[float, float, float],
    *runs: LayerReport,
    which: str = "",
    label: str = "",
    part: str = "",
    set_aside: str = "",
    family: str = "",
    preset: str = "",
) -> Measurement:
    """A row of a table beside the model's answer.

    Parameters
    ----------
    figures : tuple of float
        Measured, predicted, and as a roofline has it.
    *runs : LayerReport
        Whose mappings and bounds it shows: one, or both of a ratio.
    which : {"", "dense", "sparse"}
        Of several times of the row.
    label : str
        By default sizes, and the library where the row names one.
    family : str
        By default of equal m and n.
    preset : str
        The machine.
    """
    return Measurement(
        label or _label(row),
        *figures,
        part=part,
        set_aside=set_aside,
        family=family or f"{row['m']}x{row['n']}",
        fitted=seen(table, row, which),
        mapping=" / ".join(run.mapping for run in runs),
        bound=" / ".join(run.bound for run in runs),
        macs=prod(_sizes(row)),
        preset=preset,
    )


def llmcompass() -> Iterable[Measurement]:
    """Wall-clock times; the host's part is what their authors add to every product."""
    hardware = load_hardware(A100, {"sustained.applies": True})
    for row in tables.read("llmcompass"):
        run = modelled(hardware, row)
        figures = (
            float(row["time_us"]),
            run.time_ns / 1e3 + LLMCOMPASS_LAUNCH_US,
            roofline_us(hardware, row) + LLMCOMPASS_LAUNCH_US,
        )
        yield compared("llmcompass", row, figures, run, preset=A100)


def magicube(dtype: str, table: str) -> Iterable[Measurement]:
    """Times under two fitted conditions: the launch that is in them, and the card's clock."""
    fitted = f"magicube-{dtype}"
    launch_us = condition(fitted, "launch_us")
    hardware = under_conditions(A100_40GB, fitted)
    for row in tables.read(table):
        odd, time_us = int(row["k"]) == MAGICUBE_ODD_K, float(row["time_us"])
        run = modelled(hardware, row, dtype=dtype, library=magicube_library(dtype, row))
        figures = (
            time_us,
            run.time_ns / 1e3 + launch_us,
            roofline_us(hardware, row, dtype=dtype) + launch_us,
        )
        aside = MAGICUBE_REFUSED if odd and dtype == "int8" else ""
        if dtype == "fp16" and time_us < MAGICUBE_FIRST_US:
            aside = MAGICUBE_LAUNCHED_FASTER
        part = "k = 147" if odd else "aligned rows"
        yield compared(table, row, figures, run, part=part, set_aside=aside, preset=A100_40GB)


def magicube_library(dtype: str, row: Row) -> str | None:
    """The library that ran a product, where it is not the machine's choice."""
    return "dp4a" if dtype == "int8" and prod(_sizes(row)) >= MAGICUBE_FALLBACK_MACS else None


def _part(row: Row) -> str:
    """Rows of a table that behave alike: of one library."""
    return row.get("library", "")


PATTERNS: Final = {"dense": "1:1", "sparse": "2:4"}


@cache
def _both(preset: str, table: str) -> tuple[tuple[Row, dict[str, LayerReport]], ...]:
    """Every row, and the model's answers for dense and 2:4."""
    hardware = under_conditions(preset, table)
    return tuple(
        (
            row,
            {
                which: modelled(hardware, row, pattern, library=library_of(table, row, which))
                for which, pattern in PATTERNS.items()
            },
        )
        for row in tables.read(table)
    )


def measured_us(row: Row, which: str) -> float:
    """A ``dense`` or ``sparse`` time; the latter over a ratio where a source gives no more."""
    if f"{which}_us" in row:
        return float(row[f"{which}_us"])
    return float(row["dense_us"]) / float(row["speed_up"])


def measured_speedup(row: Row) -> float:
    """Dense over sparse time, or the ratio itself where a source gives no more."""
    if "speed_up" in row:
        return float(row["speed_up"])
    return float(row["dense_us"]) / float(row["sparse_us"])


def speedups(preset: str, table: str) -> Iterable[Measurement]:
    """2:4 over dense."""
    hardware = load_hardware(preset)
    for row, runs in _both(preset, table):
        dense, sparse = runs["dense"], runs["sparse"]
        roofline = roofline_us(hardware, row) / roofline_us(hardware, row, "2:4")
        figures = (measured_speedup(row), dense.time_ps / sparse.time_ps, roofline)
        yield compared(table, row, figures, dense, sparse, part=_part(row), preset=preset)


def times(preset: str, table: str, which: str) -> Iterable[Measurement]:
    """``dense`` or ``sparse`` times, each measurement once."""
    hardware = load_hardware(preset)
    told = set()
    for row, runs in _both(preset, table):
        figure = (*_sizes(row), measured_us(row, which))
        if figure in told:
            continue
        told.add(figure)
        run = runs[which]
        figures = (
            measured_us(row, which),
            run.time_ns / 1e3,
            roofline_us(hardware, row, PATTERNS[which]),
        )
        label = f"{row['m']}x{row['n']}x{row['k']}" if which == "dense" else ""
        part = _part(row) if which == "sparse" else ""
        about = {"label": label, "part": part, "preset": preset}
        yield compared(table, row, figures, run, which=which, **about)


def deepbench() -> Iterable[Measurement]:
    """Products that add to C; what takes a slower path of the library is set aside."""
    hardware = load_hardware(V100, DEEPBENCH_LOOP)
    runs: dict[tuple[int, int, int], LayerReport] = {}
    for row in tables.read("v100_deepbench"):
        size = _sizes(row)
        if size not in runs:  # layouts are not modelled
            runs[size] = modelled(hardware, row)
        few = "<=" if size[1] <= DEEPBENCH_FEW_COLUMNS else ">"
        yield compared(
            "v100_deepbench",
            row,
            (float(row["time_us"]), runs[size].time_ns / 1e3, roofline_us(hardware, row)),
            runs[size],
            label=f"{_label(row)} {row['layout']}",
            part=f"n {few} {DEEPBENCH_FEW_COLUMNS}",
            set_aside=slower_path(row),
            preset=V100,
        )


def data_sheet_speedups() -> Iterable[Measurement]:
    """2:4 over dense on machines of which nothing was measured."""
    for row in tables.read("speedups_24"):
        hardware = load_hardware(row["preset"])
        dense, sparse = (modelled(hardware, row, pattern, "bf16") for pattern in PATTERNS.values())
        roofline = roofline_us(hardware, row, dtype="bf16")
        roofline /= roofline_us(hardware, row, "2:4", "bf16")
        figures = (measured_speedup(row), dense.time_ps / sparse.time_ps, roofline)
        preset = row["preset"]
        yield compared("speedups_24", row, figures, dense, sparse, part=preset, preset=preset)
