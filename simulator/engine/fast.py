"""The default engine: one compiled loop over integer arrays, one step of a winner tree an event.

It computes when things happen instead of letting them happen: a queue is the time at which it is
free again, a transfer is an addition. `reference` is the readable statement of the same machine;
tests hold the two equal to the picosecond. All compiled code of the engine is in this file, since
numba's cache does not see edits across files.

An event is ``time | kind | core`` packed into one int64, so that the order of simultaneous events
is the order of integers: kind 0 (an epilogue ends) before kind 1 (an output is requested that is
added to) before kind 2 (a stage is requested), and cores by number. Every core has at most one
pending event of each kind.

Variable indices are unsigned where they are used: numba lets signed ones count from the end, which
costs a comparison a look-up and a fifth of the time of a stage.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from simulator.engine.result import EngineResult, Waits
from simulator.jit import OPTIONS, numba, waiting
from simulator.schedule import classes as table
from simulator.schedule import limits
from simulator.schedule.partition import IntArray
from simulator.schedule.program import Program

LONG_STAGES = 5_000_000
"""Runs of more stages, some tenths of a second, can be interrupted."""

NEVER = 2**63 - 1
EPILOGUE_ENDS, OUTPUT_REQUEST, STAGE_REQUEST = range(3)
KIND_BITS, KIND_MASK = 2, 3
ABSENT, CLEAN, DIRTY = 0, 1, 2

# What edges add to a stage's code, and being a tile's first: those of `schedule.classes`, once more
# since numba's cache does not see edits across files.
LAST_ROW, LAST_COLUMN, LAST_STAGE, FIRST_STAGE = 4, 2, 1, 8
assert (LAST_ROW, LAST_COLUMN, LAST_STAGE, FIRST_STAGE) == (
    table.LAST_ROW,
    table.LAST_COLUMN,
    table.LAST_STAGE,
    table.FIRST_STAGE,
)
assert KIND_BITS == limits.KIND_BITS

# Columns of a core's state: one row of 32 int64. The first 16, two cache lines, are all that an
# ordinary stage touches.
(
    REQUEST_KEY,  # pending event of kind 2, NEVER if none
    EPILOGUE_KEY,  # pending event of kind 0
    IN_FLIGHT_STAGES,  # requested, and their end not yet known
    ISSUE_SLOT,  # slot of the next stage to request, below stage_buffers
    DONE_SLOT,  # slot of the next stage whose end is to be found
    ISSUE_TIME,  # when the last stage was requested
    DONE_TIME,  # when the last known stage ends
    STAGE,  # next stage of the tile being requested
    STAGE_END,  # one past its last stage
    ROWS_BLOCK,  # id of the tile's rows block at stage 0
    COLUMNS_BLOCK,
    TILE_CLASS,  # code of its stages, the last one of k apart
    EXHAUSTED,  # its queue was empty
    PORT_FREE,
    MEMORY_PS,
    OUTPUT_KEY,  # pending event of kind 1: the next output that is added to is requested
    STORED_TIME,  # without asynchronous copies: when the last known stage was in the scratchpad
    TAKEN,  # tiles taken
    STARTED,  # tiles whose first stage has started
    ENDED,  # tiles whose epilogue has ended
    EPILOGUE_READY,  # main loop of a tile done at this time, its epilogue waits; -1 if none
    REDUCING,  # the pending epilogue event ends a reduction
    PROLOGUE_PS,
    EPILOGUE_PS,
    REDUCTION_PS,
    BLOCK_PORT_BUSY,  # port time of partial sums and outputs read
    OUTPUTS_READ,  # outputs requested as soon as their main loop had ended
) = range(27)
CORE_FIELDS = 32

# Columns of the last tile of each set of accumulators: when its epilogue ended, how much of that
# was its reduction, and when its main loop ends, from when that is known until its output is read.
FREED, REDUCED, MAIN_LOOP_END = range(3)
LAST_TILE_FIELDS = 3

# Columns of a stage in flight; END holds its length until its end is known.
STAGE_FIELDS = 3
ARRIVE, KIND, END = range(STAGE_FIELDS)
FIRST, LAST = 1, 2  # flags of KIND below the stage's kind
FLAG_BITS = 2

# Shared state. Behind it, in the same array, are the blocks in L2 that no stage asks for, oldest
# first: their bytes, and how long writing them to DRAM takes, none where they are clean.
SHARED_FIELDS = 10
FOREIGN_FIELDS = 2
(
    L2_FREE,
    DRAM_FREE,
    LINK_FREE,
    L2_USED,
    DRAIN,
    EVICTIONS,
    IN_FLIGHT,
    TIES,
    LAST_REQUEST,
    FOREIGN,  # where the oldest foreign block is, of those that are left
) = range(SHARED_FIELDS)

# Columns of the cost table of block classes, and rows of their counters.
BYTES, DRAM_PS, L2_PS, LINK_PS, HOLD_PS, BLOCK_PORT_PS, DRAM_WRITE_PS = range(7)
COUNTERS = 8
REQUESTS, MISSES, MULTICAST, FAR, WRITTEN, DRAM_WRITTEN, LEFT_CLEAN, LEFT_DIRTY = range(COUNTERS)

# Columns of what a cluster was last sent for a line and a stage: in which turn, which is what a
# core's TAKEN then is, when it has passed L2 and the link, and when DRAM has filled L2 with it.
BROADCAST_FIELDS = 3
TURN, PASSED, FILLED = range(BROADCAST_FIELDS)

# Columns of the cost table of the kinds of stages.
STAGE_PS, FIRST_LOAD_PS, ROWS_PORT_PS, COLUMNS_PORT_PS = range(4)

# Accounts of the cores, once all is done.
ACCOUNTS = 8
(
    MEMORY_WAIT,
    PROLOGUE_WAIT,
    EPILOGUE_WAIT,
    REDUCTION_WAIT,
    END_PS,
    WORKED_PS,
    MAC_PS,
    PORT_PS,
) = range(ACCOUNTS)
WAITS = Waits(MEMORY_WAIT, PROLOGUE_WAIT, EPILOGUE_WAIT, REDUCTION_WAIT)

# Constants of a run.
(
    K_CORES,
    K_CORE_BITS,
    K_ROWS,
    K_COLUMNS,
    K_STAGES,
    K_ROW_BLOCKS,
    K_SPLITS,
    K_COLUMNS_BASE,
    K_OUTPUTS_BASE,
    K_PARTIALS_BASE,
    K_HAS_COLUMNS,
    K_BUFFERS,
    K_SETS,
    K_PREFETCH,
    K_ASYNC_COPIES,
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
    K_MASKED,
    K_ACCUMULATES,
    K_CLUSTER_M,
    K_CLUSTER_N,
) = range(29)


@numba.njit(inline="always", **OPTIONS)
def _to_front(lru, sentinel, block):
    """Move a resident block to the front of the recency list, unless it is there."""
    first = lru[sentinel, 1]
    if first == block:
        return
    before, after = lru[block, 0], lru[block, 1]
    lru[before, 1] = after
    lru[after, 0] = before
    lru[block, 0] = sentinel
    lru[block, 1] = first
    lru[first, 0] = block
    lru[sentinel, 1] = block


@numba.njit(inline="always", **OPTIONS)
def _write_back(now, write_ps, shared):
    """Queue what is written to DRAM; it holds nobody."""
    shared[DRAM_FREE] = max(shared[DRAM_FREE], now) + write_ps
    shared[DRAIN] = max(shared[DRAIN], shared[DRAM_FREE])


@numba.njit(**OPTIONS)
def _make_room(now, room, shared, lru, resident, classes, costs, counts):
    """Evict from the tail until no more than ``room`` is used: foreign blocks before others."""
    while shared[L2_USED] > room and shared[FOREIGN] < shared.shape[0]:
        at = shared[FOREIGN]
        shared[FOREIGN] += FOREIGN_FIELDS
        shared[L2_USED] -= shared[at]
        if shared[at + 1]:
            _write_back(now, shared[at + 1], shared)
    sentinel = lru.shape[0] - 1
    while shared[L2_USED] > room:
        victim = lru[sentinel, 0]
        kind = classes[victim]
        before = lru[victim, 0]
        lru[sentinel, 0] = before
        lru[before, 1] = sentinel
        shared[L2_USED] -= costs[kind, BYTES]
        shared[EVICTIONS] += 1
        if resident[victim] == DIRTY:
            _write_back(now, costs[kind, DRAM_WRITE_PS], shared)
            counts[DRAM_WRITTEN, kind] += 1
        resident[victim] = ABSENT


@numba.njit(**OPTIONS)
def _insert(now, block, state, k, shared, lru, resident, classes, costs, counts):
    """Put an absent block in front, evicting from the tail until it fits; False: it never will."""
    size = costs[classes[block], BYTES]
    room = k[K_L2_BYTES] - size
    if room < 0:
        return False
    if shared[L2_USED] > room:
        _make_room(now, room, shared, lru, resident, classes, costs, counts)
    if k[K_RECENCY]:
        sentinel = lru.shape[0] - 1
        first = lru[sentinel, 1]
        lru[block, 0] = sentinel
        lru[block, 1] = first
        lru[first, 0] = block
        lru[sentinel, 1] = block
    shared[L2_USED] += size
    resident[block] = state
    return True


@numba.njit(**OPTIONS)
def _read_dram(now, block, k, shared, lru, resident, ready, classes, costs, counts):
    """A miss: make room, queue the read, and return when the block will be in L2."""
    kind = classes[block]
    counts[MISSES, kind] += 1
    _insert(now, block, CLEAN, k, shared, lru, resident, classes, costs, counts)
    shared[DRAM_FREE] = max(shared[DRAM_FREE], now) + costs[kind, DRAM_PS]
    ready[block] = shared[DRAM_FREE] + k[K_DRAM_LATENCY]
    return ready[block]


@numba.njit(inline="always", **OPTIONS)
def _fetch(now, block, c, side, port_ps, k, shared, lru, resident, ready, classes, costs, counts):
    """Request one block at ``now``; returns when all of it has arrived.

    ``side`` is the number of the core's cluster, whose parity is the half of L2 beside it.
    """
    at = np.uintp(block)
    kind = classes[at]
    counts[REQUESTS, kind] += 1
    if resident[at] != ABSENT:
        filled = ready[at]
        shared[IN_FLIGHT] += filled > now
        if k[K_RECENCY]:
            _to_front(lru, np.uintp(lru.shape[0] - 1), at)
    else:
        filled = _read_dram(now, block, k, shared, lru, resident, ready, classes, costs, counts)
    path = max(shared[L2_FREE], now) + costs[kind, L2_PS]
    shared[L2_FREE] = path
    port = max(c[PORT_FREE], now) + port_ps
    c[PORT_FREE] = port
    path = max(path, port)
    extra = 0
    if k[K_HALVES] and (block ^ side) & 1:
        counts[FAR, kind] += 1
        link = max(shared[LINK_FREE], now) + costs[kind, LINK_PS]
        shared[LINK_FREE] = link
        path = max(path, link)
        extra = k[K_FAR_LATENCY]
    return max(path + k[K_L2_LATENCY], filled + port_ps) + extra


@numba.njit(**OPTIONS)
def _fetch_shared(
    now, block, c, cluster, port_ps, sent, k, shared,
    lru, resident, ready, classes, costs, counts,
):  # fmt: skip
    """The same of a core in a cluster: what was sent to its cluster is there for all its cores.

    ``sent`` is the last of what was sent for this line and stage.
    """
    if sent[TURN] == c[TAKEN]:
        counts[MULTICAST, classes[block]] += 1
        port = max(c[PORT_FREE], now) + port_ps
        c[PORT_FREE] = port
        arrive = max(max(sent[PASSED], port) + k[K_L2_LATENCY], sent[FILLED] + port_ps)
        return arrive + k[K_FAR_LATENCY] * (k[K_HALVES] & (block ^ cluster))
    arrive = _fetch(
        now, block, c, cluster, port_ps, k, shared, lru, resident, ready, classes, costs, counts
    )
    if sent[TURN] < c[TAKEN]:
        sent[TURN], sent[FILLED], sent[PASSED] = c[TAKEN], ready[block], shared[L2_FREE]
        if k[K_HALVES] & (block ^ cluster):
            sent[PASSED] = max(shared[L2_FREE], shared[LINK_FREE])
    return arrive


@numba.njit(**OPTIONS)
def _fetch_in_cluster(
    now, stage, kind, c, core, sent, times, k, shared,
    lru, resident, ready, classes, costs, counts,
):  # fmt: skip
    """Request the blocks of a stage where cores share them; returns when both have arrived."""
    m, n = k[K_CLUSTER_M], k[K_CLUSTER_N]
    cluster = core // (m * n)
    member = core - cluster * m * n
    row = member // n
    rows = _fetch_shared(
        now, c[ROWS_BLOCK] + stage, c, cluster, times[kind, ROWS_PORT_PS],
        sent[cluster, row, stage], k, shared, lru, resident, ready, classes, costs, counts,
    )  # fmt: skip
    columns = _fetch_shared(
        now, c[COLUMNS_BLOCK] + stage, c, cluster, times[kind, COLUMNS_PORT_PS],
        sent[cluster, m + member - row * n, stage], k, shared,
        lru, resident, ready, classes, costs, counts,
    )  # fmt: skip
    return max(rows, columns)


@numba.njit(**OPTIONS)
def _fetch_beside_kept(
    now, stage, kind, is_first, c, core, times, k, shared,
    lru, resident, ready, classes, costs, counts,
):  # fmt: skip
    """Request the columns of a stage, and before a tile's first ones its rows, which it keeps."""
    arrive = now
    if is_first:
        arrive = _fetch(
            now, c[ROWS_BLOCK], c, core, times[kind, ROWS_PORT_PS], k, shared,
            lru, resident, ready, classes, costs, counts,
        )  # fmt: skip
    columns = _fetch(
        now, c[COLUMNS_BLOCK] + stage, c, core, times[kind, COLUMNS_PORT_PS], k, shared,
        lru, resident, ready, classes, costs, counts,
    )  # fmt: skip
    return max(arrive, columns)


