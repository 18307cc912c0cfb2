"""What sweeps pass to their page, as plain columns and values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from simulator.described.sweeps import SWEEP
from simulator.errors import OutputError
from simulator.exploration.table import ABOUT, Rows
from simulator.names import words
from simulator.pages import Column, PointsPage, points_html
from simulator.quantities import count
from simulator.report.total import SHOWN, Figure
from simulator.sparsity import TRACE
from simulator.version import __version__

MOST_POINTS: Final = 20_000
"""A page of more is slow to open: 3 MB, and as many markers."""

UNITS: Final = {"ns": "time", "pJ": "energy", "bytes": "size", "W": "power", "mm2": "mm²"}
"""What figures' units are called in pages."""

RATIOS: Final = {"speedup": "times", "mac_utilization": "ratio", "time_error_ratio": "ratio",
                 "dram_error_ratio": "ratio"}  # fmt: skip
TITLES: Final = {
    "speedup": "speed-up",
    "mac_utilization": "MAC util.",
    "macs_executed": "MACs executed",
    "macs": "MACs",
    "area_mm2": "area of parts",
}
GOOD: Final = frozenset({"speedup", "mac_utilization"})
SHOWN_FIRST: Final = ("area_mm2", "energy_pj", "dram_bytes", "time_ns")
"""Across, beside time: the first of which there is a figure."""


def rows_html(rows: Rows, title: str, notes: Sequence[str] = ()) -> str:
    """The page of a sweep's rows; those of points that failed are counted, not shown.

    Raises
    ------
    OutputError
        If there is nothing to show, or too much for a page.
    """
    values = rows.columns()
    failed = [error is not None for error in values["error"]]
    whole = [at for at, one in enumerate(failed) if not one]
    if not whole:
        raise OutputError("page", "no point has figures", got=count(len(failed), "point"))
    if len(whole) > MOST_POINTS:
        raise OutputError(
            "page", "too many points", got=len(whole), want=f"at most {MOST_POINTS}",
            hint="--pattern leaves those of one pattern",
        )  # fmt: skip
    columns = {name: column for name, column in _columns(rows) if _varies(values[name], name)}
    names = list(columns)
    values["bound"] = [bound and words(bound) for bound in values["bound"]]
    values["pattern"] = [pattern or TRACE for pattern in values["pattern"]]
    shown = [name for name in SHOWN_FIRST if name in names]
    return points_html(
        PointsPage(
            title=title,
            facts=tuple(_facts(values, whole, sum(failed))),
            columns=tuple(columns.values()),
            rows=[[values[name][at] for name in names] for at in whole],
            apart=names.index("pattern"),
            groups=names.index("workload"),
            x=names.index(shown[0]),
            y=names.index("time_ns"),
            notes=tuple(notes),
            made_by=f"nmsim {__version__}",
        )
    )


def _facts(values: dict[str, list[object]], whole: Sequence[int], failed: int) -> Iterator[str]:
    yield count(len(whole), "point")
    if failed:
        yield f"{failed} failed"
    for name in ABOUT:
        if len({values[name][at] for at in whole}) == 1 and name not in ("engine", "accuracy"):
            yield f"{name} {values[name][whole[0]] or TRACE}"


def _columns(rows: Rows) -> Iterator[tuple[str, Column]]:
    """All that there may be, by name: what was chosen, then what came of it."""
    for name in ("workload", "stack", "pattern", "hardware", *rows.parameters):
        yield name, Column(name, "choice")
    for figure in SHOWN:
        if figure.name != "time_ps":  # the same as time_ns
            yield figure.name, _column(figure)


def _column(figure: Figure) -> Column:
    if figure.kind in (str, bool):
        return Column(words(figure.name), "outcome" if figure.name == "bound" else "text")
    described = SWEEP.find(figure.name)
    of = described.unit if described else ""
    unit = RATIOS.get(figure.name, UNITS.get(of, ""))
    suffix = f"_{of.lower()}" if of not in ("", "bytes") else ""
    title = words(figure.name.removesuffix(suffix).removesuffix("_ratio"))
    return Column(TITLES.get(figure.name, title), "figure", unit, figure.name in GOOD)


def _varies(values: Sequence[object], name: str) -> bool:
    """Whether a column says anything: what is always there is, too."""
    if name in ("workload", "pattern", "time_ns"):
        return True
    known = {value for value in values if value is not None}
    return len(known) > 1
