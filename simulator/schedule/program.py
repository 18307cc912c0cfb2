"""Everything that is decided before time zero, as plain integers and arrays for an engine.

An engine knows neither layers nor patterns: it sees cores that take tiles from queues, stages
that need a rows block and a columns block, and blocks that live in L2. What a stage or a block
costs depends only on its class (`schedule.classes`), so that costs are small tables. Real masks
divide the classes of stages into as many kinds as take different numbers of steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from operator import mul
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.hardware import Hardware, Library
from simulator.hardware.library import Kernels
from simulator.schedule.bench import Bench
from simulator.schedule.blocks import Blocks, MemoryTimes
from simulator.schedule.classes import FIRST_STAGE, stage_code
from simulator.schedule.laid import Laid, laid_gemm, laid_stream
from simulator.schedule.limits import check_dram, check_time
from simulator.schedule.mapping import Mapping, restart_ps
from simulator.schedule.masking import Mask, MaskedStages
from simulator.schedule.partition import DISPATCH, Cluster, IntArray, Place, Queues, TileGrid
from simulator.schedule.tables import StageTables, int_array
from simulator.schedule.timing import StageCost, StageWork
from simulator.schedule.warm import first_uses
from simulator.units import ns_to_ps
from simulator.workload.layer import Stream
from simulator.workload.lowering import GemmProblem

NO_KINDS: Final = np.zeros((2, 0), dtype=np.int32)
NO_BLOCKS: Final = np.zeros(0, dtype=np.int64)
NO_FOREIGN: Final = np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True)
class Program:
    """One launch, ready to run.

    Times are picoseconds. Ids of tiles and blocks are those of the grid. ``block_class`` has the
    class of every block; the tables of blocks have a place a class. ``passed_bytes`` are what a
    request takes through L2: of gathered activations less than what the block holds.
    ``block_port_ps`` is the time at a core's port of blocks that no stage asks for: partial sums,
    and outputs that are read because the product is added to them (``accumulates``). Each
    ``cluster_cores`` consecutive cores are a cluster and take tiles that lie side by side, in equal
    turns: of a turn's stage L2 sends them each block once.

    At time 0 L2 holds ``warm_blocks``, oldest first; the ``warm_dirty`` ones are written to DRAM
    when they leave. Older than those are ``foreign`` blocks that no stage asks for, a row each,
    oldest first: bytes, and the time at DRAM that writing it takes, 0 where it is clean.

    ``works``, ``costs`` and the tables of stages have a place a *kind* of stage. The kind is the
    class; where a tile keeps its rows, `FIRST_STAGE` more at its first stage; where real masks make
    stages of a class unequal, it is ``masked_kinds[last_column, rows_block]``.
    """

    cores: int
    cluster: Cluster
    grid: TileGrid
    queues: Queues
    split_bounds: IntArray
    restart_ps: int  # of a second kernel, which adds up partial sums
    # Core
    stage_buffers: int
    accumulator_sets: int
    prefetch: bool
    async_copies: bool
    issue_ps: int
    drain_ps: int
    stage_ps: IntArray
    mac_ps: IntArray
    prologue_ps: IntArray
    masked_kinds: npt.NDArray[np.int32]
    rows_port_ps: IntArray
    columns_port_ps: IntArray
    hold_ps: IntArray
    block_port_ps: IntArray
    accumulates: bool
    # Memory
    block_class: npt.NDArray[np.uint8]
    block_bytes: IntArray
    dram_ps: IntArray
    dram_write_ps: IntArray
    l2_ps: IntArray
    link_ps: IntArray
    l2_bytes: int
    l2_latency_ps: int
    far_latency_ps: int
    halves: bool
    dram_latency_ps: int
    writes_to_dram: bool
    warm_blocks: IntArray
    warm_dirty: npt.NDArray[np.bool_]
    foreign: IntArray
    # For the report only
    blocks: Blocks = field(compare=False)
    stages: StageTables = field(compare=False)

    def but(self, **changes: Any) -> Program:
        """The same with other values of some fields: as `replace`, which takes as long as running a
        small program does."""
        twin = object.__new__(Program)
        twin.__dict__.update(self.__dict__, **changes)
        return twin

    @property
    def cluster_cores(self) -> int:
        """Cores of a cluster; 1 where each is on its own."""
        return self.cluster.cores

    @property
    def works(self) -> tuple[StageWork, ...]:
        """What stages move and execute, by kind."""
        return self.stages.works

    @property
    def costs(self) -> tuple[StageCost, ...]:
        """What stages take, by kind."""
        return self.stages.costs

    @property
    def masked(self) -> MaskedStages | None:
        """What real masks change."""
        return self.stages.masked

    @property
    def metadata_bytes(self) -> IntArray:
        """How much of a block is metadata, by class."""
        return self.blocks.sizes.metadata

    @property
    def passed_bytes(self) -> IntArray:
        """What of a block one request takes through L2, by class."""
        return self.blocks.sizes.passed

    @property
    def is_masked(self) -> bool:
        """Whether stages cost what their real non-zeros cost."""
        return self.masked is not None

    def stage_kind(self, place: Place, stage: int) -> int:
        """The kind of a tile's stage, which is the stage-th of all of k."""
        if self.is_masked:
            return int(self.masked_kinds[int(place.last_column), place.rows_block + stage])
        code = stage_code(place.last_row, place.last_column, stage == self.grid.stages - 1)
        return code + FIRST_STAGE * (self.grid.keeps_rows and stage == place.stages[0])

    @property
    def stage_events(self) -> int:
        """Stages in all: every tile's, over its splits."""
        return self.grid.stage_events

    @cached_property
    def all_bytes(self) -> int:
        """Bytes of all blocks."""
        return sum(map(mul, self.blocks.counts, self.block_bytes.tolist()))

    @property
    def fits_l2(self) -> bool:
        """Whether none of its blocks can ever be evicted, so that recency does not matter."""
        return self.all_bytes <= self.l2_bytes


