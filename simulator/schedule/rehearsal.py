"""Mappings run in outline: tiles, queues and L2 as the engine has them, on costs in floats.

The closed form says which few of all mappings may be the fastest; here these are told apart. A
rehearsal needs no program: what stages cost comes from the arrays that estimates are made of, and
one compiled call takes all mappings of all problems. Tiles are dealt out and stages requested one
by one, in the order of time; L2 evicts by age in bytes; of long products stages are bundled, and of
many tiles only the first are run, the rest at their pace. All times are in cycles.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.jit import OPTIONS, numba

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

(
    COUNT, ROWS, COLUMNS, STAGES, SPLITS, BAND, CLUSTER_M, CLUSTER_N, CORES, BUFFERS, WARM,
    BUNDLE, RUN, SLOTS, IN_FLIGHT, ADDS,
) = range(16)  # fmt: skip
"""Of a mapping: its grid and what of it is run. ``BUNDLE`` stages are one, ``IN_FLIGHT`` of them
are requested at a time, ``RUN`` tiles are run, ``SLOTS`` blocks stand for those of a line; ``ADDS``
where the product is added to what Y holds."""
SIZES: Final = 16

(
    STAGE, PROLOGUE, ROWS_PORT, COLUMNS_PORT, ROWS_L2, COLUMNS_L2, ROWS_DRAM, COLUMNS_DRAM,
    ROWS_BYTES, COLUMNS_BYTES, HOLD, PARTIAL, REDUCTION, READ, READ_DRAM, OUTPUT_L2, OUTPUT_DRAM,
    OUTPUT_BYTES,
) = range(18)  # fmt: skip
"""Of a kind of tile, ``last_row + 2 * last_column``, and of its last stage: what stages and
epilogues take."""
COSTS: Final = 18

(
    L2_LATENCY, FAR, LINK_RATIO, DRAM_LATENCY, ISSUE, DRAIN, L2_BYTES, DISPATCHED, PREFETCH, SETS,
    ASYNC, WRITES_TO_DRAM,
) = range(12)  # fmt: skip
"""Of the machine and its library; ``LINK_RATIO`` is how much longer than through L2 bytes take
between its halves, 0 where it has none."""
RULES: Final = 12

OF_PROBLEM, LEAST, REACH, AFTERWARDS, LIMITS = range(5)
"""Of a mapping: its least time, how many fastest times still matter, what follows its tiles."""

WHO_IS_FREE, IN_TURN, IN_RUNS = range(3)
"""Who takes the next tile."""

(
    L2_FREE, DRAM_FREE, LINK_FREE, INSERTED, READS_FREE, DRAINED, SECOND_ENDS, LAST_ENDS, READING,
    SHARED,
) = range(10)  # fmt: skip
SENT_TURN, SENT_FILLED, SENT_PASSED, SENT = range(4)

(
    NUMBER, STAGE_AT, STAGE_END, PART, ROWS_LINE, COLUMNS_LINE, KIND, SPLIT, OUTPUT, TAKEN,
    RING_SLOT, PLACES,
) = range(12)  # fmt: skip
NEXT, DONE, PORT_FREE, FREED, FREED_BEFORE, WRITE_AT, WRITE_KIND, CLOCKS = range(8)

TICKS: Final = 64
NEVER: Final = 1e12
"""Of a cycle, in which the order of requests is kept; and cycles."""

LATE: Final = int(NEVER) * TICKS


@numba.njit(**OPTIONS)
def _decode(number, sizes, place):
    """The number-th tile in the order of dispatch, as `grouped_order` has it."""
    place[NUMBER] = number
    rows, columns, splits = sizes[ROWS], sizes[COLUMNS], sizes[SPLITS]
    across, down = sizes[CLUSTER_N], sizes[CLUSTER_M]
    of_gemm = rows * columns * splits
    gemm = number // of_gemm
    number -= gemm * of_gemm
    band = sizes[BAND]
    of_band = band * columns * splits
    top = number // of_band * band
    number -= top * columns * splits
    height = min(band, rows - top)
    of_column = height * splits * across
    column = number // of_column * across
    number -= number // of_column * of_column
    of_cluster = splits * down * across
    row = number // of_cluster * down
    number -= number // of_cluster * of_cluster
    split = number // (down * across)
    number -= split * down * across
    row += top + number // across
    column += number % across
    place[ROWS_LINE] = gemm * rows + row
    place[COLUMNS_LINE] = gemm * columns + column
    place[OUTPUT] = (gemm * rows + row) * columns + column
    place[SPLIT] = split
    place[STAGE_AT] = split * sizes[STAGES] // splits
    place[PART] = 0
    place[STAGE_END] = (split + 1) * sizes[STAGES] // splits
    place[KIND] = (row == rows - 1) + 2 * (column == columns - 1)


@numba.njit(**OPTIONS)
def _fetch(
    now, block, side, times, l2_time, port_time, dram_time, size, shares, sent, turn,
    rules, clock, shared, ready, touched,
):  # fmt: skip
    """When ``times`` blocks as one are at their core, as the engine has it; L2 forgets by age."""
    clock[PORT_FREE] = max(clock[PORT_FREE], now) + port_time * times
    port = clock[PORT_FREE]
    is_far = rules[LINK_RATIO] > 0 and (times > 1 or (block ^ side) & 1)
    extra = rules[FAR] if is_far else 0.0
    if shares and sent[SENT_TURN] == turn:
        path = max(sent[SENT_PASSED], port) + rules[L2_LATENCY]
        return max(path, sent[SENT_FILLED] + port_time) + extra
    if touched[block] < 0 or shared[INSERTED] - touched[block] > rules[L2_BYTES]:
        shared[DRAM_FREE] = max(shared[DRAM_FREE], now) + dram_time * times
        ready[block] = shared[DRAM_FREE] + rules[DRAM_LATENCY]
        shared[INSERTED] += size * times
        if turn > 1:
            shared[READING] += dram_time * times
    touched[block] = shared[INSERTED]
    shared[L2_FREE] = max(shared[L2_FREE], now) + l2_time * times
    passed = shared[L2_FREE]
    if is_far:
        crossing = l2_time * times * rules[LINK_RATIO]
        if times > 1:  # half of them
            crossing *= 0.5
        shared[LINK_FREE] = max(shared[LINK_FREE], now) + crossing
        passed = max(passed, shared[LINK_FREE])
    if shares and sent[SENT_TURN] < turn:
        sent[SENT_TURN], sent[SENT_FILLED], sent[SENT_PASSED] = turn, ready[block], passed
    # The first of several blocks is worked on while the others come.
    arrive = max(max(passed, port) + rules[L2_LATENCY], ready[block] + port_time)
    return arrive + extra


@numba.njit(**OPTIONS)
def _write(now, kind, sizes, costs, rules, shared):
    """An output, or partial sums, join the queue of writes."""
    cost, splits = costs[kind, 0], sizes[SPLITS]
    to_dram = rules[WRITES_TO_DRAM] > 0 and splits == 1
    if not to_dram:
        shared[L2_FREE] = max(shared[L2_FREE], now) + cost[OUTPUT_L2]
        shared[INSERTED] += cost[OUTPUT_BYTES]
        to_dram = shared[INSERTED] > rules[L2_BYTES]
        shared[DRAINED] = max(shared[DRAINED], shared[L2_FREE])
    if sizes[ADDS]:
        shared[DRAM_FREE] += cost[READ_DRAM] / splits
    if to_dram:
        shared[DRAM_FREE] = max(shared[DRAM_FREE], now) + cost[OUTPUT_DRAM]
        shared[DRAINED] = max(shared[DRAINED], shared[DRAM_FREE])


@numba.njit(**OPTIONS)
def _epilogue(end, core, place, clock, sizes, costs, rules, shared, arrived):
    """When a tile's accumulators are free; ``arrived`` has how many splits of an output are in, and
    when the last of them was."""
    cost, splits, output = costs[place[KIND], 0], sizes[SPLITS], place[OUTPUT]
    left = max(end + rules[DRAIN], clock[FREED])
    side = core // (sizes[CLUSTER_M] * sizes[CLUSTER_N])
    finishes = splits == 1
    if splits > 1:
        left += cost[PARTIAL]
        arrived[output, 0] += 1
        arrived[output, 1] = max(arrived[output, 1], left)
        finishes = arrived[output, 0] == splits
        if finishes:
            left = arrived[output, 1]
    read = 0.0
    if finishes and sizes[ADDS]:
        begun = end if splits == 1 else left
        shared[READS_FREE] = max(shared[READS_FREE], begun) + cost[READ_DRAM]
        read = shared[READS_FREE] + cost[READ]
        lines = sizes[COUNT] * (sizes[ROWS] + sizes[COLUMNS])
        if rules[LINK_RATIO] > 0 and (lines * sizes[STAGES] + output ^ side) & 1:
            read += rules[FAR]
    if splits > 1 and finishes:
        left += cost[REDUCTION]
    return max(left, read) + cost[HOLD] if finishes else left


@numba.njit(inline="always", **OPTIONS)
def _update(tree, core, at_time):
    """Put a core's next request into the winner tree, whose root is the next of all; ties go to the
    lower core."""
    leaves = tree.size // 2
    key = np.int64(at_time * TICKS) * leaves + core
    leaf = leaves + core
    tree[leaf] = key
    while leaf > 1:
        key = min(key, tree[leaf ^ 1])
        leaf >>= 1
        tree[leaf] = key


@numba.njit(inline="always", **OPTIONS)
def _stage(
    now, core, place, clock, sizes, costs, rules, shared, ready, touched, sent, ring, arrived
):
    """Request a stage, or a bundle of them, work on it, and tell when the next may be requested."""
    first = place[PART] == 0
    left = place[STAGE_END] - place[STAGE_AT]
    is_last = place[STAGE_END] == sizes[STAGES] and left == 1
    times = 1
    if sizes[BUNDLE] > 1 and not first and not is_last:
        times = min(sizes[BUNDLE], left - (place[STAGE_END] == sizes[STAGES]))
    cost = costs[place[KIND], int(is_last)]
    slot = place[STAGE_AT]
    if sizes[BUNDLE] > 1:
        slot = place[SPLIT] * (sizes[SLOTS] // sizes[SPLITS]) + place[PART]
    rows_block = place[ROWS_LINE] * sizes[SLOTS] + slot
    lines = sizes[COUNT] * sizes[ROWS]
    columns_block = (lines + place[COLUMNS_LINE]) * sizes[SLOTS] + slot
    side, turn = core, place[TAKEN]
    m, n = sizes[CLUSTER_M], sizes[CLUSTER_N]
    shares = m * n > 1
    of_rows, of_columns, sent_slot = 0, 0, 0
    if shares:
        side = core // (m * n)
        member = core - side * m * n
        of_rows = side * (m + n) + member // n
        of_columns = side * (m + n) + m + member % n
        sent_slot = slot
    arrive = _fetch(
        now, rows_block, side, times, cost[ROWS_L2], cost[ROWS_PORT], cost[ROWS_DRAM],
        cost[ROWS_BYTES], shares, sent[of_rows, sent_slot], turn, rules, clock,
        shared, ready, touched,
    )  # fmt: skip
    arrive = max(arrive, _fetch(
        now, columns_block, side, times, cost[COLUMNS_L2], cost[COLUMNS_PORT], cost[COLUMNS_DRAM],
        cost[COLUMNS_BYTES], shares, sent[of_columns, sent_slot], turn, rules, clock,
        shared, ready, touched,
    ))  # fmt: skip
    period, latency = cost[STAGE], 0.0
    if times > 1:  # inside a bundle, stages wait for buffers, or for registers to come through
        latency = rules[L2_LATENCY]
        if max(ready[rows_block], ready[columns_block]) > now:
            latency = rules[DRAM_LATENCY]
        latency += rules[FAR] + cost[ROWS_PORT] + cost[COLUMNS_PORT]
        period = max(period, (latency + period) / sizes[BUFFERS])
        if rules[ASYNC] == 0:
            period = max(period, latency)
    start = max(arrive if times == 1 else now + latency, clock[DONE])
    if first:
        start = max(start, clock[FREED] if rules[SETS] == 1 else clock[FREED_BEFORE])
        start += cost[PROLOGUE]
    end = max(start + period * times, arrive + cost[STAGE])
    clock[DONE] = end
    ring[place[RING_SLOT]] = end
    place[RING_SLOT] += 1
    if place[RING_SLOT] == sizes[IN_FLIGHT]:
        place[RING_SLOT] = 0
    place[STAGE_AT] += times
    place[PART] += 1
    after = max(now + rules[ISSUE], ring[place[RING_SLOT]])
    if rules[ASYNC] == 0:
        after = max(after, start - cost[PROLOGUE] if first else start)
    if place[STAGE_AT] == place[STAGE_END]:
        if clock[WRITE_AT] < NEVER:
            _write(now, int(clock[WRITE_KIND]), sizes, costs, rules, shared)
        freed = _epilogue(end, core, place, clock, sizes, costs, rules, shared, arrived)
        clock[FREED_BEFORE] = clock[FREED]
        clock[FREED] = clock[WRITE_AT] = freed
        clock[WRITE_KIND] = place[KIND]
        wave = place[NUMBER] // sizes[CORES]
        if wave == 1:
            shared[SECOND_ENDS] += freed
        if wave == sizes[RUN] // sizes[CORES] - 1:
            shared[LAST_ENDS] += freed
        if rules[PREFETCH] == 0:
            after = max(after, end)
            after = max(after, clock[FREED] if rules[SETS] == 1 else clock[FREED_BEFORE])
    return after


@numba.njit(**OPTIONS)
def _the_rest(sizes, costs, rules, shared):
    """What the waves take that are not run: as long as the last ones that were, and once L2 is full
    no less than DRAM takes for what they read and write."""
    cores, waves = sizes[CORES], sizes[RUN] // sizes[CORES]
    tiles = sizes[COUNT] * sizes[ROWS] * sizes[COLUMNS] * sizes[SPLITS]
    left = (tiles - sizes[RUN]) // cores
    pace = (shared[LAST_ENDS] - shared[SECOND_ENDS]) / cores / (waves - 2)
    dram = shared[READING] / (waves - 1) + cores * costs[0, 0, OUTPUT_DRAM]
    room = (rules[L2_BYTES] - shared[INSERTED]) * waves / shared[INSERTED]
    room = min(max(room, 0.0), left)
    if rules[WRITES_TO_DRAM] > 0:
        room = 0.0
    return pace * room + max(pace, dram) * (left - room)


@numba.njit(**OPTIONS)
def _least(sizes, costs, rules):
    """What any full stage takes, one from its request on, and what follows a tile's stages."""
    stage = trip = end = NEVER
    for kind in range(4):
        cost = costs[kind, 0]
        stage, end = min(stage, cost[STAGE]), min(end, cost[HOLD])
        trip = min(trip, cost[STAGE] + cost[ROWS_PORT] + cost[COLUMNS_PORT])
    return stage, 0.0 if sizes[BUNDLE] > 1 else rules[L2_LATENCY] + trip, rules[DRAIN] + end


