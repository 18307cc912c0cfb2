"""The floor of DRAM traffic: what no cache could spare."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.schedule.capacity import rows_bytes
from simulator.sparsity import MetadataCode
from simulator.units import DTYPE_BITS, bits_to_bytes, output_bits
from simulator.workload import Attention, Layer
from simulator.workload.lowering import GemmProblem
from simulator.workload.sequence import CACHE, OWN, Order


def compulsory_bytes(
    order: Order, executed: Sequence[tuple[Layer, GemmProblem | None]], code: MetadataCode
) -> list[int]:
    """Of every layer, over its repeats, the bytes that must pass DRAM whatever L2 holds.

    Weights and what is kept of earlier tokens once an execution, what the network is given once,
    and once what it gives: outputs that no layer reads.
    """
    needed = []
    for step, (layer, problem) in zip(order.steps, executed, strict=True):
        of_itself = any(
            operand.what in (OWN, CACHE) and not parts
            for operand, parts in zip(step.operands, step.first, strict=True)
        )
        own = rows_bytes(problem, code) if problem is not None and of_itself else 0
        if isinstance(layer, Attention):
            own = layer.kv_bytes if of_itself else 0
        given = bits_to_bytes(step.given * DTYPE_BITS[layer.dtype])
        result = bits_to_bytes(step.writes * output_bits(layer.dtype))
        needed.append(own * layer.repeat + given + result * step.results)
    return needed
