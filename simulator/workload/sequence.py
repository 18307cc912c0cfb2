"""In which order layers run, and whose outputs each of them reads.

Consecutive layers of equal ``repeat`` above 1 are a block that runs so often, one iteration after
another; every other layer is a block of its own. A layer reads the latest outputs of the layers
that its ``inputs`` name. Where it names none, an operand comes from the latest layer whose output
has as many elements, and else from outside: what the network is given, which lies in main memory.

Model: what a block reads from before it, later iterations read from the block's last layer, if that
writes as much: blocks pass their output on, as it is or with its normalization.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from simulator.workload.attention import Attention
from simulator.workload.graph import outputs_of
from simulator.workload.layer import Conv, Gemm, Layer, Matmul, Stream, Workload

OUTSIDE: Final = "input"
"""Name of what the network is given."""

OWN, CACHE, READ, ADDED = "own", "cache", "read", "added"
"""What an operand is: weights of the layer alone; what is kept of earlier tokens; outputs of
layers, or what the network is given; the same that the product is added to, in its place."""


class Operand(NamedTuple):
    """What a layer reads: of so many elements in memory those that are ``touched``."""

    what: str
    elements: int
    touched: int


class Part(NamedTuple):
    """Of an operand, the part that comes from one tensor: ``read`` of its ``elements``.

    ``producer`` is the layer that wrote it last, by its place in the workload; None: it is given.
    """

    producer: int | None
    elements: int
    read: int


Sources = tuple[tuple[Part, ...], ...]
"""Of every operand of a layer, the parts in their order; none of what is the layer's own."""


@dataclass(frozen=True)
class Step:
    """A layer in its place: what it reads, in its first iteration and in later ones, and writes.

    ``given`` are the elements that it reads as the first of all layers, of what the network is
    given; ``results`` how many of its executions write what no layer reads: what the network gives.
    """

    operands: tuple[Operand, ...]
    first: Sources
    later: Sources
    writes: int
    given: int
    results: int


@dataclass(frozen=True)
class Order:
    """The steps of a workload, and the blocks of layers that are run one after the other."""

    steps: tuple[Step, ...]
    blocks: tuple[tuple[range, int], ...]

    def executions(self) -> Iterator[tuple[int, int]]:
        """(layer, iteration), as they run."""
        for layers, times in self.blocks:
            for iteration in range(times):
                for layer in layers:
                    yield layer, iteration


def operands_of(layer: Layer) -> tuple[Operand, ...]:
    """What a layer reads: its first and its second operand, and what it adds to."""
    read = []
    if isinstance(layer, Gemm):
        own, other = layer.m * layer.k * layer.batch, layer.k * layer.n * layer.batch
        read = [Operand(OWN, own, own), Operand(READ, other, other)]
    elif isinstance(layer, Conv):
        own = layer.out_channels * layer.in_channels // layer.groups * layer.positions
        other = layer.batch * layer.in_channels * layer.in_h * layer.in_w
        read = [Operand(OWN, own, own), Operand(READ, other, layer.unique_inputs)]
    elif isinstance(layer, Matmul):
        own, other = layer.m * layer.k * layer.batch, layer.k * layer.n * layer.batch
        what = CACHE if layer.cached else READ
        read = [Operand(what, own, own), Operand(READ, other, other)]
    elif isinstance(layer, Stream):
        read = [Operand(READ, layer.reads, layer.reads)]
    elif isinstance(layer, Attention):
        own, other = (
            outputs_of(layer),
            2 * layer.batch * layer.kv_heads * layer.context * layer.head_dim,
        )
        what = CACHE if layer.cached else READ
        read = [Operand(READ, own, own), Operand(what, other, other)]
    if isinstance(layer, Gemm | Conv) and layer.accumulate:
        read.append(Operand(ADDED, outputs_of(layer), outputs_of(layer)))
    return tuple(read)


@lru_cache(maxsize=64)
def order_of(workload: Workload) -> Order:
    """The order in which layers run, and what each reads."""
    layers = workload.layers
    blocks = tuple(_blocks(layers))
    written = [outputs_of(layer) for layer in layers]
    names: dict[str, int] = {}
    latest: dict[int, list[int]] = {}  # layers by what they write, in the order of their runs
    found: list[tuple[Sources, Sources]] = []
    for block, times in blocks:
        first = []
        for at in block:
            first.append(_sources(layers[at], names, latest, written))
            names[layers[at].name] = at
            latest.setdefault(written[at], []).append(at)
        if times == 1:
            found += [(sources, sources) for sources in first]
            continue
        for at, sources in zip(block, first, strict=True):
            if layers[at].inputs:
                later = _passed_on(sources, block, written, layers[block[-1]])
            else:
                later = _sources(layers[at], {}, latest, written)
            found.append((sources, later))
            latest[written[at]].remove(at)  # it runs again, after those that it has followed
            latest[written[at]].append(at)
    return Order(_steps(layers, written, found), blocks)


def _blocks(layers: Sequence[Layer]) -> Iterator[tuple[range, int]]:
    start = 0
    for at in range(1, len(layers) + 1):
        times = layers[start].repeat
        if at < len(layers) and times > 1 and layers[at].repeat == times:
            continue
        yield range(start, at), times
        start = at


