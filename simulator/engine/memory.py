"""Memory of the reference engine: queues as SimPy processes, L2 with its LRU state, and DRAM.

DRAM, L2, the link between the halves of L2 and the port of every core are first-come-first-served
servers. `reference` says what asks for what, and when.

Multicast. The cores of a cluster take tiles that lie side by side, in equal turns. Of a stage of a
turn, the first of them that asks for a block has it looked up, read and sent, to all that work on
the block's line: a `Broadcast`. The others take it from there, however late: they use neither DRAM
nor L2 nor the link, but their own port, in full. Broadcasts are kept by line and stage until the
next turn's; a core that is late by as much asks for itself. A cluster lies beside one half of L2.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Generator
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import simpy

from simulator.schedule.classes import BLOCK_CLASSES
from simulator.schedule.program import Program

Process = Generator[simpy.Event, Any, Any]


class Clock(simpy.Environment):
    """SimPy's environment with time in whole picoseconds."""

    @property
    def now_ps(self) -> int:
        return int(self.now)


class Transfers(Protocol):
    """Is told what passed between levels once it has; changes nothing."""

    def moved(self, level: str, written: bool, start_ps: int, end_ps: int, size: int) -> None:
        """A block of ``size`` bytes has passed "l2" or "dram", one at a time each."""


class Server:
    """A queue that serves one transfer at a time, in order of request."""

    def __init__(self, env: Clock):
        self.env = env
        self.jobs = simpy.Store(env)
        env.process(self._serve())

    def serve(self, duration_ps: int) -> simpy.Event:
        """Join the queue now; the event returned happens when the transfer is done."""
        done = self.env.event()
        self.jobs.put((duration_ps, done))
        return done

    def _serve(self) -> Process:
        while True:
            duration_ps, done = yield self.jobs.get()
            yield self.env.timeout(duration_ps)
            done.succeed()


class Port(Server):
    """A core's way to L2."""

    def __init__(self, env: Clock, cluster: int):
        super().__init__(env)
        self.cluster = cluster
        self.busy_ps = 0


class Broadcast(NamedTuple):
    """A block on its way to a cluster: the transfers up to its cores' ports, and its fill."""

    transfers: list[simpy.Event]
    filled: simpy.Event


class Asked(NamedTuple):
    """For which stage a block is asked for, of which of the lines that a cluster works on."""

    turn: int
    operand: int
    line: int
    stage: int


