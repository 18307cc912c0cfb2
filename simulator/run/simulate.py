"""``Hardware, Workload -> Report``: the whole path, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from simulator.engine.result import EngineResult
from simulator.errors import ConfigError, MappingError, did_you_mean
from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.report.layer import LayerReport
from simulator.report.report import Report
from simulator.report.total import Roof, total_of
from simulator.run.asked import Weights, dense_note, staying_dense
from simulator.run.attach import Attached, attach, options_of, require_names, weights_note
from simulator.run.carried import CarriedL2, Ran, mean_outcome
from simulator.run.choice import (
    Option,
    Outcome,
    Ranking,
    Terms,
    attended,
    fastest,
    ranking,
    streamed,
)
from simulator.run.compulsory import compulsory_bytes
from simulator.run.dense_instead import Came, slower_than_dense
from simulator.run.kernels import kernels_of, of_kernels, with_weights
from simulator.run.latest import Latest
from simulator.run.power import at_its_clock, report_of
from simulator.schedule.capacity import held, memory_note, require_room, rows_bytes, with_room
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import Program
from simulator.sparsity import DENSE, AnyPattern, parse_asked
from simulator.units import ceil_div
from simulator.workload import Attention, Layer, Stream, Workload
from simulator.workload.lowering import DENSE_FASTER, GemmProblem, asked_pattern
from simulator.workload.sequence import order_of
from simulator.workload.stack import Stack, name_of

LayerProgress = Callable[[int, int, str], None]
Observe = Callable[[LayerReport, Program, EngineResult], None]


def _fast(program: Program) -> EngineResult:
    from simulator.engine import fast  # imports numba

    return fast.run(program)


def _reference(program: Program) -> EngineResult:
    from simulator.engine import reference  # imports simpy

    return reference.run(program)


ENGINES: dict[str, Callable[[Program], EngineResult]] = {"fast": _fast, "reference": _reference}


def simulate(
    hardware: Hardware | str | Path,
    workload: Workload | str | Path,
    pattern: AnyPattern | str | None = None,
    engine: str = "fast",
    *,
    mapping: Mapping | str = "auto",
    library: str | None = None,
    accuracy: str = "exact",
    stack: Stack | str | None = None,
    dense: str | None = None,
    weights: Weights | None = None,
    prune: bool = False,
    allow_overflow: bool = False,
    progress: LayerProgress | None = None,
    observe: Observe | None = None,
) -> Report:
    """Simulate a workload on a machine.

    Parameters
    ----------
    hardware : Hardware, str or Path
        As `load_hardware` takes it.
    workload : Workload, str or Path
        As `load_workload` takes it.
    pattern : Pattern or str, optional
        ``keep:group``, ``rows:keep:group`` or ``unstructured:density`` for every layer that has
        weights; ``trace`` or None: as the trace says.
    engine : {"fast", "reference"}
        Both give the same figures.
    mapping : "auto" or Mapping
        A mapping of your own is used for every GEMM, as it is.
    library : str, optional
        One of the machine's libraries for all layers, instead of its choice.
    accuracy : {"exact", "sampled"}
        Sampled: of a large GEMM only parts are simulated, and the rest is extrapolated; the report
        says how far off that may be. Layers whose real weights decide what their stages cost are
        always simulated whole. The reference engine takes exact only.
    stack : Stack or str, optional
        The software stack that makes kernels of the layers: ``eager``, ``compiled``, ``fused``, or
        ``listed``, where each is one. Default: the one that the workload names.
    dense : str, optional
        Regular expression: layers whose name it finds stay dense, whatever the pattern.
    weights : mapping from names to arrays, optional
        Real weights by layer name (or ``name.weight``), output features first. They are checked
        against the pattern, and decide what hardware that skips non-zeros, and the unstructured
        baseline, take.
    prune : bool
        Prune the weights by magnitude to the pattern first, instead of holding them to it; the
        report says how many that were.
    allow_overflow : bool
        Simulate what does not fit into the machine's main memory, too, and note it.
    progress : callable, optional
        Called with (layers done, layers in all, name of the next one).
    observe : callable, optional
        Called for every layer with its report, its program and the engine's result, as
        `simulator.timeline.trace_file.Timeline.add` wants them.

    Raises
    ------
    SimulatorError
        ConfigError, WorkloadError, MappingError or WeightsError, with one clear line.
    """
    if observe is not None and accuracy == "sampled":
        raise ConfigError("accuracy", "a timeline shows every event", got=accuracy, want="exact")
    hardware, network = load_hardware(hardware), load_workload(workload)
    roomy = with_room(hardware) if allow_overflow else hardware
    terms = _terms(roomy, engine, mapping, library, accuracy)
    override, stays = parse_asked(pattern), staying_dense(network, dense)
    kernels = kernels_of(network, stack, stays, with_weights(network, weights or {}))
    tensors = of_kernels(network, kernels, weights or {})
    works = _attached(terms, kernels, override, stays, tensors)
    require_names(works, weights or {})
    works = works if allow_overflow else _that_fit(hardware, kernels, works)
    order, code = order_of(kernels), hardware.sparsity.metadata
    l2, run = CarriedL2(terms, order, kernels.layers), _Run(terms)
    states = l2.run(run.outcomes(works, prune, progress))
    reports = list(run.reports(states, keeps=observe is not None))
    if progress is not None:
        progress(len(works), len(works), "")
    compulsory = compulsory_bytes(order, run.executed, code)
    slower = slower_than_dense(terms, run.works, run.came)
    layers = tuple(map(_of_layer, reports, run.works, kernels.holds, compulsory, slower))
    if observe is not None:
        _show(terms, run, layers, observe)
    needed = held(run.executed, code)
    under, _ = terms.kernels(DENSE, hardware.dtypes[0])
    said = dense_note(network, stays), weights_note(works), memory_note(hardware, network, needed)
    total = total_of(under, layers, l2.left_bytes)
    least = sum(compulsory)
    return Report(
        hardware=hardware.name,
        workload=network.name,
        stack=name_of(network.stack if stack is None else stack),
        pattern=str(override) if override else None,
        engine=engine,
        accuracy=accuracy,
        notes=tuple(filter(None, (*network.notes, *said, l2.note))),
        roof=Roof.of(under),
        total=replace(total, blocks=network.blocks, held=needed, compulsory_dram_bytes=least),
        layers=layers,
    )


def _attached(
    terms: Terms,
    kernels: Workload,
    override: AnyPattern | None,
    dense: frozenset[str],
    weights: Weights,
) -> list[Attached]:
    """What may run of every kernel; one that holds layers that stay dense is dense."""
    works = []
    for layer, names in zip(kernels.layers, kernels.holds, strict=True):
        asked = asked_pattern(layer, override) if dense.isdisjoint(names) else DENSE
        work = attach(layer, asked, terms.hardware, weights, terms.library_name)
        works.append(work.laid_out(terms.laid_out))
    return works


def _that_fit(hardware: Hardware, workload: Workload, works: Sequence[Attached]) -> list[Attached]:
    """Layers as memory can hold them: a denser pattern is a choice only where all layers could run
    as their densest one.

    Raises
    ------
    MappingError
        If the sparsest patterns do not fit either.
    """
    code = hardware.sparsity.metadata
    densities = {problem.pattern.density for work in works for problem in work.problems}
    for density in sorted(densities, reverse=True):
        fewer = [work.up_to(density) for work in works]
        largest = [
            (work.layer, max(work.problems, key=lambda one: rows_bytes(one, code), default=None))
            for work in fewer
        ]
        if held(largest, code).all_bytes <= hardware.memory.dram.bytes:
            return fewer
    sparsest = [work.up_to(Fraction(0)) for work in works]
    least = held([(work.layer, next(iter(work.problems), None)) for work in sparsest], code)
    require_room(hardware, workload, least)
    return sparsest


def _terms(
    hardware: Hardware, engine: str, mapping: Mapping | str, library: str | None, accuracy: str
) -> Terms:
    """What was asked of all layers, if it can be had.

    Raises
    ------
    ConfigError, MappingError
        With what there is instead.
    """
    if engine not in ENGINES:
        hint = did_you_mean(engine, ENGINES)
        raise ConfigError("engine", "unknown engine", got=engine, hint=hint)
    if accuracy not in ("exact", "sampled"):
        raise ConfigError("accuracy", "want 'exact' or 'sampled'", got=accuracy)
    if accuracy == "sampled" and ENGINES[engine] is _reference:
        raise ConfigError(
            "accuracy", "samples are sized for the fast engine", got=accuracy, hint="--engine fast"
        )
    if not isinstance(mapping, Mapping) and mapping != "auto":
        raise MappingError("mapping", "want 'auto' or a Mapping", got=mapping)
    if library is not None and library not in hardware.libraries:
        hint = did_you_mean(library, hardware.libraries)
        raise ConfigError("library", "the machine has no such library", got=library, hint=hint)
    return Terms(hardware, ENGINES[engine], mapping, library, accuracy)


class _Run:
    """Layers as they run, one after another: what comes of one is dropped once it is reported.

    Attributes
    ----------
    works : list of Attached
        What ran of each layer.
    executed : list of (Layer, GemmProblem or None)
        As which problem.
    came : list of Came
        What came of each, in short.
    states : list of tuple of Ran
        What came of each, where that is kept.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.works: list[Attached] = []
        self.executed: list[tuple[Layer, GemmProblem | None]] = []
        self.came: list[Came] = []
        self.states: list[tuple[Ran, ...]] = []

    def outcomes(
        self, works: Sequence[Attached], prune: bool, progress: LayerProgress | None
    ) -> Iterator[Outcome]:
        """What comes of each layer; layers that are alike are simulated once."""
        terms = self.terms
        ranked = ranking(terms, [problem for work in works for problem in work.problems])
        known: Latest[Hashable, Outcome] = Latest()
        for number, work in enumerate(works):
            if progress is not None:
                progress(number, len(works), work.layer.name)
            ran = work.pruned_as_asked if prune else work
            options = options_of(ran, terms.hardware)
            key = _alike(work.layer, options)
            if key not in known:
                try:
                    known[key] = _outcome(terms, work.layer, options, ranked)
                except MappingError as error:
                    raise MappingError(f"layer {work.layer.name}", str(error)) from None
            came = Came.of(terms, known[key])
            self.works.append(ran)
            self.executed.append((work.layer, came.problem))
            self.came.append(came)
            yield known[key]

    def reports(self, ran: Iterable[tuple[Ran, ...]], keeps: bool) -> Iterator[LayerReport]:
        """The figures of layers; those of which the same came share one report."""
        known: Latest[Hashable, LayerReport] = Latest()
        for at, states in enumerate(ran):
            if keeps:
                self.states.append(states)
            work = self.works[at]
            layer, note = work.layer, work.note(states[0].outcome.problem)
            came = tuple((outcome.number, times) for outcome, times in states)
            key = type(layer), layer.macs, work.asked, note, came
            if key not in known:
                outcome = mean_outcome(states)
                known[key] = report_of(self.terms, layer, outcome, work.asked, note)
            yield known[key]