@numba.njit(**OPTIONS)
def _write(now, block, to_dram, k, shared, lru, resident, ready, classes, costs, counts):
    """Queue one output or partial block; it holds nobody."""
    kind = classes[block]
    stays = False
    if not to_dram:
        if resident[block] != ABSENT:  # an output that was read to be added to
            if k[K_RECENCY]:
                _to_front(lru, np.uintp(lru.shape[0] - 1), np.uintp(block))
            resident[block] = DIRTY
            stays = True
        else:
            stays = _insert(now, block, DIRTY, k, shared, lru, resident, classes, costs, counts)
        shared[L2_FREE] = max(shared[L2_FREE], now) + costs[kind, L2_PS]
        shared[DRAIN] = max(shared[DRAIN], shared[L2_FREE])
        counts[WRITTEN, kind] += 1
        ready[block] = now
    if not stays:
        _write_back(now, costs[kind, DRAM_WRITE_PS], shared)
        counts[DRAM_WRITTEN, kind] += 1


@numba.njit(inline="always", **OPTIONS)
def _event(at_time, kind, core, k):
    """An event's key, which sorts as (time, kind, core)."""
    return (((at_time << KIND_BITS) | kind) << k[K_CORE_BITS]) | core


@numba.njit(inline="always", **OPTIONS)
def _settle(c, core, k, pending, ends, tiles_of, classes, times, costs):
    """Find the ends of requested stages, as far as they are known."""
    sets, buffers = k[K_SETS], k[K_BUFFERS]
    while c[IN_FLIGHT_STAGES]:
        slot = np.uintp(c[DONE_SLOT])
        flags = pending[slot, KIND]
        kind = flags >> FLAG_BITS
        before = c[DONE_TIME]
        start = max(pending[slot, ARRIVE], before)
        if flags & FIRST:
            tile = c[STARTED]
            freed = reduction = 0
            if tile >= sets:
                if c[ENDED] + sets <= tile:
                    break  # no free accumulators, and not yet known from when
                freed = ends[tile & (sets - 1), FREED]
                reduction = ends[tile & (sets - 1), REDUCED]
            start = max(start, freed)
            held = max(freed - before, 0)
            reduction = min(reduction, held)
            c[REDUCTION_PS] += reduction
            c[EPILOGUE_PS] += held - reduction
            c[PROLOGUE_PS] += start - before - held + times[kind, FIRST_LOAD_PS]
            c[STARTED] += 1
            stored = start
            start += times[kind, FIRST_LOAD_PS]
        else:
            c[MEMORY_PS] += start - before
            stored = start
        if not k[K_ASYNC_COPIES]:
            c[STORED_TIME] = stored
        end = start + pending[slot, END]
        pending[slot, END] = end
        c[DONE_TIME] = end
        c[IN_FLIGHT_STAGES] -= 1
        c[DONE_SLOT] += 1
        if c[DONE_SLOT] == buffers:
            c[DONE_SLOT] = 0
        if flags & LAST:
            tile = c[STARTED] - 1
            if k[K_ACCUMULATES] and k[K_SPLITS] == 1:
                ends[tile & (sets - 1), MAIN_LOOP_END] = end
                if c[OUTPUT_KEY] == NEVER:
                    c[OUTPUT_KEY] = _event(end, OUTPUT_REQUEST, core, k)
            else:
                _ready(end + k[K_DRAIN_PS], tile, c, core, k, tiles_of, classes, costs)


