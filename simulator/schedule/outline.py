"""Mappings in outline, as `rehearsal` runs them: grids, and what stages take, in arrays."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.hardware import Hardware, Library
from simulator.schedule.mapping import restart_ps
from simulator.schedule.offers import FloatArray, Offers, Rates, core_cycles
from simulator.schedule.partition import IntArray
from simulator.schedule.timing import StageShape, executed_work, output_waits
from simulator.units import ACCUMULATOR_BITS, PS_PER_SECOND
from simulator.workload.lowering import GemmProblem

BoolArray = npt.NDArray[np.bool_]

EVENTS: Final = 1500
"""Stages, or bundles of them, that a rehearsal has, about; of small products all."""

LEAST_WAVES, LEAST_PARTS = 4, 10
"""Where they are too many: waves of cores that are run at least, and parts of a tile."""


def sizes_of(library: Library, offers: Offers, splits: FloatArray) -> IntArray:
    """Grids, and how much of them is run; a row a mapping, all of whose operands L2 lacks."""
    from simulator.schedule import rehearsal as at

    rows, columns, stages = offers.grid
    tiles, depth = offers.count * rows * columns * splits, np.ceil(stages / splits)
    waves = np.maximum(LEAST_WAVES, EVENTS // LEAST_PARTS // offers.cores)
    left_out = np.maximum(0, np.floor(tiles / offers.cores) - waves)
    run = np.where(tiles * depth <= EVENTS, tiles, tiles - left_out * offers.cores)
    parts = np.maximum(LEAST_PARTS, EVENTS // run)
    bundle = np.where(depth <= parts, 1, np.ceil((depth - 2) / (parts - 2)))
    slots = np.where(bundle > 1, splits * (3 + np.ceil(depth / bundle)), stages)
    in_flight = np.floor(offers.stage_buffers / bundle) + 2
    in_flight = np.where(
        bundle > 1, np.minimum(in_flight, offers.stage_buffers), offers.stage_buffers
    )
    clusters = np.maximum(1, library.swizzle // offers.cluster_m)
    found = np.empty((rows.size, at.SIZES), dtype=np.int64)
    for field, values in (
        (at.COUNT, offers.count), (at.ROWS, rows), (at.COLUMNS, columns), (at.STAGES, stages),
        (at.SPLITS, splits), (at.BAND, np.minimum(clusters * offers.cluster_m, rows)),
        (at.CLUSTER_M, offers.cluster_m), (at.CLUSTER_N, offers.cluster_n),
        (at.CORES, offers.cores), (at.BUFFERS, offers.stage_buffers), (at.WARM, 0),
        (at.BUNDLE, bundle), (at.RUN, run), (at.SLOTS, slots), (at.IN_FLIGHT, in_flight),
        (at.ADDS, offers.accumulates),
    ):  # fmt: skip
        found[:, field] = values
    return found


def works_of(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    offers: Offers,
    splits: FloatArray,
) -> FloatArray:
    """What stages and epilogues of four kinds of tiles take in a core, and in the places of what
    hangs on memory, bytes: (mapping, kind, last, cost)."""
    from simulator.schedule import rehearsal as at

    rates = Rates.of(hardware, library)
    rows, columns, stages = offers.grid
    full = np.minimum(offers.tile_m, offers.m), np.minimum(offers.tile_n, offers.n)
    last_m = offers.m - (rows - 1) * offers.tile_m
    last_n = offers.n - (columns - 1) * offers.tile_n
    last_k = offers.k - (stages - 1) * offers.tile_k
    m = np.repeat(np.stack([full[0], last_m, full[0], last_m]), 2, axis=0)
    n = np.repeat(np.stack([full[1], full[1], last_n, last_n]), 2, axis=0)
    k = np.tile(np.stack([np.minimum(offers.tile_k, offers.k), last_k]), (4, 1))
    fragment = offers.fragment_m, offers.fragment_n
    shape = StageShape(m, n, k, offers.fragment_m, offers.fragment_n)  # type: ignore[arg-type]  # arrays
    whole_tile: Any = [
        np.broadcast_to(x, m.shape) for x in (offers.tile_m, offers.tile_n, offers.tile_k)
    ]
    work = executed_work(
        hardware, problem, shape, StageShape(whole_tile[0], whole_tile[1], whole_tile[2], *fragment)
    )
    core, _, prologue = core_cycles(hardware, problem, work, offers)
    rows_bytes: Any = work.rows_bytes + work.metadata_bytes
    columns_bytes: Any = work.columns_bytes
    moved = [rows_bytes, columns_bytes]
    stored = [rows_bytes, columns_bytes * offers.distinct]
    is_unique = offers.unique_bytes >= 0
    for operand, lines, side in ((0, rows, offers.m), (1, columns, offers.n)):
        here = is_unique & ((offers.inputs_are_rows > 0) == (operand == 0))
        stored[operand] = np.where(
            here, np.maximum(0, offers.unique_bytes) / (lines * stages), stored[operand]
        )
        held = side * offers.k * float(problem.pattern.columns(problem.run)) / problem.run
        average = held * problem.bits / 8 / (lines * stages)
        moved[operand] = np.where(here, average, moved[operand])
    elements = m * n
    out_bytes, partial_bytes = elements * problem.output_bits / 8, elements * ACCUMULATOR_BITS / 8
    waits = offers.accumulates * output_waits(library, problem.output_bits, shape)
    written = np.where(splits > 1, partial_bytes, out_bytes)
    found = np.empty((at.COSTS, 8, rows.size))
    for field, values in (
        (at.STAGE, core), (at.PROLOGUE, prologue),
        (at.ROWS_PORT, rows_bytes * offers.rows_factor / rates.port),
        (at.COLUMNS_PORT, columns_bytes * offers.columns_factor / rates.port),
        (at.ROWS_L2, moved[0]), (at.COLUMNS_L2, moved[1]),
        (at.ROWS_DRAM, stored[0]), (at.COLUMNS_DRAM, stored[1]),
        (at.ROWS_BYTES, stored[0]), (at.COLUMNS_BYTES, stored[1]),
        (at.HOLD, out_bytes * rates.carried + rates.epilogue),
        (at.PARTIAL, partial_bytes * rates.carried + rates.epilogue),
        (at.REDUCTION, (splits - 1) * partial_bytes),
        (at.READ, waits), (at.READ_DRAM, out_bytes),
        (at.OUTPUT_L2, written), (at.OUTPUT_DRAM, written), (at.OUTPUT_BYTES, written),
    ):  # fmt: skip
        found[field] = values
    ordered = found.reshape(at.COSTS, 4, 2, rows.size).transpose(3, 1, 2, 0)
    return np.ascontiguousarray(ordered)


def costs_of(
    hardware: Hardware, library: Library, works: FloatArray, sizes: IntArray, outputs: FloatArray
) -> FloatArray:
    """The same with the times of bytes in a machine's memory; ``outputs`` are elements of Y.

    Of the outputs that are read, ``works`` says how often the epilogue waits and their bytes.
    """
    from simulator.schedule import rehearsal as at

    rates, l2 = Rates.of(hardware, library), hardware.memory.l2
    costs = works.copy()
    kinds = np.moveaxis(costs, -1, 0)
    warm = sizes[:, at.WARM, None, None] > 0
    latency = np.where(
        warm, l2.latency_cycles, hardware.dram_latency_ps * hardware.clock_hz / PS_PER_SECOND
    )
    kinds[at.ROWS_L2] /= l2.bytes_per_cycle
    kinds[at.COLUMNS_L2] /= l2.bytes_per_cycle
    if l2.foreign_dirty_ratio:
        rows, columns, stages = (sizes[:, one] for one in (at.ROWS, at.COLUMNS, at.STAGES))
        read = works[:, 0, 0, at.ROWS_BYTES] * rows + works[:, 0, 0, at.COLUMNS_BYTES] * columns
        all_bytes = sizes[:, at.COUNT] * (read * stages + outputs)
        dirty = 1 + l2.foreign_dirty_ratio * np.minimum(1, l2.bytes / all_bytes)
        kinds[[at.ROWS_DRAM, at.COLUMNS_DRAM]] *= dirty[:, None, None]
    kinds[at.ROWS_DRAM] /= rates.dram
    kinds[at.COLUMNS_DRAM] /= rates.dram
    is_split = sizes[:, at.SPLITS] > 1
    if is_split.any():
        outputs_of = sizes[:, at.COUNT] * sizes[:, at.ROWS] * sizes[:, at.COLUMNS]
        at_once = np.minimum(outputs_of, np.maximum(1, sizes[:, at.CORES] / sizes[:, at.SPLITS]))
        others = kinds[at.REDUCTION]
        reduced = np.maximum(others / rates.port, at_once[:, None, None] * others / rates.l2)
        kinds[at.REDUCTION] = rates.l2_latency + reduced
    if sizes[:, at.ADDS].any():
        kinds[at.HOLD] += kinds[at.READ] * rates.dram_latency
        kinds[at.READ] = latency + kinds[at.READ_DRAM] / rates.port
        kinds[at.READ_DRAM] *= ~warm / rates.dram_writes
    kinds[at.OUTPUT_L2] /= l2.bytes_per_cycle
    kinds[at.OUTPUT_DRAM] /= rates.dram_writes
    return costs


def rules_of(hardware: Hardware, library: Library) -> FloatArray:
    """What a machine and a library do alike for all mappings."""
    from simulator.schedule import rehearsal as at

    l2, cycle_ps = hardware.memory.l2, PS_PER_SECOND / hardware.clock_hz
    halves = l2.halves
    dispatched = {"dynamic": at.WHO_IS_FREE, "round_robin": at.IN_TURN, "contiguous": at.IN_RUNS}
    rules = np.zeros(at.RULES)
    rules[at.L2_LATENCY] = l2.latency_cycles
    rules[at.FAR] = halves.far_latency_cycles if halves else 0
    rules[at.LINK_RATIO] = l2.bytes_per_cycle / halves.link_bytes_per_cycle if halves else 0
    rules[at.DRAM_LATENCY] = hardware.dram_latency_ps / cycle_ps
    rules[at.ISSUE] = max(1 / cycle_ps, hardware.core.issue_cycles)
    rules[at.DRAIN] = hardware.core.tensor_cores.drain_cycles
    rules[at.L2_BYTES] = l2.bytes
    rules[at.DISPATCHED] = dispatched[library.dispatch]
    rules[at.PREFETCH] = library.prefetch
    rules[at.SETS] = 2 if library.epilogue_overlap else 1
    rules[at.ASYNC] = hardware.core.async_copies
    rules[at.WRITES_TO_DRAM] = hardware.memory.writes == "dram"
    return rules


MOST_BLOCKS: Final = 1 << 22
"""Of a mapping that is rehearsed: 64 MiB."""


class Rivals(NamedTuple):
    """Mappings that are rehearsed because one of them may be the fastest, a place each.

    Those of a problem stand together, the likely fastest first; ``least_ps`` is what each takes at
    least, ``about_ps`` what it takes by the closed form. Beyond the fastest by more than its
    ``reach``, a ratio, it does not matter how far.
    """

    of_problem: IntArray
    least_ps: FloatArray
    about_ps: FloatArray
    reach: FloatArray

    def those(self, kept: BoolArray) -> Rivals:
        """Some of them."""
        return Rivals(
            self.of_problem[kept], self.least_ps[kept], self.about_ps[kept], self.reach[kept]
        )


class Outline:
    """Mappings as they are rehearsed: of each what hangs on no memory, worked out when it is first
    rehearsed. ``problem`` stands for what all share."""

    def __init__(
        self,
        hardware: Hardware,
        library: Library,
        problem: GemmProblem,
        offers: Offers,
        splits: FloatArray,
    ) -> None:
        from simulator.schedule import rehearsal as at

        self.bench, self.problem = (hardware, library), problem
        self.offers, self.splits = offers, splits
        self.is_known = np.zeros(splits.size, dtype=np.bool_)
        self.sizes = np.empty((splits.size, at.SIZES), dtype=np.int64)
        self.works = np.empty((splits.size, 4, 2, at.COSTS))

    def whole(self, some: IntArray) -> BoolArray:
        """Whether so many stages are rehearsed as some mappings have."""
        from simulator.schedule import rehearsal as at

        new = some[~self.is_known[some]]
        if new.size:
            offers, splits = self.offers.take(new), self.splits[new]
            self.sizes[new] = sizes_of(self.bench[1], offers, splits)
            self.works[new] = works_of(*self.bench, self.problem, offers, splits)
            self.is_known[new] = True
        sizes = self.sizes[some]
        tiles = sizes[:, at.COUNT] * sizes[:, at.ROWS] * sizes[:, at.COLUMNS] * sizes[:, at.SPLITS]
        found: BoolArray = (sizes[:, at.BUNDLE] == 1) & (sizes[:, at.RUN] == tiles)
        return found

    def rehearsed_ps(
        self, hardware: Hardware, library: Library, some: IntArray, warm: BoolArray, rivals: Rivals
    ) -> FloatArray:
        """Times of some mappings in picoseconds, beside a machine's memory; of those beyond reach,
        times beyond reach, and of those with too many blocks, the closed form's."""
        from simulator.schedule import rehearsal as at

        fits = _blocks(self.sizes[some]) <= MOST_BLOCKS
        if not fits.all():
            times = rivals.about_ps.copy()
            if fits.any():
                fitting = rivals.those(fits)
                times[fits] = self.rehearsed_ps(hardware, library, some[fits], warm[fits], fitting)
            return times
        sizes, to_ps = self.sizes[some], PS_PER_SECOND / hardware.clock_hz
        sizes[:, at.WARM] = warm
        outputs = (self.offers.m * self.offers.n)[some]
        costs = costs_of(hardware, library, self.works[some], sizes, outputs)
        restart = np.where(self.splits[some] > 1, restart_ps(hardware, library), 0.0)
        limits = np.empty((some.size, at.LIMITS))
        limits[:, at.OF_PROBLEM] = rivals.of_problem
        limits[:, at.LEAST] = rivals.least_ps / to_ps
        limits[:, at.REACH] = 1 + rivals.reach
        limits[:, at.AFTERWARDS] = restart / to_ps
        return _rehearsed(hardware, library, sizes, costs, limits) * to_ps + restart


