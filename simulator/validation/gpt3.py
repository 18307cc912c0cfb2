"""Products of one GPT-3 layer that decodes on four A100s, and what the model says to them."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.hardware import Hardware, load_hardware
from simulator.report.layer import LayerReport
from simulator.run.simulate import simulate
from simulator.units import DTYPE_BITS
from simulator.validation import tables
from simulator.validation.fitted import A100
from simulator.validation.gemms import LLMCOMPASS_LAUNCH_US, Row
from simulator.validation.measurement import Measurement
from simulator.workload import Gemm, Matmul, Workload

TABLE = "gpt3_gemm"


def reads_weights(row: Row) -> bool:
    """Whether a product has weights, rather than keys or values of one sequence each."""
    return int(row["batch"]) == 1


def product_run(hardware: Hardware, row: Row) -> LayerReport:
    """The model's answer to one launch of a row."""
    m, n, k, batch = (int(row[size]) for size in ("m", "n", "k", "batch"))
    weights = reads_weights(row)
    layer = Gemm("row", m=m, n=n, k=k) if weights else Matmul("row", m=m, n=n, k=k, batch=batch)
    return simulate(hardware, Workload("row", [layer]), "1:1").layers[0]


def gpt3_gemm() -> Iterable[Measurement]:
    """Wall-clock times of a row's launches; the host's part is what their authors add to each."""
    hardware = load_hardware(A100)
    for row in tables.read(TABLE):
        launches = int(row["launches"])
        run = product_run(hardware, row)
        yield Measurement(
            row["name"],
            float(row["time_us"]),
            launches * (run.time_ns / 1e3 + LLMCOMPASS_LAUNCH_US),
            launches * (_dram_us(hardware, row) + LLMCOMPASS_LAUNCH_US),
            part="weights" if reads_weights(row) else "keys and values",
            fitted=reads_weights(row),
            mapping=run.mapping,
            bound=run.bound,
            macs=run.macs,
            preset=A100,
        )


def _dram_us(hardware: Hardware, row: Row) -> float:
    """Peak DRAM time of all operands; compute takes less of so narrow products."""
    m, n, k, batch = (int(row[size]) for size in ("m", "n", "k", "batch"))
    size = DTYPE_BITS["fp16"] / 8 * batch * (m * k + k * n + m * n)
    return 1e6 * size / hardware.memory.dram.bytes_per_second
