"""``a row with a trace of its own, samples -> Workload``: networks as they were trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from simulator.quality.measured import Measured
from simulator.quantities import count
from simulator.workload import Attention, Conv, Gemm, Layer, Matmul, Workload
from simulator.workload.table import table_of
from simulator.workload.trace import read_trace

ONE_SAMPLE = "for one sample"
"""What traces of trained networks note."""


def own_network(row: Measured, samples: int = 1) -> Workload | None:
    """The network that a row brings, if it brings one, for so many samples at once."""
    if row.trace is None:
        return None
    where = Path(f"the trace of a row ({row.pattern} {row.method})")
    read = read_trace(table_of(where, row.trace), {})
    notes = [f"for {count(samples, 'sample')}", *(n for n in read.notes if n != ONE_SAMPLE)]
    layers = [_of_samples(layer, samples) for layer in read.layers]
    return replace(read, name=row.network, layers=tuple(layers), notes=tuple(notes))


def _of_samples(layer: Layer, samples: int) -> Layer:
    """Samples stand beside each other: more columns of a product, more images."""
    if isinstance(layer, Gemm):
        return replace(layer, n=layer.n * samples)
    if isinstance(layer, Conv | Matmul | Attention):
        return replace(layer, batch=layer.batch * samples)
    return replace(layer, reads=layer.reads * samples, writes=layer.writes * samples)
