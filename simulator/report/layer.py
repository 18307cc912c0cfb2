"""``Program, EngineResult -> LayerReport``: what an engine counted becomes figures of a layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from simulator.engine.result import EngineResult
from simulator.frozen import changed
from simulator.hardware import Hardware
from simulator.hardware.energy import layer_energy_pj, power_w
from simulator.hardware.library import Unit
from simulator.report.account import Account
from simulator.report.audit import audit
from simulator.report.dealt import Dealt
from simulator.report.moved import traffic_of
from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import IntArray
from simulator.schedule.program import Program
from simulator.sparsity import AnyPattern
from simulator.traffic import Traffic
from simulator.units import PS_PER_NS, PS_PER_SECOND, ns_to_ps, ps_to_cycles
from simulator.workload.attention_problem import Problem
from simulator.workload.layer import Layer, Stream
from simulator.workload.lowering import GemmProblem

LATENCY_BOUND_BELOW: Final = 0.5
"""A layer whose busiest resource works less than half of its working time is bound by latency."""


@dataclass(frozen=True)
class LayerReport:
    """One layer, once; ``repeat`` says how often it occurs.

    Where L2 is carried from layer to layer and the executions of a layer find different states, the
    figures are those of the mean one (`simulator.report.folded`).

    Attributes
    ----------
    asked, executed_as : str
        Pattern of the weights, and the pattern that the hardware ran it as; `note` says why.
    executed_on : {"tensor", "vector"}
        What computed it: tensor cores, or vector lanes, as all that is no product.
    mapping : str
        Tile, splits and operand order; ``-`` for streaming layers. Of attention queries, features
        of a head and keys.
    macs : int
        Useful MACs of the dense problem. ``macs_executed`` counts what the tensor cores did,
        ``slots_used`` the part of it on slots that can hold a weight; the rest is
        ``slots_padded``.
    mac_utilization : float
        ``slots_used`` over what the tensor cores of all cores could have done in the time, 0 to 1,
        whatever it was executed on.
    dense_equivalent_utilization : float
        ``macs`` over the same; above 1 where skipped zeros outweigh stalls.
    bound : str
        mac, scratchpad, operand, vector, port, l2, dram: the resource that is busiest (of the
        busiest core); latency where none is busy half of the time; launch where launching and
        starting the kernel take longer than its work.
    work_bound : str
        What bounds the layer's work, whatever its launch takes.
    busy_ratio : dict
        Busy time of each resource over the layer's time.
    traffic_bytes : Traffic
        Bytes by level, operand and direction (read from the level, written to it).
    core_time_ps : Account
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
    nonzeros, pruned_away : int or None
        Real weights that are not zero, and how many more there were before this run pruned them;
        None where the layer has no real weights.
    members : tuple of str
        Names of the network's layers that it is the kernel of.
    compulsory_dram_bytes : int
        What no cache could spare: the layer's own weights, what it is the first to read of what the
        network is given, and its outputs where no layer reads them. Of a layer that repeats the
        mean, rounded up.
    dealt : Dealt or None
        Where its tiles lie: no figure, and in no export.
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
    executed_on: Unit
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
    traffic_bytes: Traffic
    core_time_ps: Account
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
    nonzeros: int | None = None
    pruned_away: int | None = None
    members: tuple[str, ...] = ()
    compulsory_dram_bytes: int = 0
    dealt: Dealt | None = field(default=None, repr=False, compare=False)

    @property
    def time_ns(self) -> float:
        """Device time of one occurrence."""
        return self.time_ps / PS_PER_NS

    def exported(self) -> dict[str, Any]:
        """All figures by name."""
        figures = asdict(changed(self, dealt=None))
        del figures["dealt"]
        return figures

    def of(self, layer: Layer, members: tuple[str, ...], compulsory_dram_bytes: int) -> LayerReport:
        """The figures of another layer, of which the same came."""
        return changed(
            self,
            name=layer.name,
            repeat=layer.repeat,
            members=members,
            compulsory_dram_bytes=compulsory_dram_bytes,
        )


