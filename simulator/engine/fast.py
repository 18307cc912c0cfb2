"""The default engine: one compiled loop over integer arrays, one step of a winner tree an event.

It computes when things happen instead of letting them happen: a queue is the time at which it is
free again, a transfer is an addition. `reference` is the readable statement of the same machine;
tests hold the two equal to the picosecond. All compiled code of the engine is in this file, since
numba's cache does not see edits across files.

An event is ``time | kind | core`` packed into one int64, so that the order of simultaneous events
is the order of integers: kind 0 (an epilogue ends) before kind 1 (a stage is requested), and cores
by number. Every core has at most one pending event of each kind.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from simulator.engine.result import EngineResult
from simulator.program import BLOCK_CLASSES, STAGE_CLASSES, Program

NEVER = 2**63 - 1
ABSENT, CLEAN, DIRTY = 0, 1, 2

# Columns of a core's state: one row of 24 int64, three cache lines.
(
    REQUEST_KEY,  # pending event of kind 1, NEVER if none
    EPILOGUE_KEY,  # pending event of kind 0
    ISSUED,  # stages requested so far
    DONE,  # stages whose end is known
    ISSUE_TIME,  # when the last stage was requested
    DONE_TIME,  # when the last known stage ends
    STAGE,  # next stage of the tile being requested
    STAGE_END,  # one past its last stage
    ROWS_BLOCK,  # id of the tile's rows block at stage 0
    COLUMNS_BLOCK,
    TILE_CLASS,  # 4 * last_row + 2 * last_column
    TAKEN,  # tiles taken
    STARTED,  # tiles whose first stage has started
    ENDED,  # tiles whose epilogue has ended
    EPILOGUE_READY,  # main loop of a tile done at this time, its epilogue waits; -1 if none
    REDUCING,  # the pending epilogue event ends a reduction
    EXHAUSTED,  # its queue was empty
    MEMORY_PS,
    PROLOGUE_PS,
    EPILOGUE_PS,
    REDUCTION_PS,
    PORT_FREE,
    PORT_BUSY,
    HALF,
) = range(24)
CORE_FIELDS = 24

# Shared state.
L2_FREE, DRAM_FREE, LINK_FREE, L2_USED, DRAIN, EVICTIONS, IN_FLIGHT, TIES, LAST_REQUEST = range(9)

# Constants of a run.
(
    K_CORES,
    K_CORE_BITS,
    K_ROWS,
    K_COLUMNS,
    K_STAGES,
    K_SPLITS,
    K_COLUMNS_BASE,
    K_OUTPUTS_BASE,
    K_PARTIALS_BASE,
    K_HAS_COLUMNS,
    K_BUFFERS,
    K_SETS,
    K_PREFETCH,
    K_ISSUE_PS,
    K_DRAIN_PS,
    K_L2_BYTES,
    K_L2_LATENCY,
    K_FAR_LATENCY,
    K_HALVES,
    K_DRAM_LATENCY,
    K_WRITES_TO_DRAM,
    K_RECENCY,
    K_RING,
) = range(23)

_JIT: dict[str, Any] = {"cache": True, "nogil": True, "boundscheck": False}


@numba.njit(inline="always", **_JIT)
def _unlink(lru, block):
    before, after = lru[block, 0], lru[block, 1]
    lru[before, 1] = after
    lru[after, 0] = before


@numba.njit(inline="always", **_JIT)
def _push_front(lru, block):
    sentinel = lru.shape[0] - 1
    first = lru[sentinel, 1]
    lru[block, 0] = sentinel
    lru[block, 1] = first
    lru[first, 0] = block
    lru[sentinel, 1] = block


@numba.njit(**_JIT)
def _insert(now, block, state, k, shared, lru, resident, classes, costs, counts):
    """Put an absent block in front, evicting from the tail until it fits; False: it never will."""
    size = costs[classes[block], 0]
    if size > k[K_L2_BYTES]:
        return False
    if k[K_RECENCY]:
        sentinel = lru.shape[0] - 1
        while shared[L2_USED] + size > k[K_L2_BYTES]:
            victim = lru[sentinel, 0]
            kind = classes[victim]
            _unlink(lru, victim)
            shared[L2_USED] -= costs[kind, 0]
            shared[EVICTIONS] += 1
            if resident[victim] == DIRTY:
                shared[DRAM_FREE] = max(shared[DRAM_FREE], now) + costs[kind, 1]
                shared[DRAIN] = max(shared[DRAIN], shared[DRAM_FREE])
                counts[4, kind] += 1
            resident[victim] = ABSENT
        _push_front(lru, block)
    shared[L2_USED] += size
    resident[block] = state
    return True


@numba.njit(inline="always", **_JIT)
def _fetch(
    now, block, core, port_ps, k, shared, cores, lru, resident, ready, classes, costs, counts
):
    """Request one block at ``now``; returns when all of it has arrived."""
    kind = classes[block]
    counts[0, kind] += 1
    if resident[block] != ABSENT:
        filled = ready[block]
        if filled > now:
            shared[IN_FLIGHT] += 1
        if k[K_RECENCY]:
            sentinel = lru.shape[0] - 1
            if lru[sentinel, 1] != block:
                _unlink(lru, block)
                _push_front(lru, block)
    else:
        counts[1, kind] += 1
        _insert(now, block, CLEAN, k, shared, lru, resident, classes, costs, counts)
        shared[DRAM_FREE] = max(shared[DRAM_FREE], now) + costs[kind, 1]
        filled = shared[DRAM_FREE] + k[K_DRAM_LATENCY]
        ready[block] = filled
    shared[L2_FREE] = max(shared[L2_FREE], now) + costs[kind, 2]
    cores[core, PORT_FREE] = max(cores[core, PORT_FREE], now) + port_ps
    cores[core, PORT_BUSY] += port_ps
    path = max(shared[L2_FREE], cores[core, PORT_FREE])
    extra = 0
    if k[K_HALVES] and (block & 1) != cores[core, HALF]:
        counts[2, kind] += 1
        shared[LINK_FREE] = max(shared[LINK_FREE], now) + costs[kind, 3]
        path = max(path, shared[LINK_FREE])
        extra = k[K_FAR_LATENCY]
    return max(path + k[K_L2_LATENCY], filled + port_ps) + extra


@numba.njit(**_JIT)
def _write(now, block, to_dram, k, shared, lru, resident, ready, classes, costs, counts):
    """Queue one output or partial block; it holds nobody."""
    kind = classes[block]
    stays = False
    if not to_dram:
        stays = _insert(now, block, DIRTY, k, shared, lru, resident, classes, costs, counts)
        shared[L2_FREE] = max(shared[L2_FREE], now) + costs[kind, 2]
        shared[DRAIN] = max(shared[DRAIN], shared[L2_FREE])
        counts[3, kind] += 1
        ready[block] = now
    if not stays:
        shared[DRAM_FREE] = max(shared[DRAM_FREE], now) + costs[kind, 1]
        shared[DRAIN] = max(shared[DRAIN], shared[DRAM_FREE])
        counts[4, kind] += 1


@numba.njit(inline="always", **_JIT)
def _advance(now, core, k, cores, pending, done, ends, tiles_of, classes, times, costs):
    """Settle the ends of requested stages, as far as they are known, and plan the next request."""
    buffers, sets = k[K_BUFFERS], k[K_SETS]
    while cores[core, DONE] < cores[core, ISSUED]:
        at = cores[core, DONE] % buffers
        kind = pending[core, at, 1] & 7
        first, last = pending[core, at, 1] & 8, pending[core, at, 1] & 16
        before = cores[core, DONE_TIME]
        start = max(pending[core, at, 0], before)
        length = times[kind, 0]
        if first:
            tile = cores[core, STARTED]
            freed = 0
            reduction = 0
            if tile >= sets:
                if cores[core, ENDED] + sets <= tile:
                    break  # no free accumulators, and not yet known from when
                freed = ends[core, tile % sets, 0]
                reduction = ends[core, tile % sets, 1]
            start = max(start, freed)
            held = max(freed - before, 0)
            reduction = min(reduction, held)
            cores[core, REDUCTION_PS] += reduction
            cores[core, EPILOGUE_PS] += held - reduction
            cores[core, PROLOGUE_PS] += start - before - held + times[kind, 1]
            cores[core, STARTED] += 1
            length += times[kind, 1]
        else:
            cores[core, MEMORY_PS] += start - before
        done[core, at] = start + length
        cores[core, DONE_TIME] = start + length
        cores[core, DONE] += 1
        if last:
            ready = start + length + k[K_DRAIN_PS]
            if cores[core, STARTED] - 1 > cores[core, ENDED]:
                cores[core, EPILOGUE_READY] = ready  # an earlier tile's epilogue still runs
            else:
                _begin_epilogue(ready, core, k, cores, tiles_of, classes, costs)
    if cores[core, REQUEST_KEY] != NEVER or cores[core, EXHAUSTED]:
        return
    issued = cores[core, ISSUED]
    at_time = now
    if issued:
        at_time = cores[core, ISSUE_TIME] + k[K_ISSUE_PS]
    if issued >= buffers:
        if cores[core, DONE] <= issued - buffers:
            return
        at_time = max(at_time, done[core, issued % buffers])
    if cores[core, STAGE] == cores[core, STAGE_END] and not k[K_PREFETCH]:
        if cores[core, DONE] < issued:
            return
        tile = cores[core, TAKEN]
        if tile >= sets:
            if cores[core, ENDED] + sets <= tile:
                return
            at_time = max(at_time, ends[core, tile % sets, 0])
        at_time = max(at_time, cores[core, DONE_TIME])
    cores[core, REQUEST_KEY] = (((at_time << 1) | 1) << k[K_CORE_BITS]) | core


@numba.njit(inline="always", **_JIT)
def _begin_epilogue(at_time, core, k, cores, tiles_of, classes, costs):
    """The oldest tile without an epilogue begins it: its output, or its partial sums, leave."""
    tile = tiles_of[core, cores[core, ENDED] % k[K_RING]]
    base = k[K_PARTIALS_BASE] + tile if k[K_SPLITS] > 1 else k[K_OUTPUTS_BASE] + tile
    ends = at_time + costs[classes[base], 4]
    cores[core, EPILOGUE_KEY] = ((ends << 1) << k[K_CORE_BITS]) | core
    cores[core, REDUCING] = 0


@numba.njit(**_JIT)
def _end_epilogue(
    now, core, k, shared, cores, ends, tiles_of, arrived,
    lru, resident, ready, classes, costs, counts,
):  # fmt: skip
    """Kind 0: write and free the accumulators, or, for the last of several splits, reduce first."""
    tile = tiles_of[core, cores[core, ENDED] % k[K_RING]]
    cores[core, EPILOGUE_KEY] = NEVER
    splits = k[K_SPLITS]
    output = tile // splits
    slot = cores[core, ENDED] % k[K_SETS]
    if splits > 1 and not cores[core, REDUCING]:
        ends[core, slot, 1] = 0
        arrived[output] += 1
        if arrived[output] == splits:
            end = now
            for split in range(splits):
                other = output * splits + split
                if other != tile:
                    block = k[K_PARTIALS_BASE] + other
                    arrive = _fetch(
                        now, block, core, costs[classes[block], 5], k, shared, cores,
                        lru, resident, ready, classes, costs, counts,
                    )  # fmt: skip
                    end = max(end, arrive)
            ends[core, slot, 1] = end - now
            hold = costs[classes[k[K_OUTPUTS_BASE] + output], 4]
            cores[core, EPILOGUE_KEY] = (((end + hold) << 1) << k[K_CORE_BITS]) | core
            cores[core, REDUCING] = 1
            return
        block, to_dram = k[K_PARTIALS_BASE] + tile, False
    else:
        block, to_dram = k[K_OUTPUTS_BASE] + output, k[K_WRITES_TO_DRAM] != 0
    _write(now, block, to_dram, k, shared, lru, resident, ready, classes, costs, counts)
    ends[core, slot, 0] = now
    cores[core, ENDED] += 1
    if cores[core, EPILOGUE_READY] >= 0:
        at_time = max(now, cores[core, EPILOGUE_READY])
        cores[core, EPILOGUE_READY] = -1
        _begin_epilogue(at_time, core, k, cores, tiles_of, classes, costs)


@numba.njit(inline="always", **_JIT)
def _take_tile(core, k, cores, queue_at, queue_start, queue_of, tiles, bounds, tiles_of):
    """Take the next tile of the core's queue; False if there is none."""
    queue = queue_of[core]
    if queue_at[queue] == queue_start[queue + 1]:
        cores[core, EXHAUSTED] = 1
        return False
    tile = tiles[queue_at[queue]]
    queue_at[queue] += 1
    tiles_of[core, cores[core, TAKEN] % k[K_RING]] = tile
    cores[core, TAKEN] += 1
    output = tile // k[K_SPLITS]
    split = tile - output * k[K_SPLITS]
    line = output // k[K_COLUMNS]  # GEMM and row: (b * rows + i)
    column = output - line * k[K_COLUMNS]
    gemm = line // k[K_ROWS]
    row = line - gemm * k[K_ROWS]
    cores[core, ROWS_BLOCK] = line * k[K_STAGES]
    cores[core, COLUMNS_BLOCK] = k[K_COLUMNS_BASE] + (gemm * k[K_COLUMNS] + column) * k[K_STAGES]
    cores[core, TILE_CLASS] = 4 * (row == k[K_ROWS] - 1) + 2 * (column == k[K_COLUMNS] - 1)
    cores[core, STAGE] = bounds[split]
    cores[core, STAGE_END] = bounds[split + 1]
    return True


