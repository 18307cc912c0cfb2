"""What a layer's pattern costs in quality: measured alone, or its part of what all layers cost.

Costs are drops of the figure and add up over layers. A drop below 0 is taken as 0: no layer is
better for being pruned.

Where layers were not measured one at a time, the drop of a network with one pattern everywhere is
shared among its layers as their reconstruction errors are. So what those networks lost is met
exactly, and a layer that is distorted more is taken to cost more. It is an estimate: a drop is no
straight line of the errors, and equal errors do not do equal harm. One map of the summed error to
the drop, over all patterns, is worse by far: on a text recogniser it promised 0.9 points for a mix
that lost 23, where shares say 9. So mixes that were measured correct it: if one lost more than its
shares, all costs are raised by as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.errors import StoreError
from simulator.quantities import count
from simulator.tradeoff.groups import MIXED, Group, Measurements, is_within_error

LayerPattern = tuple[str, str]
"""A layer's name and its pattern."""


@dataclass(frozen=True)
class Costs:
    """By how much the figure is worse for each layer and pattern, and whence that is known."""

    by_layer: Mapping[LayerPattern, float]
    origin: str


def costs_of(measured: Measurements, method: str) -> Costs:
    """What one method's rows say of its layers.

    Measured where some pattern was measured in every layer, one at a time; such patterns alone
    count then.

    Raises
    ------
    StoreError
        If there is neither that nor a uniform row with reconstruction errors.
    """
    ours = [group for group in measured.groups if group.method == method and group.number == 1]
    alone = {
        (group.pruned[0], group.patterns[group.pruned[0]]): _drop(measured, group)
        for group in ours
        if group.prunes_one
    }
    uniform = [group for group in ours if group.is_uniform and group.first.trace is None]
    layers = {name for group in uniform for name in group.pruned} or {name for name, _ in alone}
    whole = {pattern for _, pattern in alone if all((name, pattern) in alone for name in layers)}
    if whole:
        kept = {key: drop for key, drop in alone.items() if key[1] in whole}
        return Costs(kept, "measured layer by layer, and added")
    shares = _shares(measured, uniform)
    if not shares:
        raise StoreError(
            "--per-layer", f"no row by {method} says what a layer's pattern costs",
            want="rows that prune one layer, or reconstruction errors of all",
            hint="nmsim quality --each-layer, or with a method that calibrates",
        )  # fmt: skip
    mixes = [group for group in ours if group.pattern == MIXED]
    return _corrected(shares, measured, mixes)


def _drop(measured: Measurements, group: Group) -> float:
    return max(0.0, measured.cost(group).value)


def _shares(measured: Measurements, uniform: Sequence[Group]) -> dict[LayerPattern, float]:
    """What uniform networks lost, shared among their layers as their reconstruction errors are."""
    found: dict[LayerPattern, float] = {}
    for group in sorted(uniform, key=lambda group: len(group.pruned)):  # the widest counts last
        errors = {name: group.layers[name].error for name in group.pruned}
        known = {name: error for name, error in errors.items() if error is not None}
        whole = sum(known.values())
        if len(known) == len(errors) and whole > 0:
            drop = _drop(measured, group)
            for name, error in known.items():
                found[name, group.patterns[name]] = drop * error / whole
    return found


def _corrected(
    shares: Mapping[LayerPattern, float], measured: Measurements, mixes: Sequence[Group]
) -> Costs:
    """Raised by as much as the worst mix that was measured lost more than its shares."""
    ratio = 1.0
    for group in mixes:
        keys = [(name, group.patterns[name]) for name in group.pruned]
        expected = sum(shares.get(key, 0.0) for key in keys)
        drop = measured.cost(group)
        if expected > 0 and not is_within_error(drop):
            ratio = max(ratio, drop.value / expected)
    origin = "an estimate: shares, by reconstruction error, of what uniform networks lost"
    if ratio > 1:
        origin += f", times {ratio:.1f}, since of {count(len(mixes), 'measured mix', 'mixes')} one "
        origin += "lost so much more"
    return Costs({key: share * ratio for key, share in shares.items()}, origin)
