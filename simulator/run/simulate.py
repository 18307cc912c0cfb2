"""``Hardware, Workload -> Report``: the whole path, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from simulator.engine.result import EngineResult
from simulator.errors import ConfigError, MappingError, WeightsError, did_you_mean
from simulator.hardware import Hardware, load_hardware
from simulator.hardware.energy import CLOCK_STEPS, has_limit, limited_step
from simulator.importers import load_workload
from simulator.report.comparison import Comparison
from simulator.report.layer import LayerReport, layer_report
from simulator.report.report import Report, Roof
from simulator.report.total import total_of
from simulator.run.attach import Tensor, find_tensor, pruned, rows_of, with_real_indices
from simulator.run.choice import Choice, Option, Outcome
from simulator.run.sampling import Estimate
from simulator.schedule.capacity import held, memory_note, require_room, rows_bytes, with_room
from simulator.schedule.mapping import Mapping
from simulator.schedule.program import Program, stream_program
from simulator.sparsity import DENSE, AnyPattern, asked_name, parse_asked
from simulator.weights.compliance import check_compliance, require_compliance
from simulator.workload import Conv, Gemm, Layer, Stream, Workload
from simulator.workload.gathered import Gathered
from simulator.workload.lowering import GemmProblem, Lowered, asked_pattern, lower

Progress = Callable[[int, int, str], None]
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
    weights: MappingType[str, Tensor] | None = None,
    prune: bool = False,
    allow_overflow: bool = False,
    progress: Progress | None = None,
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
        ``keep:group`` or ``unstructured:density`` for every layer that has weights; ``trace`` or
        None: as the trace says.
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
    weights : mapping from names to arrays, optional
        Real weights by layer name (or ``name.weight``), output features first. They are checked
        against the pattern, and decide what hardware that skips non-zeros, and the unstructured
        baseline, take.
    prune : bool
        Prune the weights by magnitude to the pattern first, instead of holding them to it.
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
    hardware = load_hardware(hardware)
    workload = load_workload(workload)
    roomy = with_room(hardware) if allow_overflow else hardware
    run = _Run(roomy, _engine(engine), mapping, library, accuracy, weights or {}, prune)
    override = parse_asked(pattern)
    works = [run.lowered(layer, asked_pattern(layer, override)) for layer in workload.layers]
    if not allow_overflow:
        works = _with_room(hardware, workload, works)
    run.rank(works)
    layers = []
    for number, work in enumerate(works):
        if progress is not None:
            progress(number, len(works), work.layer.name)
        layers.append(run.layer(work, observe))
    if progress is not None:
        progress(len(workload.layers), len(workload.layers), "")
    needed = held(run.executed, hardware.sparsity.metadata)
    if weights and not run.tensors_used:
        raise WeightsError(
            "weights",
            "no tensor is named as a layer",
            got=", ".join(list(weights)[:3]),
            want=f"names such as {workload.layers[0].name}.weight",
        )
    return Report(
        hardware=hardware.name,
        workload=workload.name,
        pattern=str(override) if override else None,
        engine=engine,
        accuracy=accuracy,
        notes=tuple(
            filter(
                None, (*workload.notes, *run.notes(works), memory_note(hardware, workload, needed))
            )
        ),
        roof=Roof.of(hardware),
        total=replace(total_of(hardware, layers), blocks=workload.blocks, held=needed),
        layers=tuple(layers),
    )


def compare(
    hardware: Hardware | str | Path,
    workload: Workload | str | Path,
    patterns: Sequence[AnyPattern | str | None] = ("1:1", "2:4", "1:8"),
    engine: str = "fast",
    *,
    mapping: Mapping | str = "auto",
    library: str | None = None,
    accuracy: str = "exact",
    weights: MappingType[str, Tensor] | None = None,
    allow_overflow: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Simulate a workload under several patterns; speed-ups are against the first.

    Parameters other than ``patterns`` are those of `simulate`, as is each of its patterns:
    ``("trace", "2:4")`` compares with what the trace says. ``weights`` are pruned by magnitude to
    each pattern.
    """
    if not patterns:
        raise ConfigError("patterns", "name at least one", want="such as 1:1,2:4,1:8")
    parsed = [parse_asked(pattern) for pattern in patterns]
    if len(set(parsed)) < len(parsed):
        raise ConfigError(
            "patterns", "the same pattern twice", got=",".join(map(asked_name, parsed))
        )
    hardware, workload = load_hardware(hardware), load_workload(workload)
    return Comparison(
        tuple(
            simulate(
                hardware,
                workload,
                pattern,
                engine,
                mapping=mapping,
                library=library,
                accuracy=accuracy,
                weights=weights,
                prune=True,
                allow_overflow=allow_overflow,
                progress=progress,
            )
            for pattern in parsed
        )
    )