def _of_layer(
    report: LayerReport,
    work: Attached,
    members: tuple[str, ...],
    compulsory: int,
    is_slower: bool,
) -> LayerReport:
    """The figures of a layer, of those that are alike."""
    layer = work.layer
    one = report.of(layer, members, ceil_div(compulsory, layer.repeat))
    if is_slower:
        one = replace(one, note="; ".join(filter(None, (one.note, DENSE_FASTER))))
    if work.tensor is None:
        return one
    return replace(one, nonzeros=work.nonzeros, pruned_away=work.pruned_away)


def _show(terms: Terms, run: _Run, layers: Sequence[LayerReport], observe: Observe) -> None:
    """Show an observer of every layer the execution that occurs most often."""
    for work, states, report in zip(run.works, run.states, layers, strict=True):
        often = max(states, key=lambda one: one.times).outcome
        one = report_of(terms, work.layer, often, work.asked, report.note)
        one = replace(one, members=report.members)
        observe(one, often.estimate.program, often.estimate.result)


def _alike(layer: Layer, options: Sequence[Option]) -> Hashable:
    """Equal for layers that take as long: by what they may run as, whatever their names."""
    if isinstance(layer, Stream):
        return layer.reads, layer.writes, layer.op, layer.dtype, layer.passes, layer.row
    if isinstance(layer, Attention):
        return replace(layer, name="", repeat=1, cached=False, epilogue=(), inputs=())
    problems = tuple(option.problem for option in options)
    is_masked = any(option.mask is not None for option in options)
    return (problems, layer.name) if is_masked else problems  # a mask is like no other


def _outcome(terms: Terms, layer: Layer, options: Sequence[Option], ranked: Ranking) -> Outcome:
    if isinstance(layer, Stream):
        return at_its_clock(terms, layer, streamed(terms, layer))
    if isinstance(layer, Attention):
        return at_its_clock(terms, layer, attended(terms, layer))
    return at_its_clock(terms, layer, fastest(terms, options, ranked))
