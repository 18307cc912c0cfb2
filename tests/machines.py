"""A small machine to start from, and random cases that reach every corner of the model."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np

from simulator.errors import MappingError
from simulator.hardware import Hardware, Library, load_hardware
from simulator.hardware.core import Promotion
from simulator.hardware.library import ClusterShape
from simulator.schedule.mapping import Mapping, check
from simulator.schedule.partition import DISPATCH
from simulator.schedule.program import Program, gemm_program, stream_program
from simulator.sparsity import Pattern, parse_pattern
from simulator.units import ceil_div
from simulator.workload import Conv, Gemm, Matmul, Stream, Workload
from simulator.workload.lowering import GemmProblem, lower

TINY = {
    "name": "tiny",
    "clock_hz": 1_000_000_000,
    "core": {
        "count": 1,
        "tensor_cores": {
            "macs_per_cycle": {"fp16": 64, "int8": 128, "int4": 256},
            "instructions": {
                "fp16": {"m": 4, "n": 4, "k": 4},
                "int8": {"m": 4, "n": 4, "k": 8},
                "int4": {"m": 4, "n": 4, "k": 16},
            },
        },
        "register_file": {"bytes": 2**20, "operand_bytes_per_cycle": 4096},
        "scratchpad": {"bytes": 2**20, "bytes_per_cycle": 4096},
        "port_bytes_per_cycle": 4096,
    },
    "memory": {
        "l2": {"bytes": 2**24, "bytes_per_cycle": 4096, "latency_cycles": 0},
        "dram": {"bytes": 2**34, "bytes_per_second": 4096e9, "latency_ns": 0},
    },
    "sparsity": {"largest_group": 16},
    "libraries": {
        "own": {
            "tiles": [{"m": 16, "n": 16, "slots": 16, "fragment_m": 8, "fragment_n": 8}],
            "stage_buffers": 4,
        }
    },
    "library": {"dense": "own", "sparse": "own"},
}


def tiny(**overrides: object) -> Hardware:
    """The tiny machine with dotted keys replaced; dots are written as double underscores."""
    base = Hardware.model_validate(TINY)
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return load_hardware(base, dotted)


MIXED = Workload(
    "mixed",
    [
        Gemm("fc", m=64, n=48, k=128, repeat=3),
        Conv("stem", 3, 16, 12, 12, kernel=3, padding=1),
        Conv("conv", 16, 32, 12, 12, kernel=3, padding=1, repeat=2),
        Matmul("scores", m=32, n=32, k=64, batch=2),
        Stream("softmax", reads=4000, writes=4000, op="softmax", repeat=5),
    ],
    ["read from memory"],
)
"""A layer of every kind."""


def contended(cores: int = 4, **changes: object) -> Hardware:
    """The tiny machine with several cores and caches that are felt."""
    return tiny(
        core__count=cores,
        core__port_bytes_per_cycle=32,
        core__scratchpad__bytes_per_cycle=64,
        memory__l2__bytes_per_cycle=64,
        memory__l2__bytes=20_000,
        memory__l2__latency_cycles=30,
        memory__dram__bytes_per_second=20e9,
        memory__dram__latency_ns=100,
        **changes,
    )


def library_of(hardware: Hardware, **changes: object) -> Library:
    """The machine's only library, changed."""
    (library,) = hardware.libraries.values()
    return library.model_copy(update=changes)


def problem_of(hardware: Hardware, pattern: str, **sizes: int) -> GemmProblem:
    """A GEMM as the machine executes it."""
    dtype = sizes.pop("dtype", "fp16")
    return lower(Gemm("g", **sizes, dtype=dtype), Pattern.parse(pattern), hardware).problem


@dataclass(frozen=True)
class Case:
    """A program, and what it was made from."""

    hardware: Hardware
    library: Library
    problem: GemmProblem | None
    mapping: Mapping | None
    program: Program
    mask: np.ndarray | None = None


PROMOTION = Promotion(every_k=48, rows=8, sums_per_cycle=13.5)
PATTERNS = ("1:1", "2:4", "1:2", "1:4", "2:8", "1:8", "3:8", "4:16", "1:16", "5:7")


VECTOR_PATTERNS = ("16:2:4", "16:2:8", "32:2:6", "32:2:10", "64:2:20")
"""Patterns of rows that choose columns together, for a machine with `GATHERS`."""

GATHERS = {"libraries__own__vector_rows": [16, 32, 64]}


