"""Axes of `04_design_space`, their units, and its picture of Pareto fronts."""

from __future__ import annotations

import pandas as pd

from simulator.pictures import new_picture, pareto
from simulator.pictures.style import Picture

CORES, PAD = "core.count", "core.scratchpad.bytes_per_cycle"
OPERAND, GROUP = "core.register_file.operand_bytes_per_cycle", "sparsity.largest_group"
L2, DRAM = "memory.l2.bytes_per_cycle", "memory.dram.bytes_per_second"


def with_units(frame: pd.DataFrame) -> pd.DataFrame:
    """Time, energy and area in units that suit a block of GPT-3."""
    return frame.assign(
        **{
            "time, ms": frame["time_ns"] / 1e6,
            "energy, mJ": frame["energy_pj"] / 1e9,
            "area, mm²": frame["area_mm2"],
        }
    )


def fronts_picture(frame: pd.DataFrame, title: str) -> Picture:
    """Time over area, a panel a pattern, what is not beaten joined."""
    axes = frame[[CORES, PAD, OPERAND, GROUP]].itertuples(index=False)
    names = [
        f"{cores} cores, {pad:g}/{operand:g} B, g{group}" for cores, pad, operand, group in axes
    ]
    patterns = list(frame["pattern"].unique())
    picture = new_picture(10.5, 4.5 * len(patterns))
    for panel, pattern in zip(picture.subfigures(len(patterns), 1), patterns, strict=True):
        rows = frame.set_index(pd.Index(names)).query("pattern == @pattern")
        points = rows.rename(columns={"time, ms": "time_ms"})
        pareto(panel, points[["area_mm2", "time_ms"]], title=f"{title}, {pattern}")
    return picture
