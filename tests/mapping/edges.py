"""Layers whose one side grows by 1: where does time jump, and is that the machine or the mapping?

Sides pass tiles, vectors and waves of cores. The largest jumps are explained by what the two runs
are made of, and checked against all that the library offers at both sizes: a jump that is left
where both run the fastest mapping is the machine's.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, replace

from cases import PRESETS, Case, machine, parse_pattern
from offer import alike, automatic, offer
from regret import MOST, fastest_of

from simulator import Gemm
from simulator.engine import fast
from simulator.errors import SimulatorError
from simulator.run.attach import attach
from simulator.run.choice import Outcome, Terms
from simulator.schedule.timing import alignment_factors
from simulator.units import ceil_div
from simulator.workload.lowering import GemmProblem

EDGES = (8, 16, 32, 64, 128, 192, 256, 512, 1024)
OTHERS = (64, 200, 256, 1000, 2048)
"""Sides that are passed by 1, and sides that stay."""


@dataclass(frozen=True)
class Run:
    """A layer that ran, and how much slower it was than the fastest that is offered."""

    layer: Gemm
    outcome: Outcome
    regret: float = 1.0

    @property
    def problem(self) -> GemmProblem:
        assert isinstance(self.outcome.problem, GemmProblem)
        return self.outcome.problem

    def facts(self, terms: Terms) -> dict[str, str]:
        """What its time is made of."""
        problem, mapping = self.problem, self.outcome.mapping
        assert mapping is not None
        hardware, _ = terms.kernels_of(problem)
        grid = mapping.grid(problem)
        factors = alignment_factors(hardware, problem)
        return {
            "mapping": f"{mapping} as {problem.pattern}",
            "waves": str(ceil_div(grid.tiles, hardware.core.count)),
            "tiles": str(grid.tiles),
            "stages": str(ceil_div(grid.stages, grid.splits)),
            "misaligned": f"{factors[0]}x{factors[1]}" if max(factors) > 1 else "no",
            "runs as": f"{problem.m}x{problem.n}x{problem.k}",
        }


@dataclass(frozen=True)
class Jump:
    """Two neighbours in size."""

    preset: str
    pattern: str
    before: Run
    after: Run

    @property
    def ratio(self) -> float:
        return self.after.outcome.time_ps / self.before.outcome.time_ps

    @property
    def vectors(self) -> list[list[int]]:
        """By how much rows that are not aligned lengthen transfers, before and after."""
        terms = Terms(machine(self.preset), fast.run)
        problems = self.before.problem, self.after.problem
        return [sorted(alignment_factors(terms.kernels_of(one)[0], one)) for one in problems]


def ran(preset: str, pattern: str, layer: Gemm) -> Run:
    """A layer with its automatic mapping."""
    hardware = machine(preset)
    case = Case(preset, hardware, pattern, attach(layer, parse_pattern(pattern), hardware, {}))
    outcome, _ = automatic(case, Terms(hardware, fast.run))
    return Run(layer, outcome)


def judged(preset: str, pattern: str, run: Run) -> Run:
    """Against all that the library offers for what it ran as."""
    hardware = machine(preset)
    terms = Terms(hardware, fast.run)
    case = Case(preset, hardware, pattern, attach(run.layer, parse_pattern(pattern), hardware, {}))
    outcome, options = automatic(case, terms)
    assert outcome.option is not None
    every = [one for way in alike(options, outcome.option) for one in offer(terms, way)]
    best_ps, _ = fastest_of(terms, every, outcome.time_ps, "")
    return replace(run, regret=outcome.time_ps / best_ps)


def scan(seed: str, count: int) -> list[Jump]:
    """Random layers of every preset, each at an edge and one beyond it."""
    jumps = []
    rng = random.Random(seed)
    for number in range(count):
        preset = PRESETS[number % len(PRESETS)]
        hardware = machine(preset)
        pattern = rng.choice(("1:1", "1:1", "2:4"))
        side = rng.choice("mnk")
        sizes = {axis: rng.choice(OTHERS) for axis in "mnk"}
        sizes[side] = rng.choice(EDGES) * rng.randint(1, 4)
        dtype = rng.choice(hardware.dtypes)
        layer = Gemm("g", **sizes, dtype=dtype)
        beyond = replace(layer, **{side: sizes[side] + 1})
        try:
            pair = ran(preset, pattern, layer), ran(preset, pattern, beyond)
        except SimulatorError:  # no mapping fits
            continue
        jumps.append(Jump(preset, pattern, *pair))
    return jumps


def explained(jump: Jump) -> list[str]:
    """What the two runs differ in, and whether a better mapping was at hand."""
    terms = Terms(machine(jump.preset), fast.run)
    before, after = (judged(jump.preset, jump.pattern, run) for run in (jump.before, jump.after))
    facts = before.facts(terms), after.facts(terms)
    lines = [
        f"  {name}: {old} -> {new}"
        for (name, old), new in zip(facts[0].items(), facts[1].values(), strict=True)
        if old != new
    ]
    slips = [name for name, run in (("before", before), ("after", after)) if run.regret > MOST]
    verdict = (
        f"  a slip {' and '.join(slips)}: {before.regret:.3f}, {after.regret:.3f} times the fastest"
        if slips
        else "  the machine: nothing that is offered is faster at either size"
    )
    return [*lines, verdict]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seed", default="1")
    asked.add_argument("--count", type=int, default=1500)
    asked.add_argument("--largest", type=int, default=10)
    given = asked.parse_args()
    jumps = scan(given.seed, given.count)
    print(f"{len(jumps)} layers, one side grown by 1")
    _show("The largest", jumps, given.largest)
    alike = [jump for jump in jumps if jump.vectors[0] == jump.vectors[1]]
    _show("The largest of those whose vectors stay as wide", alike, given.largest)


def _show(title: str, jumps: list[Jump], largest: int) -> None:
    print(f"\n{title} of {len(jumps)}")
    for jump in sorted(jumps, key=lambda jump: -jump.ratio)[:largest]:
        layer, grown = jump.before.layer, jump.after.layer
        us = [run.outcome.time_ps / 1e6 for run in (jump.before, jump.after)]
        print(
            f"{jump.ratio:.3f} {jump.preset} {layer.m}x{layer.n}x{layer.k} -> "
            f"{grown.m}x{grown.n}x{grown.k} {layer.dtype} {jump.pattern}: "
            f"{us[0]:.2f} -> {us[1]:.2f} us"
        )
        print("\n".join(explained(jump)))


if __name__ == "__main__":
    main()
