"""Many mappings at once: arrays with a place for each, and what their stages move and take.

Sizes are floats, which hold them exactly; times are in cycles. `schedule.timing` says the same of
one stage exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.hardware import Hardware, Library
from simulator.schedule.classes import COLUMNS, ROWS
from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import IntArray
from simulator.schedule.timing import (
    StageShape,
    StageWork,
    alignment_factors,
    executed_work,
    output_waits,
)
from simulator.units import PS_PER_SECOND
from simulator.workload.lowering import GemmProblem

FloatArray = npt.NDArray[np.float64]


def whole(size: Any, part: Any) -> Any:
    """Parts that cover sizes, as `ceil_div`, which is slow on arrays; exact below 2**53."""
    return np.ceil(size / part)


class Offers(NamedTuple):
    """Mappings of problems, a place each: arrays where scalar formulas expect integers.

    They are floats, which hold sizes exactly; what would overflow is huge instead.
    ``unique_bytes`` is -1 where the activations matrix itself is stored; ``distinct`` is how much
    of X all rows read over what those of one tile do; ``inputs_are_rows`` and ``accumulates`` are 0
    or 1; the factors are those by which misalignment lengthens transfers. ``cluster_m`` tiles along
    m and ``cluster_n`` along n share what they read; ``cores`` work, all that fill such clusters.
    """

    m: Any
    n: Any
    k: Any
    count: Any
    unique_bytes: Any
    distinct: Any
    inputs_are_rows: Any
    accumulates: Any
    rows_factor: Any
    columns_factor: Any
    tile_m: Any
    tile_n: Any
    tile_k: Any
    fragment_m: Any
    fragment_n: Any
    stage_buffers: Any
    cluster_m: Any
    cluster_n: Any
    cores: Any

    @classmethod
    def of(
        cls,
        hardware: Hardware,
        library: Library,
        problems: Sequence[GemmProblem],
        of_problem: Sequence[int],
        mappings: Sequence[Mapping],
    ) -> Offers:
        """Mapping i is one of problem ``of_problem[i]``, swapped already if it swaps."""
        sizes = [
            (p.m, p.n, p.k, p.count, _unique_bytes(p), float(p.pattern.distinct_ratio(p.m)),
             p.inputs_are_rows, p.accumulates, *alignment_factors(hardware, p))
            for p in problems
        ]  # fmt: skip
        tiles = [
            (a.tile_m, a.tile_n, a.tile_k, a.fragment_m, a.fragment_n, a.stage_buffers)
            for a in mappings
        ]
        repeated = np.array(sizes, dtype=np.float64)[np.array(of_problem)]
        alone = np.ones(len(mappings))
        clusters = [alone, alone, alone * hardware.core.count]
        found = cls(*[*repeated.T, *np.array(tiles, dtype=np.float64).T, *clusters])
        return found if library.cluster.cores == 1 else found._clustered(library)

    def _clustered(self, library: Library) -> Offers:
        """With the clusters of a library, as `Cluster.of` has them."""
        rows, columns, _ = self.grid
        cluster_m = np.where(rows % library.cluster.m, 1.0, library.cluster.m)
        cluster_n = np.where(columns % library.cluster.n, 1.0, library.cluster.n)
        cores = self.cores - self.cores % (cluster_m * cluster_n)
        return self._replace(cluster_m=cluster_m, cluster_n=cluster_n, cores=cores)

    def take(self, places: IntArray) -> Offers:
        """Some of the mappings, in that order, perhaps several times."""
        return Offers(*(each[places] for each in self))

    @property
    def grid(self) -> tuple[Any, Any, Any]:
        """Rows, columns and stages of tiles."""
        return (
            whole(self.m, self.tile_m),
            whole(self.n, self.tile_n),
            whole(self.k, self.tile_k),
        )


def _unique_bytes(problem: GemmProblem) -> float:
    """Of a convolution's input, what the rows of one tile read; -1 if it is no convolution."""
    if problem.unique_input_bytes is None:
        return -1
    return float(problem.unique_input_bytes * problem.pattern.columns(problem.run) / problem.run)


