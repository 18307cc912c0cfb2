"""The model of record: cores, queues and memory as SimPy processes and resources.

Read this file to know what the machine does, and `memory` for what happens between cores and DRAM.
A core is three processes: one requests stages, one works on them, and one per tile carries the
result out.

Simultaneous events are ordered by SimPy's priorities: whatever a queue or a timer does comes
first, then, as *turns*, the ends of epilogues (kind 0), the requests of outputs that are added to
(kind 1) and of stages (kind 2), cores by number. Nothing else decides a tie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simpy
from simpy.events import EventPriority

from simulator.engine.memory import Asked, Clock, Memory, Port, Process, Transfers
from simulator.engine.result import EngineResult, Waits
from simulator.schedule.classes import COLUMNS, ROWS
from simulator.schedule.partition import Place
from simulator.schedule.program import Program

EPILOGUE_ENDS, OUTPUT_REQUEST, STAGE_REQUEST = range(3)
FIRST_TURN = 10
"""Priority of the first turn; SimPy's own events have priorities 0 and 1."""


class Observer(Transfers, Protocol):
    """Is told what happened once it has; changes nothing. Times are picoseconds."""

    def worked(
        self,
        core: int,
        tile: TakenTile,
        stage: int,
        *,
        since_ps: int,
        waits_ps: Waits,
        stage_ps: int,
    ) -> None:
        """A stage is done: since then the core first waited, then worked."""


class Turn(simpy.Event):
    """An event at which a core changes what others can see; ordered by kind, then core."""

    def __init__(self, env: Clock, delay: int, kind: int, core: int, cores: int):
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, EventPriority(FIRST_TURN + kind * cores + core), delay)


@dataclass
class TakenTile:
    """A tile that a core has taken."""

    place: Place
    count: int  # how many the core had taken before
    stages: range
    main_loop_ended: simpy.Event
    reduction_ps: int = 0


