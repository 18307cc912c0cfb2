"""What a machine has: the keys of its YAML that say how much, and which way is better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.errors import ConfigError
from simulator.hardware import Hardware, load_hardware


@dataclass(frozen=True)
class Resource:
    """A thing that a machine may have more of.

    Attributes
    ----------
    keys : tuple of (str, int)
        Dotted keys, ``*`` for all there are, and the power with which each grows: 1 where more is
        better, -1 where less is. Keys that a machine leaves out, and zeros, are passed over.
    """

    name: str
    keys: tuple[tuple[str, int], ...]

    def settings(self, tree: Mapping[str, Any], factor: float) -> dict[str, object]:
        """Overrides that give a machine ``factor`` of it; none where it has none of it."""
        return {
            dotted: _like(dotted, value * factor**power)
            for key, power in self.keys
            for dotted, value in _numbers(tree, key.split("."))
            if value
        }

    def scaled(self, hardware: Hardware, factor: float) -> Hardware | None:
        """The machine with ``factor`` of it; None where there is none, or where none such is."""
        settings = self.settings(hardware.model_dump(mode="json"), factor)
        try:
            return load_hardware(hardware, settings) if settings else None
        except ConfigError:
            return None


def more(name: str, *keys: str) -> Resource:
    return Resource(name, tuple((key, 1) for key in keys))


def less(name: str, *keys: str) -> Resource:
    return Resource(name, tuple((key, -1) for key in keys))


COUNTS = ("count", "clock_hz", "bytes", "alignment_bytes")
"""Last words of keys whose values are whole numbers."""

CORE, TENSOR, DRAM, L2 = "core", "core.tensor_cores", "memory.dram", "memory.l2"
RATE = f"{DRAM}.bytes_per_second"

RESOURCES = (
    more("cores", "core.count"),
    more("clock", "clock_hz"),
    more("MACs", f"{TENSOR}.macs_per_cycle.*", f"{TENSOR}.fp16_sums_macs_per_cycle"),
    more("vector unit", f"{CORE}.vector.macs_per_cycle.*", f"{CORE}.vector.specials_per_cycle"),
    more("promotion", f"{CORE}.promotion.sums_per_cycle", "libraries.*.promotion.sums_per_cycle"),
    more("operand path", f"{CORE}.register_file.operand_bytes_per_cycle"),
    more("register file", f"{CORE}.register_file.bytes"),
    more("scratchpad bytes", f"{CORE}.scratchpad.bytes"),
    more("scratchpad rate", f"{CORE}.scratchpad.bytes_per_cycle"),
    less("scratchpad latency", f"{CORE}.scratchpad.latency_cycles"),
    more("port", f"{CORE}.port_bytes_per_cycle"),
    less("alignment", f"{CORE}.alignment_bytes"),
    less("issue", f"{CORE}.issue_cycles"),
    less("drain", f"{TENSOR}.drain_cycles"),
    less("barrier", f"{CORE}.barrier_cycles", "libraries.*.barrier_cycles"),
    less("epilogue", "libraries.*.epilogue_ns", "attention.epilogue_ns"),
    less("kernel start", "kernel_start_ns", "stream_start_ns"),
    more("L2 bytes", f"{L2}.bytes"),
    more("L2 rate", f"{L2}.bytes_per_cycle"),
    less("L2 latency", f"{L2}.latency_cycles"),
    less("L2 far latency", f"{L2}.halves.far_latency_cycles"),
    more("L2 link", f"{L2}.halves.link_bytes_per_cycle"),
    less("L2 foreign dirty", f"{L2}.foreign_dirty_ratio"),
    more("DRAM", RATE),
    # One way alone: the other one's share of the bandwidth falls as that rises.
    Resource("DRAM reads", ((RATE, 1), (f"{DRAM}.write_efficiency_ratio", -1))),
    Resource("DRAM writes", ((RATE, 1), (f"{DRAM}.efficiency_ratio", -1))),
    less("DRAM latency", f"{DRAM}.latency_ns"),
)  # fmt: skip
"""Launches are not among them: the host's time is none of the device's."""


def _numbers(tree: Any, parts: list[str], before: str = "") -> Iterator[tuple[str, Any]]:
    """What lies at a dotted key: dotted keys and their numbers."""
    if not parts:
        if isinstance(tree, int | float):
            yield before, tree
        return
    if not isinstance(tree, dict):
        return
    for name in tree if parts[0] == "*" else [parts[0]]:
        yield from _numbers(tree.get(name), parts[1:], f"{before}.{name}" if before else name)


def _like(key: str, value: float) -> float:
    """Counts stay counts."""
    return max(1, round(value)) if key.rpartition(".")[2] in COUNTS else value
