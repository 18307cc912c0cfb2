"""Rows as a store holds them, made up: of a pruned model and of trained networks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulator import Gemm, Workload
from simulator.quality.measured import (
    Figure,
    LayerCost,
    Measured,
    Qualities,
    stored_figures,
    stored_layers,
)
from simulator.sparsity import parse_pattern
from simulator.workload.trace_writer import write_trace

LAYERS = ("first", "second", "third")
MODEL = Workload("net", [Gemm(name, m=256, n=512, k=512) for name in LAYERS])
DIGEST = hashlib.sha256(b"net").hexdigest()


def row(
    method: str,
    pattern: str | Mapping[str, str],
    value: float,
    error: float = 0.0,
    *,
    seed: int | None = None,
    network: Workload | None = None,
    errors: Mapping[str, float] | None = None,
    figure: str = "accuracy",
    named: str = "mixed",
    **more: object,
) -> Measured:
    """A row whose layers all have one pattern, or each its own; `network` comes as its trace."""
    layers = network or MODEL
    by_layer = {
        layer.name: pattern if isinstance(pattern, str) else pattern.get(layer.name, "1:1")
        for layer in layers.layers
        if isinstance(layer, Gemm)
    }
    costs = {
        layer.name: LayerCost(
            by_layer[layer.name],
            layer.m * layer.k,
            round(layer.m * layer.k * parse_pattern(by_layer[layer.name]).density),
            None if errors is None else errors.get(layer.name, 0.0),
        )
        for layer in layers.layers
        if isinstance(layer, Gemm)
    }
    figures = {
        figure: Figure(value, error),
        "loss": Figure(1 - value, error, higher_is_better=False),
    }
    fields = {
        "network": layers.name,
        "digest": DIGEST,
        "task": "lines",
        "method": method,
        "pattern": pattern if isinstance(pattern, str) else named,
        "dense": "",
        "seed": seed,
        "figures": stored_figures(figures),
        "layers": stored_layers(costs),
        "nonzeros": sum(cost.nonzeros for cost in costs.values()),
        "weights": sum(cost.weights for cost in costs.values()),
        "trace": None if network is None else write_trace(network),
        "provenance": {},
        "elapsed_s": 1.0,
        **more,
    }
    key = hashlib.sha256(repr(sorted(fields.items())).encode()).digest()
    return Measured(key=key, **fields)  # type: ignore[arg-type]  # fields by name


def pruned_rows() -> list[Measured]:
    """A model by two methods: the dense one, free 3:4, dear 2:4, and 1:4 that reads nothing."""
    return [
        row("dense", "1:1", 0.99, 0.002),
        row("magnitude", "3:4", 0.60, 0.01),
        row("magnitude", "2:4", 0.0),
        row("sparsegpt", "3:4", 0.989, 0.002, errors=dict.fromkeys(LAYERS, 0.01)),
        row("sparsegpt", "2:4", 0.97, 0.003, errors=dict.fromkeys(LAYERS, 0.03)),
        row("sparsegpt", "1:4", 0.10, 0.02, errors=dict.fromkeys(LAYERS, 0.3)),
    ]


def trained_rows(seeds: Sequence[int] = (0, 1, 2)) -> list[Measured]:
    """Networks with traces of their own; one has half of the channels."""
    wide = Workload("cnn", [Gemm("fc", m=256, n=512, k=256), Gemm("head", m=16, n=512, k=256)])
    narrow = Workload("cnn", [Gemm("fc", m=128, n=512, k=256), Gemm("head", m=16, n=512, k=128)])
    pruned = {"fc": "2:4"}
    found = []
    for seed in seeds:
        # What a seed does to all recipes is much more than what recipes differ by.
        base, jitter = 0.80 + 0.03 * seed, 0.001 * (seed % 2)
        found += [
            row("dense", "1:1", base, seed=seed, network=wide),
            row("rewind", pruned, base - 0.01 - jitter, seed=seed, network=wide, named="2:4"),
            row("finetune", pruned, base - 0.05, seed=seed, network=wide, named="2:4"),
            row("channels(keep=0.5)", pruned, base - 0.02, seed=seed, network=narrow,
                named="2:4"),
        ]  # fmt: skip
    return found


def store_of(path: Path, rows: Sequence[Measured]) -> Path:
    """A file that holds rows."""
    with Qualities(path) as store:
        store.add(rows)
    return path
