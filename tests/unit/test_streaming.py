"""What a chunk of a streaming layer takes in a core: derived anew, element by element."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from machines import library_of, tiny

from simulator import Hardware, Stream, Workload, WorkloadError, simulate
from simulator.schedule.program import stream_program
from simulator.schedule.streaming import reduction_cycles
from simulator.workload.operators import OPERATORS

LATENCY, BYTES_PER_CYCLE, LANES, SPECIALS = 7, 64, 8, 2


def machine(**changes: object) -> Hardware:
    unit = {"macs_per_cycle": {"fp32": LANES}, "specials_per_cycle": SPECIALS}
    core = {
        "core__vector": unit,
        "core__scratchpad__latency_cycles": LATENCY,
        "core__scratchpad__bytes_per_cycle": BYTES_PER_CYCLE,
    }
    return tiny(**{**core, **changes})


def stage_cycles(hardware: Hardware, layer: Stream) -> list[float]:
    """Of a stage of every kind that is run, in the order of passes."""
    program = stream_program(hardware, library_of(hardware), layer)
    columns = program.grid.columns
    places = [program.grid.place(column) for column in range(columns)]
    return [program.costs[program.stage_kind(place, 0)].stage_ps / 1000 for place in places]


def tree_cycles(threads: int) -> int:
    """Partial sums of so many threads, two and two until one is left."""
    cycles = 0
    while threads > 1:
        threads -= threads // 2
        cycles += LATENCY
    return cycles


@pytest.mark.parametrize("op", sorted(OPERATORS))
@pytest.mark.parametrize("row", [8, 100, 1024, 8192])
def test_a_chunk_takes_what_its_elements_take(op: str, row: int) -> None:
    elements = 8192
    macs, specials, reductions = OPERATORS[op]
    lanes = sum(Fraction(macs, LANES) for _ in range(elements))
    roots = sum(Fraction(specials, SPECIALS) for _ in range(elements))
    passes = Fraction(elements * 2 * (1 + reductions), BYTES_PER_CYCLE)
    waits = reductions * tree_cycles(math.ceil(row * 2 / 16))
    (found,) = stage_cycles(machine(), Stream("s", elements, elements, op, row=row))
    assert found == pytest.approx(float(max(lanes, roots, passes) + waits), abs=1e-3)


def test_of_a_wide_row_each_pass_but_the_last_ends_in_a_sum() -> None:
    """Two chunks are a row, so that each waits for half of the tree of all 1024 threads."""
    row = 2 * 8192
    found = stage_cycles(machine(), Stream("s", row, row, "softmax", passes=3, row=row))
    computed = 8192 * 2 / 3 / SPECIALS
    assert found == pytest.approx([computed + 35, computed + 35, computed], abs=1e-3)


@pytest.mark.parametrize("row_bytes", [1, 16, 17, 33, 4096, 10**6])
def test_a_sum_is_a_tree_of_a_row_s_threads(row_bytes: int) -> None:
    assert reduction_cycles(machine(), row_bytes) == tree_cycles(
        min(1024, math.ceil(row_bytes / 16))
    )


def test_without_a_vector_unit_nothing_is_computed() -> None:
    layer = Stream("s", 8192, 8192, "softmax", row=100)
    free = machine(core__vector=None)
    assert stage_cycles(free, layer) == [8192 * 2 * 3 / BYTES_PER_CYCLE]


def test_lanes_that_are_busy_are_named() -> None:
    layer = simulate(machine(), Workload("w", [Stream("s", 10**6, 10**6, "gelu")])).layers[0]
    assert layer.bound == "vector"
    assert layer.core_time_ps.vector_stall > 0.9 * layer.time_ps
    assert layer.busy_ratio["vector"] > 0.9


def test_operators_of_other_kinds_are_other_simulations() -> None:
    layers = [Stream("a", 10**6, 10**6, "gelu"), Stream("b", 10**6, 10**6, "relu")]
    first, second = simulate(machine(), Workload("w", layers)).layers
    assert first.time_ps > 2 * second.time_ps


def test_an_unknown_operator_is_told() -> None:
    with pytest.raises(WorkloadError, match=r"s\.op: unknown operator.*did you mean 'gelu'"):
        Stream("s", 1, 1, "gelo")
