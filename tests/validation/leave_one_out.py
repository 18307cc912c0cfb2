"""How far do the fitted numbers move, and how good are they on a row they did not see?

Run with `make leave-one-out`. For every data set that something was fitted to, each row is left out
in turn, the numbers are fitted to the others by a grid search on the mean absolute error, and the
row is predicted. Prints, for constants of machines and conditions of data sets alike, what is
declared, what fits best today, the spread, the standard error by drawing rows anew, and the error
on the rows left out. `fitted` carries the figures; the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from simulator import load_hardware
from simulator.validation import (
    convolutions,
    decisions,
    gpt3,
    hopper,
    networks,
    sparse_stacks,
    tables,
)
from simulator.validation.fitted import (
    A100,
    FITTED,
    H100,
    RTX3090,
    V100,
    Fitted,
    machine_conditions,
)
from simulator.validation.fitting import Array, Fit, Settings
from simulator.validation.gemms import (
    DEEPBENCH_FEW_COLUMNS,
    DEEPBENCH_LOOP,
    FP8_FITTED_M,
    LLMCOMPASS_LAUNCH_US,
    PATTERNS,
    QUEUED,
    Row,
    library_of,
    magicube_library,
    measured_us,
    seen,
    seen_rows,
    time_us,
)
from simulator.validation.primitives import mma_row

PUBLISHED_CLOCKS_HZ = (1_095_000_000, 1_410_000_000)
"""The A100-SXM4-40GB's default application clock and its boost clock. A free clock would come out
near 900 MHz in fp16, and lower still in int8, whose slow kernels it would stand for."""


def declared(fit: Fit) -> list[Fitted]:
    """What is declared of a fit's numbers, in their order."""
    by_name = {(fitted.of, fitted.key): fitted for fitted in FITTED}
    return [by_name[fit.of, key] for key in fit.keys]


def _column(rows: Sequence[Row], name: str) -> Array:
    return np.array([float(row[name]) for row in rows])


def _times_us(
    preset: str,
    overrides: dict[str, object],
    rows: Sequence[Row],
    pattern: str,
) -> Array:
    hardware = load_hardware(preset, overrides)
    return np.array([time_us(hardware, row, pattern) for row in rows])


def llmcompass() -> Fit:
    """Its rows' times grow to where load lowers the clock."""
    rows = seen_rows("llmcompass")
    measured = _column(rows, "time_us")
    settings, errors = [], []
    for ratio in np.arange(0.92, 1.001, 0.01).round(2):
        overrides = {
            "sustained.applies": True, "sustained.clock_ratio": float(ratio), "kernel_start_ns": 0,
        }  # fmt: skip
        times = _times_us(A100, overrides, rows, "1:1") + LLMCOMPASS_LAUNCH_US
        for start_ns in range(5000, 8100, 100):
            settings.append((float(start_ns), float(ratio)))
            errors.append(np.abs((times + start_ns / 1e3) / measured - 1))
    return Fit(A100, ("kernel_start_ns", "sustained.clock_ratio"), settings, np.array(errors))


def _sparse24(overrides: dict[str, object]) -> tuple[Array, Array, Array, Array]:
    """Dense and sparse times of cuSPARSELt's rows, measured and modelled."""
    rows = seen_rows("sparse24")
    hardware = load_hardware(A100, {**QUEUED["sparse24"], **overrides})
    dense, sparse = (
        np.array(
            [time_us(hardware, row, p, library=library_of("sparse24", row, w)) for row in rows]
        )
        for w, p in PATTERNS.items()
    )
    return _column(rows, "dense_us"), _column(rows, "sparse_us"), dense, sparse


def sparse24() -> Fit:
    """The speed-ups of cuSPARSELt; those of CUTLASS judge."""
    settings, errors = [], []
    clock = machine_conditions("sparse24")
    for ratio in np.arange(0.80, 1.001, 0.01).round(2):
        overrides = {**clock, "core.scratchpad.efficiency_ratio": float(ratio)}
        measured, measured_sparse, dense, sparse = _sparse24(overrides)
        settings.append((float(ratio),))
        errors.append(np.abs(dense / sparse / (measured / measured_sparse) - 1))
    return Fit(A100, ("core.scratchpad.efficiency_ratio",), settings, np.array(errors))


