"""What a machine has: the keys of its YAML that say how much, and which way is better."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from simulator.errors import ConfigError
from simulator.hardware import Hardware, load_hardware

Role = Literal["whole", "computing", "feeding", "part"]

BOUNDLESS: Final = 2**20
"""Times what a rate is that no longer limits; a power of two keeps exact fractions short."""
MOST_RATE, MOST_BYTES = 2.0**59, 2**40
"""About the highest rate, and the largest size, that a machine's YAML may state."""


@dataclass(frozen=True)
class Resource:
    """A thing that a machine may have more of.

    Attributes
    ----------
    keys : tuple of (str, int)
        Dotted keys, ``*`` for all there are, and the power with which each grows: 1 where more is
        better, -1 where less is. Keys that a machine leaves out, and zeros, are passed over.
    role : {"whole", "computing", "feeding", "part"}
        What it is to a machine: more of everything on the chip; what computes; what brings
        operands to that, and results away; or one way of another resource, which cannot be built
        alone.
    """

    name: str
    keys: tuple[tuple[str, int], ...]
    role: Role = "feeding"

    @property
    def is_less(self) -> bool:
        """Whether more of the resource is less of what its keys say, such as a latency."""
        return all(power < 0 for _, power in self.keys)

    @property
    def can_be_unlimited(self) -> bool:
        """Not what computes: without a limit there, nothing would be left to bound a time."""
        return self.role == "feeding"

    def keys_of(self, tree: Mapping[str, Any]) -> list[str]:
        """Those of its keys that a machine has, as they are written here."""
        return [key for key, _ in self.keys if any(v for _, v in _numbers(tree, key.split(".")))]

    def values(self, tree: Mapping[str, Any]) -> dict[str, float]:
        """What a machine has of it, by dotted key."""
        return {
            dotted: value
            for key, _ in self.keys
            for dotted, value in _numbers(tree, key.split("."))
            if value
        }

    def unlimited(self, tree: Mapping[str, Any]) -> dict[str, object]:
        """Overrides that take its limit away; none where a machine has none of it.

        Latencies are 0, sizes the largest there are, and rates so high that they bind nothing.
        """
        return {
            dotted: _boundless(dotted, value, power)
            for key, power in self.keys
            for dotted, value in _numbers(tree, key.split("."))
            if value
        }

    def settings(self, tree: Mapping[str, Any], factor: float) -> dict[str, object]:
        """Overrides that give a machine ``factor`` of it; none where it has none of it, or where
        whole numbers stay as they are."""
        changed = (
            (dotted, value, _like(dotted, value * factor**power))
            for key, power in self.keys
            for dotted, value in _numbers(tree, key.split("."))
            if value
        )
        return {dotted: new for dotted, old, new in changed if new != old}

    def scaled(self, hardware: Hardware, factor: float) -> Hardware | None:
        """The machine with ``factor`` of it; None where there is none, or where none such is."""
        settings = self.settings(hardware.model_dump(mode="json"), factor)
        try:
            return load_hardware(hardware, settings) if settings else None
        except ConfigError:
            return None


def more(name: str, *keys: str, role: Role = "feeding") -> Resource:
    return Resource(name, tuple((key, 1) for key in keys), role)


def less(name: str, *keys: str) -> Resource:
    return Resource(name, tuple((key, -1) for key in keys))


COUNTS = ("count", "clock_hz", "bytes", "alignment_bytes")
"""Last words of keys whose values are whole numbers."""

LEAST: Final[Mapping[str, Callable[[float], float]]] = {
    "alignment_bytes": lambda _: 1,
    "issue_cycles": lambda cycles: cycles / BOUNDLESS,
}
"""Last words of keys of which less is better, but none at all is no machine."""

CORE, TENSOR, DRAM, L2 = "core", "core.tensor_cores", "memory.dram", "memory.l2"
RATE = f"{DRAM}.bytes_per_second"

RESOURCES = (
    more("cores", "core.count", role="whole"),
    more("clock", "clock_hz", role="whole"),
    more("MACs", f"{TENSOR}.macs_per_cycle.*", f"{TENSOR}.fp16_sums_macs_per_cycle",
         role="computing"),
    more("vector unit", f"{CORE}.vector.macs_per_cycle.*", f"{CORE}.vector.specials_per_cycle",
         role="computing"),
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
    Resource("DRAM reads", ((RATE, 1), (f"{DRAM}.write_efficiency_ratio", -1)), "part"),
    Resource("DRAM writes", ((RATE, 1), (f"{DRAM}.efficiency_ratio", -1)), "part"),
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
    """Counts stay counts, the widths of vectors powers of two, and other numbers short."""
    last = key.rpartition(".")[2]
    if last == "alignment_bytes":
        return 1 << max(0, round(math.log2(value)))
    return max(1, round(value)) if last in COUNTS else float(f"{value:.12g}")


def _boundless(key: str, value: float, power: int) -> float:
    last = key.rpartition(".")[2]
    if power > 0:
        return MOST_BYTES if last in COUNTS else min(MOST_RATE, value * BOUNDLESS)
    return LEAST[last](value) if last in LEAST else 0
