"""Tensor-core microbenchmark: what a loop of ``mma`` instructions on one core takes.

The loop that Sun et al. (TPDS 34(1), 2023) time: every warp issues some independent instructions,
and each iteration's instructions depend on the iteration before. Warps are dealt out to the
partitions of the core, each with one tensor core.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from simulator.errors import ConfigError, did_you_mean
from simulator.hardware import Hardware
from simulator.hardware.core import Issue
from simulator.sparsity import Pattern
from simulator.units import ceil_div


@dataclass(frozen=True)
class MmaTiming:
    """Of one instruction in a loop.

    Attributes
    ----------
    latency_cycles : float
        From issue to result, alone.
    iteration_cycles : float
        Of one iteration of the loop, all warps.
    macs_per_cycle : float
        Dense-equivalent multiply-accumulates of the core per cycle.
    """

    latency_cycles: float
    iteration_cycles: float
    macs_per_cycle: float


def mma_timing(
    hardware: Hardware,
    dtype: str,
    *,
    warps: int,
    in_flight: int,
    pattern: str | Pattern = "1:1",
    k: int | None = None,
) -> MmaTiming:
    """Time a loop of ``in_flight`` independent instructions on ``warps`` warps of one core.

    An instruction occupies its tensor core for ``p`` cycles (slots over the partition's rate) and
    completes after ``latency_cycles + latency_per_pass_ratio * p``. The next one is issued after
    ``interval = p``; a sparse one, whose metadata are a fourth operand to read, after
    ``max(p, sparse_interval_cycles)``. With ``w`` warps a partition an iteration takes
    ``max(latency, in_flight * w * interval) + turnaround / w``: it waits for its own results or for
    the issue of all others, and other warps hide part of the turnaround.

    Parameters
    ----------
    k : int, optional
        Depth of the instruction in slots; default: the machine's own instruction.

    Raises
    ------
    ConfigError
        If the machine says nothing of its issue, lacks the dtype or does not execute the pattern.
    """
    issue = _issue(hardware)
    if dtype not in hardware.dtypes:
        raise ConfigError(
            "dtype", "not on this machine", got=dtype, hint=did_you_mean(dtype, hardware.dtypes)
        )
    for name, value in (("warps", warps), ("in_flight", in_flight)):
        if value < 1:
            raise ConfigError(name, "must be >= 1", got=value)
    asked = Pattern.parse(pattern)
    if hardware.sparsity.capability.execute_as(asked) != asked:
        raise ConfigError("pattern", f"{hardware.name} does not execute it", got=str(asked))
    shape = hardware.core.tensor_cores.instructions[dtype]
    slots = shape.m * shape.n * (k or shape.k)
    passes = float(Fraction(slots) * issue.partitions / hardware.macs_per_cycle(dtype))
    latency = issue.latency_cycles + issue.latency_per_pass_ratio * passes
    interval = passes if asked.is_dense else max(passes, issue.sparse_interval_cycles)
    a_partition = ceil_div(warps, issue.partitions)
    iteration = max(latency, in_flight * a_partition * interval)
    iteration += issue.turnaround_cycles / a_partition
    dense_macs = float(slots * asked.expansion) * warps * in_flight
    return MmaTiming(latency, iteration, dense_macs / iteration)


def _issue(hardware: Hardware) -> Issue:
    issue = hardware.core.tensor_cores.issue
    if issue is None:
        raise ConfigError(
            f"{hardware.name} core.tensor_cores.issue",
            "is missing: the machine does not say how its instructions follow each other",
            hint="a100-sxm4-80gb has it",
        )
    return issue
