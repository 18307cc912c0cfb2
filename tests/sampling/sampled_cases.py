"""Random layers on random machines, of a size whose exact run is affordable."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp, log
from typing import Any

from simulator.catalog import presets
from simulator.engine import fast
from simulator.errors import ConfigError, MappingError
from simulator.hardware import Hardware, load_hardware
from simulator.run.attach import attach
from simulator.run.choice import Terms, ranking
from simulator.sparsity import parse_pattern
from simulator.workload import Conv, Gemm, Layer, Matmul

FEWEST_STAGES, MOST_STAGES = 150_000, 60_000_000
"""Of the mapping that ranks first: smaller layers are simulated whole, larger ones take longer
than two seconds exactly."""

PATIENCE = 50
"""Layers that are drawn until one is of such a size."""


@dataclass(frozen=True)
class Case:
    """One layer under a pattern on a machine, some of whose keys are other than the preset's."""

    machine: str
    changes: dict[str, Any] = field(hash=False)
    pattern: str
    layer: Layer

    @property
    def hardware(self) -> Hardware:
        return load_hardware(self.machine, self.changes)

    def __str__(self) -> str:
        layer = self.layer
        if isinstance(layer, Conv):
            pixels = f"{layer.in_channels}x{layer.in_h}x{layer.in_w}"
            stride, kernel = layer.pair("stride")[0], layer.pair("kernel")[0]
            what = f"conv {layer.batch}x{pixels} to {layer.out_channels}, {kernel}/{stride}"
        else:
            assert isinstance(layer, Gemm | Matmul)
            what = f"{layer.batch}x {layer.m}x{layer.n}x{layer.k}"
        changes = "".join(f" {key.split('.', 1)[1]}={value}" for key, value in self.changes.items())
        return f"{self.machine} {layer.dtype} {self.pattern} {what}{changes}"


def case_of(seed: int, number: int, most_stages: int = MOST_STAGES) -> Case:
    """The same for the same seed and number."""
    rng = random.Random(f"{seed} {number}")
    while True:
        machine = rng.choice([*presets("configs", ".yaml")])
        preset = load_hardware(machine)
        changes = rng.choice(CHANGES)(rng, preset) if rng.random() < 0.4 else {}
        try:
            hardware = load_hardware(machine, changes)
        except ConfigError:  # such as clusters, which want one dispatch
            continue
        # Small ones would be most by far.
        least = _log_uniform(rng, FEWEST_STAGES, most_stages / 4)
        draw, dtype = rng.choice(LAYERS), rng.choice(hardware.dtypes)
        pattern = _pattern(rng, hardware)
        for layer in (draw(rng, dtype) for _ in range(PATIENCE)):
            asked = "1:1" if isinstance(layer, Matmul) else pattern
            if least <= _stages(hardware, asked, layer) <= most_stages:
                return Case(machine, changes, asked, layer)


def _stages(hardware: Hardware, pattern: str, layer: Layer) -> int:
    """Of the mapping that ranks first, of the first pattern that may run; 0 where none fits."""
    terms = Terms(hardware, fast.run)
    work = attach(layer, parse_pattern(pattern), hardware, {}, None)
    problem = work.laid_out(terms.laid_out).problems[0]
    (ranked,) = ranking(terms, [problem]).values()
    return 0 if isinstance(ranked, MappingError) else ranked[0][0].stage_events(problem)


def _pattern(rng: random.Random, hardware: Hardware) -> str:
    """Dense, one that the machine runs, or one whose rows choose columns together."""
    offered = ["1:1", "2:4"]
    largest = hardware.sparsity.largest_group
    offered += [one for one in ("1:4", "2:8", "1:8", "4:16") if int(one.split(":")[1]) <= largest]
    offered += [f"{rows}:2:{group}" for rows in hardware.vector_rows() for group in (8, 20)]
    return rng.choice(offered)


# Machines

Changes = dict[str, Any]


def _dispatch(rng: random.Random, hardware: Hardware) -> Changes:
    policy = rng.choice(["dynamic", "round_robin", "contiguous"])
    return {f"libraries.{name}.dispatch": policy for name in _chosen(hardware)}


def _bands(rng: random.Random, hardware: Hardware) -> Changes:
    rows = rng.choice([1, 2, 4, 16, 64])
    return {f"libraries.{name}.swizzle": rows for name in _chosen(hardware)}


