"""What came of relaxing a machine: times, what follows, and what can be written of them."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isinf, log
from typing import TYPE_CHECKING, Any, Final

from simulator.described.decisions import LIMITS
from simulator.hardware.resources import Resource
from simulator.report.report import Report
from simulator.report.stalls import STALLS, Stall
from simulator.units import PS_PER_NS

if TYPE_CHECKING:
    import pandas as pd

    from simulator.pictures import Picture

AS_IS = "as is"

MOVES_RATIO: Final = 0.001
"""Times that differ by less are taken for equal."""


@dataclass(frozen=True)
class Relaxed:
    """One resource relaxed alone.

    Attributes
    ----------
    keys : tuple of str
        What of the machine it is; ``*`` stands for all there are.
    factor : float
        Infinite where it has no limit any more.
    settings : dict
        The values that it was given, by dotted key.
    time_ps, time_of_dense_ps : int
        Device time of the pattern and of dense.
    """

    resource: str
    keys: tuple[str, ...]
    factor: float
    settings: dict[str, object] = field(repr=False)
    time_ps: int
    time_of_dense_ps: int


@dataclass(frozen=True)
class Step:
    """One more resource without a limit, or several; none at the start."""

    resources: tuple[str, ...]
    time_ps: int
    time_of_dense_ps: int

    @property
    def name(self) -> str:
        """In a word or two."""
        if not self.resources:
            return AS_IS
        return self.resources[0] if len(self.resources) == 1 else f"{len(self.resources)} others"


@dataclass(frozen=True)
class Elasticity:
    """By how many per cent speed rises where a resource rises by one: d ln speed / d ln factor."""

    resource: str
    of_pattern: float
    of_dense: float


@dataclass(frozen=True)
class Limits:
    """The result of `simulator.limits`.

    Attributes
    ----------
    pattern : str
        As it was asked for.
    report, dense : Report
        The machine as it is, under the pattern and dense.
    ideal, ideal_of_dense : Report
        The machine on which all that can be has no limit.
    factors : tuple of float
        By which resources were relaxed, rising.
    resources : dict of Resource
        What the machine has, by name.
    values : dict of str to float
        How much of it the machine has, by dotted key.
    relaxed : tuple of Relaxed
        In the order of resources; of those that move nothing without a limit that row alone.
    steps : tuple of Step
        As it is, then each resource of the best order, then all that is left together, if any is.
    """

    pattern: str
    report: Report
    dense: Report
    ideal: Report
    ideal_of_dense: Report
    factors: tuple[float, ...]
    resources: Mapping[str, Resource]
    values: Mapping[str, float]
    relaxed: tuple[Relaxed, ...]
    steps: tuple[Step, ...]

    @property
    def title(self) -> str:
        """Network and machine."""
        return f"{self.report.network} on {self.report.hardware}"

    @property
    def time_ps(self) -> int:
        """Device time of the pattern on the machine as it is."""
        return self.report.total.time_ps

    @property
    def time_of_dense_ps(self) -> int:
        """Device time of dense on the machine as it is."""
        return self.dense.total.time_ps

    def gain(self, one: Relaxed | Step) -> float:
        """How many times as fast the pattern is as on the machine as it is."""
        return self.time_ps / one.time_ps

    def gain_of_dense(self, one: Relaxed | Step) -> float:
        """How many times as fast dense is as on the machine as it is."""
        return self.time_of_dense_ps / one.time_of_dense_ps

    def _keys(self, resource: str) -> list[str]:
        return [key for key, _ in self.resources[resource].keys]

    def by_factor(self, resource: str) -> dict[float, Relaxed]:
        """A resource's rows."""
        return {one.factor: one for one in self.relaxed if one.resource == resource}

    def largest(self, resource: str) -> Relaxed | None:
        """The row of the largest factor that it was relaxed by; none where no larger one is a
        machine."""
        finite = [one for factor, one in self.by_factor(resource).items() if not isinf(factor)]
        return finite[-1] if finite else None

    @property
    def moving(self) -> list[str]:
        """Resources that may move the time; what gives most without a limit, or else by the
        largest factor, first."""
        names = [name for name in self.resources if self.by_factor(name)]
        names = [name for name in names if name not in self.unmoving]
        return sorted(names, key=lambda name: -self.gain([*self.by_factor(name).values()][-1]))

    @property
    def unmoving(self) -> list[str]:
        """Resources without whose limit neither time moves by a thousandth."""
        ends = {one.resource: one for one in self.relaxed if isinf(one.factor)}
        return [name for name, end in ends.items() if not self._moves(end)]

    def _moves(self, end: Relaxed) -> bool:
        pairs = (self.time_ps, end.time_ps), (self.time_of_dense_ps, end.time_of_dense_ps)
        return any(abs(new - old) > MOVES_RATIO * old for old, new in pairs)

    @property
    def elasticities(self) -> list[Elasticity]:
        """Of what moves, by the smallest factor that each was relaxed by."""
        return [self._elasticity(name) for name in self.moving if self.largest(name)]

    def _elasticity(self, name: str) -> Elasticity:
        one = min(self.by_factor(name).values(), key=lambda row: row.factor)
        gains = self.gain(one), self.gain_of_dense(one)
        return Elasticity(name, *(log(gain) / log(one.factor) for gain in gains))

    @property
    def stalls(self) -> list[tuple[Stall, float, float, list[str]]]:
        """What core-time was spent on, shares of the time under the pattern and dense, and the
        machine's resources that lower it; the largest share first."""
        own, dense = (_shares(report) for report in (self.report, self.dense))
        spent = [kind for kind in STALLS if own[kind] or dense[kind]]
        spent.sort(key=lambda kind: -own[kind])
        has = self.resources
        return [
            (STALLS[kind], own[kind], dense[kind], [n for n in STALLS[kind].lowered_by if n in has])
            for kind in spent
        ]

    def sentences(self) -> Iterable[str]:
        """What follows, the verdict first."""
        from simulator.decisions.limiting.told import sentences

        return sentences(self)

    def records(self) -> list[dict[str, Any]]:
        """One mapping a machine: as it is, then every resource relaxed alone."""
        as_is = Relaxed(AS_IS, (), 1.0, {}, self.time_ps, self.time_of_dense_ps)
        return [
            {
                "key": ", ".join(one.keys),
                "factor": one.factor,
                "time_ns": one.time_ps / PS_PER_NS,
                "time_of_dense_ns": one.time_of_dense_ps / PS_PER_NS,
                "resource": one.resource,
                "gain": self.gain(one),
                "gain_of_dense": self.gain_of_dense(one),
                "settings": json.dumps(one.settings),
            }
            for one in (as_is, *self.relaxed)
        ]

    def step_records(self) -> list[dict[str, Any]]:
        """One mapping a step of the best order."""
        return [
            {
                "step": number,
                "resources": "; ".join(step.resources) or AS_IS,
                "time_ns": step.time_ps / PS_PER_NS,
                "time_of_dense_ns": step.time_of_dense_ps / PS_PER_NS,
                "gain": self.gain(step),
                "gain_of_dense": self.gain_of_dense(step),
            }
            for number, step in enumerate(self.steps)
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row a machine, `records`; without a limit the factor is infinite."""
        import pandas as pd

        frame = pd.DataFrame(self.records())
        frame.attrs = LIMITS.attrs(frame.columns)
        return frame

    def to_json(self) -> str:
        """Sentences, machines, the best order, elasticities and stalls."""
        relaxed = [
            {**row, "factor": "unlimited" if isinf(row["factor"]) else row["factor"],
             "settings": json.loads(row["settings"])}
            for row in self.records()
        ]  # fmt: skip
        data = {
            "hardware": self.report.hardware,
            "workload": self.report.workload,
            "pattern": self.pattern,
            "sentences": list(self.sentences()),
            "relaxed": relaxed,
            "move_nothing": self.unmoving,
            "steps": self.step_records(),
            "elasticities": [
                {"resource": one.resource, "pattern": one.of_pattern, "dense": one.of_dense}
                for one in self.elasticities
            ],
            "stalls": [
                {"kind": stall.kind, "means": stall.means, "share": own, "share_of_dense": dense,
                 "lowered_by": {name: self._keys(name) for name in names}}
                for stall, own, dense, names in self.stalls
            ],
        }  # fmt: skip
        return json.dumps(data, indent=2, ensure_ascii=False)

    def to_html(self, commands: Mapping[str, str] | None = None) -> str:
        """One HTML file to click through, which needs nothing but itself.

        Parameters
        ----------
        commands : mapping, optional
            Lines for a shell that it shows, by what they are for.
        """
        from simulator.decisions.limiting.paged import limits_html

        return limits_html(self, commands or {})

    def plot(self) -> Picture:
        """The best order as a waterfall, and elasticities beside it."""
        from simulator.decisions.limiting.drawn import limits_picture

        return limits_picture(self)

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(text)}</p>" for text in self.sentences())
        frame = self.to_frame().drop(columns="settings")
        table: str = frame.to_html(index=False, float_format="{:,.4g}".format)
        return said + table


def _shares(report: Report) -> dict[str, float]:
    """Of the time of an average core, by kind."""
    return {kind: t / report.total.time_ns for kind, t in report.core_time_ns().items()}