class Memory:
    """L2 with its LRU state, and DRAM behind it."""

    def __init__(self, env: Clock, program: Program, observer: Transfers | None = None):
        self.env, self.program, self.observer = env, program, observer
        self.dram, self.l2, self.link = Server(env), Server(env), Server(env)
        self.resident: OrderedDict[int, bool] = OrderedDict()  # block -> dirty; front is last
        self.foreign = deque(program.foreign.tolist())  # oldest first: bytes, write time
        self.used_bytes = sum(size for size, _ in self.foreign)
        self.filled: dict[int, simpy.Event] = {}  # its value is the time of the fill
        # By cluster, operand, line and stage: the last turn's, and which turn that was.
        self.sent: dict[tuple[int, int, int, int], tuple[int, Broadcast]] = {}
        self.multicast = np.zeros(len(BLOCK_CLASSES), dtype=np.int64)
        self.requests = np.zeros(len(BLOCK_CLASSES), dtype=np.int64)
        self.misses = np.zeros(len(BLOCK_CLASSES), dtype=np.int64)
        self.far = np.zeros(len(BLOCK_CLASSES), dtype=np.int64)
        self.written = np.zeros(len(BLOCK_CLASSES), dtype=np.int64)
        self.dram_written = np.zeros(len(BLOCK_CLASSES), dtype=np.int64)
        self.evictions = self.in_flight_hits = self.drained_ps = 0
        for block, dirty in zip(program.warm_blocks, program.warm_dirty, strict=True):
            self._insert(int(block), dirty=bool(dirty))
            self.filled[int(block)] = env.event().succeed(0)
        self.evictions = 0

    def fetch(
        self, block: int, port: Port, port_ps: int, asked: Asked | None = None
    ) -> simpy.Process:
        """Request a block now; the process returned ends when all of it has arrived.

        ``asked`` is for whom, where the cores of a cluster may share it.
        """
        if asked is None:
            sent = self._send(block, port.cluster)
        else:
            sent = self._shared(block, port.cluster, asked)
        port.busy_ps += port_ps
        path = [*sent.transfers, port.serve(port_ps)]
        extra_ps = self.program.far_latency_ps if self._is_far(block, port.cluster) else 0
        return self.env.process(self._arrival(path, sent.filled, port_ps, extra_ps))

    def _shared(self, block: int, cluster: int, asked: Asked) -> Broadcast:
        """What the cluster was sent for that turn and stage, or else is sent now."""
        key = cluster, asked.operand, asked.line, asked.stage
        turn, sent = self.sent.get(key, (-1, None))
        if sent and turn == asked.turn:
            self.multicast[self.program.block_class[block]] += 1
            return sent
        sent = self._send(block, cluster)
        if turn < asked.turn:
            self.sent[key] = asked.turn, sent
        return sent

    def _is_far(self, block: int, cluster: int) -> bool:
        return self.program.halves and block % 2 != cluster % 2

    def _send(self, block: int, cluster: int) -> Broadcast:
        """Look a block up in L2, read it from DRAM where it is not there, and send it."""
        kind = self.program.block_class[block]
        self.requests[kind] += 1
        if block in self.resident:
            self.resident.move_to_end(block)
            if not self.filled[block].triggered:
                self.in_flight_hits += 1
        else:
            self.misses[kind] += 1
            self._insert(block, dirty=False)
            read = self._through_dram(False, self._bytes(block), int(self.program.dram_ps[kind]))
            self.filled[block] = self.env.process(self._fill(read))
        transfers = [self._through_l2(kind, written=False)]
        if self._is_far(block, cluster):
            self.far[kind] += 1
            transfers.append(self.link.serve(int(self.program.link_ps[kind])))
        return Broadcast(transfers, self.filled[block])

    def write(self, block: int, straight_to_dram: bool) -> None:
        """Queue an output or partial block; it holds nobody."""
        kind = self.program.block_class[block]
        stays = False
        if not straight_to_dram:
            stays = self._renew(block) or self._insert(block, dirty=True)
            self.filled[block] = self.env.event().succeed(self.env.now_ps)
            self.written[kind] += 1
            self._drain(self._through_l2(kind, written=True))
        if not stays:
            self._write_dram(block)

    def _renew(self, block: int) -> bool:
        """Write to a block that L2 still holds, since it was read to be added to."""
        if block not in self.resident:
            return False
        self.resident[block] = True
        self.resident.move_to_end(block)
        return True

    def _insert(self, block: int, dirty: bool) -> bool:
        """Put an absent block in front, evicting the oldest until it fits; False: it never will.

        Blocks that no stage asks for are older than all others.
        """
        size = self._bytes(block)
        if size > self.program.l2_bytes:
            return False
        while self.foreign and self.used_bytes + size > self.program.l2_bytes:
            foreign_bytes, write_ps = self.foreign.popleft()
            self.used_bytes -= foreign_bytes
            if write_ps:
                self._drain(self._through_dram(True, foreign_bytes, write_ps))
        while self.used_bytes + size > self.program.l2_bytes:
            victim, was_dirty = self.resident.popitem(last=False)
            self.used_bytes -= self._bytes(victim)
            self.evictions += 1
            if was_dirty:
                self._write_dram(victim)
        self.resident[block] = dirty
        self.used_bytes += size
        return True

    def _bytes(self, block: int) -> int:
        return int(self.program.block_bytes[self.program.block_class[block]])

    def _fill(self, read: simpy.Event) -> Process:
        yield read
        yield self.env.timeout(self.program.dram_latency_ps)
        return self.env.now_ps

    def _write_dram(self, block: int) -> None:
        kind = self.program.block_class[block]
        self.dram_written[kind] += 1
        write_ps = int(self.program.dram_write_ps[kind])
        self._drain(self._through_dram(True, self._bytes(block), write_ps))

    def _through_dram(self, written: bool, size: int, duration_ps: int) -> simpy.Event:
        return self._observed("dram", written, size, duration_ps, self.dram.serve(duration_ps))

    def _through_l2(self, kind: int, written: bool) -> simpy.Event:
        duration_ps, size = int(self.program.l2_ps[kind]), int(self.program.passed_bytes[kind])
        return self._observed("l2", written, size, duration_ps, self.l2.serve(duration_ps))

    def _observed(
        self, level: str, written: bool, size: int, duration_ps: int, transfer: simpy.Event
    ) -> simpy.Event:
        """Tell the observer of a transfer at its end; neither delays nor reorders anything."""
        observer = self.observer
        if observer is not None:

            def tell(_: simpy.Event) -> None:
                end_ps = self.env.now_ps
                observer.moved(level, written, end_ps - duration_ps, end_ps, size)

            assert transfer.callbacks is not None
            transfer.callbacks.append(tell)
        return transfer

    def _arrival(
        self, path: list[simpy.Event], filled: simpy.Event, port_ps: int, extra_ps: int
    ) -> Process:
        yield from path  # all are under way; whichever takes longest decides
        through_l2_ps = self.env.now_ps + self.program.l2_latency_ps
        through_port_ps = (yield filled) + port_ps
        arrive_ps = max(through_l2_ps, through_port_ps) + extra_ps
        yield self.env.timeout(arrive_ps - self.env.now_ps)

    def left(self) -> npt.NDArray[np.int64]:
        """Blocks in L2, clean and dirty, by class."""
        counts = np.zeros((2, len(BLOCK_CLASSES)), dtype=np.int64)
        for block, dirty in self.resident.items():
            counts[int(dirty), self.program.block_class[block]] += 1
        return counts

    def _drain(self, transfer: simpy.Event) -> None:
        assert transfer.callbacks is not None
        transfer.callbacks.append(self._drained)

    def _drained(self, _: simpy.Event) -> None:
        self.drained_ps = max(self.drained_ps, self.env.now_ps)