class Rates(NamedTuple):
    """The machine in cycles."""

    port: float  # bytes a cycle
    l2: float
    dram: float  # of reads
    dram_writes: float
    l2_latency: float
    dram_latency: float
    drain: float
    epilogue: float
    carried: float  # cycles of a byte on its way out

    @classmethod
    def of(cls, hardware: Hardware, library: Library) -> Rates:
        l2, dram = hardware.memory.l2, hardware.memory.dram
        cycle_ps = PS_PER_SECOND / hardware.clock_hz
        l2_rate, far = l2.bytes_per_cycle, 0.0
        if l2.halves:  # a chain of stages waits for its far half; half of the bytes cross
            far = l2.halves.far_latency_cycles
            l2_rate = min(l2_rate, 2 * l2.halves.link_bytes_per_cycle)
        near = l2.latency_cycles
        return cls(
            port=hardware.core.port_bytes_per_cycle,
            l2=l2_rate,
            dram=dram.bytes_per_second * dram.efficiency_ratio / hardware.clock_hz,
            dram_writes=dram.bytes_per_second
            * (dram.write_efficiency_ratio or dram.efficiency_ratio)
            / hardware.clock_hz,
            l2_latency=near + far,
            dram_latency=max(near, hardware.dram_latency_ps / cycle_ps) + far,
            drain=hardware.core.tensor_cores.drain_cycles,
            epilogue=library.epilogue_ns * 1000 / cycle_ps,
            carried=_carried(hardware, library),
        )


def _carried(hardware: Hardware, library: Library) -> float:
    """Cycles of a byte from the registers to L2: through the port, and by way of the scratchpad
    where outputs are staged there."""
    pad = hardware.core.scratchpad
    staged = 2 / (pad.bytes_per_cycle * pad.efficiency_ratio) if library.epilogue_staged else 0.0
    return 1 / hardware.core.port_bytes_per_cycle + staged


class Stages(NamedTuple):
    """Full stages of the four kinds of tiles: inside, in the last row, column, and both.

    The first axis is the kind. The periods are from stage to stage where all comes from L2 and
    from DRAM: at the rate of core or port, or where a stage waits for a buffer, which is free only
    once an earlier one has arrived and is done, or for registers to load it through.
    ``rows_bytes`` and ``columns_bytes`` are means over tiles, of a convolution's input those that
    are stored. ``cold`` are mappings whose operands L2 does not hold from the start;
    ``output_waits`` is how often an epilogue waits for an output that it adds to, after the first
    time.
    """

    outputs: Any  # how many tiles of Y
    core: Any
    port: Any
    near_period: Any
    far_period: Any
    prologue: Any
    l2_bytes: Any
    elements: Any  # of Y in a tile
    rows_bytes: Any
    columns_bytes: Any
    cold: Any
    output_waits: Any

    def far_latency(self, rates: Rates) -> Any:
        """Of what is read for the first time."""
        return np.where(self.cold, rates.dram_latency, rates.l2_latency)

    def take(self, places: IntArray) -> Stages:
        """Of some of the mappings."""
        return Stages(*(each[..., places] for each in self))


class CoreStages(NamedTuple):
    """Of `Stages` what hangs on no memory, and the bytes of all operands and outputs."""

    outputs: Any
    core: Any
    port: Any
    prologue: Any
    l2_bytes: Any
    elements: Any
    rows_bytes: Any
    columns_bytes: Any
    output_waits: Any
    all_bytes: Any


def stages_of(hardware: Hardware, library: Library, problem: GemmProblem, offers: Offers) -> Stages:
    """What mappings' stages move and take; ``problem`` stands for what all share."""
    in_core = core_stages_of(hardware, library, problem, offers)
    return beside_memory(hardware, library, offers, in_core)


def core_stages_of(
    hardware: Hardware, library: Library, problem: GemmProblem, offers: Offers
) -> CoreStages:
    """The same, of a bench alone."""
    rows, columns, _ = offers.grid
    outputs, m, n = _kinds(offers)
    k = np.minimum(offers.tile_k, offers.k)
    fragment = offers.fragment_m, offers.fragment_n
    deep: Any = np.broadcast_to(k, m.shape)
    shape = StageShape(m, n, deep, *fragment)
    # One for every kind of tile, as the shapes of the stages.
    full: Any = [np.broadcast_to(x, m.shape) for x in (offers.tile_m, offers.tile_n, offers.tile_k)]
    tile = StageShape(full[0], full[1], full[2], *fragment)
    work = executed_work(hardware, problem, shape, tile)
    core, written, prologue = core_cycles(hardware, problem, work, offers)

    def mean(of_kind: Any) -> Any:
        return (of_kind * outputs).sum(axis=0) / (rows * columns * offers.count)

    # Of what a tile reads, its share of what L2 sends to the cluster.
    shared: Any = (work.rows_bytes + work.metadata_bytes) / offers.cluster_n
    shared = shared + work.columns_bytes / offers.cluster_m
    passed = [mean(work.rows_bytes + work.metadata_bytes), mean(work.columns_bytes)]
    # Of a convolution, the activations as they are stored.
    for operand, of_operand in ((ROWS, rows), (COLUMNS, columns)):
        is_input = (offers.inputs_are_rows > 0) == (operand == ROWS)
        unique = offers.unique_bytes / (of_operand * offers.k / k)
        is_unique = (offers.unique_bytes >= 0) & is_input
        passed[operand] = np.where(is_unique, unique, passed[operand])
    stored = passed[0], passed[1] * offers.distinct
    all_bytes = (stored[0] * rows + stored[1] * columns) * (offers.k / k)
    all_bytes = offers.count * (all_bytes + offers.m * offers.n * problem.output_bits / 8)
    waits = offers.accumulates * output_waits(library, problem.output_bits, shape)
    port = written / hardware.core.port_bytes_per_cycle
    return CoreStages(outputs, core, port, prologue, shared, m * n, *stored, waits, all_bytes)


