"""Tables for people: with lines and colour on a terminal, plain aligned text in a pipe."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from itertools import product

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from simulator.comparison import Comparison
from simulator.hardware import Hardware
from simulator.microbench import mma_timing
from simulator.report import CORE_TIME, LayerReport, Report, Total
from simulator.sparsity import Pattern

PLAIN_WIDTH = 2000
MB = 1e6

CORE_TIME_SHORT = {
    "kernel_start": "start",
    "mac_useful": "MAC useful",
    "mac_padding": "MAC padding",
    "scratchpad_stall": "scratchpad",
    "operand_stall": "operand",
    "barrier": "barrier",
    "memory_stall": "memory",
    "prologue": "prologue",
    "epilogue": "epilogue",
    "reduction": "reduction",
    "idle": "idle",
}


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def table(title: str, columns: Iterable[str], left: Iterable[str] = ()) -> Table:
    """An empty table; columns are right-aligned unless named in ``left``."""
    terminal = _is_terminal()
    made = Table(
        title=title,
        title_justify="left",
        title_style="bold" if terminal else "",
        box=box.SIMPLE_HEAD if terminal else None,
        pad_edge=False,
        header_style="bold" if terminal else "",
    )
    aligned_left = set(left)
    for column in columns:
        is_left = column in aligned_left
        made.add_column(column, justify="left" if is_left else "right", no_wrap=True)
    return made


def render(parts: Iterable[RenderableType]) -> str:
    """All parts as text, for this terminal or for a pipe."""
    terminal = _is_terminal()
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        force_terminal=terminal,
        width=None if terminal else PLAIN_WIDTH,
        highlight=False,
        markup=False,  # names are text, whatever brackets and colons they hold
        emoji=False,
        no_color=not terminal,
    )
    for part in parts:
        console.print(part, soft_wrap=not terminal)
    lines = (line.rstrip() for line in buffer.getvalue().splitlines())
    return "\n".join(lines) + "\n"


def report_parts(report: Report) -> Iterable[RenderableType]:
    """`nmsim run`: the layers, the total, the traffic, and where core-time went."""
    layers = table(
        f"{report.workload} on {report.hardware}",
        ["layer", "x", "m", "n", "k", "as", "mapping", "time µs", "cycles", "MAC util.", "bound"],
        left=["layer", "as", "mapping", "bound"],
    )
    for layer in report.layers:
        layers.add_row(
            layer.name,
            str(layer.repeat),
            *_sizes(layer),
            layer.executed_as,
            layer.mapping,
            f"{layer.time_ps / 1e6:,.2f}",
            f"{layer.cycles:,}",
            _percent(layer.mac_utilization),
            _bound(layer),
        )
    yield layers
    total = report.total
    yield Text(
        f"\nTotal: {total.time_ns / 1e3:,.1f} µs, {total.cycles:,} cycles, "
        f"{total.macs / 1e9:,.3f} GMAC, MAC utilisation {_percent(total.mac_utilization)}, "
        f"with {total.launches} launches {total.time_with_launch_ns / 1e3:,.1f} µs"
    )
    yield Text(f"Bound by: {_total_bound(report)}")
    if total.energy_pj is not None:
        yield Text(f"Energy: {_energy(total)}")
    yield from _errors([report])
    yield Text("")
    yield _traffic_table([report])
    yield Text("")
    yield _core_time_table(Comparison((report,)))
    yield from _notes(Comparison((report,)))


def _errors(reports: Iterable[Report]) -> Iterable[RenderableType]:
    """How far off sampled figures may be."""
    totals = [report.total for report in reports if report.accuracy == "sampled"]
    if totals:
        time, dram = (
            max(getattr(total, f"{what}_error_ratio") for total in totals)
            for what in ("time", "dram")
        )
        yield Text(f"Sampled: time within {time:.1%} and DRAM traffic within {dram:.1%}, estimated")


def comparison_parts(comparison: Comparison) -> Iterable[RenderableType]:
    """`nmsim compare`: every layer under every pattern, then all layers together."""
    first = comparison.first
    patterns = [str(report.pattern) for report in comparison.reports]
    columns = ["layer", "x", "m", "n", "k"]
    for pattern in patterns:
        columns += [f"{pattern} µs", "util.", "bound"]
        if pattern != patterns[0]:
            columns[-2:-2] = [f"x{patterns[0]}"]
    layers = table(
        f"{first.workload} on {first.hardware}, by layer", columns, left=["layer", "bound"]
    )
    for index, layer in enumerate(first.layers):
        cells = [layer.name, str(layer.repeat), *_sizes(layer)]
        for report in comparison.reports:
            here = report.layers[index]
            cells.append(f"{here.time_ps / 1e6:,.2f}")
            if report is not first:
                cells.append(f"{comparison.layer_speedup(report, index):.2f}")
            cells += [_percent(here.mac_utilization), _bound(here)]
        layers.add_row(*cells)
    yield layers
    yield from _errors(comparison.reports)
    yield Text("")
    yield _summary_table(comparison)
    yield Text("")
    yield _core_time_table(comparison)
    yield Text("")
    yield _traffic_table(comparison.reports)
    yield Text("")
    for sentence in comparison.explanation():
        yield Text(sentence)
    yield from _notes(comparison)


def microbench_parts(hardware: Hardware, dtypes: Sequence[str]) -> Iterable[RenderableType]:
    """`nmsim microbench`: MACs a cycle over warps and instructions in flight."""
    in_flight = (1, 2, 3, 4)
    columns = ["instruction", "pattern", "latency cycles", "warps"]
    columns += [f"{count} in flight" for count in in_flight]
    made = table(
        f"Tensor-core instructions on one core of {hardware.name}, dense-equivalent MACs a cycle",
        columns,
        left=["instruction", "pattern"],
    )
    patterns = ["1:1", *hardware.sparsity.patterns]
    for dtype, pattern, warps in product(dtypes, patterns, (1, 4, 8, 16)):
        timings = [
            mma_timing(hardware, dtype, warps=warps, in_flight=count, pattern=pattern)
            for count in in_flight
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


def _summary_table(comparison: Comparison) -> Table:
    first = comparison.first.pattern
    summary = table(
        "All layers",
        ["pattern", "ran as", "time µs", "with launches µs", f"speed-up over {first}",
         "density alone", "MAC util.", "bound by (share of time)"],
        left=["pattern", "ran as", "bound by (share of time)"],
    )  # fmt: skip
    for report in comparison.reports:
        ran_as = comparison.executed(report)
        summary.add_row(
            str(report.pattern),
            ", ".join(f"{pattern} x{count}" for pattern, count in ran_as.items()) or "-",
            f"{report.total.time_ns / 1e3:,.1f}",
            f"{report.total.time_with_launch_ns / 1e3:,.1f}",
            f"{comparison.speedup(report):.2f}",
            f"{comparison.density_speedup(report):.2f}",
            _percent(report.total.mac_utilization),
            _total_bound(report),
        )
    return summary


def _core_time_table(comparison: Comparison) -> Table:
    made = table(
        "Where an average core's time goes, µs (stalls: scratchpad, operand, memory)",
        ["pattern", *CORE_TIME_SHORT.values(), "sum"],
        left=["pattern"],
    )
    for report in comparison.reports:
        times = comparison.core_time_ns(report)
        made.add_row(
            report.pattern or "trace",
            *(f"{times[kind] / 1e3:,.1f}" for kind in CORE_TIME),
            f"{sum(times.values()) / 1e3:,.1f}",
        )
    return made


def _traffic_table(reports: Iterable[Report]) -> Table:
    """Megabytes by level; for the scratchpad by operand, since there the pattern shows."""
    columns = ["pattern", "DRAM read", "DRAM written", "L2 read", "L2 written"]
    columns += ["scratchpad: weights in", "metadata in", "activations in"]
    columns += ["weights out", "metadata out", "activations out"]
    made = table("Traffic, MB", columns, left=["pattern"])
    for report in reports:
        traffic = report.total.traffic_bytes
        cells = [report.pattern or "trace"]
        for level in ("dram", "l2"):
            for way in ("read", "written"):
                cells.append(_mb(sum(ways[way] for ways in traffic[level].values())))
        pad = traffic["scratchpad"]
        for way in ("written", "read"):
            for operand in ("weights", "metadata", "activations"):
                cells.append(_mb(pad.get(operand, {}).get(way, 0)))
        made.add_row(*cells)
    return made


def _notes(comparison: Comparison) -> Iterable[RenderableType]:
    for note in comparison.notes():
        yield Text(f"Note: {note}")


def _energy(total: Total) -> str:
    """Energy and mean power; whether the power limit lowered the clock."""
    text = f"{(total.energy_pj or 0) / 1e9:,.3f} mJ, {total.power_w or 0:,.1f} W on average"
    return text + (", throttled to the power limit" if total.throttled else "")


def _sizes(layer: LayerReport) -> tuple[str, str, str]:
    if not layer.count:
        return layer.kind, "-", "-"
    many = f"{layer.count}*" if layer.count > 1 else ""
    return f"{many}{layer.m}", str(layer.n), str(layer.k)


def _bound(layer: LayerReport) -> str:
    """What bounds a layer; where it is the launch, also what bounds its work."""
    return f"launch, {layer.work_bound}" if layer.bound == "launch" else layer.bound


def _total_bound(report: Report) -> str:
    """Shares of the time, largest first; where launches are among them, those of the work, too."""
    total = report.total
    text = _shares(total.bound_ratio)
    if "launch" in total.bound_ratio:
        text += f"; work: {_shares(total.work_bound_ratio)}"
    return text


def _shares(shares: dict[str, float], most: int = 3) -> str:
    """The largest few; the rest is what is left to 100 %."""
    return ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:most])


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f} %"


def _mb(size: int) -> str:
    return f"{size / MB:,.2f}"
