"""The commands `nmsim sweep`, `search`, `results` and `pareto`: many points and their figures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simulator.exploration.search import SearchResult
    from simulator.exploration.sweep import SweepResult
    from simulator.exploration.table import Rows

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
Patterns = Annotated[
    list[str] | None,
    typer.Option("--pattern", metavar="PATTERN", help="Only rows of it; may be repeated."),
]
Figures = list[str] | None
INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended."""


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

    kind = out.choose_format(format, output)
    out.check_target(output)
    out.check_apart({"-o": output, **_files_of("--store", store)}, spec)
    with _interruptible(store, "points") as progress:
        from simulator.exploration.sweep import sweep as run_sweep

        result = run_sweep(
            spec,
            store=store,
            workers=workers,
            executor=executor,
            scheduler=scheduler,
            progress=progress,
        )
    text = _summary(result) if kind == "table" else ""
    if kind != "table":
        _say(result.notes)
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

    kind = out.choose_format(format, output)
    out.check_target(output)
    out.check_apart({"-o": output, **_files_of("--store", store)}, spec)
    with _interruptible(store, "trials") as progress:
        from simulator.exploration.search import search as run_search

        result = run_search(
            spec,
            store=store,
            workers=workers,
            executor=executor,
            scheduler=scheduler,
            progress=progress,
        )
    text = _trials(result) if kind == "table" else ""
    if kind != "table":
        _say(result.notes)
    out.write(out.encode(result, text, kind), output)


def results(
    store: ReadStore, pattern: Patterns = None, format: Format = None, output: Output = None
) -> None:
    """Write the rows of a store, ordered by what they are."""
    from simulator.cli import output as out
    from simulator.exploration.store import Store
    from simulator.exploration.table import Rows

    kind = out.choose_format(format, output)
    out.check_target(output)
    out.check_apart({"-o": output, **_files_of("STORE", store)})
    with Store(store, must_exist=True) as opened:
        every = Rows.of_store(opened.rows(), opened.baseline)
        if not every.rows:
            opened.check_whole()
    rows = every.of_patterns(pattern or ())
    text = _table("", rows) if kind == "table" else ""
    out.write(out.encode(rows, text, kind), output)
    opened.check_whole()


def pareto(
    store: ReadStore,
    minimize: Annotated[
        Figures,
        typer.Option(
            "--min", metavar="FIGURE", help="Default, without --max: time_ns and energy_pj."
        ),
    ] = None,
    maximize: Annotated[
        Figures, typer.Option("--max", metavar="FIGURE", help="Such as mac_utilization, speedup.")
    ] = None,
    pattern: Patterns = None,
    format: Format = None,
    output: Output = None,
) -> None:
    """Rows of a store that no other beats in every figure, a front a workload.

    Points that are equal in every figure are one row, which names the keys that had no effect.
    """
    from dataclasses import replace

    from simulator.cli import output as out
    from simulator.exploration.pareto import merge_ties, pareto_front
    from simulator.exploration.store import Store
    from simulator.exploration.table import Rows

    kind = out.choose_format(format, output)
    out.check_target(output)
    out.check_apart({"-o": output, **_files_of("STORE", store)})
    with Store(store, must_exist=True) as opened:
        every = Rows.of_store(opened.rows(), opened.baseline)
        if not every.rows:
            opened.check_whole()
    some = every.of_patterns(pattern or ())
    front = pareto_front(some.to_frame(), minimize, maximize or ())
    by_key = {row.key.hex(): row for row in some.rows}
    kept = merge_ties(replace(some, rows=[by_key[key] for key in front["key"]]))
    text = _table("Pareto front", kept) if kind == "table" else ""
    out.write(out.encode(kept, text, kind), output)
    opened.check_whole()


def _files_of(option: str, store: Path | None) -> dict[str, Path | None]:
    """What a store consists of, by name: nothing else may be written there."""
    from simulator.exploration.database import SIDE_FILES

    if store is None:
        return {}
    beside = {f"{option}'s {end}": Path(f"{store}{end}") for end in (*SIDE_FILES, ".journal")}
    return {option: store, **beside}