def sparse24_clock() -> Fit:
    """Both times of the same rows."""
    settings, errors = [], []
    for clock_hz in range(1_100_000_000, 1_260_000_000, 10_000_000):
        measured, measured_sparse, dense, sparse = _sparse24({"clock_hz": clock_hz})
        settings.append((float(clock_hz),))
        off = (np.abs(dense / measured - 1), np.abs(sparse / measured_sparse - 1))
        errors.append(np.concatenate(off))
    return Fit("sparse24", ("clock_hz",), settings, np.array(errors))


def gpt3_gemm() -> Fit:
    """The products with weights; those with keys and values judge."""
    rows = [row for row in tables.read(gpt3.TABLE) if gpt3.reads_weights(row)]
    launches = _column(rows, "launches")
    settings, errors = [], []
    for ratio in np.arange(0.85, 1.001, 0.01).round(2):
        hardware = load_hardware(A100, {"memory.dram.efficiency_ratio": float(ratio)})
        runs = [gpt3.product_run(hardware, row) for row in rows]
        times = launches * (np.array([run.time_ns / 1e3 for run in runs]) + LLMCOMPASS_LAUNCH_US)
        settings.append((float(ratio),))
        errors.append(np.abs(times / _column(rows, "time_us") - 1))
    return Fit(A100, ("memory.dram.efficiency_ratio",), settings, np.array(errors))


def rtx3090_cusparselt() -> Fit:
    """The rows of m = 1024: two waves of tiles, and four."""
    rows = seen_rows("rtx3090", "sparse")
    measured = np.array([measured_us(row, "sparse") for row in rows])
    epilogue = "libraries.cusparselt.epilogue_ns"
    settings, errors = [], []
    for barrier, epilogue_ns in product(range(15, 28), range(4400, 5900, 100)):
        overrides = {"core.barrier_cycles": barrier, epilogue: epilogue_ns}
        times = _times_us(RTX3090, overrides, rows, "2:4")
        settings.append((float(barrier), float(epilogue_ns)))
        errors.append(np.abs(times / measured - 1))
    return Fit(RTX3090, ("core.barrier_cycles", epilogue), settings, np.array(errors))


def rtx3090_dense() -> Fit:
    """The rows of 1024x4096 that run in 128x64 tiles."""
    rows = seen_rows("rtx3090", "dense")
    measured = np.array([measured_us(row, "dense") for row in rows])
    key = "libraries.cublas.epilogue_ns"
    settings, errors = [], []
    for epilogue_ns in range(800, 1750, 50):
        times = _times_us(RTX3090, {key: epilogue_ns}, rows, "1:1")
        settings.append((float(epilogue_ns),))
        errors.append(np.abs(times / measured - 1))
    return Fit(RTX3090, (key,), settings, np.array(errors))


def deepbench() -> Fit:
    """Rows of two sizes m, with few columns and with many."""
    rows = seen_rows("v100_deepbench")
    measured = _column(rows, "time_us")
    slices, start = "libraries.tensorop.epilogue_slice_bytes", "kernel_start_ns"
    settings, errors = [], []
    for slice_bytes in range(216, 305, 8):
        apart_us: dict[tuple[str, ...], float] = {}
        for start_ns in range(4000, 6501, 250):
            hardware = load_hardware(V100, {**DEEPBENCH_LOOP, slices: slice_bytes, start: start_ns})
            times = []
            for row in rows:
                # Many columns are not split along k, so that a start only adds to their time.
                few = int(row["n"]) <= DEEPBENCH_FEW_COLUMNS
                size = row["m"], row["n"], row["k"], str(start_ns) if few else ""
                if size not in apart_us:
                    apart_us[size] = time_us(hardware, row) - start_ns / 1e3
                times.append(apart_us[size] + start_ns / 1e3)
            settings.append((float(start_ns), float(slice_bytes)))
            errors.append(np.abs(np.array(times) / measured - 1))
    return Fit(V100, (start, slices), settings, np.array(errors))


