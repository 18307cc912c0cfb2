"""Do whole runs equal formulas derived by hand, over a grid of parameters?

The tiny machine has a 1 GHz clock (1 cycle is 1000 ps), 64 fp16 MACs a cycle and 4x4x4
instructions. Its bandwidths are made so large that a transfer takes 1 ps, unless a test lowers one.
"""

from __future__ import annotations

from itertools import product

import pytest
from machines import library_of, problem_of, tiny

from simulator.engine import fast, reference
from simulator.hardware import Hardware
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import Program, gemm_program
from simulator.units import ceil_div

CYCLE = 1000
HUGE = 1e15

NO_LIMITS = {
    "core__register_file__operand_bytes_per_cycle": HUGE,
    "core__register_file__bytes": 2**30,
    "core__scratchpad__bytes_per_cycle": HUGE,
    "core__scratchpad__bytes": 2**30,
    "core__port_bytes_per_cycle": HUGE,
    "memory__l2__bytes_per_cycle": HUGE,
    "memory__dram__bytes_per_second": 1e18,
    "core__issue_cycles": 0.001,
}


def makespan(program: Program) -> int:
    """Of both engines, which agree."""
    result = fast.run(program)
    assert result.differences(reference.run(program)) == []
    return result.makespan_ps


def build(
    hardware: Hardware, pattern: str, m: int, n: int, k: int, mapping: Mapping, **library: object
) -> Program:
    problem = problem_of(hardware, pattern, m=m, n=n, k=k)
    return gemm_program(hardware, library_of(hardware, **library), problem, mapping)


@pytest.mark.parametrize(
    ("pattern", "tiles", "stages", "epilogue_ns", "drain"),
    list(product(["1:1", "2:4", "1:8"], [1, 3], [1, 2, 5], [0, 7], [0, 20])),
)
def test_one_core_without_memory_limits(
    pattern: str, tiles: int, stages: int, epilogue_ns: int, drain: int
) -> None:
    """MACs, one load of 3 ps and one epilogue a tile, one write at the end.

    DRAM fills W at t + 1 and X at t + 2, whose last byte passes the port 1 ps later: the first
    stage of the first tile arrives at t + 3. Later tiles find X in L2, but the output of the tile
    before enters the queue of L2 1 ps ahead of them: t + 3 again. Later stages arrive while the
    first computes. The register load of 1 ps is the prologue.
    """
    keep, group = map(int, pattern.split(":"))
    hardware = tiny(**NO_LIMITS, core__tensor_cores__drain_cycles=drain)
    tile_k = 16 * group // keep
    mapping = Mapping(16, 16, tile_k, 8, 8, stage_buffers=4)
    program = build(
        hardware, pattern, 16 * tiles, 16, tile_k * stages, mapping, epilogue_ns=epilogue_ns
    )
    stage = 16 * 16 * 16 // 64 * CYCLE  # 16 slots whatever the pattern
    epilogue = 1 + epilogue_ns * 1000 + drain * CYCLE
    assert makespan(program) == tiles * (3 + 1 + stages * stage + epilogue) + 1


