"""What sweeps pass to their page, as plain columns and values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from simulator.described.sweeps import SWEEP
from simulator.errors import OutputError
from simulator.exploration.table import ABOUT, Rows
from simulator.names import words
from simulator.pages import Column, PointsPage, points_html
from simulator.quantities import count
from simulator.report.total import SHOWN, Figure
from simulator.sparsity import TRACE
from simulator.version import __version__

if TYPE_CHECKING:
    from simulator.exploration.search import SearchResult

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


@dataclass(frozen=True)
class Front:
    """Figures that a front is of, and the keys of the rows that are on it."""

    minimize: tuple[str, ...]
    maximize: tuple[str, ...]
    keys: frozenset[str]

    @property
    def figures(self) -> tuple[str, ...]:
        return (*self.minimize, *self.maximize)


def rows_html(rows: Rows, title: str, notes: Sequence[str] = (), front: Front | None = None) -> str:
    """The page of a sweep's rows; those of points that failed are counted, not shown.

    Parameters
    ----------
    front : Front, optional
        What is drawn at first; by default time over the first of `SHOWN_FIRST`.

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
    asked = front.figures if front else ()
    columns = {
        name: _asked(column, name, front) if front and name in asked else column
        for name, column in _columns(rows)
        if name in asked or _varies(values[name], name)
    }
    shown = [name for name in (*asked[1:2], *SHOWN_FIRST) if name in columns]
    drawn = (next(iter(asked), "time_ns"), shown[0])
    columns = dict(sorted(columns.items(), key=lambda item: _place(item[1], item[0] in drawn)))
    names = list(columns)
    values["bound"] = [bound and words(bound) for bound in values["bound"]]
    values["pattern"] = [_pattern(name) for name in values["pattern"]]
    return points_html(
        PointsPage(
            title=title,
            facts=tuple(_facts(values, whole, sum(failed))),
            columns=tuple(columns.values()),
            rows=[[values[name][at] for name in names] for at in whole],
            apart=names.index("pattern"),
            groups=names.index("workload"),
            x=names.index(drawn[1]),
            y=names.index(drawn[0]),
            notes=tuple(notes),
            made_by=f"nmsim {__version__}",
            best=_on_front(front, [values["key"][at] for at in whole]),
        )
    )


def _place(column: Column, is_drawn: bool) -> int:
    """Choices come first, and right behind them the figures that are drawn."""
    return 1 if is_drawn else 2 * (column.role != "choice")


def _asked(column: Column, name: str, front: Front) -> Column:
    """A figure that a front was asked of, even where it was chosen."""
    return replace(column, role="figure", is_good=name in front.maximize)


def _on_front(front: Front | None, keys: Sequence[object]) -> tuple[int, ...] | None:
    """Rows of a front in more figures than are drawn; of two, the page finds them itself."""
    if front is None or len(front.figures) == 2:
        return None
    return tuple(at for at, key in enumerate(keys) if key in front.keys)


def search_html(result: SearchResult, title: str) -> str:
    """The page of a search: its trials by their first two objectives, and the front of all.

    Of trials that are equal in every objective the first is shown, as on the front.

    Raises
    ------
    OutputError
        If no trial has figures.
    """
    every = [one for one in result.records() if one["error"] is None]
    objectives = result.objectives
    first = {tuple(one[name] for name in objectives): one for one in reversed(every)}
    done = [one for one in every if one is first[tuple(one[name] for name in objectives)]]
    if not done:
        raise OutputError("page", "no trial has figures", got=count(len(result.trials), "trial"))
    failed, equal = len(result.trials) - len(every), len(every) - len(done)
    names = [name for name in done[0] if name not in ("pareto", "error")]
    roles = {"trial": Column("trial", "figure")} | {
        figure.name: _column(figure) for figure in SHOWN if figure.name in objectives
    }
    return points_html(
        PointsPage(
            title=title,
            facts=(
                count(len(every), "trial"),
                *([f"{failed} without figures"] if failed else []),
                *([f"{equal} as good as an earlier one, and not shown"] if equal else []),
            ),
            columns=tuple(roles.get(name) or Column(name, "choice") for name in names),
            rows=[[_pattern(one[name]) if name == "pattern" else one[name] for name in names]
                  for one in done],
            apart=names.index("pattern"),
            groups=None,
            x=names.index(objectives[1] if len(objectives) > 1 else "trial"),
            y=names.index(objectives[0]),
            notes=result.notes,
            made_by=f"nmsim {__version__}",
            best=None if len(objectives) == 2 else tuple(
                at for at, one in enumerate(done) if one["pareto"]
            ),
        )
    )  # fmt: skip


def _pattern(name: str | None) -> str:
    return name or TRACE


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
