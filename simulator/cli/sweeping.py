"""The commands `nmsim sweep`, `search`, `results` and `pareto`: many points and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.quantities import COLUMN_TIME, ENERGY, Scale, count, percent

if TYPE_CHECKING:
    import pandas as pd

    from simulator.cli.grid import Grid
    from simulator.exploration.search import SearchResult
    from simulator.exploration.sweep import SweepResult

SpecFile = Annotated[
    Path, typer.Argument(metavar="SPEC", help="YAML: hardware, workloads, patterns, parameters.")
]
StoreFile = Annotated[
    Path | None,
    typer.Option("--store", metavar="FILE", help="Keep rows here, and compute only missing ones."),
]
ReadStore = Annotated[Path, typer.Argument(metavar="STORE", help="What --store wrote.")]
Workers = Annotated[int | None, typer.Option(help="Default: one a core.")]
ExecutorName = Annotated[str, typer.Option(help="processes, threads or serial.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Dask's, tcp://host:port, and its workers.")
]
Format = Annotated[
    str | None, typer.Option("--format", help="table, json, csv or parquet; default by file name.")
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write here instead.")
]
Figures = list[str] | None


def sweep(
    spec: SpecFile,
    store: StoreFile = None,
    workers: Workers = None,
    executor: ExecutorName = "processes",
    scheduler: Scheduler = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Simulate every point of a design space; a point that fails is a row with its error."""
    from simulator.cli import output as out
    from simulator.cli.progress import points_bar
    from simulator.exploration.sweep import sweep as run_sweep

    out.check_target(output)
    out.check_apart({"-o": output, "--store": store}, spec)
    kind = out.choose_format(format, output)
    with points_bar() as progress:
        result = run_sweep(
            spec,
            store=store,
            workers=workers,
            executor=executor,
            scheduler=scheduler,
            progress=progress,
        )
    text = _summary(result) if kind == "table" else ""
    out.write(out.encode(result, text, kind), output)