@numba.njit(inline="always", **_JIT)
def _update(tree, leaf, key):
    tree[leaf] = key
    node = leaf >> 1
    while node:
        best = min(tree[2 * node], tree[2 * node + 1])
        if tree[node] == best:
            break
        tree[node] = best
        node >>= 1


@numba.njit(**_JIT)
def _run(
    k, tiles, queue_start, queue_at, queue_of, bounds, times, costs, classes,
    cores, pending, done, ends, tiles_of, arrived, shared,
    lru, resident, ready, tree, stages, counts,
):  # fmt: skip
    """The event loop. Returns 0, or 1 if a core never finished (an engine bug)."""
    leaves = tree.shape[0] >> 1
    core_mask = (1 << k[K_CORE_BITS]) - 1
    for core in range(k[K_CORES]):
        cores[core, REQUEST_KEY] = (1 << k[K_CORE_BITS]) | core
        _update(tree, leaves + core, cores[core, REQUEST_KEY])
    while tree[1] != NEVER:
        key = tree[1]
        core = key & core_mask
        now = key >> (k[K_CORE_BITS] + 1)
        if (key >> k[K_CORE_BITS]) & 1:
            cores[core, REQUEST_KEY] = NEVER
            stage = cores[core, STAGE]
            first = stage == cores[core, STAGE_END]
            if first:
                if not _take_tile(
                    core, k, cores, queue_at, queue_start, queue_of, tiles, bounds, tiles_of
                ):
                    _update(tree, leaves + core, cores[core, EPILOGUE_KEY])
                    continue
                stage = cores[core, STAGE]
            kind = cores[core, TILE_CLASS] + (stage == k[K_STAGES] - 1)
            if shared[LAST_REQUEST] == now:
                shared[TIES] += 1
            shared[LAST_REQUEST] = now
            arrive = _fetch(
                now, cores[core, ROWS_BLOCK] + stage, core, times[kind, 2], k, shared, cores,
                lru, resident, ready, classes, costs, counts,
            )  # fmt: skip
            if k[K_HAS_COLUMNS]:
                also = _fetch(
                    now, cores[core, COLUMNS_BLOCK] + stage, core, times[kind, 3], k, shared, cores,
                    lru, resident, ready, classes, costs, counts,
                )  # fmt: skip
                arrive = max(arrive, also)
            stages[core, kind] += 1
            at = cores[core, ISSUED] % k[K_BUFFERS]
            last = stage + 1 == cores[core, STAGE_END]
            pending[core, at, 0] = arrive
            pending[core, at, 1] = kind | (8 if first else 0) | (16 if last else 0)
            cores[core, ISSUED] += 1
            cores[core, ISSUE_TIME] = now
            cores[core, STAGE] = stage + 1
        else:
            _end_epilogue(
                now, core, k, shared, cores, ends, tiles_of, arrived,
                lru, resident, ready, classes, costs, counts,
            )  # fmt: skip
        _advance(now, core, k, cores, pending, done, ends, tiles_of, classes, times, costs)
        _update(tree, leaves + core, min(cores[core, REQUEST_KEY], cores[core, EPILOGUE_KEY]))
    for core in range(k[K_CORES]):
        if cores[core, ENDED] != cores[core, TAKEN] or not cores[core, EXHAUSTED]:
            return 1
    return 0