def gemm_program(
    hardware: Hardware,
    library: Library,
    problem: GemmProblem,
    mapping: Mapping,
    mask: Mask | None = None,
    grid: TileGrid | None = None,
    *,
    bench: Bench | None = None,
) -> Program:
    """Lay a GEMM out on a machine.

    Parameters
    ----------
    mask : array (count * m, k), uint8, optional
        Real non-zeros of the rows operand, for hardware that skips them.
    grid : TileGrid, optional
        A part of the problem's grid, to lay out that much of it.
    bench : Bench, optional
        That of the machine and the library, where it is known.

    Raises
    ------
    WorkloadError
        If the run would not fit in memory or its time in 62 bits.
    """
    if mapping.swapped and not problem.inputs_are_rows:
        problem = problem.swapped()
    return assemble(
        hardware,
        library,
        laid_gemm(bench or Bench.of(hardware, library), problem, mapping, mask, grid),
        stage_buffers=mapping.stage_buffers,
        drain_ps=hardware.cycles_ps(hardware.core.tensor_cores.drain_cycles),
        accumulates=problem.accumulates,
    )


def stream_program(
    hardware: Hardware, library: Library, layer: Stream, *, bench: Bench | None = None
) -> Program:
    """Lay a streaming layer out: chunks that are read, pass the core, and are written.

    Walked in bands of the chunks whose rows are worked on at a time, chunks are read again once the
    band has been read.
    """
    # Model: a core works on two rows at a time, as it has two sets (below).
    in_flight = None if layer.row is None else 2 * hardware.core.count * layer.row
    return assemble(
        hardware,
        library,
        laid_stream(bench or Bench.of(hardware, library), layer, in_flight),
        stage_buffers=min(2, library.stage_buffers),
        drain_ps=0,
        streaming=True,
    )


def assemble(
    hardware: Hardware,
    library: Kernels,
    laid: Laid,
    *,
    stage_buffers: int,
    drain_ps: int,
    accumulates: bool = False,
    streaming: bool = False,
) -> Program:
    """Put a program together: what was laid out, dealt to so many cores and beside such memory."""
    l2, cores = hardware.memory.l2, hardware.core.count
    grid, blocks, stages, cluster = laid.grid, laid.blocks, laid.stages, laid.cluster
    times = MemoryTimes.of(hardware, blocks)
    hold_ps = times.port
    if not streaming:  # Model: a streaming kernel's epilogue is its store alone.
        hold_ps = hold_ps + ns_to_ps(library.epilogue_ns)
        if library.epilogue_staged:
            hold_ps = hold_ps + 2 * times.scratchpad
    policy = DISPATCH[library.dispatch]
    program = Program(
        cores=cores,
        cluster=cluster,
        grid=grid,
        queues=policy.share(laid.order, cluster.working(cores)).among(cores),
        split_bounds=int_array(grid.split_bounds()),
        restart_ps=restart_ps(hardware, library) if grid.splits > 1 else 0,
        stage_buffers=stage_buffers,
        # Model: several thread blocks of a streaming kernel share a core, so that one loads while
        # another stores.
        accumulator_sets=2 if library.epilogue_overlap or streaming else 1,
        prefetch=library.prefetch or streaming,
        async_copies=hardware.core.async_copies or streaming,
        issue_ps=max(1, hardware.cycles_ps(hardware.core.issue_cycles)),
        drain_ps=drain_ps,
        stage_ps=stages.stage_ps,
        mac_ps=stages.mac_ps,
        prologue_ps=stages.prologue_ps,
        masked_kinds=stages.masked.kinds if stages.masked else NO_KINDS,
        rows_port_ps=stages.rows_port_ps,
        columns_port_ps=stages.columns_port_ps,
        hold_ps=hold_ps,
        block_port_ps=times.port,
        accumulates=accumulates,
        block_class=blocks.codes,
        block_bytes=blocks.sizes.stored,
        dram_ps=times.dram,
        dram_write_ps=times.dram_write,
        l2_ps=times.l2,
        link_ps=times.link,
        l2_bytes=l2.bytes,
        l2_latency_ps=hardware.cycles_ps(l2.latency_cycles),
        far_latency_ps=hardware.cycles_ps(l2.halves.far_latency_cycles) if l2.halves else 0,
        halves=l2.halves is not None,
        dram_latency_ps=hardware.dram_latency_ps,
        writes_to_dram=hardware.memory.writes == "dram",
        warm_blocks=NO_BLOCKS,
        warm_dirty=NO_BLOCKS > 0,
        foreign=NO_FOREIGN,
        blocks=blocks,
        stages=stages,
    )
    if any(laid.waits):
        program = _waiting(program, int_array(laid.waits), warm=l2.start == "warm")
    check_time(program)
    check_dram(hardware, program.all_bytes)
    if l2.start != "warm":
        return program
    used = first_uses(grid, program.queues.tiles, accumulates=accumulates)
    return program.but(warm_blocks=used, warm_dirty=np.zeros(used.size, dtype=np.bool_))


def _waiting(program: Program, waits: IntArray, *, warm: bool) -> Program:
    """With epilogues that wait so often, by class, for outputs that are added to.

    Model: each time as long as DRAM takes, or L2 if it holds everything from the start.
    """
    latency_ps = program.l2_latency_ps
    if not (warm and program.fits_l2):
        latency_ps = max(latency_ps, program.dram_latency_ps)
    return program.but(hold_ps=program.hold_ps + waits * (latency_ps + program.far_latency_ps))
