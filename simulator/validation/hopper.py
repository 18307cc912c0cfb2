"""fp8 products on Hopper machines, and what the model says to them.

Rows of Y are tokens and its columns the rows of the weights, as the kernels have it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from simulator.hardware import Hardware, load_hardware
from simulator.report.layer import LayerReport
from simulator.validation import tables
from simulator.validation.fitted import H20, H100, H800, condition
from simulator.validation.gemms import Row, compared, modelled, roofline_us, weights
from simulator.validation.measurement import Measurement

TABLE: Final = "hopper_fp8"
H100_SET, H800_SET, H20_SET = "h100-fp8", "h800-fp8", "h20-fp8"


class _Card(NamedTuple):
    """Which rows of the table a data set has, and the preset that stands for their card."""

    device: str
    preset: str
    overrides: dict[str, object]


def card(data_set: str) -> _Card:
    """A data set's card, as it was measured.

    Every call found L2 full of what the benchmark had written to clear it; the H100's clock falls
    under load.
    """
    ratio = condition(H100_SET, "foreign_dirty_ratio")
    dirty: dict[str, object] = {"memory.l2.foreign_dirty_ratio": ratio}
    return {
        H100_SET: _Card("H100", H100, dirty | {"sustained.applies": True}),
        H800_SET: _Card("H800", H800, dirty),
        H20_SET: _Card("H20", H20, dirty),
    }[data_set]


def rows(data_set: str) -> list[Row]:
    """The rows of the table that are a data set's."""
    return [row for row in tables.read(TABLE) if row["device"] == card(data_set).device]


def fp8_report(hardware: Hardware, row: Row) -> LayerReport:
    """The model's answer to a row; of large ones by samples, whose tiles are alike."""
    return modelled(hardware, row, dtype="fp8", accuracy="sampled")


def fp8(data_set: str) -> Iterable[Measurement]:
    """Device times."""
    of = card(data_set)
    hardware = load_hardware(of.preset, of.overrides)
    for row in rows(data_set):
        run = fp8_report(hardware, row)
        figures = (
            float(row["time_us"]),
            run.time_ns / 1e3,
            roofline_us(hardware, row, dtype="fp8"),
        )
        yield compared(TABLE, row, figures, run, family=f"*x{weights(row)}", preset=of.preset)
