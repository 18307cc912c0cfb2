"""What a layer's pattern costs in quality: measured alone, or estimated from what it distorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np

from simulator.errors import StoreError
from simulator.quantities import count
from simulator.tradeoff.groups import Group, Measurements

LayerPattern = tuple[str, str]
"""A layer's name and its pattern."""


class Costs(Protocol):
    """Costs that add up over layers, and the drop of the figure that their sum stands for."""

    @property
    def by_layer(self) -> Mapping[LayerPattern, float]: ...
    @property
    def origin(self) -> str: ...
    @property
    def unit(self) -> str: ...
    def drop(self, total: float) -> float:
        """By how much the figure is worse."""
        ...

    def most(self, drop: float) -> float:
        """The largest sum that makes it worse by no more."""
        ...


@dataclass(frozen=True)
class Measured:
    """Drops of networks in which one layer is pruned; of several layers they are added."""

    by_layer: Mapping[LayerPattern, float]
    origin: str = "drops measured layer by layer, added"
    unit: str = "drop"

    def drop(self, total: float) -> float:
        return total

    def most(self, drop: float) -> float:
        return drop


@dataclass(frozen=True)
class Reconstructed:
    """Reconstruction errors, and the drop that uniform rows had at their sums.

    Attributes
    ----------
    sums, drops : tuple of float
        Rising; between them lines, from 0 on. A row that did better than one that distorts less
        counts as bad as that.
    """

    by_layer: Mapping[LayerPattern, float]
    sums: tuple[float, ...]
    drops: tuple[float, ...]
    unit: str = "error of outputs"

    @property
    def origin(self) -> str:
        rows = count(len(self.sums) - 1, "uniform row")
        return f"an estimate: reconstruction errors, mapped to the drops of {rows}"

    def drop(self, total: float) -> float:
        """No more than that of the worst row, however large the sum."""
        return float(np.interp(total, self.sums, self.drops))

    def most(self, drop: float) -> float:
        """Infinite where no row had such a drop."""
        if drop >= self.drops[-1]:
            return np.inf
        at = int(np.searchsorted(self.drops, drop, side="right"))
        low, high = self.drops[at - 1], self.drops[at]
        part = (drop - low) / (high - low)
        return self.sums[at - 1] + part * (self.sums[at] - self.sums[at - 1])


def costs_of(measured: Measurements, method: str) -> Costs:
    """What one method's rows say of its layers.

    Measured where some pattern was measured in every layer, one at a time; such patterns alone
    count then. A drop below 0 is taken as 0: no layer is better for being pruned.

    Raises
    ------
    StoreError
        If there is neither that nor a uniform row with reconstruction errors.
    """
    ours = [group for group in measured.groups if group.method == method and group.number == 1]
    alone = {
        (group.pruned[0], group.patterns[group.pruned[0]]): measured.cost(group).value
        for group in ours
        if group.prunes_one
    }
    uniform = [group for group in ours if group.is_uniform and group.first.trace is None]
    layers = {name for group in uniform for name in group.pruned} or {name for name, _ in alone}
    whole = {pattern for _, pattern in alone if all((name, pattern) in alone for name in layers)}
    if whole:
        kept = {key: max(0.0, drop) for key, drop in alone.items() if key[1] in whole}
        return Measured(kept)
    return _reconstructed(uniform, measured, method)


def _reconstructed(uniform: Sequence[Group], measured: Measurements, method: str) -> Reconstructed:
    by_layer: dict[LayerPattern, float] = {}
    knots = [(0.0, 0.0)]
    for group in uniform:
        errors = [(name, group.patterns[name], group.layers[name].error) for name in group.pruned]
        known = {(name, pattern): error for name, pattern, error in errors if error is not None}
        if len(known) == len(errors):
            by_layer |= known
            knots.append((sum(known.values()), max(0.0, measured.cost(group).value)))
    if not by_layer:
        raise StoreError(
            "--per-layer", f"no row by {method} says what a layer's pattern costs",
            want="rows that prune one layer, or reconstruction errors of all",
            hint="nmsim quality --each-layer, or with a method that calibrates",
        )  # fmt: skip
    sums, drops = zip(*sorted(knots), strict=True)
    return Reconstructed(by_layer, sums, tuple(accumulate(drops, max)))
