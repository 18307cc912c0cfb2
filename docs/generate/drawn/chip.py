"""The whole machine: cores, the halves of L2, and main memory, with an A100's figures."""

from __future__ import annotations

from generate.drawn.svg import Drawing
from simulator import load_hardware
from simulator.hardware.memory import Halves

MACHINE = "a100-sxm4-80gb"


def drawing() -> Drawing:
    """Main memory above, L2 in the middle, cores below."""
    machine = load_hardware(MACHINE)
    core, memory = machine.core, machine.memory
    halves = memory.l2.halves
    assert isinstance(halves, Halves)
    picture = Drawing(
        "The machine",
        "Cores read through their ports from an L2 cache in two halves, which a link joins; L2 "
        "reads main memory.",
        470,
    )
    _memory(picture, f"{memory.dram.bytes_per_second / 1e9:.0f} GB/s, {memory.dram.latency_ns} ns")
    mebibytes = memory.l2.bytes / 2**20
    for x, number in ((10, 0), (450, 1)):
        picture.box((x, 150), (280, 90), "frame")
        picture.text((x + 140, 195), f"L2, half {number}\n{mebibytes / 2:.0f} MiB of blocks, LRU")
        picture.arrow((x + 140, 80), (x + 140, 150), both=True)
    picture.arrow((290, 195), (450, 195), both=True)
    picture.text((370, 172), f"link: {halves.link_bytes_per_cycle:g} B/cycle")
    picture.text((370, 216), f"+{halves.far_latency_cycles:g} cycles")
    picture.text(
        (370, 273),
        f"L2, all cores:\n{memory.l2.bytes_per_cycle:g} B/cycle,\n"
        f"{memory.l2.latency_cycles:g} cycles",
    )
    _cores(picture, core.count, f"{core.port_bytes_per_cycle:g} B/cycle")
    return picture


def _memory(picture: Drawing, words: str) -> None:
    picture.box((10, 20), (720, 60), "frame")
    picture.text((370, 50), f"main memory (DRAM): {words}")


def _cores(picture: Drawing, count: int, port: str) -> None:
    """Three beside each half, and how many there are."""
    for x in (10, 105, 200, 450, 545, 640):
        picture.box((x, 360), (90, 66), "core", "core")
        picture.arrow((x + 45, 240), (x + 45, 360), both=True)
    picture.text((370, 393), "· · ·")
    picture.text((370, 338), f"a port a core:\n{port}")
    picture.text((370, 452), f"{count} cores, each with one tile of Y at a time")
