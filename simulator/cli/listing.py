"""The commands `nmsim hardware` and `workloads`: what there is, to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli import completing
from simulator.errors import ConfigError, WorkloadError

if TYPE_CHECKING:
    from simulator.cli.grid import Grid


def hardware(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Print the YAML of this preset, instead of the list.",
            autocompletion=completing.machines,
        ),
    ] = None,
) -> None:
    """List the machines, or print one as YAML: a start for one of your own.

    The area is an estimate in 7 nm, and of parts only: arithmetic, selectors, operand paths and
    memories, which a pattern changes. It is not the area of a chip.
    """
    from simulator import catalog
    from simulator.cli.tables import render
    from simulator.hardware import load_hardware

    if name is not None:
        path = catalog.find(name, "configs", ".yaml", ConfigError)
        load_hardware(path)  # nothing but a machine is printed
        typer.echo(catalog.text_of(path, ConfigError), nl=False)
        return
    typer.echo(render([_machines()]), nl=False)


def _machines() -> Grid:
    from simulator import catalog
    from simulator.cli.grid import Grid, headings
    from simulator.hardware import load_hardware
    from simulator.hardware.area import relative_area

    titles = ["machine", "cores", "clock MHz", "memory GB", "area of parts mm²"]
    prose = ["dtypes", "patterns", "what"]
    listing = Grid(
        "",
        headings([*titles, *prose], word=["machine"], prose=prose),
        drops=("dtypes", "area of parts mm²", "clock MHz", "memory GB"),
    )
    for preset in catalog.presets("configs", ".yaml"):
        machine = load_hardware(preset)
        patterns = list(machine.sparsity.patterns)
        if machine.sparsity.largest_group:
            patterns.append(f"any up to group {machine.sparsity.largest_group}")
        listing.add_row(
            preset,
            str(machine.core.count),
            f"{machine.clock_hz / 1e6:,.0f}",
            f"{machine.memory.dram.bytes / 1e9:,.1f}",
            f"{relative_area(machine):.1f}",
            " ".join(machine.dtypes),
            ", ".join(patterns) or "dense only",
            machine.description,
        )
    return listing


def workloads(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Print the CSV of this preset, instead of the list.",
            autocompletion=completing.networks,
        ),
    ] = None,
    columns: Annotated[
        bool, typer.Option("--columns", help="List the columns of a trace, and what they mean.")
    ] = False,
) -> None:
    """List the networks, or print one as CSV: a start for a trace of your own."""
    from simulator import catalog
    from simulator.cli.tables import render
    from simulator.importers import detect, load_workload

    if columns and name is not None:
        raise WorkloadError("--columns", "are those of every trace", got=name, want="no network")
    if name is None:
        typer.echo(render([_columns() if columns else _networks()]), nl=False)
        return
    path = catalog.find(name, "workloads", ".csv", WorkloadError)
    if detect(path) != "csv":
        raise WorkloadError(str(path), "not a layer trace", hint=f"nmsim import {name}")
    load_workload(path)  # nothing but a trace is printed
    typer.echo(catalog.text_of(path, WorkloadError), nl=False)


def _networks() -> Grid:
    from simulator import catalog
    from simulator.cli.grid import Grid, headings
    from simulator.importers import load_workload
    from simulator.workload.comments import description
    from simulator.workload.table import read_table

    titles, prose = ["network", "rows", "GMAC", "blocks", "stack"], ["parameters", "what"]
    listing = Grid(
        "",
        headings([*titles, *prose], word=["network", "stack"], prose=prose),
        drops=("rows", "blocks", "stack", "what"),
    )
    for preset, path in catalog.presets("workloads", ".csv").items():
        trace = load_workload(preset)
        table = read_table(path)
        comments = [cell.text.lstrip("# ") for cell in table.comments]
        declared = [c.split(":", 1)[1].strip() for c in comments if c.startswith("parameter:")]
        listing.add_row(
            preset,
            str(len(trace.layers)),
            f"{trace.macs / 1e9:,.3f}",
            f"1 of {trace.blocks}" if trace.blocks > 1 else "all",
            trace.stack,
            ", ".join(declared),
            description(table),
        )
    return listing


def _columns() -> Grid:
    from simulator.cli.grid import Grid, headings
    from simulator.workload.columns import COLUMNS, EVERY, PRODUCTS

    listing = Grid(
        "",
        headings(["column", "of", "empty", "meaning"], word=["column"], prose=["of", "meaning"]),
    )
    groups = {EVERY: "all", PRODUCTS: "all products"}
    for column in COLUMNS:
        kinds = groups.get(column.kinds) or ", ".join(column.kinds)
        listing.add_row(column.name, kinds, column.default or "-", column.meaning)
    return listing