def _blocks(sizes: IntArray) -> IntArray:
    """Blocks of inputs and outputs that rehearsals keep in mind."""
    from simulator.schedule import rehearsal as at

    count, rows, columns = sizes[:, at.COUNT], sizes[:, at.ROWS], sizes[:, at.COLUMNS]
    found: IntArray = count * np.maximum((rows + columns) * sizes[:, at.SLOTS], rows * columns)
    return found


def _rehearsed(
    hardware: Hardware, library: Library, sizes: IntArray, costs: FloatArray, limits: FloatArray
) -> FloatArray:
    """Cycles of mappings."""
    from simulator.schedule import rehearsal as at

    outputs = sizes[:, at.COUNT] * sizes[:, at.ROWS] * sizes[:, at.COLUMNS]
    lines = sizes[:, at.COUNT] * (sizes[:, at.ROWS] + sizes[:, at.COLUMNS])
    blocks = int((lines * sizes[:, at.SLOTS]).max())
    cores, clusters = hardware.core.count, library.cluster
    sent = (1, 1)
    if clusters.cores > 1:
        sent = cores * (clusters.m + clusters.n), int(sizes[:, at.SLOTS].max())
    times = np.empty(len(sizes))
    at._rehearse_all(
        sizes, costs, limits, rules_of(hardware, library), np.empty(at.SHARED), np.empty(blocks),
        np.empty(blocks), np.empty((*sent, at.SENT)), np.empty((cores, at.PLACES), dtype=np.int64),
        np.empty((cores, at.CLOCKS)), np.empty((cores, int(sizes[:, at.BUFFERS].max()))),
        np.empty(2 << (cores - 1).bit_length(), dtype=np.int64),
        np.empty((int(outputs.max()), 2)), times,
    )  # fmt: skip
    return times
