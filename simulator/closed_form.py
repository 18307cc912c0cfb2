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
from simulator.offers import FloatArray, Offers, Stages
from simulator.units import ACCUMULATOR_BITS, PS_PER_SECOND, ceil_div
from simulator.workload.lowering import GemmProblem

OUT_OF_STEP_RATIO = 0.25
"""How much of the longest tile cores idle at the end, where tiles take unequally long. Set on
random GEMMs; between 0.1 and 0.5 the ranking hardly changes."""

EQUAL_TILES_RATIO = 0.01
"""Tiles whose mean time is closer to the longest stay in step."""


class _Rates(NamedTuple):
    """The machine in cycles."""

    cores: int
    port: float  # bytes a cycle
    l2: float
    dram: float
    l2_latency: float
    dram_latency: float
    drain: float
    epilogue: float

    @classmethod
    def of(cls, hardware: Hardware, library: Library) -> _Rates:
        l2, dram = hardware.memory.l2, hardware.memory.dram
        cycle_ps = PS_PER_SECOND / hardware.clock_hz
        l2_rate, far = l2.bytes_per_cycle, 0.0
        if l2.halves:  # a chain of stages waits for its far half; half of the bytes cross
            far = l2.halves.far_latency_cycles
            l2_rate = min(l2_rate, 2 * l2.halves.link_bytes_per_cycle)
        near, cold = l2.latency_cycles, l2.start == "cold"
        dram_latency = max(near, hardware.dram_latency_ps / cycle_ps) if cold else near
        return cls(
            cores=hardware.core.count,
            port=hardware.core.port_bytes_per_cycle,
            l2=l2_rate,
            dram=dram.bytes_per_second * dram.efficiency_ratio / hardware.clock_hz,
            l2_latency=near + far,
            dram_latency=dram_latency + far,
            drain=hardware.core.tensor_cores.drain_cycles,
            epilogue=library.epilogue_ns * 1000 / cycle_ps,
        )


class _Depths(NamedTuple):
    """Stages of a split; the last stage of k counts by its share of a full one."""

    whole: Any
    longest: Any
    mean: Any

    @classmethod
    def of(cls, offers: Offers, splits: Any) -> _Depths:
        stages = offers.grid[2]
        last = (offers.k - (stages - 1) * offers.tile_k) / np.minimum(offers.tile_k, offers.k)
        whole = stages - 1 + last
        # The last split is one of the longest, and holds the last stage.
        least, longer = stages // splits, stages % splits
        longest = least + np.where(longer == 1, last, np.minimum(longer, 1))
        return cls(whole, np.where(splits == 1, whole, longest), whole / splits)


class _Traffic(NamedTuple):
    """What waves of tiles read through DRAM.

    ``rows`` and ``columns`` are bytes of one stage of all cores, each once; the ``new`` ones are
    shares of later waves whose rows, or columns, are not in L2.
    """

    rows: Any
    columns: Any
    new_rows: Any
    new_columns: Any
    dram_bytes: Any


def _traffic(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    offers: Offers,
    stages: Stages,
    splits: Any,
    depths: _Depths,
) -> _Traffic:
    """Which blocks LRU keeps: those of a band from wave to wave, and the columns between bands."""
    l2_bytes = hardware.memory.l2.bytes
    rows, lines, _ = offers.grid
    tiles = offers.count * rows * lines * splits
    busy = np.minimum(tiles, hardware.core.count)
    waves = ceil_div(tiles, hardware.core.count)
    at_once = np.maximum(1, busy / splits)
    gemms = np.maximum(1, at_once / (rows * lines))
    inside = at_once / gemms
    band = np.minimum(library.swizzle, rows)
    rows_at_once = np.minimum(rows, np.maximum(np.minimum(inside, band), np.ceil(inside / lines)))
    columns_at_once = np.minimum(lines, np.ceil(np.maximum(1, inside / band)))
    wave_rows = gemms * rows_at_once * stages.rows_bytes
    wave_columns = gemms * columns_at_once * stages.columns_bytes

    tall = np.maximum(band, np.ceil(np.minimum(rows, busy / splits / lines)))
    bands = ceil_div(rows, tall)
    all_rows = stages.rows_bytes * depths.whole * rows
    all_columns = stages.columns_bytes * depths.whole * lines
    keeps_columns = all_columns + all_rows / rows * tall <= l2_bytes
    band_rows = np.maximum(wave_rows, tall * stages.rows_bytes)
    keeps_rows = (band_rows + wave_columns) * depths.whole <= l2_bytes
    once = (all_rows + all_columns) * offers.count
    each_band = (all_rows + all_columns * bands) * offers.count
    each_wave = np.maximum(
        once, tiles / hardware.core.count * (wave_rows + wave_columns) * depths.whole
    )
    read = np.where(keeps_columns, once, np.where(keeps_rows, each_band, each_wave))
    read = np.where(waves <= 1, once, read)
    together = np.minimum(splits, busy)
    return _Traffic(
        wave_rows * together,
        wave_columns * together,
        np.where(keeps_rows, np.minimum(1, bands * offers.count / waves), 1.0),
        np.where(keeps_columns, 1 / bands, 1.0),
        read + _written(hardware, problem, offers, splits, read),
    )


