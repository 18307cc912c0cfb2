"""The page of the public names, whose texts Sphinx takes from the docstrings."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import ModuleType

from sphinx.pycode import ModuleAnalyzer

import simulator
from generate.reference.markdown import block, page
from simulator import pictures, weights

ABOUT = """What `simulator`, `simulator.pictures` and `simulator.weights` export. Everything is
imported from there: `from simulator import simulate`. Shapes of arrays stand with their parameters,
units in names."""


@dataclass(frozen=True)
class Group:
    """Names that are used together.

    Attributes
    ----------
    title : str
    about : str
        In Markdown.
    names : tuple of str
        Empty: all that the module exports.
    module : module
    """

    title: str
    about: str
    names: tuple[str, ...] = ()
    module: ModuleType = simulator


GROUPS = (
    Group(
        "Load",
        "A machine from a preset, a YAML or a mapping of overrides; a workload from a preset, a "
        "trace or another tool's model, or layer by layer.",
        ("load_hardware", "Hardware", "hardware_schema", "load_workload", "load_model", "Workload",
         "Gemm", "Matmul", "Conv", "Attention", "Stream", "Pattern", "Stack", "STACKS", "stacked"),
    ),
    Group(
        "Run",
        "One pattern, or several side by side.",
        ("simulate", "compare", "Mapping"),
    ),
    Group(
        "Read results",
        "What runs return. Their attributes are figures, which stand by the same names under "
        "[layers](figures/layers.md) and [reports](figures/report.md).",
        ("Report", "Total", "LayerReport", "Comparison", "Timeline", "TileRange"),
    ),
    Group(
        "Decide",
        "Does it pay, what limits it, what would it take, what moved.",
        ("advise", "Advice", "limits", "Limits", "require", "Requirement", "diff", "Difference"),
    ),
    Group(
        "Explore",
        "Many machines: a whole space, a sample, a search; and the best of them.",
        ("sweep", "SweepSpec", "SweepResult", "search", "pareto_front", "relative_area",
         "area_parts"),
    ),
    Group(
        "Quality",
        "What a pruned model still gets right, beside what it gains.",
        ("measure_quality", "QualityStudy", "QualityResult", "trade_off", "TradeOff"),
    ),
    Group(
        "Training",
        "Networks trained under patterns, and what their runs say.",
        ("train", "TrainSpec", "stored_tables", "claims_of"),
    ),
    Group(
        "Errors",
        "What bad input raises; [errors](errors.md) shows one of each.",
        ("SimulatorError", "ConfigError", "WorkloadError", "MappingError", "WeightsError",
         "ReportError", "OutputError", "SpecError", "StoreError"),
    ),
    Group("Pictures", inspect.getdoc(pictures) or "", module=pictures),
    Group("Weights", inspect.getdoc(weights) or "", module=weights),
    Group("Version", "What is installed, as a text.", ("__version__",)),
)  # fmt: skip


def pages() -> dict[str, str]:
    """One page."""
    text = page(
        "# Python",
        ABOUT,
        *(page(f"## {group.title}", group.about, *_names(group)) for group in GROUPS),
    )
    return {"reference/api.md": text}


def _names(group: Group) -> list[str]:
    names = group.names or tuple(group.module.__all__)
    return [_documented(group.module, name) for name in names]


def _documented(module: ModuleType, name: str) -> str:
    """The directive by which Sphinx shows it."""
    what, full = getattr(module, name), f"{module.__name__}.{name}"
    if inspect.isclass(what):
        kind = "autoexception" if issubclass(what, Exception) else "autoclass"
        options = OPTIONS[kind] if full not in FIELDS else ()
        shown = block("{eval-rst}", "\n   ".join([f".. {kind}:: {full}", *options]))
        return page(shown, FIELDS.get(full, ""))
    if callable(what):
        return block("{eval-rst}", f".. autofunction:: {full}")
    home = DATA.get(full)
    said = ModuleAnalyzer.for_module(home).find_attr_docs()["", name] if home else []
    return block("{eval-rst}", "\n   ".join([f".. py:data:: {full}", "", *said]))


OPTIONS = {
    "autoexception": (),
    "autoclass": (":members:", ":member-order: bysource", ":exclude-members: set, model_post_init"),
}
"""What Sphinx shows of classes; two methods are of matplotlib and pydantic."""

FIELDS = {
    "simulator.Hardware": "Its attributes are the [keys of a machine](machine.md).",
    "simulator.SweepSpec": "Its attributes are the [keys of a sweep](sweep.md).",
    "simulator.TrainSpec": "Its attributes are the [keys of a recipe](recipe.md).",
}
"""Classes whose attributes stand on another page, and of which nothing else is for users."""

DATA = {
    "simulator.STACKS": "simulator.workload.stack",
    "simulator.weights.METHODS": "simulator.weights.methods",
}
"""Where constants say what they are."""
