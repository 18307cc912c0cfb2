"""A run before and after: what moved, through which part of the account, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Final, TypeVar

from simulator.decisions.difference.result import (
    FEW,
    LEAST_SHARE,
    SHOWN,
    listed,
    longer,
    moved,
)
from simulator.decisions.difference.told import Spent, ToldLayer, ToldReport
from simulator.names import shortened, words
from simulator.quantities import count, signed
from simulator.report.account import CORE_TIME
from simulator.units import PS_PER_NS

T = TypeVar("T")

MOST_OF_IT: Final = 0.8
"""Layers are named until they make up so much of a difference."""

HOW: Final = {
    "repeat": "number of repeats",
    "executed_as": "pattern executed",
    "mapping": "mapping",
    "bound": "bound",
}
"""How a layer may run otherwise: fields, and what is said of layers that differ in them."""


def average_core_ps(spent: Spent | None, repeat: int = 1) -> dict[str, Fraction]:
    """Picoseconds of an average core by kind; they add up to the time, to the last digit."""
    if spent is None:
        return dict.fromkeys(CORE_TIME, Fraction(0))
    return {kind: Fraction(ps * repeat, spent.cores) for kind, ps in spent.core_time_ps.items()}


def difference_of(before: dict[str, Fraction], after: dict[str, Fraction]) -> dict[str, Fraction]:
    """Of every kind of time."""
    return {kind: after[kind] - before[kind] for kind in CORE_TIME}


@dataclass(frozen=True)
class LayerChange:
    """A layer of both reports, or of one; with its repeats."""

    name: str
    before: ToldLayer | None
    after: ToldLayer | None

    @property
    def times_ps(self) -> tuple[int, int]:
        """Before and after; 0 where it is not there."""
        before, after = self.before, self.after
        return (
            before.time_ps * before.repeat if before else 0,
            after.time_ps * after.repeat if after else 0,
        )

    @property
    def change_ps(self) -> int:
        before_ps, after_ps = self.times_ps
        return after_ps - before_ps

    @property
    def parts_ps(self) -> dict[str, Fraction]:
        """The change by kind of core-time; the parts add up to it."""
        before, after = (
            average_core_ps(layer, layer.repeat if layer else 0)
            for layer in (self.before, self.after)
        )
        return difference_of(before, after)

    @property
    def otherwise(self) -> dict[str, tuple[Any, Any]]:
        """How it runs otherwise: fields of `HOW`, and what they were and are."""
        if self.before is None or self.after is None:
            return {}
        pairs = {name: (getattr(self.before, name), getattr(self.after, name)) for name in HOW}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def only_in(self) -> str:
        """``A`` or ``B``; empty: it is in both."""
        return "B" if self.before is None else "A" if self.after is None else ""


@dataclass(frozen=True)
class RunChange:
    """A run before and after."""

    before: ToldReport
    after: ToldReport

    @cached_property
    def layers(self) -> tuple[LayerChange, ...]:
        """Matched by name, and of equal names by order; those of B alone come last."""
        before, after = (
            numbered(report.layers, lambda layer: layer.name)
            for report in (self.before, self.after)
        )
        return tuple(LayerChange(key[0], before.get(key), after.get(key)) for key in before | after)

    @property
    def name(self) -> str:
        """The pattern, or both."""
        names = dict.fromkeys((self.before.pattern_name, self.after.pattern_name))
        return " → ".join(names)

    @property
    def times_ps(self) -> tuple[int, int]:
        return self.before.total.time_ps, self.after.total.time_ps

    @property
    def change_ps(self) -> int:
        before_ps, after_ps = self.times_ps
        return after_ps - before_ps

    @cached_property
    def parts_ps(self) -> dict[str, Fraction]:
        """The change by kind of time of an average core; the parts add up to it."""
        return difference_of(*(average_core_ps(one.total) for one in (self.before, self.after)))

    @property
    def average_core_ns(self) -> tuple[dict[str, float], dict[str, float]]:
        """Nanoseconds of an average core by kind, before and after."""
        before, after = (
            {kind: float(ps / PS_PER_NS) for kind, ps in average_core_ps(report.total).items()}
            for report in (self.before, self.after)
        )
        return before, after

    @property
    def moved_bytes(self) -> dict[tuple[str, str], tuple[int, int]]:
        """By level and direction, before and after."""
        before, after = self.before.total.moved_bytes(), self.after.total.moved_bytes()
        return {flow: (before[flow], after[flow]) for flow in before}

    def share(self, change_ps: float | Fraction) -> float:
        """A change as a share of what the run took."""
        return float(change_ps / self.before.total.time_ps)

    @property
    def largest(self) -> list[LayerChange]:
        """Layers whose time changed, those first that changed most."""
        changed = [layer for layer in self.layers if layer.change_ps]
        return sorted(changed, key=lambda layer: -abs(layer.change_ps))

    def sentence(self) -> str:
        """How much longer it takes, through what, and where."""
        before_ns, after_ns = (ps / PS_PER_NS for ps in self.times_ps)
        text = longer(before_ns, after_ns)
        shares = {kind: self.share(part) for kind, part in self.parts_ps.items()}
        parts = sorted(shares.items(), key=lambda item: -abs(item[1]))[:FEW]
        named = [f"{words(kind)} {signed(share)}" for kind, share in parts if abs(share) >= SHOWN]
        text += f": {', '.join(named)}" if named else ""
        return text + (f"; {self._where()}." if len(self.layers) > 1 and self.change_ps else ".")

    def _where(self) -> str:
        """The layers that make up most of the change."""
        way = 1 if self.change_ps > 0 else -1
        named: list[str] = []
        sum_ps = 0
        for layer in self.largest:
            if layer.change_ps * way < 0:
                continue
            only = f" (only in {layer.only_in})" if layer.only_in else ""
            named.append(shortened(layer.name, 40) + only)
            sum_ps += layer.change_ps
            if len(named) == FEW or sum_ps / self.change_ps >= MOST_OF_IT:
                break
        share = sum_ps / self.change_ps
        which = f"{'layers' if len(named) > 1 else 'layer'} {listed(named)}"
        if share <= 1:
            return f"{which} {'make' if len(named) > 1 else 'makes'} up {100 * share:.0f} % of it"
        return f"{which} alone: {signed(self.share(sum_ps))}, others the other way"

    def how(self) -> str:
        """How many layers run otherwise, or are only in one; empty if none."""
        fields = Counter(name for layer in self.layers for name in layer.otherwise)
        only = Counter(layer.only_in for layer in self.layers if layer.only_in)
        said = [f"{fields[name]} with another {text}" for name, text in HOW.items() if fields[name]]
        said += [f"{only[side]} only in {side}" for side in "AB" if only[side]]
        return f"Of {count(len(self.layers), 'layer')}: {', '.join(said)}." if said else ""

    def beyond(self, tolerance: float) -> list[str]:
        """The run, and every layer of some share of it, that moved by more."""
        found = [f"time ({signed(self.share(self.change_ps))})"] * (
            moved(*self.times_ps) > tolerance
        )
        for layer in self.layers:
            before_ps, after_ps = layer.times_ps
            shares = before_ps / self.times_ps[0], after_ps / self.times_ps[1]
            if (
                max(shares) >= LEAST_SHARE
                and moved(before_ps or None, after_ps or None) > tolerance
            ):
                change = f"only in {layer.only_in}" if layer.only_in else ""
                found.append(f"{layer.name} ({change or signed(after_ps / before_ps - 1)})")
        return found


def numbered(items: Iterable[T], name_of: Callable[[T], str]) -> dict[tuple[str, int], T]:
    """By name, and by which of equal names it is."""
    seen: Counter[str] = Counter()
    found = {}
    for item in items:
        name = name_of(item)
        found[name, seen[name]] = item
        seen[name] += 1
    return found
