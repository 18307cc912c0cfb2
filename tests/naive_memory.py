"""Memory of the brute-force machine: L2 as a list, queues as the times at which they are free."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from simulator.hardware import Hardware

Block = tuple[str, int, int, int]  # operand, GEMM, line (of tiles), place
Sizes = Callable[[Block], dict[str, int]]


@dataclass
class NaiveRun:
    """What a run took and moved. ``moved`` is by (level, operand, direction), in bytes."""

    time_ps: int = 0
    core_time_ps: Counter[str] = field(default_factory=Counter)
    moved: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    busy_ps: Counter[str] = field(default_factory=Counter)
    macs_executed: int = 0
    slots_used: int = 0
    imbalance_ratio: float = 1.0


@dataclass
class NaivePort:
    """A core's way to L2."""

    number: int
    port_free_ps: int = 0
    port_busy_ps: int = 0
    turn: int = 0  # how many tiles the core has taken


class NaiveMemory:
    """What lies between cores and DRAM.

    Parameters
    ----------
    cluster : (int, int)
        Tiles along m and n whose cores share what they read.
    blocks : list of Block
        All blocks, in the order of their ids.
    sizes : (callable, callable)
        Of a block, its bytes by operand; and those that pass L2 when it is asked for.
    run : NaiveRun
        Where transfers are counted.
    foreign : list of (int, bool)
        Bytes of what L2 holds that is never asked for, oldest first, and whether it is dirty.
    """

    def __init__(
        self,
        hardware: Hardware,
        cluster: tuple[int, int],
        blocks: list[Block],
        sizes: tuple[Sizes, Sizes],
        run: NaiveRun,
        foreign: list[tuple[int, bool]],
    ) -> None:
        self.hardware, self.run = hardware, run
        self.bytes_of, self.passed_of = sizes
        self.cluster_m, self.cluster_n = cluster
        self.numbers = {block: number for number, block in enumerate(blocks)}
        self.l2: list[Block] = []  # front is last
        self.dirty: set[Block] = set()
        self.foreign = list(foreign)
        self.ready_ps: dict[Block, int] = {}
        self.l2_free_ps = self.dram_free_ps = self.link_free_ps = self.drained_ps = 0
        # By cluster, operand, line in the cluster and stage: in which turn, when it had passed L2
        # and the link, and when it had come from DRAM.
        self.sent: dict[tuple[int, str, int, int], tuple[int, int, int]] = {}

    def _ps(self, size: int, bytes_per_second: Fraction) -> int:
        return math.ceil(size * 10**12 / bytes_per_second)

    def cycles_ps(self, cycles: float) -> int:
        return math.ceil(Fraction(str(cycles)) * 10**12 / self.hardware.clock_hz)

    def _per_second(self, bytes_per_cycle: float) -> Fraction:
        return Fraction(str(bytes_per_cycle)) * self.hardware.clock_hz

    def port_ps(self, size: int) -> int:
        return self._ps(size, self._per_second(self.hardware.core.port_bytes_per_cycle))

    def scratchpad_ps(self, size: int) -> int:
        pad = self.hardware.core.scratchpad
        rate = self._per_second(pad.bytes_per_cycle) * Fraction(str(pad.efficiency_ratio))
        return self._ps(size, rate)

    def _dram(self, now_ps: int, block: Block, way: str) -> int:
        """Queue a transfer; returns its end."""
        dram = self.hardware.memory.dram
        ratio, size = dram.efficiency_ratio, sum(self.bytes_of(block).values())
        if way == "read" and block[0] in ("rows", "columns"):
            size += math.ceil(size * self._evicted_ratio)
        elif dram.write_efficiency_ratio is not None:
            ratio = dram.write_efficiency_ratio
        self._count("dram", block, way)
        return self._through_dram(now_ps, size, ratio)

    def _through_dram(self, now_ps: int, size: int, ratio: float) -> int:
        """Queue so many bytes, at a share of the peak."""
        rate = Fraction(str(self.hardware.memory.dram.bytes_per_second)) * Fraction(str(ratio))
        ps = self._ps(size, rate)
        self.dram_free_ps = max(self.dram_free_ps, now_ps) + ps
        self.run.busy_ps["dram"] += ps
        return self.dram_free_ps

    def _evict_foreign(self, now_ps: int) -> None:
        """The oldest block that is never asked for leaves, through DRAM if it is dirty."""
        size, is_dirty = self.foreign.pop(0)
        if is_dirty:
            dram = self.hardware.memory.dram
            ratio = dram.write_efficiency_ratio or dram.efficiency_ratio
            self.drained_ps = max(self.drained_ps, self._through_dram(now_ps, size, ratio))
            self.run.moved["dram", "outputs", "written"] += size

    @cached_property
    def _evicted_ratio(self) -> Fraction:
        """Foreign bytes that are written for a byte that is read: of all that L2 held of them, or,
        where a layer moves less than that, as many as it moves."""
        l2, by_operand = self.hardware.memory.l2, Counter(block[0] for block in self.numbers)
        is_split = by_operand["partials"] > by_operand["outputs"]
        blocks = [block for block in self.numbers if is_split or block[0] != "partials"]
        moved = sum(sum(self.bytes_of(block).values()) for block in blocks)
        return Fraction(str(l2.foreign_dirty_ratio)) * min(moved, l2.bytes) / max(1, moved)

    def _pass_l2(self, now_ps: int, block: Block, way: str) -> int:
        rate = self._per_second(self.hardware.memory.l2.bytes_per_cycle)
        ps = self._ps(sum(self.passed_of(block).values()), rate)
        self.l2_free_ps = max(self.l2_free_ps, now_ps) + ps
        self.run.busy_ps["l2_queue"] += ps
        self._count("l2", block, way)
        return self.l2_free_ps

    def _count(self, level: str, block: Block, way: str) -> None:
        sizes = self.passed_of if level == "l2" else self.bytes_of
        for operand, size in sizes(block).items():
            self.run.moved[level, operand, way] += size

    def used(self) -> int:
        """Bytes in L2."""
        own = sum(sum(self.bytes_of(held).values()) for held in self.l2)
        return own + sum(size for size, _ in self.foreign)

    def insert(self, now_ps: int, block: Block) -> bool:
        room = self.hardware.memory.l2.bytes
        size = sum(self.bytes_of(block).values())
        if size > room:
            return False
        while self.used() + size > room:
            if self.foreign:
                self._evict_foreign(now_ps)
                continue
            victim = self.l2.pop(0)
            if victim in self.dirty:
                self.dirty.remove(victim)
                self.drained_ps = max(self.drained_ps, self._dram(now_ps, victim, "written"))
        self.l2.append(block)
        return True

    def fetch(self, now_ps: int, block: Block, port: NaivePort, port_ps: int) -> int:
        """Request a block; returns when all of it has arrived.

        The cores of a cluster are sent a stage's block once a turn: to whoever asks for it first.
        """
        memory, cluster = self.hardware.memory, port.number // (self.cluster_m * self.cluster_n)
        port.port_free_ps = max(port.port_free_ps, now_ps) + port_ps
        port.port_busy_ps += port_ps
        operand, _, line, place = block
        line %= {"rows": self.cluster_m, "columns": self.cluster_n}.get(operand, 1)
        turn, passed_ps, filled_ps = self.sent.get((cluster, operand, line, place), (0, 0, 0))
        if turn != port.turn or operand not in ("rows", "columns"):
            passed_ps = self._send(now_ps, block, cluster)
            filled_ps = self.ready_ps[block]
            if port.turn > turn:
                self.sent[cluster, operand, line, place] = port.turn, passed_ps, filled_ps
        through_l2_ps = max(passed_ps, port.port_free_ps)
        through_l2_ps += self.cycles_ps(memory.l2.latency_cycles)
        far_ps = 0
        if memory.l2.halves and self.numbers[block] % 2 != cluster % 2:
            far_ps = self.cycles_ps(memory.l2.halves.far_latency_cycles)
        return max(through_l2_ps, filled_ps + port_ps) + far_ps

    def _send(self, now_ps: int, block: Block, cluster: int) -> int:
        """Look a block up and send it; returns when it has passed L2 and the link."""
        memory = self.hardware.memory
        if block in self.l2:
            self.l2.remove(block)
            self.l2.append(block)
        else:
            self.insert(now_ps, block)
            latency_ps = math.ceil(Fraction(str(memory.dram.latency_ns)) * 1000)
            self.ready_ps[block] = self._dram(now_ps, block, "read") + latency_ps
        passed_ps = self._pass_l2(now_ps, block, "read")
        if memory.l2.halves and self.numbers[block] % 2 != cluster % 2:
            size = sum(self.passed_of(block).values())
            link_ps = self._ps(size, self._per_second(memory.l2.halves.link_bytes_per_cycle))
            self.link_free_ps = max(self.link_free_ps, now_ps) + link_ps
            self.run.busy_ps["link"] += link_ps
            passed_ps = max(passed_ps, self.link_free_ps)
        return passed_ps

    def write(self, now_ps: int, block: Block) -> None:
        stays = False
        if block[0] == "partials" or self.hardware.memory.writes == "l2":
            if block in self.l2:  # since it was read
                self.l2.remove(block)
                self.l2.append(block)
                stays = True
            else:
                stays = self.insert(now_ps, block)
            if stays:
                self.dirty.add(block)
            self.ready_ps[block] = now_ps
            self.drained_ps = max(self.drained_ps, self._pass_l2(now_ps, block, "written"))
        if not stays:
            self.drained_ps = max(self.drained_ps, self._dram(now_ps, block, "written"))