def beside_memory(
    hardware: Hardware, library: Library, offers: Offers, in_core: CoreStages
) -> Stages:
    """Stages of a core beside a machine's memory."""
    rates, l2 = Rates.of(hardware, library), hardware.memory.l2
    core, port = in_core.core, in_core.port
    busiest = np.maximum(core, port)

    def period(latency: Any) -> Any:
        """From stage to stage where all comes from as far as that."""
        waits = (latency + port + core) / offers.stage_buffers
        if not hardware.core.async_copies:  # a stage is requested when the one before starts
            waits = np.maximum(waits, latency + port)
        return np.maximum(busiest, waits)

    cold = (l2.start != "warm") | (in_core.all_bytes > l2.bytes)
    latency = np.where(cold, rates.dram_latency, rates.l2_latency)
    return Stages(
        in_core.outputs,
        core,
        port,
        period(rates.l2_latency),
        period(latency),
        in_core.prologue,
        in_core.l2_bytes,
        in_core.elements,
        in_core.rows_bytes,
        in_core.columns_bytes,
        cold,
        in_core.output_waits,
    )


def _kinds(offers: Offers) -> tuple[Any, Any, Any]:
    """How many tiles of each kind there are, and their extents; kinds that no mapping has are left
    out, as most do where tiles divide Y."""
    rows, columns, _ = offers.grid
    full_m, full_n = np.minimum(offers.tile_m, offers.m), np.minimum(offers.tile_n, offers.n)
    last_m = offers.m - (rows - 1) * offers.tile_m
    last_n = offers.n - (columns - 1) * offers.tile_n
    edge_rows, edge_columns = last_m < full_m, last_n < full_n
    rows, columns = rows - edge_rows, columns - edge_columns
    outputs = offers.count * np.stack(
        [rows * columns, edge_rows * columns, rows * edge_columns, edge_rows * edge_columns]
    )
    m, n = np.stack([full_m, last_m, full_m, last_m]), np.stack([full_n, full_n, last_n, last_n])
    occurs = outputs.any(axis=1)
    return outputs[occurs], m[occurs], n[occurs]


def core_cycles(
    hardware: Hardware, problem: GemmProblem, work: StageWork, offers: Offers
) -> tuple[Any, Any, Any]:
    """Cycles of a stage in the core, bytes through its port, and cycles of the first load."""
    core = hardware.core
    mac = work.macs_executed / core.tensor_cores.macs_per_cycle[problem.dtype]
    operand = work.operand_bits / 8 / core.register_file.operand_bytes_per_cycle
    writes: Any = (work.rows_bytes + work.metadata_bytes) * offers.rows_factor
    writes = writes + work.columns_bytes * offers.columns_factor
    conflicts = work.columns_read_bytes * (float(problem.conflict_ratio) - 1)
    reads: Any = work.read_bytes + conflicts
    both = writes + reads if core.scratchpad.shared_port else np.maximum(writes, reads)
    fill: Any = work.fill_bytes + (conflicts if core.operand_source.x == "register" else 0)
    rate = core.scratchpad.bytes_per_cycle * core.scratchpad.efficiency_ratio
    if core.promotion:
        mac = mac + work.promoted_sums / core.promotion.sums_per_cycle
    if core.register_file.buffers == 2:
        inside = np.maximum(np.maximum(mac, operand), both / rate)
    else:
        inside = fill / rate + np.maximum(np.maximum(mac, operand), (both - fill) / rate)
    first = fill / rate / work.steps + core.scratchpad.latency_cycles
    return inside + core.barrier_cycles, writes, first
