"""How far do the fitted constants move, and how good are they on a row they did not see?

Run with `make leave-one-out`. For every data set a constant was fitted to, each row is left out in
turn, the constants are fitted to the others by a grid search on the mean absolute error, and the
row is predicted. Prints each constant's spread and the error on the rows left out. ARCHITECTURE.md
carries the figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np
import numpy.typing as npt

from simulator import Gemm, Workload, load_hardware, simulate
from simulator.validation import tables
from simulator.validation.datasets import LLMCOMPASS_LAUNCH_US, VENOM_SWITCH_K

Array = npt.NDArray[np.float64]


def _times_us(preset: str, overrides: dict[str, object], rows: list, pattern: str) -> Array:
    hardware = load_hardware(preset, overrides)
    times = []
    for row in rows:
        sizes = {name: int(row[name]) for name in ("m", "n", "k")}
        workload = Workload("row", [Gemm("gemm", **sizes)])
        times.append(simulate(hardware, workload, pattern).total.time_ns / 1e3)
    return np.array(times)


def _report(name: str, settings: list[tuple[float, ...]], names: list[str], errors: Array) -> None:
    """``errors[setting, row]``: the best setting without a row, and its error on that row."""
    rows = errors.shape[1]
    whole = int(np.abs(errors).mean(axis=1).argmin())
    chosen, left_out = [], []
    for row in range(rows):
        others = np.delete(errors, row, axis=1)
        best = int(np.abs(others).mean(axis=1).argmin())
        chosen.append(settings[best])
        left_out.append(abs(errors[best, row]))
    print(f"{name}: {rows} rows, fitted error {np.abs(errors[whole]).mean():.2%}, ", end="")
    print(f"leave-one-out error {np.mean(left_out):.2%}")
    for index, constant in enumerate(names):
        values = np.array([setting[index] for setting in chosen])
        print(f"  {constant}: {settings[whole][index]:g}, ", end="")
        print(f"{values.min():g} to {values.max():g}, spread {values.std() / values.mean():.1%}")


def _llmcompass() -> None:
    rows = tables.read("llmcompass")
    measured = np.array([float(row["time_us"]) for row in rows])
    settings, errors = [], []
    for barrier in range(20, 75, 5):
        overrides = {"core.barrier_cycles": barrier, "kernel_start_ns": 0}
        times = _times_us("a100-sxm4-80gb", overrides, rows, "1:1") + LLMCOMPASS_LAUNCH_US
        for start_ns in range(5000, 8100, 100):
            settings.append((start_ns, barrier))
            errors.append((times + start_ns / 1e3) / measured - 1)
    _report("llmcompass", settings, ["kernel_start_ns", "barrier_cycles"], np.array(errors))


def _sparse24() -> None:
    rows = tables.read("sparse24")
    measured = np.array([float(row["dense_us"]) / float(row["sparse_us"]) for row in rows])
    settings, errors = [], []
    for ratio in np.arange(0.80, 1.001, 0.02).round(2):
        overrides = {"core.scratchpad.efficiency_ratio": float(ratio)}
        dense, sparse = (_times_us("a100-sxm4-80gb", overrides, rows, p) for p in ("1:1", "2:4"))
        settings.append((float(ratio),))
        errors.append(dense / sparse / measured - 1)
    _report("sparse24", settings, ["scratchpad.efficiency_ratio"], np.array(errors))


def _venom() -> None:
    rows = [row for row in tables.read("venom") if int(row["k"]) < VENOM_SWITCH_K]
    dense_us = np.array([float(row["dense_us"]) for row in rows])
    ratio = dense_us / np.array([float(row["sparse_us"]) for row in rows])
    settings, errors = [], []
    for barrier in range(40, 170, 10):
        overrides = {"core.barrier_cycles": barrier}
        dense, sparse = (_times_us("rtx3090", overrides, rows, p) for p in ("1:1", "2:4"))
        settings.append((float(barrier),))
        both = (np.abs(dense / dense_us - 1) + np.abs(dense / sparse / ratio - 1)) / 2
        errors.append(both)
    _report("venom", settings, ["barrier_cycles"], np.array(errors))


def _mma() -> None:
    rows = [row for row in tables.read("mma") if row["pattern"] == "1:1"]
    settings, errors = [], []
    passes = [4.0 if row["k"] == "8" and row["inputs"] == "fp16" else 8.0 for row in rows]
    for fixed, ratio, turnaround in product(
        np.arange(9.5, 12.1, 0.1), np.arange(1.5, 2.01, 0.05), np.arange(1.5, 3.6, 0.1)
    ):
        settings.append((float(fixed), float(ratio), float(turnaround)))
        errors.append(
            [_mma_error(*settings[-1], p, row) for p, row in zip(passes, rows, strict=True)]
        )
    names = ["latency_cycles", "latency_per_pass_ratio", "turnaround_cycles"]
    _report("mma", settings, names, np.array(errors))


def _mma_error(
    fixed: float, ratio: float, turnaround: float, passes: float, row: dict[str, str]
) -> float:
    """Mean absolute error of an instruction's latency and of its throughput at 4 and 8 warps."""
    latency = fixed + ratio * passes
    errors = [latency / float(row["latency_cycles"]) - 1]
    for warps, partition in (("4", 1), ("8", 2)):
        busy = int(row[f"in_flight_{warps}"]) * partition * passes
        iteration = max(latency, busy) + turnaround / partition
        errors.append(float(row[f"iteration_{warps}_cycles"]) / iteration - 1)
    return float(np.abs(errors).mean())


def main(data_sets: Iterable = (_llmcompass, _sparse24, _venom, _mma)) -> None:
    for data_set in data_sets:
        data_set()


if __name__ == "__main__":
    main()
