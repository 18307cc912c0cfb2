"""Two reports, or two lists of them: what moved, pattern by pattern."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from simulator.decisions.difference.changes import HOW, LayerChange, RunChange, numbered
from simulator.decisions.difference.result import Difference, listed, some
from simulator.decisions.difference.told import ToldReport
from simulator.described.decisions import REPORTS
from simulator.errors import ReportError
from simulator.names import shortened
from simulator.units import PS_PER_NS

if TYPE_CHECKING:
    from simulator.pictures import Picture


@dataclass(frozen=True)
class ReportsDifference(Difference):
    """Reports, pattern by pattern.

    Attributes
    ----------
    only_before, only_after : tuple of str
        Patterns of one side alone.
    """

    described = REPORTS
    runs: tuple[RunChange, ...]
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()

    def sentences(self) -> Iterable[str]:
        for run in self.runs:
            start = f"{run.name}: " if len(self.runs) > 1 else ""
            yield start + " ".join(filter(None, (run.sentence(), run.how())))
        for side, patterns in (("A", self.only_before), ("B", self.only_after)):
            if patterns:
                yield f"Only in {side}: {listed(patterns)}."

    def beyond(self, tolerance: float) -> list[str]:
        several = len(self.runs) > 1
        found = [
            f"{run.name}: {text}" if several else text
            for run in self.runs
            for text in run.beyond(tolerance)
        ]
        return found + [f"{name} (only in one)" for name in (*self.only_before, *self.only_after)]

    def records(self) -> list[dict[str, Any]]:
        """A row a pattern and layer."""
        return [_record(run, layer) for run in self.runs for layer in run.layers]

    def details(self) -> dict[str, Any]:
        """Every run in all; and patterns of one side alone."""
        return {
            "runs": [_run_record(run) for run in self.runs],
            "patterns_only_in_a": list(self.only_before),
            "patterns_only_in_b": list(self.only_after),
        }

    def plot(self) -> Picture:
        """A panel a pattern: parts of the difference, and the layers that changed most."""
        from simulator.decisions.difference.drawn import difference_page

        return difference_page(
            f"A: {shortened(self.before, 90)}\nB: {shortened(self.after, 90)}", self.runs
        )


def reports_difference(
    names: tuple[str, str], before: Sequence[ToldReport], after: Sequence[ToldReport]
) -> ReportsDifference:
    """Two single reports, whatever their patterns; of lists those of one pattern.

    Raises
    ------
    ReportError
        If lists have no pattern in common.
    """
    called = _called(names[0], before[0]), _called(names[1], after[0])
    if len(before) == len(after) == 1:
        alone = (RunChange(before[0], after[0]),)
        return ReportsDifference(*called, _notes(alone), alone)
    first, second = (
        numbered(reports, lambda report: report.pattern_name) for reports in (before, after)
    )
    runs = tuple(RunChange(first[key], second[key]) for key in first if key in second)
    if not runs:
        want, got = (some([name for name, _ in reports]) for reports in (first, second))
        raise ReportError(names[1], f"has no pattern of {names[0]}", want=want, got=got)
    only = tuple(key[0] for key in first if key not in second)
    others = tuple(key[0] for key in second if key not in first)
    return ReportsDifference(*called, _notes(runs), runs, only, others)


def _called(name: str, report: ToldReport) -> str:
    """A file, and what it is of; what was no file is called so already."""
    return name if name.startswith(report.title) else f"{name}: {report.title}"


def _notes(runs: Sequence[RunChange]) -> tuple[str, ...]:
    """In what the two are not alike."""
    said = {}
    for name in ("workload", "hardware", "stack", "engine", "accuracy"):
        for run in runs:
            pair = getattr(run.before, name), getattr(run.after, name)
            if pair[0] != pair[1]:
                said[name] = f"{name}: {pair[0]} in A, {pair[1]} in B"
    if "workload" in said:
        said["workload"] += "; layers are matched by name all the same"
    return tuple(said.values())


def _record(run: RunChange, layer: LayerChange) -> dict[str, Any]:
    before_ps, after_ps = layer.times_ps
    record: dict[str, Any] = {
        "pattern_a": run.before.pattern_name,
        "pattern_b": run.after.pattern_name,
        "layer": layer.name,
        "time_a_ns": before_ps / PS_PER_NS if layer.before else None,
        "time_b_ns": after_ps / PS_PER_NS if layer.after else None,
        "change_ns": layer.change_ps / PS_PER_NS,
        "change_ratio": after_ps / before_ps - 1 if layer.before and layer.after else None,
    }
    for name in HOW:
        record[f"{name}_a"] = getattr(layer.before, name, None)
        record[f"{name}_b"] = getattr(layer.after, name, None)
    return record | {f"{kind}_ns": _ns(part) for kind, part in layer.parts_ps.items()}


def _run_record(run: RunChange) -> dict[str, Any]:
    before_ps, after_ps = run.times_ps
    return {
        "pattern_a": run.before.pattern_name,
        "pattern_b": run.after.pattern_name,
        "time_a_ns": before_ps / PS_PER_NS,
        "time_b_ns": after_ps / PS_PER_NS,
        "change_ratio": after_ps / before_ps - 1,
        "parts_ns": {kind: _ns(part) for kind, part in run.parts_ps.items()},
        "traffic_bytes": {f"{level}.{way}": pair for (level, way), pair in run.moved_bytes.items()},
    }


def _ns(ps: Fraction) -> float:
    return float(ps / PS_PER_NS)