def mma() -> Fit:
    """Mean error of an instruction's latency and of its throughput at 4 and 8 warps."""
    rows = [row for row in tables.read("mma") if row["pattern"] == "1:1"]
    passes = np.array([4.0 if row["k"] == "8" and row["inputs"] == "fp16" else 8.0 for row in rows])
    settings: Settings = []
    errors = []
    for fixed, ratio, turnaround in product(
        np.arange(9.5, 12.1, 0.1), np.arange(1.5, 2.01, 0.05), np.arange(1.5, 3.6, 0.1)
    ):
        settings.append((float(fixed), float(ratio), float(turnaround)))
        latency = fixed + ratio * passes
        error = np.abs(latency / _column(rows, "latency_cycles") - 1)
        for warps, a_partition in (("4", 1), ("8", 2)):
            busy = _column(rows, f"in_flight_{warps}") * a_partition * passes
            iteration = np.maximum(latency, busy) + turnaround / a_partition
            error += np.abs(_column(rows, f"iteration_{warps}_cycles") / iteration - 1)
        errors.append(error / 3)
    issue = "core.tensor_cores.issue."
    names = ("latency_cycles", "latency_per_pass_ratio", "turnaround_cycles")
    return Fit(A100, tuple(issue + name for name in names), settings, np.array(errors))


def mma_sp() -> Fit:
    """Throughput of half depth in fp16, at 4 and 8 warps: fitted after, and with, `mma`."""
    rows = [row for row in tables.read("mma") if row["pattern"] == "2:4" and row["k"] == "16"]
    key = "core.tensor_cores.issue.sparse_interval_cycles"
    measured = np.array([float(row[f"macs_per_cycle_{n}"]) for row in rows for n in (4, 8)])
    settings: Settings = []
    errors = []
    for interval in np.arange(5, 7.01, 0.1).round(1):
        hardware = load_hardware(A100, {key: float(interval)})
        rates = [mma_row(hardware, row, n).macs_per_cycle for row in rows for n in (4, 8)]
        settings.append((float(interval),))
        errors.append(np.abs(np.array(rates) / measured - 1))
    return Fit(A100, (key,), settings, np.array(errors))


def _magicube(dtype: str) -> Fit:
    rows = seen_rows(f"magicube_{dtype}")
    measured = _column(rows, "time_us")
    settings, errors = [], []
    for clock_hz in PUBLISHED_CLOCKS_HZ:
        hardware = load_hardware("a100-sxm4-40gb", {"clock_hz": clock_hz})
        libraries = [magicube_library(dtype, row) for row in rows]
        device_us = np.array(
            [
                time_us(hardware, row, dtype=dtype, library=library)
                for row, library in zip(rows, libraries, strict=True)
            ]
        )
        for tenths_us in range(50, 301):
            settings.append((tenths_us / 10, float(clock_hz)))
            errors.append(np.abs((device_us + tenths_us / 10) / measured - 1))
    return Fit(f"magicube-{dtype}", ("launch_us", "clock_hz"), settings, np.array(errors))


def magicube_fp16() -> Fit:
    return _magicube("fp16")


def magicube_int8() -> Fit:
    """The rows that ran at all."""
    return _magicube("int8")


def resnet50() -> Fit:
    """What Paddle's host takes, at the small batches of one dtype."""
    rows = [row for row in tables.read(convolutions.NETWORKS) if convolutions.seen(row)]
    device = np.array([convolutions.network_ms(load_hardware(A100), row) for row in rows])
    settings: Settings = []
    errors = []
    for launch_us in range(100, 401, 5):
        settings.append((float(launch_us),))
        errors.append(np.abs((device + launch_us / 1e3) / _column(rows, "measured") - 1))
    return Fit(convolutions.NETWORKS, ("launch_us",), settings, np.array(errors))


def _short_rows(data_set: str) -> list[Row]:
    """Rows of a set that fits have seen, but for those that take long."""
    rows = [row for row in hopper.rows(data_set) if seen(hopper.TABLE, row)]
    return [row for row in rows if int(row["m"]) <= FP8_FITTED_M]


def _fp8_us(data_set: str, overrides: dict[str, object], rows: Sequence[Row]) -> Array:
    card = hopper.card(data_set)
    hardware = load_hardware(card.preset, card.overrides | overrides)
    return np.array([hopper.fp8_report(hardware, row).time_ns / 1e3 for row in rows])


