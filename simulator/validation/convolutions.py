"""Published times of convolutional networks, whole and layer by layer, and what the model says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.run.simulate import simulate
from simulator.units import DTYPE_BITS
from simulator.validation import tables
from simulator.validation.fitted import RTX3090, condition
from simulator.validation.measurement import Measurement
from simulator.workload import Conv, Layer, Stream, Workload

Row = dict[str, str]

LAYERS, NETWORKS = "trex", "resnet50"
"""Tables: layers of one engine, and whole networks."""

LAYERS_BATCH: Final = 32

BOOST: Final[dict[str, object]] = {"clock_hz": 1_695_000_000}
"""Of an RTX 3090, NVIDIA's product page. The engine was built for fp16, so that TensorRT may sum in
fp16, as its profile here does."""

OFFLINE_BATCH = 256
"""Model: MLPerf's offline batches are so large that larger ones are no faster an image."""

FITTED_DTYPE, FITTED_BATCH = "fp16", 8
"""The fit of Paddle's host time has seen rows of the dtype, up to the batch."""


def layer_of(row: Row) -> Conv:
    """A layer of the engine; the last one, linear, is a convolution of one pixel."""
    size, kernel, stride = int(row["size"]), int(row["kernel"]), int(row["stride"])
    return Conv(
        row["layer"],
        int(row["in_channels"]),
        int(row["out_channels"]),
        size,
        size,
        kernel,
        stride,
        int(row["padding"]),
        batch=LAYERS_BATCH,
        accumulate=row["added"] == "1",
    )


def _part(layer: Conv) -> str:
    """What layers have in common: the kernel, and whether a residual is added."""
    kernel, _ = layer.pair("kernel")
    return f"{kernel}x{kernel}" + (", added" if layer.accumulate else "")


def _engine(hardware: Hardware, layers: Iterable[Layer]) -> list[float]:
    """Times of an engine's layers in microseconds."""
    found = simulate(hardware, Workload("engine", layers), "1:1", library="tensorrt").layers
    return [layer.time_ns / 1e3 for layer in found]


def trex() -> Iterable[Measurement]:
    """Layers of ResNet-50 v1, between events."""
    hardware = load_hardware(RTX3090, BOOST)
    rows = tables.read(LAYERS)
    layers = [layer_of(row) for row in rows]
    for row, layer, time_us in zip(rows, layers, _engine(hardware, layers), strict=True):
        yield Measurement(
            row["layer"],
            float(row["time_us"]),
            time_us,
            _roofline_us(hardware, layer),
            part=_part(layer),
            macs=layer.macs,
            preset=RTX3090,
        )


def _roofline_us(hardware: Hardware, layer: Conv) -> float:
    """The longer of MACs and bytes at their peaks: inputs, weights and outputs once each."""
    outputs = layer.batch * layer.out_channels * layer.out_h * layer.out_w
    weights = layer.out_channels * layer.in_channels // layer.groups * layer.positions
    elements = layer.unique_inputs + weights + outputs * (1 + layer.accumulate)
    size = elements * DTYPE_BITS[layer.dtype] / 8
    under = hardware.under(hardware.libraries["tensorrt"])
    macs_per_second = float(under.macs_per_cycle(layer.dtype)) * under.clock_hz * under.core.count
    seconds = max(layer.macs / macs_per_second, size / hardware.memory.dram.bytes_per_second)
    return 1e6 * seconds


def _pools(batch: int) -> tuple[Stream, Stream]:
    """The layers of ResNet-50 v1 between convolutions."""
    pixels = batch * 56 * 56 * 64
    last = batch * 7 * 7 * 2048
    return Stream("maxpool", 4 * pixels, pixels, "pool"), Stream(
        "avgpool", last, last // 49, "pool"
    )


def resnet50(batch: int, dtype: str) -> Workload:
    """ResNet-50 v1.5, all of it in one dtype."""
    network = load_workload("resnet50", batch=batch)
    layers = [replace(layer, dtype=dtype) for layer in network.layers]
    return Workload(network.name, layers, stack=network.stack)


def converted(batch: int) -> Stream:
    """Images of 32 bits a value, channel by channel, become what an engine takes: pixels of eight
    channels, kHWC8. Sizes are in values of fp16."""
    pixels = batch * 224 * 224
    return Stream("images", 2 * 3 * pixels, 8 * pixels)


def network_ms(hardware: Hardware, row: Row) -> float:
    """Device time of a row's network."""
    if row["of"] == LAYERS:
        layers = [layer_of(each) for each in tables.read(LAYERS)]
        return sum(_engine(hardware, [*layers, *_pools(LAYERS_BATCH)])) / 1e3
    batch, library = int(row["batch"] or OFFLINE_BATCH), "tensorrt"
    stack, layers_us = "fused", 0.0
    if row["of"] == "mxnet":
        library, stack = hardware.library.dense, "eager"
    if row["of"] == "paddle":
        (layers_us,) = _engine(hardware, [converted(batch)])
    report = simulate(hardware, resnet50(batch, row["dtype"]), "1:1", library=library, stack=stack)
    return (report.total.time_ns / 1e3 + layers_us) / 1e3


def host_ms(row: Row) -> float:
    """What a row's time holds besides the device's."""
    return condition(NETWORKS, "launch_us") / 1e3 if row["of"] == "paddle" else 0.0


def measured_ms(row: Row) -> float:
    """Of a batch; a rate is that of many batches in flight."""
    measured = float(row["measured"])
    return 1e3 * OFFLINE_BATCH / measured if row["unit"] == "samples/s" else measured


def seen(row: Row) -> bool:
    """Whether the fit of the host's time has seen a row."""
    is_small = row["of"] == "paddle" and int(row["batch"]) <= FITTED_BATCH
    return is_small and row["dtype"] == FITTED_DTYPE


PARTS: Final = {"trex": "RTX 3090", "paddle": "Paddle {dtype}", "mlperf": "MLPerf"}


def tensorrt() -> Iterable[Measurement]:
    """Engines of TensorRT, whole."""
    return _networks("trex", "paddle", "mlperf")


def mxnet() -> Iterable[Measurement]:
    """A framework, operator by operator."""
    return _networks("mxnet")


def _networks(*of: str) -> Iterable[Measurement]:
    for row in tables.read(NETWORKS):
        if row["of"] not in of:
            continue
        hardware = load_hardware(row["device"], BOOST if row["of"] == LAYERS else {})
        batch = row["batch"] or "offline"
        yield Measurement(
            f"{row['of']} {row['dtype']} batch {batch}",
            measured_ms(row),
            network_ms(hardware, row) + host_ms(row),
            part=PARTS.get(row["of"], "").format(**row),
            fitted=seen(row),
            preset=row["device"],
        )
