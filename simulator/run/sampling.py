"""A large GEMM from a few small ones: simulate less of k, of the columns and of the rows of tiles.

What a run counts grows linearly with each side of the grid of tiles, once it is larger than what
is at work at one time: a deeper k adds stages to every tile, more columns add waves to every band,
more rows add bands. So every side that is too long is cut to two lengths, all combinations are
simulated event by event, and counters are extrapolated along each side:

    X(side) = X(short) + (side - short) / (long - short) * (X(long) - X(short))

Factors are whole numbers, so that stage counts stay exact integers. What is not linear by itself
is looked after: the end of the last wave comes once, and is taken from a run whose last wave is as
full; L2 shrinks with k, so that blocks that are reused within a wave, from wave to wave, or from
band to band, at distances that grow with k, find the capacity on the same side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from math import gcd, prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.engine.result import EngineResult
from simulator.errors import MappingError, WorkloadError
from simulator.hardware import Hardware, Library
from simulator.schedule.mapping import Mapping
from simulator.schedule.offers import Offers, stages_of
from simulator.schedule.partition import IntArray, TileGrid
from simulator.schedule.program import (
    BLOCK_CLASSES,
    OUTPUTS,
    STAGE_CLASSES,
    Program,
    check_dram,
    gemm_program,
)
from simulator.units import ceil_div
from simulator.workload.lowering import GemmProblem

Engine = Callable[[Program], EngineResult]

SHORTEST_STAGES = 32
"""Of a tile: a pipeline of up to 8 buffers is full for most of them. Fitted: L2 misses a stage are
within 1 % of their limit from 32 stages on (A100, 8192 to 16384 cubed)."""

SETTLING_STAGES = 64
"""The same where a stage that misses L2 takes longer than others, since its buffers wait for DRAM.
Cores that share blocks fetch them in turn: those behind run faster, until after some tens of stages
all wait for the first. Shorter tiles end before, and looked up to an eighth too fast."""

FEWEST_WAVES = 4
"""Of tiles in the smallest run: fewer do not contend for memory as many do."""

FILLED_L2 = 2.0
"""Footprint of the smallest run over L2, if that of the whole GEMM exceeds L2: until L2 is full,
nothing is evicted and nothing written."""

SAFE_REUSE = 0.5
"""Share of a wave's blocks below which L2 keeps none of them for the next wave, under LRU."""

MOST_STAGES = 10**12
"""Of a GEMM whose totals fit in 62 bits, at a microsecond a stage."""

COLUMN_WEIGHT = 6.0
"""How much worse a cut of columns is than one of rows. Fitted to the GEMMs of
``tests/benchmarks/sampled.py``, as are the next ones."""

MULTIPLES = tuple(4**power for power in range(8))
"""Of a band, a wave of columns or a GEMM: what the steps along those sides may be."""

SAFETY, ROUGH_SAFETY = 3.0, 1.4
"""By how much a plan of safe lengths may exceed the budget before shorter ones are taken; the
second where no error is asked for."""

TIME_FLOOR_RATIO, DRAM_FLOOR_RATIO = 0.009, 0.03
UNEVEN_TIME_FLOOR_RATIO, UNEVEN_DRAM_FLOOR_RATIO = 0.03, 0.45
SHORT_TIME_FLOOR_RATIO, SHORT_DRAM_FLOOR_RATIO = 0.1, 0.65
DRAM_CAUTION = 2.0
"""Estimated errors are at least the floors; the second where tiles take unequally long, so that
cores fall out of step and share less and less of what they read, the third where a plan is shorter
than is safe. What the check says of DRAM counts double. Set by hand until they covered most of
those GEMMs and of some hundred random ones."""


@dataclass(frozen=True)
class Estimate:
    """Counters of a run, exact or extrapolated, and how far off they may be.

    Attributes
    ----------
    program : Program
        Of the true tables, for a report; its queues may be those of a part.
    time_error_ratio, dram_error_ratio : float
        Estimated relative error of time and of DRAM bytes; 0 where all was simulated.
    """

    program: Program
    result: EngineResult
    time_error_ratio: float = 0.0
    dram_error_ratio: float = 0.0