def hopper_fp8() -> Fit:
    """What all of Hopper's machines share, on rows of two of them."""
    rows = {name: _short_rows(name) for name in (hopper.H100_SET, hopper.H20_SET)}
    measured = np.concatenate([_column(part, "time_us") for part in rows.values()])
    settings, errors = [], []
    sums_per_cycle = "libraries.deepgemm.promotion.sums_per_cycle"
    for sums in range(72, 91, 2):
        overrides: dict[str, object] = {"kernel_start_ns": 0, sums_per_cycle: sums}
        parts = [_fp8_us(name, overrides, part) for name, part in rows.items()]
        for start_ns in range(2000, 3600, 50):
            settings.append((float(start_ns), float(sums)))
            errors.append(np.abs((np.concatenate(parts) + start_ns / 1e3) / measured - 1))
    return Fit(H100, ("kernel_start_ns", sums_per_cycle), settings, np.array(errors))


def hopper_dirty() -> Fit:
    rows = _short_rows(hopper.H100_SET)
    measured = _column(rows, "time_us")
    settings, errors = [], []
    for hundredths in range(22, 43):
        times = _fp8_us(hopper.H100_SET, {"memory.l2.foreign_dirty_ratio": hundredths / 100}, rows)
        settings.append((hundredths / 100,))
        errors.append(np.abs(times / measured - 1))
    return Fit(hopper.H100_SET, ("foreign_dirty_ratio",), settings, np.array(errors))


def h100_sustained() -> Fit:
    """Short rows hardly see it."""
    rows = [row for row in hopper.rows(hopper.H100_SET) if seen(hopper.TABLE, row)]
    measured = _column(rows, "time_us")
    settings, errors = [], []
    for hundredths in range(70, 91):
        ratio = hundredths / 100
        times = _fp8_us(hopper.H100_SET, {"sustained.clock_ratio": ratio}, rows)
        settings.append((ratio,))
        errors.append(np.abs(times / measured - 1))
    return Fit(H100, ("sustained.clock_ratio",), settings, np.array(errors))


def networks_24() -> Fit:
    """Sparse int8 BERT of few tokens, which waits for its host."""
    rows = decisions.fitted_rows()
    measured = 1e3 * _column(rows, "sparse")
    runs = [sparse_stacks.faster_transformer_kernels(row) for row in rows]
    settings: Settings = []
    errors = []
    for tenths_us in range(150, 230):
        call_us = tenths_us / 10
        times = [sparse_stacks.paced(machine, sparse, call_us) for machine, _, sparse in runs]
        settings.append((call_us,))
        errors.append(np.abs(np.array(times) / measured - 1))
    return Fit("networks-24", ("sparse_call_us",), settings, np.array(errors))


def networks_dense() -> Fit:
    """FasterTransformer on A100s, where what limits tensor cores and what a token costs show."""
    rows = [row for row in tables.read(networks.TABLE) if networks.is_fitted(row)]
    measured = np.array([networks.measured_ms(row) for row in rows])
    requests = [networks.request_of(row) for row in rows]
    settings: Settings = []
    errors = []
    for thousandths in range(450, 660, 5):
        for tenths_ms in range(15, 45):
            setting = thousandths / 1000, tenths_ms / 10
            settings.append(setting)
            times = np.array([request.time_ms(*setting) for request in requests])
            errors.append(np.abs(times / measured - 1))
    return Fit(networks.GENERATION, ("busy_ratio", "token_ms"), settings, np.array(errors))


FITS: tuple[Callable[[], Fit], ...] = (
    llmcompass,
    sparse24,
    sparse24_clock,
    gpt3_gemm,
    rtx3090_cusparselt,
    rtx3090_dense,
    deepbench,
    mma,
    mma_sp,
    magicube_fp16,
    magicube_int8,
    resnet50,
    hopper_fp8,
    hopper_dirty,
    h100_sustained,
    networks_24,
    networks_dense,
)


def main() -> None:
    for fit_of in FITS:
        fit = fit_of()
        print(f"{fit_of.__name__.replace('_', '-')}: {fit.errors.shape[1]} rows, ", end="")
        print(f"best fit {fit.fitted_ratio:.1%}, leave-one-out error {fit.left_out_ratio:.1%}")
        for fitted in declared(fit):
            what, best = fitted.kind.value, fit.best_value(fitted.key)
            values = fit.values(fitted.key)
            print(f"  {what} {fitted.key}: {fitted.value:g} declared, {best:g} fits best, ", end="")
            print(f"{values.min():g} to {values.max():g}, ", end="")
            print(f"spread {fit.spread_ratio(fitted.key):.1%}, ", end="")
            print(f"standard error {fit.uncertainty_ratio(fitted.key):.1%}")


if __name__ == "__main__":
    main()
