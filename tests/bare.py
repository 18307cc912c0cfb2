"""Layers without what they read and what follows them, for tests of what they compute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from simulator.workload import Layer, Stream


def bare(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers' sizes and formats alone."""
    return tuple(
        replace(layer, inputs=())
        if isinstance(layer, Stream)
        else replace(layer, inputs=(), epilogue=())
        for layer in layers
    )
