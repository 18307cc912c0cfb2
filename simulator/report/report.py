"""What a user gets: counts become figures, and every picosecond of every core is accounted for."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simulator import quantities
from simulator.engine.result import EngineResult
from simulator.errors import writing
from simulator.hardware import Hardware
from simulator.hardware.energy import layer_energy_pj, power_w
from simulator.report.audit import audit
from simulator.schedule.capacity import Held
from simulator.schedule.classes import BLOCK_CLASSES, COLUMNS, OUTPUTS, PARTIALS, ROWS
from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import IntArray
from simulator.schedule.program import Program
from simulator.schedule.timing import StageWork
from simulator.sparsity import AnyPattern, asked_name
from simulator.units import PS_PER_NS, PS_PER_SECOND, ns_to_ps, ps_to_cycles
from simulator.workload.layer import Layer, Stream
from simulator.workload.lowering import GemmProblem, Role

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import FigureBase

    from simulator.pictures import Picture

OPERANDS = ("weights", "metadata", "activations", "outputs", "partial_sums")
"""Of every layer, whether it moves them or not, so that all rows of a table have all columns."""

LEVELS = ("dram", "l2", "scratchpad", "register_file")
CORE_TIME = (
    "kernel_start",
    "mac_useful",
    "mac_padding",
    "scratchpad_stall",
    "operand_stall",
    "barrier",
    "memory_stall",
    "prologue",
    "epilogue",
    "reduction",
    "idle",
)
LATENCY_BOUND_BELOW = 0.5
"""A layer whose busiest resource works less than half of its working time is bound by latency."""

PLOTTED_LAYERS = 15
"""Layers that have a bar of their own in a picture; the others share one."""

TrafficBytes = dict[str, dict[str, dict[str, int]]]


@dataclass(frozen=True)
class LayerReport:
    """One layer, once; ``repeat`` says how often it occurs.

    Attributes
    ----------
    asked, executed_as : str
        Pattern of the weights, and the pattern that the hardware ran it as; `note` says why.
    mapping : str
        Tile, splits and operand order; ``-`` for streaming layers.
    macs : int
        Useful MACs of the dense problem. ``macs_executed`` counts what the tensor cores did,
        ``slots_used`` the part of it on slots that can hold a weight; the rest is
        ``slots_padded``.
    mac_utilization : float
        ``slots_used`` over what all cores could have done in the time, 0 to 1.
    dense_equivalent_utilization : float
        ``macs`` over the same; above 1 where skipped zeros outweigh stalls.
    bound : str
        mac, scratchpad, operand, port, l2, dram: the resource that is busiest (of the busiest
        core); latency where none is busy half of the time; launch where launching and starting
        the kernel take longer than its work.
    work_bound : str
        What bounds the layer's work, whatever its launch takes.
    busy_ratio : dict
        Busy time of each resource over the layer's time.
    traffic_bytes : dict
        Bytes by level, operand and direction (read from the level, written to it).
    core_time_ps : dict
        Where core-time went; sums to cores times ``time_ps`` exactly.
    imbalance_ratio : float
        Time that the busiest core spends in stages over the mean of all cores that have work.
    energy_pj : float or None
    power_w : float or None
        Energy over time.
    clock_hz : int
        The machine's, or a lower one if ``throttled``: at the full clock the layer would have drawn
        more than the machine's ``tdp_w``. ``cycles`` and utilisations are of this clock.
    time_error_ratio, dram_error_ratio : float
        How far off time and DRAM bytes may be, estimated; 0 where every event was simulated.
    """

    name: str
    kind: str
    repeat: int
    dtype: str
    m: int
    n: int
    k: int
    count: int
    asked: str
    executed_as: str
    note: str
    mapping: str
    cycles: int
    time_ps: int
    macs: int
    macs_executed: int
    slots_used: int
    slots_padded: int
    mac_utilization: float
    dense_equivalent_utilization: float
    bound: str
    work_bound: str
    busy_ratio: dict[str, float]
    bandwidth_bytes_per_second: dict[str, float]
    traffic_bytes: TrafficBytes
    core_time_ps: dict[str, int]
    imbalance_ratio: float
    energy_pj: float | None
    power_w: float | None
    clock_hz: int
    throttled: bool
    stages: int
    evictions: int
    in_flight_hits: int
    time_error_ratio: float
    dram_error_ratio: float

    @property
    def time_ns(self) -> float:
        return self.time_ps / PS_PER_NS


@dataclass(frozen=True)
class Total:
    """All layers, with their repeats; ``cycles`` are of the machine's full clock.

    Attributes
    ----------
    blocks : int
        How many equal blocks the network has; all figures are of one.
    held : Held
        What main memory keeps at once.
    """

    cycles: int
    time_ps: int
    launches: int
    launch_ns: float
    macs: int
    macs_executed: int
    slots_used: int
    slots_padded: int
    mac_utilization: float
    dense_equivalent_utilization: float
    bound: str
    bound_ratio: dict[str, float]
    work_bound_ratio: dict[str, float]
    traffic_bytes: TrafficBytes
    core_time_ps: dict[str, int]
    energy_pj: float | None
    power_w: float | None
    throttled: bool
    time_error_ratio: float
    dram_error_ratio: float
    blocks: int = 1
    held: Held = field(default_factory=Held)

    @property
    def time_ns(self) -> float:
        """Device time."""
        return self.time_ps / PS_PER_NS

    @property
    def time_with_launch_ns(self) -> float:
        """Device time and one launch overhead a layer."""
        return self.time_ns + self.launches * self.launch_ns


@dataclass(frozen=True)
class Roof:
    """What the whole machine can do at most: MACs of slots by dtype, sustained DRAM bandwidth."""

    macs_per_second: dict[str, float]
    dram_bytes_per_second: float

    @classmethod
    def of(cls, hardware: Hardware) -> Roof:
        cycles = hardware.core.count * hardware.clock_hz
        dram = hardware.memory.dram
        return cls(
            {dtype: float(hardware.macs_per_cycle(dtype) * cycles) for dtype in hardware.dtypes},
            dram.bytes_per_second * dram.efficiency_ratio,
        )


@dataclass(frozen=True)
class Report:
    """The result of `simulate`."""

    hardware: str
    workload: str
    pattern: str | None
    engine: str
    accuracy: str
    notes: tuple[str, ...]
    roof: Roof
    total: Total
    layers: tuple[LayerReport, ...] = field(repr=False)

    def to_json(self) -> str:
        """All figures as JSON text; both engines give the same text but for ``engine``."""
        data = asdict(self)
        data["total"]["time_ns"] = self.total.time_ns
        data["total"]["time_with_launch_ns"] = self.total.time_with_launch_ns
        return json.dumps(data, indent=2, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a layer; nested figures become columns: ``traffic_bytes.dram.weights.read``."""
        import pandas as pd

        frame = pd.DataFrame([_flat(asdict(layer)) for layer in self.layers])
        # Unknown energies are missing numbers, not a column of another type.
        return frame.astype(dict.fromkeys(("energy_pj", "power_w"), "float64"))

    def to_csv(self, path: str | Path | None = None) -> str | None:
        """``to_frame`` as CSV, into a file or returned as text.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        with writing(path):
            text: str | None = self.to_frame().to_csv(path, index=False)
        return text

    @property
    def network(self) -> str:
        """The workload, and whether it is one of several blocks."""
        blocks = self.total.blocks
        return self.workload + (f" (one of {blocks} blocks)" if blocks > 1 else "")

    @property
    def title(self) -> str:
        """Network, machine and pattern."""
        return f"{self.network} on {self.hardware}, {self.pattern or 'as the trace says'}"

    @property
    def pattern_name(self) -> str:
        """The pattern in a word: ``trace`` where every layer has its own."""
        return asked_name(self.pattern)

    def core_time_ns(self) -> dict[str, float]:
        """Where an average core's time went, all layers; adds up to the device time."""
        core_time = self.total.core_time_ps
        cores = sum(core_time.values()) / self.total.time_ps
        return {kind: core_time[kind] / cores / PS_PER_NS for kind in CORE_TIME}

    def plot(self) -> Picture:
        """One page: roofline, core-time by layer, traffic."""
        from simulator.pictures import new_picture

        bars = min(len(self.layers), PLOTTED_LAYERS + 1)
        heights = [4.6, 1.9 + 0.34 * bars, 2.3]
        page = new_picture(10.5, sum(heights) + 0.4, self.title)
        roofline, core_time, traffic = page.subfigures(
            3, 1, height_ratios=heights, hspace=0.04, squeeze=False
        )[:, 0]
        self._draw_roofline(roofline, "Roofline")
        self._draw_core_time(core_time, "Where the time goes, by layer")
        self._draw_traffic(traffic, "Traffic by level")
        return page

    def plot_roofline(self) -> Picture:
        """Useful MACs a second over useful MACs a byte of DRAM traffic, layer by layer."""
        from simulator.pictures import new_picture

        picture = new_picture(10.5, 5)
        self._draw_roofline(picture, f"Roofline: {self.title}")
        return picture

    def plot_core_time(self) -> Picture:
        """Where an average core's time goes: a bar a layer, with its repeats."""
        from simulator.pictures import new_picture

        picture = new_picture(10.5, 2.2 + 0.34 * min(len(self.layers), PLOTTED_LAYERS + 1))
        self._draw_core_time(picture, f"Where the time goes: {self.title}")
        return picture

    def plot_traffic(self) -> Picture:
        """Bytes read and written at each level, by operand."""
        from simulator.pictures import new_picture

        picture = new_picture(10.5, 2.6)
        self._draw_traffic(picture, f"Traffic by level: {self.title}")
        return picture

    def _draw_roofline(self, panel: FigureBase, title: str) -> None:
        from simulator.pictures import RooflinePoint, roofline

        shown = [x for x in self.layers if x.macs and _bytes(x.traffic_bytes["dram"])]
        points = [
            RooflinePoint(
                layer.name,
                layer.dtype,
                layer.slots_used / _bytes(layer.traffic_bytes["dram"]),
                layer.slots_used / (layer.time_ps / PS_PER_SECOND),
                layer.time_ps * layer.repeat / self.total.time_ps,
                layer.work_bound,
            )
            for layer in shown
        ]
        rest = 1 - sum(point.time_ratio for point in points)
        left_out = ""
        if len(shown) < len(self.layers):
            left_out = f"not shown, without MACs or DRAM traffic: {rest:.0%} of the time"
        roof = self.roof
        roofline(panel, roof.macs_per_second, roof.dram_bytes_per_second, points,
                 title=title, left_out=left_out)  # fmt: skip

    def _draw_core_time(self, panel: FigureBase, title: str) -> None:
        from simulator.pictures import CoreTimeBar, core_time, percent, words

        order = sorted(self.layers, key=lambda layer: -layer.time_ps * layer.repeat)
        if len(order) > PLOTTED_LAYERS + 1:
            order, others = order[:PLOTTED_LAYERS], order[PLOTTED_LAYERS:]
        else:
            others = []
        whole = self.total.time_ps
        bars = []
        for layers in [*([layer] for layer in order), *([others] if others else [])]:
            time_ps = sum(layer.time_ps * layer.repeat for layer in layers)
            core_ps = {
                kind: sum(layer.core_time_ps[kind] * layer.repeat for layer in layers)
                for kind in CORE_TIME
            }
            cores = sum(core_ps.values()) / time_ps
            label, note = f"{len(layers)} other layers", percent(time_ps / whole)
            if len(layers) == 1:
                (layer,) = layers
                label = layer.name + (f" ×{layer.repeat}" if layer.repeat > 1 else "")
                note += f", {words(layer.work_bound)}"
            times = {kind: time / cores / PS_PER_NS for kind, time in core_ps.items()}
            bars.append(CoreTimeBar(label, times, note))
        core_time(panel, bars, title=title, ylabel="layer", totals_ns=self.core_time_ns())

    def _draw_traffic(self, panel: FigureBase, title: str) -> None:
        from simulator.pictures import TrafficBar, traffic

        traffic(panel, [TrafficBar(self.title, self.total.traffic_bytes)], title=title)

    def _repr_html_(self) -> str:
        columns = ["name", "repeat", "executed_as", "mapping", "cycles", "mac_utilization", "bound"]
        frame = self.to_frame()[columns]
        frame.insert(4, "time", [quantities.time(layer.time_ns) for layer in self.layers])
        head = (
            f"<p><b>{html.escape(self.network)}</b> on <b>{html.escape(self.hardware)}</b>"
            f" ({self.pattern or 'pattern: trace'}): {quantities.time(self.total.time_ns)},"
            f" {self.total.cycles:,} cycles, MAC utilisation"
            f" {quantities.percent(self.total.mac_utilization)} of the dense peak,"
            f" bound by {self.total.bound}</p>"
        )
        frame["mac_utilization"] = frame["mac_utilization"].map(quantities.percent)
        table: str = frame.to_html(index=False, formatters={"cycles": "{:,}".format})
        return head + table


