"""``Hardware, Workload -> Report``: the whole path, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.comparison import Comparison
from simulator.engine.result import EngineResult
from simulator.errors import ConfigError, MappingError, did_you_mean
from simulator.hardware import Hardware, Library, load_hardware
from simulator.mapping import Mapping, candidates, check
from simulator.program import Program, gemm_program, stream_program
from simulator.report import LayerReport, Report, layer_report, total_of
from simulator.sparsity import DENSE, AnyPattern, parse_pattern
from simulator.workload import Layer, Stream, Workload, load_workload
from simulator.workload.lowering import GemmProblem, asked_pattern, lower

Progress = Callable[[int, int, str], None]


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
    progress: Progress | None = None,
) -> Report:
    """Simulate a workload on a machine.

    Parameters
    ----------
    hardware : Hardware, str or Path
        As `load_hardware` takes it.
    workload : Workload, str or Path
        As `load_workload` takes it.
    pattern : Pattern or str, optional
        ``keep:group`` for every layer that has weights; None: as the trace says.
    engine : {"fast", "reference"}
        Both give the same figures.
    mapping : "auto" or Mapping
        A mapping of your own is used for every GEMM, as it is.
    library : str, optional
        One of the machine's libraries for all layers, instead of its choice.
    progress : callable, optional
        Called with (layers done, layers in all, name of the next one).

    Raises
    ------
    SimulatorError
        ConfigError, WorkloadError or MappingError, with one clear line.
    """
    hardware = load_hardware(hardware)
    workload = load_workload(workload)
    run = _Run(hardware, _engine(engine), mapping, library)
    override = parse_pattern(pattern) if pattern is not None else None
    layers = []
    for number, layer in enumerate(workload.layers):
        if progress is not None:
            progress(number, len(workload.layers), layer.name)
        layers.append(run.layer(layer, asked_pattern(layer, override)))
    if progress is not None:
        progress(len(workload.layers), len(workload.layers), "")
    return Report(
        hardware=hardware.name,
        workload=workload.name,
        pattern=str(override) if override else None,
        engine=engine,
        notes=workload.notes,
        total=total_of(hardware, layers),
        layers=tuple(layers),
    )


def compare(
    hardware: Hardware | str | Path,
    workload: Workload | str | Path,
    patterns: Sequence[AnyPattern | str] = ("1:1", "2:4", "1:8"),
    engine: str = "fast",
    *,
    mapping: Mapping | str = "auto",
    library: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Simulate a workload under several patterns; speed-ups are against the first.

    Parameters other than ``patterns`` are those of `simulate`.
    """
    if not patterns:
        raise ConfigError("patterns", "name at least one", want="such as 1:1,2:4,1:8")
    parsed = [parse_pattern(pattern) for pattern in patterns]
    if len(set(parsed)) < len(parsed):
        raise ConfigError("patterns", "the same pattern twice", got=",".join(map(str, parsed)))
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
                progress=progress,
            )
            for pattern in parsed
        )
    )


@dataclass(frozen=True)
class _Outcome:
    """What identical layers share."""

    program: Program
    result: EngineResult
    problem: GemmProblem | None
    mapping: Mapping | None


class _Run:
    """One machine, and the layers that it has already simulated."""

    def __init__(
        self,
        hardware: Hardware,
        engine: Callable[[Program], EngineResult],
        mapping: Mapping | str,
        library: str | None,
    ) -> None:
        if isinstance(mapping, str) and mapping != "auto":
            raise MappingError("mapping", "want 'auto' or a Mapping", got=mapping)
        if library is not None and library not in hardware.libraries:
            raise ConfigError(
                "library",
                "the machine has no such library",
                got=library,
                hint=did_you_mean(library, hardware.libraries),
            )
        self.hardware, self.engine, self.mapping = hardware, engine, mapping
        self.library_name = library
        self.known: dict[object, _Outcome] = {}

    def layer(self, layer: Layer, asked: AnyPattern) -> LayerReport:
        """Simulate one layer, or recall an identical one."""
        note = ""
        key: object
        try:
            if isinstance(layer, Stream):
                key = (layer.reads, layer.writes, layer.dtype)
                if key not in self.known:
                    self.known[key] = self._stream(layer)
            else:
                lowered = lower(layer, asked, self.hardware)
                key, note = lowered.problem, lowered.note
                if key not in self.known:
                    self.known[key] = self._gemm(lowered.problem)
        except MappingError as error:
            raise MappingError(f"layer {layer.name}", str(error)) from None
        outcome = self.known[key]
        return layer_report(
            self.hardware,
            layer,
            outcome.program,
            outcome.result,
            problem=outcome.problem,
            mapping=outcome.mapping,
            asked=asked,
            note=note,
        )

    def _stream(self, layer: Stream) -> _Outcome:
        program = stream_program(self.hardware, self._library(DENSE), layer)
        return _Outcome(program, self.engine(program), None, None)

    def _gemm(self, problem: GemmProblem) -> _Outcome:
        """The fastest of the few best mappings; the first of equals."""
        library = self._library(problem.pattern)
        if isinstance(self.mapping, Mapping):
            tried = [self.mapping]
            if self.mapping.swapped and not problem.pattern.is_dense:
                raise MappingError(
                    "mapping.swapped",
                    "only dense GEMMs can be swapped: sparse weights are the rows operand",
                    got=str(problem.pattern),
                )
            check(self.hardware, library, problem, self.mapping)
        else:
            tried = candidates(self.hardware, library, problem)
        outcomes = []
        for mapping in tried:
            order = problem.swapped() if mapping.swapped else problem
            program = gemm_program(self.hardware, library, order, mapping)
            outcomes.append(_Outcome(program, self.engine(program), order, mapping))
        return min(outcomes, key=lambda outcome: outcome.result.makespan_ps)

    def _library(self, pattern: AnyPattern) -> Library:
        choice = self.hardware.library
        name = self.library_name or (choice.dense if pattern.is_dense else choice.sparse)
        return self.hardware.libraries[name]


def _engine(name: str) -> Callable[[Program], EngineResult]:
    if name not in ENGINES:
        raise ConfigError("engine", "unknown engine", got=name, hint=did_you_mean(name, ENGINES))
    return ENGINES[name]
