"""Why a layer does not gain, in words, from the account of its sparse run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from simulator.decisions.trust import Outcome
from simulator.hardware import Hardware
from simulator.quantities import count, time, whole_percent
from simulator.report.account import CORE_TIME
from simulator.report.layer import LayerReport
from simulator.schedule.timing import alignment_factors
from simulator.sparsity import parse_pattern
from simulator.units import ceil_div
from simulator.workload import Conv, Gemm
from simulator.workload.lowering import GemmProblem, Lowered, lower


@dataclass(frozen=True)
class Reason:
    """What keeps a layer from gaining.

    Attributes
    ----------
    kind : str
        In a word or two: launch, latency, DRAM, L2, scratchpad, alignment, padding, idle, ...
    text : str
        The whole of it.
    stalls : tuple of str
        The kinds of core-time that it is about, of `simulator.report.stalls.STALLS`.
    """

    kind: str
    text: str
    stalls: tuple[str, ...] = ()


CHANNELS, PATTERN = "channels", "pattern"
"""A layer is too narrow for groups; a machine executes none that contains what was asked."""

MEMORY: Final = ("memory_stall", "prologue")

KINDS: Final[dict[tuple[str, ...], tuple[str, str]]] = {
    ("kernel_start",): ("launch", "the start of its kernel takes"),
    ("mac_useful",): ("MACs", "multiplying takes"),
    ("mac_padding",): ("padding", "multiplying padding takes"),
    ("scratchpad_stall",): ("scratchpad", "reading activations, pruned or not, takes"),
    ("operand_stall",): ("operand path", "carrying whole groups of activations takes"),
    ("vector_stall",): ("vector unit", "vector lanes take"),
    ("barrier",): ("barrier", "waits of warps for each other take"),
    MEMORY: ("memory", "waits for operands take"),
    ("epilogue",): ("epilogue", "carrying sums out takes"),
    ("reduction",): ("reduction", "adding up the sums of splits takes"),
    ("idle",): ("idle", "cores without a tile, or with outputs on their way, take"),
}
"""Kinds of core-time that have one reason, what that is called, and how a sentence begins."""

MACS: Final = ("mac_useful",)
IDLE: Final = ("idle",)
LATENCY: Final = "latency"
FEEDING: Final = {"dram": "DRAM", "l2": "L2", "port": "port"}
"""What memory is short of, by what bounds a layer's work; anything else is latency."""


def reason_of(
    hardware: Hardware,
    layer: Gemm | Conv,
    dense: LayerReport,
    sparse: LayerReport,
    result: Outcome,
    library: str | None = None,
) -> Reason:
    """Why a layer does not gain by a pattern.

    Parameters
    ----------
    layer : Gemm or Conv
        What the reports are of.
    dense, sparse : LayerReport
        Its runs; the sparse one without the machine's choice of dense where that is faster.
    result : Outcome
        Of the gain.
    """
    lowered = lower(layer, parse_pattern(sparse.asked), hardware, library=library)
    return (
        _runs_dense(lowered, sparse)
        or _on_lanes(dense)
        or _padded(dense, sparse)
        or _of_account(hardware, lowered.problem, dense, sparse, result)
    )


def _runs_dense(lowered: Lowered, sparse: LayerReport) -> Reason | None:
    """What a machine, or a layer's channels, do not allow; dense by choice has an account."""
    if not parse_pattern(sparse.executed_as).is_dense:
        return None
    _, _, why = lowered.reason.partition("runs dense: ")
    if "channel" in why:
        return Reason(CHANNELS, f"too few channels: {why}")
    return Reason(PATTERN, why) if why else None


def _on_lanes(dense: LayerReport) -> Reason | None:
    if dense.executed_on != "vector":
        return None
    return Reason("vector unit", "dense runs on vector lanes, which skip nothing")


def _padded(dense: LayerReport, sparse: LayerReport) -> Reason | None:
    """Padding that the library demands, where it is as much as zeros save."""
    _, said, sizes = sparse.note.partition("padded for the library: ")
    if not said or sparse.macs_executed < dense.macs_executed:
        return None
    return Reason(
        "padding", f"the library pads {sizes}: no fewer MACs than dense", ("mac_padding",)
    )


def _of_account(
    hardware: Hardware,
    problem: GemmProblem,
    dense: LayerReport,
    sparse: LayerReport,
    result: Outcome,
) -> Reason:
    """What grew most where it is slower, else what most of the time goes to."""
    after = _grouped(sparse)
    before = _grouped(dense)
    if result is Outcome.LOSS:
        stalls = max(after, key=lambda one: after[one] - before[one])
        spent = f"{time(after[stalls])}, dense {time(before[stalls])}"
    else:
        saved = [MACS] if after[MACS] < before[MACS] else []
        stalls = max((one for one in after if one not in saved), key=after.__getitem__)
        spent = f"{whole_percent(after[stalls] / sum(after.values()))} of its time"
    kind, words = KINDS[stalls]
    tiles, cores = _tiles(sparse), hardware.core.count
    if stalls == MEMORY:
        kind = FEEDING.get(sparse.work_bound, LATENCY)
    if stalls == IDLE and tiles is not None and tiles < cores:
        kind, words = "tiles", f"{count(tiles, 'tile')} for {cores} cores; idle cores take"
    factor = max(alignment_factors(hardware, problem))
    if factor > 1 and "padded" not in sparse.note and kind in ("scratchpad", "L2", "port"):
        words = f"rows fill no whole vectors, transfers are {factor}x as long; {words}"
        kind = "alignment"
    return Reason(kind, f"{words} {spent}{_whose(kind, sparse)}", stalls)


def _tiles(layer: LayerReport) -> int | None:
    """How many tiles it was cut into; None of what has no mapping."""
    mapped = re.fullmatch(r"(\d+)x(\d+)x\d+( split (\d+))?.*", layer.mapping)
    if mapped is None:
        return None
    rows, columns = ceil_div(layer.m, int(mapped[1])), ceil_div(layer.n, int(mapped[2]))
    return rows * columns * layer.count * int(mapped[4] or 1)


def _whose(kind: str, sparse: LayerReport) -> str:
    """Of what passes DRAM, the part that no pattern makes smaller."""
    if kind != "DRAM":
        return ""
    moved = sparse.traffic_bytes["dram"]
    whole = sum(sum(ways.values()) for ways in moved.values())
    kept = sum(
        sum(moved[operand].values()) for operand in moved if operand in ("activations", "outputs")
    )
    return f"; {whole_percent(kept / whole)} of the bytes are no weights" if whole else ""


def _grouped(layer: LayerReport) -> dict[tuple[str, ...], float]:
    """Nanoseconds of an average core, by `KINDS`."""
    spent = layer.core_time_ps.of_average_core_ns(layer.time_ps)
    assert sum(map(len, KINDS)) == len(CORE_TIME)
    return {kinds: sum(spent[kind] for kind in kinds) for kinds in KINDS}
