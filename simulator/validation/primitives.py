"""Published figures of single instructions, of memories, and of another model's tensor core."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from simulator.engine import fast
from simulator.hardware import Hardware, load_hardware
from simulator.hardware.microbench import MmaTiming, mma_timing
from simulator.run.simulate import simulate
from simulator.schedule.program import Program, stream_program
from simulator.sparsity import Pattern
from simulator.units import PS_PER_SECOND, ceil_div
from simulator.validation import tables
from simulator.validation.fitted import A100
from simulator.validation.measurement import Measurement
from simulator.workload import Gemm, Stream, Workload

STC = "sparseloop-stc"

MMA_NAMES = {"binary": "b1"}

FLEXIBLE = ("2:6", "2:8")
"""Patterns that Sparseloop gives its tensor core beyond 2:4, at the bandwidth that 2:4 needs."""

NOT_COMPARED = {
    ("DSTC", "unstructured"): "skips zeros of activations, too",
    **{("STC-flexible-dual", p): "stores activations compressed, too" for p in FLEXIBLE},
}
"""Designs of Sparseloop's that the preset is no model of, and with which patterns."""


def mma_row(hardware: Hardware, row: dict[str, str], warps: int) -> MmaTiming:
    """What the model says to a row's instruction in a loop on so many warps."""
    return mma_timing(
        hardware,
        _mma_dtype(row),
        warps=warps,
        in_flight=int(row[f"in_flight_{warps}"]),
        pattern=row["pattern"],
        k=_mma_slots(row),
    )


def _mma_dtype(row: dict[str, str]) -> str:
    return MMA_NAMES.get(row["inputs"], row["inputs"])


def _mma_slots(row: dict[str, str]) -> int:
    return Pattern.parse(row["pattern"]).slots(int(row["k"]))


def mma(pattern: str, latencies: bool = False) -> Iterable[Measurement]:
    """Throughput at 4 and 8 warps; or completion latency.

    Fits of the issue constants have seen all dense figures, and throughput of sparse fp16
    instructions of half depth.
    """
    hardware = load_hardware(A100)
    for row in tables.read("mma"):
        if row["pattern"] != pattern:
            continue
        is_dense = pattern == "1:1"
        full = hardware.core.tensor_cores.instructions[_mma_dtype(row)].k
        depth = "full depth" if _mma_slots(row) == full else "half depth"
        part = "" if is_dense else depth
        name = f"{row['inputs']}/{row['sums']} k{row['k']}"
        if latencies:
            measured = float(row["latency_cycles"])
            predicted = mma_row(hardware, row, 4).latency_cycles
            yield Measurement(name, measured, predicted, part=part, fitted=is_dense, preset=A100)
            continue
        seen = is_dense or (depth == "half depth" and row["inputs"] == "fp16")
        for warps in (4, 8):
            measured = float(row[f"macs_per_cycle_{warps}"])
            predicted = mma_row(hardware, row, warps).macs_per_cycle
            label = f"{name}, {warps} warps"
            yield Measurement(label, measured, predicted, part=part, fitted=seen, preset=A100)


@cache
def _stc_cycles(pattern: str, m: int, n: int, k: int) -> int:
    """Cycles on Sparseloop's tensor core, given whatever pattern is asked for.

    Its mapper works on whole factors, so that k is filled up to whole steps.
    """
    overrides: dict[str, object] = {}
    if pattern in FLEXIBLE:
        overrides["sparsity.patterns"] = ["2:4", pattern]
    elif pattern.startswith("unstructured"):  # DSTC's dataflow reads every operand once
        overrides["core.scratchpad.bytes_per_cycle"] = 4096
    hardware = load_hardware(STC, overrides)
    if pattern in FLEXIBLE:
        step = Pattern.parse(pattern).span(hardware.core.tensor_cores.instructions["int8"].k)
        k = ceil_div(k, step) * step
    workload = Workload("row", [Gemm("gemm", m=m, n=n, k=k, dtype="int8")])
    return simulate(hardware, workload, pattern).total.cycles


def sparseloop(*, flexible: bool) -> Iterable[Measurement]:
    """Every design of the figure; those that the preset is no model of are set aside.

    DSTC's rows are predicted with zeros of weights anywhere, the nearest that nmsim has.

    Parameters
    ----------
    flexible : bool
        Rows of the patterns beyond 2:4, or all others.
    """
    for row in tables.read("sparseloop"):
        pattern = row["pattern"]
        if (pattern in FLEXIBLE) != flexible:
            continue
        if pattern == "unstructured":
            pattern = "1:1" if float(row["density"]) == 1 else f"unstructured:{row['density']}"
        m, n, k = int(row["m"]), int(row["n"]), int(row["k"])
        yield Measurement(
            f"{row['design']} {row['pattern']} {m}x{n}x{k}",
            float(row["cycles"]),
            _stc_cycles(pattern, m, n, k),
            set_aside=NOT_COMPARED.get((row["design"], row["pattern"]), ""),
            preset=STC,
        )


def memory(metric: str) -> Iterable[Measurement]:
    """Bandwidths as the slope between two sizes; or latencies of one core's first request."""
    for row in tables.read("memory"):
        if row["metric"] != metric:
            continue
        overrides = {
            "clock_hz": int(row["clock_hz"]),
            "core.count": int(row["cores"]),
            "memory.dram.bytes_per_second": int(row["dram_bytes_per_second"]),
            "memory.l2.start": "warm" if row["level"] == "l2" else "cold",
        }
        hardware = load_hardware(row["preset"], overrides)
        answer = _latency_cycles if metric == "latency_cycles" else _gb_per_second
        label = f"{row['preset']} {row['level']} {row['benchmark']}"
        predicted = answer(hardware, row["level"])
        yield Measurement(label, float(row["value"]), predicted, preset=row["preset"])


def _gb_per_second(hardware: Hardware, level: str) -> float:
    small, large = _footprints(hardware, level)
    # DRAM's curves are of a triad, which writes as much as it reads of either input.
    share = 3 if level == "dram" else 0
    time_ps = _streaming_ps(hardware, large, share) - _streaming_ps(hardware, small, share)
    return (large - small) / time_ps * PS_PER_SECOND / 1e9


def _footprints(hardware: Hardware, level: str) -> tuple[int, int]:
    l2 = hardware.memory.l2.bytes
    return (l2 // 4, l2 * 3 // 4) if level == "l2" else (4 * l2, 12 * l2)


def _streaming(hardware: Hardware, size: int, write_share: int = 0) -> Program:
    """Moves ``size`` bytes, of which one in ``write_share`` is written, if any."""
    library = hardware.libraries[hardware.library.dense]
    written = size // write_share if write_share else 0
    stream = Stream("read", reads=size - written, writes=max(1, written), dtype="int8")
    return stream_program(hardware.under(library), library, stream)


def _streaming_ps(hardware: Hardware, size: int, write_share: int) -> int:
    return fast.run(_streaming(hardware, size, write_share)).makespan_ps


def _latency_cycles(hardware: Hardware, _level: str) -> float:
    """From request to arrival of 32 bytes, less their own transfer."""
    program = _streaming(hardware, 32)
    waited = fast.run(program).waits(core=0).prologue - int(program.prologue_ps[-1])
    return (waited - int(program.rows_port_ps[-1])) * hardware.clock_hz / PS_PER_SECOND
