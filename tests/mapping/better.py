"""`make better`: a machine with twice as much of one thing is not slower, nor is half of a batch.

Random machines and layers; every resource of a machine is doubled alone, and every layer's batch.
A run that is slower on the better machine is looked at again, with the mapping of the other
machine: if that is as fast as there, the choice of the mapping slipped; if not, the mapping itself
takes longer, as list schedules and caches may (`tests/mapping/test_anomalies.py` has such cases).
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from drawn import drawn_layer, drawn_machine
from runs import DRAM_BYTES, Run, doubled, is_middling, run, shown, without_rules

from simulator.errors import MappingError, SimulatorError
from simulator.hardware import Hardware
from simulator.hardware.resources import RESOURCES
from simulator.workload import Layer

SLOWER = 1.02
"""What counts as slower."""

MOST_SLOWER, MOST_FASTER = 0.001, 0.005
"""Of doubled resources, and of batches that are halved."""

LAYERS = 8
"""On each machine."""

BATCH = "batch"

SLIP, BY_RULE, ANOMALY = SORTS = "slip", "by rule", "same mapping"
"""The choice of the mapping slipped; its library chose by a rule; the same mapping is slower."""


@dataclass(frozen=True)
class Slower:
    """What should have been as fast: the better machine, or the smaller batch.

    Attributes
    ----------
    pair : int
        Number of the machine and the layer, of all that a seed draws.
    before, after : Run
        Of the machine as it is and of the better one; of the larger batch and of the smaller one.
    equal : Run or None
        The latter with the mapping of the former.
    by_rule : bool
        The latter is as fast where its library chooses by time among all that it has, instead of by
        a rule: the largest tile, waves, fallbacks, whether cores are busy, the width of heads.
    """

    pair: int
    resource: str
    machine: str
    layer: Layer
    pattern: str
    before: Run
    after: Run
    equal: Run | None
    by_rule: bool

    @property
    def ratio(self) -> float:
        return self.after.time_ps / self.before.time_ps

    @property
    def equal_ratio(self) -> float:
        """Of the same mapping."""
        return self.equal.time_ps / self.before.time_ps if self.equal else math.inf

    @property
    def sort(self) -> str:
        """Why it is slower: one of `SORTS`."""
        if self.equal_ratio > SLOWER:
            return ANOMALY
        return BY_RULE if self.by_rule else SLIP

    @property
    def moved(self) -> str:
        """What takes longer: of the mapping that is chosen, or of the equal one."""
        now = self.equal if self.equal and self.sort == ANOMALY else self.after
        before = self.before
        more = {
            kind: (now.spent[kind] - before.spent[kind]) / before.time_ps
            for kind in before.spent
            if kind != DRAM_BYTES
        }
        longest = sorted(more, key=lambda kind: -more[kind])[:2]
        terms = [f"{kind} {more[kind]:+.0%}" for kind in longest if more[kind] > 0.005]
        dram = now.spent[DRAM_BYTES] / max(1, before.spent[DRAM_BYTES])
        return ", ".join([*terms, f"DRAM bytes x{dram:.2f}"])


@dataclass
class Tried:
    """How often something was doubled, and where that was slower."""

    counts: Counter[str]
    slower: list[Slower]

    def __iadd__(self, other: Tried) -> Tried:
        self.counts += other.counts
        self.slower += other.slower
        return self


def tried(seed: int, number: int) -> Tried:
    """One machine and its layers, with all that it has doubled."""
    rng = random.Random(f"{seed} {number}")
    found = Tried(Counter(), [])
    hardware = drawn_machine(rng)
    better = {one.name: one.scaled(hardware, 2) for one in RESOURCES}
    machines = {name: machine for name, machine in better.items() if machine is not None}
    for place in range(LAYERS):
        layer, pattern, before, larger = _middling(rng, hardware)
        pairs = [(name, machine, before) for name, machine in machines.items()]
        pairs.append((BATCH, hardware, larger))
        for name, machine, known in pairs:
            found.counts[name] += 1
            after = before if name == BATCH else run(machine, layer, pattern)
            if after.time_ps > known.time_ps * SLOWER:
                equal = _try(machine, layer, pattern, known)
                free = _try(without_rules(machine, layer), layer, pattern)
                by_rule = free is not None and free.time_ps <= known.time_ps * SLOWER
                found.slower.append(
                    Slower(
                        number * LAYERS + place, name, hardware.name, layer, pattern,
                        known, after, equal, by_rule,
                    )
                )  # fmt: skip
    return found


def _middling(rng: random.Random, hardware: Hardware) -> tuple[Layer, str, Run, Run]:
    """A layer that the machine takes, and that takes milliseconds to simulate; how it runs, also
    in a batch that is twice as large."""
    while True:
        layer, pattern = drawn_layer(rng, hardware)
        try:
            if is_middling(hardware, layer, pattern):
                larger = run(hardware, doubled(layer), pattern)
                return layer, pattern, run(hardware, layer, pattern), larger
        except SimulatorError:
            continue


def _try(hardware: Hardware, layer: Layer, pattern: str, like: Run | None = None) -> Run | None:
    """A run, perhaps with the mapping of another one; None where nothing fits."""
    try:
        return run(hardware, layer, pattern, like and like.outcome)
    except MappingError:
        return None


def all_tried(seed: int, pairs: int, processes: int) -> Iterator[Tried]:
    """What machines give, in their order."""
    numbers = range(-(-pairs // LAYERS))
    if processes == 1:
        yield from (tried(seed, number) for number in numbers)
        return
    pool = ProcessPoolExecutor(processes, get_context("spawn"))
    try:
        yield from pool.map(tried, [seed] * len(numbers), numbers)
    finally:
        pool.shutdown(cancel_futures=True)


def print_resources(found: Tried) -> None:
    """How often each was doubled, and what came of it."""
    heads = ("runs", "slower", "slips", "by rule", "same mapping", "largest")
    print("\n" + "doubled".ljust(20) + "".join(head.rjust(len(head) + 3) for head in heads))
    for name in found.counts:
        own = [one for one in found.slower if one.resource == name]
        sorts = Counter(one.sort for one in own)
        cells = [found.counts[name], len(own), *(sorts[sort] for sort in SORTS)]
        shown = [*map(str, cells), f"{max((one.ratio for one in own), default=1.0):.3f}"]
        pairs = zip(heads, shown, strict=True)
        print(name.ljust(20) + "".join(cell.rjust(len(head) + 3) for head, cell in pairs))


def print_worst(title: str, slower: Sequence[Slower], most: int) -> None:
    """The worst, each in a few lines."""
    worst = sorted(slower, key=lambda one: -one.ratio)[:most]
    print(
        f"\n{title}: {len(slower)}"
        + (f", the worst {len(worst)}" if len(worst) < len(slower) else "")
    )
    for one in worst:
        times = [x.time_ps / 1e6 for x in (one.before, one.after)]
        equal = f"{one.equal.time_ps / 1e6:.2f}" if one.equal else "does not fit"
        print(
            f"  {one.ratio:.3f}  pair {one.pair}, {one.resource} ({one.sort}): "
            f"{times[0]:.2f} -> {times[1]:.2f} us, with the mapping of the first {equal}\n"
            f"         {one.machine}, {shown(one.layer)} {one.pattern}\n"
            f"         {one.before.mapping} -> {one.after.mapping}; {one.moved}"
        )


def print_verdict(what: str, slower: Sequence[Slower], runs: int, most: float) -> None:
    """How many of all, and whether that was to be reached."""
    sorts = Counter(one.sort for one in slower)
    count = len(slower) - sorts[BY_RULE]
    share = count / max(1, runs)
    reached = share <= most and (what == BATCH or not sorts[SLIP])
    print(
        f"{what}: {count} of {runs} slower by more than 2 % ({share:.3%}, at most {most:.1%}), of "
        f"which {sorts[SLIP]} are slips, and {sorts[BY_RULE]} more by a library's rule: "
        f"{'' if reached else 'not '}reached"
    )


def print_all(found: Tried, worst: int) -> None:
    """Tables, the worst of each sort, and what was reached."""
    print_resources(found)
    batches = [one for one in found.slower if one.resource == BATCH]
    machines = [one for one in found.slower if one.resource != BATCH]
    for sort in SORTS:
        print_worst(sort, [one for one in machines if one.sort == sort], worst)
    print_worst("half of a batch slower than all of it", batches, worst)
    print()
    runs = sum(found.counts.values()) - found.counts[BATCH]
    print_verdict("better machines", machines, runs, MOST_SLOWER)
    print_verdict(BATCH, batches, found.counts[BATCH], MOST_FASTER)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--pairs", type=int, default=2000)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--worst", type=int, default=10, help="how many are shown")
    options.add_argument("--only", type=int, help="one pair: all that is slower of its machine")
    asked = options.parse_args()
    if asked.only is not None:
        found = tried(asked.seed, asked.only // LAYERS)
        found.slower = [one for one in found.slower if one.pair == asked.only]
        print_worst("slower", found.slower, len(found.slower))
        return
    found, started = Tried(Counter(), []), time.monotonic()
    try:
        for number, one in enumerate(all_tried(asked.seed, asked.pairs, asked.processes), 1):
            found += one
            print(
                f"\r{number * LAYERS} pairs, {sum(found.counts.values())} runs, "
                f"{len(found.slower)} slower, {time.monotonic() - started:.0f} s",
                end="", file=sys.stderr, flush=True,
            )  # fmt: skip
    except KeyboardInterrupt:
        print("\nstopped: what was found so far", file=sys.stderr)
    print(file=sys.stderr)
    print_all(found, asked.worst)


if __name__ == "__main__":
    main()