class _Side(NamedTuple):
    """Two lengths of a side of the grid that stand for its true one, and a third that checks."""

    short: int
    long: int
    check: int
    factor: int  # (true - short) / (long - short), 0 where nothing is cut

    @classmethod
    def whole(cls, length: int) -> _Side:
        return cls(length, length, length, 0)

    @classmethod
    def cut(cls, length: int, shortest: int, step: int, unit: int = 1) -> _Side | None:
        """Lengths of at least ``shortest``, in steps of units; None where nothing is saved."""
        factor = (length - shortest) // step
        if factor < 2:
            return None
        short = length - factor * step
        middle = short + step // (2 * unit) * unit
        return cls(short, short + step, middle if middle > short else short + 2 * step, factor)

    @property
    def simulated(self) -> int:
        return self.short + self.long if self.factor else self.long


class _Plan(NamedTuple):
    """Which sides of the grid are cut."""

    stages: _Side
    columns: _Side
    rows: _Side
    gemms: _Side

    @property
    def cost(self) -> int:
        """Stages to simulate."""
        checks = prod(side.short for side in self)
        checks = sum(checks * side.check // side.short for side in self if side.factor)
        return prod(side.simulated for side in self) + checks

    @property
    def cuts_tiles(self) -> bool:
        return any(side.factor for side in self[1:])

    def badness(self, period: int) -> float:
        """How far it extrapolates.

        k is the safest side to cut. Columns are the least safe, since where in a wave a band ends
        decides what the wave reads: doubly so if what is cut is no multiple of the ``period``
        after which bands end in the same place.
        """
        in_phase = (self.columns.long - self.columns.short) % period == 0
        weights = (0.02, COLUMN_WEIGHT * (1 if in_phase else 2), 1.0, 1.0)
        return sum(w * side.factor for w, side in zip(weights, self, strict=True))


def estimate(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    mapping: Mapping,
    engine: Engine,
    budget_stages: int,
    *,
    check: bool = True,
) -> Estimate:
    """Simulate a GEMM in part, if all of it would take longer than the budget.

    Parameters
    ----------
    problem : GemmProblem
        Swapped already, if the mapping swaps.
    budget_stages : int
        Stages to simulate, about.
    check : bool
        Also estimate the error; without, only the floor of it is given.

    Raises
    ------
    WorkloadError, MappingError
        As `gemm_program` does, of the whole GEMM.
    """
    grid = mapping.grid(problem)
    stages = grid.outputs * grid.stages
    if stages > MOST_STAGES:
        raise WorkloadError(
            f"gemm {grid.m}x{grid.n}x{grid.k} x {grid.count}",
            f"too large even to sample: {stages} stages",
            want=f"at most {MOST_STAGES} stages",
        )
    plan, is_safe = None, True
    if stages > budget_stages:
        settles = _settles_late(hardware, library, problem, mapping)
        safety = SAFETY if check else ROUGH_SAFETY
        plan, is_safe = _plan(hardware, library, problem, grid, budget_stages, settles, safety)
    if plan is None or not any(side.factor for side in plan):
        program = gemm_program(hardware, library, problem, mapping)
        return Estimate(program, engine(program))
    return _Sampler(hardware, library, problem, mapping, engine, grid, plan).estimate(
        check, is_safe
    )


def _settles_late(
    hardware: Hardware, library: Library, problem: GemmProblem, mapping: Mapping
) -> bool:
    """Whether stages take longer where they miss L2 than where they hit it."""
    stages = stages_of(hardware, library, problem, Offers.of(hardware, [problem], [0], [mapping]))
    return bool((stages.far_period > stages.near_period).any())


def _plan(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    grid: TileGrid,
    budget: int,
    settles_late: bool = False,
    safety: float = SAFETY,
) -> tuple[_Plan, bool]:
    """The plan that extrapolates least within the budget, or else the cheapest; and if it is safe.

    Where plans of safe lengths cost much more than the budget, shorter ones are taken; but tiles
    that are long in settling stay as deep.
    """
    cores, band, splits = hardware.core.count, _band(library, grid), grid.splits
    wave = ceil_div(cores, band)
    # Columns after which a band ends in the same place of a wave; and bands likewise.
    columns, bands = cores // gcd(cores, band), cores // gcd(cores, band * grid.columns)
    steps = sorted({columns, wave}) if columns <= 2 * wave else [wave]
    bands_at_once = sorted({*MULTIPLES, 2, bands})
    gemms_at_once = sorted({*MULTIPLES, 2, cores // gcd(cores, grid.rows * grid.columns)})
    columns_kept = _fewest_columns(hardware, problem, grid, band, wave)
    deep = (SETTLING_STAGES if settles_late else SHORTEST_STAGES) * splits
    lengths = [(columns_kept, deep), (wave, deep if settles_late else deep // 2)]
    affordable: list[_Plan] = []
    for fewest, shallow in lengths:
        depths = [shallow << doubled for doubled in range(16)]
        options = (
            (grid.stages, [(depth, depth, splits) for depth in depths]),
            (
                grid.columns,
                [(fewest * n, size * n, 1) for n in MULTIPLES for size in sorted(steps)],
            ),
            (grid.rows, [(2 * band * n, band * n, band) for n in bands_at_once]),
            (grid.count, [(2 * n, n, 1) for n in gemms_at_once]),
        )
        sides = []
        for length, cuts in options:
            found = [_Side.cut(length, *cut) for cut in cuts]
            sides.append([_Side.whole(length), *(side for side in found if side is not None)])
        plans = [_Plan(*chosen) for chosen in product(*sides)]
        plans = [plan for plan in plans if _is_large_enough(hardware, library, problem, grid, plan)]
        affordable = [plan for plan in plans if plan.cost <= budget]
        cheapest = min(plans, key=lambda plan: plan.cost)
        if affordable or cheapest.cost <= safety * budget:
            break
    plan = cheapest
    if affordable:
        plan = min(affordable, key=lambda plan: (plan.badness(columns), -plan.cost))
    return plan, (fewest, shallow) == lengths[0]


def _is_large_enough(
    hardware: Hardware, library: Library, problem: GemmProblem, grid: TileGrid, plan: _Plan
) -> bool:
    """Whether the smallest run of a plan fills cores and L2 as the whole GEMM does."""
    if not plan.cuts_tiles:
        return True
    if library.dispatch == "contiguous":  # what a core owns follows from how many tiles there are
        return False
    columns, rows, gemms = (side.short for side in plan[1:])
    if grid.splits * columns * rows * gemms < FEWEST_WAVES * hardware.core.count:
        return False
    l2_bytes = hardware.memory.l2.bytes
    if _footprint(problem, grid, grid.columns, grid.rows, grid.count) <= l2_bytes:
        return True
    return _footprint(problem, grid, columns, rows, gemms) >= FILLED_L2 * l2_bytes


def _footprint(problem: GemmProblem, grid: TileGrid, columns: int, rows: int, gemms: int) -> float:
    """Bytes of all operands and outputs of so many tiles; metadata left aside."""
    slots = problem.pattern.slots(grid.k)
    row_bits = grid.tile_m * slots * problem.bits
    column_bits = grid.tile_n * grid.k * problem.bits
    if problem.unique_input_bytes is not None:  # a convolution's input, each element once
        whole = problem.unique_input_bytes * 8
        if problem.inputs_are_rows:
            row_bits = whole // grid.rows
        else:
            column_bits = whole // grid.columns
    outputs = rows * columns * grid.tile_m * grid.tile_n * problem.output_bits
    return gemms * (rows * row_bits + columns * column_bits + outputs) / 8


def _fewest_columns(
    hardware: Hardware, problem: GemmProblem, grid: TileGrid, band: int, wave: int
) -> int:
    """To how few columns the grid may be cut: none, if fewer would stay in L2 from band to band."""
    pattern, l2_bytes = problem.pattern, hardware.memory.l2.bytes
    rows = band * grid.tile_m * pattern.slots(grid.k) * problem.bits // 8
    column = grid.tile_n * grid.k * problem.bits // 8
    if grid.rows <= band or rows + grid.columns * column < l2_bytes // 2:
        return wave
    return max(wave, (3 * l2_bytes // 2 - rows) // column + 1)


def _band(library: Library, grid: TileGrid) -> int:
    """Rows of tiles that are walked together."""
    return max(1, min(library.swizzle, grid.rows))


# Where a run's totals stand in a vector.
END, TAIL, PARTIAL_PORT, EVICTIONS, IN_FLIGHT, TIES, ALL_BYTES = range(7)
WAITS = slice(7, 11)
STAGES = slice(11, 19)
COUNTS = slice(19, 19 + 5 * BLOCK_CLASSES)


class _Sampler:
    """The runs of one plan."""

    def __init__(
        self,
        hardware: Hardware,
        library: Library,
        problem: GemmProblem,
        mapping: Mapping,
        engine: Engine,
        grid: TileGrid,
        plan: _Plan,
    ) -> None:
        self.hardware, self.library, self.problem = hardware, library, problem
        self.mapping, self.engine, self.grid, self.plan = mapping, engine, grid, plan
        self.known: dict[tuple[int, ...], tuple[IntArray, Program, EngineResult]] = {}
        self.longest = tuple(side.long for side in plan)

    def estimate(self, check: bool, is_safe: bool) -> Estimate:
        """Simulate what the plan asks for, and extrapolate."""
        total = self._along(0, ())
        misses = total[COUNTS].reshape(5, BLOCK_CLASSES)[1]
        for operand, ratio in enumerate(self._phase_ratios()):
            one = slice(operand * BLOCK_CLASSES // 4, (operand + 1) * BLOCK_CLASSES // 4)
            misses[one] = np.rint(misses[one] * ratio)
        errors = [self._error(index) for index in range(len(self.plan)) if check]
        _, program, result = self.known[self.longest]
        check_dram(self.hardware, int(total[ALL_BYTES]))
        if not 0 <= total[END] < 2**62:
            raise MappingError("simulated time", "exceeds 62 bits of picoseconds")
        even = _keeps_step(program)
        time_floor, dram_floor = TIME_FLOOR_RATIO, DRAM_FLOOR_RATIO
        if not even:
            time_floor, dram_floor = UNEVEN_TIME_FLOOR_RATIO, UNEVEN_DRAM_FLOOR_RATIO
        if not is_safe:
            time_floor, dram_floor = SHORT_TIME_FLOOR_RATIO, SHORT_DRAM_FLOOR_RATIO
        dram_error = sum(dram for _, dram in errors) * DRAM_CAUTION + dram_floor
        found = _spread(program, result, total, in_k=not self.plan.cuts_tiles)
        # No queue is busy for longer than the run; where DRAM is busy for most of it, what is not
        # known of its traffic is not known of the time.
        busy = _busy_ps(program, found)
        time_ps = max(found.makespan_ps, *busy.values())
        time_error = time_floor + sum(time for time, _ in errors)
        time_error += time_ps / found.makespan_ps - 1
        if busy["dram"] > time_ps / 2:
            time_error += dram_error * busy["dram"] / time_ps
        return Estimate(program, replace(found, makespan_ps=time_ps), time_error, dram_error)

    def _along(self, index: int, lengths: tuple[int, ...]) -> IntArray:
        """Totals at the true lengths of sides ``index`` and later, those before as given."""
        if index == len(self.plan):
            return self._run(lengths)[0]
        side = self.plan[index]
        if not side.factor:
            total = self._along(index + 1, (*lengths, side.long))
        else:
            short = self._along(index + 1, (*lengths, side.short))
            long = self._along(index + 1, (*lengths, side.long))
            total = _extrapolated(short, long, side.factor)
        if index == 1 and self.plan.cuts_tiles:
            # The end of the last wave comes once, and depends on how full that wave is.
            total[TAIL] = self._run(self._last_wave(lengths[0]))[0][TAIL]
        return total

    def _last_wave(self, stages: int) -> tuple[int, ...]:
        """A few waves of tiles, of which the last is about as full as that of the whole GEMM."""
        columns, cores = self.plan.columns.short, self.hardware.core.count
        want = self.grid.tiles % cores

        def apart(rows: int, gemms: int) -> int:
            """By how many tiles the last waves differ, around a full one."""
            tiles = self.grid.splits * columns * rows * gemms
            return abs((tiles - want + cores // 2) % cores - cores // 2)

        lengths = product(_near(self.plan.rows), _near(self.plan.gemms))
        rows, gemms = min(lengths, key=lambda sides: (apart(*sides), sides))
        return stages, columns, rows, gemms

    def _phase_ratios(self) -> tuple[float, float]:
        """By how much the true (rows, columns) that miss exceed what the plan's lengths suggest.

        Where L2 keeps nothing from wave to wave, every wave reads its rows and columns, and how
        many those are depends on where in a band it falls. Counting them needs no simulation.
        """
        grid, plan = self.grid, self.plan
        _, program, _ = self.known[self.longest]
        waves = self.library.dispatch != "contiguous" and grid.splits == 1 and _keeps_step(program)
        if not waves or self._wave_bytes(program) * grid.stages <= self.hardware.memory.l2.bytes:
            return 1.0, 1.0

        def along(index: int, lengths: tuple[int, ...]) -> npt.NDArray[np.float64]:
            if index == len(plan):
                return self._lines_of_waves(*lengths)
            side = plan[index]
            if not side.factor:
                return along(index + 1, (*lengths, side.long))
            short = along(index + 1, (*lengths, side.short))
            return short + (along(index + 1, (*lengths, side.long)) - short) * side.factor

        rows, columns = self._lines_of_waves(grid.columns, grid.rows, grid.count) / along(1, ())
        return rows, columns

    def _lines_of_waves(self, columns: int, rows: int, gemms: int) -> npt.NDArray[np.float64]:
        """Rows and columns of tiles that waves of all cores touch, summed over waves."""
        band, cores = _band(self.library, self.grid), self.hardware.core.count
        heights = np.full(ceil_div(rows, band), band)
        heights[-1] = rows - (heights.size - 1) * band
        heights = np.tile(heights, gemms)
        ends = np.cumsum(heights * columns)
        first = np.arange(0, ends[-1], cores)
        last = np.minimum(first + cores, ends[-1]) - 1
        top, bottom = np.searchsorted(ends, first, "right"), np.searchsorted(ends, last, "right")
        starts = ends - heights * columns
        left = (first - starts[top]) // heights[top]
        right = (last - starts[bottom]) // heights[bottom]
        inside = right - left + 1
        around = np.where(bottom - top > 1, columns, np.minimum(columns, inside + columns))
        tall = np.cumsum(heights)
        return np.array(
            [
                (tall[bottom] - tall[top] + heights[top]).sum(),
                np.where(top == bottom, inside, around).sum(),
            ],
            dtype=np.float64,
        )

    def _error(self, index: int) -> tuple[float, float]:
        """What the third length says of the line through the other two, at the true length."""
        side = self.plan[index]
        if not side.factor:
            return 0.0, 0.0
        at = [side.short for side in self.plan]
        points = []
        for length in (side.short, side.long, side.check):
            at[index] = length
            points.append(np.array(self._figures(self._run(tuple(at))[0])))
        line = points[0] + (points[1] - points[0]) * side.factor
        steps = side.factor * (side.long - side.short) / (side.check - side.short)
        other = points[0] + (points[2] - points[0]) * steps
        time, dram = (np.abs(other - line) / np.maximum(1.0, line)).tolist()
        return time, dram

    def _figures(self, total: IntArray) -> tuple[float, float]:
        """Time, but for the end of the last wave, and DRAM bytes."""
        sizes = self.known[self.longest][1].block_bytes
        counts = total[COUNTS].reshape(5, BLOCK_CLASSES)
        return float(total[END]), float(((counts[1] + counts[4]) * sizes).sum())

    def _run(self, lengths: tuple[int, ...]) -> tuple[IntArray, Program, EngineResult]:
        if lengths not in self.known:
            program = self._program(*lengths)
            result = self.engine(self._shrunk(program))
            self.known[lengths] = _vector(program, result), program, result
        return self.known[lengths]

    def _program(self, stages: int, columns: int, rows: int, gemms: int) -> Program:
        """The GEMM cut to some lengths; edges stay as they are."""
        whole = self.grid
        grid = replace(
            whole,
            m=whole.m - (whole.rows - rows) * whole.tile_m,
            n=whole.n - (whole.columns - columns) * whole.tile_n,
            k=whole.k - (whole.stages - stages) * whole.tile_k,
            count=gemms,
        )
        return gemm_program(self.hardware, self.library, self.problem, self.mapping, grid=grid)

    def _shrunk(self, program: Program) -> Program:
        """On a machine whose L2 is as much smaller as the program is less deep."""
        if program.grid.stages == self.grid.stages:
            return program
        l2_bytes = self._l2_bytes(program)
        sizes = program.block_bytes.copy()
        outputs = slice(OUTPUTS * BLOCK_CLASSES // 4, None)
        sizes[outputs] = sizes[outputs] * l2_bytes // program.l2_bytes
        return replace(program, l2_bytes=l2_bytes, block_bytes=sizes)

    def _l2_bytes(self, program: Program) -> int:
        """Capacity at which blocks are reused as in the whole GEMM.

        What one wave of tiles reads is reused by the next, if L2 holds it. Both shrink with k; but
        where L2 holds less than half of it, nothing is reused, and L2 need not shrink so far that
        cores that share blocks at a time lose them.
        """
        grid = self.grid
        if grid.tiles <= self.hardware.core.count:  # one wave, which leaves nothing for another
            return program.l2_bytes
        stages, whole = program.grid.stages, program.l2_bytes
        least = int(SAFE_REUSE * self._wave_bytes(program) * stages)
        return min(whole, max(whole * stages // grid.stages, least))

    def _wave_bytes(self, program: Program) -> int:
        """Bytes that all cores read at one stage, each once."""
        grid, cores = self.grid, self.hardware.core.count
        band = _band(self.library, grid)
        columns = min(grid.columns, ceil_div(cores, band))
        rows = min(grid.rows, band * ceil_div(cores, band * columns))
        sizes: list[int] = program.block_bytes.tolist()
        return rows * sizes[0] + columns * sizes[BLOCK_CLASSES // 4]


def _keeps_step(program: Program) -> bool:
    """Whether all tiles take equally long, so that cores that share blocks stay side by side.

    Edges that are done sooner put their cores out of step for all waves that follow.
    """
    return len({program.stage_ps[kind] for kind in range(0, STAGE_CLASSES, 2)}) == 1


def _busy_ps(program: Program, result: EngineResult) -> dict[str, int]:
    """How long each queue was busy: those that cores share, and the busiest port."""
    return {
        "dram": int((program.dram_ps * (result.misses + result.dram_written)).sum()),
        "l2": int((program.l2_ps * (result.requests + result.written)).sum()),
        "link": int((program.link_ps * result.far).sum()),
        "port": int(result.port_ps.max()),
    }


def _vector(program: Program, result: EngineResult) -> IntArray:
    """Totals over cores, which grow linearly."""
    end = int(result.end_ps.sum())
    ports = program.rows_port_ps + program.columns_port_ps
    counts = (result.requests, result.misses, result.far, result.written, result.dram_written)
    return np.concatenate(
        [
            [
                end,
                program.cores * result.makespan_ps - end,
                int(result.port_ps.sum()) - int((result.stages @ ports).sum()),
                result.evictions,
                result.in_flight_hits,
                result.ties,
                program.all_bytes,
            ],
            result.waits_ps.sum(axis=0),
            result.stages.sum(axis=0),
            *counts,
        ]
    ).astype(np.int64)


def _extrapolated(short: IntArray, long: IntArray, factor: int) -> IntArray:
    total: IntArray = np.maximum(short + (long - short) * factor, 0)
    return total


def _near(side: _Side) -> range:
    """Lengths about as short as those that a plan simulates; one where it cuts nothing."""
    return range(side.short, 2 * side.long - side.short + 1)


def _spread(program: Program, result: EngineResult, total: IntArray, *, in_k: bool) -> EngineResult:
    """Totals over the cores, from the longest run: all of it deeper, if only k was cut; else what
    is missing in equal shares, as waves deal it out."""
    cores = program.cores

    def shared(sample: IntArray, whole: IntArray) -> IntArray:
        """A row a core, a column a kind."""
        before = sample.sum(axis=0)
        spread = sample
        if in_k:
            spread = np.floor(sample * (whole / np.maximum(before, 1))).astype(np.int64)
        share, rest = np.divmod(whole - spread.sum(axis=0), cores)
        spread = spread + share + (np.arange(cores)[:, None] < rest)
        clipped: IntArray = np.maximum(spread, 0)
        return clipped

    stages = shared(result.stages, total[STAGES])
    waits = shared(result.waits_ps, total[WAITS])
    worked, mac = stages @ program.stage_ps, stages @ program.mac_ps
    end = worked + waits.sum(axis=1)
    ports = program.rows_port_ps + program.columns_port_ps
    partial = result.port_ps - result.stages @ ports
    counts = total[COUNTS].reshape(5, BLOCK_CLASSES)
    return EngineResult(
        makespan_ps=max(int(total[END] + total[TAIL]) // cores, int(end.max())),
        stages=stages,
        waits_ps=waits,
        end_ps=end,
        worked_ps=worked,
        mac_ps=mac,
        port_ps=stages @ ports
        + shared(partial[:, None], total[PARTIAL_PORT : PARTIAL_PORT + 1])[:, 0],
        requests=counts[0],
        misses=np.minimum(counts[1], counts[0]),
        far=np.minimum(counts[2], counts[0]),
        written=counts[3],
        dram_written=counts[4],
        evictions=int(total[EVICTIONS]),
        in_flight_hits=int(total[IN_FLIGHT]),
        ties=int(total[TIES]),
    )
