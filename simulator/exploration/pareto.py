"""The Pareto front: points that no other beats in every figure asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SpecError, did_you_mean
from simulator.exploration.row import Row
from simulator.exploration.table import Rows

if TYPE_CHECKING:
    import pandas as pd


def pareto_front(
    frame: pd.DataFrame,
    minimize: str | Sequence[str] | None = None,
    maximize: str | Sequence[str] = (),
    by: str | Sequence[str] = ("workload",),
) -> pd.DataFrame:
    """The rows that are not dominated, fastest (smallest first figure) first.

    Parameters
    ----------
    frame : DataFrame
        As ``to_frame()`` of a sweep gives it; rows that lack a figure are left out.
    minimize, maximize : str or sequence of str
        Columns of numbers; by default, and where nothing is maximized, time_ns and energy_pj are
        minimized.
    by : str or sequence of str
        A front for each of these: the figures of different workloads do not compare.

    Raises
    ------
    SpecError
        If a column does not exist or holds no numbers.
    """
    maximize, by = _listed(maximize), _listed(by)
    if minimize is None:
        minimize = () if maximize else ("time_ns", "energy_pj")
    minimize = _listed(minimize)
    names = [*minimize, *maximize]
    if len(set(names)) < len(names):
        raise SpecError("pareto", "the same figure twice", got=", ".join(names))
    if not names:
        raise SpecError("pareto", "name at least one figure", want="such as time_ns and energy_pj")
    for name in (*names, *by):
        if name not in frame.columns:
            meant = did_you_mean(name, map(str, frame.columns))
            raise SpecError(f"pareto {name}", "no such column", hint=meant)
    frame = frame.reset_index(drop=True)  # two frames put together may have rows of one label
    values = frame[names].apply(_numbers)
    for name in names:
        if values[name].isna().all():
            hint = (
                "energy needs a machine that states its energies" if name == "energy_pj" else None
            )
            raise SpecError(f"pareto {name}", "no row has a number in it", hint=hint)
    whole = frame[values.notna().all(axis=1)]
    signs = np.array([1.0] * len(minimize) + [-1.0] * len(maximize))
    kept = []
    for _, group in whole.groupby(by, sort=True, dropna=False) if by else [(None, whole)]:
        costs = values.loc[group.index].to_numpy(dtype=float) * signs
        kept += [group.index[i] for i in front(costs)]
    return frame.loc[kept].reset_index(drop=True)


def front(costs: NDArray[np.float64]) -> list[int]:
    """Rows of ``costs`` (points x figures, all to be small) that no other row dominates, sorted.

    A row dominates another if it is nowhere larger and somewhere smaller; equal rows both stay.
    """
    order = np.lexsort(costs.T[::-1])
    found = np.empty((0, costs.shape[1]))
    kept: list[int] = []
    # In this order a row can only be dominated by one before it, and by one of the front at that.
    for index in order:
        row = costs[index]
        beaten = (found <= row).all(axis=1) & (found < row).any(axis=1)
        if not beaten.any():
            found = np.vstack([found, row])
            kept.append(int(index))
    return kept


def merge_ties(table: Rows) -> Rows:
    """One row for points that are equal in every figure and differ in settings alone.

    Their other settings had no effect: ``idle`` names the keys, and ``ties`` counts the points.
    """
    columns = table.columns()
    alike = [values for name, values in columns.items() if name not in {*table.parameters, "key"}]
    groups: dict[object, list[Row]] = {}
    for row, *figures in zip(table.rows, *alike, strict=True):
        groups.setdefault(tuple(figures), []).append(row)
    found = list(chain.from_iterable(_merged(group) for group in groups.values()))
    return replace(
        table,
        rows=[row for row, _, _ in found],
        more={"ties": [ties for _, ties, _ in found], "idle": [idle for _, _, idle in found]},
    )


def _merged(group: list[Row]) -> list[tuple[Row, int, str | None]]:
    """The first of equal points, their number, and the keys in which they differ."""
    settings = [row.settings for row in group]
    keys = sorted({key for one in settings for key in one})
    idle = [key for key in keys if any(one.get(key) != settings[0].get(key) for one in settings)]
    if idle:
        return [(group[0], len(group), ", ".join(idle))]
    return [(row, 1, None) for row in group]


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _numbers(column: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").astype(float)
