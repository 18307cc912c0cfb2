"""Every number that was set by looking at a measurement that `validate` compares with.

All other numbers of a preset come from a data sheet, a whitepaper or a microbenchmark that is no
data set here, and say so beside them. `nmsim validate -v` prints this table, `make
leave-one-out` fits its constants and conditions again, and ARCHITECTURE.md shows it; tests hold all
three, and the presets, to what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

A100, A100_40GB = "a100-sxm4-80gb", "a100-sxm4-40gb"
RTX3090, V100 = "rtx3090", "v100-sxm2"
H100, H800, H20 = "h100-sxm", "h800", "h20"


class Kind(StrEnum):
    """What was fitted: a number of a machine, or a circumstance of one set of measurements."""

    CONSTANT = "constant"
    CONDITION = "condition"


@dataclass(frozen=True)
class Fitted:
    """A number fitted to measurements by a grid search on the mean absolute error.

    Attributes
    ----------
    of : str
        The preset that has the constant, or the data set that has the condition.
    key : str
        Dotted key of the preset, or the condition's name with its unit.
    seen : dict of str to int
        How many rows of which data sets the fit has seen.
    spread_ratio : float
        Standard deviation over the mean of what is fitted without each row in turn, as `make
        leave-one-out` prints it.
    left_out_ratio : float
        Mean absolute error on the rows left out.
    """

    kind: Kind
    of: str
    key: str
    value: float
    seen: dict[str, int]
    spread_ratio: float
    left_out_ratio: float


@dataclass(frozen=True)
class ReadOff:
    """A number of a preset that was read off rows which it is then compared with.

    Of such numbers a data set shows how the model puts them to use, not how good they are.
    """

    of: str
    key: str
    value: float
    data_set: str


def _fitted() -> Iterator[Fitted]:
    constant, condition_ = Kind.CONSTANT, Kind.CONDITION
    start, barrier, issue = "kernel_start_ns", "core.barrier_cycles", "core.tensor_cores.issue."
    yield Fitted(constant, A100, start, 6300, {"llmcompass": 10}, 0.028, 0.027)
    yield Fitted(constant, A100, "sustained.clock_ratio", 0.95, {"llmcompass": 10}, 0.006, 0.027)
    # One ratio is made of both times of a row.
    ratios = {"sparse24": 4, "sparse24-dense": 4, "sparse24-sparse": 4}
    yield Fitted(constant, A100, "core.scratchpad.efficiency_ratio", 0.88, ratios, 0.011, 0.033)
    yield Fitted(constant, A100, _EFFICIENCY, 0.94, {"gpt3-gemm": 4}, 0.011, 0.023)
    figures = {"mma": 16, "mma-latency": 8}
    yield Fitted(constant, A100, issue + "latency_cycles", 10.5, figures, 0.020, 0.027)
    yield Fitted(constant, A100, issue + "latency_per_pass_ratio", 1.8, figures, 0.028, 0.027)
    yield Fitted(constant, A100, issue + "turnaround_cycles", 2.6, figures, 0.038, 0.027)
    halves = {"mma-sp": 4}  # throughput of half depth, fp16; that of tf32 was left to judge by
    yield Fitted(constant, A100, issue + "sparse_interval_cycles", 6, halves, 0.008, 0.066)
    own, sparse = "libraries.{}.epilogue_ns", {"rtx3090-cusparselt": 18}
    sparse["rtx3090-cusparselt-speedup"] = 18  # ratios of the same times; rows of m = 1024
    yield Fitted(constant, RTX3090, barrier, 25, sparse, 0.022, 0.002)
    yield Fitted(constant, RTX3090, own.format("cusparselt"), 5000, sparse, 0.009, 0.002)
    dense = {"rtx3090-dense": 10}  # of 1024x4096
    yield Fitted(constant, RTX3090, own.format("cublas"), 1250, dense, 0.020, 0.001)
    two_m = {"v100-deepbench": 19}  # of m = 2048 and m = 6144
    slices = "libraries.tensorop.epilogue_slice_bytes"
    yield Fitted(constant, V100, start, 5000, two_m, 0.019, 0.033)
    yield Fitted(constant, V100, slices, 256, two_m, 0.012, 0.033)
    times = {"sparse24-dense": 4, "sparse24-sparse": 4}
    yield Fitted(condition_, "sparse24", "clock_hz", 1_180_000_000, times, 0.004, 0.025)
    fp16, int8 = "magicube-fp16", "magicube-int8"
    yield Fitted(condition_, fp16, "launch_us", 10.3, {fp16: 44}, 0.0, 0.039)
    yield Fitted(condition_, fp16, "clock_hz", 1_095_000_000, {fp16: 44}, 0.0, 0.039)
    yield Fitted(condition_, int8, "launch_us", 20.5, {int8: 47}, 0.002, 0.149)
    yield Fitted(condition_, int8, "clock_hz", 1_095_000_000, {int8: 47}, 0.0, 0.149)
    calls = {"networks-24": 3, "decisions": 3}  # sparse times of int8 BERT, up to 256 tokens
    yield Fitted(condition_, "networks-24", "sparse_call_us", 18.6, calls, 0.003, 0.006)
    small = {"resnet50": 4}  # Paddle's in fp16 up to batch 8
    yield Fitted(condition_, "resnet50", "launch_us", 220, small, 0.043, 0.035)
    # Rows of some families, see `gemms.FP8_FITTED`; the h800 and h20 presets inherit the constants.
    short, h100 = {"h100-fp8": 18, "h20-fp8": 65}, {"h100-fp8": 28}
    sums = "libraries.deepgemm.promotion.sums_per_cycle"
    yield Fitted(constant, H100, start, 2800, short, 0.0, 0.037)
    yield Fitted(constant, H100, sums, 80, short, 0.0, 0.037)
    yield Fitted(constant, H100, "sustained.clock_ratio", 0.8, h100, 0.0, 0.030)
    # FasterTransformer's on A100s: requests of short prompts, and encoders of many tokens.
    whole = {"networks-generation": 7, "networks-bert-large": 5}
    yield Fitted(condition_, "networks-generation", "busy_ratio", 0.565, whole, 0.004, 0.042)
    yield Fitted(condition_, "networks-generation", "token_ms", 2.9, whole, 0.048, 0.042)
    dirty = {"h100-fp8": 18}
    yield Fitted(condition_, "h100-fp8", "foreign_dirty_ratio", 0.32, dirty, 0.014, 0.041)


_EFFICIENCY, _LATENCY = "memory.dram.efficiency_ratio", "memory.dram.latency_ns"

FITTED: tuple[Fitted, ...] = tuple(_fitted())

MOST_CONSTANTS, MOST_CONDITIONS = 8, 2
"""That a machine, what it inherits included, and a data set may have: more would describe the
measurements, not the machine."""

MOST_SPREAD = 0.2
"""Of what is fitted without each row: beyond, the rows do not say what a number is."""

_BANDWIDTH, _NEAR, _FAR = (
    f"memory.l2.{key}" for key in ("bytes_per_cycle", "latency_cycles", "halves.far_latency_cycles")
)
_WRITES = "memory.dram.write_efficiency_ratio"

READ_OFF: tuple[ReadOff, ...] = (
    ReadOff(A100, _BANDWIDTH, 3855, "memory"),
    ReadOff(A100, _NEAR, 211, "memory-latency"),
    ReadOff(A100, _FAR, 213, "memory-latency"),
    ReadOff(A100, _WRITES, 0.72, "memory"),
    ReadOff(A100, _LATENCY, 405.7, "memory-latency"),
    ReadOff(A100_40GB, _WRITES, 0.772, "memory"),
    ReadOff(A100_40GB, _LATENCY, 407.1, "memory-latency"),
    ReadOff(V100, _BANDWIDTH, 1761, "memory"),
    ReadOff(V100, _NEAR, 215, "memory-latency"),
    ReadOff(V100, _EFFICIENCY, 0.903, "memory"),
    ReadOff(V100, _LATENCY, 316.7, "memory-latency"),
    ReadOff(H100, _BANDWIDTH, 4700, "memory"),
    ReadOff(H100, _NEAR, 265, "memory-latency"),
    ReadOff(H100, _FAR, 197, "memory-latency"),
    ReadOff(H100, _EFFICIENCY, 0.889, "memory"),
    ReadOff(H100, _LATENCY, 374.4, "memory-latency"),
    ReadOff(A100, "core.tensor_cores.drain_cycles", 24.7, "mma"),
    ReadOff(A100, "libraries.cublas.busy_ratio", 0.5, "magicube-fp16"),
    ReadOff(A100, "sustained.settling_ms", 0.3, "llmcompass"),
    ReadOff(H100, "sustained.settling_ms", 10, "h100-fp8"),
    ReadOff(RTX3090, "clock_hz", 1_395_000_000, "rtx3090-cusparselt"),
)


def condition(data_set: str, key: str) -> float:
    """The value of a fitted condition."""
    return next(
        fitted.value
        for fitted in FITTED
        if (fitted.kind, fitted.of, fitted.key) == (Kind.CONDITION, data_set, key)
    )


def machine_conditions(data_set: str) -> dict[str, object]:
    """The fitted conditions of a data set that are keys of the machine, such as its clock."""
    return {
        fitted.key: fitted.value if fitted.value % 1 else int(fitted.value)
        for fitted in FITTED
        if (fitted.kind, fitted.of) == (Kind.CONDITION, data_set) and fitted.key != "launch_us"
    }


def rows_seen(data_set: str) -> int:
    """How many rows of a data set some fit has seen."""
    return max(fitted.seen.get(data_set, 0) for fitted in FITTED)


def is_read_off(data_set: str) -> bool:
    """Whether its figures rest on numbers read off it, and on nothing that was fitted to it."""
    return not rows_seen(data_set) and any(number.data_set == data_set for number in READ_OFF)