@numba.njit(inline="always", **OPTIONS)
def _plan_request(c, core, k, pending, ends):
    """Schedule the next request, if all that it waits for is known and none is pending."""
    if c[REQUEST_KEY] != NEVER or c[EXHAUSTED]:
        return
    if c[IN_FLIGHT_STAGES] == k[K_BUFFERS]:
        return
    # The buffer's last stage has ended at a known time, 0 if it had none.
    at_time = max(c[ISSUE_TIME] + k[K_ISSUE_PS], pending[np.uintp(c[ISSUE_SLOT]), END])
    if not k[K_ASYNC_COPIES]:  # the registers that loads pass through are free
        if c[IN_FLIGHT_STAGES]:
            return
        at_time = max(at_time, c[STORED_TIME])
    if c[STAGE] == c[STAGE_END] and not k[K_PREFETCH]:
        tile, sets = c[TAKEN], k[K_SETS]
        if c[IN_FLIGHT_STAGES] or c[ENDED] + sets <= tile:
            return
        if tile >= sets:
            at_time = max(at_time, ends[tile & (sets - 1), FREED])
        at_time = max(at_time, c[DONE_TIME])
    c[REQUEST_KEY] = _event(at_time, STAGE_REQUEST, core, k)


@numba.njit(inline="always", **OPTIONS)
def _ready(at_time, tile, c, core, k, tiles_of, classes, costs):
    """The epilogue of a core's tile-th tile may begin, once no earlier one runs."""
    if tile > c[ENDED]:
        c[EPILOGUE_READY] = at_time
    else:
        _begin_epilogue(at_time, c, core, k, tiles_of, classes, costs)


@numba.njit(inline="always", **OPTIONS)
def _begin_epilogue(at_time, c, core, k, tiles_of, classes, costs):
    """The oldest tile without an epilogue begins it: its output, or its partial sums, leave."""
    tile = tiles_of[c[ENDED] % k[K_RING]]
    block = k[K_PARTIALS_BASE] + tile if k[K_SPLITS] > 1 else k[K_OUTPUTS_BASE] + tile
    ends = at_time + costs[classes[block], HOLD_PS]
    c[EPILOGUE_KEY] = _event(ends, EPILOGUE_ENDS, core, k)
    c[REDUCING] = 0


@numba.njit(**OPTIONS)
def _fetch_block(
    now, block, c, core, k, shared, lru, resident, ready, classes, costs, counts,
):  # fmt: skip
    """Request a block that is of no stage: partial sums, or an output that is added to."""
    port_ps = costs[classes[block], BLOCK_PORT_PS]
    c[BLOCK_PORT_BUSY] += port_ps
    side = core // (k[K_CLUSTER_M] * k[K_CLUSTER_N])
    return _fetch(
        now, block, c, side, port_ps, k, shared, lru, resident, ready, classes, costs, counts
    )


