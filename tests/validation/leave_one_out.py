"""How far do the fitted numbers move, and how good are they on a row they did not see?

Run with `make leave-one-out`. For every data set that something was fitted to, each row is left out
in turn, the numbers are fitted to the others by a grid search on the mean absolute error, and the
row is predicted. Prints, for constants of machines and conditions of data sets alike, what is
declared, what fits best today, the spread, and the error on the rows left out. `fitted` carries the
figures; the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from simulator import load_hardware
from simulator.validation import gpt3, tables
from simulator.validation.fitted import A100, FITTED, RTX3090, Fitted, machine_conditions
from simulator.validation.fitting import Array, Fit, Settings
from simulator.validation.gemms import (
    LLMCOMPASS_LAUNCH_US,
    PATTERNS,
    QUEUED,
    Row,
    library_of,
    measured_us,
    seen_rows,
    time_us,
)

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
    dtype: str = "fp16",
) -> Array:
    hardware = load_hardware(preset, overrides)
    return np.array([time_us(hardware, row, pattern, dtype) for row in rows])


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
    for ratio in np.arange(0.80, 1.001, 0.02).round(2):
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
    for barrier, epilogue_ns in product(range(10, 35, 5), range(5500, 7600, 250)):
        overrides = {"kernel_start_ns": 0, "core.barrier_cycles": barrier, epilogue: epilogue_ns}
        times = _times_us(RTX3090, overrides, rows, "2:4")
        for start_ns in range(0, 3100, 100):
            settings.append((float(start_ns), float(barrier), float(epilogue_ns)))
            errors.append(np.abs((times + start_ns / 1e3) / measured - 1))
    keys = ("kernel_start_ns", "core.barrier_cycles", epilogue)
    return Fit(RTX3090, keys, settings, np.array(errors))


def rtx3090_dense() -> Fit:
    """The rows of 1024x4096 that run in 128x64 tiles."""
    rows = seen_rows("rtx3090", "dense")
    measured = np.array([measured_us(row, "dense") for row in rows])
    key = "libraries.cublas.epilogue_ns"
    settings, errors = [], []
    for epilogue_ns in range(600, 2100, 100):
        times = _times_us(RTX3090, {key: epilogue_ns}, rows, "1:1")
        settings.append((float(epilogue_ns),))
        errors.append(np.abs(times / measured - 1))
    return Fit(RTX3090, (key,), settings, np.array(errors))


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


def _magicube(dtype: str) -> Fit:
    rows = seen_rows(f"magicube_{dtype}")
    measured = _column(rows, "time_us")
    settings, errors = [], []
    for clock_hz in PUBLISHED_CLOCKS_HZ:
        device_us = _times_us("a100-sxm4-40gb", {"clock_hz": clock_hz}, rows, "1:1", dtype)
        for tenths_us in range(50, 301):
            settings.append((tenths_us / 10, float(clock_hz)))
            errors.append(np.abs((device_us + tenths_us / 10) / measured - 1))
    return Fit(f"magicube-{dtype}", ("launch_us", "clock_hz"), settings, np.array(errors))


def magicube_fp16() -> Fit:
    return _magicube("fp16")


def magicube_int8() -> Fit:
    """The rows that ran at all."""
    return _magicube("int8")


FITS: tuple[Callable[[], Fit], ...] = (
    llmcompass,
    sparse24,
    sparse24_clock,
    gpt3_gemm,
    rtx3090_cusparselt,
    rtx3090_dense,
    mma,
    magicube_fp16,
    magicube_int8,
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
            print(f"spread {fit.spread_ratio(fitted.key):.1%}")


if __name__ == "__main__":
    main()