class Core:
    """One core: it requests stages, works on them, and carries results out."""

    def __init__(self, number: int, machine: Machine):
        self.number, self.machine = number, machine
        self.env, self.program = machine.env, machine.program
        cluster, self.member = divmod(number, self.program.cluster_cores)
        self.port = Port(self.env, cluster)
        buffers, sets = self.program.stage_buffers, self.program.accumulator_sets
        self.buffers = simpy.Container(self.env, buffers, init=buffers)
        # Without asynchronous copies stages pass through registers, one at a time.
        loads = buffers if self.program.async_copies else 1
        self.loads = simpy.Container(self.env, loads, init=loads)
        self.accumulators = simpy.Container(self.env, sets, init=sets)
        self.epilogue_unit = simpy.Resource(self.env)
        self.pipeline = simpy.Store(self.env)
        self.taken = 0
        self.ended: list[tuple[int, TakenTile]] = []  # when, and which, in order
        self.worked_until_ps = 0
        self.waits = Waits()
        self.stage_ps = self.mac_ps = 0
        self.stages = np.zeros(len(self.program.costs), dtype=np.int64)
        self.env.process(self._request_stages())
        self.env.process(self._work())

    def _request_stages(self) -> Process:
        """Request stage after stage: where it goes and what it passes through must be free, and
        the issue interval over."""
        earliest_ps = 0
        main_loop_ended = self.env.event().succeed()
        while True:
            yield self.buffers.get(1)
            yield self.loads.get(1)
            if not self.program.prefetch:
                yield main_loop_ended
                yield self.accumulators.get(1)
            yield self.env.timeout(max(0, earliest_ps - self.env.now_ps))
            yield self._turn(STAGE_REQUEST)
            tile = self.machine.take_tile(self)
            if tile is None:
                return
            main_loop_ended = tile.main_loop_ended
            for stage in tile.stages:
                if stage != tile.stages[0]:
                    yield self.buffers.get(1)
                    yield self.loads.get(1)
                    if self.env.now_ps < earliest_ps:
                        yield self.env.timeout(earliest_ps - self.env.now_ps)
                    yield self._turn(STAGE_REQUEST)
                earliest_ps = self.env.now_ps + self.program.issue_ps
                self.pipeline.put((tile, stage, self._fetch(tile, stage)))

    def _fetch(self, tile: TakenTile, stage: int) -> list[simpy.Process]:
        """Request the blocks of a stage, rows first, both now."""
        program, memory = self.program, self.machine.memory
        self.machine.count_tie()
        kind, place = program.stage_kind(tile.place, stage), tile.place
        self.stages[kind] += 1
        row, column = divmod(self.member, program.cluster.n)
        fetched = []
        if not program.grid.keeps_rows or stage == tile.stages[0]:
            block = place.rows_block + (0 if program.grid.keeps_rows else stage)
            asked = Asked(tile.count, ROWS, row, stage)
            rows_ps = int(program.rows_port_ps[kind])
            fetched.append(memory.fetch(block, self.port, rows_ps, asked))
        if program.grid.has_columns:
            asked = Asked(tile.count, COLUMNS, column, stage)
            columns_ps = int(program.columns_port_ps[kind])
            block = place.columns_block + stage
            fetched.append(memory.fetch(block, self.port, columns_ps, asked))
        return fetched

    def _work(self) -> Process:
        """Work on stages in order, as soon as each has arrived."""
        program = self.program
        while True:
            tile, stage, blocks = yield self.pipeline.get()
            kind = program.stage_kind(tile.place, stage)
            length_ps = int(program.stage_ps[kind])
            self.stage_ps += length_ps
            self.mac_ps += int(program.mac_ps[kind])
            first_load_ps = 0
            if stage == tile.stages[0]:
                if program.prefetch:
                    yield self.accumulators.get(1)
                for arrival in blocks:
                    yield arrival
                first_load_ps = int(program.prologue_ps[kind])
                waits_ps = self._waits_before(tile, first_load_ps)
            else:
                for arrival in blocks:
                    yield arrival
                waits_ps = Waits(memory_stall=self.env.now_ps - self.worked_until_ps)
            self.waits = self.waits.plus(waits_ps)
            self.loads.put(1)  # the stage is in the scratchpad
            yield self.env.timeout(first_load_ps + length_ps)
            if self.machine.observer is not None:
                self.machine.observer.worked(
                    self.number,
                    tile,
                    stage,
                    since_ps=self.worked_until_ps,
                    waits_ps=waits_ps,
                    stage_ps=length_ps,
                )
            self.worked_until_ps = self.env.now_ps
            self.buffers.put(1)
            if stage == tile.stages[-1]:
                tile.main_loop_ended.succeed()
                self.env.process(self._carry_out(tile))

    def _waits_before(self, tile: TakenTile, first_load_ps: int) -> Waits:
        """Waiting for accumulators is epilogue or reduction; for the first stage, prologue."""
        held_ps = reduction_ps = 0
        earlier = tile.count - self.program.accumulator_sets
        if earlier >= 0:
            freed_ps, previous = self.ended[earlier]
            held_ps = max(0, freed_ps - self.worked_until_ps)
            reduction_ps = min(previous.reduction_ps, held_ps)
        prologue_ps = self.env.now_ps - self.worked_until_ps - held_ps + first_load_ps
        return Waits(prologue=prologue_ps, epilogue=held_ps - reduction_ps, reduction=reduction_ps)

    def _carry_out(self, tile: TakenTile) -> Process:
        """The epilogue of a tile; the last of several splits adds up what the others left.

        An output that is added to is requested at once, or, with several splits, by the last one
        beside the others' partial sums: only then is it known which one that is.
        """
        program, memory = self.program, self.machine.memory
        output, partial = tile.place.output_block, tile.place.partial_block
        splits = program.grid.splits
        drained = self.env.timeout(program.drain_ps)
        with self.epilogue_unit.request() as unit:
            if program.accumulates and splits == 1:
                yield self._turn(OUTPUT_REQUEST)
                yield self._fetch_block(output)
            yield drained
            yield unit
            yield self._turn(EPILOGUE_ENDS, self._hold_ps(partial if splits > 1 else output))
            if splits == 1:
                memory.write(output, program.writes_to_dram)
            elif not self.machine.is_last_split(tile):
                memory.write(partial, straight_to_dram=False)
            else:
                started_ps = self.env.now_ps
                others = [self._fetch_block(block) for block in tile.place.other_partials]
                held = [self._fetch_block(output)] if program.accumulates else []
                yield simpy.AllOf(self.env, others)
                tile.reduction_ps = self.env.now_ps - started_ps
                yield simpy.AllOf(self.env, held)
                yield self._turn(EPILOGUE_ENDS, self._hold_ps(output))
                memory.write(output, program.writes_to_dram)
        self.ended.append((self.env.now_ps, tile))
        self.accumulators.put(1)

    def _fetch_block(self, block: int) -> simpy.Process:
        """Request partial sums, or an output that is added to."""
        kind = self.program.block_class[block]
        return self.machine.memory.fetch(block, self.port, int(self.program.block_port_ps[kind]))

    def _hold_ps(self, block: int) -> int:
        return int(self.program.hold_ps[self.program.block_class[block]])

    def _turn(self, kind: int, delay: int = 0) -> Turn:
        return Turn(self.env, delay, kind, self.number, self.program.cores)

    def all_waits(self) -> Waits:
        """Until the core has ended: the last tile's way out included."""
        tail = reduction = 0
        if self.ended:
            tail = self.ended[-1][0] - self.worked_until_ps
            reduction = min(tail, self.ended[-1][1].reduction_ps)
        return self.waits.plus(Waits(epilogue=tail - reduction, reduction=reduction))


