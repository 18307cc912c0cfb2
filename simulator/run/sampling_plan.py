"""Which part of a large GEMM is simulated: which sides of its grid of tiles are cut, and how far.

Every side that is too long is cut to two lengths, on whose line the true one lies. The best cuts
extrapolate least, along the sides where that is safest, within a budget of stages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from math import gcd, lcm, prod
from typing import NamedTuple, TypeVar

from simulator.hardware import Hardware, Library
from simulator.schedule.mapping import Mapping
from simulator.schedule.offers import Offers, stages_of
from simulator.schedule.partition import DISPATCH, Cluster, TileGrid
from simulator.units import ceil_div
from simulator.workload.lowering import GemmProblem

Value = TypeVar("Value")

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

STAGES_WEIGHT, COLUMNS_WEIGHT, ROWS_WEIGHT, GEMMS_WEIGHT = 0.02, 6.0, 1.0, 1.0
"""How bad a cut of each side is. Fitted to 62 large GEMMs that were simulated whole, too, as are
the next ones."""

MULTIPLES = tuple(4**power for power in range(8))
"""Of a band, a wave of columns or a GEMM: what the steps along those sides may be."""

SAFETY, ROUGH_SAFETY = 3.0, 1.4
"""By how much cuts to safe lengths may exceed the budget before shorter ones are taken; the second
where no error is asked for."""


@dataclass(frozen=True)
class Whole:
    """The GEMM that is too large, on its machine; swapped already, if its mapping swaps."""

    hardware: Hardware
    library: Library
    problem: GemmProblem
    mapping: Mapping

    @cached_property
    def grid(self) -> TileGrid:
        return self.mapping.grid(self.problem)

    @cached_property
    def cluster(self) -> Cluster:
        """Tiles whose cores share what they read. Sides are cut in whole clusters, so that parts
        have them where the whole does."""
        return Cluster.of(self.library, self.grid)

    @property
    def cores(self) -> int:
        """Those that have work."""
        return self.cluster.working(self.hardware.core.count)

    @property
    def l2_bytes(self) -> int:
        return self.hardware.memory.l2.bytes

    @property
    def band(self) -> int:
        """Rows of tiles that are walked together."""
        return min(self.cluster.band(self.library.swizzle), self.grid.rows)

    @property
    def wave_columns(self) -> int:
        """Columns of tiles that a wave works on."""
        across = self.cluster.n
        return ceil_div(ceil_div(self.cores, self.band), across) * across

    @property
    def period(self) -> int:
        """Columns after which a band ends in the same place of a wave."""
        return lcm(self.cores // gcd(self.cores, self.band), self.cluster.n)

    @cached_property
    def exceeds_l2(self) -> bool:
        """Whether L2 cannot hold all of it."""
        grid = self.grid
        return self.footprint_bytes(grid.columns, grid.rows, grid.count) > self.l2_bytes

    @property
    def settles_late(self) -> bool:
        """Whether stages take longer where they miss L2 than where they hit it."""
        offers = Offers.of(self.hardware, self.library, [self.problem], [0], [self.mapping])
        stages = stages_of(self.hardware, self.library, self.problem, offers)
        return bool((stages.far_period > stages.near_period).any())

    def footprint_bytes(self, columns: int, rows: int, gemms: int) -> float:
        """Of all operands and outputs of so many tiles; metadata left aside."""
        problem, grid = self.problem, self.grid
        row_bits = grid.tile_m * problem.pattern.slots(grid.k) * problem.bits
        column_bits = grid.tile_n * grid.k * problem.bits
        if problem.unique_input_bytes is not None:  # a convolution's input, each element once
            input_bits = problem.unique_input_bytes * 8
            if problem.inputs_are_rows:
                row_bits = input_bits // grid.rows
            else:
                column_bits = input_bits // grid.columns
        outputs = rows * columns * grid.tile_m * grid.tile_n * problem.output_bits
        return gemms * (rows * row_bits + columns * column_bits + outputs) / 8


class Side(NamedTuple):
    """Two lengths of a side of the grid that stand for its true one, and a third that checks."""

    short: int
    long: int
    check: int
    factor: int  # (true - short) / (long - short), 0 where nothing is cut

    @classmethod
    def whole(cls, length: int) -> Side:
        return cls(length, length, length, 0)

    @classmethod
    def cut(cls, length: int, shortest: int, step: int, unit: int) -> Side | None:
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

    @property
    def near(self) -> range:
        """Lengths about as short as those that are simulated; one where nothing is cut."""
        return range(self.short, 2 * self.long - self.short + 1)


class Cuts(NamedTuple):
    """The sides of the grid, cut or whole."""

    stages: Side
    columns: Side
    rows: Side
    gemms: Side

    @property
    def tiles(self) -> tuple[Side, Side, Side]:
        """The sides along which there are tiles."""
        return self.columns, self.rows, self.gemms

    @property
    def cost(self) -> int:
        """Stages to simulate."""
        checks = prod(side.short for side in self)
        checks = sum(checks * side.check // side.short for side in self if side.factor)
        return prod(side.simulated for side in self) + checks

    @property
    def cuts_tiles(self) -> bool:
        return any(side.factor for side in self.tiles)

    @property
    def cuts_nothing(self) -> bool:
        return not any(side.factor for side in self)

    def badness(self, period: int) -> float:
        """How far it extrapolates.

        k is the safest side to cut. Columns are the least safe, since where in a wave a band ends
        decides what the wave reads: doubly so if what is cut is no multiple of the ``period``
        after which bands end in the same place.
        """
        in_phase = (self.columns.long - self.columns.short) % period == 0
        columns_weight = COLUMNS_WEIGHT * (1 if in_phase else 2)
        weights = (STAGES_WEIGHT, columns_weight, ROWS_WEIGHT, GEMMS_WEIGHT)
        return sum(w * side.factor for w, side in zip(weights, self, strict=True))


def extrapolated(
    sides: Sequence[Side],
    at: Callable[..., Value],
    beyond: Callable[[Value, Value, int], Value],
) -> Value:
    """What ``at`` gives at the true lengths of sides, from what it gives at the simulated ones.

    ``beyond(short, long, factor)`` is the value ``factor`` steps from the short length's.
    """
    if not sides:
        return at()
    side, others = sides[0], sides[1:]
    long = extrapolated(others, partial(at, side.long), beyond)
    if not side.factor:
        return long
    return beyond(extrapolated(others, partial(at, side.short), beyond), long, side.factor)


def cuts_of(whole: Whole, budget: int, safety: float = SAFETY) -> tuple[Cuts, bool]:
    """Cuts that extrapolate least within the budget, or else the cheapest; and if they are safe.

    Where cuts to safe lengths cost much more than the budget, shorter ones are taken; but tiles
    that are long in settling stay as deep.
    """
    grid, wave, settles_late = whole.grid, whole.wave_columns, whole.settles_late
    deep = (SETTLING_STAGES if settles_late else SHORTEST_STAGES) * grid.splits
    lengths = [
        (_fewest_columns(whole, wave), deep),
        (wave, deep if settles_late else deep // 2),
    ]
    for fewest_columns, fewest_stages in lengths:
        offered = [Cuts(*sides) for sides in product(*_sides(whole, fewest_columns, fewest_stages))]
        offered = [cuts for cuts in offered if _is_large_enough(whole, cuts)]
        affordable = [cuts for cuts in offered if cuts.cost <= budget]
        cheapest = min(offered, key=lambda cuts: cuts.cost)
        if affordable or cheapest.cost <= safety * budget:
            break
    best = cheapest
    if affordable:
        best = min(affordable, key=lambda cuts: (cuts.badness(whole.period), -cuts.cost))
    return best, (fewest_columns, fewest_stages) == lengths[0]


def _sides(whole: Whole, fewest_columns: int, fewest_stages: int) -> list[list[Side]]:
    """What every side may be cut to, besides not at all."""
    grid, cores, band = whole.grid, whole.cores, whole.band
    wave, period = whole.wave_columns, whole.period
    columns_at_once = sorted({period, wave}) if period <= 2 * wave else [wave]
    # Bands, and GEMMs, after which a wave begins in the same place.
    bands_at_once = sorted({*MULTIPLES, 2, cores // gcd(cores, band * grid.columns)})
    gemms_at_once = sorted({*MULTIPLES, 2, cores // gcd(cores, grid.rows * grid.columns)})
    depths = [fewest_stages << doubled for doubled in range(16)]
    options = (
        (grid.stages, [(depth, depth, grid.splits) for depth in depths]),
        (
            grid.columns,
            [
                (fewest_columns * n, size * n, whole.cluster.n)
                for n in MULTIPLES
                for size in columns_at_once
            ],
        ),
        (grid.rows, [(2 * band * n, band * n, band) for n in bands_at_once]),
        (grid.count, [(2 * n, n, 1) for n in gemms_at_once]),
    )
    sides = []
    for length, cuts in options:
        found = [Side.cut(length, *cut) for cut in cuts]
        sides.append([Side.whole(length), *(side for side in found if side is not None)])
    return sides


def _is_large_enough(whole: Whole, cuts: Cuts) -> bool:
    """Whether the smallest run fills cores and L2 as the whole GEMM does."""
    if not cuts.cuts_tiles:
        return True
    # Out of waves, what a core owns follows from how many tiles there are.
    if not DISPATCH[whole.library.dispatch].in_waves:
        return False
    columns, rows, gemms = (side.short for side in cuts.tiles)
    if whole.grid.splits * columns * rows * gemms < FEWEST_WAVES * whole.cores:
        return False
    if not whole.exceeds_l2:
        return True
    return whole.footprint_bytes(columns, rows, gemms) >= FILLED_L2 * whole.l2_bytes


def _fewest_columns(whole: Whole, wave: int) -> int:
    """To how few columns the grid may be cut: none, if fewer would stay in L2 from band to band."""
    problem, grid, l2_bytes = whole.problem, whole.grid, whole.l2_bytes
    band_bytes = whole.band * grid.tile_m * problem.pattern.slots(grid.k) * problem.bits // 8
    column_bytes = grid.tile_n * grid.k * problem.bits // 8
    if grid.rows <= whole.band or band_bytes + grid.columns * column_bytes < l2_bytes // 2:
        return wave
    return max(wave, (3 * l2_bytes // 2 - band_bytes) // column_bytes + 1)