def layer_report(
    hardware: Hardware,
    layer: Layer,
    program: Program,
    result: EngineResult,
    *,
    problem: Problem | None,
    mapping: Mapping | None,
    asked: AnyPattern,
    note: str,
    executed_on: Unit = "tensor",
    throttled: bool = False,
    time_error_ratio: float = 0.0,
    dram_error_ratio: float = 0.0,
    runs: int = 1,
) -> LayerReport:
    """Turn the counters of one run into figures. ``problem`` is None for streaming layers.

    Of the mean of several ``runs`` what passed DRAM is that of all together.

    Raises
    ------
    AccountError
        If a figure is one that no run can have.
    """
    # Model: a kernel that reads windows starts like a streaming one: it has as little code.
    has_window = isinstance(problem, GemmProblem) and problem.window is not None
    streaming = problem is None or has_window
    start_ps = hardware.start_ps(streaming=streaming) + program.restart_ps
    time_ps = start_ps + result.makespan_ps
    stages = result.stages.sum(axis=0)
    sums = program.stages.sums(stages)
    executed = sums["macs_executed"]
    used = _slots_used(program, sums["slots_stored"], problem)
    peak = _peak_macs(hardware, layer, program.cores, time_ps) if problem else (1, 1)
    traffic = traffic_of(program, result, sums, problem, runs)
    busy = _busy_ratio(program, result, time_ps, runs)
    work_bound = _work_bound(busy, result.makespan_ps / time_ps)
    starting_ps = ns_to_ps(hardware.host_ns) + start_ps
    energy_pj = layer_energy_pj(hardware, layer.dtype, executed, traffic, time_ps)
    report = LayerReport(
        **_identity(layer, problem),
        asked=str(asked),
        executed_on=executed_on,
        note=note,
        mapping=str(mapping) if mapping else "-",
        cycles=ps_to_cycles(time_ps, hardware.clock_hz),
        time_ps=time_ps,
        macs_executed=executed,
        slots_used=used,
        slots_padded=executed - used,
        mac_utilization=_ratio(used, peak) if problem else 0.0,
        dense_equivalent_utilization=_ratio(layer.macs, peak) if problem else 0.0,
        bound="launch" if starting_ps > result.makespan_ps else work_bound,
        work_bound=work_bound,
        busy_ratio=busy,
        bandwidth_bytes_per_second=_bandwidth(traffic, time_ps),
        traffic_bytes=traffic,
        core_time_ps=Account.of(program, result, start_ps).divided(used, executed),
        imbalance_ratio=_imbalance(result),
        energy_pj=energy_pj,
        power_w=power_w(energy_pj, time_ps),
        clock_hz=hardware.clock_hz,
        throttled=throttled,
        stages=int(stages.sum()),
        evictions=result.evictions,
        in_flight_hits=result.in_flight_hits,
        time_error_ratio=time_error_ratio,
        dram_error_ratio=dram_error_ratio,
        dealt=Dealt.of(program, problem, mapping if time_error_ratio else None),
    )
    return _audited(report, program.cores)


def _identity(layer: Layer, problem: Problem | None) -> dict[str, Any]:
    """What a layer is and what it became, whatever it takes; sizes are the layer's own."""
    own = problem.own if problem else None
    m, n = (own.m, own.n) if own else (0, 0)
    if own and own.inputs_are_rows:
        m, n = n, m
    return {
        "name": layer.name,
        "members": (layer.name,),
        "kind": layer.op if isinstance(layer, Stream) else type(layer).__name__.lower(),
        "repeat": layer.repeat,
        "dtype": layer.dtype,
        "m": m,
        "n": n,
        "k": own.k if own else 0,
        "count": own.count if own else 0,
        "executed_as": str(problem.pattern) if problem else "-",
        "macs": layer.macs,
    }


def _peak_macs(hardware: Hardware, layer: Layer, cores: int, time_ps: int) -> tuple[int, int]:
    """MACs that all cores could have done in a time, as a fraction that is not reduced."""
    a_cycle = hardware.macs_per_cycle(layer.dtype)
    in_all = a_cycle.numerator * hardware.clock_hz * cores * time_ps
    return in_all, a_cycle.denominator * PS_PER_SECOND


def _ratio(macs: int, peak: tuple[int, int]) -> float:
    """The share of a peak that so many MACs are."""
    return macs * peak[1] / peak[0]


def _bandwidth(traffic: Traffic, time_ps: int) -> dict[str, float]:
    """Bytes a second, read and written, of the levels that cores share or wait for."""
    seconds = time_ps / PS_PER_SECOND
    return {level: traffic.total(level) / seconds for level in ("dram", "l2", "scratchpad")}


def _audited(layer: LayerReport, cores: int) -> LayerReport:
    """A layer whose figures are possible at all.

    Raises
    ------
    AccountError
        If they are not.
    """
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
    return layer


def _slots_used(program: Program, stored: int, problem: Problem | None) -> int:
    """Executed slots that hold a weight, or could: those of valid rows and columns.

    Zeros anywhere are stored stage by stage, so that they are counted there; groups hold fewer
    weights than slots where channels are padded, which the problem knows.
    """
    if problem is None:
        return 0
    if program.masked:
        return program.masked.slots_used
    if problem.gathers:
        return stored
    return problem.slots_used


def _busy_ratio(
    program: Program, result: EngineResult, time_ps: int, runs: int
) -> dict[str, float]:
    """Busy time over the layer's time; of the busiest core where every core has its own."""
    by_core = result.stages @ program.stages.busy_ps
    scratchpad, operand, vector = by_core.max(axis=0).tolist()

    def queue(times: IntArray, *counts: IntArray) -> int:
        return sum(int(times @ count) for count in counts)

    dram_ps = queue(program.dram_ps, result.misses)
    dram_ps += queue(program.dram_write_ps, result.dram_written)
    dram_ps += int(program.foreign[: result.foreign_evicted, 1].sum())
    busy = {
        "mac": int(result.mac_ps.max()),
        "scratchpad": scratchpad,
        "operand": operand,
        "vector": vector,
        "port": int(result.port_ps.max()),
        "l2": max(
            queue(program.l2_ps, result.requests, result.written),
            queue(program.link_ps, result.far),
        ),
        "dram": dram_ps / runs,
    }
    return {resource: time / time_ps for resource, time in busy.items()}


def _imbalance(result: EngineResult) -> float:
    """1 where every core that has work has as much."""
    worked = result.worked_ps[result.worked_ps > 0]
    mean = np.add.reduce(worked, dtype=np.float64) / worked.size
    return float(worked.max() / mean)


def _work_bound(busy: dict[str, float], work_ratio: float) -> str:
    """The busiest resource, if it is busy half of the time that the work takes."""
    resource = max(busy, key=lambda name: busy[name])
    return resource if busy[resource] >= LATENCY_BOUND_BELOW * work_ratio else "latency"
