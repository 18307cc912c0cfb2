"""Do both engines agree to the last picosecond, byte and counter?"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from machines import Case, random_case, with_state

from simulator import Gemm, Workload, simulate
from simulator.engine import fast, memory, reference
from simulator.engine.result import EngineResult
from simulator.schedule import classes
from simulator.schedule.classes import BLOCKS_OF

OUTPUTS = BLOCKS_OF[classes.OUTPUTS]
CASES = 560
QUOTA = 0.10


def _features(case: Case, result: EngineResult) -> set[str]:
    """What a case exercised, read off its counters."""
    program = case.program
    grid = program.grid
    found = {
        "eviction": result.evictions > 0,
        "hit in flight": result.in_flight_hits > 0,
        "edge in m": grid.m % grid.tile_m,
        "edge in n": grid.n % grid.tile_n,
        "edge in k": grid.k % grid.tile_k,
        "k-split": grid.splits > 1 and result.requests[12:].sum() > 0,
        "prefetch": program.prefetch and grid.tiles > program.cores,
        "simultaneous requests": result.ties > 0,
        "far half": result.far.sum() > 0,
        "dirty eviction": result.dram_written.sum() > 0 and not program.writes_to_dram,
        "warm start": program.warm_blocks.size > 0,
        "dirty start": program.warm_dirty.any(),
        "foreign blocks evicted": result.foreign_evicted > 0,
        "dirty blocks of others": (program.foreign[: result.foreign_evicted, 1] > 0).any(),
        "real non-zeros": program.is_masked,
        "loads through registers": not program.async_copies and program.stage_buffers > 1,
        "outputs added to": program.accumulates and result.requests[OUTPUTS].sum() > 0,
        "clusters": program.cluster_cores > 1 and result.multicast.sum() > 0,
        "outputs added to were in L2": (result.misses[OUTPUTS] < result.requests[OUTPUTS]).any(),
    }
    return {name for name, holds in found.items() if holds}


def test_many_random_cases_agree_and_reach_every_corner() -> None:
    seen: Counter[str] = Counter()
    for seed in range(CASES):
        rng = random.Random(seed)
        case = random_case(rng)
        if seed % 3 == 0:
            case = with_state(case, rng)
        result = fast.run(case.program)
        assert result.differences(reference.run(case.program)) == [], f"seed {seed}: {case}"
        seen.update(_features(case, result))
    rare = {name: count for name, count in seen.items() if count < QUOTA * CASES}
    assert len(seen) == 19
    assert not rare, f"quota of {QUOTA:.0%} missed: {rare}"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_engines_agree(rng: random.Random) -> None:
    """The same cases, drawn by hypothesis so that a failure shrinks."""
    case = random_case(rng)
    case = with_state(case, rng) if rng.random() < 0.5 else case
    assert fast.run(case.program).differences(reference.run(case.program)) == []


def test_reports_are_the_same_text_but_for_the_engine() -> None:
    workload = Workload("one", [Gemm("g", m=1024, n=1024, k=1024)])
    for pattern in ("1:1", "2:4"):
        texts = [
            simulate("a100-sxm4-80gb", workload, pattern, engine=engine).to_json()
            for engine in ("fast", "reference")
        ]
        assert texts[0].replace('"engine": "fast"', '"engine": "reference"') == texts[1]


def _reversed_ties(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simultaneous events of one kind run from the last core to the first."""
    original = reference.Turn.__init__

    def mutant(self, env, delay, kind, core, cores):  # type: ignore[no-untyped-def]
        original(self, env, delay, kind, cores - 1 - core, cores)

    monkeypatch.setattr(reference.Turn, "__init__", mutant)


def _requests_before_epilogues(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simultaneous events run in the wrong order of kinds."""
    original = reference.Turn.__init__

    def mutant(self, env, delay, kind, core, cores):  # type: ignore[no-untyped-def]
        original(self, env, delay, 1 - kind, core, cores)

    monkeypatch.setattr(reference.Turn, "__init__", mutant)


def _columns_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage's X block is requested before its W block."""

    def mutant(self, tile, stage):  # type: ignore[no-untyped-def]
        program, memory = self.program, self.machine.memory
        self.machine.count_tie()
        kind, place = program.stage_kind(tile.place, stage), tile.place
        self.stages[kind] += 1
        blocks = []
        if program.grid.has_columns:
            port_ps = int(program.columns_port_ps[kind])
            blocks.append(memory.fetch(place.columns_block + stage, self.port, port_ps))
        port_ps = int(program.rows_port_ps[kind])
        return [*blocks, memory.fetch(place.rows_block + stage, self.port, port_ps)]

    monkeypatch.setattr(reference.Core, "_fetch", mutant)


def _no_recency(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hit does not move its block to the front: first in, first out."""

    class Fifo(memory.OrderedDict):  # type: ignore[type-arg]
        def move_to_end(self, key, last=True):  # type: ignore[no-untyped-def]  # noqa: ARG002
            return

    monkeypatch.setattr(memory, "OrderedDict", Fifo)


@pytest.mark.parametrize(
    "mutate", [_reversed_ties, _requests_before_epilogues, _columns_first, _no_recency]
)
def test_a_mutant_is_caught(
    mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The random cases are strong enough to tell a wrong machine from the right one."""
    mutate(monkeypatch)
    caught = 0
    for seed in range(150):
        program = random_case(random.Random(seed)).program
        caught += fast.run(program).differences(reference.run(program)) != []
    assert caught >= 3