class Machine:
    """Cores, the memory they share, and the tiles that wait for them."""

    def __init__(self, program: Program, observer: Observer | None = None):
        self.env, self.program, self.observer = Clock(), program, observer
        self.memory = Memory(self.env, program, observer)
        starts = program.queues.start
        self.queues = [
            iter(program.queues.tiles[starts[q] : starts[q + 1]].tolist())
            for q in range(len(starts) - 1)
        ]
        self.arrived: dict[int, int] = {}
        self.last_request_ps = -1
        self.ties = 0
        self.cores = [Core(number, self) for number in range(program.cores)]

    def take_tile(self, core: Core) -> TakenTile | None:
        """The next tile of the core's queue, if there is one."""
        number = next(self.queues[self.program.queues.of_core[core.number]], None)
        if number is None:
            return None
        place = self.program.grid.place(number)
        core.taken += 1
        return TakenTile(place, core.taken - 1, place.stages, self.env.event())

    def is_last_split(self, tile: TakenTile) -> bool:
        """Count a split whose epilogue has ended; True for the last one of its output."""
        output = tile.place.output
        self.arrived[output] = self.arrived.get(output, 0) + 1
        return self.arrived[output] == self.program.grid.splits

    def count_tie(self) -> None:
        self.ties += self.last_request_ps == self.env.now_ps
        self.last_request_ps = self.env.now_ps


def run(program: Program, observer: Observer | None = None) -> EngineResult:
    """Simulate one program; an observer is told of every stage and transfer."""
    machine = Machine(program, observer)
    machine.env.run()
    memory = machine.memory
    for core in machine.cores:
        assert len(core.ended) == core.taken, "a core stopped before its work was done"
    ends = [core.ended[-1][0] if core.ended else 0 for core in machine.cores]
    return EngineResult(
        makespan_ps=max(*ends, memory.drained_ps, 0),
        stages=np.stack([core.stages for core in machine.cores]),
        waits_ps=np.array([core.all_waits() for core in machine.cores], dtype=np.int64),
        end_ps=np.array(ends, dtype=np.int64),
        worked_ps=np.array([core.stage_ps for core in machine.cores], dtype=np.int64),
        mac_ps=np.array([core.mac_ps for core in machine.cores], dtype=np.int64),
        port_ps=np.array([core.port.busy_ps for core in machine.cores], dtype=np.int64),
        requests=memory.requests,
        multicast=memory.multicast,
        misses=memory.misses,
        far=memory.far,
        written=memory.written,
        dram_written=memory.dram_written,
        evictions=memory.evictions,
        in_flight_hits=memory.in_flight_hits,
        ties=machine.ties,
    )