@contextmanager
def _interruptible(store: Path | None, what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback for what is done and what there is to do; Ctrl-C ends with one line."""
    from simulator.cli.progress import points_bar

    done = total = 0
    try:
        with points_bar() as bar:

            def report(now: int, all_: int) -> None:
                nonlocal done, total
                done, total = now, all_
                if bar is not None:
                    bar(now, all_)

            yield report
    except KeyboardInterrupt:
        kept = f"they are kept in {store}, and the same command goes on from there"
        if not done:
            kept = "the same command starts anew"
        elif store is None:
            kept = "they are lost, as no --store was named"
        _say([f"stopped after {done} {f'of {total} ' if total else ''}{what}: {kept}"])
        raise typer.Exit(INTERRUPTED) from None


def _say(notes: Sequence[str]) -> None:
    """Beside the result: to people, whatever becomes of standard output."""
    for note in notes:
        print(f"nmsim: {note}", file=sys.stderr)


def _summary(result: SweepResult) -> str:
    """Counts, and the fastest point of each workload and pattern."""
    from dataclasses import replace

    points = len(result.rows)
    text = f"{points} points: {result.computed} computed, {result.known} known before"
    if result.failed:
        error = next(row.error for row in result.rows if row.error is not None)
        text += f", {result.failed} failed, the first with: {error}"
    text += "".join(f"\n{note}" for note in result.notes)
    frame = result.to_frame()
    done = frame[frame["time_ps"].notna()]
    groups = done.groupby(["workload", "pattern"], sort=False, dropna=False)
    fastest = frame.loc[groups["time_ps"].idxmin()]
    if fastest.empty:
        return f"{text}\n"
    kept = set(fastest["key"])
    rows = [row for row in result.rows if row.key.hex() in kept]
    title = "Fastest of each workload and pattern"
    if fastest["speedup"].notna().any():
        title += f"; speed-up over {result.baseline or 'the trace as it is'}"
    return f"{text}\n\n" + _table(title, replace(result.table, rows=rows))


def _trials(result: SearchResult) -> str:
    """The Pareto front of a search."""
    from simulator.cli.tables import render, table

    numbers = {trial.number for trial in result.front}
    best = [record for record in result.records() if record["trial"] in numbers]
    failed = sum(trial.values is None for trial in result.trials)
    text = f"{len(result.trials)} trials, {failed} without figures, {len(best)} that none beats\n"
    text += "".join(f"{note}\n" for note in result.notes)
    if not best:
        error = result.trials[0].error
        return f"{text}\nThe first: {error}\n"
    names = [name for name in best[0] if name not in ("pareto", "error")]
    made = table("Pareto front", [_TITLES.get(name, name) for name in names], left=["pattern"])
    for record in sorted(best, key=lambda record: record[result.objectives[0]]):
        made.add_row(*(_cell(name, record[name]) for name in names))
    return f"{text}\n{render([made])}"


def _table(title: str, rows: Rows) -> str:
    """Rows for people: without what is the same everywhere or exact to the picosecond."""
    from simulator.cli.tables import render, table

    frame = rows.to_frame()
    figures = ["time_ns", "speedup", "mac_utilization", "bound", "energy_pj", "area_mm2"]
    figures += [name for name in (*rows.more, "error") if name != "ties"]
    shown = [name for name in figures if not frame[name].isna().all()]
    columns = ["hardware", "workload", "pattern", *rows.parameters, *shown]
    left = ["hardware", "workload", "pattern", "bound", "idle", "error"]
    made = table(title, [_TITLES.get(name, name) for name in columns], left=left)
    for record in frame.to_dict("records"):
        if record.get("ties", 1) > 1:
            record["idle"] = f"{record['idle']} ({record['ties']} points)"
        made.add_row(*(_cell(name, record[name]) for name in columns))
    return render([made])


_TITLES = {
    "time_ns": "time µs",
    "speedup": "speed-up",
    "mac_utilization": "MAC util.",
    "energy_pj": "energy mJ",
}


def _cell(name: str, value: object) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return "-"
    if isinstance(value, float):
        if name == "mac_utilization":
            return f"{value:.1%}"
        if name == "speedup":
            return f"{value:.2f}x"
        scale = {"time_ns": 1e3, "energy_pj": 1e9}.get(name)
        return f"{value / scale:,.3f}" if scale else f"{value:g}"
    return str(value)
