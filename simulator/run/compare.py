"""``Hardware, Workload, patterns -> Comparison``: several runs of one network side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.report.comparison import Comparison
from simulator.report.report import Report
from simulator.run.asked import (
    PatternWeights,
    Weights,
    dense_note,
    staying_dense,
    weights_by_pattern,
)
from simulator.run.fastest import Compared, mixed
from simulator.run.kernels import kernels_of, with_weights
from simulator.run.simulate import LayerProgress, simulate
from simulator.schedule.mapping import Mapping
from simulator.sparsity import FASTEST, AnyPattern
from simulator.workload import Workload
from simulator.workload.layer import LISTED
from simulator.workload.stack import Stack


def compare(
    hardware: Hardware | str | Path,
    workload: Workload | str | Path,
    patterns: Sequence[AnyPattern | str | None] = ("1:1", "2:4", "1:8"),
    engine: str = "fast",
    *,
    mapping: Mapping | str = "auto",
    library: str | None = None,
    accuracy: str = "exact",
    stack: Stack | str | None = None,
    dense: str | None = None,
    weights: Weights | PatternWeights | None = None,
    allow_overflow: bool = False,
    progress: LayerProgress | None = None,
) -> Comparison:
    """Simulate a workload under several patterns; speed-ups are against the first.

    Parameters other than ``patterns`` are those of `simulate`, as is each of its patterns:
    ``("trace", "2:4")`` compares with what the trace says, ``("1:1", "2:4", "fastest")`` with a mix
    in which each layer runs as it was fastest under the others, or dense. ``weights`` are pruned by
    magnitude to each pattern, and the reports say how many were pruned away; networks that were
    pruned or trained to a pattern each are given as ``{"2:4": {"fc": ...}, "1:8": {"fc": ...}}``,
    and patterns that are not among them run without real weights. For ``fastest`` nothing is
    pruned: a layer takes no pattern that its weights do not follow as they are.

    Raises
    ------
    SimulatorError
        ConfigError, WorkloadError, MappingError or WeightsError, with one clear line.
    """
    asked = Compared.parse(patterns)
    hardware, network = load_hardware(hardware), load_workload(workload)
    own = weights_by_pattern(weights, asked.simulated)
    run = partial(
        simulate, hardware, engine=engine, mapping=mapping, library=library, accuracy=accuracy,
        allow_overflow=allow_overflow, progress=progress,
    )  # fmt: skip
    reports = [
        run(network, pattern=pattern, stack=stack, dense=dense, weights=tensors, prune=True)
        for pattern, tensors in zip(asked.simulated, own, strict=True)
    ]
    if asked.fastest_at is None:
        return Comparison(tuple(reports))
    stays = staying_dense(network, dense)
    kernels = kernels_of(network, stack, stays, with_weights(network, own[0] or {}))
    mix, tensors = mixed(network, kernels, reports, own)
    fastest = run(mix, stack=LISTED, weights=tensors)
    return Comparison(asked.shown(reports, _named(fastest, reports[0], dense_note(network, stays))))


def _named(report: Report, like: Report, note: str | None) -> Report:
    """A run of kernels as one of the network that they were made of."""
    notes = dict.fromkeys(filter(None, (note, *report.notes)))
    return replace(report, pattern=FASTEST, stack=like.stack, notes=tuple(notes))
