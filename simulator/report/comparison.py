"""Patterns side by side: what each gives over dense, and what keeps it from giving more."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from simulator.described.layers import COMPARISON
from simulator.names import words
from simulator.quantities import count, percent, time
from simulator.report.account import CORE_TIME
from simulator.report.report import Report
from simulator.sparsity import DENSE, FASTEST, parse_pattern
from simulator.workload.layer import LISTED
from simulator.workload.lowering import DENSE_FASTER, FASTER

if TYPE_CHECKING:
    import pandas as pd

    from simulator.pictures import Picture
    from simulator.report.drawn import Pattern

SAME_RATIO = 0.01
"""A part of core-time that changes by less of the whole is said to stay as it was."""


@dataclass(frozen=True)
class Comparison:
    """One report a pattern, on the same machine and workload. Speed-ups are against the first.

    Attributes
    ----------
    reports : tuple of Report
        In the order in which patterns were asked for.
    """

    reports: tuple[Report, ...]

    @property
    def first(self) -> Report:
        """The report that speed-ups are against."""
        return self.reports[0]

    def speedup(self, report: Report) -> float:
        """Device time of the first pattern over that of ``report``."""
        return self.first.total.time_ps / report.total.time_ps

    def layer_speedup(self, report: Report, index: int) -> float:
        """As `speedup`, of one layer: its place among the layers of a report, from 0."""
        return self.first.layers[index].time_ps / report.layers[index].time_ps

    def density_speedup(self, report: Report) -> float:
        """What skipping alone would give: stored weights of the first over stored weights."""
        return float(_density(self.first) / _density(report))

    def core_time_ns(self, report: Report) -> dict[str, float]:
        """Where an average core's time went; adds up to the device time."""
        return report.core_time_ns()

    def executed(self, report: Report) -> dict[str, int]:
        """Launches by the pattern they ran as, of layers that have weights."""
        launches: dict[str, int] = {}
        for layer in report.layers:
            if layer.kind in ("gemm", "conv"):
                launches[layer.executed_as] = launches.get(layer.executed_as, 0) + layer.repeat
        return launches

    def explanation(self) -> Iterable[str]:
        """A sentence a pattern: what it gives over the one before, and what holds it back."""
        yield from filter(None, [_mix(self.first)])
        for before, after in zip(self.reports, self.reports[1:], strict=False):
            text = self._same(before, after) or self._gain(before, after)
            yield " ".join(filter(None, [text + _faster_dense(after), _mix(after)]))

    def _same(self, before: Report, after: Report) -> str:
        """Why a pattern takes as long as the one before; empty if it does not."""
        if before.total.core_time_ps != after.total.core_time_ps:
            return ""
        ran_as = self.executed(after)
        start = f"{after.pattern_name} is 1.00x {before.pattern_name}: "
        if not ran_as:
            return f"{start}no layer of {after.workload} has weights to prune."
        is_one = after.pattern not in (None, FASTEST)
        if is_one and after.pattern not in ran_as and before.pattern in ran_as:
            is_choice = any(FASTER in layer.note for layer in after.layers)
            start += f"{after.hardware} "
            start += "runs it as " if is_choice else "has no such pattern and runs it as "
            return f"{start}{', '.join(ran_as)}{FASTER * is_choice}."
        return f"{start}both run as {', '.join(ran_as)}."

    def _gain(self, before: Report, after: Report) -> str:
        """The gain, what density alone would give, and the largest parts of what is left."""
        gain = before.total.time_ps / after.total.time_ps
        ideal = self.density_speedup(after) / self.density_speedup(before)
        ran_as = self.executed(after)
        is_said = after.pattern == FASTEST or after.pattern in ran_as
        other = "" if is_said else f", run as {', '.join(ran_as)},"
        text = f"{after.pattern_name}{other} is {gain:.2f}x {before.pattern_name}, "
        text += f"where density alone would give {ideal:.2f}x."
        old, new = self.core_time_ns(before), self.core_time_ns(after)
        useful = [time(times["mac_useful"]) for times in (old, new)]
        if useful[0] != useful[1]:
            verb = "fall" if new["mac_useful"] < old["mac_useful"] else "rise"
            text += f" Useful MACs {verb} from {useful[0]} to {useful[1]} a core."
        largest = sorted(
            ((new[kind], kind) for kind in CORE_TIME if kind != "mac_useful" and new[kind]),
            reverse=True,
        )[:3]
        noticeable = SAME_RATIO * before.total.time_ns
        moved = [kind for _, kind in largest if abs(new[kind] - old[kind]) >= noticeable]
        kept = [kind for _, kind in largest if kind not in moved]
        if moved:
            parts = (f"{words(kind)} {time(new[kind])} (was {time(old[kind])})" for kind in moved)
            text += f" Most of the rest: {', '.join(parts)}."
        if kept:
            parts = (f"{words(kind)} {time(new[kind])}" for kind in kept)
            text += f" Sparsity leaves as it was: {', '.join(parts)}."
        return text

    def notes(self) -> Iterable[str]:
        """Why layers ran otherwise than asked, and what reading the trace assumed; each once."""
        seen: dict[str, list[str]] = {}
        for report in self.reports:
            for layer in report.layers:
                if layer.note:
                    names = seen.setdefault(layer.note, [])
                    if layer.name not in names:
                        names.append(layer.name)
        for note, names in seen.items():
            yield f"{note} ({_some(names)})"
        yield from filter(None, map(_pruning, self.reports))
        yield from self.first.notes
        for report in self.reports[1:]:  # what is true of one pattern only, as of its weights
            own = (note for note in report.notes if note not in self.first.notes)
            yield from (f"{report.pattern_name}: {note}" for note in own)

    @property
    def title(self) -> str:
        """Network and machine."""
        return f"{self.first.network} on {self.first.hardware}"

    def plot(self) -> Picture:
        """One page: speed-ups beside what density alone would give, and where the time goes."""
        from simulator.report.drawn import comparison_page

        return comparison_page(self.title, self._patterns())

    def plot_speedup(self) -> Picture:
        """Speed-up of every pattern, with the bound that the density of its weights sets."""
        from simulator.report.drawn import speedup_picture

        return speedup_picture(self.title, self._patterns())

    def plot_core_time(self) -> Picture:
        """Where an average core's time goes, a bar a pattern."""
        from simulator.report.drawn import core_times_picture

        return core_times_picture(self.title, self._patterns())

    def plot_traffic(self) -> Picture:
        """Bytes read and written at each level by operand, two bars a pattern."""
        from simulator.report.drawn import traffics_picture

        return traffics_picture(self.title, self._patterns())

    def to_html(self, commands: Mapping[str, str] | None = None) -> str:
        """A page to click through in a browser, as the text of one HTML file.

        Parameters
        ----------
        commands : mapping, optional
            What prints the figures of a pattern, by its name, for readers to copy.
        """
        from simulator.report.paged import comparison_html

        return comparison_html(self, commands or {})

    def _patterns(self) -> list[Pattern]:
        from simulator.report.drawn import Pattern

        found = []
        for report in self.reports:
            ran_as = tuple(pattern for pattern in self.executed(report) if pattern != "1:1")
            found.append(
                Pattern(
                    report.pattern_name,
                    () if report.pattern in ran_as else ran_as,
                    self.speedup(report),
                    self.density_speedup(report),
                    report.core_time_ns(),
                    report.total.traffic_bytes,
                )
            )
        return found

    def to_json(self) -> str:
        """The reports, as `Report.to_json` gives them, in a list."""
        return json.dumps([json.loads(r.to_json()) for r in self.reports], indent=2)

    def to_frame(self) -> pd.DataFrame:
        """One row a pattern and layer."""
        import pandas as pd

        frames = []
        for report in self.reports:
            frame = report.to_frame()
            speedups = [self.layer_speedup(report, i) for i in range(len(report.layers))]
            frame.insert(0, "pattern", report.pattern_name)
            frame.insert(1, "speedup", speedups)
            frames.append(frame)
        whole = pd.concat(frames, ignore_index=True)
        whole.attrs = COMPARISON.attrs(whole.columns)
        return whole


