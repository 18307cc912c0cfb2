"""A network's layers as the kernels of a stack, with what was asked of each and its weights."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache

import numpy as np

from simulator.errors import WeightsError
from simulator.run.attach import Array, find_tensor, require_shape
from simulator.workload import Gemm, Layer, Workload
from simulator.workload.stack import Stack, pattern_of, stacked


@lru_cache(maxsize=64)
def kernels_of(
    network: Workload,
    stack: Stack | str | None,
    dense: frozenset[str] = frozenset(),
    weighed: frozenset[str] = frozenset(),
) -> Workload:
    """What a stack makes of a network.

    Layers that stay dense are merged with none that do not, those with real weights with no others.

    Parameters
    ----------
    dense : frozenset of str
        Names of layers that stay dense under any pattern.
    weighed : frozenset of str
        Names of layers whose real weights are given.

    Raises
    ------
    ConfigError
        If there is no such stack.
    """

    def alike(layer: Layer) -> Hashable:
        return pattern_of(layer), layer.name in dense, layer.name in weighed

    return stacked(network, stack, alike)


def with_weights(network: Workload, weights: Mapping[str, Array]) -> frozenset[str]:
    """Names of the layers whose weights are among those given."""
    linear = [layer for layer in network.layers if isinstance(layer, Gemm)] if weights else []
    return frozenset(one.name for one in linear if find_tensor(one, weights) is not None)


def of_kernels(
    network: Workload, kernels: Workload, weights: Mapping[str, Array]
) -> Mapping[str, Array]:
    """Weights by layer, and by kernel where one multiplies with those of several: all outputs.

    Raises
    ------
    WeightsError
        If some of a kernel's layers have weights of another shape, or have none.
    """
    if not weights or not kernels.members:
        return weights
    linear = {layer.name: layer for layer in network.layers if isinstance(layer, Gemm)}
    merged = dict(weights)
    for kernel, names in zip(kernels.layers, kernels.members, strict=True):
        layers = [linear[name] for name in names if name in linear]
        tensors = [find_tensor(layer, weights) for layer in layers]
        found = [tensor for tensor in tensors if tensor is not None]
        if len(layers) < 2 or not found:
            continue
        for layer, tensor in zip(layers, tensors, strict=True):
            if tensor is None:
                raise WeightsError(
                    layer.name, "has no weights, unlike layers that run in one kernel with it",
                    hint=f"give weights to all of {', '.join(names)}, or to none",
                )  # fmt: skip
            require_shape(layer, tensor)
        merged[kernel.name] = np.concatenate([x.reshape(-1, x.shape[-1]) for x in found])
    return merged
