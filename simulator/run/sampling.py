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
from functools import partial
from itertools import product
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.engine.result import EngineResult
from simulator.errors import MappingError, WorkloadError
from simulator.hardware import Hardware, Library
from simulator.run.sampling_plan import (
    ROUGH_SAFETY,
    SAFETY,
    Cuts,
    Side,
    Whole,
    cuts_of,
    extrapolated,
)
from simulator.run.sampling_totals import Totals
from simulator.schedule.classes import BLOCKS_OF, COLUMNS, OUTPUTS, PARTIALS, ROWS, STAGE_CLASSES
from simulator.schedule.limits import check_dram
from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import DISPATCH
from simulator.schedule.program import Program, gemm_program
from simulator.units import ceil_div
from simulator.workload.lowering import GemmProblem

Engine = Callable[[Program], EngineResult]


class Errors(NamedTuple):
    """Of time and of DRAM bytes, relative."""

    time: float = 0.0
    dram: float = 0.0

    def within(self, most: Errors) -> bool:
        """Whether neither is larger."""
        return self.time <= most.time and self.dram <= most.dram


SAFE_REUSE = 0.5
"""Share of a wave's blocks below which L2 keeps none of them for the next wave, under LRU."""

MOST_STAGES = 10**12
"""Of a GEMM whose totals fit in 62 bits, at a microsecond a stage."""

TIME_FLOOR_RATIO, DRAM_FLOOR_RATIO = 0.009, 0.03
UNEVEN_TIME_FLOOR_RATIO, UNEVEN_DRAM_FLOOR_RATIO = 0.03, 0.45
SHORT_TIME_FLOOR_RATIO, SHORT_DRAM_FLOOR_RATIO = 0.1, 0.65
DRAM_CAUTION = 2.0
"""Estimated errors are at least the floors; the second where tiles take unequally long, so that
cores fall out of step and share less and less of what they read, the third where runs are shorter
than is safe. What the check says of DRAM counts double. Set by hand until they covered most of
those GEMMs and of some hundred random ones."""


NONE: Final = Errors()


@dataclass(frozen=True)
class Estimate:
    """Counters of a run, exact or extrapolated, and how far off they may be.

    Attributes
    ----------
    program : Program
        Of the true tables, for a report; its queues may be those of a part.
    time_error_ratio, dram_error_ratio : float
        Estimated relative error of time and of DRAM bytes; 0 where all was simulated.
    checked : Errors
        How far off the line through two runs a third one of each side was.
    runs : int
        Of how many executions this is the mean; what passed DRAM is that of all.
    """

    program: Program
    result: EngineResult
    time_error_ratio: float = 0.0
    dram_error_ratio: float = 0.0
    checked: Errors = NONE
    runs: int = 1

    @property
    def errors(self) -> Errors:
        """The estimated ones."""
        return Errors(self.time_error_ratio, self.dram_error_ratio)

    def apart(self, other: Estimate) -> Errors:
        """By how much another one differs."""
        time, dram = self.result.makespan_ps, self._dram_bytes
        return Errors(
            abs(other.result.makespan_ps / time - 1), abs(other._dram_bytes / max(1, dram) - 1)
        )

    @property
    def _dram_bytes(self) -> int:
        passed = self.result.misses + self.result.dram_written
        return int((passed * self.program.block_bytes).sum())


class Run(NamedTuple):
    """A part of the GEMM, simulated."""

    program: Program
    result: EngineResult
    totals: Totals


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
    whole = Whole(hardware, library, problem, mapping)
    grid = whole.grid
    stages = grid.outputs * grid.stages
    if stages > MOST_STAGES:
        raise WorkloadError(
            f"gemm {grid.m}x{grid.n}x{grid.k} x {grid.count}",
            f"too large even to sample: {stages} stages",
            want=f"at most {MOST_STAGES} stages",
        )
    if stages > budget_stages:
        cuts, is_safe = cuts_of(whole, budget_stages, SAFETY if check else ROUGH_SAFETY)
        if not cuts.cuts_nothing:
            return _Sampler(whole, cuts, engine).estimate(check, is_safe)
    program = gemm_program(hardware, library, problem, mapping)
    return Estimate(program, engine(program))