def _mix(report: Report) -> str:
    """How many layers of the fastest mix run as what, as a sentence; empty of any other."""
    if report.pattern != FASTEST:
        return ""
    layers: Counter[str] = Counter()
    for layer in report.layers:
        if layer.kind in ("gemm", "conv"):
            layers[layer.asked] += layer.repeat
    noun = "layer" if report.stack == LISTED else "kernel"
    return f"{FASTEST} runs {mix_text(layers, noun)}." if layers else ""


def mix_text(layers: Mapping[str, int], noun: str = "layer") -> str:
    """How many run as what, the most first and dense last: ``30 layers 2:4, 4 1:8, 19 dense``."""
    order = sorted(layers, key=lambda text: (text == str(DENSE), -layers[text]))
    names = ["dense" if text == str(DENSE) else text for text in order]
    counts = [count(layers[order[0]], noun), *(f"{layers[text]:,}" for text in order[1:])]
    return ", ".join(f"{many} {name}" for many, name in zip(counts, names, strict=True))


def _faster_dense(report: Report) -> str:
    """Which layers dense kernels would run faster, as a sentence; empty if none.

    Empty of the fastest mix, too: it was chosen from whole runs, and notes tell of a cold L2.
    """
    if report.pattern == FASTEST:
        return ""
    names = [layer.name for layer in report.layers if DENSE_FASTER in layer.note]
    return f" Dense would be faster for {_some(names)}." if names else ""


def _some(names: Sequence[str]) -> str:
    """The first three of them, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _density(report: Report) -> Fraction:
    """Mean over the MACs of layers with weights, of which some may stay dense."""
    bearing = [layer for layer in report.layers if layer.kind in ("gemm", "conv")]
    macs = sum(layer.macs * layer.repeat for layer in bearing)
    if not macs:
        own = None if report.pattern == FASTEST else report.pattern
        return parse_pattern(own or DENSE).density
    stored = (x.macs * x.repeat * parse_pattern(x.asked).density for x in bearing)
    return sum(stored, Fraction(0)) / macs


def _pruning(report: Report) -> str:
    """How much of the real weights this run pruned, or that it pruned none; empty without any."""
    real = [layer for layer in report.layers if layer.nonzeros is not None]
    if all(parse_pattern(layer.asked).is_dense for layer in real):
        return ""
    cut = sum(1 for layer in real if layer.pruned_away)
    if not cut:
        return f"{report.pattern_name}: none of the weights was pruned, they run as they are"
    return (
        f"{report.pattern_name}: {percent(report.total.pruned_ratio)} of the non-zero weights were "
        f"pruned just now, by magnitude, in {cut} of {count(len(real), 'layer')}"
    )