def layer_report(
    hardware: Hardware,
    layer: Layer,
    program: Program,
    result: EngineResult,
    *,
    problem: GemmProblem | None,
    mapping: Mapping | None,
    asked: AnyPattern,
    note: str,
    throttled: bool = False,
    time_error_ratio: float = 0.0,
    dram_error_ratio: float = 0.0,
) -> LayerReport:
    """Turn the counters of one run into figures. ``problem`` is None for streaming layers.

    Raises
    ------
    AccountError
        If a figure is one that no run can have.
    """
    start_ps = ns_to_ps(hardware.kernel_start_ns)
    time_ps = start_ps + result.makespan_ps
    stages = result.stages.sum(axis=0).tolist()
    executed = sum(n * w.macs_executed for n, w in zip(stages, program.works, strict=True))
    used = _slots_used(program, stages, problem)
    peak = Fraction(0)
    if problem is not None:
        per_second = hardware.macs_per_cycle(layer.dtype) * hardware.clock_hz * program.cores
        peak = per_second * time_ps / PS_PER_SECOND
    traffic = _traffic(program, result, stages, problem)
    busy = _busy_ratio(program, result, time_ps)
    work_bound = _work_bound(busy, result.makespan_ps / time_ps)
    launch_ps = ns_to_ps(hardware.launch_ns)
    seconds = time_ps / PS_PER_SECOND
    energy_pj = layer_energy_pj(hardware, layer.dtype, executed, traffic, time_ps)
    m, n = (problem.m, problem.n) if problem else (0, 0)
    if problem and problem.inputs_are_rows:
        m, n = n, m
    report = LayerReport(
        name=layer.name,
        kind=layer.op if isinstance(layer, Stream) else type(layer).__name__.lower(),
        repeat=layer.repeat,
        dtype=layer.dtype,
        m=m,
        n=n,
        k=problem.k if problem else 0,
        count=problem.count if problem else 0,
        asked=str(asked),
        executed_as=str(problem.pattern) if problem else "-",
        note=note,
        mapping=str(mapping) if mapping else "-",
        cycles=ps_to_cycles(time_ps, hardware.clock_hz),
        time_ps=time_ps,
        macs=layer.macs,
        macs_executed=executed,
        slots_used=used,
        slots_padded=executed - used,
        mac_utilization=float(used / peak) if peak else 0.0,
        dense_equivalent_utilization=float(layer.macs / peak) if peak else 0.0,
        bound="launch" if launch_ps + start_ps > result.makespan_ps else work_bound,
        work_bound=work_bound,
        busy_ratio=busy,
        bandwidth_bytes_per_second={
            level: _bytes(traffic[level]) / seconds for level in ("dram", "l2", "scratchpad")
        },
        traffic_bytes=traffic,
        core_time_ps=_core_time(program, result, stages, used, executed, start_ps),
        imbalance_ratio=_imbalance(result),
        energy_pj=energy_pj,
        power_w=power_w(energy_pj, time_ps),
        clock_hz=hardware.clock_hz,
        throttled=throttled,
        stages=sum(stages),
        evictions=result.evictions,
        in_flight_hits=result.in_flight_hits,
        time_error_ratio=time_error_ratio,
        dram_error_ratio=dram_error_ratio,
    )
    _audit(report, program.cores)
    return report


