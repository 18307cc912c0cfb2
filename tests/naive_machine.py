"""The brute-force machine: one GEMM, event by event, with the account of every core-picosecond.

It shares no code with the package: blocks are keyed by what they are, L2 is a list, stages cost
what `naive` says. One tile at a time owns a core, and nothing is prefetched. Slow, and only meant
for small GEMMs.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from naive import (
    BITS,
    NaiveCost,
    NaiveStage,
    naive_block_steps,
    naive_chosen,
    naive_factors,
    naive_stage,
)
from naive_memory import Block, NaiveMemory, NaivePort, NaiveRun

from simulator.hardware import Hardware, Library
from simulator.schedule.mapping import Mapping

EPILOGUE_ENDS, READ_OUTPUT, REQUEST = 0, 1, 2


@dataclass
class _Core(NaivePort):
    issued_ps: int = -(10**18)
    tile: tuple[int, int, int, int] | None = None  # GEMM, row, column, split
    todo: list[int] = field(default_factory=list)
    done_ps: list[int] = field(default_factory=list)  # ends of the stages of all tiles, in order
    free_ps: int = 0  # since when it waits: a stage or an epilogue ended
    reducing: bool = False
    worked: Counter[str] = field(default_factory=Counter)
    next_event: tuple[int, int] | None = (0, REQUEST)  # time, kind


def _chunks(size: int, width: int) -> list[range]:
    return [range(start, min(size, start + width)) for start in range(0, size, width)]


class NaiveMachine:
    """``count`` GEMMs of m x n x k under a pattern, on a machine.

    Parameters
    ----------
    mask : list of rows of 0 and 1, optional
        Real non-zeros, where the hardware skips what is zero.
    accumulates : bool
        The product is added to what Y holds.
    choosing_rows : int, optional
        Rows of W that choose columns together, 4 of every group.
    start : list of (int, bool), optional
        What L2 holds at the start, oldest first: places among all blocks, and whether dirty.
    foreign : list of (int, bool), optional
        As `NaiveMemory` takes it.
    """

    def __init__(
        self,
        hardware: Hardware,
        library: Library,
        mapping: Mapping,
        shape: tuple[int, int, int, int],
        pattern: tuple[int, int],
        dtype: str,
        mask: list[list[int]] | None = None,
        accumulates: bool = False,
        choosing_rows: int | None = None,
        start: list[tuple[int, bool]] | None = None,
        foreign: list[tuple[int, bool]] | None = None,
    ) -> None:
        assert not library.prefetch
        assert not library.epilogue_overlap
        self.hardware, self.library, self.mapping = hardware, library, mapping
        self.count, self.m, self.n, self.k = shape
        self.keep, self.group = pattern
        self.dtype, self.bits, self.mask = dtype, BITS[dtype], mask
        self.accumulates = accumulates
        self.rows = _chunks(self.m, mapping.tile_m)
        self.columns = _chunks(self.n, mapping.tile_n)
        self.stages = _chunks(self.k, mapping.tile_k)
        shape_m, shape_n = library.cluster.m, library.cluster.n
        self.cluster_m = shape_m if len(self.rows) % shape_m == 0 else 1
        self.cluster_n = shape_n if len(self.columns) % shape_n == 0 else 1
        self.cluster = self.cluster_m * self.cluster_n
        self.choosing_rows = choosing_rows
        along = None if choosing_rows is None else self.n
        self.factors = naive_factors(hardware, self.keep, self.group, dtype, self.k, along)
        self.run = NaiveRun()
        self.arrived: Counter[tuple[int, int, int]] = Counter()
        self.costs: dict[tuple[int, int, int, int], NaiveCost] = {}
        cluster = self.cluster_m, self.cluster_n
        sizes = self._bytes, self._passed
        blocks = self._blocks()
        self.memory = NaiveMemory(hardware, cluster, blocks, sizes, self.run, foreign or [])
        self.start = [(blocks[place], is_dirty) for place, is_dirty in start or []]

    # What there is, and in which order.

    def _blocks(self) -> list[Block]:
        """All blocks, in the order of their ids."""
        gemms = range(self.count)
        places = {
            "rows": (len(self.rows), len(self.stages)),
            "columns": (len(self.columns), len(self.stages)),
            "outputs": (len(self.rows), len(self.columns)),
            "partials": (len(self.rows), len(self.columns) * self.mapping.splits),
        }
        return [
            (operand, gemm, line, place)
            for operand, (lines, length) in places.items()
            for gemm in gemms
            for line in range(lines)
            for place in range(length)
        ]

    def _tiles(self) -> list[tuple[int, int, int, int]]:
        """(GEMM, row, column, split) in the order of dispatch."""
        tall, wide = self.cluster_m, self.cluster_n
        return [
            (gemm, row, column, split)
            for gemm in range(self.count)
            for band in _chunks(len(self.rows) // tall, max(1, self.library.swizzle // tall))
            for across in range(len(self.columns) // wide)
            for down in band
            for split in range(self.mapping.splits)
            for row in range(down * tall, down * tall + tall)
            for column in range(across * wide, across * wide + wide)
        ]

    def _queues(self) -> list[list[tuple[int, int, int, int]]]:
        """A queue a core, which may be the same one for all."""
        tiles, cores = self._tiles(), self.hardware.core.count
        if self.library.dispatch == "dynamic":
            return [tiles] * cores
        if self.library.dispatch == "round_robin":
            working = cores // self.cluster * self.cluster
            idle = cores - working
            return [tiles[core::working] for core in range(working)] + [[] for _ in range(idle)]
        if self.library.dispatch == "contiguous":
            ends = [len(tiles) * core // cores for core in range(cores + 1)]
            return [tiles[ends[core] : ends[core + 1]] for core in range(cores)]
        raise NotImplementedError(f"say here, too, who takes what: {self.library.dispatch}")

    def _split(self, split: int) -> list[int]:
        """Stages of a k-split."""
        splits, stages = self.mapping.splits, len(self.stages)
        return list(range(split * stages // splits, (split + 1) * stages // splits))

    # What things cost.

    def _cost(self, gemm: int, row: int, column: int, stage: int) -> NaiveCost:
        key = (gemm, row, column, stage)
        if key not in self.costs:
            mapping = self.mapping
            fragment = mapping.fragment_m, mapping.fragment_n
            tile = NaiveStage(mapping.tile_m, mapping.tile_n, mapping.tile_k, *fragment)
            lines = self.rows[row], self.columns[column], self.stages[stage]
            shape = NaiveStage(*map(len, lines), *fragment)
            steps = None
            if self.mask is not None:
                ks = self.stages[stage]
                part = [
                    self.mask[gemm * self.m + row][ks.start : ks.stop] for row in self.rows[row]
                ]
                instruction = self.hardware.core.tensor_cores.instructions[self.dtype]
                lanes = self.hardware.sparsity.lockstep_rows
                steps = naive_block_steps(part, self.group, lanes, instruction.k)
            self.costs[key] = naive_stage(
                self.hardware, self.keep, self.group, self.dtype, shape, self.factors, steps, tile,
                self.choosing_rows is not None,
            )  # fmt: skip
        return self.costs[key]

    def _bytes(self, block: Block) -> dict[str, int]:
        """Of a block, by operand."""
        operand, gemm, line, place = block
        if operand == "rows":
            cost = self._cost(gemm, line, 0, place)
            return {"weights": cost.rows_bytes, "metadata": cost.metadata_bytes}
        if operand == "columns":
            if self.choosing_rows is not None:
                return {"activations": self._chosen_by_some(line, place)}
            return {"activations": self._cost(gemm, 0, line, place).columns_bytes}
        if operand == "outputs":
            area = len(self.rows[line]) * len(self.columns[place])
            return {"outputs": math.ceil(area * self.bits / 8)}
        column = place // self.mapping.splits
        return {"partial_sums": len(self.rows[line]) * len(self.columns[column]) * 4}

    def _chosen_by_some(self, line: int, place: int) -> int:
        """Of a block of X: what rows that choose independently want of it, between them."""
        k, n = len(self.stages[place]), len(self.columns[line])
        one = math.ceil(len(naive_chosen(k, self.group)) * n * self.bits / 8)
        left = Fraction(1)  # of the columns, what nobody has chosen yet
        for _ in _chunks(self.m, self.choosing_rows or 1):
            left *= 1 - Fraction(4, self.group)
        if self.m > (self.choosing_rows or 1):
            left = 1 - Fraction(math.floor((1 - left) * 2**32), 2**32)
        return min(math.ceil(one * (1 - left) * self.group / 4), math.ceil(k * n * self.bits / 8))

    def _passed(self, block: Block) -> dict[str, int]:
        """Of a block, what passes L2 when a tile asks for it: of X what its own rows chose."""
        if block[0] == "columns" and self.choosing_rows is not None:
            return {"activations": self._cost(block[1], 0, block[2], block[3]).columns_bytes}
        return self._bytes(block)

    def _warm(self, queues: list[list[tuple[int, int, int, int]]]) -> None:
        """Insert what is read, in the order of first use; several queues are walked one by one."""
        order: list[Block] = []
        walked = queues[:1] if self.library.dispatch == "dynamic" else queues
        for queue in walked:
            for gemm, row, column, split in queue:
                for stage in self._split(split):
                    order += [("rows", gemm, row, stage), ("columns", gemm, column, stage)]
                if self.accumulates and split == self.mapping.splits - 1:
                    order.append(("outputs", gemm, row, column))
        for block in dict.fromkeys(order):
            self.memory.ready_ps[block] = 0
            self.memory.insert(0, block)

    # Events.

    def simulate(self) -> NaiveRun:
        """All events in the order (time, kind, core)."""
        queues = self._queues()
        if self.hardware.memory.l2.start == "warm":
            self._warm(queues)
        for block, is_dirty in self.start:
            self.memory.ready_ps[block] = 0
            if self.memory.insert(0, block) and is_dirty:
                self.memory.dirty.add(block)
        waiting = [list(queue) for queue in queues]
        if self.library.dispatch == "dynamic":
            waiting = [waiting[0]] * len(waiting)
        cores = [_Core(number) for number in range(self.hardware.core.count)]
        while pending := [core for core in cores if core.next_event]:
            core = min(pending, key=lambda core: (*(core.next_event or ()), core.number))
            assert core.next_event is not None
            now_ps, kind = core.next_event
            if kind == REQUEST:
                self._request(now_ps, core, waiting[core.number])
            elif kind == READ_OUTPUT:
                self._read_output(now_ps, core)
            else:
                self._end_epilogue(now_ps, core)
        return self._closed(cores)

    def _request(self, now_ps: int, core: _Core, queue: list[tuple[int, int, int, int]]) -> None:
        first = not core.todo
        if first:
            if not queue:
                core.next_event = None
                return
            core.tile = queue.pop(0)
            core.turn += 1
            core.todo = self._split(core.tile[3])
        assert core.tile is not None
        gemm, row, column, _ = core.tile
        stage = core.todo.pop(0)
        core.issued_ps = now_ps
        cost = self._cost(gemm, row, column, stage)
        rows_ps = self.memory.port_ps((cost.rows_bytes + cost.metadata_bytes) * self.factors[0])
        columns_ps = self.memory.port_ps(cost.columns_bytes * self.factors[1])
        rows_at = self.memory.fetch(now_ps, ("rows", gemm, row, stage), core, rows_ps)
        columns_at = self.memory.fetch(now_ps, ("columns", gemm, column, stage), core, columns_ps)
        stored_ps = start_ps = max(rows_at, columns_at, core.free_ps)
        wait = "prologue" if first else "memory_stall"
        self.run.core_time_ps[wait] += start_ps - core.free_ps
        if first:
            self.run.core_time_ps["prologue"] += cost.first_load_ps
            start_ps += cost.first_load_ps
        core.free_ps = start_ps + cost.stage_ps
        core.done_ps.append(core.free_ps)
        self._work(core, cost)
        if core.todo:
            at_ps = core.issued_ps + self._issue_ps()
            buffers = self.mapping.stage_buffers
            if len(core.done_ps) >= buffers:
                at_ps = max(at_ps, core.done_ps[-buffers])
            if not self.hardware.core.async_copies:  # it passes through registers first
                at_ps = max(at_ps, stored_ps)
            core.next_event = at_ps, REQUEST
        elif self.accumulates and self.mapping.splits == 1:
            core.next_event = core.free_ps, READ_OUTPUT
        else:
            ends_ps = core.free_ps + self._drain_ps() + self._hold_ps(self._result(core.tile))
            core.next_event = ends_ps, EPILOGUE_ENDS

    def _read_output(self, now_ps: int, core: _Core) -> None:
        """A main loop has ended: what Y held there is read; the pipeline drains meanwhile."""
        assert core.tile is not None
        block = self._result(core.tile)
        arrives_ps = self._fetch_whole(now_ps, block, core)
        begins_ps = max(arrives_ps, now_ps + self._drain_ps())
        core.next_event = begins_ps + self._hold_ps(block), EPILOGUE_ENDS

    def _fetch_whole(self, now_ps: int, block: Block, core: _Core) -> int:
        """Request a block that is aligned: partial sums, or outputs."""
        return self.memory.fetch(
            now_ps, block, core, self.memory.port_ps(sum(self._bytes(block).values()))
        )

    def _drain_ps(self) -> int:
        return self.memory.cycles_ps(self.hardware.core.tensor_cores.drain_cycles)

    def _issue_ps(self) -> int:
        return max(1, self.memory.cycles_ps(self.hardware.core.issue_cycles))

    def _result(self, tile: tuple[int, int, int, int]) -> Block:
        gemm, row, column, split = tile
        if self.mapping.splits > 1:
            return "partials", gemm, row, column * self.mapping.splits + split
        return "outputs", gemm, row, column

    def _hold_ps(self, block: Block) -> int:
        epilogue_ps = math.ceil(Fraction(str(self.library.epilogue_ns)) * 1000)
        size = sum(self._bytes(block).values())
        epilogue_ps += self.memory.port_ps(size)
        if self.library.epilogue_staged:  # into the scratchpad and out of it
            epilogue_ps += 2 * self.memory.scratchpad_ps(size)
        if block[0] == "outputs" and self.accumulates and self.library.epilogue_slice_bytes:
            epilogue_ps += self._waits(block) * self._round_trip_ps
        return epilogue_ps

    def _waits(self, block: Block) -> int:
        """Slices of a fragment of outputs, but for the first, which has been waited for."""
        _, _, row, column = block
        outputs = [
            (m, n)
            for m in range(min(len(self.rows[row]), self.mapping.fragment_m))
            for n in range(min(len(self.columns[column]), self.mapping.fragment_n))
        ]
        a_slice = Fraction(self.library.epilogue_slice_bytes or 0) * 8 / self.bits
        return math.ceil(len(outputs) / a_slice) - 1

    @cached_property
    def _round_trip_ps(self) -> int:
        """To DRAM, unless L2 starts with all that it can be asked for, which it can hold."""
        memory = self.hardware.memory
        far_ps = (
            self.memory.cycles_ps(memory.l2.halves.far_latency_cycles) if memory.l2.halves else 0
        )
        near_ps = self.memory.cycles_ps(memory.l2.latency_cycles)
        every = self.memory.numbers
        blocks = [b for b in every if b[0] != "partials" or self.mapping.splits > 1]
        everything = sum(sum(self._bytes(block).values()) for block in blocks)
        if memory.l2.start == "warm" and everything <= memory.l2.bytes:
            return near_ps + far_ps
        return max(near_ps, math.ceil(Fraction(str(memory.dram.latency_ns)) * 1000)) + far_ps

    def _work(self, core: _Core, cost: NaiveCost) -> None:
        """A stage's time by what it went to, and what it moved inside the core."""
        stall_ps = cost.stage_ps - cost.mac_ps - cost.barrier_ps
        which = "operand" if cost.operand_ps > cost.scratchpad_ps else "scratchpad"
        self.run.core_time_ps[f"{which}_stall"] += stall_ps
        self.run.core_time_ps["barrier"] += cost.barrier_ps
        self.run.core_time_ps["mac"] += cost.mac_ps
        self.run.macs_executed += cost.macs_executed
        core.worked["stage"] += cost.stage_ps
        core.worked["mac"] += cost.mac_ps
        core.worked["scratchpad"] += cost.scratchpad_ps
        core.worked["operand"] += cost.operand_ps
        self.run.moved.update(cost.moved)

    def _end_epilogue(self, now_ps: int, core: _Core) -> None:
        assert core.tile is not None
        gemm, row, column, _ = core.tile
        block = self._result(core.tile)
        if self.mapping.splits > 1 and not core.reducing:
            self.arrived[gemm, row, column] += 1
            if self.arrived[gemm, row, column] == self.mapping.splits:
                self._reduce(now_ps, core)
                return
        elif core.reducing:
            core.reducing, block = False, ("outputs", gemm, row, column)
        self.memory.write(now_ps, block)
        self.run.core_time_ps["epilogue"] += now_ps - core.free_ps
        core.free_ps = now_ps
        core.next_event = max(now_ps, core.issued_ps + self._issue_ps()), REQUEST

    def _reduce(self, now_ps: int, core: _Core) -> None:
        """The last split of an output reads the partial sums of the others, in their order."""
        assert core.tile is not None
        gemm, row, column, own = core.tile
        end_ps = now_ps
        for split in range(self.mapping.splits):
            if split != own:
                block = self._result((gemm, row, column, split))
                end_ps = max(end_ps, self._fetch_whole(now_ps, block, core))
        self.run.core_time_ps["reduction"] += end_ps - now_ps
        self.run.core_time_ps["epilogue"] -= end_ps - now_ps  # which lies inside of it
        core.reducing = True
        output: Block = "outputs", gemm, row, column
        if self.accumulates:
            end_ps = max(end_ps, self._fetch_whole(now_ps, output, core))
        core.next_event = end_ps + self._hold_ps(output), EPILOGUE_ENDS

    def _closed(self, cores: list[_Core]) -> NaiveRun:
        run = self.run
        start_ps = math.ceil(Fraction(str(self.hardware.kernel_start_ns)) * 1000)
        if self.mapping.splits > 1 and self.library.reduction_kernel:
            start_ps *= 2
        makespan_ps = max(self.memory.drained_ps, *(core.free_ps for core in cores))
        run.time_ps = start_ps + makespan_ps
        run.core_time_ps["kernel_start"] = start_ps * len(cores)
        run.core_time_ps["idle"] = sum(makespan_ps - core.free_ps for core in cores)
        run.slots_used = self._slots_used()
        mac_ps = run.core_time_ps.pop("mac")
        useful_ps = mac_ps * run.slots_used // run.macs_executed if run.macs_executed else 0
        run.core_time_ps["mac_useful"] = useful_ps
        run.core_time_ps["mac_padding"] = mac_ps - useful_ps
        for what in ("mac", "scratchpad", "operand"):
            run.busy_ps[what] = max(core.worked[what] for core in cores)
        run.busy_ps["port"] = max(core.port_busy_ps for core in cores)
        run.busy_ps["l2"] = max(run.busy_ps.pop("l2_queue"), run.busy_ps.pop("link", 0))
        worked = [core.worked["stage"] for core in cores if core.worked["stage"]]
        run.imbalance_ratio = max(worked) / (sum(worked) / len(worked))
        return run

    def _slots_used(self) -> int:
        """MACs of slots that can hold a weight, or of real non-zeros."""
        if self.mask is not None:
            return sum(sum(row) for row in self.mask) * self.n
        groups = _chunks(self.k, self.group)
        a_row = sum(min(self.keep, len(group)) for group in groups)
        return a_row * self.m * self.n * self.count