def search(
    spec: SpecFile,
    store: StoreFile = None,
    workers: Workers = None,
    executor: ExecutorName = "processes",
    scheduler: Scheduler = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Look for machines that are good in several objectives at once (needs the extra 'search')."""
    from simulator.cli import output as out
    from simulator.cli.progress import points_bar
    from simulator.exploration.search import search as run_search

    out.check_target(output)
    out.check_apart({"-o": output, "--store": store}, spec)
    kind = out.choose_format(format, output)
    with points_bar() as progress:
        result = run_search(
            spec,
            store=store,
            workers=workers,
            executor=executor,
            scheduler=scheduler,
            progress=progress,
        )
    text = _trials(result) if kind == "table" else ""
    out.write(out.encode(result, text, kind), output)


def results(store: ReadStore, format: Format = None, output: Output = None) -> None:
    """Write the rows of a store, ordered by what they are."""
    from simulator.cli import output as out
    from simulator.cli.tables import render
    from simulator.exploration.store import Store
    from simulator.exploration.table import Rows

    out.check_target(output)
    out.check_apart({"-o": output}, store)
    kind = out.choose_format(format, output)
    with Store(store, must_exist=True) as opened:
        rows = Rows(opened.rows())
    text = render([_table("", rows.to_frame())]) if kind == "table" else ""
    out.write(out.encode(rows, text, kind), output)


def pareto(
    store: ReadStore,
    minimize: Annotated[
        Figures,
        typer.Option(
            "--min", metavar="FIGURE", help="Default, without --max: time_ns and energy_pj."
        ),
    ] = None,
    maximize: Annotated[
        Figures, typer.Option("--max", metavar="FIGURE", help="Such as mac_utilization.")
    ] = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Rows of a store that no other beats in every figure, a front a workload."""
    from simulator.cli import output as out
    from simulator.cli.tables import render
    from simulator.exploration.pareto import pareto_front
    from simulator.exploration.store import Store
    from simulator.exploration.table import Rows

    out.check_target(output)
    out.check_apart({"-o": output}, store)
    kind = out.choose_format(format, output)
    with Store(store, must_exist=True) as opened:
        rows = opened.rows()
    front = pareto_front(Rows(rows).to_frame(), minimize, maximize or ())
    by_key = {row.key.hex(): row for row in rows}
    kept = Rows([by_key[key] for key in front["key"]])
    text = render([_table("Pareto front", kept.to_frame())]) if kind == "table" else ""
    out.write(out.encode(kept, text, kind), output)


def _summary(result: SweepResult) -> str:
    """Counts, and the fastest point of each workload and pattern."""
    from simulator.cli.tables import render

    points = len(result.rows)
    text = f"{count(points, 'point')}: {result.computed} computed, {result.known} known before"
    if result.failed:
        error = next(row.error for row in result.rows if row.error is not None)
        text += f", {result.failed} failed, the first with: {error}"
    frame = result.to_frame()
    done = frame[frame["time_ps"].notna()]
    groups = done.groupby(["workload", "pattern"], sort=False, dropna=False)
    fastest = frame.loc[groups["time_ps"].idxmin()]
    if fastest.empty:
        return render([text])
    return render([text, "", _table("Fastest of each workload and pattern", fastest)])


def _trials(result: SearchResult) -> str:
    """The Pareto front of a search."""
    from simulator.cli.grid import Grid, columns
    from simulator.cli.tables import render

    numbers = {trial.number for trial in result.front}
    best = [record for record in result.records() if record["trial"] in numbers]
    failed = sum(trial.values is None for trial in result.trials)
    text = f"{count(len(result.trials), 'trial')}, {failed} without figures, "
    text += f"{len(best)} that none beats"
    if not best:
        error = result.trials[0].error
        return render([text, "", f"The first: {error}"])
    names = [name for name in best[0] if name not in ("pareto", "error")]
    scales = {name: _scale(name, [record[name] for record in best]) for name in names}
    titles = [_title(name, scales[name]) for name in names]
    made = Grid("Pareto front", columns(titles, word=["pattern"]))
    for record in sorted(best, key=lambda record: record[result.objectives[0]]):
        made.add_row(*(_cell(name, record[name], scales[name]) for name in names))
    return render([text, "", made])


def _table(title: str, frame: pd.DataFrame) -> Grid:
    """Rows for people: without what is the same everywhere or exact to the picosecond."""
    from simulator.cli.grid import Grid, columns
    from simulator.exploration.table import ABOUT, FIGURES

    parameters = [name for name in frame.columns if name not in (*ABOUT, *FIGURES, "key")]
    figures = ["time_ns", "mac_utilization", "bound", "energy_pj", "area_mm2", "error"]
    shown = [name for name in figures if not frame[name].isna().all()]
    names = ["workload", "pattern", *parameters, *shown, "hardware"]
    scales = {name: _scale(name, frame[name].tolist()) for name in names}
    titles = {name: _title(name, scales[name]) for name in names}
    made = Grid(
        title,
        columns(
            titles.values(),
            name=["workload", "hardware"],
            word=["pattern", "bound"],
            prose=["error"],
        ),
        drops=[titles[name] for name in _DROPS if name in names],
    )
    for record in frame[names].to_dict("records"):
        made.add_row(*(_cell(name, record[name], scales[name]) for name in names))
    return made


_DROPS = ("hardware", "area_mm2", "energy_pj", "bound", "error", "mac_utilization")
"""Columns that are left out where a terminal is too narrow, the first one first."""

_TITLES = {
    "time_ns": "time",
    "mac_utilization": "MAC util. of dense peak",
    "energy_pj": "energy",
    "area_mm2": "area of parts mm²",
}


def _scale(name: str, values: Sequence[object]) -> Scale | None:
    """One unit for a column of times or energies."""
    units = {"time_ns": COLUMN_TIME, "energy_pj": ENERGY}.get(name)
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
        return percent(value) if name == "mac_utilization" else f"{value:,.4g}"
    return str(value)
