"""Real masks become stage costs: which rows wait for which, stage by stage.

Rows of W advance in blocks of ``lockstep_rows``. In every group a block takes as many slots as its
fullest row has non-zeros; over a stage these add up, and whole instructions take them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from simulator.errors import MappingError
from simulator.hardware import Hardware
from simulator.schedule.classes import STAGE_CLASSES, StageClass
from simulator.schedule.partition import IntArray, TileGrid
from simulator.schedule.timing import StageCost, StageWork, stage_cost
from simulator.workload.gathered import SAMPLED_FETCHES, Gathered
from simulator.workload.lowering import GemmProblem

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MaskedStages:
    """What masks change: stages of one class differ in how many steps their rows take.

    Attributes
    ----------
    kinds : array (2, count * rows * stages), int32
        Which of the stages below a stage is, by (last column or not, rows block).
    works, costs : tuple
        Of every kind of stage.
    slots_used : int
        Non-zeros times columns: the useful part of what is executed.
    """

    kinds: npt.NDArray[np.int32]
    works: tuple[StageWork, ...]
    costs: tuple[StageCost, ...]
    slots_used: int


def masked_stages(
    hardware: Hardware,
    problem: GemmProblem,
    grid: TileGrid,
    works: Sequence[StageWork],
    mask: Mask,
) -> MaskedStages:
    """Work and cost of every stage of every tile row under a mask.

    Parameters
    ----------
    works : sequence of StageWork
        By stage class, as if every slot were used.
    mask : array (count * m, k), uint8
        1 where a weight is not zero; k with the channel padding of convolutions.

    Raises
    ------
    MappingError
        If tile rows do not hold whole blocks of lockstep rows.
    """
    assert mask.shape == (grid.count * grid.m, grid.k), (mask.shape, grid)
    lanes, step = hardware.sparsity.lockstep_rows, _step(hardware, problem)
    row_steps = _row_steps(problem, grid, mask, lanes, step)
    kinds = np.empty((2, row_steps.size), dtype=np.int32)
    found_works: list[StageWork] = []
    found_costs: list[StageCost] = []
    for edges, work in zip(STAGE_CLASSES, works, strict=True):
        where = _rows_blocks(grid, edges)
        counts, which = np.unique(row_steps[where], return_inverse=True)
        kinds[int(edges.last_column), where] = len(found_works) + which
        for count in counts.tolist():
            masked = _masked_work(work, count, lanes, step, gathers=problem.gathers)
            found_works.append(masked)
            found_costs.append(stage_cost(hardware, problem, masked))
    used = int(np.count_nonzero(mask)) * problem.own.n
    return MaskedStages(kinds, tuple(found_works), tuple(found_costs), used)


def _masked_work(
    work: StageWork, row_steps: int, lockstep_rows: int, step: int, *, gathers: bool
) -> StageWork:
    """A stage's work where real non-zeros decide how many steps its rows take.

    Parameters
    ----------
    row_steps : int
        Steps summed over the stage's blocks of lockstep rows; each block waits for its fullest row.
    lockstep_rows : int
        Rows of a block.
    step : int
        Slots of a step (instruction_k).
    gathers : bool
        Every slot has activations of its own, as zeros anywhere need.

    Notes
    -----
    Slots, metadata and accumulators pass to the tensor cores once a step; so do gathered
    activations, while those of a group pass whole. What is stored, and with it what enters and
    leaves the scratchpad, does not depend on which slots hold zeros.
    """
    full = work.executed_m * work.steps
    share = Fraction(row_steps * lockstep_rows, full) if full else Fraction(0)
    return replace(
        work,
        macs_executed=row_steps * lockstep_rows * step * work.executed_n,
        rows_operand_bits=math.ceil(work.rows_operand_bits * share),
        metadata_operand_bits=math.ceil(work.metadata_operand_bits * share),
        columns_operand_bits=math.ceil(work.columns_operand_bits * (share if gathers else 1)),
        accumulator_bits=math.ceil(work.accumulator_bits * share),
    )


def _row_steps(problem: GemmProblem, grid: TileGrid, mask: Mask, lanes: int, step: int) -> IntArray:
    """Steps of every rows block, summed over its blocks of lockstep rows."""
    from simulator.weights.kernels import stage_slots  # imports numba

    if grid.tile_m % lanes:
        raise MappingError(
            "sparsity.lockstep_rows",
            "must divide tile_m, so that a tile holds whole blocks",
            got=lanes,
            want=f"a divisor of {grid.tile_m}",
        )
    # Without groups, rows wait for each other at the end of a stage only.
    pattern = problem.pattern
    group = grid.tile_k if isinstance(pattern, Gathered) else pattern.group
    row_steps = np.empty((grid.count, grid.rows, grid.stages), dtype=np.int64)
    for gemm in range(grid.count):
        part = mask[gemm * grid.m : (gemm + 1) * grid.m]
        steps = -(-stage_slots(part, group, lanes, grid.tile_k // group) // step)
        starts = np.arange(0, steps.shape[0], grid.tile_m // lanes)
        row_steps[gemm] = np.add.reduceat(steps, starts, axis=0)
    return row_steps.ravel()


def _step(hardware: Hardware, problem: GemmProblem) -> int:
    return hardware.core.tensor_cores.instructions[problem.dtype].k


def _rows_blocks(grid: TileGrid, edges: StageClass) -> IntArray:
    """Ids of the rows blocks at those edges, and at no others."""
    ids = np.arange(grid.columns_base).reshape(grid.count, grid.rows, grid.stages)
    last, others = slice(-1, None), slice(-1)
    rows = last if edges.last_row else others
    return ids[:, rows, last if edges.last_stage else others].ravel()


def real_conflicts(mask: Mask, ways: int) -> Fraction:
    """Mean cycles of a wave of ``ways`` fetches of the rows of X that real weights need.

    As `simulator.workload.gathered.bank_conflicts`, on the non-zeros of a mask: slot j of ``ways``
    consecutive rows of W at a time, as far as the shortest of them goes.

    Parameters
    ----------
    mask : array (rows, k), uint8
    ways : int
        Fetches that the scratchpad could serve in a cycle if all banks were distinct.
    """
    waves = cycles = 0
    for top in range(0, mask.shape[0] - ways + 1, ways):
        indices = [np.flatnonzero(row) for row in mask[top : top + ways]]
        slots = min(len(row) for row in indices)
        if slots:
            banks = np.sort(np.stack([row[:slots] for row in indices]) % ways, axis=0)
            fullest = run = np.ones(slots, dtype=np.int64)
            for upper, lower in pairwise(banks):
                run = np.where(upper == lower, run + 1, 1)
                fullest = np.maximum(fullest, run)
            waves, cycles = waves + slots, cycles + int(fullest.sum())
        if waves * ways >= SAMPLED_FETCHES:
            break
    return Fraction(cycles, waves) if waves else Fraction(1)
