"""A pattern for every layer: simulated times and costs in quality, one budget, one mix."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from simulator.errors import SpecError, StoreError, did_you_mean
from simulator.quality.measured import Figure
from simulator.sparsity import DENSE, parse_pattern
from simulator.tradeoff.costs import Costs, costs_of
from simulator.tradeoff.groups import Group, Measurements
from simulator.tradeoff.join import Clock, Networks
from simulator.tradeoff.search import Limit, Option, choose, fastest
from simulator.workload import Workload
from simulator.workload.patterned import bearing, under

QUALITY, TIME = "quality", "time"


@dataclass(frozen=True)
class Budget:
    """A share of what the dense network has: of its quality at least, or of its time at most."""

    of: str
    share: float

    @classmethod
    def parse(cls, text: str, where: str = "--budget") -> Budget:
        """Read ``quality=0.98`` or ``time=0.95``.

        Raises
        ------
        SpecError
            If it is neither, or the share is not above 0 and at most 1.
        """
        name, _, number = (part.strip() for part in text.partition("="))
        want = "quality=0.98 or time=0.95, shares of dense"
        if name not in (QUALITY, TIME) or not re.fullmatch(r"[0-9]{0,2}\.?[0-9]{1,9}", number):
            raise SpecError(where, "not a budget", want=want, got=text)
        share = float(number)
        if not 0 < share <= 1:
            raise SpecError(where, "a share is above 0 and at most 1", want=want, got=text)
        return cls(name, share)

    def __str__(self) -> str:
        return f"{self.of}={self.share:g}"

    def drop(self, dense: Figure) -> float:
        """By how much the figure may be worse: of losses, ``1 / share`` of the dense one."""
        size = abs(dense.value)
        return size * (1 - self.share if dense.higher_is_better else 1 / self.share - 1)


DEFAULT: Final = Budget(QUALITY, 0.98)


@dataclass(frozen=True)
class Mix:
    """What was chosen.

    Attributes
    ----------
    budget : Budget
    method : str
    origin : str
        Of the costs: measured, or estimated from reconstruction errors.
    layers : dict of str to (Option, Option)
        What each layer runs as, and what it would be dense, in the order of the network.
    workload : Workload
        The network with these patterns: what ``mixed.csv`` holds.
    time_ns : float
        Simulated whole.
    drop : float
        By how much the figure is worse, as the costs predict.
    measured : Group or None
        Rows of exactly this mix.
    """

    budget: Budget
    method: str
    origin: str
    layers: dict[str, tuple[Option, Option]]
    workload: Workload
    time_ns: float
    drop: float
    measured: Group | None

    @property
    def patterns(self) -> dict[str, str]:
        """By layer name; ``1:1`` of layers that stay dense."""
        return {name: option.pattern for name, (option, _) in self.layers.items()}

    @property
    def counts(self) -> dict[str, int]:
        """Layers by pattern, the densest first."""
        patterns = sorted(self.patterns.values(), key=lambda text: -parse_pattern(text).density)
        return {pattern: patterns.count(pattern) for pattern in patterns}


def mixed(
    budget: Budget, method: str, measured: Measurements, networks: Networks, clock: Clock
) -> Mix:
    """The best mix of patterns within a budget, simulated whole.

    Raises
    ------
    SpecError
        If no mix is within the budget.
    StoreError
        If the rows do not say what layers cost.
    """
    dense = measured.dense
    if dense.first.trace is not None:
        hint = "what a layer costs after training says little of several together"
        raise StoreError("--per-layer", "needs rows of pruned models, got trained ones", hint=hint)
    costs = costs_of(measured, method)
    network = networks.of(dense)
    dense_ns = clock.time_ns(network)
    options = _options(costs, network, clock)
    rest_ns = dense_ns - sum(choices[0].time_ns for choices in options.values())
    limit = Limit("time", budget.share * dense_ns - rest_ns)
    if budget.of == QUALITY:
        limit = Limit("cost", budget.drop(dense.figure(measured.figure)))
    chosen = choose(list(options.values()), limit)
    if chosen is None:
        quick = zip(options.values(), fastest(list(options.values())), strict=True)
        least = rest_ns + sum(choices[at].time_ns for choices, at in quick)
        what = f"no mix of {method} is that fast"
        want = f"time={math.ceil(1000 * least / dense_ns) / 1000:g} or more"
        raise SpecError("--budget", what, got=str(budget), want=want)
    taken = {
        name: (choices[at], choices[0])
        for (name, choices), at in zip(options.items(), chosen, strict=True)
    }
    patterns = {name: option.pattern for name, (option, _) in taken.items()}
    workload = under(network, patterns)
    return Mix(
        budget, method, costs.origin, taken, workload, clock.time_ns(workload),
        sum(option.cost for option, _ in taken.values()),
        _measured(measured.groups, method, patterns),
    )  # fmt: skip


def _options(costs: Costs, network: Workload, clock: Clock) -> dict[str, list[Option]]:
    """What each layer may run as, dense first: every pattern is simulated in all layers at once."""
    names = {name for name, _ in costs.by_layer}
    patterns = list(dict.fromkeys(pattern for _, pattern in costs.by_layer))
    times = {
        pattern: _times_ns(under(network, dict.fromkeys(names, pattern)), clock)
        for pattern in (str(DENSE), *patterns)
    }
    found = {}
    for layer in network.layers:
        if layer.name in names:
            dense = Option(str(DENSE), times[str(DENSE)][layer.name], 0.0)
            found[layer.name] = [dense] + [
                Option(pattern, times[pattern][layer.name], costs.by_layer[layer.name, pattern])
                for pattern in patterns
                if (layer.name, pattern) in costs.by_layer
            ]
    return found


def _times_ns(workload: Workload, clock: Clock) -> dict[str, float]:
    """Of every layer that has weights, as often as it occurs.

    Layers that are one kernel share its time by their MACs.
    """
    macs = {name: layer.macs for name, layer in bearing(workload).items()}
    times: dict[str, float] = {}
    for kernel in clock.report(workload).layers:
        names = [name for name in kernel.members if name in macs]
        whole = sum(macs[name] for name in names)
        times |= {name: kernel.time_ns * kernel.repeat * (macs[name] / whole) for name in names}
    return times


def _measured(groups: Sequence[Group], method: str, patterns: dict[str, str]) -> Group | None:
    """Rows in which the same layers have the same patterns, and all others are dense."""
    pruned = {name: text for name, text in patterns.items() if not parse_pattern(text).is_dense}
    for group in groups:
        is_same = {name: group.patterns[name] for name in group.pruned} == pruned
        if is_same and not group.prunes_one and (group.method == method or not pruned):
            return group
    return None


def method_of(measured: Measurements, asked: str | None) -> str:
    """The method that was asked for, else the one whose uniform rows are best on average.

    Raises
    ------
    StoreError
        If no row was pruned by it.
    """
    values: dict[str, list[float]] = {}
    for group in measured.groups:
        if not group.is_dense:
            found = group.figure(measured.figure)
            sign = 1.0 if found.higher_is_better else -1.0
            values.setdefault(group.method, [])
            values[group.method] += [sign * found.value] if group.is_uniform else []
    if asked is not None and asked not in values:
        hint = did_you_mean(asked, values) if values else None
        raise StoreError("--method", "no row was pruned by it", got=asked, hint=hint)
    if not values:
        raise StoreError("--per-layer", "no row prunes anything")
    return asked or max(values, key=lambda name: fmean(values[name] or [-math.inf]))