def _warm(_rng: random.Random, _hardware: Hardware) -> Changes:
    return {"memory.l2.start": "warm"}


def _l2(rng: random.Random, hardware: Hardware) -> Changes:
    return {"memory.l2.bytes": int(hardware.memory.l2.bytes * rng.choice([0.125, 0.25, 0.5, 2, 4]))}


def _slow_dram(rng: random.Random, hardware: Hardware) -> Changes:
    rate = hardware.memory.dram.bytes_per_second
    return {"memory.dram.bytes_per_second": int(rate * rng.choice([0.25, 0.5, 2]))}


CHANGES: tuple[Callable[[random.Random, Hardware], Changes], ...] = (
    _dispatch, _bands, _warm, _l2, _slow_dram,
)  # fmt: skip


def _chosen(hardware: Hardware) -> list[str]:
    """The libraries that the machine runs most layers with."""
    return sorted({hardware.library.dense, hardware.library.sparse})


# Layers


def _log_uniform(rng: random.Random, low: float, high: float) -> int:
    return round(exp(rng.uniform(log(low), log(high))))


def _side(rng: random.Random, low: float, high: float) -> int:
    """A side of a GEMM, mostly a multiple of what tiles are multiples of."""
    unit = rng.choice([128, 128, 64, 8, 1])
    return max(unit, _log_uniform(rng, low, high) // unit * unit)


def _any(rng: random.Random, dtype: str) -> Layer:
    m, n, k = (_side(rng, 512, 32768) for _ in range(3))
    return Gemm("g", m=m, n=n, k=k, dtype=dtype)


def _language(rng: random.Random, dtype: str) -> Layer:
    """Features from a few thousand to as many for each of some, for one token to a few prompts."""
    m, k = (rng.choice([4096, 5120, 8192, 11008, 12288, 14336, 16384]) for _ in range(2))
    n = rng.choice([1, 8, 16, 64, 256, 512, 1024, 2048, 4096, 8192, _log_uniform(rng, 1, 8192)])
    return Gemm("g", m=m * rng.choice([1, 1, 2, 4]), n=n, k=k, dtype=dtype)


def _narrow(rng: random.Random, dtype: str) -> Layer:
    m, k = (_side(rng, 4096, 131072) for _ in range(2))
    return Gemm("g", m=m, n=_log_uniform(rng, 1, 256), k=k, dtype=dtype)


def _deep(rng: random.Random, dtype: str) -> Layer:
    m, n = (_side(rng, 64, 2048) for _ in range(2))
    return Gemm("g", m=m, n=n, k=_side(rng, 2**15, 2**22), dtype=dtype)


def _shallow(rng: random.Random, dtype: str) -> Layer:
    m, n = (_side(rng, 4096, 131072) for _ in range(2))
    return Gemm("g", m=m, n=n, k=_side(rng, 32, 1024), dtype=dtype)


def _small_batch(rng: random.Random, dtype: str) -> Layer:
    m, n, k = (_side(rng, 32, 1024) for _ in range(3))
    kind: type[Gemm | Matmul] = rng.choice([Gemm, Matmul])
    return kind("g", m=m, n=n, k=k, batch=_log_uniform(rng, 64, 30000), dtype=dtype)


def _large_batch(rng: random.Random, dtype: str) -> Layer:
    m, n, k = (_side(rng, 512, 8192) for _ in range(3))
    kind: type[Gemm | Matmul] = rng.choice([Gemm, Matmul])
    return kind("g", m=m, n=n, k=k, batch=_log_uniform(rng, 2, 128), dtype=dtype)


def _conv(rng: random.Random, dtype: str) -> Layer:
    kernel, size = rng.choice([1, 1, 3, 3, 5, 7]), rng.choice([7, 14, 28, 56, 112, 224])
    inputs, outputs = (rng.choice([16, 64, 128, 256, 512, 1024, 2048]) for _ in range(2))
    return Conv(
        "g", inputs, outputs, size, size, kernel=kernel, stride=rng.choice([1, 1, 2]),
        padding=kernel // 2, batch=_log_uniform(rng, 1, 4096), dtype=dtype,
    )  # fmt: skip


LAYERS: tuple[Callable[[random.Random, str], Layer], ...] = (
    _any, _any, _language, _language, _narrow, _deep, _shallow, _small_batch, _large_batch, _conv,
)  # fmt: skip
