"""Published times of layers that only move data."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.hardware import load_hardware
from simulator.run.simulate import simulate
from simulator.units import DTYPE_BITS
from simulator.validation import tables
from simulator.validation.fitted import A100
from simulator.validation.measurement import Measurement
from simulator.workload import Stream, Workload

LAUNCH_US = {"softmax": 12.0, "normalization": 45.0, "elementwise": 45.0}
"""What LLMCompass adds to an A100's softmax, layer norm and GELU: hardware_model/compute_module.py
of its repository."""


def gpt3_streams() -> Iterable[Measurement]:
    """Wall-clock times; the host's part is what their authors add to every such layer."""
    hardware = load_hardware(A100)
    for row in tables.read("gpt3_streams"):
        kind, size = row["kind"], int(row["rows"]) * int(row["row"])
        layer = Stream(kind, size, size, kind).over_rows(int(row["row"]))
        found = simulate(hardware, Workload("row", [layer])).layers[0]
        moved_bytes = 2 * size * DTYPE_BITS[layer.dtype] / 8
        yield Measurement(
            f"{kind} {row['rows']}x{row['row']}",
            float(row["time_us"]),
            found.time_ps / 1e6 + LAUNCH_US[kind],
            1e6 * moved_bytes / hardware.memory.dram.bytes_per_second + LAUNCH_US[kind],
            bound=found.bound,
            preset=A100,
        )
