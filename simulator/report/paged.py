"""What reports and comparisons pass to pages, as plain figures and sentences."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from simulator.names import words
from simulator.pages import (
    LayerView,
    NetworkPage,
    PatternView,
    RooflinePoint,
    TilesView,
    network_html,
)
from simulator.quantities import COLUMN_TIME, Scale, count, energy, macs, percent, power, size
from simulator.report.comparison import Comparison
from simulator.report.dealt import Dealt
from simulator.report.layer import LayerReport
from simulator.report.reasons import reasons
from simulator.report.report import Report
from simulator.report.stalls import helping
from simulator.traffic import Traffic
from simulator.units import PS_PER_SECOND
from simulator.version import __version__
from simulator.workload.layer import LISTED


def comparison_html(
    comparison: Comparison,
    commands: Mapping[str, str],
) -> str:
    """The page of a comparison, or of one report.

    Parameters
    ----------
    commands : mapping
        What prints the figures of a pattern, by its name.
    """
    first = comparison.first
    times_ns = (layer.time_ns for report in comparison.reports for layer in report.layers)
    return network_html(
        NetworkPage(
            title=comparison.title,
            facts=tuple(_facts(first)),
            patterns=tuple(
                _pattern(comparison, report, commands.get(report.pattern_name, ""))
                for report in comparison.reports
            ),
            time_column=Scale.of(times_ns, COLUMN_TIME),
            sentences=tuple(comparison.explanation()),
            notes=tuple(comparison.notes()),
            made_by=f"nmsim {__version__}",
        )
    )


def _facts(report: Report) -> Iterator[str]:
    """What was simulated, and how."""
    if report.stack != LISTED:
        yield f"{report.stack} stack"
    yield count(report.total.kernels, "kernel")
    if dealt := report.layers[0].dealt:
        yield count(dealt.cores, "core")
    yield f"{macs(report.total.macs)}"
    yield f"{report.accuracy} on the {report.engine} engine"


def _pattern(comparison: Comparison, report: Report, command: str) -> PatternView:
    total = report.total
    executed = sorted(comparison.executed(report).items(), key=lambda item: -item[1])
    return PatternView(
        name=report.pattern_name,
        command=command,
        time_ns=total.time_ns,
        launched_ns=total.time_with_launch_ns,
        speedup=comparison.speedup(report),
        density_speedup=comparison.density_speedup(report),
        utilization=total.mac_utilization,
        energy_pj=total.energy_pj,
        dram_bytes=total.traffic_bytes.total("dram"),
        ran_as=", ".join(f"{name} ×{launches}" for name, launches in executed),
        bounds=tuple((words(bound), ratio) for bound, ratio in total.bound_ratio.items()),
        core_time_ns=tuple(report.core_time_ns().values()),
        peaks=report.roof.macs_per_second,
        dram_bytes_per_second=report.roof.dram_bytes_per_second,
        layers=tuple(
            _layer(layer, report, comparison.layer_speedup(report, index))
            for index, layer in enumerate(report.layers)
        ),
    )


def _layer(layer: LayerReport, report: Report, speedup: float) -> LayerView:
    """One row, and what there is to see of it."""
    bounds = dict.fromkeys((layer.bound, layer.work_bound))
    return LayerView(
        name=layer.name,
        members=() if layer.members == (layer.name,) else layer.members,
        kind=layer.kind,
        repeat=layer.repeat,
        sizes=_sizes(layer),
        dtype=layer.dtype,
        ran_as=f"{layer.executed_as} vector" if _on_lanes(layer) else layer.executed_as,
        mapping=layer.mapping,
        note=layer.note,
        time_ns=layer.time_ns,
        speedup=speedup,
        share=layer.time_ps * layer.repeat / report.total.time_ps,
        utilization=layer.mac_utilization,
        bound=", ".join(map(words, bounds)),
        work_bound=layer.work_bound,
        busy=layer.busy_ratio,
        core_time_ns=tuple(layer.core_time_ps.of_average_core_ns(layer.time_ps).values()),
        moved=_moved(layer.traffic_bytes),
        point=_point(layer),
        tiles=_tiles(layer, layer.dealt) if layer.dealt else None,
        why=tuple(reasons(layer)),
        helps=tuple(helping(layer.core_time_ps)),
        figures=tuple(_figures(layer)),
        row=f"| grep -F -- {shlex.quote(layer.name)}" if layer.name.isprintable() else "",
    )


def _on_lanes(layer: LayerReport) -> bool:
    return layer.executed_on == "vector" and layer.macs > 0


def _sizes(layer: LayerReport) -> str:
    if not layer.m:
        return ""
    several = f"{layer.count} of " if layer.count > 1 else ""
    return several + " × ".join(f"{side:,}" for side in (layer.m, layer.n, layer.k))


def _moved(traffic: Traffic) -> tuple[tuple[tuple[int, int], ...], ...]:
    return tuple(
        tuple((ways["read"], ways["written"]) for ways in operands.values())
        for operands in traffic.values()
    )


def _point(layer: LayerReport) -> RooflinePoint | None:
    passed = layer.traffic_bytes.total("dram")
    if not (layer.macs and passed and layer.slots_used):
        return None
    return RooflinePoint(
        layer.slots_used / passed, layer.slots_used / (layer.time_ps / PS_PER_SECOND)
    )


def _tiles(layer: LayerReport, dealt: Dealt) -> TilesView:
    """The grid of tiles; that of a streaming layer is one of chunks and passes."""
    grid = dealt.grid
    if layer.m:
        names = ("n", "m") if dealt.swapped else ("m", "n")
        down = _cut(names[0], grid.m, grid.tile_m, grid.rows, "tile")
        across = _cut(names[1], grid.n, grid.tile_n, grid.columns, "tile")
        depth = _cut("k", grid.k, grid.tile_k, grid.stages, "stage")
    else:
        down = _cut("elements", grid.m, grid.tile_m, grid.rows, "chunk")
        across, depth = count(grid.columns, "pass", "passes"), ""
    turns = dealt.turns()
    return TilesView(
        rows=grid.rows,
        columns=grid.columns,
        count=grid.count,
        splits=grid.splits,
        cores=dealt.cores,
        down=down,
        across=across,
        depth=depth,
        turns=() if turns is None else tuple(_runs(turns.tolist())),
        order=_order(dealt),
    )


def _cut(side: str, length: int, tile: int, tiles: int, piece: str) -> str:
    return f"{side} {length:,}: {count(tiles, piece)} of {tile:,}"


def _order(dealt: Dealt) -> str:
    if dealt.queues is None:
        return "More tiles than one can see, or simulated in part: their order is not shown."
    if dealt.queues.start.size == 2:
        return "A core takes the next tile as soon as it is free; a wave is one tile a core."
    return "Every core has its own list of tiles; a wave is one tile of each."


def _runs(values: Sequence[int]) -> Iterator[int]:
    """A value, how often it follows itself, and so on."""
    for value, same in groupby(values):
        yield value
        yield sum(1 for _ in same)


def _figures(layer: LayerReport) -> Iterator[tuple[str, str]]:
    """What is not drawn: labels and texts."""
    yield "cycles", f"{layer.cycles:,}"
    if layer.macs:
        yield "MACs", macs(layer.macs)
        yield "MACs executed", macs(layer.macs_executed)
        yield "slots used", macs(layer.slots_used)
        yield "dense-equivalent utilisation", percent(layer.dense_equivalent_utilization)
    if layer.energy_pj is not None:
        yield "energy", energy(layer.energy_pj)
    if layer.power_w is not None:
        yield "power", power(layer.power_w)
    yield "clock", f"{layer.clock_hz / 1e6:,.0f} MHz" + (", throttled" if layer.throttled else "")
    yield "imbalance", f"{layer.imbalance_ratio:.2f}"
    yield "stages", f"{layer.stages:,}"
    yield "L2 evictions", f"{layer.evictions:,}"
    yield "hits in flight", f"{layer.in_flight_hits:,}"
    yield "compulsory DRAM", size(layer.compulsory_dram_bytes)
    if layer.time_error_ratio:
        yield "time may be off by", percent(layer.time_error_ratio)
        yield "DRAM may be off by", percent(layer.dram_error_ratio)
    if layer.nonzeros is not None:
        yield "non-zero weights", f"{layer.nonzeros:,}"
        yield "pruned now", f"{layer.pruned_away or 0:,}"
