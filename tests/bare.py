"""Layers without what they read, for tests of what they compute; and whether they say it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from simulator.workload import Layer, Stream, Workload


def bare(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers' sizes and formats alone."""
    return tuple(
        replace(layer, inputs=())
        if isinstance(layer, Stream)
        else replace(layer, inputs=(), epilogue=())
        for layer in layers
    )


def of_earlier(workload: Workload) -> bool:
    """Whether every layer reads, of those before it or of the network's input, at least one."""
    above = {"input"}
    for layer in workload.layers:
        if not layer.inputs or not above.issuperset(layer.inputs):
            return False
        above.add(layer.name)
    return True
