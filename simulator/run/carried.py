"""L2 from layer to layer: what a layer finds there, and what it leaves.

Between layers L2 is summed up as a list of tensors, oldest first, with their bytes. Model:

* Of a tensor those of its blocks are there that lie last in memory; of dirty ones, the last. What a
  layer reads is newer than what it does not, and what it writes is newest. Within a layer all of
  that is as exact as ever.
* Nothing is known to be dead: what a layer wrote is dirty until it is evicted, though it may have
  been read for the last time, and every execution writes to memory of its own. Only a product that
  is added to a tensor takes that tensor's place.
* What is dirty at the end is written to DRAM after the run.

A state matters only as far as a layer can tell. Foreign blocks lie at the tail of the recency
list; clean ones only fill room, so that of these all that can matter is how soon dirty ones behind
them are evicted. Where every block of a layer fits, it does not matter either which of its own are
dirty. Layers that are alike and find the same are simulated once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from simulator.report.moved import foreign_written_bytes
from simulator.run.choice import Outcome, Terms
from simulator.run.contents import Contents, Share, Tensor
from simulator.run.folded import Execution, folded
from simulator.run.latest import Latest
from simulator.run.sampling import Estimate
from simulator.schedule.classes import COLUMNS, OUTPUTS, PARTIALS, ROWS
from simulator.schedule.partition import IntArray
from simulator.schedule.started import Foreign, Found, Layout, started
from simulator.units import DTYPE_BITS, bits_to_bytes, ceil_div, output_bits
from simulator.workload import Layer
from simulator.workload.sequence import ADDED, CACHE, OWN, Order

NOTE = (
    "L2 is carried from layer to layer; patterns, mappings and clocks are chosen as if it were cold"
)

MOST_INFERENCES = 2
"""After the first one, where L2 is that of a repeated one: fewer where one is as the one before."""


class Ran(NamedTuple):
    """What came of a layer in one state, and how many of its executions found that state."""

    outcome: Outcome
    times: int


class Read(NamedTuple):
    """A part of an operand: ``read`` of a tensor's ``size`` bytes, as blocks of a program.

    ``what`` and ``producer`` are those of `simulator.workload.sequence`.
    """

    what: str
    producer: int | None
    operand: int
    size: int
    read: int
    first: int
    blocks: int


class Taken(NamedTuple):
    """A part of an operand, the tensor that it is of, and what L2 held of it, in whole blocks."""

    read: Read
    tensor: Tensor
    share: Share = Share()
    found: Found | None = None

    @classmethod
    def of(cls, read: Read, tensor: Tensor, share: Share, kernel: Kernel) -> Taken:
        """The last blocks of a part, as far as they are whole. Where they can be evicted, the last
        ones are dirty: so many that all dirty bytes are in them."""
        fits = kernel.program.fits_l2
        if not (share.held and read.blocks):
            return cls(read, tensor)
        if share.held >= read.read and (fits or share.dirty in (0, share.held)):
            dirty = 0 if fits or not share.dirty else read.blocks
            return cls(read, tensor, share, Found(read.first, read.blocks, dirty))
        bounds = kernel.bounds[read.first : read.first + read.blocks + 1]
        size, end = int(bounds[-1] - bounds[0]), int(bounds[-1])
        start = int(np.searchsorted(bounds, end - size * share.held // read.read))
        blocks = read.blocks - start
        if blocks <= 0:
            return cls(read, tensor)
        held = int(end - bounds[start]) * read.read // size
        dirty = min(held, share.dirty)
        first_dirty = np.searchsorted(bounds, end - ceil_div(size * dirty, read.read), "right") - 1
        found = Found(
            read.first + start, blocks, 0 if fits else min(blocks, read.blocks - int(first_dirty))
        )
        return cls(read, tensor, Share(held, dirty), found)


class Kernel:
    """What is the same of all executions of a layer; what came of it in which state, and what that
    left."""

    def __init__(self, layer: Layer, outcome: Outcome) -> None:
        self.outcome, self.program = outcome, outcome.estimate.program
        self.layout = Layout.of(self.program)
        self.is_sampled = outcome.estimate.dram_error_ratio > 0
        self.bits, self.output_bits = DTYPE_BITS[layer.dtype], output_bits(layer.dtype)
        is_swapped = outcome.problem is not None and outcome.problem.inputs_are_rows
        self.operands = (COLUMNS, ROWS) if is_swapped else (ROWS, COLUMNS)
        self.known: dict[Hashable, Outcome] = {}
        self.left: dict[int, list[list[int]]] = {}

    @cached_property
    def bounds(self) -> IntArray:
        """Bytes of all blocks before each, and of all."""
        return np.append(0, np.cumsum(self.program.block_bytes[self.program.block_class]))


class CarriedL2:
    """Layers one after another, each in the L2 that the ones before left.

    Mappings, patterns and clocks stay as they were chosen.

    Attributes
    ----------
    left_bytes : int
        Once all have run: dirty in L2 at the end, where no other inference begins with that.
    """

    def __init__(self, terms: Terms, order: Order, layers: Sequence[Layer]) -> None:
        self.terms, self.order, self.layers = terms, order, layers
        self.kernels: dict[int, Kernel] = {}  # of the block that runs
        self.latest: Latest[int, Kernel] = Latest()
        self.room = terms.hardware.memory.l2.bytes
        self.contents = Contents()
        self.reads: dict[tuple[int, bool], list[Read]] = {}
        self.outputs: dict[int, Tensor] = {}  # the latest of every layer
        self.inference = self.count = self.lost_bytes = self.left_bytes = 0

    @property
    def note(self) -> str:
        """What a reader should know of it."""
        is_one = len(self.layers) == 1 and self.layers[0].repeat == 1
        return NOTE if self.terms.hardware.memory.l2.is_carried and not is_one else ""

    def run(self, outcomes: Iterable[Outcome]) -> Iterator[tuple[Ran, ...]]:
        """What comes of every layer, by the states that it finds, from the outcomes in an L2 of
        its own, which are asked for block by block."""
        l2 = self.terms.hardware.memory.l2
        if not l2.is_carried:
            for layer, outcome in zip(self.layers, outcomes, strict=True):
                yield (Ran(outcome, layer.repeat),)
        elif l2.start == "carried":
            yield from self._infer(outcomes)
            dirty = sum(share.dirty for share in self.contents.shares.values())
            self.left_bytes = max(0, self.lost_bytes + dirty)
        else:
            yield from self._repeated(list(outcomes))
            self.left_bytes = max(0, self.lost_bytes)

    def _repeated(self, outcomes: Sequence[Outcome]) -> list[tuple[Ran, ...]]:
        """The last of several inferences: each finds what the one before it left."""
        ran = list(self._infer(outcomes))
        for _ in range(MOST_INFERENCES):
            before, ran = ran, list(self._infer(outcomes))
            if all(map(_is_same, ran, before)):
                break
        return ran

    def _infer(self, outcomes: Iterable[Outcome]) -> Iterator[tuple[Ran, ...]]:
        """Run all layers once more, in what L2 holds."""
        self.inference += 1
        self.lost_bytes = 0
        self.outputs.clear()
        alone = iter(outcomes)
        for block, times in self._blocks():
            self.reads.clear()
            self.kernels = {at: self._kernel(self.layers[at], next(alone)) for at in block}
            ran: dict[int, dict[int, Ran]] = {at: {} for at in block}
            for iteration in range(times):
                for at in block:
                    outcome = self._execute(at, iteration)
                    before = ran[at].get(outcome.number, Ran(outcome, 0))
                    ran[at][outcome.number] = Ran(outcome, before.times + 1)
            yield from (tuple(states.values()) for states in ran.values())

    def _blocks(self) -> Iterator[tuple[range, int]]:
        """Layers that run again together, and how often; those that run once, one by one."""
        for block, times in self.order.blocks:
            if times > 1:
                yield block, times
            else:
                yield from ((range(at, at + 1), 1) for at in block)

    def _kernel(self, layer: Layer, outcome: Outcome) -> Kernel:
        """The same for layers of which the same came."""
        if outcome.number not in self.latest:
            self.latest[outcome.number] = Kernel(layer, outcome)
        return self.latest[outcome.number]

    def _execute(self, at: int, iteration: int) -> Outcome:
        """One layer, once: take what it reads, simulate, and leave what it has touched."""
        kernel, contents = self.kernels[at], self.contents
        is_first = not self.count
        taken = self._take(at, iteration)
        if kernel.is_sampled:
            self._leave_all(at, taken)
            return kernel.outcome
        overflow = sum(kernel.layout.sizes) + contents.used - self.room
        foreign, clean, kept = self._seen(overflow)
        found = tuple(one.found for one in taken if one.found is not None)
        is_cold = is_first or not self.terms.hardware.memory.l2.foreign_dirty_ratio
        if is_cold and not (found or foreign):
            outcome = kernel.outcome
        else:
            outcome = self._simulated(kernel, found, foreign, kept)
        self._leave(at, taken, outcome, clean)
        return outcome

    def _take(self, at: int, iteration: int) -> list[Taken]:
        """What a layer reads leaves the list; of a tensor of which it reads a part, that part."""
        whole: dict[Tensor, Share] = {}
        taken = []
        for read in self._reads(at, iteration > 0):
            if read.what in (OWN, CACHE) and read.producer is None:
                tensor: Tensor = read.what, at, iteration
            elif read.producer is None:
                tensor = "given", self.inference, read.size
            else:
                tensor = self.outputs.get(read.producer, ("never", at))
            share = there = self.contents.take(tensor)
            if read.read < read.size:
                all_of_it = whole.setdefault(tensor, there)
                share = all_of_it.part(read.read, read.size).within(there)
            one = Taken.of(read, tensor, share, self.kernels[at])
            self.contents.put(tensor, there.minus(one.share))
            taken.append(one)
        return taken

    def _reads(self, at: int, is_later: bool) -> list[Read]:
        """The parts of a layer's operands; of a convolution's input, its blocks are shares."""
        if (at, is_later) in self.reads:
            return self.reads[at, is_later]
        step, kernel = self.order.steps[at], self.kernels[at]
        reads = []
        sources = step.later if is_later else step.first
        for place, (operand, parts) in enumerate(zip(step.operands, sources, strict=True)):
            of = OUTPUTS if operand.what == ADDED else kernel.operands[place]
            first, blocks, size = (
                kernel.layout.first[of], kernel.layout.blocks[of], kernel.layout.sizes[of]
            )  # fmt: skip
            if not parts:
                reads.append(Read(operand.what, None, of, size, size, first, blocks))
            before, whole = 0, max(1, sum(part.read for part in parts))
            for part in parts:
                bits = kernel.bits
                if part.producer is not None:
                    bits = output_bits(self.layers[part.producer].dtype)
                start, stop = (n * blocks // whole for n in (before, before + part.read))
                before += part.read
                size, read = (max(1, bits_to_bytes(n * bits)) for n in (part.elements, part.read))
                reads.append(
                    Read(operand.what, part.producer, of, size, read, first + start, stop - start)
                )
        self.reads[at, is_later] = reads
        return reads

    def _seen(self, overflow: int) -> tuple[tuple[Foreign, ...], int, int]:
        """Foreign blocks as far as a layer can tell, how many clean bytes are older, and how many
        newer ones stay whatever happens.

        Where no more than ``overflow`` bytes are evicted, and none of those are dirty, they only
        fill room; so do clean ones that are older than all dirty ones.
        """
        seen: list[Foreign] = []
        clean = at = 0
        for run in self.contents.runs() if overflow > 0 else ():
            if at >= overflow:
                break
            at += run.size
            if not (seen or run.dirty):
                clean += run.size
            elif seen and seen[-1].dirty == run.dirty:
                seen[-1] = Foreign(seen[-1].size + run.size, run.dirty)
            else:
                seen.append(run)
        if not seen:
            return (), 0, 0
        return tuple(seen), clean, self.contents.used - at

    def _simulated(
        self, kernel: Kernel, found: tuple[Found, ...], foreign: tuple[Foreign, ...], kept: int
    ) -> Outcome:
        key = found, foreign, kept
        if key not in kernel.known:
            hardware = kernel.outcome.hardware
            program = started(hardware, kernel.program, found, foreign, kept)
            estimate = Estimate(program, self.terms.engine(program))
            kernel.known[key] = replace(kernel.outcome, estimate=estimate)
        return kernel.known[key]

    def _leave(self, at: int, taken: Sequence[Taken], outcome: Outcome, clean: int) -> None:
        """What a layer has left of others, and on top of that of what it has touched."""
        kernel, contents, result = self.kernels[at], self.contents, outcome.estimate.result
        program = outcome.estimate.program
        left = self._left_bytes(kernel, outcome)
        if result.foreign_evicted:
            gone = clean + int(program.foreign[: result.foreign_evicted, 0].sum())
        elif result.evictions:
            gone = contents.used
        else:
            gone = contents.evicted_by(sum(map(sum, left)) + contents.used - self.room)
        self.lost_bytes += contents.evict(gone) - foreign_written_bytes(program, result)
        for read, tensor, share, _ in taken:
            if read.what != ADDED:
                size = max(1, kernel.layout.sizes[read.operand])
                there, dirty = left[0][read.operand] + left[1][read.operand], left[1][read.operand]
                held = min(read.read, read.read * there // size)
                dirty = share.dirty if program.fits_l2 else read.read * dirty // size
                contents.put(tensor, Share(held, min(held, dirty)), read.size)
        self._write(at, left)

    def _left_bytes(self, kernel: Kernel, outcome: Outcome) -> list[list[int]]:
        """Clean and dirty bytes in L2 at the end, of every operand.

        Where all blocks fit, those are the same whatever L2 held.
        """
        key = (kernel.outcome if kernel.program.fits_l2 else outcome).number
        if key not in kernel.left:
            counts = outcome.estimate.result.left * kernel.program.block_bytes
            kernel.left[key] = counts.reshape(2, -1, 4).sum(axis=2).tolist()
        return kernel.left[key]

    def _write(self, at: int, left: Sequence[Sequence[int]]) -> None:
        """Partial sums, and what a layer has written, which is newest."""
        kernel, step = self.kernels[at], self.order.steps[at]
        self.count += 1
        self.contents.put(
            ("partial sums", self.count),
            Share(left[0][PARTIALS] + left[1][PARTIALS], left[1][PARTIALS]),
        )
        size, written = (
            kernel.layout.sizes[OUTPUTS],
            bits_to_bytes(step.writes * kernel.output_bits),
        )
        tensor: Tensor = "output", self.count
        share = Share(left[0][OUTPUTS] + left[1][OUTPUTS], left[1][OUTPUTS])
        self.contents.put(tensor, share.part(min(size, written), size))
        self.outputs[at] = tensor
        self.lost_bytes += self.contents.evict(self.contents.used - self.room)

    def _leave_all(self, at: int, taken: Sequence[Taken]) -> None:
        """What a layer leaves that was simulated in part: all that it has touched, as far as L2
        holds it. What that evicts is written after the run."""
        kernel, step = self.kernels[at], self.order.steps[at]
        for read, tensor, share, _ in taken:
            if read.what != ADDED:
                self.contents.put(tensor, Share(read.read, share.dirty), read.size)
        written = min(self.room, bits_to_bytes(step.writes * kernel.output_bits))
        dirty = 0 if kernel.program.writes_to_dram else written
        self.count += 1
        self.contents.put(("output", self.count), Share(written, dirty))
        self.outputs[at] = "output", self.count
        self.lost_bytes += self.contents.evict(self.contents.used - self.room)


def mean_outcome(ran: Sequence[Ran]) -> Outcome:
    """What comes of a layer on the mean of its executions."""
    first = ran[0].outcome
    if len(ran) == 1:
        return first
    estimates = [(outcome.estimate, times) for outcome, times in ran]
    program, result = folded([Execution(one.program, one.result, n) for one, n in estimates])
    runs = sum(times for _, times in ran)
    return replace(first, estimate=Estimate(program, result, runs=runs))


def _is_same(ran: Sequence[Ran], before: Sequence[Ran]) -> bool:
    """Whether the executions of a layer found the same as in the inference before."""
    return [(outcome.number, times) for outcome, times in ran] == [
        (outcome.number, times) for outcome, times in before
    ]