def random_case(
    rng: random.Random, patterns: tuple[str, ...] = PATTERNS, **overrides: object
) -> Case:
    """A random machine, layer, pattern and mapping: small, but with everything contended."""
    hardware = random_machine(rng, **overrides)
    dispatch = rng.choice(["dynamic", "round_robin", "round_robin", *DISPATCH])
    library = library_of(
        hardware,
        swizzle=rng.choice([1, 1, 2, 3]),
        dispatch=dispatch,
        cluster=_random_cluster(rng, hardware) if dispatch == "round_robin" else ClusterShape(),
        prefetch=rng.random() < 0.5,
        epilogue_overlap=rng.random() < 0.3,
        epilogue_ns=rng.choice([0, 0, 1.5, 20]),
        register_buffers=rng.choice([None, None, 1, 2]),
        barrier_cycles=rng.choice([None, None, 5.5]),
        epilogue_staged=rng.random() < 0.3,
        promotion=rng.choice([None, None, PROMOTION]),
        reduction_kernel=rng.random() < 0.5,
        epilogue_slice_bytes=rng.choice([None, 32, 200]),
        whole_tiles=rng.choice([None, None, True, False]),
    )
    hardware = hardware.under(library)
    if rng.random() < 0.08:
        layer = Stream("s", reads=rng.randint(1, 60000), writes=rng.randint(1, 60000))
        return Case(hardware, library, None, None, stream_program(hardware, library, layer))
    for _ in range(200):
        problem = _random_problem(rng, hardware, patterns)
        mapping = _random_mapping(rng, problem)
        grid = mapping.grid(problem)
        if grid.outputs * grid.stages > 160:
            continue
        try:
            check(hardware, library, problem, mapping)
        except MappingError:
            continue
        if rng.random() < 0.7:
            problem = replace(problem, accumulates=True)
        mask = _random_mask(rng, hardware, problem, mapping)
        program = gemm_program(hardware, library, problem, mapping, mask)
        return Case(hardware, library, problem, mapping, program, mask)
    raise AssertionError("no random mapping fitted")


def _random_cluster(rng: random.Random, hardware: Hardware) -> ClusterShape:
    """That the machine has the cores for, if it divides the tiles; often it does not."""
    m, n = rng.choice([(2, 1), (2, 1), (1, 2), (1, 2), (2, 2), (3, 1), (1, 3), (1, 4)])
    return ClusterShape(m=m, n=n) if m * n <= hardware.core.count else ClusterShape()


def _random_mask(
    rng: random.Random, hardware: Hardware, problem: GemmProblem, mapping: Mapping
) -> np.ndarray | None:
    """Real non-zeros, within the pattern, for machines that skip them."""
    if hardware.sparsity.skip != "nonzeros" or mapping.tile_m % hardware.sparsity.lockstep_rows:
        return None
    if problem.pattern.chooses:
        return None
    generator = np.random.default_rng(rng.randint(0, 2**31))
    density = rng.choice([0.1, 0.5, 0.9])
    mask = generator.random((problem.count * problem.m, problem.k)) < density
    keep, group = problem.pattern.keep, problem.pattern.group
    for start in range(0, problem.k, group):  # at most `keep` of each group: drop the later ones
        part = mask[:, start : start + group]
        part &= part.cumsum(axis=1) <= keep
    return mask.astype(np.uint8)


