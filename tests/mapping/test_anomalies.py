"""Machines with twice as much of one thing that take longer with an equal mapping, and why.

Queues are first come, first served, caches evict what is oldest, and tiles go to whoever is free:
with all three, whoever is done sooner may be in somebody's way (Graham 1969; Belady, Nelson and
Shedler 1969). `make better` finds such cases on presets; here each kind has one to follow by hand.
"""

from __future__ import annotations

from machines import library_of, problem_of, tiny

from simulator import Attention, Gemm, Workload, simulate
from simulator.engine import fast
from simulator.engine.result import EngineResult
from simulator.hardware import Hardware, load_hardware
from simulator.hardware.resources import RESOURCES
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import gemm_program
from simulator.sparsity import Pattern
from simulator.workload.lowering import lower

OF_NAME = {resource.name: resource for resource in RESOURCES}
TILE = Mapping(16, 16, 16, 8, 8, stage_buffers=2)


def doubled(hardware: Hardware, resource: str) -> Hardware:
    machine = OF_NAME[resource].scaled(hardware, 2)
    assert machine is not None
    return machine


def results(
    hardware: Hardware, resource: str, m: int, n: int, k: int, mapping: Mapping = TILE
) -> tuple[EngineResult, EngineResult]:
    """Of a product on a machine, and on one with twice as much of a resource."""
    both = []
    for machine in (hardware, doubled(hardware, resource)):
        library = library_of(machine, stage_buffers=mapping.stage_buffers)
        problem = problem_of(machine, "1:1", m=m, n=n, k=k)
        both.append(fast.run(gemm_program(machine, library, problem, mapping)))
    return both[0], both[1]


def counts(result: EngineResult) -> tuple[int, int]:
    """Blocks that DRAM read and wrote."""
    return int(result.misses.sum()), int(result.dram_written.sum())


def small(**changes: object) -> Hardware:
    """Cores that share a small L2 and a slow DRAM; a block of 512 bytes takes 128 ns there."""
    return tiny(
        core__port_bytes_per_cycle=32,
        core__scratchpad__bytes_per_cycle=64,
        core__tensor_cores__macs_per_cycle={"fp16": 32, "int8": 128, "int4": 256},
        memory__l2__bytes_per_cycle=64,
        memory__l2__bytes=2048,
        memory__dram__bytes_per_second=4e9,
        **changes,
    )


def test_more_cores_write_back_later() -> None:
    """Five tiles in a column, and L2 holds four blocks.

    With four cores the fifth row of W is read beside the first outputs, so that the third output
    finds one to evict: DRAM writes that while others multiply. With eight all rows are read before
    there is an output; the last one evicts the first, which is written when nobody works any more.
    """
    few, many = results(small(core__count=4, memory__l2__latency_cycles=50), "cores", 80, 16, 16)
    assert counts(few) == counts(many) == (6, 1)
    in_l2_ps, in_dram_ps = 8_000, 128_000
    assert few.makespan_ps - few.end_ps.max() == in_l2_ps
    assert many.makespan_ps - many.end_ps.max() == in_dram_ps
    assert many.makespan_ps > 1.1 * few.makespan_ps


def test_a_faster_l2_evicts_in_another_order() -> None:
    """Three cores, three columns of X, and L2 holds eight blocks.

    With the slow L2 one core is 6 ns behind the others, and its output is written after their next
    loads have renewed the columns that they share. With the fast one all end together: its output
    comes first and evicts one of those columns, which DRAM reads again.
    """
    hardware = small(
        core__count=3,
        memory__l2__latency_cycles=10,
        memory__dram__latency_ns=100,
    )
    hardware = load_hardware(
        hardware,
        {
            "memory.l2.bytes": 4096,
            "memory.l2.bytes_per_cycle": 32,
            "memory.dram.bytes_per_second": 8e9,
        },
    )
    slow, quick = results(hardware, "L2 rate", 48, 48, 16)
    assert (counts(slow), counts(quick)) == ((7, 5), (8, 5))
    assert quick.makespan_ps > 1.05 * slow.makespan_ps


def test_a_faster_l2_brings_cores_into_step() -> None:
    """A shallow product, of which DRAM mostly writes what outputs evict.

    With the slow L2 cores leave it one after another, and some multiply while others write. With
    the fast one all write at once, and the next block of W or X, which all are going to wait for,
    is read behind 28 outputs, while no core multiplies; then all multiply, and DRAM has nothing to
    do. As many blocks pass either way. Where DRAM is no bottleneck, the faster L2 is faster.
    """
    rows, columns, depth = 2176, 4096, 32
    mapping = Mapping(128, 128, 16, 64, 64, stage_buffers=3)

    def both(bandwidth: float) -> list[EngineResult]:
        found = []
        for l2 in (800, 1600):
            hardware = load_hardware(
                "rtx3060",
                {
                    "memory.l2.start": "cold",
                    "memory.l2.bytes_per_cycle": l2,
                    "memory.dram.bytes_per_second": bandwidth,
                    "core.barrier_cycles": 0,
                },
            )
            library = hardware.libraries["cutlass"]
            hardware = hardware.under(library)
            layer = Gemm("gemm", m=rows, n=columns, k=depth, dtype="tf32")
            problem = lower(layer, Pattern(2, 4), hardware).problem
            found.append(fast.run(gemm_program(hardware, library, problem, mapping)))
        return found

    slow, quick = both(900e9)
    assert counts(slow) == counts(quick)
    assert quick.in_flight_hits > 1.2 * slow.in_flight_hits
    assert quick.waits().prologue > 1.5 * slow.waits().prologue
    assert quick.makespan_ps > 1.1 * slow.makespan_ps
    slow, quick = both(9000e9)
    assert quick.makespan_ps < slow.makespan_ps


def test_half_of_a_batch_may_lie_in_the_far_half_of_l2() -> None:
    """A block's home is the parity of its number, and keys are numbered from the queries on.

    With one head keys are block 1, far from core 0; with two they are 2 and 3, and near their
    cores. So the larger batch, of which each core takes one head, is done sooner by the far latency
    of one request; where both halves are as near, the smaller one is.
    """

    def times(far_cycles: int) -> tuple[int, int]:
        machine = load_hardware(
            "a100-sxm4-80gb", {"memory.l2.halves.far_latency_cycles": far_cycles}
        )
        one, two = (
            simulate(machine, Workload("w", [Attention("a", 1, 1, 4, 4, 64, batch=batch)]))
            for batch in (1, 2)
        )
        return one.total.time_ps, two.total.time_ps

    one, two = times(213)
    assert one > two
    one, two = times(0)
    assert one <= two
