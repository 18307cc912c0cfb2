"""The Pareto front: points that no other beats in every figure asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SpecError, did_you_mean

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


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _numbers(column: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").astype(float)
