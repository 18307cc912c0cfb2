"""Random layers on every preset, whose whole offer of mappings is quick to simulate."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulator import Attention, Conv, Gemm, Matmul, load_hardware
from simulator.catalog import presets
from simulator.errors import SimulatorError
from simulator.hardware import Hardware
from simulator.run.attach import Attached, attach
from simulator.sparsity import AnyPattern, Pattern, parse_asked
from simulator.weights.masks import magnitude_mask
from simulator.workload import Layer

PRESETS = tuple(sorted(presets("configs", ".yaml")))

LISTED = ("2:4",)
UNLISTED = ("1:4", "1:8", "2:8", "1:16", "3:8", "unstructured:0.2")
FLEXIBLE = ("2:4", "1:2", "1:4", "2:8", "1:8", "4:8", "1:16", "2:16", "3:7", "unstructured:0.3")
VECTORS = ("32:2:8", "64:2:8", "64:2:10", "128:2:8", "128:2:16", "128:2:20")

MASKED_RATIO, MASKED_WEIGHTS = 0.05, 2**19
"""Share of layers whose real weights decide what stages cost, and how many weights they have."""


@dataclass(frozen=True)
class Case:
    """A layer as a machine may run it; ``has_mask`` where real zeros decide what stages cost."""

    machine: str
    hardware: Hardware
    asked: str
    work: Attached
    has_mask: bool = False

    def __str__(self) -> str:
        layer, words = self.work.layer, []
        if isinstance(layer, Gemm | Matmul):
            words.append(f"{layer.m}x{layer.n}x{layer.k}")
            words += [f"batch {layer.batch}"] * (layer.batch > 1)
            words += ["added"] * (isinstance(layer, Gemm) and layer.accumulate)
        elif isinstance(layer, Conv):
            sides = layer.pair("kernel")
            words.append(
                f"conv {layer.in_channels}->{layer.out_channels} {layer.in_h}x{layer.in_w} "
                f"kernel {sides[0]} stride {layer.pair('stride')[0]}"
            )
            words += [f"groups {layer.groups}"] * (layer.groups > 1)
            words += [f"batch {layer.batch}"] * (layer.batch > 1)
        elif isinstance(layer, Attention):
            words.append(
                f"attention {layer.heads}/{layer.kv_heads} heads of {layer.head_dim}, "
                f"{layer.seq} of {layer.context}" + ", causal" * layer.causal
            )
            words += [f"batch {layer.batch}"] * (layer.batch > 1)
        words += [layer.dtype, self.asked] + ["masked"] * self.has_mask
        return " ".join(words)


@lru_cache
def machine(name: str, skips_zeros: bool = False) -> Hardware:
    """A preset, which may skip real zeros instead of slots."""
    return load_hardware(name, {"sparsity.skip": "nonzeros"} if skips_zeros else None)


def draw(rng: random.Random, preset: str) -> Case:
    """A layer that some of the preset's mappings fit; drawn again where none does."""
    while True:
        try:
            return _drawn(rng, preset)
        except SimulatorError:
            continue


def _drawn(rng: random.Random, preset: str) -> Case:
    has_mask = rng.random() < MASKED_RATIO
    hardware = machine(preset, has_mask)
    dtype = rng.choice(hardware.dtypes)
    asked = _pattern(rng, hardware, has_mask)
    if has_mask:
        return _masked(rng, preset, hardware, dtype, asked)
    kind = rng.choices(("gemm", "batch", "matmul", "conv", "attention"), (55, 10, 5, 25, 5))[0]
    layer = _layer(rng, kind, dtype)
    return Case(preset, hardware, asked, attach(layer, parse_pattern(asked), hardware, {}))


def parse_pattern(text: str) -> AnyPattern:
    """A pattern that is asked for."""
    found = parse_asked(text)
    assert found is not None
    return found