@dataclass(frozen=True)
class _Work:
    """A layer as it is to run; ``lowered`` is None for a streaming layer."""

    layer: Layer
    asked: AnyPattern
    lowered: Lowered | None
    tensor: Tensor | None

    @property
    def problems(self) -> tuple[GemmProblem, ...]:
        """What may be executed, the sparsest first."""
        return self.lowered.problems if self.lowered is not None else ()

    @property
    def sparsest(self) -> _Work:
        """The same layer, which runs as nothing but the sparsest pattern that it may run as."""
        if self.lowered is None:
            return self
        return replace(self, lowered=replace(self.lowered, problems=self.problems[:1]))


def _with_room(hardware: Hardware, workload: Workload, works: Sequence[_Work]) -> list[_Work]:
    """Layers as memory can hold them: a denser pattern is a choice only where all could run so.

    Raises
    ------
    MappingError
        If the sparsest patterns do not fit either.
    """
    code = hardware.sparsity.metadata
    least = held([(work.layer, next(iter(work.problems), None)) for work in works], code)
    require_room(hardware, workload, least)
    largest = [
        (work.layer, max(work.problems, key=lambda one: rows_bytes(one, code), default=None))
        for work in works
    ]
    if held(largest, code).all_bytes <= hardware.memory.dram.bytes:
        return list(works)
    return [work.sparsest for work in works]


