"""Pictures of results, drawn with matplotlib and written as PNG, SVG or PDF by the file's name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from simulator.comparison import Comparison
from simulator.errors import writing
from simulator.report import CORE_TIME

COLOURS: Final = {
    "kernel_start": "#6b6b6b",
    "mac_useful": "#1b7f4d",
    "mac_padding": "#9fd3b6",
    "scratchpad_stall": "#d1495b",
    "operand_stall": "#edae49",
    "barrier": "#f4d58d",
    "memory_stall": "#30638e",
    "prologue": "#7ea6c4",
    "epilogue": "#8d6a9f",
    "reduction": "#c6b1cf",
    "idle": "#d9d9d9",
}
"""Multiplying is green, waiting inside the core warm, waiting for memory blue."""


def draw_core_time(comparison: Comparison, path: str | Path) -> None:
    """Stacked bars: where an average core's time goes, one bar a pattern."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    reports = comparison.reports
    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.62 * len(reports)), layout="constrained")
    longest = max(report.total.time_ns for report in reports)
    for row, report in enumerate(reports):
        left = 0.0
        for kind, time_ns in comparison.core_time_ns(report).items():
            label = kind.replace("_", " ").replace("mac", "MAC") if row == 0 else None
            axes.barh(row, time_ns / 1e3, left=left / 1e3, color=COLOURS[kind], label=label)
            left += time_ns
        gain = comparison.speedup(report)
        axes.text((left + 0.01 * longest) / 1e3, row, f"{gain:.2f}x", va="center")
    first = comparison.first
    axes.set_yticks(range(len(reports)), [str(report.pattern) for report in reports])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1 * longest / 1e3)
    axes.set_xlabel("time of an average core, µs")
    axes.set_title(f"{first.workload} on {first.hardware}: where the time goes", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False
    )
    assert len(COLOURS) == len(CORE_TIME)
    with writing(path):
        figure.savefig(path, dpi=150)
    plt.close(figure)
