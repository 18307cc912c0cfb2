"""A roofline with layers of growing batch under it, dense and 2:4, from runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log10

from generate.drawn.svg import WIDTH, Drawing, Point
from simulator import Gemm, LayerReport, Workload, load_hardware, simulate
from simulator.colours import BOUND_COLOURS

MACHINE = "nm-flex"
COLUMNS = (1, 8, 32, 128, 512, 4096)
SIDE = 4096
COLOURS = {"dense": BOUND_COLOURS["dram"], "sparse": BOUND_COLOURS["operand"]}
LEAST = 0.5, 0.5
"""MACs a byte, and TMAC/s, at the lower left corner."""
MOST = 2000.0, 300.0


@dataclass(frozen=True)
class Plot:
    """Two logarithmic axes."""

    left: float = 64
    top: float = 16
    right: float = WIDTH - 16
    bottom: float = 340

    def at(self, macs_per_byte: float, tera: float) -> Point:
        across = log10(macs_per_byte / LEAST[0]) / log10(MOST[0] / LEAST[0])
        up = log10(tera / LEAST[1]) / log10(MOST[1] / LEAST[1])
        return (
            self.left + across * (self.right - self.left),
            self.bottom - up * (self.bottom - self.top),
        )


def runs(pattern: str) -> list[LayerReport]:
    """A layer of 4096 x 4096 weights, with ever more columns."""
    layers = [Gemm(f"n{n}", m=SIDE, n=n, k=SIDE) for n in COLUMNS]
    workload = Workload("roof", layers)
    return list(simulate(load_hardware(MACHINE), workload, pattern=pattern).layers)


def places(pattern: str) -> Iterator[tuple[float, float]]:
    """Of each run useful MACs a byte of main memory, and a second, in TMAC/s."""
    for layer in runs(pattern):
        moved = layer.traffic_bytes.total("dram")
        yield layer.macs / moved, layer.macs / layer.time_ps


def drawing() -> Drawing:
    """The roof of dense products, and two rows of points."""
    picture = Drawing(
        "A roofline",
        f"Layers of {SIDE} by {SIDE} weights with 1 to {COLUMNS[-1]} columns. With few columns "
        "main memory is the roof, and 2:4 lies higher; with many the multipliers are.",
        400,
        COLOURS,
    )
    plot, machine = Plot(), load_hardware(MACHINE)
    rate = machine.core.tensor_cores.macs_per_cycle["fp16"] * machine.core.count * machine.clock_hz
    dram = machine.memory.dram.bytes_per_second * machine.memory.dram.efficiency_ratio
    peak, ridge = rate / 1e12, rate / dram
    _axes(picture, plot)
    picture.path(
        [plot.at(LEAST[0], LEAST[0] * dram / 1e12), plot.at(ridge, peak), plot.at(MOST[0], peak)],
        "roof",
    )
    x, y = plot.at(3, 3 * dram / 1e12)
    picture.text((x - 14, y - 14), "main memory", anchor="end")
    x, y = plot.at(25, peak)
    picture.text((x, y), f"dense peak, {peak:.0f} TMAC/s", anchor="end")
    for point in places("2:4"):
        picture.dot(plot.at(*point), "sparse")
    for n, point in zip(COLUMNS, places("1:1"), strict=True):
        x, y = plot.at(*point)
        picture.dot((x, y), "dense")
        picture.text((x + 12, y + 16), f"n = {n}", anchor="start")
    entries = ("dense", "dense"), ("sparse", "2:4")
    picture.legend((plot.right - 190, plot.bottom - 30), entries, (110, 90))
    return picture


def _axes(picture: Drawing, plot: Plot) -> None:
    corners = [(plot.left, plot.top), (plot.left, plot.bottom), (plot.right, plot.bottom)]
    picture.path(corners)
    for macs in (1, 10, 100, 1000):
        x, y = plot.at(macs, LEAST[1])
        picture.path([(x, y), (x, y + 6)])
        picture.text((x, y + 20), str(macs))
    for tera in (1, 10, 100):
        x, y = plot.at(LEAST[0], tera)
        picture.path([(x - 6, y), (x, y)])
        picture.text((x - 12, y), str(tera), anchor="end")
    picture.text(
        ((plot.left + plot.right) / 2, plot.bottom + 46), "useful MACs a byte of main memory"
    )
    picture.text((0, plot.top - 4), "TMAC/s", anchor="start")
