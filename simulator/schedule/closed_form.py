"""How long a mapping takes, in closed form: for ranking many, not for reporting one.

Waves of tiles: the first finds L2 empty, later ones find some of their blocks there, and the last
one leaves cores idle. A tile is a pipeline fill, its stages at the slowest rate of core, port, L2,
DRAM and of buffers that wait for latency, an epilogue, and of splits a reduction. Tiles at the
edges are kinds of their own. Plain float arithmetic without transcendental functions, over arrays
with a place for each mapping, so that every machine ranks alike. All times are in cycles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simulator.hardware import Hardware, Library
from simulator.schedule.mapping import restart_ps
from simulator.schedule.offers import FloatArray, Offers, Rates, Stages, whole
from simulator.schedule.partition import DISPATCH
from simulator.units import ACCUMULATOR_BITS, PS_PER_SECOND
from simulator.workload.lowering import GemmProblem

OUT_OF_STEP_RATIO = 0.25
"""How much of the longest tile cores idle at the end, where tiles take unequally long. Set on
random GEMMs; between 0.1 and 0.5 the ranking hardly changes."""

EQUAL_TILES_RATIO = 0.01
"""Tiles whose mean time is closer to the longest stay in step."""


class _Depths(NamedTuple):
    """Stages of a split; the last stage of k counts by its share of a full one."""

    all: Any
    longest: Any
    mean: Any

    @classmethod
    def of(cls, offers: Offers, splits: Any) -> _Depths:
        stages = offers.grid[2]
        last = (offers.k - (stages - 1) * offers.tile_k) / np.minimum(offers.tile_k, offers.k)
        deep = stages - 1 + last
        # The last split is one of the longest, and holds the last stage.
        least = np.floor(stages / splits)
        longer = stages - least * splits
        longest = least + np.where(longer == 1, last, np.minimum(longer, 1))
        return cls(deep, np.where(splits == 1, deep, longest), deep / splits)


class _WaveReads(NamedTuple):
    """What waves of tiles read through DRAM.

    ``rows_bytes`` and ``columns_bytes`` are those of one stage of all cores, each once; the ``new``
    ones are shares of later waves whose rows, or columns, are not in L2. ``dram_bytes`` are all
    that are read, ``written_bytes`` all that are written.
    """

    rows_bytes: Any
    columns_bytes: Any
    new_rows_ratio: Any
    new_columns_ratio: Any
    dram_bytes: Any
    written_bytes: Any


def _wave_reads(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    offers: Offers,
    stages: Stages,
    splits: Any,
    depths: _Depths,
) -> _WaveReads:
    """Which blocks LRU keeps: those of a band from wave to wave, and the columns between bands."""
    l2_bytes = hardware.memory.l2.bytes
    rows, columns, _ = offers.grid
    tiles = offers.count * rows * columns * splits
    busy = np.minimum(tiles, offers.cores)
    waves = whole(tiles, offers.cores)
    at_once = np.maximum(1, busy / splits)
    gemms = np.maximum(1, at_once / (rows * columns))
    inside = at_once / gemms
    clusters = np.maximum(1, library.swizzle // offers.cluster_m)
    band = np.minimum(clusters * offers.cluster_m, rows)
    rows_at_once = np.minimum(rows, np.maximum(np.minimum(inside, band), np.ceil(inside / columns)))
    across = whole(np.maximum(1, inside / band), offers.cluster_n) * offers.cluster_n
    columns_at_once = np.minimum(columns, across)
    wave_rows = gemms * rows_at_once * stages.rows_bytes
    wave_columns = gemms * columns_at_once * stages.columns_bytes

    tall = np.maximum(band, np.ceil(np.minimum(rows, busy / splits / columns)))
    bands = whole(rows, tall)
    all_rows = stages.rows_bytes * depths.all * rows
    all_columns = stages.columns_bytes * depths.all * columns
    keeps_columns = all_columns + all_rows / rows * tall <= l2_bytes
    band_rows = np.maximum(wave_rows, tall * stages.rows_bytes)
    keeps_rows = (band_rows + wave_columns) * depths.all <= l2_bytes
    once = (all_rows + all_columns) * offers.count
    each_band = (all_rows + all_columns * bands) * offers.count
    each_wave = np.maximum(once, tiles / offers.cores * (wave_rows + wave_columns) * depths.all)
    read = np.where(keeps_columns, once, np.where(keeps_rows, each_band, each_wave))
    read = np.where(stages.cold, np.where(waves <= 1, once, read), 0)
    added_to = offers.accumulates * offers.m * offers.n * offers.count * problem.output_bits / 8
    added_to = np.where(stages.cold, added_to, 0)
    together = np.minimum(splits, busy)
    # Reads that evict what others left dirty wait for that as well.
    dirty = hardware.memory.l2.foreign_dirty_ratio * np.minimum(1, l2_bytes / once)
    together = together * (1 + dirty)
    return _WaveReads(
        stages.cold * wave_rows * together,
        stages.cold * wave_columns * together,
        np.where(keeps_rows, np.minimum(1, bands * offers.count / waves), 1.0),
        np.where(keeps_columns, 1 / bands, 1.0),
        read * (1 + dirty),
        added_to + _written(hardware, problem, offers, splits, read),
    )


def _written(
    hardware: Hardware, problem: GemmProblem, offers: Offers, splits: Any, read: Any
) -> Any:
    """Bytes of outputs and partial sums that L2 cannot hold until the end: what is evicted is as
    often dirty as what is inserted."""
    elements = offers.m * offers.n * offers.count
    outputs = elements * problem.output_bits / 8
    partials = np.where(splits > 1, (splits - 1) * elements * ACCUMULATOR_BITS / 8, 0)
    at_once = outputs if hardware.memory.writes == "dram" else 0
    dirty = partials + outputs - at_once
    left = np.minimum(1, hardware.memory.l2.bytes / np.maximum(1, read + dirty))
    return at_once + dirty * (1 - left)


class _Ends(NamedTuple):
    """Epilogues: of a split that is the last of its output, and on average.

    Outputs that are added to are read first, while the pipeline drains or partial sums arrive. They
    come from DRAM one after another, so that the first wave's cores wait for each other. From then
    on they are apart and wait for none, and the end of all comes later by that, once: ``apart``.
    """

    last: Any
    mean: Any
    apart: Any

    @classmethod
    def of(
        cls, rates: Rates, problem: GemmProblem, offers: Offers, stages: Stages, splits: Any
    ) -> _Ends:
        out_bytes = stages.elements * problem.output_bits / 8
        waits = stages.output_waits * stages.far_latency(rates)
        out = out_bytes * rates.carried + rates.epilogue + waits
        partial_bytes = stages.elements * ACCUMULATOR_BITS / 8
        partial = partial_bytes * rates.carried + rates.epilogue
        outputs = np.minimum(stages.outputs.sum(axis=0), np.maximum(1, offers.cores / splits))
        others = (splits - 1) * partial_bytes
        port = others / rates.port
        reduction = rates.l2_latency + np.maximum(port, outputs * others / rates.l2)
        slowest = np.where(stages.cold, min(rates.port, rates.dram_writes), rates.port)
        read = offers.accumulates * (stages.far_latency(rates) + out_bytes / slowest)
        alone = np.maximum(rates.drain, read) + out
        before = rates.drain + partial
        last = before + np.maximum(reduction, read) + out
        mean = before + (last - before) / splits
        return cls(
            np.where(splits > 1, last, alone),
            np.where(splits > 1, mean, alone),
            stages.cold * offers.accumulates * (outputs - 1) * out_bytes / rates.dram_writes,
        )


class _Pipeline(NamedTuple):
    """Tiles of a mapping up to their epilogues: the first wave's, and later ones'.

    ``fill`` is from a tile's first request until its first stage is at the core, ``period`` from
    stage to stage.
    """

    stages: Stages
    first_fill: Any
    first_period: Any
    later_fill: Any
    later_period: Any

    @classmethod
    def of(cls, rates: Rates, stages: Stages, reads: _WaveReads, busy: Any) -> _Pipeline:
        """Of ``busy`` cores, which share L2 and DRAM."""
        l2 = busy * stages.l2_bytes / rates.l2
        near, far = np.maximum(stages.near_period, l2), np.maximum(stages.far_period, l2)
        rows, columns = reads.rows_bytes / rates.dram, reads.columns_bytes / rates.dram
        both = rows + columns
        # Of later waves, rows and columns may both be new to L2, or either.
        new_rows, new_columns = reads.new_rows_ratio, reads.new_columns_ratio
        kept = (1 - new_rows) * (1 - new_columns)
        later = kept * near
        later += (new_rows - new_rows * new_columns) * np.maximum(far, rows)
        later += (new_columns - new_rows * new_columns) * np.maximum(far, columns)
        first = np.maximum(far, both)
        later += new_rows * new_columns * first
        moved = np.maximum(stages.port, l2)
        first_latency = stages.far_latency(rates)
        latency = first_latency - kept * (first_latency - rates.l2_latency)
        first_fill = first_latency + np.maximum(moved, both)
        return cls(stages, first_fill, first, latency + moved, later)

    def first(self, depth: Any) -> Any:
        """A tile of the first wave."""
        return self.first_fill + self._stages(self.first_period, depth)

    def later(self, library: Library, depth: Any, end: Any) -> Any:
        """A tile of a later wave, and its epilogue."""
        if library.prefetch:  # requested while the tile before is worked on and carried out
            worked = self.stages.prologue + depth * self.later_period
        else:
            worked = self.later_fill + self._stages(self.later_period, depth)
        return _and_end(library, worked, end)

    def _stages(self, period: Any, depth: Any) -> Any:
        last = self.stages.core * np.minimum(1, depth)
        return self.stages.prologue + last + np.maximum(0, depth - 1) * period


class Times(NamedTuple):
    """Of mappings, in picoseconds: in all, and what DRAM alone takes."""

    all_ps: FloatArray
    dram_ps: FloatArray


def times_ps(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    offers: Offers,
    stages: Stages,
    splits: FloatArray,
) -> Times:
    """Times of mappings; ``problem`` stands for what all share."""
    rates, depths = Rates.of(hardware, library), _Depths.of(offers, splits)
    ends = _Ends.of(rates, problem, offers, stages, splits)
    reads = _wave_reads(hardware, library, problem, offers, stages, splits, depths)
    tiles, exists = stages.outputs * splits, stages.outputs > 0
    all_tiles = tiles.sum(axis=0)
    waves, busy = whole(all_tiles, offers.cores), np.minimum(all_tiles, offers.cores)
    pipeline = _Pipeline.of(rates, stages, reads, busy)

    def longest(of_kind: Any) -> Any:
        return np.where(exists, of_kind, 0.0).max(axis=0)

    first = pipeline.first(depths.longest)
    # Model: dealt out in turn, a core gets the same split of every output; who gets the longest
    # one finishes all outputs.
    policy = DISPATCH[library.dispatch]
    turns = offers.cores / (offers.cluster_m * offers.cluster_n)
    stuck = policy.is_fixed and policy.in_waves & (turns % splits == 0)
    depth = np.where(stuck, depths.longest, depths.mean)
    later = pipeline.later(library, depth, np.where(stuck, ends.last, ends.mean))
    tail = longest(pipeline.later(library, depths.longest, ends.last))
    if library.epilogue_overlap:  # nothing is left to hide the last one behind
        tail = tail + longest(ends.last)
    slowest = longest(later)
    cold = np.maximum(0, longest(_and_end(library, first, ends.mean)) - slowest)
    many = _dealt_out(offers.cores, tiles, later, slowest) + cold + tail - slowest
    computed = np.where(waves == 1, longest(first + ends.last), many) + longest(ends.apart)
    passed = reads.dram_bytes / rates.dram + reads.written_bytes / rates.dram_writes
    dram = passed + stages.far_latency(rates) + longest(ends.last)
    to_ps = PS_PER_SECOND / hardware.clock_hz
    start = np.where(splits > 1, restart_ps(hardware, library), 0)
    return Times(np.maximum(computed, dram) * to_ps + start, dram * to_ps + start)


def _and_end(library: Library, worked: Any, end: Any) -> Any:
    """A tile of many, and its epilogue, which may hide behind the next tile."""
    return np.maximum(worked, end) if library.epilogue_overlap else worked + end


def _dealt_out(cores: Any, tiles: Any, each: Any, longest: Any) -> Any:
    """When the last of all tiles is done, if whoever is free takes the next.

    At least the waves of those that take as long as one kind or longer, and at least what all take
    over all cores. Tiles that take unequally long leave some cores idle at the end.
    """
    bound = np.zeros_like(longest)
    for kind in range(len(tiles)):
        slower = np.where(each >= each[kind] * (1 - 1e-3), tiles, 0.0).sum(axis=0)
        bound = np.maximum(bound, np.where(tiles[kind] > 0, whole(slower, cores), 0) * each[kind])
    total, count = (each * tiles).sum(axis=0), tiles.sum(axis=0)
    is_equal = total > (1 - EQUAL_TILES_RATIO) * longest * count
    uneven = np.minimum(total / cores + OUT_OF_STEP_RATIO * longest, whole(count, cores) * longest)
    return np.where(is_equal, bound, np.maximum(bound, uneven))