class _Run:
    """One machine, and the layers that it has already simulated."""

    def __init__(
        self,
        hardware: Hardware,
        engine: Callable[[Program], EngineResult],
        mapping: Mapping | str,
        library: str | None,
        accuracy: str,
        weights: MappingType[str, Tensor],
        prune: bool,
    ) -> None:
        if accuracy not in ("exact", "sampled"):
            raise ConfigError("accuracy", "want 'exact' or 'sampled'", got=accuracy)
        if accuracy == "sampled" and engine is _reference:
            raise ConfigError(
                "accuracy", "samples are sized for the fast engine", got=accuracy,
                hint="--engine fast",
            )  # fmt: skip
        if not isinstance(mapping, Mapping) and mapping != "auto":
            raise MappingError("mapping", "want 'auto' or a Mapping", got=mapping)
        if library is not None and library not in hardware.libraries:
            raise ConfigError(
                "library",
                "the machine has no such library",
                got=library,
                hint=did_you_mean(library, hardware.libraries),
            )
        self.hardware, self.engine, self.mapping = hardware, engine, mapping
        self.library_name, self.accuracy, self.weights = library, accuracy, weights
        self.prune, self.tensors_used = prune, 0
        self.known: dict[object, Outcome] = {}
        self.executed: list[tuple[Layer, GemmProblem | None]] = []
        self.choice = Choice(hardware, engine, mapping, library, accuracy)

    def notes(self, works: Sequence[_Work]) -> list[str]:
        """What a reader should know of the weights."""
        bearing = [work.layer for work in works if isinstance(work.layer, Gemm | Conv)]
        without = [x.name for x in bearing if find_tensor(x, self.weights) is None]
        if not self.weights or not without:
            return []
        some = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
        known = len(bearing) - len(without)
        return [f"real weights for {known} of {len(bearing)} layers; none for {some}"]

    def lowered(self, layer: Layer, asked: AnyPattern) -> _Work:
        """What a layer becomes on this machine."""
        if isinstance(layer, Stream):
            return _Work(layer, asked, None, None)
        tensor = find_tensor(layer, self.weights)
        lowered = lower(layer, asked, self.hardware, has_mask=tensor is not None)
        return _Work(layer, asked, lowered, tensor)

    def rank(self, works: Sequence[_Work]) -> None:
        """Rank the mappings of all layers at once, which is faster than one after another."""
        lowered = [work.lowered for work in works if work.lowered is not None]
        self.choice.rank([problem for one in lowered for problem in one.problems])

    def layer(self, work: _Work, observe: Observe | None = None) -> LayerReport:
        """Simulate one layer, or recall an identical one."""
        layer, lowered, note = work.layer, work.lowered, ""
        key: object
        try:
            if isinstance(layer, Stream):
                key = (layer.reads, layer.writes, layer.dtype)
                if key not in self.known:
                    self.known[key] = self._limited(layer)
            else:
                assert lowered is not None
                options = [Option(problem) for problem in lowered.problems]
                if work.tensor is not None and isinstance(layer, Gemm | Conv):
                    self.tensors_used += 1
                    options = self._with_weights(layer, work.tensor, lowered)
                key = tuple(option.problem for option in options)
                if any(option.mask is not None for option in options):
                    key = (key, layer.name)  # a masked layer is like no other
                if key not in self.known:
                    self.known[key] = self._limited(layer, options)
        except MappingError as error:
            raise MappingError(f"layer {layer.name}", str(error)) from None
        outcome = self.known[key]
        self.executed.append((layer, outcome.option.problem if outcome.option else None))
        if lowered is not None and outcome.problem is not None:
            note = lowered.note(outcome.problem.pattern)
        report = self._report(layer, outcome, work.asked, note)
        if observe is not None:
            observe(report, outcome.estimate.program, outcome.estimate.result)
        return report

    def _report(
        self, layer: Layer, outcome: Outcome, asked: AnyPattern, note: str = ""
    ) -> LayerReport:
        return layer_report(
            outcome.hardware,
            layer,
            outcome.estimate.program,
            outcome.estimate.result,
            problem=outcome.problem,
            mapping=outcome.mapping,
            asked=asked,
            note=note,
            throttled=outcome.hardware is not self.hardware,
            time_error_ratio=outcome.estimate.time_error_ratio,
            dram_error_ratio=outcome.estimate.dram_error_ratio,
        )

    def _simulated(self, layer: Layer, options: Sequence[Option]) -> Outcome:
        return self._stream(layer) if isinstance(layer, Stream) else self.choice.fastest(options)

    def _limited(self, layer: Layer, options: Sequence[Option] = ()) -> Outcome:
        """Simulate; where the power limit is exceeded, again at lower clocks, mapped as before."""
        outcome, step = self._simulated(layer, options), CLOCK_STEPS
        while has_limit(self.hardware):
            report = self._report(layer, outcome, DENSE)
            if report.energy_pj is None:
                raise ConfigError(
                    f"layer {layer.name}", "its power is not known, so that no limit can be held",
                    want=f"energy.mac_pj.{layer.dtype}",
                )  # fmt: skip
            lower = limited_step(self.hardware, step, report.energy_pj, report.time_ps)
            if lower == step:
                break
            step = lower
            slower = self.hardware.at_clock(self.hardware.clock_hz * step // CLOCK_STEPS)
            mapping = outcome.mapping or self.mapping
            again = _Run(
                slower,
                self.engine,
                mapping,
                self.library_name,
                self.accuracy,
                self.weights,
                self.prune,
            )
            chosen = (outcome.option,) if outcome.option is not None else ()
            outcome = again._simulated(layer, chosen)
        return outcome

    def _with_weights(self, layer: Gemm | Conv, tensor: Tensor, lowered: Lowered) -> list[Option]:
        """Prune or check real weights; their mask where it matters to the hardware.

        They must follow the sparsest pattern; others that they do not follow are left aside.
        """
        sparsest = lowered.problem.pattern
        rows_of(layer, tensor, lowered.problem)  # refuses another shape
        if self.prune:
            tensor = pruned(layer, tensor, lowered.asked)
        options = []
        for problem in lowered.problems:
            rows = rows_of(layer, tensor, problem)
            mask, pattern = (rows != 0).view(np.uint8), problem.pattern
            if isinstance(pattern, Gathered):
                return [Option(with_real_indices(problem, mask, self.hardware), mask)]
            if pattern == sparsest and not pattern.is_dense:
                require_compliance(mask, pattern, layer.name)
            elif not pattern.is_dense and not check_compliance(mask, pattern).complies:
                continue
            matters = self.hardware.sparsity.skip == "nonzeros"
            options.append(Option(problem, mask if matters else None))
        return options

    def _stream(self, layer: Stream) -> Outcome:
        program = stream_program(self.hardware, self.choice.library(DENSE), layer)
        return Outcome(self.hardware, Estimate(program, self.engine(program)))


def _engine(name: str) -> Callable[[Program], EngineResult]:
    if name not in ENGINES:
        raise ConfigError("engine", "unknown engine", got=name, hint=did_you_mean(name, ENGINES))
    return ENGINES[name]