@pytest.mark.parametrize(
    ("pattern", "bytes_per_cycle", "strips", "shared"),
    list(product(["1:1", "2:4", "1:4", "1:8"], [1, 4, 16], [1, 2, 4], [True, False])),
)
def test_bound_by_the_scratchpad_port(
    pattern: str, bytes_per_cycle: int, strips: int, shared: bool
) -> None:
    """Stages cost (reads + writes) over the port; X is read whole, once a row strip."""
    keep, group = map(int, pattern.split(":"))
    limits = NO_LIMITS | {
        "core__scratchpad__bytes_per_cycle": bytes_per_cycle,
        "core__scratchpad__shared_port": shared,
    }
    hardware = tiny(**limits)
    stages, tile_k = 3, 64
    mapping = Mapping(16, 16, tile_k, 16 // strips, 16 // strips, stage_buffers=4)
    program = build(hardware, pattern, 16, 16, tile_k * stages, mapping)
    metadata_bits = 0 if keep == group else keep * (group - 1).bit_length()
    w = 16 * (tile_k * keep // group * 2) + 16 * (tile_k // group) * metadata_bits // 8
    x = 16 * tile_k * 2
    moved = (strips + 1) * (w + x) if shared else strips * (w + x)
    mac = 16 * 16 * tile_k * keep // group // 64
    stage = max(mac * CYCLE, ceil_div(moved * CYCLE, bytes_per_cycle))
    steps = tile_k * keep // group // 4
    prologue = ceil_div(strips * (w + x) * CYCLE, steps * bytes_per_cycle)
    assert makespan(program) == 3 + prologue + stages * stage + 1 + 1


@pytest.mark.parametrize(
    ("pattern", "width"), list(product(["1:1", "2:4", "1:4", "2:8", "1:8", "1:16"], [24, 80, 200]))
)
def test_bound_by_operand_width(pattern: str, width: int) -> None:
    """Each instruction takes its slots, metadata, whole groups of X, and accumulators."""
    keep, group = map(int, pattern.split(":"))
    hardware = tiny(**(NO_LIMITS | {"core__register_file__operand_bytes_per_cycle": width}))
    tile_k, stages = 16 * group // keep, 2
    mapping = Mapping(16, 16, tile_k, 16, 16, stage_buffers=4)
    program = build(hardware, pattern, 16, 16, tile_k * stages, mapping)
    metadata_bits = 0 if keep == group else keep * (group - 1).bit_length()
    groups = 16 // keep  # per row and stage
    rows = 4 * 4 * (4 * 16 * 2) + 4 * 4 * 4 * groups * metadata_bits // 8  # 4 x 4 instructions
    columns = 4 * 4 * (4 * 16 * group // keep * 2)
    accumulators = 4 * 4 * (4 * 4 * 4) * 4  # 4 steps
    stage = max(64 * CYCLE, ceil_div((rows + columns + accumulators) * CYCLE, width))
    assert makespan(program) == 3 + 1 + stages * stage + 1 + 1


@pytest.mark.parametrize(
    ("stages", "bandwidth", "latency_ns", "pattern"),
    list(product([1, 4, 16], [1e9, 7e9], [0, 500], ["1:1", "2:4"])),
)
def test_bound_by_dram(stages: int, bandwidth: float, latency_ns: int, pattern: str) -> None:
    """With all stages in flight, DRAM streams every block; then one stage is left to compute."""
    keep, group = map(int, pattern.split(":"))
    limits = NO_LIMITS | {
        "memory__dram__bytes_per_second": bandwidth,
        "memory__dram__latency_ns": latency_ns,
    }
    hardware = tiny(**limits)
    tile_k = 16 * group // keep
    mapping = Mapping(16, 16, tile_k, 8, 8, stage_buffers=16)
    program = build(hardware, pattern, 16, 16, tile_k * stages, mapping)
    metadata = 0 if keep == group else 16 * (tile_k // group) * 4 // 8
    w, x = 16 * 16 * 2 + metadata, 16 * tile_k * 2
    ps_per_byte = 1e12 / bandwidth
    stream = stages * (-int(-w * ps_per_byte // 1) + -int(-x * ps_per_byte // 1))
    stage = 16 * 16 * 16 // 64 * CYCLE
    each = stream // stages
    # Compute hides behind DRAM but for the last stage, or DRAM behind compute but for the first.
    prologue = 1
    last = stream + latency_ns * 1000 + 1 + stage + (prologue if stages == 1 else 0)
    if each < stage:
        last = each + latency_ns * 1000 + 1 + prologue + stages * stage
    assert makespan(program) == last + 1 + 1


@pytest.mark.parametrize(
    ("splits", "stages", "pattern"), list(product([2, 3, 4], [4, 8, 9], ["1:1", "2:4"]))
)
def test_k_split(splits: int, stages: int, pattern: str) -> None:
    """As many cores as splits: the longest split decides, then the reduction, then the output.

    Splits are at most one stage apart. Every split's epilogue takes 1 ps (its port time); the last
    one to end reads the others in order, 1 ps each in L2 and port. Then the output leaves in 1 ps
    and is written in 1 ps.
    """
    keep, group = map(int, pattern.split(":"))
    hardware = tiny(**NO_LIMITS, core__count=splits)
    tile_k = 16 * group // keep
    mapping = Mapping(16, 16, tile_k, 8, 8, splits=splits, stage_buffers=4)
    program = build(hardware, pattern, 16, 16, tile_k * stages, mapping)
    stage = 16 * 16 * 16 // 64 * CYCLE
    lengths = [(s + 1) * stages // splits - s * stages // splits for s in range(splits)]
    # All cores request at 0; their blocks queue in L2 and DRAM for 1 ps each, W before X.
    arrive = [2 * (core + 1) + 1 for core in range(splits)]
    ends = sorted(a + 1 + n * stage + 1 for a, n in zip(arrive, lengths, strict=True))
    last_partial_written = ends[-2] + 1
    reads_end = max(last_partial_written, ends[-1]) + (splits - 1)
    assert makespan(program) == reads_end + 1 + 1


@pytest.mark.parametrize(
    ("stages", "latency", "buffers"), list(product([1, 2, 5], [10, 500], [1, 2, 4]))
)
def test_loads_through_registers(stages: int, latency: int, buffers: int) -> None:
    """Without asynchronous copies a stage is requested when the one before is in the scratchpad,
    so that its latency hides behind one stage's MACs, whatever the buffers; with a single buffer,
    behind none."""
    hardware = tiny(**NO_LIMITS, core__async_copies=False, memory__dram__latency_ns=latency)
    mapping = Mapping(16, 16, 16, 8, 8, stage_buffers=buffers)
    program = build(hardware, "1:1", 16, 16, 16 * stages, mapping)
    stage, loads, prologue = 16 * 16 * 16 // 64 * CYCLE, 2 + latency * CYCLE + 1, 1
    if buffers == 1:
        wanted = prologue + stages * (loads + stage)
    elif stage > loads or stages == 1:
        wanted = loads + prologue + stages * stage
    else:  # the first stage's register load and MACs hide as well
        wanted = stages * loads + stage
    assert makespan(program) == wanted + 1 + 1
