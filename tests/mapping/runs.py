"""A layer on a machine: as it is run by itself, or with a mapping that is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator import Attention, Conv, Gemm, Matmul, Stream
from simulator.engine import fast
from simulator.hardware import Hardware
from simulator.hardware.attention import WIDEST
from simulator.run.attach import attach, options_of
from simulator.run.choice import Outcome, Terms, attended, fastest, ranking, streamed
from simulator.run.power import report_of
from simulator.sparsity import parse_asked
from simulator.workload import Layer
from simulator.workload.lowering import GemmProblem

DRAM_BYTES = "DRAM bytes"

MOST_STAGES = 40_000
"""Of a layer with any of its mappings: what one waits for."""

LEAST_MACS = 2**20
"""Of a product: smaller ones are all start and latency."""


@dataclass(frozen=True)
class Run:
    """A layer on a machine.

    Attributes
    ----------
    spent : dict
        Where the time of its cores went, as shares of the time; and DRAM bytes.
    """

    outcome: Outcome
    time_ps: int
    mapping: str
    spent: dict[str, float]


def run(hardware: Hardware, layer: Layer, pattern: str, like: Outcome | None = None) -> Run:
    """A layer as `simulate` runs it, or with the mapping and the pattern of another outcome.

    Raises
    ------
    MappingError
        If nothing fits.
    """
    terms = Terms(hardware, fast.run)
    outcome = _outcome(terms, layer, pattern, like)
    report = report_of(terms, layer, outcome)
    total = sum(report.core_time_ps.values())
    spent = {kind: ps / total * report.time_ps for kind, ps in report.core_time_ps.items()}
    spent[DRAM_BYTES] = report.traffic_bytes.total("dram")
    mapping = report.mapping
    if outcome.mapping is not None:
        mapping += f" x{outcome.mapping.stage_buffers}"
    if outcome.option is not None:
        mapping = f"{report.executed_as} {mapping}"
        mapping += " in lanes" * (report.executed_on == "vector")
    return Run(outcome, report.time_ps, mapping, spent)


def without_rules(hardware: Hardware, layer: Layer) -> Hardware:
    """The machine, whose libraries choose by time among all that they have."""
    tree = hardware.model_dump(mode="json")
    for library in tree["libraries"].values():
        library.update(choice="time", busy_ratio=None)
        library["tiles"] = [{**tile, "fallback": False} for tile in library["tiles"]]
    if isinstance(layer, Attention):
        wide = [one for one in tree["attention"]["tiles"] if one["head_dim"] >= layer.head_dim]
        tree["attention"]["tiles"] = [{**tile, "head_dim": WIDEST} for tile in wide]
    return Hardware.model_validate(tree)


def _outcome(terms: Terms, layer: Layer, pattern: str, like: Outcome | None) -> Outcome:
    if isinstance(layer, Stream):
        return streamed(terms, layer)
    if isinstance(layer, Attention):
        return attended(terms, layer, like.mapping if like else None)
    work = attach(layer, parse_asked(pattern), terms.hardware, {}).laid_out(terms.laid_out)
    options = options_of(work, terms.hardware)
    if like is not None:
        assert like.option is not None
        kind = _kind(like.option.problem)
        options = [one for one in options if _kind(one.problem) == kind] or [like.option]
        return fastest(replace(terms, mapping=like.mapping), options, {})
    return fastest(terms, options, ranking(terms, work.problems))


def _kind(problem: GemmProblem) -> tuple[object, ...]:
    """What a layer runs as, whatever its batch."""
    return problem.pattern, problem.unit, problem.run, problem.real_run


def is_middling(hardware: Hardware, layer: Layer, pattern: str) -> bool:
    """Whether a layer takes milliseconds to simulate, and more than nothing on the machine."""
    terms = Terms(hardware, fast.run)
    if isinstance(layer, Stream):
        return layer.reads * layer.passes <= MOST_STAGES * 8192
    if isinstance(layer, Attention):
        return layer.macs <= MOST_STAGES * 2**20
    if layer.macs < LEAST_MACS:
        return False
    work = attach(layer, parse_asked(pattern), hardware, {}).laid_out(terms.laid_out)
    stages = [
        mapping.stage_events(problem)
        for problem, found in ranking(terms, work.problems).items()
        if isinstance(found, list)
        for mapping, _ in found
    ]
    return bool(stages) and max(stages) <= MOST_STAGES


def doubled(layer: Layer) -> Layer:
    """A layer of a batch that is twice as large."""
    if isinstance(layer, Gemm):
        return replace(layer, n=2 * layer.n)
    if isinstance(layer, Stream):
        return replace(layer, reads=2 * layer.reads, writes=2 * layer.writes)
    return replace(layer, batch=2 * layer.batch)


def shown(layer: Layer) -> str:
    """A layer in few words."""
    if isinstance(layer, Gemm):
        return f"{layer.dtype} {layer.m}x{layer.n}x{layer.k}" + " added to Y" * layer.accumulate
    if isinstance(layer, Matmul):
        return f"{layer.dtype} {layer.batch} of {layer.m}x{layer.n}x{layer.k}"
    if isinstance(layer, Conv):
        kernel, stride = layer.pair("kernel")[0], layer.pair("stride")[0]
        groups = f", {layer.groups} groups" if layer.groups > 1 else ""
        return (
            f"{layer.dtype} conv {layer.in_channels} to {layer.out_channels}, {kernel}x{kernel}"
            f" by {stride} of {layer.batch} of {layer.in_h}x{layer.in_w}{groups}"
        )
    if isinstance(layer, Attention):
        return (
            f"{layer.dtype} {'causal ' * layer.causal}attention, {layer.batch} of {layer.heads} "
            f"heads over {layer.kv_heads}, {layer.seq} to {layer.context}, {layer.head_dim} wide"
        )
    return f"{layer.dtype} {layer.op}, {layer.reads} to {layer.writes}, {layer.passes} passes"