@numba.njit(**OPTIONS)
def _request_output(
    now, c, core, k, shared, ends, tiles_of, lru, resident, ready, classes, costs, counts,
):  # fmt: skip
    """Kind 1: a main loop has ended, and its output is read; the epilogue waits for it."""
    tile, sets = c[OUTPUTS_READ], k[K_SETS]
    block = k[K_OUTPUTS_BASE] + tiles_of[tile % k[K_RING]]
    arrive = _fetch_block(
        now, block, c, core, k, shared, lru, resident, ready, classes, costs, counts
    )
    _ready(max(arrive, now + k[K_DRAIN_PS]), tile, c, core, k, tiles_of, classes, costs)
    ends[tile & (sets - 1), MAIN_LOOP_END] = -1
    c[OUTPUTS_READ] += 1
    following = ends[(tile + 1) & (sets - 1), MAIN_LOOP_END]
    c[OUTPUT_KEY] = _event(following, OUTPUT_REQUEST, core, k) if following >= 0 else NEVER


@numba.njit(**OPTIONS)
def _end_epilogue(
    now, c, core, k, shared, ends, tiles_of, arrived,
    lru, resident, ready, classes, costs, counts,
):  # fmt: skip
    """Kind 0: write and free the accumulators, or, for the last of several splits, reduce first."""
    tile = tiles_of[c[ENDED] % k[K_RING]]
    c[EPILOGUE_KEY] = NEVER
    splits = k[K_SPLITS]
    output = tile // splits
    slot = c[ENDED] & (k[K_SETS] - 1)
    if splits > 1 and not c[REDUCING]:
        ends[slot, REDUCED] = 0
        arrived[output] += 1
        if arrived[output] == splits:
            end = now
            for split in range(splits):
                other = output * splits + split
                if other != tile:
                    arrive = _fetch_block(
                        now, k[K_PARTIALS_BASE] + other, c, core, k, shared,
                        lru, resident, ready, classes, costs, counts,
                    )  # fmt: skip
                    end = max(end, arrive)
            ends[slot, REDUCED] = end - now
            block = k[K_OUTPUTS_BASE] + output
            if k[K_ACCUMULATES]:
                arrive = _fetch_block(
                    now, block, c, core, k, shared, lru, resident, ready, classes, costs, counts
                )
                end = max(end, arrive)
            end += costs[classes[block], HOLD_PS]
            c[EPILOGUE_KEY] = _event(end, EPILOGUE_ENDS, core, k)
            c[REDUCING] = 1
            return
        block, to_dram = k[K_PARTIALS_BASE] + tile, False
    else:
        block, to_dram = k[K_OUTPUTS_BASE] + output, k[K_WRITES_TO_DRAM] != 0
    _write(now, block, to_dram, k, shared, lru, resident, ready, classes, costs, counts)
    ends[slot, FREED] = now
    c[ENDED] += 1
    if c[EPILOGUE_READY] >= 0:
        at_time = max(now, c[EPILOGUE_READY])
        c[EPILOGUE_READY] = -1
        _begin_epilogue(at_time, c, core, k, tiles_of, classes, costs)


@numba.njit(**OPTIONS)
def _take_tile(c, core, k, queue_at, queue_start, queue_of, tiles, bounds, row_ends, tiles_of):
    """Take the next tile of the core's queue; False if there is none."""
    queue = queue_of[core]
    if queue_at[queue] == queue_start[queue + 1]:
        c[EXHAUSTED] = 1
        return False
    tile = tiles[queue_at[queue]]
    queue_at[queue] += 1
    tiles_of[c[TAKEN] % k[K_RING]] = tile
    c[TAKEN] += 1
    output = tile // k[K_SPLITS]
    split = tile - output * k[K_SPLITS]
    line = output // k[K_COLUMNS]  # GEMM and row: gemm * rows + row
    column = output - line * k[K_COLUMNS]
    gemm = line // k[K_ROWS]
    row = line - gemm * k[K_ROWS]
    c[ROWS_BLOCK] = line * k[K_ROW_BLOCKS]
    c[COLUMNS_BLOCK] = k[K_COLUMNS_BASE] + (gemm * k[K_COLUMNS] + column) * k[K_STAGES]
    last_row, last_column = row == k[K_ROWS] - 1, column == k[K_COLUMNS] - 1
    c[TILE_CLASS] = LAST_ROW * last_row + LAST_COLUMN * last_column
    c[STAGE] = bounds[split]
    c[STAGE_END] = bounds[split + 1]
    if row_ends is not None:
        c[STAGE_END] = min(bounds[split + 1], row_ends[row])
    return True


@numba.njit(inline="always", **OPTIONS)
def _update(tree, leaf, key):
    """Put a core's next event into the winner tree, whose root is the next event of all."""
    tree[leaf] = key
    while leaf > 1:
        key = min(key, tree[leaf ^ 1])
        leaf >>= 1
        tree[leaf] = key


@numba.njit(inline="always", **OPTIONS)
def _close(k, times, mac_ps, cores, ends, stages, accounts):
    """Close every core's account; False if one never finished (an engine bug)."""
    for core in range(k[K_CORES]):
        c = cores[core]
        if c[ENDED] != c[TAKEN] or not c[EXHAUSTED]:
            return False
        worked = mac = 0
        port = c[BLOCK_PORT_BUSY]
        for kind in range(times.shape[0]):
            count = stages[core, kind]
            worked += count * times[kind, STAGE_PS]
            mac += count * mac_ps[kind]
            port += count * (times[kind, ROWS_PORT_PS] + times[kind, COLUMNS_PORT_PS])
        end = tail = reduction = 0
        if c[ENDED]:  # the last epilogue, which no later tile has waited for
            last = (c[ENDED] - 1) & (k[K_SETS] - 1)
            end = ends[core, last, FREED]
            tail = end - c[DONE_TIME]
            reduction = min(tail, ends[core, last, REDUCED])
        accounts[MEMORY_WAIT, core] = c[MEMORY_PS]
        accounts[PROLOGUE_WAIT, core] = c[PROLOGUE_PS]
        accounts[EPILOGUE_WAIT, core] = c[EPILOGUE_PS] + tail - reduction
        accounts[REDUCTION_WAIT, core] = c[REDUCTION_PS] + reduction
        accounts[END_PS, core] = end
        accounts[WORKED_PS, core] = worked
        accounts[MAC_PS, core] = mac
        accounts[PORT_PS, core] = port
    return True