@numba.njit(**OPTIONS)
def _rehearse(
    sizes, costs, limit, rules, shared, ready, touched, sent, places, clocks, rings, tree, arrived
):
    """How long one mapping takes; if it is longer than ``limit``, what is seen to exceed that."""
    cores, run, leaves = sizes[CORES], sizes[RUN], tree.size // 2
    total = sizes[COUNT] * sizes[ROWS] * sizes[COLUMNS] * sizes[SPLITS]
    taken = 0
    stage, trip, end_of_tile = _least(sizes, costs, rules)
    full, buffers = sizes[STAGES] // sizes[SPLITS] - 1, sizes[BUFFERS]
    of_tile = max(stage * full, trip * (full // buffers))
    left = max(rules[L2_LATENCY] + of_tile, of_tile / cores * run) + end_of_tile
    if left > limit:
        return left
    blocks = sizes[COUNT] * (sizes[ROWS] + sizes[COLUMNS]) * sizes[SLOTS]
    touched[:blocks] = sizes[WARM] - 1.0
    ready[:blocks] = 0.0
    shared[:] = 0.0
    places[:cores] = 0
    clocks[:cores] = 0.0
    clocks[:cores, WRITE_AT] = NEVER
    rings[:cores] = 0.0
    tree[:] = np.iinfo(np.int64).max
    if sizes[SPLITS] > 1:
        arrived[: sizes[COUNT] * sizes[ROWS] * sizes[COLUMNS]] = 0.0
    sent[:, :, SENT_TURN] = 0.0
    for core in range(cores):
        _update(tree, core, 0.0)
    while True:
        key = tree[1]
        at_tick = key // leaves
        if at_tick >= LATE:
            break
        core = key - at_tick * leaves
        place, clock = places[core], clocks[core]
        now = clock[NEXT]
        # All but the last of the stages that are left, of this core and of a share of all tiles.
        stages = max(0, place[STAGE_END] - place[STAGE_AT] - 1)
        left = max(stage * stages, trip * (stages // buffers), of_tile / cores * (run - taken))
        if now + left + end_of_tile > limit and (left > 0 or taken < run):
            return now + left + end_of_tile
        if clock[WRITE_AT] <= now:
            _write(clock[WRITE_AT], int(clock[WRITE_KIND]), sizes, costs, rules, shared)
            clock[WRITE_AT] = NEVER
        if place[STAGE_AT] == place[STAGE_END]:
            number, end = taken, run
            if rules[DISPATCHED] == IN_TURN:
                number = core + place[TAKEN] * cores
            elif rules[DISPATCHED] == IN_RUNS:
                number, end = core * run // cores + place[TAKEN], (core + 1) * run // cores
            if number >= end:
                clock[NEXT] = clock[WRITE_AT]
                _update(tree, core, clock[NEXT])
                continue
            taken += 1
            place[TAKEN] += 1
            _decode(number, sizes, place)
        clock[NEXT] = _stage(
            now, core, place, clock, sizes, costs, rules, shared, ready, touched, sent,
            rings[core], arrived,
        )  # fmt: skip
        _update(tree, core, clock[NEXT])
    end = shared[DRAINED]
    for core in range(cores):
        end = max(end, clocks[core, FREED])
    if run < total:
        end += _the_rest(sizes, costs, rules, shared)
    return end


@numba.njit(**OPTIONS)
def _rehearse_all(
    all_sizes, all_costs, limits, rules, shared, ready, touched, sent, places, clocks, rings, trees,
    arrived, times,
):  # fmt: skip
    """How long each of many mappings takes; what is passed last is room to work in."""
    best, problem = np.inf, -1.0
    for at in range(times.size):
        sizes, of = all_sizes[at], limits[at]
        if of[OF_PROBLEM] != problem:
            best, problem = np.inf, of[OF_PROBLEM]
        times[at] = of[LEAST]
        within = best * of[REACH] + 1  # of a cycle, parts are rounded off
        if of[LEAST] > within:
            continue
        leaves = 1
        while leaves < sizes[CORES]:
            leaves *= 2
        times[at] = _rehearse(
            sizes, all_costs[at], within - of[AFTERWARDS], rules, shared, ready, touched, sent,
            places, clocks, rings, trees[: 2 * leaves], arrived,
        )  # fmt: skip
        best = min(best, max(times[at] + of[AFTERWARDS], of[LEAST]))
