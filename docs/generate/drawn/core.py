"""Inside a core: from its port to the multipliers, and back."""

from __future__ import annotations

from generate.drawn.svg import Drawing
from simulator import load_hardware
from simulator.colours import OPERAND_COLOURS

MACHINE = "a100-sxm4-80gb"
COLOURS = {kind: OPERAND_COLOURS[kind] for kind in ("weights", "activations", "outputs")}


def drawing() -> Drawing:
    """Operands go down; sums come back on the right."""
    core = load_hardware(MACHINE).core
    picture = Drawing(
        "A core",
        "Stages arrive through the port in the scratchpad. Fragments are loaded into two buffers "
        "of the register file. The operand path carries slots and whole groups of activations to "
        "the multiplexers, which pick what the multipliers take. Sums stay in the accumulators "
        "until the epilogue sends them out.",
        640,
        COLOURS,
    )
    _scratchpad(picture)
    _registers(picture)
    _multipliers(picture)
    cycle = "B/cycle"
    rates = (
        (38, f"port: {core.port_bytes_per_cycle:g} {cycle}"),
        (220, f"scratchpad rate: {core.scratchpad.bytes_per_cycle:g} {cycle}"),
        (408, f"operand path: {core.register_file.operand_bytes_per_cycle:g} {cycle}"),
    )
    for y, words in rates:
        picture.text((266, y), words, anchor="start")
    macs = core.tensor_cores.macs_per_cycle["fp16"]
    picture.text((250, 610), f"tensor cores: {macs:g} MACs a cycle in fp16")
    return picture


def _scratchpad(picture: Drawing) -> None:
    picture.arrow((250, 10), (250, 70))
    picture.box((10, 70), (480, 120), "frame")
    picture.text((24, 90), "scratchpad: stages in flight", anchor="start")
    for buffer in range(4):
        x = 24 + 115 * buffer
        picture.box((x, 108), (107, 68))
        picture.box((x + 6, 114), (44, 56), "weights", "W")
        picture.box((x + 57, 114), (44, 56), "activations", "X")
    picture.arrow((250, 190), (250, 250))


def _registers(picture: Drawing) -> None:
    picture.box((10, 250), (720, 120), "frame")
    picture.text((24, 270), "register file", anchor="start")
    for number, (x, words) in enumerate(((24, "step i"), (256, "step i+1"))):
        picture.box((x, 288), (220, 68))
        picture.text((x + 110, 306), f"buffer {number + 1}: {words}")
        picture.box((x + 8, 320), (70, 30), "weights", "slots")
        picture.box((x + 84, 320), (128, 30), "activations", "whole groups")
    picture.box((560, 288), (156, 68), "outputs", "accumulators")
    picture.arrow((250, 370), (250, 436))


def _multipliers(picture: Drawing) -> None:
    """Multiplexers above tensor cores, and the vector unit beside them."""
    picture.path([(24, 436), (476, 436), (440, 482), (60, 482)], "plain", closed=True)
    picture.text((250, 459), "multiplexers: a group of X to 1 a slot")
    picture.arrow((250, 482), (250, 520))
    picture.box((24, 520), (452, 70), "core", "multiply and add, a slot a MAC")
    picture.arrow((476, 555), (638, 555), (638, 356), both=True)
    picture.text((560, 572), "sums")
    picture.box((520, 430), (100, 70), "core", "vector\nunit")
    picture.arrow((570, 356), (570, 430), both=True)
    picture.arrow((690, 288), (690, 10))
    picture.text((676, 130), "epilogue:\noutputs leave\nby the port", anchor="end")
