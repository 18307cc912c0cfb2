"""Is the closed form what one computes tile by tile, and does a ranking follow it?"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from math import ceil

import pytest
from machines import GATHERS, VECTOR_PATTERNS, Case, random_case

from simulator import Gemm, Mapping
from simulator.hardware import Hardware, Library, load_hardware
from simulator.schedule.ranking import estimate_ps
from simulator.schedule.timing import StageShape, alignment_factors, executed_work, stage_cost
from simulator.sparsity import parse_pattern
from simulator.workload.lowering import GemmProblem, lower


@dataclass
class Kind:
    """Tiles of one size: how many, and in cycles what a stage of theirs takes."""

    outputs: int
    elements: int
    slices: int
    core: float
    port: float
    first_load: float
    rows_bytes: int
    columns_bytes: int


class ByHand:
    """The estimate of one mapping, in numbers instead of arrays; the problem is swapped already.

    Waves of tiles, of which the first finds L2 empty, later ones some blocks in it, and the last
    leaves cores idle. A tile is a fill, stages at the slowest rate, an epilogue, a reduction.
    """

    def __init__(
        self, hardware: Hardware, library: Library, problem: GemmProblem, mapping: Mapping
    ) -> None:
        self.hardware, self.library, self.problem, self.mapping = (
            hardware, library, problem, mapping,
        )  # fmt: skip
        self.cycle_ps = 1e12 / hardware.clock_hz
        l2, dram = hardware.memory.l2, hardware.memory.dram
        self.port_rate, self.l2_rate = hardware.core.port_bytes_per_cycle, l2.bytes_per_cycle
        self.dram_rate = dram.bytes_per_second * dram.efficiency_ratio / hardware.clock_hz
        writes_ratio = dram.write_efficiency_ratio or dram.efficiency_ratio
        self.dram_write_rate = dram.bytes_per_second * writes_ratio / hardware.clock_hz
        self.near = l2.latency_cycles
        self.far = max(self.near, hardware.dram_latency_ps / self.cycle_ps)
        if l2.halves:  # half of the bytes cross the link; a chain of stages waits for its far half
            self.l2_rate = min(self.l2_rate, 2 * l2.halves.link_bytes_per_cycle)
            self.near += l2.halves.far_latency_cycles
            self.far += l2.halves.far_latency_cycles
        self.rows = ceil(problem.m / mapping.tile_m)
        self.lines = ceil(problem.n / mapping.tile_n)
        self.stages = ceil(problem.k / mapping.tile_k)
        self.depth_k = min(mapping.tile_k, problem.k)
        self.kinds = self._kinds()
        tall, wide = library.cluster.m, library.cluster.n
        self.tall = tall if self.rows % tall == 0 else 1
        self.wide = wide if self.lines % wide == 0 else 1
        self.clusters = hardware.core.count // (self.tall * self.wide)
        self.cores, self.splits = self.clusters * self.tall * self.wide, mapping.splits
        self.outputs = self.rows * self.lines * problem.count
        self.tiles = self.outputs * self.splits
        self.busy = min(self.tiles, self.cores)
        self._depths()
        self._stored()
        self._traffic()
        self.is_cold = l2.start == "cold" or self.all_bytes > l2.bytes
        if not self.is_cold:
            self.far = self.near
            self.wave_rows = self.wave_columns = 0.0
            self.read_bytes, self.written_bytes = 0.0, self._written(0)

    def _kinds(self) -> list[Kind]:
        hardware, problem, mapping = self.hardware, self.problem, self.mapping

        def sides(size: int, tile: int) -> list[tuple[int, int]]:
            full, rest = divmod(size, tile)
            return [(full, tile)] * (full > 0) + [(1, rest)] * (rest > 0)

        kinds = []
        rows_factor, columns_factor = alignment_factors(hardware, problem)
        for lines, n in sides(problem.n, mapping.tile_n):
            for rows, m in sides(problem.m, mapping.tile_m):
                fragment = mapping.fragment_m, mapping.fragment_n
                shape = StageShape(m, n, self.depth_k, *fragment)
                whole = StageShape(mapping.tile_m, mapping.tile_n, mapping.tile_k, *fragment)
                work = executed_work(hardware, problem, shape, whole)
                cost = stage_cost(hardware, problem, work)
                rows_bytes = work.rows_bytes + work.metadata_bytes
                moved = rows_bytes * rows_factor + work.columns_bytes * columns_factor
                kinds.append(
                    Kind(
                        rows * lines * problem.count,
                        m * n,
                        self._slices(m, n),
                        cost.stage_ps / self.cycle_ps,
                        moved / self.port_rate,
                        cost.prologue_ps / self.cycle_ps,
                        rows_bytes,
                        work.columns_bytes,
                    )
                )
        return kinds

    def _slices(self, m: int, n: int) -> int:
        """How often the outputs of a fragment are waited for, if they are added to."""
        size = self.library.epilogue_slice_bytes
        if size is None or not self.problem.accumulates:
            return 1
        outputs = min(m, self.mapping.fragment_m) * min(n, self.mapping.fragment_n)
        return ceil(outputs * self.problem.output_bits / 8 / size)

    def _depths(self) -> None:
        """Stages of a split, the last one of k by its share of a full one."""
        last = (self.problem.k - (self.stages - 1) * self.mapping.tile_k) / self.depth_k
        self.deep = self.stages - 1 + last
        shortest, longer = divmod(self.stages, self.splits)
        self.longest = self.deep
        if self.splits > 1:
            self.longest = shortest + {0: 0, 1: last}.get(longer, 1)
        self.mean = self.deep / self.splits

    def _stored(self) -> None:
        """Bytes of a stage in memory, on average over tiles; of a convolution's input each once."""
        problem = self.problem
        sums = [
            sum(getattr(kind, name) * kind.outputs for kind in self.kinds) / self.outputs
            for name in ("rows_bytes", "columns_bytes")
        ]
        self.rows_bytes, self.columns_bytes = sums
        if problem.unique_input_bytes is not None:
            lines = self.rows if problem.inputs_are_rows else self.lines
            unique = problem.unique_input_bytes / (lines * problem.k / self.depth_k)
            unique *= problem.pattern.columns(problem.run) / problem.run
            if problem.inputs_are_rows:
                self.rows_bytes = unique
            else:
                self.columns_bytes = unique
        # Where rows choose columns, memory holds what all of them chose, between them.
        self.columns_bytes *= float(problem.pattern.distinct_ratio(problem.m))

    def _traffic(self) -> None:
        """Which blocks LRU keeps from wave to wave, and columns from band to band."""
        rows, lines, count = self.rows, self.lines, self.problem.count
        at_once = max(1, self.busy / self.splits)
        gemms = max(1, at_once / (rows * lines))
        inside = at_once / gemms
        band = min(max(1, self.library.swizzle // self.tall) * self.tall, rows)
        wave_rows = gemms * min(rows, max(min(inside, band), ceil(inside / lines)))
        wave_columns = gemms * min(lines, ceil(max(1, inside / band) / self.wide) * self.wide)
        wave_rows, wave_columns = wave_rows * self.rows_bytes, wave_columns * self.columns_bytes
        tall = max(band, ceil(min(rows, self.busy / self.splits / lines)))
        bands, waves = ceil(rows / tall), ceil(self.tiles / self.cores)
        a_row, all_columns = self.rows_bytes * self.deep, self.columns_bytes * self.deep * lines
        l2_bytes = self.hardware.memory.l2.bytes
        keeps_columns = all_columns + a_row * tall <= l2_bytes
        band_rows = max(wave_rows, tall * self.rows_bytes)
        keeps_rows = (band_rows + wave_columns) * self.deep <= l2_bytes
        self.waves = waves
        once = (a_row * rows + all_columns) * count
        self.all_bytes = once + self.problem.m * self.problem.n * count * (
            self.problem.output_bits / 8
        )
        if keeps_columns or waves <= 1:
            read = once
        elif keeps_rows:
            read = (a_row * rows + all_columns * bands) * count
        else:
            each = self.tiles / self.cores * (wave_rows + wave_columns) * self.deep
            read = max(once, each)
        dirty = 1 + self.hardware.memory.l2.foreign_dirty_ratio * min(1, l2_bytes / once)
        together = min(self.splits, self.busy) * dirty
        self.wave_rows, self.wave_columns = wave_rows * together, wave_columns * together
        self.new_rows = min(1, bands * count / waves) if keeps_rows else 1
        self.new_columns = 1 / bands if keeps_columns else 1
        self.read_bytes, self.written_bytes = read * dirty, self._written(read)
        if self.problem.accumulates:  # read at the pace of what is written
            self.written_bytes += self.problem.m * self.problem.n * count * self._output_bytes

    def _written(self, read: float) -> float:
        elements = self.problem.m * self.problem.n * self.problem.count
        outputs = elements * self.problem.output_bits / 8
        dirty = (self.splits - 1) * elements * 4.0
        straight = 0.0
        if self.hardware.memory.writes == "dram":
            straight = outputs
        else:
            dirty += outputs
        # Evicted is what was inserted first, reads and writes alike; L2 is full at the end.
        all_bytes = max(1, read + dirty)
        evicted = max(0, all_bytes - self.hardware.memory.l2.bytes)
        return straight + dirty * evicted / all_bytes

    @property
    def _output_bytes(self) -> float:
        return self.problem.output_bits / 8

    def _output_read(self, kind: Kind) -> tuple[float, float]:
        """How long a core waits for an output that it adds to, and for those of all others."""
        if not self.problem.accumulates:
            return 0.0, 0.0
        size = kind.elements * self._output_bytes
        at_once = min(self.outputs, max(1, self.cores / self.splits))
        from_dram = size / self.dram_write_rate if self.is_cold else 0
        own = max(size / self.port_rate, from_dram)
        return self.far + own, (at_once - 1) * from_dram

    def _ends(self, kind: Kind) -> tuple[float, float]:
        """From the last stage's end: of the last split of an output, and on average."""
        held, _ = self._output_read(kind)
        epilogue = self.library.epilogue_ns * 1000 / self.cycle_ps
        carried = 1 / self.port_rate
        if self.library.epilogue_staged:  # into the scratchpad and out of it
            pad = self.hardware.core.scratchpad
            carried += 2 / (pad.bytes_per_cycle * pad.efficiency_ratio)
        drain = self.hardware.core.tensor_cores.drain_cycles
        out = kind.elements * self._output_bytes * carried + epilogue
        out += (kind.slices - 1) * self.far
        if self.splits == 1:
            return max(drain, held) + out, max(drain, held) + out
        partial_bytes = kind.elements * 4
        partial = partial_bytes * carried + epilogue
        others = (self.splits - 1) * partial_bytes
        outputs = min(self.outputs, max(1, self.cores / self.splits))
        reads = max(others / self.port_rate, outputs * others / self.l2_rate)
        last = out + partial + max(self.near + reads, held)
        return drain + last, drain + partial + (last - partial) / self.splits

    def cycles(self) -> float:
        library = self.library
        rows, columns = self.wave_rows / self.dram_rate, self.wave_columns / self.dram_rate
        new_rows, new_columns = self.new_rows, self.new_columns
        both_new, neither = new_rows * new_columns, (1 - new_rows) * (1 - new_columns)
        stuck = library.dispatch == "round_robin" and self.clusters % self.splits == 0
        first, later, tails, lasts, firsts_done, starts = [], [], [], [], [], []
        for kind in self.kinds:
            # Cores side by side along n share rows, those along m columns.
            l2 = kind.rows_bytes / self.wide + kind.columns_bytes / self.tall
            l2 *= self.busy
            l2 /= self.l2_rate
            buffers = self.mapping.stage_buffers
            busiest = max(kind.core, kind.port)
            near = max(busiest, (self.near + kind.port + kind.core) / buffers, l2)
            far = max(busiest, (self.far + kind.port + kind.core) / buffers, l2)
            if not self.hardware.core.async_copies:  # loads through registers, one after another
                near, far = max(near, self.near + kind.port), max(far, self.far + kind.port)
            first_period = max(far, rows + columns)
            period = (
                neither * near
                + (new_rows - both_new) * max(far, rows)
                + (new_columns - both_new) * max(far, columns)
                + both_new * first_period
            )
            latency = self.far - neither * (self.far - self.near)

            def hidden(work: float, end: float) -> float:
                return max(work, end) if library.epilogue_overlap else work + end

            def worked(depth: float, a_period: float, kind: Kind = kind) -> float:
                end = kind.core * min(1, depth)
                return kind.first_load + end + max(0, depth - 1) * a_period

            def a_later(depth: float, end: float, kind: Kind = kind) -> float:
                work = kind.first_load + depth * period  # noqa: B023 - called at once
                if not library.prefetch:
                    filled = latency + max(kind.port, l2)  # noqa: B023
                    work = filled + worked(depth, period)  # noqa: B023
                return hidden(work, end)

            last, mean = self._ends(kind)
            begun = self.far + max(kind.port, l2, rows + columns)
            begun += worked(self.longest, first_period)
            lasts.append(last)
            starts.append(hidden(begun, mean))
            firsts_done.append(begun + last)
            first.append(begun)
            later.append(a_later(self.longest if stuck else self.mean, last if stuck else mean))
            tails.append(a_later(self.longest, last))
        tail = max(tails) + (max(lasts) if library.epilogue_overlap else 0)
        if self.waves == 1:
            computed = max(firsts_done)
        else:
            cold = max(0, max(starts) - max(later))
            computed = self._dealt_out(later) + cold + tail - max(later)
        computed += max(self._output_read(kind)[1] for kind in self.kinds)
        dram = self.read_bytes / self.dram_rate + self.written_bytes / self.dram_write_rate
        dram += self.far + max(lasts)
        starts_anew = self.splits > 1 and library.reduction_kernel
        start = self.hardware.kernel_start_ns * 1000 / self.cycle_ps
        return max(computed, dram) + starts_anew * start

    def _dealt_out(self, each: list[float]) -> float:
        """When the last tile is done, if whoever is free takes the next."""
        tiles = [kind.outputs * self.splits for kind in self.kinds]
        bound = 0.0
        for one in each:
            as_long = sum(t for t, x in zip(tiles, each, strict=True) if x >= one * (1 - 1e-3))
            bound = max(bound, ceil(as_long / self.cores) * one)
        total, longest = sum(t * x for t, x in zip(tiles, each, strict=True)), max(each)
        if total > 0.99 * longest * sum(tiles):
            return bound
        idle = 0.25 * longest  # cores out of step, at the end
        waves = ceil(sum(tiles) / self.cores) * longest
        return max(bound, min(total / self.cores + idle, waves))


def slowed(case: Case) -> tuple[Hardware, Library]:
    """The same machine at a millionth of a hertz a picosecond, so that nothing is rounded."""
    slower = case.hardware.clock_hz / 10**6
    dram = case.hardware.memory.dram
    changes = {
        "clock_hz": 10**6,
        "memory.dram.bytes_per_second": dram.bytes_per_second / slower,
        "memory.dram.latency_ns": dram.latency_ns * slower,
        "kernel_start_ns": case.hardware.kernel_start_ns * slower,
    }
    library = case.library.model_copy(update={"epilogue_ns": case.library.epilogue_ns * slower})
    return load_hardware(case.hardware, changes), library


def check(case: Case) -> None:
    assert case.problem is not None
    assert case.mapping is not None
    hardware, library = slowed(case)
    (estimated,) = estimate_ps(hardware, library, case.problem, [case.mapping])
    by_hand = ByHand(hardware, library, case.problem, case.mapping).cycles() * 1e6
    assert estimated == pytest.approx(by_hand, rel=1e-7), case.mapping


@pytest.mark.parametrize("seed", range(10))
def test_estimates_equal_those_computed_tile_by_tile(seed: int) -> None:
    """On random machines, layers and mappings, which reach every case."""
    rng = random.Random(seed)
    cases = [random_case(rng) for _ in range(40)]
    for case in cases:
        if case.problem is not None:
            check(case)


@pytest.mark.parametrize("seed", range(2))
def test_estimates_where_rows_choose_columns_together(seed: int) -> None:
    rng = random.Random(seed)
    cases = [random_case(rng, VECTOR_PATTERNS, **GATHERS) for _ in range(40)]
    chosen = [case for case in cases if case.problem and case.problem.pattern.chooses]
    assert len(chosen) > 5
    for case in chosen:
        check(case)


@pytest.mark.parametrize("seed", range(3))
def test_estimates_where_every_slot_reads_activations_of_its_own(seed: int) -> None:
    """Zeros anywhere: fetches conflict in banks, on whichever side X comes from."""
    rng = random.Random(seed)
    gathered = 0
    while gathered < 4:
        case = random_case(rng)
        layer = Gemm("g", m=rng.randint(9, 70), n=rng.randint(9, 70), k=rng.randint(40, 200))
        asked = parse_pattern(f"unstructured:{rng.choice([0.1, 0.3, 0.55])}")
        problem = lower(layer, asked, case.hardware).problem
        mapping = Mapping(16, 16, 32, 8, 8, stage_buffers=rng.choice([1, 2, 3]))
        if problem.gathers:
            check(replace(case, problem=problem, mapping=mapping))
            gathered += 1
