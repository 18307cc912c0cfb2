"""Random attention on random machines: small, but with everything contended."""

from __future__ import annotations

import random
from dataclasses import dataclass

from machines import random_machine

from simulator import Attention
from simulator.errors import MappingError
from simulator.hardware import Hardware
from simulator.hardware.attention import AttentionKernels
from simulator.schedule.attention import attention_program
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import Program
from simulator.workload.attention_problem import AttentionProblem


@dataclass(frozen=True)
class AttentionCase:
    """A program, and what it was made from."""

    hardware: Hardware
    layer: Attention
    problem: AttentionProblem
    mapping: Mapping
    program: Program


def attention_case(rng: random.Random, **kernels: object) -> AttentionCase:
    """A random machine, layer and mapping."""
    own = {
        "splits": [1, 2, 3],
        "dispatch": rng.choice(["dynamic", "round_robin", "contiguous"]),
        "prefetch": rng.random() < 0.4,
        "epilogue_overlap": rng.random() < 0.3,
        "epilogue_ns": rng.choice([0, 1.5, 20]),
        "epilogue_staged": rng.random() < 0.3,
        "reduction_kernel": rng.random() < 0.5,
        "overlapped": rng.random() < 0.4,
        "queries": rng.choice(["register", "scratchpad"]),
        "tiles": [{"rows": 8, "context": 8, "head_dim": 8}],
        **kernels,
    }
    vector = {"macs_per_cycle": {"fp32": rng.choice([3, 7.5, 64])}, "specials_per_cycle": 2.3}
    hardware = random_machine(
        rng,
        attention=AttentionKernels.model_validate(own),
        core__vector=vector if rng.random() < 0.8 else None,
    )
    for _ in range(200):
        layer = _random_layer(rng)
        problem = AttentionProblem.of(layer, hardware)
        warp = rng.choice([4, 8])
        mapping = Mapping(
            warp * rng.choice([1, 2, 3]), problem.head_dim, rng.choice([3, 4, 8, 16]), warp,
            problem.head_dim, rng.choice([1, 1, 2, 3]), rng.choice([1, 2, 2, 3]),
        )  # fmt: skip
        try:
            program = attention_program(hardware, problem, mapping)
        except MappingError:
            continue
        if program.stage_events <= 160:
            return AttentionCase(hardware, layer, problem, mapping, program)
    raise AssertionError("no random mapping fitted")


def _random_layer(rng: random.Random) -> Attention:
    seq = rng.choice([1, 1, 2, rng.randint(1, 40)])
    kv_heads = rng.choice([1, 1, 2, 3])
    return Attention(
        "a",
        heads=kv_heads * rng.choice([1, 1, 2, 4]),
        kv_heads=kv_heads,
        seq=seq,
        context=seq + rng.choice([0, 0, rng.randint(0, 60)]),
        head_dim=rng.choice([4, 8, 8, 12, 17]),
        batch=rng.choice([1, 1, 2]),
        causal=rng.random() < 0.5,
        dtype=rng.choice(["fp16", "fp16", "int8"]),
    )