def random_machine(rng: random.Random, **overrides: object) -> Hardware:
    halves = {
        "far_latency_cycles": rng.choice([0, 3, 40]),
        "link_bytes_per_cycle": rng.choice([2, 16, 100]),
    }
    return tiny(
        clock_hz=rng.choice([10**9, 1_410_000_000, 333_333_333]),
        core__count=rng.choice([1, 2, 3, 3, 4, 5]),
        core__tensor_cores__drain_cycles=rng.choice([0, 5, 24.7]),
        core__register_file__buffers=rng.choice([1, 2, 2]),
        core__register_file__operand_bytes_per_cycle=rng.choice([16, 64, 300]),
        core__operand_source__w=rng.choice(["register", "register", "scratchpad"]),
        core__operand_source__x=rng.choice(["register", "register", "scratchpad"]),
        core__scratchpad__bytes=rng.choice([16384, 65536]),
        core__scratchpad__bytes_per_cycle=rng.choice([8, 32, 128]),
        core__scratchpad__efficiency_ratio=rng.choice([1, 0.85, 0.613]),
        core__scratchpad__latency_cycles=rng.choice([0, 7, 20.5]),
        core__scratchpad__shared_port=rng.random() < 0.7,
        core__port_bytes_per_cycle=rng.choice([4, 16, 64]),
        core__issue_cycles=rng.choice([1, 1, 0.3, 30]),
        core__barrier_cycles=rng.choice([0, 0, 3, 11.3]),
        core__whole_tiles=rng.random() < 0.3,
        core__alignment_bytes=rng.choice([1, 16]),
        memory__l2__bytes=rng.choice([700, 3000, 9000, 40000, 2**24]),
        memory__l2__bytes_per_cycle=rng.choice([8, 64, 256]),
        memory__l2__latency_cycles=rng.choice([0, 10, 211]),
        memory__l2__halves=halves if rng.random() < 0.4 else None,
        memory__l2__foreign_dirty_ratio=rng.choice([0, 0, 0.3]),
        memory__l2__start=rng.choice(["cold", "cold", "warm"]),
        memory__dram__bytes_per_second=rng.choice([3e9, 2.5e10, 1.735e11]),
        memory__dram__efficiency_ratio=(ratio := rng.choice([1, 0.85])),
        memory__dram__write_efficiency_ratio=0.7 if ratio < 1 else None,
        memory__dram__latency_ns=rng.choice([0, 30, 405.7]),
        memory__writes=rng.choice(["l2", "l2", "dram"]),
        sparsity__skip=rng.choice(["slots", "slots", "none", "nonzeros", "nonzeros"]),
        sparsity__lockstep_rows=rng.choice([2, 4, 4]),
        sparsity__metadata=rng.choice(["index", "enumerative"]),
        core__async_copies=rng.random() < 0.7,
        kernel_start_ns=rng.choice([0, 12.5]),
        **overrides,
    )


def _random_problem(
    rng: random.Random, hardware: Hardware, patterns: tuple[str, ...]
) -> GemmProblem:
    pattern = parse_pattern(rng.choice(patterns))
    dtype = rng.choice(["fp16", "fp16", "int8", "int4"])
    kind = rng.choice(["gemm", "gemm", "matmul", "conv"])
    size = lambda low, high: rng.choice([rng.randint(low, high), 16 * rng.randint(1, high // 16)])  # noqa: E731
    if kind == "conv":
        groups = rng.choice([1, 1, 2])
        layer = Conv(
            "c",
            in_channels=groups * rng.randint(1, 20),
            out_channels=groups * rng.randint(1, 24),
            in_h=rng.randint(3, 9),
            in_w=rng.randint(3, 9),
            kernel=(rng.randint(1, 3), rng.randint(1, 3)),
            stride=rng.randint(1, 2),
            padding=rng.randint(0, 1),
            groups=groups,
            dtype=dtype,
        )
    else:
        shape = {"m": size(1, 64), "n": size(1, 64), "k": size(1, 160), "batch": rng.randint(1, 2)}
        layer = (Matmul if kind == "matmul" else Gemm)(kind, **shape, dtype=dtype)
        pattern = Pattern.parse("1:1") if kind == "matmul" else pattern
    problem = lower(layer, pattern, hardware).problem
    if problem.pattern.is_dense and rng.random() < 0.3:
        problem = problem.swapped()
    return problem


def _random_mapping(rng: random.Random, problem: GemmProblem) -> Mapping:
    group = problem.pattern.group
    tile_m, tile_n = rng.choice([4, 8, 12, 16, 32]), rng.choice([4, 8, 12, 16, 32])
    tile_k = group * rng.randint(1, max(1, 64 // group))
    stages = ceil_div(problem.k, tile_k)
    return Mapping(
        tile_m,
        tile_n,
        tile_k,
        fragment_m=rng.randint(1, tile_m),
        fragment_n=rng.randint(1, tile_n),
        splits=rng.randint(2, min(4, stages)) if stages > 1 and rng.random() < 0.35 else 1,
        stage_buffers=rng.choice([1, 2, 2, 3, 4]),
        swapped=problem.inputs_are_rows,
    )


def with_splits(case: Case, splits: int) -> Program:
    """The same case with other k-splits."""
    assert case.problem is not None
    assert case.mapping is not None
    mapping = replace(case.mapping, splits=splits)
    return gemm_program(case.hardware, case.library, case.problem, mapping)
