"""Real masks become stage costs: which rows wait for which, stage by stage.

Rows of W advance in blocks of ``lockstep_rows``. In every group a block takes as many slots as its
fullest row has non-zeros; over a stage these add up, and whole instructions take them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from simulator.errors import MappingError
from simulator.hardware import Hardware
from simulator.partition import IntArray, TileGrid
from simulator.sparsity import SAMPLED_FETCHES
from simulator.timing import StageWork, masked_work, stage_cost
from simulator.workload.lowering import GemmProblem

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MaskedCosts:
    """What masks change.

    Attributes
    ----------
    row_costs_ps : array (2, count * rows * stages, 2)
        Stage and MAC time by (last column or not, rows block).
    macs_executed : int
        Of the whole problem, waiting rows included.
    slots_used : int
        Non-zeros times columns: the useful part of them.
    """

    row_costs_ps: IntArray
    macs_executed: int
    slots_used: int


def masked_costs(
    hardware: Hardware,
    problem: GemmProblem,
    grid: TileGrid,
    works: list[StageWork],
    mask: Mask,
) -> MaskedCosts:
    """Costs of every stage of every tile row under a mask.

    Parameters
    ----------
    works : list of StageWork
        By stage class, as if every slot were used.
    mask : array (count * m, k), uint8
        1 where a weight is not zero; k with the channel padding of convolutions.

    Raises
    ------
    MappingError
        If tile rows do not hold whole blocks of lockstep rows.
    """
    from simulator.weights.kernels import stage_slots  # imports numba

    lanes, step = hardware.sparsity.lockstep_rows, _step(hardware, problem)
    if grid.tile_m % lanes:
        raise MappingError(
            "sparsity.lockstep_rows",
            "must divide tile_m, so that a tile holds whole blocks",
            got=lanes,
            want=f"a divisor of {grid.tile_m}",
        )
    assert mask.shape == (grid.count * grid.m, grid.k), (mask.shape, grid)
    # Without groups, rows wait for each other at the end of a stage only.
    group = grid.tile_k if problem.pattern.gathers else problem.pattern.group
    row_steps = np.empty((grid.count, grid.rows, grid.stages), dtype=np.int64)
    for gemm in range(grid.count):
        part = mask[gemm * grid.m : (gemm + 1) * grid.m]
        slots = stage_slots(part, group, lanes, grid.tile_k // group)
        steps = -(-slots // step)
        starts = np.arange(0, steps.shape[0], grid.tile_m // lanes)
        row_steps[gemm] = np.add.reduceat(steps, starts, axis=0)
    costs = np.empty((2, row_steps.size, 2), dtype=np.int64)
    executed = 0
    for last_column in (0, 1):
        columns = 1 if last_column else grid.columns - 1
        for last_row, last_stage in ((0, 0), (0, 1), (1, 0), (1, 1)):
            work = works[4 * last_row + 2 * last_column + last_stage]
            where = _where(grid, last_row, last_stage)
            if not where.size:
                continue
            unique, inverse = np.unique(row_steps.ravel()[where], return_inverse=True)
            table = np.empty((unique.size, 2), dtype=np.int64)
            macs = np.empty(unique.size, dtype=np.int64)
            for index, count in enumerate(unique.tolist()):
                masked = masked_work(work, count, lanes, step)
                cost = stage_cost(hardware, problem, masked)
                table[index] = cost.stage_ps, cost.mac_ps
                macs[index] = masked.macs_executed
            costs[last_column, where] = table[inverse]
            executed += columns * int(macs[inverse].sum())
    used = int(np.count_nonzero(mask)) * grid.n
    return MaskedCosts(costs, executed, used)


def _step(hardware: Hardware, problem: GemmProblem) -> int:
    return hardware.core.tensor_cores.instructions[problem.dtype].k


def _where(grid: TileGrid, last_row: int, last_stage: int) -> IntArray:
    """Ids of the rows blocks of one kind of edge."""
    rows = [grid.rows - 1] if last_row else list(range(grid.rows - 1))
    stages = [grid.stages - 1] if last_stage else list(range(grid.stages - 1))
    gemm, row, stage = np.meshgrid(range(grid.count), rows, stages, indexing="ij")
    ids: IntArray = ((gemm * grid.rows + row) * grid.stages + stage).ravel().astype(np.int64)
    return ids


def real_conflicts(mask: Mask, ways: int) -> Fraction:
    """Mean cycles of a wave of ``ways`` fetches of the rows of X that real weights need.

    As `simulator.sparsity.bank_conflicts`, on the non-zeros of a mask: slot j of ``ways``
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