def _written(
    hardware: Hardware, problem: GemmProblem, offers: Offers, splits: Any, read: Any
) -> Any:
    """Bytes of outputs and partial sums that L2 cannot hold until the end."""
    elements = offers.m * offers.n * offers.count
    outputs = elements * problem.output_bits / 8
    partials = np.where(splits > 1, (splits - 1) * elements * ACCUMULATOR_BITS / 8, 0)
    at_once = outputs if hardware.memory.writes == "dram" else 0
    dirty = partials + outputs - at_once
    return at_once + np.clip(read + dirty - hardware.memory.l2.bytes, 0, dirty)


class _Ends(NamedTuple):
    """Epilogues: of a split that is the last of its output, and on average."""

    last: Any
    mean: Any
    reduction_port: Any  # what the last one's partial sums take of the port

    @classmethod
    def of(cls, rates: _Rates, problem: GemmProblem, stages: Stages, splits: Any) -> _Ends:
        out = stages.elements * problem.output_bits / 8 / rates.port + rates.epilogue
        partial_bytes = stages.elements * ACCUMULATOR_BITS / 8
        partial = partial_bytes / rates.port + rates.epilogue
        outputs = np.minimum(stages.outputs.sum(axis=0), np.maximum(1, rates.cores / splits))
        others = (splits - 1) * partial_bytes
        port = others / rates.port
        reduction = partial + rates.l2_latency + np.maximum(port, outputs * others / rates.l2)
        last = out + np.where(splits > 1, reduction, 0)
        mean = np.where(splits > 1, partial + (last - partial) / splits, out)
        return cls(rates.drain + last, rates.drain + mean, np.where(splits > 1, port, 0))


class _Pipeline(NamedTuple):
    """Stages of a mapping on the machine, and what they wait for."""

    rates: _Rates
    stages: Stages
    buffers: Any
    traffic: _Traffic

    def period(self, at_least: Any, latency: float, dram_bytes: Any = 0.0) -> Any:
        """Cycles from stage to stage: a stage is requested when an earlier one frees a buffer."""
        waiting = (latency + self.stages.port + self.stages.core) / self.buffers
        return np.maximum(np.maximum(at_least, waiting), dram_bytes / self.rates.dram)

    def mixed_period(self, at_least: Any) -> Any:
        """The mean over later waves, whose rows and columns may both be new to L2, or either."""
        rates, found = self.rates, self.traffic
        new_rows, new_columns = found.new_rows, found.new_columns
        none = self.period(at_least, rates.l2_latency)
        rows = self.period(at_least, rates.dram_latency, found.rows)
        columns = self.period(at_least, rates.dram_latency, found.columns)
        both = self.period(at_least, rates.dram_latency, found.rows + found.columns)
        kept = (1 - new_rows) * none + new_rows * rows
        return (1 - new_columns) * kept + new_columns * ((1 - new_rows) * columns + new_rows * both)

    def l2_cycles(self, busy: Any) -> Any:
        """Of a stage of ``busy`` cores, which share L2."""
        return busy * self.stages.l2_bytes / self.rates.l2

    def first(self, busy: Any, depth: Any) -> Any:
        """A tile of the first wave, up to its epilogue."""
        stages, rates = self.stages, self.rates
        dram_bytes = self.traffic.rows + self.traffic.columns
        moved = np.maximum(np.maximum(stages.port, self.l2_cycles(busy)), dram_bytes / rates.dram)
        period = self.period(np.maximum(stages.core, moved), rates.dram_latency)
        return self._tile(rates.dram_latency + moved, period, depth)

    def later(self, library: Library, busy: Any, depth: Any, end: Any, reduction: Any) -> Any:
        """A tile of a later wave, and its epilogue."""
        stages, rates = self.stages, self.rates
        moved = np.maximum(stages.port, self.l2_cycles(busy))
        if not library.prefetch:
            kept = (1 - self.traffic.new_rows) * (1 - self.traffic.new_columns)
            latency = rates.dram_latency - kept * (rates.dram_latency - rates.l2_latency)
            period = self.mixed_period(np.maximum(stages.core, moved))
            return self._tile(latency + moved, period, depth) + end
        # Requested while the tile before is worked on and carried out.
        worked = self.mixed_period(stages.core)
        transfers = depth * np.maximum(moved, worked) + reduction
        if library.epilogue_overlap:
            inside = stages.prologue + depth * np.maximum(moved, worked)
            return np.maximum(np.maximum(inside, end), transfers)
        return np.maximum(stages.prologue + depth * worked + end, transfers)

    def _tile(self, fill: Any, period: Any, depth: Any) -> Any:
        last = self.stages.core * np.minimum(1, depth)
        return fill + self.stages.prologue + np.maximum(0, depth - 1) * period + last