def run(program: Program) -> EngineResult:
    """Simulate one program."""
    grid, cores = program.grid, program.cores
    core_bits = max(1, (cores - 1).bit_length())
    leaves = 1 << (cores - 1).bit_length()
    sets, buffers = program.accumulator_sets, program.stage_buffers
    k = np.zeros(23, dtype=np.int64)
    for index, value in {
        K_CORES: cores,
        K_CORE_BITS: core_bits,
        K_ROWS: grid.rows,
        K_COLUMNS: grid.columns,
        K_STAGES: grid.stages,
        K_SPLITS: grid.splits,
        K_COLUMNS_BASE: program.columns_base,
        K_OUTPUTS_BASE: program.outputs_base,
        K_PARTIALS_BASE: program.partials_base,
        K_HAS_COLUMNS: program.has_columns,
        K_BUFFERS: buffers,
        K_SETS: sets,
        K_PREFETCH: program.prefetch,
        K_ISSUE_PS: program.issue_ps,
        K_DRAIN_PS: program.drain_ps,
        K_L2_BYTES: program.l2_bytes,
        K_L2_LATENCY: program.l2_latency_ps,
        K_FAR_LATENCY: program.far_latency_ps,
        K_HALVES: program.halves,
        K_DRAM_LATENCY: program.dram_latency_ps,
        K_WRITES_TO_DRAM: program.writes_to_dram,
        K_RECENCY: not program.fits_l2,
        K_RING: buffers + sets + 2,
    }.items():
        k[index] = value
    times = np.stack(
        [program.stage_ps, program.prologue_ps, program.rows_port_ps, program.columns_port_ps],
        axis=1,
    )
    costs = np.stack(
        [
            program.block_bytes,
            program.dram_ps,
            program.l2_ps,
            program.link_ps,
            program.hold_ps,
            program.partial_port_ps,
        ],
        axis=1,
    )
    blocks = program.block_class.size
    state = np.zeros((cores, CORE_FIELDS), dtype=np.int64)
    state[:, REQUEST_KEY] = state[:, EPILOGUE_KEY] = NEVER
    state[:, EPILOGUE_READY] = -1
    state[:, HALF] = np.arange(cores) % 2
    shared = np.zeros(9, dtype=np.int64)
    shared[LAST_REQUEST] = -1
    ends = np.zeros((cores, sets, 2), dtype=np.int64)
    lru = np.full((blocks + 1 if k[K_RECENCY] else 1, 2), blocks, dtype=np.int64)
    resident = np.zeros(blocks, dtype=np.uint8)
    ready = np.zeros(blocks, dtype=np.int64)
    stages = np.zeros((cores, STAGE_CLASSES), dtype=np.int64)
    counts = np.zeros((5, BLOCK_CLASSES), dtype=np.int64)
    _warm(program.warm_blocks, k, shared, lru, resident, program.block_class, costs, counts)
    shared[EVICTIONS] = 0
    status = _run(
        k,
        program.queues.tiles,
        program.queues.start,
        program.queues.start[:-1].copy(),
        program.queues.of_core,
        program.split_bounds,
        times,
        costs,
        program.block_class,
        state,
        np.zeros((cores, buffers, 2), dtype=np.int64),
        np.zeros((cores, buffers), dtype=np.int64),
        ends,
        np.zeros((cores, buffers + sets + 2), dtype=np.int64),
        np.zeros(grid.outputs if grid.splits > 1 else 1, dtype=np.int32),
        shared,
        lru,
        resident,
        ready,
        np.full(2 * leaves, NEVER, dtype=np.int64),
        stages,
        counts,
    )
    assert status == 0, "a core stopped before its work was done"
    return _result(program, state, shared, ends, stages, counts)


