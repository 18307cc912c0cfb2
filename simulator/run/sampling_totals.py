"""What a run counts in all, where lines through several runs lead, and whose cores' it is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simulator.engine.result import EngineResult
from simulator.schedule.partition import IntArray
from simulator.schedule.program import Program


class Totals(NamedTuple):
    """What a run counts, over all cores: all of it grows linearly with the sides of the grid.

    Attributes
    ----------
    end_ps, tail_ps : int
        Of every core, until its last epilogue, and from then until the run ends.
    block_port_ps : int
        How long ports were busy with partial sums, and with outputs that are added to.
    all_bytes : int
        Bytes of all blocks.
    waits_ps, stages : array
        By kind of wait and of stage.
    requests, misses, multicast, far, written, dram_written : array
        By block class.
    """

    end_ps: int
    tail_ps: int
    block_port_ps: int
    all_bytes: int
    evictions: int
    in_flight_hits: int
    ties: int
    waits_ps: IntArray
    stages: IntArray
    requests: IntArray
    misses: IntArray
    multicast: IntArray
    far: IntArray
    written: IntArray
    dram_written: IntArray

    @classmethod
    def of(cls, program: Program, result: EngineResult) -> Totals:
        end_ps = int(result.end_ps.sum())
        return cls(
            end_ps=end_ps,
            tail_ps=program.cores * result.makespan_ps - end_ps,
            block_port_ps=int(_block_port_ps(program, result).sum()),
            all_bytes=program.all_bytes,
            evictions=result.evictions,
            in_flight_hits=result.in_flight_hits,
            ties=result.ties,
            waits_ps=result.waits_ps.sum(axis=0),
            stages=result.stages.sum(axis=0),
            requests=result.requests,
            misses=result.misses,
            multicast=result.multicast,
            far=result.far,
            written=result.written,
            dram_written=result.dram_written,
        )

    def beyond(self, long: Totals, factor: int) -> Totals:
        """On the line from these through those of a longer side, ``factor`` of their steps on."""

        def on_line(short: Any, long: Any) -> Any:
            there = short + (long - short) * factor
            return max(there, 0) if isinstance(there, int) else np.maximum(there, 0)

        return Totals(*(on_line(*both) for both in zip(self, long, strict=True)))

    def spread(self, program: Program, result: EngineResult, *, in_k: bool) -> EngineResult:
        """Over the cores, from the longest run: all of it deeper, if only k was cut; else what is
        missing in equal shares, as waves deal it out."""
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

        stages = shared(result.stages, self.stages)
        waits = shared(result.waits_ps, self.waits_ps)
        block_port = shared(
            _block_port_ps(program, result)[:, None], np.array([self.block_port_ps])
        )[:, 0]
        worked = stages @ program.stage_ps
        end = worked + waits.sum(axis=1)
        return EngineResult(
            makespan_ps=max((self.end_ps + self.tail_ps) // cores, int(end.max())),
            stages=stages,
            waits_ps=waits,
            end_ps=end,
            worked_ps=worked,
            mac_ps=stages @ program.mac_ps,
            port_ps=stages @ (program.rows_port_ps + program.columns_port_ps) + block_port,
            requests=self.requests,
            misses=np.minimum(self.misses, self.requests),
            multicast=self.multicast,
            far=np.minimum(self.far, self.requests),
            written=self.written,
            dram_written=self.dram_written,
            left=np.zeros_like(result.left),  # not known of the whole
            foreign_evicted=0,
            evictions=self.evictions,
            in_flight_hits=self.in_flight_hits,
            ties=self.ties,
        )


def _block_port_ps(program: Program, result: EngineResult) -> IntArray:
    """How long every core's port was busy with all but the stages' blocks."""
    return result.port_ps - result.stages @ (program.rows_port_ps + program.columns_port_ps)
