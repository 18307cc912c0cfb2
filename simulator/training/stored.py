"""Runs that are there: those of a store, or of a CSV that `nmsim train --format csv` wrote."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from simulator.catalog import text_of
from simulator.errors import StoreError
from simulator.hardware import Hardware, load_hardware
from simulator.quality.measured import Qualities
from simulator.training.table import COLUMNS, Run, RunTable
from simulator.training.timed import Timing, timed

WRITTEN_BY = "nmsim train RECIPE --store, or --format csv, writes them"


def stored_tables(
    path: str | Path, simulate: Hardware | str | Path | None = None, samples: int = 1
) -> list[RunTable]:
    """All runs of a file, those that compare in a table each.

    Parameters
    ----------
    path : str or Path
        A store, or a CSV.
    simulate : Hardware, str or Path, optional
        Time the networks on this machine; a CSV holds no layers, but the times of the machine that
        its runs were timed on.
    samples : int
        That run at once there.

    Raises
    ------
    SimulatorError
        StoreError if the file cannot be read or holds no runs; ConfigError if the machine cannot.
    """
    path = Path(path)
    timing = None if simulate is None else Timing(load_hardware(simulate), samples)
    if path.suffix.lower() == ".csv":
        if timing is not None:
            hint = "name the store, or train with --simulate --format csv"
            raise StoreError(str(path), "a CSV holds no layers to simulate", hint=hint)
        return _by_setup(_read_csv(path))
    with Qualities(path, must_exist=True) as store:
        rows = [row for row in store.rows() if row.seed is not None and row.trace is not None]
        store.check_whole()
    if not rows:
        raise StoreError(str(path), "holds no trained networks", hint=WRITTEN_BY)
    return _by_setup(timed([(Run.of(row), row) for row in rows], timing))


def _by_setup(runs: Sequence[Run]) -> list[RunTable]:
    setups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        setups.setdefault((run.task, run.network, run.setup), []).append(run)
    return [RunTable(tuple(some)) for some in setups.values()]


def _read_csv(path: Path) -> list[Run]:
    lines = csv.DictReader(io.StringIO(text_of(path, StoreError)))
    for name in COLUMNS:
        if name not in (lines.fieldnames or ()):
            raise StoreError(str(path), f"has no column '{name}'", hint=WRITTEN_BY)
    runs: dict[tuple[object, ...], Run] = {}
    for record in lines:
        where = f"{path}:{lines.line_num}"
        run = _run(record, where)
        same = (run.setup, run.task, run.network, run.recipe, run.pattern, run.seed)
        if runs.setdefault(same, run) is not run:
            raise StoreError(where, "the same run once more", got=" ".join(map(str, same[3:])))
    if not runs:
        raise StoreError(str(path), "holds no runs", hint=WRITTEN_BY)
    return list(runs.values())


def _run(record: Mapping[str, str | None], where: str) -> Run:
    values = {}
    for field in fields(Run):
        text = record[field.name] or ""
        try:
            values[field.name] = _READ[str(field.type)](text)
        except ValueError:
            raise StoreError(f"{where} {field.name}", "must be a number", got=text) from None
    return Run(**values)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


_READ: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "float": _number,
    "str | None": lambda text: text or None,
    "int | None": lambda text: int(text) if text else None,
    "float | None": lambda text: _number(text) if text else None,
}
"""What a cell means, by the type of its field."""
