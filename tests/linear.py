"""An engine whose counters are linear in every side of the grid of tiles, by a formula."""

from __future__ import annotations

import numpy as np
from machines import tiny

from simulator.engine.result import EngineResult
from simulator.hardware import Hardware
from simulator.schedule.mapping import Mapping
from simulator.schedule.partition import TileGrid
from simulator.schedule.program import Program
from simulator.sparsity import DENSE
from simulator.workload import Matmul
from simulator.workload.lowering import GemmProblem, lower

MAPPING = Mapping(16, 16, 32, 8, 8)


def batch_of(hardware: Hardware, rows: int, columns: int, stages: int, gemms: int) -> GemmProblem:
    """Full tiles of the mapping above."""
    layer = Matmul("g", m=16 * rows, n=16 * columns, k=32 * stages, batch=gemms)
    return lower(layer, DENSE, hardware).problem


class Linear:
    """Counts as a formula has it, and remembers which grids it was asked for.

    ``bend_ps`` adds that much time for the square of the number of tiles and stages.
    """

    def __init__(self, bend_ps: int = 0) -> None:
        self.bend_ps = bend_ps
        self.asked: list[TileGrid] = []
        self.programs: list[Program] = []

    def __call__(self, program: Program) -> EngineResult:
        grid, cores = program.grid, program.cores
        self.asked.append(grid)
        self.programs.append(program)
        sides = [(grid.rows - 1, 1), (grid.columns - 1, 1), (grid.stages - 1, 1)]
        classes = [
            grid.count * sides[0][c >> 2] * sides[1][c >> 1 & 1] * sides[2][c & 1] for c in range(8)
        ]

        def shared(totals: list[int]) -> np.ndarray:
            total = np.array(totals, dtype=np.int64)
            return total // cores + (np.arange(cores)[:, None] < total % cores)

        a, b, c, d = grid.stages, grid.columns, grid.rows, grid.count
        stages = shared(classes)
        waits = shared([3 * a * b * c * d, 5 * b * c * d + a, 7 * a * b + 11 * d, 13 * a * c * d])
        waits[0, 0] += self.bend_ps * (a * b * c * d) ** 2
        worked = stages @ program.stage_ps
        end = worked + waits.sum(axis=1)
        ports = program.rows_port_ps + program.columns_port_ps
        kinds = np.arange(16)
        return EngineResult(
            makespan_ps=(int(end.sum()) + self.tail_ps(grid)) // cores,
            stages=stages,
            waits_ps=waits,
            end_ps=end,
            worked_ps=worked,
            mac_ps=stages @ program.mac_ps,
            port_ps=stages @ ports + shared([17 * b * c * d])[:, 0],
            requests=kinds + 9 * a * b * c * d,
            misses=kinds + a * b * (c + d) + self.bend_ps * (a * b * c * d) ** 2 * (kinds == 1),
            multicast=kinds + 4 * a * b * c * d,
            far=kinds + 2 * a * b * c * d,
            written=kinds * b * c * d,
            dram_written=kinds * c * d,
            left=np.zeros((2, kinds.size), dtype=np.int64),
            foreign_evicted=0,
            evictions=a * b * c * d,
            in_flight_hits=19 * a * b,
            ties=23 * c * d + a,
        )

    def tail_ps(self, grid: TileGrid) -> int:
        """What of all cores' time comes after their ends: so much for every tile of the last wave.

        No line, but the same for two grids of which the last waves are as full.
        """
        return 4 * (10**6 + 1000 * (grid.tiles % 4))


def fast_memory(**changes: object) -> Hardware:
    """Four cores, whose memory is so fast that no queue is ever busy for long."""
    memory = {
        "memory__l2__bytes_per_cycle": 1e6,
        "memory__dram__bytes": 2**40,
        "memory__dram__bytes_per_second": 1e15,
    }
    return tiny(**{"core__count": 4, **memory, **changes})
