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
    network: Workload, stack: Stack | str | None, dense: frozenset[str] = frozenset()
) -> Workload:
    """What a stack makes of a network; layers that stay dense are merged with none that do not.

    Parameters
    ----------
    dense : frozenset of str
        Names of layers that stay dense under any pattern.

    Raises
    ------
    ConfigError
        If there is no such stack.
    """

    def alike(layer: Layer) -> Hashable:
        return pattern_of(layer), layer.name in dense

    return stacked(network, stack, alike)


def of_kernels(
    network: Workload, kernels: Workload, weights: Mapping[str, Array]
) -> Mapping[str, Array]:
    """Weights by layer, and by kernel where one multiplies with those of several: all outputs.

    Raises
    ------
    WeightsError
        If only some of a kernel's layers have weights, or some of another shape.
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
        if len(found) < len(layers):
            lacking = next(one.name for one, x in zip(layers, tensors, strict=True) if x is None)
            raise WeightsError(
                f"kernel {kernel.name}", f"has real weights, but none for {lacking}",
                hint="--stack listed runs each layer by itself",
            )  # fmt: skip
        for layer, tensor in zip(layers, found, strict=True):
            require_shape(layer, tensor)
        merged[kernel.name] = np.concatenate([x.reshape(-1, x.shape[-1]) for x in found])
    return merged
