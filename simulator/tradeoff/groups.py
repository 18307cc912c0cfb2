"""``rows of a store -> groups``: one network under one pattern by one method, seeds together."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev

from simulator.errors import StoreError, did_you_mean
from simulator.quality.measured import Figure, LayerCost, Measured
from simulator.sparsity import DENSE, parse_pattern

DENSE_RECIPE = "dense"
"""The recipe of training that prunes nothing, within the same budget as the others."""

MIXED = "mixed"
"""The pattern of rows whose layers differ."""

WITHIN_ERRORS = 2.0
"""Standard errors of a difference within which two figures are taken as equal: of means that are
normally distributed 1 in 20 differs by more without a reason."""


@dataclass(frozen=True)
class Group:
    """Rows that differ in their seeds alone.

    Attributes
    ----------
    rows : tuple of Measured
        In the order of their seeds; one at least.
    number : int
        From 1; above it where a store holds the same more than once, made in different ways.
    """

    rows: tuple[Measured, ...]
    number: int = 1

    @property
    def first(self) -> Measured:
        return self.rows[0]

    @property
    def method(self) -> str:
        return self.first.method

    @property
    def pattern(self) -> str:
        return self.first.pattern

    @cached_property
    def layers(self) -> dict[str, LayerCost]:
        """By layer name; patterns are those of every seed, other figures those of the first."""
        return self.first.layers_of

    @cached_property
    def patterns(self) -> dict[str, str]:
        """What every layer that could be pruned runs as, by layer name."""
        return {name: str(parse_pattern(cost.pattern)) for name, cost in self.layers.items()}

    @cached_property
    def pruned(self) -> list[str]:
        """Names of the layers that are not dense."""
        return [name for name, text in self.patterns.items() if not parse_pattern(text).is_dense]

    @property
    def is_dense(self) -> bool:
        return not self.pruned

    @property
    def prunes_one(self) -> bool:
        """One layer of several of a model, to learn what that one costs."""
        return len(self.pruned) == 1 < len(self.layers) and self.first.trace is None

    @property
    def is_uniform(self) -> bool:
        """One pattern for all layers that are pruned, and more than one layer that is."""
        return self.pattern != MIXED and len(self.pruned) > 0 and not self.prunes_one

    @property
    def seeds(self) -> list[int]:
        return [row.seed for row in self.rows if row.seed is not None]

    @property
    def name(self) -> str:
        """Pattern and method, as a legend names them."""
        text = DENSE_RECIPE if self.is_dense and self.method == DENSE_RECIPE else ""
        text = text or f"{self.pattern} {self.method}"
        return text if self.number == 1 else f"{text} ({self.number})"

    def figure(self, name: str) -> Figure:
        """Mean over seeds and its standard error; of a single row what its evaluator says."""
        figures = [row.figures_of[name] for row in self.rows]
        if len(figures) == 1:
            return figures[0]
        values = [figure.value for figure in figures]
        error = stdev(values) / math.sqrt(len(values))
        return Figure(fmean(values), error, figures[0].higher_is_better)


def cost(dense: Group, other: Group, name: str) -> Figure:
    """By how much a figure is worse than that of the dense network, and its standard error.

    Where both were measured with two or more seeds in common, the differences seed by seed decide:
    what a seed does to both cancels. Otherwise the errors of both are taken as independent, which
    is too large an error where both were measured on the same data.
    """
    sign = 1.0 if dense.first.figures_of[name].higher_is_better else -1.0
    ours = {row.seed: row.figures_of[name].value for row in other.rows if row.seed is not None}
    theirs = {row.seed: row.figures_of[name].value for row in dense.rows if row.seed is not None}
    paired = [sign * (theirs[seed] - ours[seed]) for seed in ours if seed in theirs]
    if len(paired) > 1:
        return Figure(fmean(paired), stdev(paired) / math.sqrt(len(paired)), False)
    one, two = dense.figure(name), other.figure(name)
    return Figure(sign * (one.value - two.value), math.hypot(one.error, two.error), False)


def is_within_error(difference: Figure) -> bool:
    """A difference that its standard error explains."""
    return abs(difference.value) <= WITHIN_ERRORS * difference.error


def select(
    rows: Sequence[Measured], network: str | None, task: str | None, where: str
) -> list[Measured]:
    """The rows of one network and one task.

    Parameters
    ----------
    network : str, optional
        A name, or the beginning of a digest; needed where there are several.
    task : str, optional
        Needed where there are several.
    where : str
        The store, for errors.

    Raises
    ------
    StoreError
        If there is no such row, or more than one network or task is left.
    """
    if not rows:
        raise StoreError(where, "has no rows", hint="nmsim quality or train --store fills it")
    if network is not None:
        named = [row for row in rows if network in (row.network, row.digest)]
        found = named or [row for row in rows if network and row.digest.startswith(network)]
        rows = _found(found, "--network", network, (row.network for row in rows))
    if task is not None:
        found = [row for row in rows if row.task == task]
        rows = _found(found, "--task", task, (row.task for row in rows))
    digests = {row.digest: row.network for row in rows}
    if len(digests) > 1:
        is_named = len(set(digests.values())) == len(digests)
        known = digests.values() if is_named else (f"{n} {d[:12]}" for d, n in digests.items())
        raise _ambiguous(where, "networks", known, "--network, by name or digest")
    if len({row.task for row in rows}) > 1:
        raise _ambiguous(where, "tasks", {row.task for row in rows}, "--task")
    return list(rows)


def _found(found: list[Measured], option: str, name: str, known: Iterable[str]) -> list[Measured]:
    if not found:
        raise StoreError(option, "no row has it", got=name, hint=did_you_mean(name, set(known)))
    return found


def _ambiguous(where: str, what: str, known: Iterable[str], option: str) -> StoreError:
    names = sorted(known)
    text = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return StoreError(where, f"holds {len(names)} {what}: {text}", hint=f"choose with {option}")


def grouped(rows: Iterable[Measured]) -> list[Group]:
    """Rows by what they are but for their seeds, in the order in which they come.

    Rows of one seed that differ in nothing but how they were made (calibration, epochs) are groups
    of their own.
    """
    alike: dict[object, list[Measured]] = {}
    for row in rows:
        patterns = tuple((name, cost.pattern) for name, cost in row.layers_of.items())
        key = (row.digest, row.task, row.method, row.pattern, row.dense, patterns)
        alike.setdefault(key, []).append(row)
    return [group for same in alike.values() for group in _groups(same)]


def _groups(rows: list[Measured]) -> Iterable[Group]:
    """One group, or as many as ways in which one seed was measured."""
    if len({row.seed for row in rows}) == len(rows):
        made = [rows]
    else:
        ways: dict[str, list[Measured]] = {}
        for row in rows:
            way = json.dumps(row.provenance, sort_keys=True)
            ways.setdefault(way, []).append(row)
        made = [some for way in ways.values() for some in _apart(way)]
    for number, some in enumerate(made, start=1):
        yield Group(tuple(sorted(some, key=lambda row: row.seed or 0)), number)


def _apart(rows: list[Measured]) -> list[list[Measured]]:
    """No seed twice: each further row of a seed stands alone."""
    first: dict[int | None, Measured] = {}
    others = []
    for row in rows:
        if first.setdefault(row.seed, row) is not row:
            others.append([row])
    return [list(first.values()), *others]


@dataclass(frozen=True)
class Measurements:
    """All that was measured of one network at one task, by one figure.

    Attributes
    ----------
    groups : tuple of Group
    dense : Group
        One of them: what the others are compared with.
    figure : str
    """

    groups: tuple[Group, ...]
    dense: Group
    figure: str

    @classmethod
    def of(cls, rows: Iterable[Measured], figure: str | None, where: str) -> Measurements:
        """Rows of one network and task, as `select` gives them; the first figure by default."""
        groups = tuple(grouped(rows))
        return cls(groups, dense_of(groups, where), figure_name(groups, figure))

    def cost(self, group: Group) -> Figure:
        """By how much it is worse than dense."""
        return (
            Figure(0.0, 0.0, False) if group is self.dense else cost(self.dense, group, self.figure)
        )

    @property
    def networks(self) -> list[Group]:
        """Dense first, without those that prune one layer alone."""
        others = (group for group in self.groups if group is not self.dense)
        return [self.dense, *(group for group in others if not group.prunes_one)]


def figure_name(groups: Sequence[Group], asked: str | None) -> str:
    """The figure that was asked for, else the first of the first row.

    Raises
    ------
    StoreError
        If a row lacks it.
    """
    known = list(groups[0].first.figures_of)
    name = known[0] if asked is None and known else asked
    for row in (row for group in groups for row in group.rows):
        figures = row.figures_of
        if name is None or name not in figures:
            hint = did_you_mean(name or "", figures) if figures else "it has none"
            what = f"a row has no such figure ({row.pattern} {row.method})"
            raise StoreError("--figure", what, got=name, hint=hint)
        if not math.isfinite(figures[name].value) or not math.isfinite(figures[name].error):
            what = f"is not a number in a row ({row.pattern} {row.method})"
            raise StoreError(f"--figure {name}", what, got=figures[name].value)
    assert name is not None
    return name


def dense_of(groups: Sequence[Group], where: str) -> Group:
    """The dense network, which the others are compared with.

    Of several that prune nothing the one with most weights: what channels were taken from is none.

    Raises
    ------
    StoreError
        If every row prunes something.
    """
    dense = [group for group in groups if group.is_dense]
    if not dense:
        hint = f"measure pattern {DENSE}, or train the recipe {DENSE_RECIPE}"
        raise StoreError(where, "has no row of the dense network to compare with", hint=hint)
    return max(dense, key=lambda group: (group.first.weights, group.method == DENSE_RECIPE))
