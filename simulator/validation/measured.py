"""A user's own measurements: ``CSV -> MeasuredGemm``, a product a line.

=================================  ===============================================================
m, n, k                            sizes: ``Y[m, n] = W[m, k] . X[k, n]``, W the weights
time_ns, time_us, time_ms, time_s  what one product took on the device; one of the four
dtype                              a format of the machine, such as bf16 (default fp16)
pattern                            of the weights along k, such as 2:4 (default 1:1, dense)
batch                              independent products in one launch (default 1)
note                               anything: it is not read
=================================  ===============================================================

A product that occurs more than once counts once, by the median of its times: repeats say how far a
clock scatters, not what a machine does with another product.

Lines that start with ``#`` are comments.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final

from simulator.errors import ConfigError, WorkloadError, closest
from simulator.hardware import Hardware
from simulator.sparsity import DENSE, parse_pattern
from simulator.workload import Gemm
from simulator.workload.table import Cell, Row, Table, read_table

TIMES: Final = {"time_ns": 1.0, "time_us": 1e3, "time_ms": 1e6, "time_s": 1e9}
"""Columns of times, and how many nanoseconds their unit is."""

SIZES: Final = ("m", "n", "k")
COLUMNS: Final = (*SIZES, *TIMES, "dtype", "pattern", "batch", "note")
NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?")


@dataclass(frozen=True)
class MeasuredGemm:
    """A product and how long it took.

    Attributes
    ----------
    gemm : Gemm
        With the pattern of its weights.
    time_ns : float
    where : str
        File and line.
    """

    gemm: Gemm
    time_ns: float
    where: str

    @property
    def label(self) -> str:
        """``2x1024x1024x64``, where two such products were one launch."""
        gemm = self.gemm
        batch = f"{gemm.batch}x" if gemm.batch > 1 else ""
        return f"{batch}{gemm.m}x{gemm.n}x{gemm.k}"


def read_measurements(path: Path, hardware: Hardware) -> tuple[MeasuredGemm, ...]:
    """Read the file, and hold every line to what the machine can run.

    Raises
    ------
    WorkloadError
        With file, line and column of the first thing that is wrong.
    """
    table = read_table(path)
    names = _header(table)
    rows = tuple(_measured(row, names, hardware) for row in table.rows[1:])
    if not rows:
        raise WorkloadError(str(path), "holds no measurements", want="one a line")
    return _once(rows)


def _once(rows: Sequence[MeasuredGemm]) -> tuple[MeasuredGemm, ...]:
    """Every product once, where it occurs first, by the median of its times."""
    alike: dict[Gemm, list[MeasuredGemm]] = {}
    for row in rows:
        alike.setdefault(replace(row.gemm, name=""), []).append(row)
    return tuple(
        replace(same[0], time_ns=median(row.time_ns for row in same)) for same in alike.values()
    )


def _header(table: Table) -> list[str]:
    """The columns, each known and there once."""
    header = table.rows[0]
    names = [cell.text for cell in header.filled]
    for cell in header.filled:
        if cell.text not in COLUMNS:
            hint = closest(cell.text, COLUMNS) or f"columns are {', '.join(COLUMNS)}"
            raise WorkloadError(cell.where, "unknown column", got=cell.text, hint=hint)
        if names.count(cell.text) > 1:
            raise WorkloadError(cell.where, "column occurs twice", got=cell.text)
    for name in SIZES:
        if name not in names:
            raise WorkloadError(header.where, f"no column '{name}'")
    times = [name for name in names if name in TIMES]
    if len(times) != 1:
        got = " and ".join(times) or None
        raise WorkloadError(header.where, "one column of times", want=" or ".join(TIMES), got=got)
    return names


def _measured(row: Row, names: list[str], hardware: Hardware) -> MeasuredGemm:
    for extra in row.cells[len(names) :]:
        if extra.text:
            raise WorkloadError(extra.where, "more cells than columns", got=extra.text)
    cells = dict(zip(names, row.cells, strict=False))
    given = {name: cell for name, cell in cells.items() if cell.text}
    m, n, k = (_size(name, row, given) for name in SIZES)
    batch = _size("batch", row, given) if "batch" in given else 1
    unit = next(name for name in names if name in TIMES)
    dtype = given["dtype"].text if "dtype" in given else "fp16"
    if dtype not in hardware.dtypes:
        want, hint = " or ".join(hardware.dtypes), closest(dtype, hardware.dtypes)
        what = f"dtype: {hardware.name} has no such format"
        raise WorkloadError(given["dtype"].where, what, want=want, got=dtype, hint=hint)
    try:
        pattern = parse_pattern(given["pattern"].text) if "pattern" in given else DENSE
    except ConfigError as error:
        what = f"pattern: {error.what}"
        raise WorkloadError(given["pattern"].where, what, want=error.want, got=error.got) from None
    gemm = Gemm(f"line {row.line}", m, n, k, batch=batch, dtype=dtype, pattern=pattern)
    return MeasuredGemm(gemm, _time_ns(unit, row, given), row.where)


def _size(name: str, row: Row, given: dict[str, Cell]) -> int:
    text = _text(name, row, given)
    if not re.fullmatch(r"0*[1-9][0-9]{0,11}", text):
        where = given[name].where
        raise WorkloadError(where, f"{name}: must be a whole number from 1 on", got=text)
    return int(text)


def _time_ns(name: str, row: Row, given: dict[str, Cell]) -> float:
    text = _text(name, row, given)
    if not NUMBER.fullmatch(text) or not float(text) > 0:
        raise WorkloadError(given[name].where, f"{name}: must be a number above 0", got=text)
    return float(text) * TIMES[name]


def _text(name: str, row: Row, given: dict[str, Cell]) -> str:
    if name not in given:
        raise WorkloadError(row.where, f"has no '{name}'")
    return given[name].text