class _Sampler:
    """The runs that cuts of a GEMM ask for, each simulated once."""

    def __init__(self, whole: Whole, cuts: Cuts, engine: Engine) -> None:
        self.whole, self.grid, self.cuts, self.engine = whole, whole.grid, cuts, engine
        self.known: dict[tuple[int, ...], Run] = {}

    @property
    def longest(self) -> Run:
        return self._run(*(side.long for side in self.cuts))

    def estimate(self, check: bool, is_safe: bool) -> Estimate:
        """Simulate what the cuts ask for, and extrapolate."""
        total = extrapolated([self.cuts.stages], self._of_stages, Totals.beyond)
        misses = total.misses.copy()
        for operand, ratio in zip((ROWS, COLUMNS), self._phase_ratios(), strict=True):
            one = BLOCKS_OF[operand]
            misses[one] = np.rint(misses[one] * ratio)
        total = total._replace(misses=misses)
        errors = [self._error(side, at) for at, side in enumerate(self.cuts) if check]
        program, result, _ = self.longest
        check_dram(self.whole.hardware, total.all_bytes)
        if not total.end_ps < 2**62:
            raise MappingError("simulated time", "exceeds 62 bits of picoseconds")
        time_floor, dram_floor = TIME_FLOOR_RATIO, DRAM_FLOOR_RATIO
        if not keeps_step(program):
            time_floor, dram_floor = UNEVEN_TIME_FLOOR_RATIO, UNEVEN_DRAM_FLOOR_RATIO
        if not is_safe:
            time_floor, dram_floor = SHORT_TIME_FLOOR_RATIO, SHORT_DRAM_FLOOR_RATIO
        dram_error = sum(dram for _, dram in errors) * DRAM_CAUTION + dram_floor
        found = total.spread(program, result, in_k=not self.cuts.cuts_tiles)
        # No queue is busy for longer than the run; where DRAM is busy for most of it, what is not
        # known of its traffic is not known of the time.
        busy = busy_ps(program, found)
        time_ps = max(found.makespan_ps, *busy.values())
        time_error = time_floor + sum(time for time, _ in errors)
        time_error += time_ps / found.makespan_ps - 1
        if busy["dram"] > time_ps / 2:
            time_error += dram_error * busy["dram"] / time_ps
        checked = Errors(*(sum(error) for error in zip(*errors, strict=True))) if check else NONE
        return Estimate(
            program, replace(found, makespan_ps=time_ps), time_error, dram_error, checked
        )

    def _of_stages(self, stages: int) -> Totals:
        """Totals of all tiles, at so many stages along k."""
        total = extrapolated(self.cuts.tiles, partial(self._totals, stages), Totals.beyond)
        if not self.cuts.cuts_tiles:
            return total
        # The end of the last wave comes once, and depends on how full that wave is.
        return total._replace(tail_ps=self._totals(*self._last_wave(stages)).tail_ps)

    def _last_wave(self, stages: int) -> tuple[int, int, int, int]:
        """A few waves of tiles, of which the last is about as full as that of the whole GEMM."""
        columns, cores = self.cuts.columns.short, self.whole.cores
        want = self.grid.tiles % cores

        def apart(rows: int, gemms: int) -> int:
            """By how many tiles the last waves differ, around a full one."""
            tiles = self.grid.splits * columns * rows * gemms
            return abs((tiles - want + cores // 2) % cores - cores // 2)

        whole_clusters = self.cuts.rows.near[:: self.whole.cluster.m]
        lengths = product(whole_clusters, self.cuts.gemms.near)
        rows, gemms = min(lengths, key=lambda sides: (apart(*sides), sides))
        return stages, columns, rows, gemms

    def _phase_ratios(self) -> tuple[float, float]:
        """By how much the true (rows, columns) that miss exceed what the cut lengths suggest.

        Where L2 keeps nothing from wave to wave, every wave reads its rows and columns, and how
        many those are depends on where in a band it falls. Counting them needs no simulation.
        """
        grid, program = self.grid, self.longest.program
        dealt_in_waves = DISPATCH[self.whole.library.dispatch].in_waves and grid.splits == 1
        reads_anew = self._wave_bytes(program) * grid.stages > self.whole.l2_bytes
        if not (dealt_in_waves and keeps_step(program) and reads_anew):
            return 1.0, 1.0
        suggested = extrapolated(
            self.cuts.tiles,
            self._lines_of_waves,
            lambda short, long, factor: short + (long - short) * factor,
        )
        rows, columns = self._lines_of_waves(grid.columns, grid.rows, grid.count) / suggested
        return rows, columns

    def _lines_of_waves(self, columns: int, rows: int, gemms: int) -> npt.NDArray[np.float64]:
        """Rows and columns of tiles that waves of all cores touch, summed over waves."""
        band, cores, across = self.whole.band, self.whole.cores, self.whole.cluster.n
        heights = np.full(ceil_div(rows, band), band)
        heights[-1] = rows - (heights.size - 1) * band
        heights = np.tile(heights, gemms)
        ends = np.cumsum(heights * columns)
        first = np.arange(0, ends[-1], cores)
        last = np.minimum(first + cores, ends[-1]) - 1
        top, bottom = np.searchsorted(ends, first, "right"), np.searchsorted(ends, last, "right")
        starts = ends - heights * columns
        left = (first - starts[top]) // (heights[top] * across)
        right = (last - starts[bottom]) // (heights[bottom] * across)
        inside = (right - left + 1) * across
        around = np.where(bottom - top > 1, columns, np.minimum(columns, inside + columns))
        tall = np.cumsum(heights)
        return np.array(
            [
                (tall[bottom] - tall[top] + heights[top]).sum(),
                np.where(top == bottom, inside, around).sum(),
            ],
            dtype=np.float64,
        )

    def _error(self, side: Side, at: int) -> tuple[float, float]:
        """What a side's third length says of the line through the other two, at the true length."""
        if not side.factor:
            return 0.0, 0.0
        lengths = [one.short for one in self.cuts]
        points = []
        for lengths[at] in (side.short, side.long, side.check):
            points.append(np.array(self._figures(*lengths)))
        short, long, check = points
        line = short + (long - short) * side.factor
        steps = side.factor * (side.long - side.short) / (side.check - side.short)
        other = short + (check - short) * steps
        time, dram = (np.abs(other - line) / np.maximum(1.0, line)).tolist()
        return time, dram

    def _figures(self, *lengths: int) -> tuple[float, float]:
        """Time, but for the end of the last wave, and DRAM bytes."""
        sizes, totals = self.longest.program.block_bytes, self._totals(*lengths)
        dram_bytes = ((totals.misses + totals.dram_written) * sizes).sum()
        return float(totals.end_ps), float(dram_bytes)

    def _totals(self, *lengths: int) -> Totals:
        return self._run(*lengths).totals

    def _run(self, *lengths: int) -> Run:
        """Of the GEMM cut to so many stages, columns, rows and GEMMs."""
        if lengths not in self.known:
            program = self._program(*lengths)
            result = self.engine(self._shrunk(program))
            self.known[lengths] = Run(program, result, Totals.of(program, result))
        return self.known[lengths]

    def _program(self, stages: int, columns: int, rows: int, gemms: int) -> Program:
        """The GEMM cut to some lengths; edges stay as they are."""
        whole, grid = self.whole, self.grid
        part = replace(
            grid,
            m=grid.m - (grid.rows - rows) * grid.tile_m,
            n=grid.n - (grid.columns - columns) * grid.tile_n,
            k=grid.k - (grid.stages - stages) * grid.tile_k,
            count=gemms,
        )
        return gemm_program(whole.hardware, whole.library, whole.problem, whole.mapping, grid=part)

    def _shrunk(self, program: Program) -> Program:
        """On a machine whose L2 is as much smaller as the program is less deep."""
        if program.grid.stages == self.grid.stages:
            return program
        l2_bytes = self._l2_bytes(program)
        sizes = program.block_bytes.copy()
        for operand in (OUTPUTS, PARTIALS):
            one = BLOCKS_OF[operand]
            sizes[one] = sizes[one] * l2_bytes // program.l2_bytes
        return replace(program, l2_bytes=l2_bytes, block_bytes=sizes)

    def _l2_bytes(self, program: Program) -> int:
        """Capacity at which blocks are reused as in the whole GEMM.

        What one wave of tiles reads is reused by the next, if L2 holds it. Both shrink with k; but
        where L2 holds less than half of it, nothing is reused, and L2 need not shrink so far that
        cores that share blocks at a time lose them.
        """
        if self.grid.tiles <= self.whole.cores:  # one wave, which leaves nothing for another
            return program.l2_bytes
        stages, l2_bytes = program.grid.stages, program.l2_bytes
        least = int(SAFE_REUSE * self._wave_bytes(program) * stages)
        return min(l2_bytes, max(l2_bytes * stages // self.grid.stages, least))

    def _wave_bytes(self, program: Program) -> int:
        """Bytes that all cores read at one stage, each once."""
        grid, band, cores = self.grid, self.whole.band, self.whole.cores
        columns = min(grid.columns, self.whole.wave_columns)
        rows = min(grid.rows, band * ceil_div(cores, band * columns))
        one_row, one_column = (
            int(program.block_bytes[BLOCKS_OF[operand].start]) for operand in (ROWS, COLUMNS)
        )
        return rows * one_row + columns * one_column


def keeps_step(program: Program) -> bool:
    """Whether all tiles take equally long, so that cores that share blocks stay side by side.

    Edges that are done sooner put their cores out of step for all waves that follow.
    """
    times = zip(STAGE_CLASSES, program.stage_ps.tolist(), strict=True)
    return len({stage_ps for edges, stage_ps in times if not edges.last_stage}) == 1


def busy_ps(program: Program, result: EngineResult) -> dict[str, int]:
    """How long each queue was busy: those that cores share, and the busiest port."""
    return {
        "dram": int((program.dram_ps * result.misses).sum())
        + int((program.dram_write_ps * result.dram_written).sum())
        + int(program.foreign[: result.foreign_evicted, 1].sum()),
        "l2": int((program.l2_ps * (result.requests + result.written)).sum()),
        "link": int((program.link_ps * result.far).sum()),
        "port": int(result.port_ps.max()),
    }