@numba.njit(**OPTIONS)
def _run(
    until, k, tiles, queue_start, queue_at, queue_of, bounds, row_ends,
    times, mac_ps, masked_kinds, costs, classes,
    cores, pendings, ends, tiles_of, arrived, shared, sent,
    lru, resident, ready, tree, stages, counts, accounts,
):  # fmt: skip
    """The event loop, of events before a key, or to the end. Returns whether every core finished.

    Without clusters ``sent`` is None, and numba compiles a loop that knows nothing of them; nor of
    rows that tiles keep, without ``row_ends``.
    """
    leaves = tree.shape[0] >> 1
    core_bits = k[K_CORE_BITS]
    core_mask = (1 << core_bits) - 1
    last_stage = k[K_STAGES] - 1
    if tree[0] == NEVER:  # at time 0, every core asks for its first stage
        tree[0] = 0
        for core in range(k[K_CORES]):
            cores[core, REQUEST_KEY] = _event(0, STAGE_REQUEST, core, k)
            _update(tree, leaves + core, cores[core, REQUEST_KEY])
    while tree[1] < until:
        key = tree[1]
        core = key & core_mask
        now = key >> (core_bits + KIND_BITS)
        where = np.uintp(core)
        c, pending = cores[where], pendings[where]
        event = (key >> core_bits) & KIND_MASK
        if event == STAGE_REQUEST:
            c[REQUEST_KEY] = NEVER
            flags = 0
            if c[STAGE] == c[STAGE_END]:
                if not _take_tile(
                    c, core, k, queue_at, queue_start, queue_of, tiles, bounds, row_ends,
                    tiles_of[core],
                ):  # fmt: skip
                    _update(tree, leaves + core, min(c[EPILOGUE_KEY], c[OUTPUT_KEY]))
                    continue
                flags = FIRST
            stage = c[STAGE]
            kind = c[TILE_CLASS] + LAST_STAGE * (stage == last_stage)
            if k[K_MASKED]:
                last_column = (kind & LAST_COLUMN) // LAST_COLUMN
                kind = masked_kinds[last_column, c[ROWS_BLOCK] + stage]
            shared[TIES] += shared[LAST_REQUEST] == now
            shared[LAST_REQUEST] = now
            if row_ends is not None:
                kind += FIRST_STAGE * flags
                arrive = _fetch_beside_kept(
                    now, stage, kind, flags, c, core, times, k, shared,
                    lru, resident, ready, classes, costs, counts,
                )  # fmt: skip
            elif sent is not None:
                arrive = _fetch_in_cluster(
                    now, stage, kind, c, core, sent, times, k, shared,
                    lru, resident, ready, classes, costs, counts,
                )  # fmt: skip
            else:
                arrive = _fetch(
                    now, c[ROWS_BLOCK] + stage, c, core, times[kind, ROWS_PORT_PS], k, shared,
                    lru, resident, ready, classes, costs, counts,
                )  # fmt: skip
                if k[K_HAS_COLUMNS]:
                    also = _fetch(
                        now, c[COLUMNS_BLOCK] + stage, c, core, times[kind, COLUMNS_PORT_PS], k,
                        shared, lru, resident, ready, classes, costs, counts,
                    )  # fmt: skip
                    arrive = max(arrive, also)
            stages[where, np.uintp(kind)] += 1
            if stage + 1 == c[STAGE_END]:
                flags |= LAST
            slot = np.uintp(c[ISSUE_SLOT])
            pending[slot, ARRIVE] = arrive
            pending[slot, KIND] = kind << FLAG_BITS | flags
            pending[slot, END] = times[kind, STAGE_PS]
            c[IN_FLIGHT_STAGES] += 1
            c[ISSUE_SLOT] += 1
            if c[ISSUE_SLOT] == k[K_BUFFERS]:
                c[ISSUE_SLOT] = 0
            c[ISSUE_TIME] = now
            c[STAGE] = stage + 1
        elif event == OUTPUT_REQUEST:
            _request_output(
                now, c, core, k, shared, ends[core], tiles_of[core],
                lru, resident, ready, classes, costs, counts,
            )  # fmt: skip
        else:
            _end_epilogue(
                now, c, core, k, shared, ends[core], tiles_of[core], arrived,
                lru, resident, ready, classes, costs, counts,
            )  # fmt: skip
        _settle(c, core, k, pending, ends[core], tiles_of[core], classes, times, costs)
        _plan_request(c, core, k, pending, ends[core])
        leaving = min(c[EPILOGUE_KEY], c[OUTPUT_KEY])
        _update(tree, leaves + core, min(leaving, c[REQUEST_KEY]))

    if tree[1] != NEVER:
        return False
    for block in range(resident.shape[0]):
        if resident[block] != ABSENT:
            counts[LEFT_CLEAN + (resident[block] == DIRTY), classes[block]] += 1
    return _close(k, times, mac_ps, cores, ends, stages, accounts)


# Leaps. Cores in the midst of their tiles often repeat themselves: after a period of one or two
# stages each, everything that decides what comes next is as it was, only later and further along k.
# Then further periods are added up instead of simulated, until a core comes to its tile's end or L2
# answers otherwise. Of L2 only the first and the last request of a block are followed.

# Columns of what is noted of a core before a period, and behind them the ends of its last stages.
NOTED_FIELDS = 7
(N_REQUEST, N_ISSUE, N_DONE, N_STORED, N_PORT, N_STAGE, N_MEMORY) = range(NOTED_FIELDS)

# Columns of a line of blocks, of one phase of the period, that cores walk along: its block at stage
# 0; the stage of the newest block requested in the period, where in the period it first was, and of
# the oldest one, where it last was; and whether the newest missed L2, and when it was filled then.
LINE_FIELDS = 9
(
    BASE,
    PHASE,
    NEWEST,
    NEWEST_AT,
    OLDEST,
    OLDEST_AT,
    OF_CLASS,
    MISSED,
    FILLED_AT,
) = range(LINE_FIELDS)


