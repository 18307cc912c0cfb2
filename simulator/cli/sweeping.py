"""The commands `nmsim sweep`, `search`, `results` and `pareto`: many points and their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from simulator.cli.keeping import StoreFile, files_of, interruptible, say
from simulator.cli.options import Format, Html, Output
from simulator.cli.screen import screen
from simulator.quantities import COLUMN_TIME, ENERGY, Scale, count, percent, times
from simulator.sparsity import asked_name

if TYPE_CHECKING:
    import pandas as pd

    from simulator.cli.grid import Grid
    from simulator.cli.tables import Part
    from simulator.exploration.search import SearchResult
    from simulator.exploration.sweep import SweepResult
    from simulator.exploration.table import Rows

SpecFile = Annotated[
    Path,
    typer.Argument(metavar="SPEC", help="YAML file: hardware, workloads, patterns, parameters."),
]
ReadStore = Annotated[
    Path, typer.Argument(metavar="STORE", help="The file that --store wrote, with its rows.")
]
Workers = Annotated[int | None, typer.Option(help="Processes that compute; default: one a core.")]
ExecutorName = Annotated[str, typer.Option(help="What workers are: processes, threads or serial.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Dask's, tcp://host:port, and its workers.")
]
Patterns = Annotated[
    list[str] | None,
    typer.Option("--pattern", metavar="PATTERN", help="Only rows of it; may be repeated."),
]
Figures = list[str] | None


def sweep(
    spec: SpecFile,
    store: StoreFile = None,
    workers: Workers = None,
    executor: ExecutorName = "processes",
    scheduler: Scheduler = None,
    format: Format = None,
    html: Html = None,
    output: Output = None,
) -> None:
    """Simulate every point of a design space; a point that fails is a row with its error."""
    how = {"store": store, "workers": workers, "executor": executor, "scheduler": scheduler}
    _explore("sweep", spec, how, format, {"-o": output, "--html": html})


def search(
    spec: SpecFile,
    store: StoreFile = None,
    workers: Workers = None,
    executor: ExecutorName = "processes",
    scheduler: Scheduler = None,
    format: Format = None,
    html: Html = None,
    output: Output = None,
) -> None:
    """Look for machines that are good in several objectives at once (needs the extra 'search')."""
    how = {"store": store, "workers": workers, "executor": executor, "scheduler": scheduler}
    _explore("search", spec, how, format, {"-o": output, "--html": html})


def results(
    store: ReadStore,
    pattern: Patterns = None,
    format: Format = None,
    html: Html = None,
    output: Output = None,
) -> None:
    """Write the rows of a store, ordered by what they are."""
    from simulator.cli import output as out
    from simulator.cli.tables import render

    kind = out.prepare(format, {"-o": output, "--html": html, **files_of("STORE", store)})
    with _stored(store, pattern) as rows:
        page = html, out.text(lambda: rows.to_html(store.stem))
        out.write_result(rows, kind, output, lambda: render([_table("", rows)]), page)


def pareto(
    store: ReadStore,
    minimize: Annotated[
        Figures,
        typer.Option(
            "--min", metavar="FIGURE", help="Default, without --max: time_ns and energy_pj."
        ),
    ] = None,
    maximize: Annotated[
        Figures,
        typer.Option("--max", metavar="FIGURE", help="A figure to make large, such as speedup."),
    ] = None,
    pattern: Patterns = None,
    format: Format = None,
    html: Html = None,
    output: Output = None,
) -> None:
    """Rows of a store that no other beats in every figure, a front a workload.

    Points that are equal in every figure are one row, which names the keys that had no effect.
    """
    from simulator.cli import output as out
    from simulator.cli.tables import render
    from simulator.exploration.paged import Front, rows_html
    from simulator.exploration.pareto import merge_ties, pareto_front

    kind = out.prepare(format, {"-o": output, "--html": html, **files_of("STORE", store)})
    asked = (*(minimize or ()), *(maximize or ())) or ("time_ns", "energy_pj")
    with _stored(store, pattern) as rows:
        front = pareto_front(rows.to_frame(), minimize, maximize or ())
        by_key = {row.key.hex(): row for row in rows.rows}
        kept = merge_ties(replace(rows, rows=[by_key[key] for key in front["key"]]))
        down = tuple(name for name in asked if name not in (maximize or ()))
        best = Front(down, tuple(maximize or ()), frozenset(front["key"]))
        out.write_result(
            kept, kind, output, lambda: render([_table("Pareto front", kept, asked)]),
            (html, out.text(lambda: rows_html(rows, store.stem, front=best))),
        )  # fmt: skip


@contextmanager
def _stored(store: Path, patterns: Sequence[str] | None) -> Iterator[Rows]:
    """The rows of a store; what is wrong with it is said once those that are left are written."""
    from simulator.exploration.runs import Runs
    from simulator.exploration.table import Rows

    with Runs(store, must_exist=True) as opened:
        every = Rows.of_store(opened.rows(), opened.baseline)
        if not every.rows:
            opened.check_whole()
    yield every.of_patterns(patterns or ())
    opened.check_whole()


def _explore(
    name: str,
    spec: Path,
    how: dict[str, Any],
    format: str | None,
    outputs: dict[str, Path | None],
) -> None:
    """`sweep` or `search`, a function of the module of that name, and what came of it, written."""
    from simulator.cli import output as out

    what, table = _EXPLORED[name]
    store = how["store"]
    kind = out.prepare(format, {**outputs, **files_of("--store", store)}, spec)
    with interruptible(store, what) as progress:
        explore = getattr(import_module(f"simulator.exploration.{name}"), name)
        result = explore(spec, **how, progress=progress)
    if kind != "table":
        say(result.notes)
    page = outputs["--html"], out.text(lambda: result.to_html(spec.stem))
    out.write_result(result, kind, outputs["-o"], lambda: table(result), page)


def _summary(result: SweepResult) -> str:
    """Counts, and the fastest point of each workload, stack and pattern."""
    from simulator.cli.tables import render

    text = f"{count(len(result.rows), 'point')}: "
    text += f"{result.computed} computed, {result.known} known before"
    if result.failed:
        error = next(row.error for row in result.rows if row.error is not None)
        text += f", {result.failed} failed, the first with: {error}"
    parts: list[Part] = [text, *_notes(result.notes)]
    frame = result.to_frame()
    done = frame[frame["time_ps"].notna()]
    what = ["workload", *_stack_column(frame), "pattern"]
    groups = done.groupby(what, sort=False, dropna=False)
    fastest = frame.loc[groups["time_ps"].idxmin()]
    if fastest.empty:
        return render(parts)
    kept = set(fastest["key"])
    rows = [row for row in result.rows if row.key.hex() in kept]
    title = f"Fastest of each {', '.join(what[:-1])} and {what[-1]}"
    if fastest["speedup"].notna().any():
        title += f"; speed-up over {asked_name(result.baseline)}"
    return render([*parts, "", _table(title, replace(result.table, rows=rows))])


def _trials(result: SearchResult) -> str:
    """The Pareto front of a search."""
    from simulator.cli.grid import Grid, headings
    from simulator.cli.tables import render

    numbers = {trial.number for trial in result.front}
    best = [record for record in result.records() if record["trial"] in numbers]
    failed = sum(trial.values is None for trial in result.trials)
    text = f"{count(len(result.trials), 'trial')}, {failed} without figures, "
    text += f"{len(best)} that none beats"
    parts: list[Part] = [text, *_notes(result.notes), ""]
    if not best:
        return render([*parts, f"The first: {result.trials[0].error}"])
    names = [name for name in best[0] if name not in ("pareto", "error")]
    scales = {name: _scale(name, [record[name] for record in best]) for name in names}
    titles = [_title(name, scales[name]) for name in names]
    made = Grid("Pareto front", headings(titles, word=["pattern"]))
    for record in sorted(best, key=lambda record: record[result.objectives[0]]):
        made.add_row(*(_cell(name, record[name], scales[name]) for name in names))
    return render([*parts, made])


def _notes(notes: Sequence[str]) -> Sequence[str]:
    return () if screen.quiet else notes


def _stack_column(frame: pd.DataFrame) -> list[str]:
    """The column of stacks, where there is more than one."""
    return ["stack"] if frame["stack"].nunique() > 1 else []


def _table(title: str, rows: Rows, asked: Sequence[str] = ()) -> Grid:
    """Rows for people: without what is the same everywhere or exact to the picosecond.

    Figures that were asked for come first, and are never left out for want of room.
    """
    from simulator.cli.grid import Grid, headings

    frame = rows.to_frame()
    figures = ["time_ns", "speedup", "mac_utilization", "bound", "energy_pj", "area_mm2"]
    figures += [name for name in (*rows.more, "error") if name != "ties"]
    figures = [*asked, *(name for name in figures if name not in asked)]
    shown = [name for name in figures if name in asked or not frame[name].isna().all()]
    names = ["workload", *_stack_column(frame), "pattern", *rows.parameters, *shown, "hardware"]
    scales = {name: _scale(name, frame[name].tolist()) for name in names}
    titles = {name: _title(name, scales[name]) for name in names}
    made = Grid(
        title,
        headings(
            titles.values(),
            name=["workload", "hardware"],
            word=["stack", "pattern", "bound"],
            prose=["idle", "error"],
        ),
        drops=[titles[name] for name in _DROPS if name in names and name not in asked],
    )
    for record in frame.to_dict("records"):
        if record.get("ties", 1) > 1:
            record["idle"] = f"{record['idle']} ({record['ties']} points)"
        made.add_row(*(_cell(name, record[name], scales[name]) for name in names))
    return made


_DROPS = ("hardware", "area_mm2", "energy_pj", "bound", "error", "mac_utilization")
"""Columns that are left out where a terminal is too narrow, the first one first."""

_TITLES = {
    "time_ns": "time",
    "speedup": "speed-up",
    "mac_utilization": "MAC util. of dense peak",
    "energy_pj": "energy",
    "area_mm2": "area of parts mm²",
}


_EXPLORED: Final[dict[str, tuple[str, Callable[[Any], str]]]] = {
    "sweep": ("points", _summary),
    "search": ("trials", _trials),
}
"""What a command goes through, and how it shows what came of it."""


def _scale(name: str, values: Sequence[object]) -> Scale | None:
    """One unit for a column of times or energies."""
    from simulator.described.sweeps import SWEEP

    figure = SWEEP.find(name)
    units = {"ns": COLUMN_TIME, "pJ": ENERGY}.get(figure.unit) if figure is not None else None
    if units is None:
        return None
    return Scale.of((x for x in values if isinstance(x, int | float) and x == x), units)


def _title(name: str, scale: Scale | None) -> str:
    title = _TITLES.get(name, name)
    return f"{title} {scale.unit.name}" if scale else title


def _cell(name: str, value: object, scale: Scale | None) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return "trace" if name == "pattern" else "-"
    if isinstance(value, int | float) and scale:
        return scale.text(value)
    if isinstance(value, float):
        known = {"mac_utilization": percent, "speedup": times, "area_mm2": "{:,.2f}".format}
        return known.get(name, "{:.15g}".format)(value)  # what was varied is never rounded
    return str(value)
