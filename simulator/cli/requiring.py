"""The command `nmsim require`: the cheapest machine on which a pattern reaches a speed-up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.importing import parameters_of
from simulator.cli.keeping import StoreFile, files_of, interruptible
from simulator.cli.options import (
    Accuracy,
    Batch,
    Dense,
    HardwareName,
    Html,
    LibraryName,
    Parameters,
    Plot,
    Settings,
    StackName,
    WorkloadName,
    settings_of,
)

if TYPE_CHECKING:
    from simulator.cli.grid import Grid
    from simulator.cli.tables import Part
    from simulator.decisions.requirement.result import Requirement

MACHINES = {".yaml": "yaml", ".yml": "yaml"}
UNREACHED = 2
"""Exit code where nothing reaches the target."""
MOST = 16.0  # requirement.steps.MOST and require.TRIES, which would take long to import
TRIES = 80


def require(
    context: typer.Context,
    hardware: HardwareName,
    workload: WorkloadName,
    pattern: Annotated[str, typer.Option(help="keep:group or any other but dense.")],
    speedup: Annotated[
        float, typer.Option(metavar="RATIO", help="How much faster than dense it is to be.")
    ],
    of: Annotated[
        str,
        typer.Option(
            help="Over dense on the machine as-is; or changed: on the changed machine, where dense "
            "may not take longer than before."
        ),
    ] = "as-is",
    prices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="YAML: by resource, area or a number for each doubling. Default: area where it "
            "is counted, and assumptions.",
        ),
    ] = None,
    free: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY", help="A resource or dotted key that costs nothing; may be repeated."
        ),
    ] = None,
    most: Annotated[
        float, typer.Option(metavar="FACTOR", help="Nothing grows by more, in quarter doublings.")
    ] = MOST,
    settings: Settings = None,
    batch: Batch = None,
    param: Parameters = None,
    library: LibraryName = None,
    accuracy: Accuracy = "exact",
    stack: StackName = None,
    dense: Dense = None,
    tries: Annotated[
        int, typer.Option(help="Machines to try before the best one's steps are taken back.")
    ] = TRIES,
    store: StoreFile = None,
    workers: Annotated[int, typer.Option(help="Processes; the result is the same.")] = 1,
    format: Annotated[
        str | None, typer.Option("--format", help="What to print: table, json, csv or parquet.")
    ] = None,
    plot: Plot = None,
    html: Html = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Write the machine here, too: .yaml."
        ),
    ] = None,
) -> None:  # fmt: skip
    """The cheapest change of a machine with which a pattern reaches a speed-up over dense.

    Resources with a price grow in quarter doublings. Ends with exit code 2, and writes no machine,
    where nothing that is allowed reaches the target.
    """
    from simulator.cli import output as out
    from simulator.decisions.requirement.require import require as cheapest
    from simulator.hardware import load_hardware
    from simulator.hardware.laid_over import base_name
    from simulator.importers import load_workload

    outputs = {"-o": output, "--plot": plot, "--html": html, **files_of("--store", store)}
    inputs = hardware, workload, prices
    out.check_target(output)
    if output is not None and not out.is_stream(output):
        out.check_suffix(output, MACHINES)
    kind = out.prepare(format, {**outputs, "-o": None}, *inputs)
    out.check_apart(outputs, *inputs)
    given = settings_of(settings)
    machine = load_hardware(hardware, given)
    network = load_workload(workload, **parameters_of(param, batch))
    with interruptible(store, "runs") as progress:
        found = cheapest(
            machine,
            network,
            pattern,
            speedup,
            of=of,
            prices=prices,
            free=tuple(free or ()),
            most=most,
            library=library,
            accuracy=accuracy,
            stack=stack,
            dense=dense,
            tries=tries,
            store=store,
            workers=workers,
            progress=progress,
        )

    def yaml(file: Path) -> None:
        name = file.stem or f"{machine.name}-required"
        out.write(found.machine_yaml(base_name(hardware, file), name, given).encode(), file)

    out.write_result(
        found, kind, None, lambda: _text(found, output),
        (plot, out.picture(found.plot)),
        (html, out.text(lambda: found.to_html(_commands(context, found, given)))),
        (output if found.is_reached else None, yaml),
    )  # fmt: skip
    if not found.is_reached:
        raise typer.Exit(UNREACHED)


def _commands(
    context: typer.Context, found: Requirement, given: dict[str, object]
) -> dict[str, str]:
    """What prints the figures of the page; and two runs on the changed machine."""
    from simulator.cli.reproducing import again, compare_of

    settings = given | found.settings
    check = compare_of(context, ["1:1", found.pattern], settings) if found.changes else ""
    return {"These figures again": again(context)} | ({"Check it": check} if check else {})


def _text(found: Requirement, output: Path | None) -> str:
    from simulator.cli.tables import render

    return render(requirement_parts(found, output))


def requirement_parts(found: Requirement, output: Path | None) -> Iterable[Part]:
    """The sentences, and a row a resource that changes."""
    from simulator.cli.screen import note_lines

    yield from found.sentences()
    if not found.is_reached and output is not None:
        yield f"No machine is written to {output}."
    if found.changes:
        yield ""
        yield _changes(found)
    yield from note_lines(found.notes)


def _changes(found: Requirement) -> Grid:
    from simulator.cli.grid import Column, Grid
    from simulator.quantities import times, written_value

    made = Grid(
        "" if found.is_reached else f"What {times(found.reached)} takes",
        [
            Column("resource", "name"),
            Column("keys", "name"),
            Column("from"),
            Column("to"),
            Column("factor"),
            Column("price"),
            Column("speed-up without it"),
        ],
        drops=["keys"],
    )
    for one in found.changes:
        key, *others = one.values
        before, after = (written_value(key, value) for value in one.values[key])
        made.add_row(
            one.resource,
            key + (f" and {len(others)} more" if others else ""),
            before,
            after,
            f"/ {one.factor:.2f}" if one.is_less else one.times,
            f"{one.price:.3f}",
            "-" if one.without is None else times(one.without),
        )
    return made