def _audit(layer: LayerReport, cores: int) -> None:
    """Hold a layer's figures to what is possible at all."""
    slots = layer.slots_used, layer.slots_padded
    audit(
        f"layer {layer.name}",
        counts={
            "slots_used": layer.slots_used,
            "slots_padded": layer.slots_padded,
            "core_time_ps": layer.core_time_ps,
            "traffic_bytes": layer.traffic_bytes,
        },
        sums={
            "macs_executed": (slots, layer.macs_executed),
            "core_time_ps": ([*layer.core_time_ps.values()], cores * layer.time_ps),
        },
        ratios={
            "mac_utilization": layer.mac_utilization,
            "busy_ratio": layer.busy_ratio,
        },
    )


def total_of(hardware: Hardware, layers: Iterable[LayerReport]) -> Total:
    """Add layers up, each as often as it occurs."""
    layers = tuple(layers)
    time_ps = sum(layer.time_ps * layer.repeat for layer in layers)
    macs = sum(layer.macs * layer.repeat for layer in layers)
    executed = sum(layer.macs_executed * layer.repeat for layer in layers)
    used = sum(layer.slots_used * layer.repeat for layer in layers)
    # Peak work of the whole time, at each layer's own rate; a streaming layer counts at the rate
    # of the machine's first dtype, as time in which nothing is multiplied.
    rates = {dtype: float(hardware.macs_per_cycle(dtype)) for dtype in hardware.dtypes}
    first = next(iter(rates.values()))
    peak = sum(
        layer.time_ps * layer.repeat * layer.clock_hz * rates.get(layer.dtype, first)
        for layer in layers
    ) * (hardware.core.count / PS_PER_SECOND)
    shares = _time_shares(layers, time_ps, "bound")
    energies = [layer.energy_pj for layer in layers]
    known = [energy for energy in energies if energy is not None]
    energy_pj = None
    if len(known) == len(energies):
        energy_pj = sum(e * layer.repeat for e, layer in zip(known, layers, strict=True))
    return Total(
        cycles=ps_to_cycles(time_ps, hardware.clock_hz),
        time_ps=time_ps,
        launches=sum(layer.repeat for layer in layers),
        launch_ns=float(hardware.launch_ns),
        macs=macs,
        macs_executed=executed,
        slots_used=used,
        slots_padded=executed - used,
        mac_utilization=used / peak,
        dense_equivalent_utilization=macs / peak,
        bound=next(iter(shares)),
        bound_ratio=shares,
        work_bound_ratio=_time_shares(layers, time_ps, "work_bound"),
        traffic_bytes=_added(layers),
        core_time_ps={
            kind: sum(layer.core_time_ps[kind] * layer.repeat for layer in layers)
            for kind in CORE_TIME
        },
        energy_pj=energy_pj,
        power_w=power_w(energy_pj, time_ps),
        throttled=any(layer.throttled for layer in layers),
        time_error_ratio=_mean_error(
            [(layer.time_ps * layer.repeat, layer.time_error_ratio) for layer in layers]
        ),
        dram_error_ratio=_mean_error(
            [
                (_bytes(layer.traffic_bytes["dram"]) * layer.repeat, layer.dram_error_ratio)
                for layer in layers
            ]
        ),
    )


