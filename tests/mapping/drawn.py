"""Random machines, presets and variations of them, and random layers for them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from simulator import Attention, Conv, Gemm, Matmul, Stream, load_hardware
from simulator.catalog import presets
from simulator.hardware import Hardware
from simulator.hardware.resources import RESOURCES
from simulator.workload import Layer

VARIED_RATIO = 0.7
"""Share of the machines that are no presets."""

CHANGED_RATIO = 0.25
"""Share of its resources of which a variation has more or less than its preset."""

PRESETS = tuple(presets("configs", ".yaml"))


@dataclass(frozen=True)
class Pair:
    """A machine, a layer and the pattern of its weights."""

    hardware: Hardware
    layer: Layer
    pattern: str


def drawn_machine(rng: random.Random) -> Hardware:
    """A preset whose L2 starts cold or warm, as it is or with more of this and less of that."""
    hardware = load_hardware(rng.choice(PRESETS))
    dram = hardware.memory.dram
    hardware = load_hardware(
        hardware,
        {
            "memory.l2.start": rng.choice(["cold", "cold", "warm"]),
            # What it is if it is not written, so that reads and writes may be told apart.
            "memory.dram.write_efficiency_ratio": dram.write_efficiency_ratio
            or dram.efficiency_ratio,
            # Half of the machines start kernels at once, so that nothing hides behind that.
            **rng.choice([{}, {"kernel_start_ns": 0, "stream_start_ns": 0}]),
        },
    )
    if rng.random() < VARIED_RATIO:
        for resource in RESOURCES:
            if rng.random() < CHANGED_RATIO:
                factor = round(2 ** rng.uniform(-2, 2), 2)
                # Vectors that are no power of two are no machine's, nor better for being halved.
                if resource.name != "alignment":
                    hardware = resource.scaled(hardware, factor) or hardware
    return hardware


def _size(rng: random.Random, most: int, aligned: bool) -> int:
    """Any size up to ``most``, small ones as often as large ones; aligned ones fill vectors."""
    size = round(2 ** rng.uniform(0, math.log2(most)))
    return -(-size // 64) * 64 if aligned else size


def _gemm(rng: random.Random, dtype: str) -> Layer:
    m, n, k = (_size(rng, 16384, rng.random() < 0.7) for _ in "mnk")
    return Gemm("gemm", m=m, n=n, k=k, dtype=dtype, accumulate=rng.random() < 0.1)


def _matmul(rng: random.Random, dtype: str) -> Layer:
    m, n, k = (_size(rng, 2048, rng.random() < 0.5) for _ in "mnk")
    return Matmul("matmul", m=m, n=n, k=k, batch=_size(rng, 256, False), dtype=dtype)


def _conv(rng: random.Random, dtype: str) -> Layer:
    inputs, outputs = (_size(rng, 1024, rng.random() < 0.7) for _ in "io")
    side, kernel = _size(rng, 112, False), rng.choice([1, 1, 3, 3, 5])
    sizes = {"in_h": side, "in_w": side, "kernel": kernel, "padding": kernel // 2}
    return Conv(
        "conv", inputs, outputs, stride=rng.choice([1, 1, 2]), batch=_size(rng, 64, False),
        dtype=dtype, **sizes,
    )  # fmt: skip


def _depthwise(rng: random.Random, dtype: str) -> Layer:
    channels, side = _size(rng, 1024, True), _size(rng, 112, False)
    return Conv(
        "depthwise", channels, channels, side, side, kernel=3, padding=1, groups=channels,
        stride=rng.choice([1, 2]), batch=_size(rng, 16, False), dtype=dtype,
    )  # fmt: skip


def _attention(rng: random.Random, dtype: str) -> Layer:
    seq, shared = _size(rng, 4096, rng.random() < 0.5), rng.choice([1, 1, 4, 8])
    kv_heads, causal = _size(rng, 16, False), rng.random() < 0.5
    return Attention(
        "attention", heads=kv_heads * shared, kv_heads=kv_heads, seq=seq,
        context=seq + rng.choice([0, 0, 1, 1000, 3000]),
        head_dim=rng.choice([40, 64, 64, 128, 256]),
        batch=_size(rng, 16, False), causal=causal, dtype=dtype,
    )  # fmt: skip


def _stream(rng: random.Random, dtype: str) -> Layer:
    reads, op = _size(rng, 2**24, False), rng.choice(["add", "gelu", "softmax", "normalization"])
    stream = Stream("stream", reads, max(1, reads // rng.choice([1, 1, 2])), op, dtype)
    return stream.over_rows(min(reads, _size(rng, 2**17, False)))


KINDS: dict[Callable[[random.Random, str], Layer], int] = {
    _gemm: 50, _matmul: 15, _conv: 18, _depthwise: 3, _attention: 9, _stream: 5,
}  # fmt: skip
"""How to draw a layer, and how often in a hundred."""


def drawn_layer(rng: random.Random, hardware: Hardware) -> tuple[Layer, str]:
    """A layer in one of the machine's dtypes, and the pattern of its weights."""
    kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
    return kind(rng, rng.choice(hardware.dtypes)), drawn_pattern(rng, hardware)


def drawn_pattern(rng: random.Random, hardware: Hardware) -> str:
    """Dense, a pattern that the machine executes, or one that runs as another."""
    if rng.random() < 0.5:
        return "1:1"
    group = rng.choice([2, 4, 4, 8, 8, 16])
    any_pattern = f"{rng.randint(1, group - 1)}:{group}"
    return rng.choice([*hardware.sparsity.patterns, any_pattern])