@numba.njit(inline="always", **OPTIONS)
def _periods_left(k, cores, shared, period):
    """Periods until the first core comes to the last stage of its tile; 0 unless all are at work in
    the midst of one."""
    if shared[FOREIGN] < shared.shape[0]:
        return 0
    left = NEVER
    for core in range(k[K_CORES]):
        c = cores[core]
        if c[EPILOGUE_KEY] != NEVER or c[OUTPUT_KEY] != NEVER or c[IN_FLIGHT_STAGES]:
            return 0
        if c[REQUEST_KEY] != NEVER:
            left = min(left, (c[STAGE_END] - 1 - c[STAGE]) // period)
        elif not c[EXHAUSTED]:
            return 0
    return max(left, 0)


@numba.njit(**OPTIONS)
def _note(period, k, cores, pendings, shared, resident, counts, noted, held, was):
    """Note what decides what comes next, and which of the blocks that are next are in L2."""
    buffers, shift = k[K_BUFFERS], KIND_BITS + k[K_CORE_BITS]
    for at in range(SHARED_FIELDS):
        was[0, at] = shared[at]
    for what in range(COUNTERS):
        for kind in range(counts.shape[1]):
            was[1 + what, kind] = counts[what, kind]
    for core in range(k[K_CORES]):
        c, n = cores[core], noted[core]
        n[N_REQUEST] = c[REQUEST_KEY] >> shift
        n[N_ISSUE], n[N_DONE], n[N_STORED] = c[ISSUE_TIME], c[DONE_TIME], c[STORED_TIME]
        n[N_PORT], n[N_STAGE], n[N_MEMORY] = c[PORT_FREE], c[STAGE], c[MEMORY_PS]
        slot = c[ISSUE_SLOT]
        for at in range(buffers):
            n[NOTED_FIELDS + at] = pendings[core, slot, END]
            slot = slot + 1 if slot + 1 < buffers else 0
        if c[REQUEST_KEY] != NEVER:
            for turn in range(period):
                at = core * period + turn
                held[at, 0] = resident[c[ROWS_BLOCK] + c[STAGE] + turn] != ABSENT
                if k[K_HAS_COLUMNS]:
                    held[at, 1] = resident[c[COLUMNS_BLOCK] + c[STAGE] + turn] != ABSENT


@numba.njit(**OPTIONS)
def _repeats(period, before, now, k, cores, pendings, shared, counts, noted, was):
    """Whether all is as it was noted, but for the time and the stage."""
    buffers, shift, leap = k[K_BUFFERS], KIND_BITS + k[K_CORE_BITS], now - before
    for queue in (L2_FREE, DRAM_FREE, LINK_FREE):
        if max(shared[queue], now) - max(was[0, queue], before) != leap:
            return False
    if shared[LAST_REQUEST] - was[0, LAST_REQUEST] != leap:
        return False
    for core in range(k[K_CORES]):
        c, n = cores[core], noted[core]
        if c[REQUEST_KEY] == NEVER:
            continue
        if c[STAGE] - n[N_STAGE] != period or (c[REQUEST_KEY] >> shift) - n[N_REQUEST] != leap:
            return False
        if c[ISSUE_TIME] - n[N_ISSUE] != leap or c[DONE_TIME] - n[N_DONE] != leap:
            return False
        if c[STORED_TIME] - n[N_STORED] != leap and not k[K_ASYNC_COPIES]:
            return False
        if max(c[PORT_FREE], now) - max(n[N_PORT], before) != leap:
            return False
        slot = c[ISSUE_SLOT]
        for at in range(buffers):
            if pendings[core, slot, END] - n[NOTED_FIELDS + at] != leap:
                return False
            slot = slot + 1 if slot + 1 < buffers else 0
    for kind in range(counts.shape[1]):
        for what in (WRITTEN, DRAM_WRITTEN):
            if counts[what, kind] != was[1 + what, kind]:
                return False
    return True


@numba.njit(**OPTIONS)
def _in_order(period, before, k, cores, noted, order, keys):
    """Sort the requests of a period, ``core * period + turn``, by time; returns how many."""
    requests = 0
    for core in range(k[K_CORES]):
        c = cores[core]
        for turn in range(period):
            at = core * period + turn
            keys[at] = NEVER
            if c[REQUEST_KEY] != NEVER:
                time = noted[core, N_REQUEST] if turn == 0 else c[ISSUE_TIME]
                keys[at] = ((time - before) << k[K_CORE_BITS]) | core
                requests += 1
    for at in range(1, order.shape[0]):  # they are nearly in order, from the last leap
        moved = order[at]
        key, to = keys[moved], at
        while to > 0 and keys[order[to - 1]] > key:
            order[to] = order[to - 1]
            to -= 1
        order[to] = moved
    return requests


@numba.njit(**OPTIONS)
def _lines(requests, period, k, cores, classes, noted, held, order, line_of, lines):
    """Find the lines of blocks that a period's requests walk along; returns how many, 0 if the
    blocks of one differ."""
    found = 0
    for at in range(requests):
        request = order[at]
        core = request // period
        stage = noted[core, N_STAGE] + request - core * period
        for side in range(1 + k[K_HAS_COLUMNS]):
            base = cores[core, ROWS_BLOCK if side == 0 else COLUMNS_BLOCK]
            kind, phase = classes[base + stage], stage % period
            line = found - 1
            while line >= 0 and (lines[line, BASE] != base or lines[line, PHASE] != phase):
                line -= 1
            if line < 0:
                line = found
                found += 1
                lines[line, BASE], lines[line, PHASE], lines[line, OF_CLASS] = base, phase, kind
                lines[line, NEWEST], lines[line, OLDEST] = -1, stage
            if kind != lines[line, OF_CLASS]:
                return 0
            line_of[at, side] = line
            if stage > lines[line, NEWEST]:
                lines[line, NEWEST], lines[line, NEWEST_AT] = stage, at
                lines[line, MISSED] = 1 - held[request, side]
            if stage <= lines[line, OLDEST]:
                lines[line, OLDEST], lines[line, OLDEST_AT] = stage, at
    return found


@numba.njit(**OPTIONS)
def _lag(found, period, before, now, k, ready, costs, counts, was, lines):
    """By how many periods cores on a line are apart, at most; -1 if what a period asks of L2 is not
    sure to repeat itself: blocks on their way from DRAM, or so many that L2 may lose some."""
    leap, lag, touched_bytes = now - before, 0, 0
    misses = was[0, SHARED_FIELDS:]
    for kind in range(counts.shape[1]):
        misses[kind] = 0
    for line in range(found):
        one = lines[line]
        base, kind = one[BASE], one[OF_CLASS]
        one[FILLED_AT] = ready[base + one[NEWEST]]
        if not one[MISSED] and one[FILLED_AT] > before:
            return -1
        for stage in range(one[OLDEST], one[NEWEST], period):
            # When it was filled, and when one at this distance from the newest will have been.
            filled = ready[base + stage]
            then = before
            if one[MISSED]:
                then = one[FILLED_AT] - (one[NEWEST] - stage) // period * leap
            if filled != then and max(filled, then) > before:
                return -1
        misses[kind] += one[MISSED]
        touched_bytes += costs[kind, BYTES]
        lag = max(lag, (one[NEWEST] - one[OLDEST]) // period)
    for kind in range(counts.shape[1]):
        if counts[MISSES, kind] - was[1 + MISSES, kind] != misses[kind]:
            return -1
    if k[K_RECENCY] and 2 * (lag + 2) * touched_bytes > k[K_L2_BYTES]:
        return -1
    return lag


@numba.njit(**OPTIONS)
def _answers_alike(
    ahead, before, k, shared, lru, resident, ready, classes, costs, lines, firsts, victims,
):  # fmt: skip
    """Whether L2, so many stages ahead, hits and misses as in the period, and loses nothing dirty
    and nothing that is asked for."""
    used, lost, hits = shared[L2_USED], 0, 0
    victim = lru[lru.shape[0] - 1, 0]
    for line in firsts:
        one = lines[line]
        block, kind = one[BASE] + one[NEWEST] + ahead, one[OF_CLASS]
        if classes[block] != kind or (resident[block] == ABSENT) != one[MISSED]:
            return False
        if not one[MISSED]:
            hits += 1
            if ready[block] > before:
                return False
            continue
        room = k[K_L2_BYTES] - costs[kind, BYTES]
        while used > room:
            if resident[victim] == DIRTY or lost == victims.shape[0]:
                return False
            victims[lost] = victim
            lost += 1
            used -= costs[classes[victim], BYTES]
            victim = lru[victim, 0]
        used += costs[kind, BYTES]
    if hits and lost:
        for line in firsts:
            block = lines[line, BASE] + lines[line, NEWEST] + ahead
            for at in range(lost):
                if victims[at] == block:
                    return False
    return True


@numba.njit(**OPTIONS)
def _request_ahead(
    ahead, filled_ps, k, shared, lru, resident, ready, classes, costs, counts, lines, firsts, lasts,
):  # fmt: skip
    """The first and the last requests of blocks in the period that is so many stages ahead."""
    for line in firsts:
        one = lines[line]
        block = one[BASE] + one[NEWEST] + ahead
        if one[MISSED]:
            _insert(0, block, CLEAN, k, shared, lru, resident, classes, costs, counts)
            ready[block] = one[FILLED_AT] + filled_ps
        elif k[K_RECENCY]:
            _to_front(lru, np.uintp(lru.shape[0] - 1), np.uintp(block))
    if k[K_RECENCY]:
        for line in lasts:
            block = lines[line, BASE] + lines[line, OLDEST] + ahead
            _to_front(lru, np.uintp(lru.shape[0] - 1), np.uintp(block))


@numba.njit(**OPTIONS)
def _shift(periods, period, before, now, k, cores, pendings, shared, tree, stages, counts,
           noted, was):  # fmt: skip
    """Move clocks and counters on by so many periods, each like the one that was noted."""
    leap = (now - before) * periods
    key_leap = leap << (KIND_BITS + k[K_CORE_BITS])
    for queue in (L2_FREE, DRAM_FREE, LINK_FREE, LAST_REQUEST):
        shared[queue] += leap
    for counter in (IN_FLIGHT, TIES):
        shared[counter] += (shared[counter] - was[0, counter]) * periods
    for what in (REQUESTS, MISSES, FAR):
        for kind in range(counts.shape[1]):
            counts[what, kind] += (counts[what, kind] - was[1 + what, kind]) * periods
    for core in range(k[K_CORES]):
        c = cores[core]
        if c[REQUEST_KEY] == NEVER:
            continue
        c[REQUEST_KEY] += key_leap
        c[ISSUE_TIME] += leap
        c[DONE_TIME] += leap
        c[STORED_TIME] += leap
        c[PORT_FREE] += leap
        c[MEMORY_PS] += (c[MEMORY_PS] - noted[core, N_MEMORY]) * periods
        c[STAGE] += period * periods
        stages[core, c[TILE_CLASS]] += period * periods
        for slot in range(k[K_BUFFERS]):
            pendings[core, slot, END] += leap
    for node in range(1, tree.shape[0]):
        if tree[node] != NEVER:
            tree[node] += key_leap


@numba.njit(**OPTIONS)
def _look(period, fewest, k, cores, pendings, shared, resident, counts, noted, held, was):
    """Note how all is, if ``fewest`` periods are left after the next one; returns how many are."""
    left = _periods_left(k, cores, shared, period) - 1
    if left < fewest:
        return 0
    _note(period, k, cores, pendings, shared, resident, counts, noted, held, was)
    return left


@numba.njit(**OPTIONS)
def _leap(
    period, left, before, now, k, classes, costs, cores, pendings, shared,
    lru, resident, ready, tree, stages, counts,
    noted, held, was, order, keys, line_of, lines, firsts, lasts, victims,
):  # fmt: skip
    """Add periods like the one that was noted, as many as are sure to be; returns how many."""
    if not _repeats(period, before, now, k, cores, pendings, shared, counts, noted, was):
        return 0
    requests = _in_order(period, before, k, cores, noted, order, keys)
    found = _lines(requests, period, k, cores, classes, noted, held, order, line_of, lines)
    lag = _lag(found, period, before, now, k, ready, costs, counts, was, lines) if found else -1
    if lag < 0:
        return 0
    first = last = 0
    for at in range(requests):
        for side in range(1 + k[K_HAS_COLUMNS]):
            line = line_of[at, side]
            if lines[line, NEWEST_AT] == at:
                firsts[first] = line
                first += 1
            if lines[line, OLDEST_AT] == at:
                lasts[last] = line
                last += 1
    periods = 0
    while periods < left and _answers_alike(
        (periods + 1) * period, before, k, shared, lru, resident, ready, classes, costs, lines,
        firsts[:first], victims,
    ):  # fmt: skip
        periods += 1
        _request_ahead(
            periods * period, periods * (now - before), k, shared, lru, resident, ready, classes,
            costs, counts, lines, firsts[:first], lasts[:last],
        )  # fmt: skip
    if k[K_RECENCY]:  # blocks that are still in use lie in the order of all of their requests
        sentinel = np.uintp(lru.shape[0] - 1)
        for ahead in range(max(1, periods - lag), periods + 1):
            for at in range(requests):
                core = order[at] // period
                stage = noted[core, N_STAGE] + order[at] - core * period + ahead * period
                _to_front(lru, sentinel, np.uintp(cores[core, ROWS_BLOCK] + stage))
                if k[K_HAS_COLUMNS]:
                    _to_front(lru, sentinel, np.uintp(cores[core, COLUMNS_BLOCK] + stage))
    if periods:
        _shift(periods, period, before, now, k, cores, pendings, shared, tree, stages, counts,
               noted, was)  # fmt: skip
    return periods


def stage_table(program: Program) -> IntArray:
    """Times of the kinds of stages in the columns that the kernel names."""
    columns = (
        program.stage_ps,
        program.prologue_ps,
        program.rows_port_ps,
        program.columns_port_ps,
    )
    return np.array(columns).T.copy()


def block_table(program: Program) -> IntArray:
    """Sizes and times of block classes in the columns that the kernel names."""
    columns = (
        program.block_bytes,
        program.dram_ps,
        program.l2_ps,
        program.link_ps,
        program.hold_ps,
        program.block_port_ps,
        program.dram_write_ps,
    )
    return np.array(columns).T.copy()


def _constants(program: Program) -> IntArray:
    grid, buffers, sets = program.grid, program.stage_buffers, program.accumulator_sets
    values = {
        K_CORES: program.cores,
        K_CORE_BITS: max(1, (program.cores - 1).bit_length()),
        K_ROWS: grid.rows,
        K_COLUMNS: grid.columns,
        K_STAGES: grid.stages,
        K_ROW_BLOCKS: grid.row_blocks,
        K_SPLITS: grid.splits,
        K_COLUMNS_BASE: grid.columns_base,
        K_OUTPUTS_BASE: grid.outputs_base,
        K_PARTIALS_BASE: grid.partials_base,
        K_HAS_COLUMNS: grid.has_columns,
        K_BUFFERS: buffers,
        K_SETS: sets,
        K_PREFETCH: program.prefetch,
        K_ASYNC_COPIES: program.async_copies,
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
        K_MASKED: program.is_masked,
        K_ACCUMULATES: program.accumulates,
        K_CLUSTER_M: program.cluster.m,
        K_CLUSTER_N: program.cluster.n,
    }
    assert list(values) == list(range(len(values))), "constants out of order"
    return np.array([*values.values()], dtype=np.int64)


def _zeros(*shape: int) -> IntArray:
    return np.zeros(shape, dtype=np.int64)


LEAP_EVENTS, LEAP_WAVE_EVENTS, LEAP_CORES = 400_000, 8_000, 16
"""Stages of a run, and of one tile on every core, from which on looking for leaps may pay; and
cores: what they share is followed once."""

FEWEST_EVENTS, SHORTEST_PAUSE, LONGEST_PAUSE = 1_000, 250, 64_000
"""Stages, of all cores: that a leap must promise, since a try takes as long as they do; and that
pass between looks, which are twice as far apart after each that led to no leap."""


def _may_leap(program: Program) -> bool:
    """Whether all tiles walk along k alike, each core on its own, and for long."""
    grid = program.grid
    if program.is_masked or grid.keeps_rows or program.cluster_cores > 1:
        return False
    is_deep = program.cores * grid.stages >= LEAP_WAVE_EVENTS * grid.splits
    return is_deep and program.stage_events >= LEAP_EVENTS and program.cores >= LEAP_CORES


def _run_in_leaps(program: Program, arguments: tuple[Any, ...]) -> bool:
    """As `_run` to the end, in leaps where cores repeat themselves."""
    (k, *_, costs, classes, state, pendings, _, _, _, shared, _,
     lru, resident, ready, tree, stages, counts, _) = arguments  # fmt: skip
    period = 1 + program.halves  # blocks lie in the halves by turns
    requests = program.cores * period
    noted = _zeros(program.cores, NOTED_FIELDS + program.stage_buffers)
    held = _zeros(requests, 2)
    was = _zeros(1 + COUNTERS, SHARED_FIELDS + len(table.BLOCK_CLASSES))
    scratch = (
        np.arange(requests), _zeros(requests), _zeros(requests, 2),
        _zeros(2 * requests, LINE_FIELDS), _zeros(2 * requests), _zeros(2 * requests),
        _zeros(8 * requests),
    )  # fmt: skip
    shift, core_mask = KIND_BITS + int(k[K_CORE_BITS]), (1 << int(k[K_CORE_BITS])) - 1
    stage_key = max(1, int(program.stage_ps[0])) << shift
    fewest = max(8, FEWEST_EVENTS // requests)
    shortest, longest = (max(1, one // program.cores) for one in (SHORTEST_PAUSE, LONGEST_PAUSE))
    pause = shortest
    finished = _run(0, *arguments)
    while tree[1] != NEVER:
        key, leapt = int(tree[1]), 0
        left = _look(period, fewest, k, state, pendings, shared, resident, counts, noted, held, was)
        if left:
            core, before = key & core_mask, key >> shift
            for _ in range(period):
                _run(min(key + 1, NEVER), *arguments)
                key = int(state[core, REQUEST_KEY])
            finished = _run(key, *arguments)
            if key == NEVER:
                continue
            leapt = _leap(
                period, left, before, key >> shift, k, classes, costs, state, pendings, shared,
                lru, resident, ready, tree, stages, counts, noted, held, was, *scratch,
            )  # fmt: skip
        pause = shortest if leapt else min(2 * pause, longest)
        if not leapt:
            finished = _run(min(key + pause * stage_key, NEVER), *arguments)
    return bool(finished)


def run(program: Program) -> EngineResult:
    """Simulate one program."""
    grid, cores, queues = program.grid, program.cores, program.queues
    sets, buffers = program.accumulator_sets, program.stage_buffers
    k, times, costs = _constants(program), stage_table(program), block_table(program)
    classes, blocks = program.block_class, program.block_class.size
    state = _zeros(cores, CORE_FIELDS)
    state[:, REQUEST_KEY] = state[:, EPILOGUE_KEY] = state[:, OUTPUT_KEY] = NEVER
    state[:, EPILOGUE_READY] = -1
    shared = _zeros(SHARED_FIELDS + program.foreign.size)
    shared[LAST_REQUEST], shared[FOREIGN] = -1, SHARED_FIELDS
    if program.foreign.size:
        shared[SHARED_FIELDS:] = program.foreign.ravel()
        shared[L2_USED] = program.foreign[:, 0].sum()
    lru = np.full((blocks + 1 if k[K_RECENCY] else 1, 2), blocks, dtype=np.uint32)
    resident = np.zeros(blocks, dtype=np.uint8)
    stages, counts = _zeros(cores, len(times)), _zeros(COUNTERS, len(table.BLOCK_CLASSES))
    warm = program.warm_blocks, program.warm_dirty
    _warm(*warm, k, shared, lru, resident, classes, costs, counts)
    shared[EVICTIONS] = 0
    accounts = np.empty((ACCOUNTS, cores), dtype=np.int64)
    tree = np.full(2 << (cores - 1).bit_length(), NEVER, dtype=np.int64)
    arrived = np.zeros(grid.outputs if grid.splits > 1 else 1, dtype=np.int32)
    pendings, ends = _zeros(cores, buffers, STAGE_FIELDS), _zeros(cores, sets, LAST_TILE_FIELDS)
    ends[:, :, MAIN_LOOP_END] = -1
    m, n = program.cluster
    sent = row_ends = None
    if grid.keeps_rows:
        row_ends = np.array(grid.row_ends or [grid.stages] * grid.rows, dtype=np.int64)
    if program.cluster_cores > 1:
        sent = _zeros(cores // (m * n), m + n, grid.stages, BROADCAST_FIELDS)
    arguments = (
        k, queues.tiles, queues.start, queues.start[:-1].copy(), queues.of_core,
        program.split_bounds, row_ends, times, program.mac_ps, program.masked_kinds, costs, classes,
        state, pendings, ends, _zeros(cores, k[K_RING]), arrived, shared, sent,
        lru, resident, _zeros(blocks), tree, stages, counts, accounts,
    )  # fmt: skip
    kernel = partial(_run, NEVER, *arguments)
    if _may_leap(program):
        kernel = partial(_run_in_leaps, program, arguments)
    finished = waiting(kernel) if program.stage_events > LONG_STAGES else kernel()
    assert finished, "a core stopped before its work was done"
    return EngineResult(
        makespan_ps=int(max(accounts[END_PS].max(), shared[DRAIN])),
        stages=stages,
        waits_ps=accounts[list(WAITS)].T,
        end_ps=accounts[END_PS],
        worked_ps=accounts[WORKED_PS],
        mac_ps=accounts[MAC_PS],
        port_ps=accounts[PORT_PS],
        requests=counts[REQUESTS],
        misses=counts[MISSES],
        multicast=counts[MULTICAST],
        far=counts[FAR],
        written=counts[WRITTEN],
        dram_written=counts[DRAM_WRITTEN],
        left=counts[LEFT_CLEAN:],
        foreign_evicted=int(shared[FOREIGN] - SHARED_FIELDS) // FOREIGN_FIELDS,
        evictions=int(shared[EVICTIONS]),
        in_flight_hits=int(shared[IN_FLIGHT]),
        ties=int(shared[TIES]),
    )


@numba.njit(**OPTIONS)
def _warm(blocks, dirty, k, shared, lru, resident, classes, costs, counts):
    """Insert blocks as if each had been read, or written, once before time 0."""
    for at in range(blocks.size):
        state = DIRTY if dirty[at] else CLEAN
        _insert(0, blocks[at], state, k, shared, lru, resident, classes, costs, counts)