def _mean_error(parts: list[tuple[int, float]]) -> float:
    """Relative error of a sum from those of its parts, none of which cancels another."""
    return sum(size * error for size, error in parts) / max(1, sum(size for size, _ in parts))


def _time_shares(
    layers: tuple[LayerReport, ...], time_ps: int, field_name: str
) -> dict[str, float]:
    """Share of the time by what bounds it, largest first."""
    shares: dict[str, float] = {}
    for layer in layers:
        bound = getattr(layer, field_name)
        shares[bound] = shares.get(bound, 0.0) + layer.time_ps * layer.repeat / time_ps
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _slots_used(program: Program, stages: list[int], problem: GemmProblem | None) -> int:
    """Executed slots that hold a weight, or could: those of valid rows and columns.

    Zeros anywhere are stored stage by stage, so that they are counted there; groups hold fewer
    weights than slots where channels are padded, which the problem knows.
    """
    if problem is None:
        return 0
    if program.masked:
        return program.masked.slots_used
    if problem.gathers:
        return sum(n * w.slots_stored for n, w in zip(stages, program.works, strict=True))
    return problem.slots_used


def _traffic(
    program: Program, result: EngineResult, stages: list[int], problem: GemmProblem | None
) -> TrafficBytes:
    """Bytes by level, operand and direction."""
    rows: Role = problem.rows_role if problem else "activations"
    columns: Role = problem.columns_role if problem else "activations"
    traffic: TrafficBytes = {
        level: {operand: {"read": 0, "written": 0} for operand in OPERANDS} for level in LEVELS
    }
    names = {ROWS: rows, COLUMNS: columns, OUTPUTS: "outputs", PARTIALS: "partial_sums"}
    sizes, metadata = program.block_bytes.tolist(), program.metadata_bytes.tolist()
    for level, way, counts in (
        ("dram", "read", result.misses),
        ("l2", "read", result.requests),
        ("l2", "written", result.written),
        ("dram", "written", result.dram_written),
    ):
        moved = traffic[level]
        for index, count in enumerate(counts.tolist()):
            if count:
                operand = names[BLOCK_CLASSES[index].operand]
                moved[operand][way] += count * (sizes[index] - metadata[index])
                moved["metadata"][way] += count * metadata[index]
    for count, work in zip(stages, program.works, strict=True):
        if count:
            for level, operand, way, size in _inside_core(work, rows, columns):
                traffic[level][operand][way] += count * size
    return traffic