def _sources(
    layer: Layer, names: dict[str, int], latest: dict[int, list[int]], written: Sequence[int]
) -> Sources:
    """The parts of every operand: by name where names are given, else by size."""
    named = [names.get(name) for name in layer.inputs]
    sources: list[tuple[Part, ...]] = []
    used: list[int] = []
    read = operands_of(layer)
    alone = len(read) == 1 + any(one.what == OWN for one in read)
    for operand in read:
        begins = operand.what == CACHE and not sources  # the first input is what is new of it
        if begins and len(named) > 1:
            used.append(0)
        if operand.what == CACHE and _is_new(layer, operand, named, written):
            sources.append(_parts(operand, named[:1] if begins else named, written))
        elif operand.what in (OWN, CACHE):
            sources.append(())
        elif layer.inputs:
            chosen = named if alone else _named(operand, named, used, written)
            sources.append(_parts(operand, chosen, written))
        else:
            chosen = _of_size(layer, operand, latest, used)
            sources.append(_parts(operand, chosen, written))
            used += [one for one in chosen if one is not None]
    return tuple(sources)


def _is_new(
    layer: Layer, operand: Operand, named: list[int | None], written: Sequence[int]
) -> bool:
    """Whether nothing of a cache is of earlier tokens, so that layers above have written it all."""
    if isinstance(layer, Attention):
        return layer.context == layer.seq and any(one is not None for one in named)
    first = named[0] if named else None
    return first is not None and written[first] >= operand.elements


def _named(
    operand: Operand, named: list[int | None], used: list[int], written: Sequence[int]
) -> list[int | None]:
    """Which of a layer's inputs an operand is: the first of its size, else of those left the first
    ones that are as large; the last of all inputs, where none is left."""
    left = [place for place in range(len(named)) if place not in used]
    sizes = {place: _size(named[place], operand, written) for place in left}
    chosen = [place for place in left if sizes[place] == operand.elements][:1]
    for place in [] if chosen else left:
        if sum(sizes[one] for one in chosen) < operand.elements:
            chosen.append(place)
    used += chosen
    return [named[place] for place in chosen or [-1]]


def _size(producer: int | None, operand: Operand, written: Sequence[int]) -> int:
    """Elements of a tensor; what the network is given alone is as large as it is wanted."""
    return operand.elements if producer is None else written[producer]


def _of_size(
    layer: Layer, operand: Operand, latest: dict[int, list[int]], used: Sequence[int]
) -> list[int | None]:
    """The latest outputs that an operand can be: one, or several that are as large as Y."""
    wanted, rest = 1, operand.elements
    if operand.elements not in latest and isinstance(layer, Stream):
        parts, left = divmod(operand.elements, layer.writes)
        if parts > 1 and not left:
            wanted, rest = parts, layer.writes
    candidates = latest.get(rest, [])
    unused = [at for at in candidates if at not in used] or candidates
    if len(unused) < wanted:
        return [None]
    return [*reversed(unused[-wanted:])]


def _parts(
    operand: Operand, producers: Sequence[int | None], written: Sequence[int]
) -> tuple[Part, ...]:
    """Shares of the operand, as large as the tensors that it comes from."""
    sizes = [0 if one is None else written[one] for one in producers]
    given = (operand.elements - sum(sizes)) // max(1, producers.count(None))
    given = given if given > 0 else operand.elements  # what the network is given fills the rest
    sizes = [given if one is None else size for one, size in zip(producers, sizes, strict=True)]
    whole, touched = sum(sizes), operand.touched
    if whole < operand.elements:  # read more than once, as keys that several queries share
        touched = min(touched, whole)
    ends = [sum(sizes[:place]) * touched // whole for place in range(len(sizes) + 1)]
    return tuple(
        Part(one, size, end - start)
        for one, size, (start, end) in zip(producers, sizes, pairwise(ends), strict=True)
    )


def _passed_on(sources: Sources, block: range, written: Sequence[int], last: Layer) -> Sources:
    """What later iterations of a block read, where its layers name what they read.

    A block that ends in the next one's normalization writes what it has normalized, too.
    """
    size = written[block[-1]]
    is_closed = isinstance(last, Stream) and last.op.endswith("+normalization")

    def later(part: Part) -> Part:
        is_outside = part.producer is None or part.producer < block.start
        if is_outside and (part.elements == size or (is_closed and 2 * part.elements == size)):
            return Part(block[-1], size, part.read)
        return part

    return tuple(tuple(later(part) for part in parts) for parts in sources)


def _steps(
    layers: Sequence[Layer], written: Sequence[int], found: Sequence[tuple[Sources, Sources]]
) -> tuple[Step, ...]:
    """Layers with what they read, and what of it the network is given or gives."""
    inside: set[int] = set()  # whose outputs later iterations read
    after: set[int] = set()  # whose last output is read
    for at, (first, later) in enumerate(found):
        after.update(p.producer for parts in first for p in parts if p.producer is not None)
        for part in (part for parts in later for part in parts):
            if part.producer is not None:
                (after if part.producer < at else inside).add(part.producer)
    steps, given = [], set[int]()
    for at, layer in enumerate(layers):
        first, later = found[at]
        new = {p.elements: p.read for parts in first for p in parts if p.producer is None}
        results = 0 if at in after else 1 if at in inside else layer.repeat
        fresh = sum(read for elements, read in new.items() if elements not in given)
        steps.append(Step(operands_of(layer), first, later, written[at], fresh, results))
        given |= new.keys()
    return tuple(steps)