@numba.njit(**_JIT)
def _warm(blocks, k, shared, lru, resident, classes, costs, counts):
    """Insert blocks as if each had been read once before time 0."""
    for block in blocks:
        _insert(0, block, CLEAN, k, shared, lru, resident, classes, costs, counts)


def _result(
    program: Program, state: Any, shared: Any, ends: Any, stages: Any, counts: Any
) -> EngineResult:
    """Close the account of every core and gather the counters."""
    waits = state[:, [MEMORY_PS, PROLOGUE_PS, EPILOGUE_PS, REDUCTION_PS]].copy()
    worked = state[:, ENDED] > 0
    slot = (state[:, ENDED] - 1) % program.accumulator_sets
    core = np.arange(program.cores)
    end = np.where(worked, ends[core, slot, 0], 0)
    tail = np.where(worked, end - state[:, DONE_TIME], 0)
    reduction = np.minimum(tail, np.where(worked, ends[core, slot, 1], 0))
    waits[:, 2] += tail - reduction
    waits[:, 3] += reduction
    return EngineResult(
        makespan_ps=int(max(end.max(), shared[DRAIN])),
        stages=stages,
        waits_ps=waits,
        end_ps=end,
        port_ps=state[:, PORT_BUSY].copy(),
        requests=counts[0],
        misses=counts[1],
        far=counts[2],
        written=counts[3],
        dram_written=counts[4],
        evictions=int(shared[EVICTIONS]),
        in_flight_hits=int(shared[IN_FLIGHT]),
        ties=int(shared[TIES]),
    )