def _inside_core(
    work: StageWork, rows: Role, columns: Role
) -> tuple[tuple[str, str, str, int], ...]:
    """What one stage moves between scratchpad, register file and tensor cores."""
    accumulators = -(-work.accumulator_bits // 8)
    return (
        ("scratchpad", rows, "written", work.rows_bytes),
        ("scratchpad", "metadata", "written", work.metadata_bytes),
        ("scratchpad", columns, "written", work.columns_bytes),
        ("scratchpad", rows, "read", work.rows_read_bytes),
        ("scratchpad", "metadata", "read", work.metadata_read_bytes),
        ("scratchpad", columns, "read", work.columns_read_bytes),
        ("register_file", rows, "written", work.rows_fill_bytes),
        ("register_file", "metadata", "written", work.metadata_fill_bytes),
        ("register_file", columns, "written", work.columns_fill_bytes),
        ("register_file", rows, "read", -(-work.rows_operand_bits // 8)),
        ("register_file", "metadata", "read", -(-work.metadata_operand_bits // 8)),
        ("register_file", columns, "read", -(-work.columns_operand_bits // 8)),
        ("register_file", "partial_sums", "read", accumulators),
        ("register_file", "partial_sums", "written", accumulators),
    )


def _busy_ratio(program: Program, result: EngineResult, time_ps: int) -> dict[str, float]:
    """Busy time over the layer's time; of the busiest core where every core has its own."""

    # Picoseconds of every core at its scratchpad and at its operand path.
    inside = np.array([(c.scratchpad_ps, c.operand_ps) for c in program.costs], dtype=np.int64)
    scratchpad, operand = (result.stages @ inside).max(axis=0).tolist()

    def queue(times: IntArray, *counts: IntArray) -> int:
        return int(sum((times * count).sum() for count in counts))

    busy = {
        "mac": int(result.mac_ps.max()),
        "scratchpad": scratchpad,
        "operand": operand,
        "port": int(result.port_ps.max()),
        "l2": max(
            queue(program.l2_ps, result.requests, result.written),
            queue(program.link_ps, result.far),
        ),
        "dram": queue(program.dram_ps, result.misses, result.dram_written),
    }
    return {resource: time / time_ps for resource, time in busy.items()}


def _imbalance(result: EngineResult) -> float:
    """1 where every core that has work has as much."""
    worked = result.worked_ps[result.worked_ps > 0]
    return float(worked.max() / worked.mean())


def _work_bound(busy: dict[str, float], work_ratio: float) -> str:
    """The busiest resource, if it is busy half of the time that the work takes."""
    resource = max(busy, key=lambda name: busy[name])
    return resource if busy[resource] >= LATENCY_BOUND_BELOW * work_ratio else "latency"


def _core_time(
    program: Program,
    result: EngineResult,
    stages: list[int],
    slots_used: int,
    executed: int,
    start_ps: int,
) -> dict[str, int]:
    """Account of all cores' time; `_audit` holds its parts to cores times makespan."""
    mac, worked = int(result.mac_ps.sum()), int(result.worked_ps.sum())
    barrier = operand = 0
    for count, cost in zip(stages, program.costs, strict=True):
        barrier += count * cost.barrier_ps
        operand += count * cost.stall_ps * cost.stalled_by_operand
    scratchpad = worked - mac - barrier - operand
    useful = mac * slots_used // executed if executed else 0
    memory, prologue, epilogue, reduction = result.waits_ps.sum(axis=0).tolist()
    idle = program.cores * result.makespan_ps - int(result.end_ps.sum())
    start = program.cores * start_ps
    inside = (start, useful, mac - useful, scratchpad, operand, barrier)
    times = (*inside, memory, prologue, epilogue, reduction, idle)
    return dict(zip(CORE_TIME, times, strict=True))


def _bytes(operands: dict[str, dict[str, int]]) -> int:
    return sum(sum(ways.values()) for ways in operands.values())


def _added(layers: tuple[LayerReport, ...]) -> TrafficBytes:
    total: TrafficBytes = {level: {} for level in LEVELS}
    for layer in layers:
        for level, operands in layer.traffic_bytes.items():
            for operand, ways in operands.items():
                entry = total[level].setdefault(operand, {"read": 0, "written": 0})
                for way, size in ways.items():
                    entry[way] += size * layer.repeat
    return total


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat
