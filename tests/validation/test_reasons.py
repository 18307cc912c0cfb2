"""Do worst rows move, or stay, as the pages of validation say that they would?

A row a claim of `docs/generate/validation/families/`: what is changed of the machine, and between
which errors the row then lies.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from documents import figures

from simulator.hardware import load_hardware
from simulator.validation import Measurement, gemms, gpt3, hopper, spatha, tables
from simulator.validation.fitted import A100, A100_40GB, RTX3090, V100, condition

RESULTS = {result.dataset.name: result for result in figures.kept()}
Overrides = dict[str, object]
Predict = Callable[[str, Overrides], float]

MAGICUBE = {"clock_hz": int(condition("magicube-fp16", "clock_hz"))}
SPLITS = "libraries.cublas.splits"
L2, L2_LATENCY = "memory.l2.bytes_per_cycle", "memory.l2.latency_cycles"
START, PORT, CLOCK = "kernel_start_ns", "core.port_bytes_per_cycle", "clock_hz"
SCRATCHPAD, DRAM = "core.scratchpad.efficiency_ratio", "memory.dram.efficiency_ratio"
DIRTY, BARRIER = "memory.l2.foreign_dirty_ratio", "core.barrier_cycles"


def _sizes(label: str) -> dict[str, str]:
    return dict(zip("mnk", label.split()[0].split("x"), strict=True))


def _launched(machine: str, own: Overrides, launch_us: float) -> Predict:
    """Products that hold what launches them."""

    def predict(label: str, more: Overrides) -> float:
        return launch_us + gemms.time_us(load_hardware(machine, own | more), _sizes(label))

    return predict


def _deepbench(label: str, more: Overrides) -> float:
    row = _sizes(label) | {"layout": label[-2:]}
    return gemms.time_us(load_hardware(V100, gemms.DEEPBENCH_LOOP | more), row)


def _values(label: str, more: Overrides) -> float:
    (row,) = (row for row in tables.read(gpt3.TABLE) if row["name"] == label)
    return gpt3.product_run(load_hardware(A100, more), row).time_ns / 1e3 + LLMCOMPASS_US


def _spatha(label: str, more: Overrides) -> float:
    (row,) = (
        row
        for row in tables.read(spatha.TABLE)
        if f"{spatha.pattern_of(row)} {row['m']}x{row['n']}x{row['k']}" == label and row["dense_us"]
    )
    return spatha.ran(load_hardware(RTX3090, more), row).time_ns / 1e3


def _hopper(data_set: str) -> Predict:
    def predict(label: str, more: Overrides) -> float:
        of = hopper.card(data_set)
        machine = load_hardware(of.preset, of.overrides | more)
        return hopper.fp8_report(machine, _sizes(label)).time_ns / 1e3

    return predict


LLMCOMPASS_US = gemms.LLMCOMPASS_LAUNCH_US
PREDICT: dict[str, Predict] = {
    "llmcompass": _launched(A100, {"sustained.applies": True}, LLMCOMPASS_US),
    "gpt3-gemm": _values,
    "magicube-fp16": _launched(A100_40GB, MAGICUBE, condition("magicube-fp16", "launch_us")),
    "v100-deepbench": _deepbench,
    "rtx3090-spatha-128": _spatha,
    "rtx3090-spatha-64": _spatha,
    "rtx3090-spatha-24": _spatha,
    **{name: _hopper(name) for name in (hopper.H100_SET, hopper.H800_SET, hopper.H20_SET)},
}
PREDICT["magicube-fp16-more"] = PREDICT["magicube-fp16"]

STAYS = None
CLAIMS: tuple[tuple[str, str, Overrides, tuple[float, float] | None], ...] = (
    ("llmcompass", "512x8192x512", {START: 3150}, (-0.02, 0.02)),
    ("llmcompass", "128x8192x128", {START: 3150}, (-1, -0.05)),
    ("gpt3-gemm", "A_mul_V", {L2: 2570}, STAYS),
    ("magicube-fp16", "1024x128x4608", {SPLITS: [2]}, (-0.10, 0.10)),
    ("magicube-fp16", "1024x128x4608", {SPLITS: [1]}, (0.25, 1)),
    ("magicube-fp16", "256x256x147", {SPLITS: [1]}, (-1, -0.10)),
    ("magicube-fp16-more", "512x128x2304", {SPLITS: [2]}, (0.02, 1)),
    ("v100-deepbench", "3072x16x1024 NN", {L2_LATENCY: 107}, STAYS),
    ("v100-deepbench", "3072x16x1024 NN", {BARRIER: 0}, STAYS),
    ("v100-deepbench", "6144x16x2048 NN", {DRAM: 0.8}, (-0.03, 0.03)),
    ("rtx3090-spatha-128", "128:2:20 3072x8192x768", {L2: 2800}, (0.15, 1)),
    ("rtx3090-spatha-128", "128:2:20 3072x8192x768", {PORT: 128}, (0.15, 1)),
    ("rtx3090-spatha-128", "128:2:20 3072x8192x768", {SCRATCHPAD: 1.0}, (0.15, 1)),
    ("rtx3090-spatha-128", "128:2:20 3072x8192x768", {START: 0}, (0.15, 1)),
    ("rtx3090-spatha-128", "128:2:20 3072x8192x768", {CLOCK: 1_695_000_000}, (0.09, 0.12)),
    ("rtx3090-spatha-64", "64:2:20 768x8192x3072", {L2: 2800}, STAYS),
    ("rtx3090-spatha-64", "64:2:20 768x8192x3072", {L2_LATENCY: 100}, STAYS),
    ("rtx3090-spatha-64", "64:2:20 768x8192x3072", {SCRATCHPAD: 1.0}, STAYS),
    ("rtx3090-spatha-24", "64:2:4 1024x8192x4096", {PORT: 128}, (0.05, 0.12)),
    ("rtx3090-spatha-24", "64:2:4 1024x8192x4096", {L2: 2800}, STAYS),
    ("rtx3090-spatha-24", "64:2:4 1024x8192x4096", {SCRATCHPAD: 1.0}, STAYS),
    ("h100-fp8", "128x6144x8192", {DIRTY: 1.0}, (0.05, 1)),
    ("h800-fp8", "32768x576x7168", {DIRTY: 1.0}, (-1, -0.25)),
    ("h800-fp8", "32768x576x7168", {CLOCK: 1_200_000_000}, (0.05, 1)),
    ("h20-fp8", "16x2048x512", {START: 2000}, (-0.03, 0.03)),
)


@pytest.mark.slow
@pytest.mark.parametrize(("data_set", "label", "changed", "between"), CLAIMS)
def test_a_worst_row_moves_as_it_is_explained(
    data_set: str, label: str, changed: Overrides, between: tuple[float, float] | None
) -> None:
    point = _point(data_set, label)
    predicted = PREDICT[data_set](label, changed)
    if between is STAYS:
        assert predicted == pytest.approx(point.predicted, rel=0.01)
    else:
        low, high = between
        assert low <= predicted / point.measured - 1 <= high


def _point(data_set: str, label: str) -> Measurement:
    return next(point for point in RESULTS[data_set].points if point.label == label)


@pytest.mark.slow
@pytest.mark.parametrize("data_set", PREDICT)
def test_unchanged_a_row_is_the_one_that_is_kept(data_set: str) -> None:
    label = next(label for name, label, *_ in CLAIMS if name == data_set)
    kept = _point(data_set, label).predicted
    assert PREDICT[data_set](label, {}) == pytest.approx(kept, rel=1e-5)


def test_a_product_of_twice_the_macs_took_less_time() -> None:
    """In int8, through cuBLAS."""
    worst = RESULTS["magicube-int8"].worst
    assert worst is not None
    twice = _point("magicube-int8", "4000x128x2048")
    assert twice.macs > 1.9 * worst.macs
    assert twice.measured < worst.measured
