"""What core-time is spent on, in words, and which resources lower it: one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from simulator.names import capitalised, words
from simulator.quantities import percent
from simulator.report.account import Account


@dataclass(frozen=True)
class Stall:
    """A kind of core-time.

    Attributes
    ----------
    kind : str
        Of `simulator.report.account.Account`.
    means : str
        What a core does, or waits for, meanwhile.
    lowered_by : tuple of str
        Names of resources of which more lowers it, in time of an average core; what does so most
        often, and by most, comes first.
    """

    kind: str
    means: str
    lowered_by: tuple[str, ...]


_ROWS: Final = (
    Stall(
        "kernel_start",
        "A kernel has been launched, and its work has not begun: code and parameters are on their "
        "way to the cores.",
        ("kernel start",),
    ),
    Stall(
        "mac_useful",
        "The core multiplies, and what it multiplies can be a weight.",
        ("MACs", "clock", "cores"),
    ),
    Stall(
        "mac_padding",
        "The core multiplies what no weight can be: the rest of an instruction that the layer, or "
        "its pattern, does not fill.",
        ("MACs", "clock", "cores"),
    ),
    Stall(
        "scratchpad_stall",
        "The multipliers wait while operands are read from the core's scratchpad (shared memory), "
        "or written into it.",
        ("scratchpad rate", "clock", "alignment"),
    ),
    Stall(
        "operand_stall",
        "The multipliers wait for the path from the register file, which for one stored weight "
        "has to carry all activations that it may meet.",
        ("operand path", "clock"),
    ),
    Stall(
        "vector_stall",
        "The multipliers wait for the vector lanes, which compute all that is no product, such as "
        "a softmax.",
        ("vector unit", "clock"),
    ),
    Stall(
        "barrier",
        "All threads of the core wait for each other between two stages, or add up sums that the "
        "multipliers left short.",
        ("barrier", "promotion", "clock"),
    ),
    Stall(
        "memory_stall",
        "In the midst of a tile the next operands have not arrived from L2 or main memory.",
        ("DRAM", "L2 link", "L2 rate", "L2 bytes", "port", "scratchpad bytes", "DRAM latency",
         "L2 far latency", "L2 latency", "issue", "alignment"),
    ),
    Stall(
        "prologue",
        "A tile has been given to the core, and its first operands are on their way.",
        ("DRAM latency", "DRAM", "L2 latency", "L2 link", "L2 rate", "L2 far latency", "port",
         "scratchpad latency", "scratchpad rate", "L2 bytes", "clock"),
    ),
    Stall(
        "epilogue",
        "A tile has been multiplied, and its sums leave the core before it can take the next one.",
        ("epilogue", "drain", "port", "clock"),
    ),
    Stall(
        "reduction",
        "Several cores shared one tile along k, and one of them collects the sums of the others.",
        ("port", "L2 latency", "L2 rate", "L2 link", "clock"),
    ),
    Stall(
        "idle",
        "No tile is left for this core while others still work, or outputs are still on their way "
        "to memory: whatever shortens those lowers it.",
        ("clock", "DRAM", "L2 rate", "L2 link", "MACs", "vector unit", "scratchpad rate"),
    ),
)  # fmt: skip

STALLS: Final = {stall.kind: stall for stall in _ROWS}
"""By kind, in the order of every table and picture."""

NOTICEABLE_RATIO: Final = 0.1
"""Of core-time, what is worth a hint."""
NAMED: Final = 3
"""So many resources are named in a hint."""


def helping(account: Account) -> Iterator[str]:
    """What lowers the two largest parts of core-time that are no multiplying, in sentences."""
    waits = sorted(
        ((time, kind) for kind, time in account.items() if not kind.startswith("mac_")),
        reverse=True,
    )
    for time, kind in waits[:2]:
        if time >= NOTICEABLE_RATIO * account.total:
            stall = STALLS[kind]
            means = stall.means[0].lower() + stall.means[1:].rstrip(".")
            yield (
                f"{capitalised(words(kind))}, {percent(time / account.total)}: {means}. "
                f"It is lowered by relaxing {_either(stall.lowered_by[:NAMED])}."
            )


def _either(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
