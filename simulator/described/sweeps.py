"""The columns of sweeps, fronts and searches. Keys that vary are columns, too: a machine's own."""

from __future__ import annotations

from typing import Final

from simulator.described.reports import COSTS, COUNTS, TIMES
from simulator.described.table import Described, Table

_TOTAL: Final = {figure.name: figure for figure in (*TIMES, *COUNTS, *COSTS)}
_KEPT: Final = ("cycles", "macs", "macs_executed", "mac_utilization", "bound", "kernels")

SWEEP: Final = Table(
    "sweep",
    "Rows of a sweep: a machine, a network, a stack and a pattern each. Every key that varies is a "
    "column with its dotted name. Figures of a row that failed are missing.",
    (
        Described("hardware", "", "Name of the machine, which points of one base share."),
        Described("workload", "", "Name of the network, with its parameters in brackets."),
        Described("stack", "", "Software stack whose kernels ran; listed: each layer is one."),
        Described("pattern", "", "Pattern that all layers with weights were asked to follow; "
                  "missing: as the trace says."),
        Described("engine", "", "What simulated it: fast or reference; both give the same."),
        Described("accuracy", "", "exact, where every event was simulated, or sampled."),
        Described("executed_as", "", "Patterns that layers with weights ran as, and how many "
                  "launches each."),
        _TOTAL["time_ns"],
        _TOTAL["time_ps"],
        Described("speedup", "", "Over the baseline pattern on the same machine, network and "
                  "stack; missing where that was not run. sweep.baseline says which it is; by "
                  "default dense, else the first.", "time_ps of the baseline / time_ps"),
        *(_TOTAL[name] for name in _KEPT),
        Described("dram_bytes", "bytes", "Bytes read from main memory and written to it, all "
                  "layers."),
        Described("l2_bytes", "bytes", "Bytes that passed between L2 and cores, both ways, all "
                  "layers."),
        _TOTAL["energy_pj"],
        Described("area_mm2", "mm2", "Estimated area of the parts that a pattern changes: "
                  "arithmetic, selectors, operand paths, memories. Only ratios mean anything."),
        *(_TOTAL[name] for name in ("power_w", "throttled", "time_error_ratio",
                                    "dram_error_ratio")),
        Described("error", "", "Why the point could not be simulated; missing where it could."),
        Described("key", "", "SHA-256 of all that decides the figures: machine, layers, pattern, "
                  "engine, accuracy and the model's code."),
    ),
)  # fmt: skip

FRONT: Final = Table(
    "front",
    "Rows of a Pareto front: those of a sweep, of which points that are equal in every figure are "
    "one.",
    (
        *SWEEP.figures,
        Described("ties", "", "Points that are equal to this one in every figure, itself "
                  "included."),
        Described("idle", "", "Keys in which those points differ, and which had no effect; missing "
                  "where there is one point."),
    ),
)  # fmt: skip

SEARCH: Final = Table(
    "search",
    "Rows of a search: a trial each, a machine and a pattern that run all networks. Every key that "
    "varies is a column with its dotted name.",
    (
        Described("trial", "", "Number of the trial, in the order in which they were drawn."),
        SWEEP.figures[3],
        Described("time_ns", "ns", "Device time, summed over the networks; missing where the trial "
                  "failed."),
        Described("energy_pj", "pJ", "Energy, summed over the networks; missing where the trial "
                  "failed."),
        Described("area_mm2", "mm2", "Estimated area of the parts that a pattern changes, once."),
        Described("pareto", "", "Whether no other trial is better in one objective and as good in "
                  "the others."),
        Described("error", "", "Why the trial has no figures: a constraint, or what failed; "
                  "missing where it has."),
    ),
)  # fmt: skip
