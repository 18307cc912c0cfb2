"""What main memory must hold at once: weights of all layers, and what is kept between tokens.

A workload may be one of several equal blocks of its network. What it holds must fit; where all
blocks together would not, a note says so, since others may lie in other machines. Activations are
not counted: they live from layer to layer, and each layer's own are checked where it is mapped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from simulator.errors import MappingError
from simulator.hardware import Hardware
from simulator.quantities import size
from simulator.sparsity import MetadataCode
from simulator.units import bits_to_bytes
from simulator.workload import Attention, Layer, Matmul, Workload
from simulator.workload.lowering import GemmProblem

MOST_DRAM_BYTES: Final = 2**40
"""The largest memory that a machine's YAML may state."""


@dataclass(frozen=True)
class Held:
    """Bytes that the layers of a workload keep in memory at once.

    Attributes
    ----------
    weight_bytes : int
        Weights as stored: slots and metadata of the pattern executed.
    cache_bytes : int
        Keys and values of a decoder, for all tokens of the context.
    """

    weight_bytes: int = 0
    cache_bytes: int = 0

    @property
    def all_bytes(self) -> int:
        return self.weight_bytes + self.cache_bytes

    def __str__(self) -> str:
        weights, cache = size(self.weight_bytes), size(self.cache_bytes)
        return f"weights {weights}, KV cache {cache}" if self.cache_bytes else f"weights {weights}"


def held(lowered: Iterable[tuple[Layer, GemmProblem | None]], code: MetadataCode) -> Held:
    """What a workload keeps in memory, each layer as often as it occurs.

    Parameters
    ----------
    lowered : iterable of (Layer, GemmProblem)
        Every layer, and what it became on the machine; None where it has no GEMM.
    """
    weights = cache = 0
    for layer, problem in lowered:
        if isinstance(layer, Attention) and layer.cached:
            cache += layer.repeat * layer.kv_bytes
        if problem is None:
            continue
        stored = layer.repeat * rows_bytes(problem, code)
        if not isinstance(layer, Matmul):
            weights += stored
        elif layer.cached:
            cache += stored
    return Held(weights, cache)


def overflow_hint(needed_bytes: int) -> str:
    """How to simulate what main memory does not hold; not every command has the option."""
    return (
        "--allow-overflow, in Python allow_overflow=True, simulates it all the same; without that "
        f"option --set memory.dram.bytes={needed_bytes} does"
    )


def require_room(hardware: Hardware, workload: Workload, needed: Held) -> None:
    """Refuse what does not fit into main memory.

    Raises
    ------
    MappingError
        With what is needed, by kind, and what the machine has.
    """
    room = hardware.memory.dram.bytes
    if needed.all_bytes <= room:
        return
    raise MappingError(
        f"{workload.name} on {hardware.name}",
        f"too large for the memory: needs {size(needed.all_bytes)} ({needed})",
        want=f"at most memory.dram.bytes = {room} ({size(room)})",
        hint=overflow_hint(needed.all_bytes),
    )


def memory_note(hardware: Hardware, workload: Workload, needed: Held) -> str:
    """What a reader of figures should know that assume more memory; empty where all fits."""
    room = hardware.memory.dram.bytes
    if needed.all_bytes > room:
        return (
            f"does not fit: needs {size(needed.all_bytes)} of memory ({needed}), "
            f"{hardware.name} has {size(room)}; simulated as if it did"
        )
    if needed.all_bytes * workload.blocks > room:
        return (
            f"one of {workload.blocks} blocks, which together need "
            f"{size(needed.all_bytes * workload.blocks)} of memory; "
            f"{hardware.name} has {size(room)}"
        )
    return ""


def with_room(hardware: Hardware) -> Hardware:
    """The same machine with the largest memory that there is, so that no layer is refused."""
    dram = hardware.memory.dram.model_copy(update={"bytes": MOST_DRAM_BYTES})
    return hardware.model_copy(update={"memory": hardware.memory.model_copy(update={"dram": dram})})


def rows_bytes(problem: GemmProblem, code: MetadataCode) -> int:
    """The first operand of all GEMMs of a launch: stored slots and their metadata."""
    bits = problem.m * problem.pattern.slots(problem.run) * problem.bits
    bits += problem.metadata_bits(problem.m, problem.run, code)
    return bits_to_bytes(problem.count * (problem.k // problem.run) * bits)
