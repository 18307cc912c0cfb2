"""A network whose layers have patterns of their own, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simulator.sparsity import DENSE
from simulator.workload.layer import Conv, Gemm, Layer, Workload


def bearing(network: Workload) -> dict[str, Gemm | Conv]:
    """Layers that have weights, by name."""
    return {layer.name: layer for layer in network.layers if isinstance(layer, Gemm | Conv)}


def under(network: Workload, patterns: Mapping[str, str]) -> Workload:
    """The network with patterns by layer name; layers without one are dense."""
    layers: list[Layer] = []
    for layer in network.layers:
        if isinstance(layer, Gemm | Conv):
            asked = patterns.get(layer.name, str(DENSE))
            layers.append(replace(layer, pattern=None if asked == str(DENSE) else asked))
        else:
            layers.append(layer)
    return replace(network, layers=tuple(layers))