def times_ps(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    offers: Offers,
    stages: Stages,
    splits: FloatArray,
) -> FloatArray:
    """Times of mappings in picoseconds; ``problem`` stands for what all share."""
    rates, depths = _Rates.of(hardware, library), _Depths.of(offers, splits)
    ends = _Ends.of(rates, problem, stages, splits)
    traffic = _traffic(hardware, library, problem, offers, stages, splits, depths)
    pipeline = _Pipeline(rates, stages, offers.stage_buffers, traffic)
    tiles, exists = stages.outputs * splits, stages.outputs > 0
    all_tiles = tiles.sum(axis=0)
    waves, busy = ceil_div(all_tiles, rates.cores), np.minimum(all_tiles, rates.cores)

    def longest(of_kind: Any) -> Any:
        return np.where(exists, of_kind, 0.0).max(axis=0)

    first = pipeline.first(busy, depths.longest)
    # Model: dealt out in turn, a core gets the same split of every output; who gets the longest
    # one finishes all outputs.
    stuck = library.dispatch == "round_robin" and rates.cores % splits == 0
    depth = np.where(stuck, depths.longest, depths.mean)
    end = np.where(stuck, ends.last, ends.mean)
    reduction = np.where(stuck, ends.reduction_port, ends.reduction_port / splits)
    later = pipeline.later(library, busy, depth, end, reduction)
    left = all_tiles - rates.cores * (waves - 1)
    tail = pipeline.later(library, left, depths.longest, ends.last, reduction)
    if library.epilogue_overlap:  # nothing is left to hide the last one behind
        tail = tail + ends.last
    cold = np.maximum(0, longest(first + ends.mean) - longest(later))
    many = _dealt_out(rates.cores, tiles, later, longest(later)) + cold
    many = many + longest(tail) - longest(later)
    computed = np.where(waves == 1, longest(first + ends.last), many)
    dram = traffic.dram_bytes / rates.dram + rates.dram_latency + longest(ends.last)
    return np.asarray(
        np.maximum(computed, dram) * (PS_PER_SECOND / hardware.clock_hz), dtype=np.float64
    )


def _dealt_out(cores: int, tiles: Any, each: Any, longest: Any) -> Any:
    """When the last of all tiles is done, if whoever is free takes the next.

    At least the waves of those that take as long as one kind or longer, and at least what all take
    over all cores. Tiles that take unequally long leave some cores idle at the end.
    """
    bound = np.zeros_like(longest)
    for kind in range(len(tiles)):
        slower = np.where(each >= each[kind] * (1 - 1e-3), tiles, 0.0).sum(axis=0)
        bound = np.maximum(
            bound, np.where(tiles[kind] > 0, ceil_div(slower, cores), 0) * each[kind]
        )
    total, count = (each * tiles).sum(axis=0), tiles.sum(axis=0)
    is_equal = total > (1 - EQUAL_TILES_RATIO) * longest * count
    uneven = np.minimum(
        total / cores + OUT_OF_STEP_RATIO * longest, ceil_div(count, cores) * longest
    )
    return np.where(is_equal, bound, np.maximum(bound, uneven))