def _pattern(rng: random.Random, hardware: Hardware, has_mask: bool) -> str:
    if rng.random() < 0.4 and not has_mask:
        return "1:1"
    if hardware.sparsity.largest_group:
        most = hardware.sparsity.largest_group
        fit = [p for p in FLEXIBLE if p[-1] != "6" or most >= 16]
        return rng.choice(fit[:-1] if has_mask else fit)
    if hardware.vector_rows(None) and not has_mask and rng.random() < 0.4:
        return rng.choice(VECTORS)
    kinds = (LISTED * 6) + UNLISTED
    return rng.choice(kinds[:-1] if has_mask else kinds)


def size(rng: random.Random, most: int) -> int:
    """About uniform in its logarithm; a third each of whole tiles, of whole vectors, and of any."""
    found = max(1, int(most ** rng.random()))
    unit = rng.choice((64, 8, 1))
    return max(1, found // unit) * unit if found >= unit else found


def _layer(rng: random.Random, kind: str, dtype: str) -> Layer:
    if kind == "conv":
        return _conv(rng, dtype)
    if kind == "attention":
        return _attention(rng, dtype)
    m, n, k = size(rng, 20_000), size(rng, 20_000), size(rng, 20_000)
    if kind == "gemm":
        return Gemm("g", m, n, k, dtype=dtype, accumulate=rng.random() < 0.1)
    batch = max(2, int(200 ** rng.random()))
    m, n, k = size(rng, 3000), size(rng, 3000), size(rng, 3000)
    return (Matmul if kind == "matmul" else Gemm)("g", m, n, k, batch=batch, dtype=dtype)


def _conv(rng: random.Random, dtype: str) -> Conv:
    kernel = rng.choice((1, 1, 3, 3, 3, 5, 7))
    side = rng.choice((7, 14, 28, 56, 112, rng.randint(5, 130)))
    channels, outputs = rng.choice((3, 16, size(rng, 1500))), size(rng, 1500)
    groups = 1
    if rng.random() < 0.15:  # depthwise, or a few groups
        channels = outputs = max(2, size(rng, 800) // 2 * 2)
        groups = rng.choice((channels, channels, 2))
    return Conv(
        "c", channels, outputs, side, side, kernel=kernel, stride=rng.choice((1, 1, 1, 2)),
        padding=kernel // 2, groups=groups, batch=rng.choice((1, 1, 2, 4, 8, 16, 32)), dtype=dtype,
    )  # fmt: skip


def _attention(rng: random.Random, dtype: str) -> Attention:
    kv_heads = rng.choice((1, 2, 4, 8, 16))
    context = size(rng, 8000)
    seq = rng.choice((1, context, min(context, size(rng, 8000))))
    return Attention(
        "a", kv_heads * rng.choice((1, 1, 2, 4, 8)), kv_heads, seq, context,
        rng.choice((64, 64, 128)), batch=rng.choice((1, 1, 2, 4, 8, 16)),
        causal=seq > 1 and rng.random() < 0.5, dtype=dtype,
    )  # fmt: skip


def _masked(rng: random.Random, preset: str, hardware: Hardware, dtype: str, asked: str) -> Case:
    """Weights that follow the pattern, and of whose slots some are zero as well."""
    m, k = size(rng, 2000), size(rng, 4000)
    k = min(k, max(1, MASKED_WEIGHTS // m))
    pattern = parse_pattern(asked)
    numbers = np.random.default_rng(rng.getrandbits(32))
    tensor = numbers.standard_normal((m, k)).astype(np.float32)
    assert isinstance(pattern, Pattern)
    tensor *= magnitude_mask(tensor, pattern)
    tensor *= numbers.random((m, k)) < rng.choice((1.0, 0.8, 0.5, 0.2))
    work = attach(Gemm("g", m, size(rng, 4000), k, dtype=dtype), pattern, hardware, {"g": tensor})
    return Case(preset, hardware, asked, work, has_mask=True)
