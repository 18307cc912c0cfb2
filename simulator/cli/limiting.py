"""The command `nmsim limits`: what limits a pattern, what limits dense, and what would be left."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.importing import parameters_of
from simulator.cli.options import (
    Accuracy,
    Batch,
    Brief,
    Dense,
    Format,
    HardwareName,
    Html,
    LibraryName,
    Output,
    Overflow,
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
    from simulator.decisions.limiting.result import Limits, Relaxed


def limits(
    context: typer.Context,
    hardware: HardwareName,
    workload: WorkloadName,
    pattern: Annotated[
        str, typer.Option(help="keep:group and the like for all weights; trace: as the trace says.")
    ],
    settings: Settings = None,
    batch: Batch = None,
    param: Parameters = None,
    library: LibraryName = None,
    accuracy: Accuracy = "exact",
    stack: StackName = None,
    dense: Dense = None,
    allow_overflow: Overflow = False,
    brief: Brief = False,
    format: Format = None,
    plot: Plot = None,
    html: Html = None,
    output: Output = None,
) -> None:
    """What limits a pattern, and what limits dense: every resource relaxed, alone and in order.

    Alone by 1.25, by 2 and without a limit; then one after another without a limit, what gives most
    first, until only what computes is left: cores, clock, MACs and vector unit. Every figure is the
    device time of a plain run of the changed machine.
    """
    from simulator.cli import output as out
    from simulator.cli.progress import points_bar
    from simulator.cli.reproducing import again
    from simulator.decisions.limiting.limits import limits as limits_of
    from simulator.hardware import load_hardware
    from simulator.importers import load_workload
    from simulator.sparsity import parse_asked

    outputs = {"-o": output, "--plot": plot, "--html": html}
    asked = parse_asked(pattern, "--pattern")
    kind = out.prepare(format, outputs, hardware, workload)
    machine = load_hardware(hardware, settings_of(settings))
    trace = load_workload(workload, **parameters_of(param, batch))
    with points_bar() as progress:
        found = limits_of(
            machine,
            trace,
            asked,
            library=library,
            stack=stack,
            dense=dense,
            accuracy=accuracy,
            allow_overflow=allow_overflow,
            progress=progress,
        )
    command = next_command(context, found)
    commands = {"These figures again": again(context), **({"Next": command} if command else {})}
    out.write_result(
        found, kind, output, lambda: _text(found, command, brief),
        (plot, out.picture(found.plot)),
        (html, out.text(lambda: found.to_html(commands))),
    )  # fmt: skip


def next_command(context: typer.Context, found: Limits) -> str:
    """What to ask next; empty where no speed-up is left to ask for."""
    from simulator.cli.reproducing import simulating
    from simulator.decisions.limiting.told import next_speedup

    speedup = next_speedup(found)
    if speedup is None:
        return ""
    asked = [str(context.params[name]) for name in ("hardware", "workload")]
    words = ["nmsim", "require", *asked, "--pattern", str(context.params["pattern"])]
    return shlex.join([*words, *simulating(context), "--speedup", f"{speedup:g}"])


def _text(found: Limits, command: str, brief: bool) -> str:
    from simulator.cli.tables import render

    return render(limits_parts(found, command, brief))


def limits_parts(found: Limits, command: str, brief: bool = False) -> Iterable[Part]:
    """Sentences, every resource alone, the best order, the stalls, and what to ask next."""
    from simulator.cli.screen import note_lines
    from simulator.quantities import count

    yield from found.sentences()
    yield from note_lines(found.report.notes)
    if not brief:
        yield ""
        yield _alone_table(found)
        if found.unmoving:
            more, names = count(len(found.unmoving), "more"), ", ".join(found.unmoving)
            verb = "moves" if len(found.unmoving) == 1 else "move"
            yield f"{more.removesuffix('s')} {verb} nothing without a limit: {names}"
    yield ""
    yield _order_table(found)
    if not brief:
        yield ""
        yield _stall_table(found)
    if command:
        yield ""
        yield f"Next: {command}"


def _alone_table(found: Limits) -> Grid:
    """Gains of both, by factor, what gives most first."""
    from simulator.cli.grid import Column, Grid

    names = (found.pattern, "dense")
    columns = [(factor, _factor(factor)) for factor in (*found.factors, inf)]
    made = Grid(
        "Every resource alone: how many times as fast; elasticity: % of speed for 1 % more",
        [
            Column("resource", "name"),
            *(Column(f"{name} {title}", group=title) for name in names for _, title in columns),
            *(Column(f"{name} elasticity", group="elasticity") for name in names),
            Column("keys", "word"),
        ],
        drops=("keys", *(_factor(factor) for factor in found.factors[:-1])),
    )
    elastic = {one.resource: one for one in found.elasticities}
    for name in found.moving:
        rows, of = found.by_factor(name), elastic.get(name)
        made.add_row(
            name,
            *(_gain(rows.get(factor), found.gain) for factor, _ in columns),
            *(_gain(rows.get(factor), found.gain_of_dense) for factor, _ in columns),
            f"{of.of_pattern:.2f}" if of else "-",
            f"{of.of_dense:.2f}" if of else "-",
            ", ".join(next(iter(rows.values())).keys),
        )
    return made


def _factor(factor: float) -> str:
    return "no limit" if factor == inf else f"x{factor:g}"


def _gain(one: Relaxed | None, gain: Callable[[Relaxed], float]) -> str:
    return "-" if one is None else f"{gain(one):.3f}"


def _order_table(found: Limits) -> Grid:
    from simulator.cli.grid import Column, Grid
    from simulator.quantities import TIME, Scale
    from simulator.units import PS_PER_NS

    times = [t / PS_PER_NS for step in found.steps for t in (step.time_ps, step.time_of_dense_ps)]
    scale = Scale.of(times, TIME)
    unit, name = scale.unit.name, found.pattern
    made = Grid(
        "In the best order, one more without a limit at every step",
        [
            Column("without a limit", "name"),
            Column(f"{name} {unit}"),
            Column("gain so far"),
            Column(f"dense {unit}"),
            Column("dense so far"),
            Column("over dense"),
        ],
        drops=("dense so far",),
    )
    for step in found.steps:
        made.add_row(
            step.name,
            scale.text(step.time_ps / PS_PER_NS),
            f"{found.gain(step):.2f}x",
            scale.text(step.time_of_dense_ps / PS_PER_NS),
            f"{found.gain_of_dense(step):.2f}x",
            f"{step.time_of_dense_ps / step.time_ps:.2f}x",
        )
    return made


def _stall_table(found: Limits) -> Grid:
    from simulator.cli.grid import Column, Grid
    from simulator.names import words
    from simulator.quantities import percent

    made = Grid(
        "Where core-time goes as it is, and what lowers it",
        [
            Column("core-time", "name"),
            Column(found.pattern),
            Column("dense"),
            Column("lowered by", "prose"),
            Column("what it is", "prose"),
        ],
        drops=("what it is",),
    )
    for stall, own, dense, names in found.stalls:
        lowered = ", ".join(names) or "nothing that the machine has"
        made.add_row(words(stall.kind), percent(own), percent(dense), lowered, stall.means)
    return made
