"""nmsim: what N:M structured sparsity gives on a tensor-core machine, and what limits it.

>>> from simulator import load_hardware, load_workload, simulate
>>> report = simulate(load_hardware("nm-flex"), load_workload("resnet50"), pattern="2:4")
>>> report.total.time_ns, report.total.bound  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from simulator.version import __version__

if TYPE_CHECKING:
    from simulator.decisions.advice.advise import advise
    from simulator.decisions.advice.result import Advice
    from simulator.decisions.difference.diff import diff
    from simulator.decisions.difference.result import Difference
    from simulator.decisions.limiting.limits import limits
    from simulator.decisions.limiting.result import Limits
    from simulator.decisions.requirement.require import require
    from simulator.decisions.requirement.result import Requirement
    from simulator.errors import (
        ConfigError,
        MappingError,
        OutputError,
        ReportError,
        SimulatorError,
        SpecError,
        StoreError,
        WeightsError,
        WorkloadError,
    )
    from simulator.exploration.pareto import pareto_front
    from simulator.exploration.search import search
    from simulator.exploration.spec import SweepSpec
    from simulator.exploration.sweep import SweepResult, sweep
    from simulator.hardware import Hardware, hardware_schema, load_hardware
    from simulator.hardware.area import area_parts, relative_area
    from simulator.importers import load_model, load_workload
    from simulator.quality.plan import QualityStudy
    from simulator.quality.study import QualityResult, measure_quality
    from simulator.report.comparison import Comparison
    from simulator.report.layer import LayerReport
    from simulator.report.report import Report
    from simulator.report.total import Total
    from simulator.run.compare import compare
    from simulator.run.simulate import simulate
    from simulator.schedule.mapping import Mapping
    from simulator.sparsity import Pattern
    from simulator.timeline.replay import TileRange
    from simulator.timeline.trace_file import Timeline
    from simulator.tradeoff.measure import trade_off
    from simulator.tradeoff.result import TradeOff
    from simulator.training.claims import claims_of
    from simulator.training.execute import train
    from simulator.training.spec import TrainSpec
    from simulator.training.stored import stored_tables
    from simulator.workload import Attention, Conv, Gemm, Matmul, Stream, Workload

# Imported on first use, so that `import simulator` and `nmsim --help` stay quick.
_HOMES = {
    "ConfigError": "errors",
    "MappingError": "errors",
    "OutputError": "errors",
    "ReportError": "errors",
    "SimulatorError": "errors",
    "SpecError": "errors",
    "StoreError": "errors",
    "WeightsError": "errors",
    "WorkloadError": "errors",
    "Difference": "decisions.difference.result",
    "diff": "decisions.difference.diff",
    "Requirement": "decisions.requirement.result",
    "require": "decisions.requirement.require",
    "Hardware": "hardware",
    "hardware_schema": "hardware",
    "load_hardware": "hardware",
    "SweepResult": "exploration.sweep",
    "SweepSpec": "exploration.spec",
    "pareto_front": "exploration.pareto",
    "search": "exploration.search",
    "sweep": "exploration.sweep",
    "Mapping": "schedule.mapping",
    "LayerReport": "report.layer",
    "Report": "report.report",
    "Limits": "decisions.limiting.result",
    "limits": "decisions.limiting.limits",
    "Advice": "decisions.advice.result",
    "advise": "decisions.advice.advise",
    "area_parts": "hardware.area",
    "relative_area": "hardware.area",
    "QualityResult": "quality.study",
    "QualityStudy": "quality.plan",
    "measure_quality": "quality.study",
    "Total": "report.total",
    "compare": "run.compare",
    "Comparison": "report.comparison",
    "simulate": "run.simulate",
    "Pattern": "sparsity",
    "Attention": "workload",
    "Conv": "workload",
    "Gemm": "workload",
    "Matmul": "workload",
    "Stream": "workload",
    "TileRange": "timeline.replay",
    "Timeline": "timeline.trace_file",
    "TradeOff": "tradeoff.result",
    "trade_off": "tradeoff.measure",
    "Workload": "workload",
    "STACKS": "workload.stack",
    "Stack": "workload.stack",
    "stacked": "workload.stack",
    "TrainSpec": "training.spec",
    "claims_of": "training.claims",
    "stored_tables": "training.stored",
    "train": "training.execute",
    "load_model": "importers",
    "load_workload": "importers",
}

__all__ = [
    "STACKS",
    "Advice",
    "Attention",
    "Comparison",
    "ConfigError",
    "Conv",
    "Difference",
    "Gemm",
    "Hardware",
    "LayerReport",
    "Limits",
    "Mapping",
    "MappingError",
    "Matmul",
    "OutputError",
    "Pattern",
    "QualityResult",
    "QualityStudy",
    "Report",
    "ReportError",
    "Requirement",
    "SimulatorError",
    "SpecError",
    "Stack",
    "StoreError",
    "Stream",
    "SweepResult",
    "SweepSpec",
    "TileRange",
    "Timeline",
    "Total",
    "TradeOff",
    "TrainSpec",
    "WeightsError",
    "Workload",
    "WorkloadError",
    "__version__",
    "advise",
    "area_parts",
    "claims_of",
    "compare",
    "diff",
    "hardware_schema",
    "limits",
    "load_hardware",
    "load_model",
    "load_workload",
    "measure_quality",
    "pareto_front",
    "relative_area",
    "require",
    "search",
    "simulate",
    "stacked",
    "stored_tables",
    "sweep",
    "trade_off",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'simulator' has no attribute '{name}'")
    return getattr(import_module(f"simulator.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
