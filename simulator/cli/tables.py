"""What `run`, `compare`, `validate` and `microbench` print: totals first, then tables."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from rich.console import Console

from simulator import quantities
from simulator.cli.grid import Column, Grid, headings, sentence
from simulator.cli.screen import note_lines, screen
from simulator.hardware import Hardware
from simulator.hardware.microbench import mma_timing
from simulator.names import words
from simulator.quantities import COLUMN_TIME, SIZE, Scale, count, percent
from simulator.report.account import CORE_TIME
from simulator.report.comparison import Comparison
from simulator.report.layer import LayerReport
from simulator.report.report import Report
from simulator.report.total import Total
from simulator.sparsity import Pattern
from simulator.traffic import DIRECTIONS
from simulator.workload.layer import LISTED

PIPE_WIDTH = 1_000_000

Part = Grid | str
"""A table, or a sentence; an empty one is an empty line."""

LAUNCH_RATIO = 0.05
"""Where launches bound less of the time, what bounds the work is the same list once more."""

SIZES, BOUND, UTILIZATION, PRUNED = "m, n, k", "bound", "MAC util.", "pruned now"
"""Groups of columns that are left out together, and what their titles are in a note."""


def render(parts: Iterable[Part]) -> str:
    """All parts as text, for this terminal or for a pipe."""
    plain, width = not screen.is_terminal, screen.width
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=not plain,
        width=PIPE_WIDTH,  # lines are broken here, if at all
        highlight=False,
        markup=False,  # names are text, whatever brackets and colons they hold
        emoji=False,
        no_color=plain,
    )
    for part in parts:
        lines = sentence(part, width) if isinstance(part, str) else part.printed(width, plain=plain)
        for line in lines:
            console.print(line, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().split("\n")[:-1])


def report_parts(report: Report, brief: bool = False) -> Iterable[Part]:
    """`nmsim run`: the total, what limits it, the layers, where core-time went, the traffic."""
    total = report.total
    yield f"{report.network} on {report.hardware}, pattern: {report.pattern_name}"
    launches = count(total.launches, "launch", "launches")
    yield (
        f"Total: {quantities.time(total.time_ns)}, {total.cycles:,} cycles, "
        f"with {launches} {quantities.time(total.time_with_launch_ns)}"
    )
    yield f"Bound by: {_total_bound(report)}"
    yield f"MAC utilisation: {percent(total.mac_utilization)} of {_peak([report])}"
    yield f"Work: {quantities.macs(total.macs)} in {_layers(report)}"
    if total.energy_pj is not None:
        yield f"Energy: {_energy(total)}"
    blocks = f" (one of {total.blocks} blocks)" if total.blocks > 1 else ""
    yield f"Memory: {total.held}{blocks}"
    yield from _errors([report])
    yield from _notes(Comparison((report,)))
    if brief:
        return
    yield ""
    yield _layer_table(report)
    yield ""
    yield _core_time_table([report])
    yield ""
    yield _traffic_table([report])


def comparison_parts(
    comparison: Comparison, brief: bool = False, verbose: bool = False
) -> Iterable[Part]:
    """`nmsim compare`: what each pattern gives and what limits it, all layers, then each."""
    yield f"{comparison.title}: {_layers(comparison.first)}"
    yield from comparison.explanation()
    yield ""
    yield _summary_table(comparison)
    yield f"MAC util.: of {_peak(comparison.reports)}"
    yield from _errors(comparison.reports)
    yield from _notes(comparison)
    if verbose:
        yield ""
        yield _mappings_table(comparison)
    if brief:
        return
    yield ""
    yield _layers_table(comparison)
    yield ""
    yield _core_time_table(comparison.reports)
    yield ""
    yield _traffic_table(comparison.reports)


def microbench_parts(hardware: Hardware, dtypes: Sequence[str]) -> Iterable[Part]:
    """`nmsim microbench`: MACs a cycle over warps and instructions in flight."""
    in_flight = (1, 2, 3, 4)
    titles = ["instruction", "pattern", "latency cycles", "warps"]
    titles += [f"{many} in flight" for many in in_flight]
    made = Grid(
        f"Tensor-core instructions on one core of {hardware.name}, dense-equivalent MACs a cycle",
        headings(titles, word=["instruction", "pattern"]),
        drops=("3 in flight", "2 in flight"),
    )
    patterns = ["1:1", *hardware.sparsity.patterns]
    for dtype, pattern, warps in product(dtypes, patterns, (1, 4, 8, 16)):
        timings = [
            mma_timing(hardware, dtype, warps=warps, in_flight=many, pattern=pattern)
            for many in in_flight
        ]
        shape = hardware.core.tensor_cores.instructions[dtype]
        k = shape.k * Pattern.parse(pattern).expansion
        made.add_row(
            f"{dtype} m{shape.m}n{shape.n}k{k}",
            pattern,
            f"{timings[0].latency_cycles:.1f}",
            str(warps),
            *(f"{timing.macs_per_cycle:,.1f}" for timing in timings),
        )
    yield made


def _layer_table(report: Report) -> Grid:
    scale = Scale.of((layer.time_ns for layer in report.layers), COLUMN_TIME)
    made = Grid(
        f"{report.workload} on {report.hardware}, by layer",
        [
            Column("layer", "name"),
            Column("x"),
            *_size_columns(),
            Column("as", "word"),
            Column("mapping", "word"),
            Column(f"time {scale.unit.name}"),
            Column("cycles"),
            Column(UTILIZATION),
            Column(BOUND, "word"),
        ],
        drops=("mapping", "cycles", SIZES, UTILIZATION, BOUND),
    )
    for layer in report.layers:
        made.add_row(
            layer.name,
            str(layer.repeat),
            *_sizes(layer),
            _executed(layer),
            layer.mapping,
            scale.text(layer.time_ns),
            f"{layer.cycles:,}",
            percent(layer.mac_utilization),
            _bound(layer),
        )
    return made


def _executed(layer: LayerReport) -> str:
    """The pattern as which a product ran; on vector lanes, it says so."""
    on_lanes = layer.executed_on == "vector" and layer.macs
    return f"{layer.executed_as} vector" if on_lanes else layer.executed_as


def _layers_table(comparison: Comparison) -> Grid:
    """Every layer under every pattern."""
    first = comparison.first
    times = (layer.time_ns for report in comparison.reports for layer in report.layers)
    scale = Scale.of(times, COLUMN_TIME)
    heads = [Column("layer", "name"), Column("x"), *_size_columns()]
    for report in comparison.reports:
        heads.append(Column(f"{report.pattern_name} {scale.unit.name}"))
        if report is not first:
            heads.append(Column(f"x{first.pattern_name}"))
        heads += [Column("util.", group=UTILIZATION), Column(BOUND, "word", group=BOUND)]
    made = Grid(
        f"{first.workload} on {first.hardware}, by layer",
        heads,
        drops=(UTILIZATION, SIZES, BOUND, "x"),
    )
    for index, layer in enumerate(first.layers):
        cells = [layer.name, str(layer.repeat), *_sizes(layer)]
        for report in comparison.reports:
            here = report.layers[index]
            cells.append(scale.text(here.time_ns))
            if report is not first:
                cells.append(f"{comparison.layer_speedup(report, index):.2f}")
            cells += [percent(here.mac_utilization), _bound(here)]
        made.add_row(*cells)
    return made


def _mappings_table(comparison: Comparison) -> Grid:
    patterns = [Column(report.pattern_name, "word") for report in comparison.reports]
    made = Grid("Mappings", [Column("layer", "name"), *patterns])
    for index, layer in enumerate(comparison.first.layers):
        made.add_row(layer.name, *(r.layers[index].mapping for r in comparison.reports))
    return made


def _summary_table(comparison: Comparison) -> Grid:
    first, totals = comparison.first.pattern_name, [report.total for report in comparison.reports]
    scale = Scale.of((total.time_ns for total in totals), COLUMN_TIME)
    launch = Scale.of((total.time_with_launch_ns for total in totals), COLUMN_TIME)
    launched, bound = f"with launches {launch.unit.name}", "bound by (share of time)"
    titles = ["pattern", f"time {scale.unit.name}", launched, f"speed-up over {first}"]
    is_real = any(total.nonzeros is not None for total in totals)
    titles += ["density alone", *[PRUNED] * is_real, UTILIZATION, "energy", "ran as", bound]
    summary = Grid(
        "All layers",
        headings(titles, word=["pattern"], prose=["ran as", bound]),
        drops=("ran as", launched, "energy", UTILIZATION),
    )
    for report in comparison.reports:
        ran_as, energy = comparison.executed(report), report.total.energy_pj
        summary.add_row(
            report.pattern_name,
            scale.text(report.total.time_ns),
            launch.text(report.total.time_with_launch_ns),
            f"{comparison.speedup(report):.2f}",
            f"{comparison.density_speedup(report):.2f}",
            *[_pruned(report.total)] * is_real,
            percent(report.total.mac_utilization),
            "-" if energy is None else quantities.energy(energy),
            ", ".join(f"{pattern} x{many}" for pattern, many in ran_as.items()) or "-",
            _total_bound(report),
        )
    return summary


def _pruned(total: Total) -> str:
    """Of the real weights that were not zero."""
    return "-" if total.nonzeros is None else percent(total.pruned_ratio)


def _core_time_table(reports: Sequence[Report]) -> Grid:
    rows = [report.core_time_ns() for report in reports]
    table = {words(kind): [row[kind] for row in rows] for kind in CORE_TIME}
    table["sum"] = [sum(row.values()) for row in rows]
    return _by_pattern("Where an average core's time goes", "part", table, reports, COLUMN_TIME)


def _traffic_table(reports: Sequence[Report]) -> Grid:
    """Bytes by level; for the scratchpad by operand, since there the pattern shows."""
    table: dict[str, list[float]] = {}
    moved = [report.total.traffic_bytes for report in reports]
    for level, way in product(("dram", "l2"), DIRECTIONS):
        table[f"{words(level)} {way}"] = [traffic.total(level, way) for traffic in moved]
    operands = ("weights", "metadata", "activations")
    for way, side in (("written", "in"), ("read", "out")):
        for operand in operands:
            table[f"scratchpad: {operand} {side}"] = [
                traffic["scratchpad"][operand][way] for traffic in moved
            ]
    return _by_pattern("Traffic", "level", table, reports, SIZE)


def _by_pattern(
    title: str,
    rows: str,
    table: Mapping[str, Sequence[float]],
    reports: Sequence[Report],
    units: tuple[quantities.Unit, ...],
) -> Grid:
    """A row a figure and a column a pattern, all in one unit; rows of nothing are left out."""
    scale = Scale.of((value for values in table.values() for value in values), units)
    heads = [Column(rows, "word"), *(Column(report.pattern_name) for report in reports)]
    made = Grid(f"{title}, {scale.unit.name}", heads)
    for name, values in table.items():
        if any(values):
            made.add_row(name, *map(scale.text, values))
    return made


def _errors(reports: Iterable[Report]) -> Iterable[Part]:
    """How far off sampled figures may be."""
    totals = [report.total for report in reports if report.accuracy == "sampled"]
    if totals:
        time, dram = (
            max(getattr(total, f"{what}_error_ratio") for total in totals)
            for what in ("time", "dram")
        )
        yield f"Sampled: time within {time:.1%} and DRAM traffic within {dram:.1%}, estimated"


def _notes(comparison: Comparison) -> Iterable[Part]:
    yield from note_lines(comparison.notes())


def _peak(reports: Sequence[Report]) -> str:
    """What utilisations are of: the rate at which slots can be worked on, by dtype."""
    layers = [layer for report in reports for layer in report.layers if layer.macs]
    roof = reports[0].roof.macs_per_second
    peaks = (
        f"{quantities.mac_rate(roof[dtype])} {dtype}"
        for dtype in dict.fromkeys(layer.dtype for layer in layers)
    )
    return f"the dense peak, {', '.join(peaks) or 'which nothing here uses'}"


def _energy(total: Total) -> str:
    """Energy and mean power; whether the power limit lowered the clock."""
    energy, power = quantities.energy(total.energy_pj or 0), quantities.power(total.power_w or 0)
    text = f"{energy}, {power} on average"
    return text + (", throttled to the power limit" if total.throttled else "")


def _layers(report: Report) -> str:
    """How many kernels there are; where each layer is one, how many of those."""
    if report.stack == LISTED:
        return count(report.total.kernels, "layer")
    return f"{count(report.total.kernels, 'kernel')} (stack: {report.stack})"


def _size_columns() -> list[Column]:
    return [Column(name, group=SIZES) for name in ("m", "n", "k")]


def _sizes(layer: LayerReport) -> tuple[str, str, str]:
    if not layer.count:
        return layer.kind, "-", "-"
    many = f"{layer.count}*" if layer.count > 1 else ""
    return f"{many}{layer.m}", str(layer.n), str(layer.k)


def _bound(layer: LayerReport) -> str:
    """What bounds a layer; where it is the launch, also what bounds its work."""
    return f"launch, {layer.work_bound}" if layer.bound == "launch" else layer.bound


def _total_bound(report: Report) -> str:
    """Shares of the time, largest first; where launches take many, those of the work, too."""
    total = report.total
    text = _shares(total.bound_ratio)
    if total.bound_ratio.get("launch", 0) >= LAUNCH_RATIO:
        text += f"; work: {_shares(total.work_bound_ratio)}"
    return text


def _shares(shares: Mapping[str, float], most: int = 3) -> str:
    """The largest few; the rest is what is left to 100 %."""
    largest = list(shares.items())[:most]
    return ", ".join(f"{name} {quantities.whole_percent(share)}" for name, share in largest)


def _signed(ratio: float) -> str:
    return f"{100 * ratio:+.1f} %"
