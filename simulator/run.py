"""``Hardware, Workload -> Report``: the whole path, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np

from simulator.attach import Tensor, find_tensor, pruned, rows_of, with_real_indices
from simulator.comparison import Comparison
from simulator.energy import CLOCK_STEPS, has_limit, limited_step
from simulator.engine.result import EngineResult
from simulator.errors import ConfigError, MappingError, WeightsError, did_you_mean
from simulator.hardware import Hardware, Library, load_hardware
from simulator.importers import load_workload
from simulator.mapping import Mapping, check
from simulator.masking import Mask
from simulator.program import Program, gemm_program, stream_program
from simulator.ranking import Ranked, candidates, rank
from simulator.report import LayerReport, Report, Roof, layer_report, total_of
from simulator.sampling import Estimate, estimate
from simulator.sparsity import DENSE, AnyPattern, Unstructured, parse_pattern
from simulator.weights.compliance import check_compliance, require_compliance
from simulator.workload import Conv, Gemm, Layer, Stream, Workload
from simulator.workload.lowering import GemmProblem, Lowered, asked_pattern, lower

Progress = Callable[[int, int, str], None]
Observe = Callable[[LayerReport, Program, EngineResult], None]
_Found = TypeVar("_Found")

EQUAL_RATIO = 0.005
"""Mappings are equally fast if their times differ by less. Model: a library's own ranking decides
then; and which one it is does not hang on the last nanosecond, nor on a sample's error."""

FIRST_STAGES, FINAL_STAGES = 80_000, 520_000
"""Stages of a sample: of each mapping that is tried, and of those that look fastest together.
25 ms at 35 ns a stage."""

CLOSE_RATIO = 0.02
"""Mappings that a small sample shows closer to the fastest are sampled again."""

LARGE_STAGES, LARGE_SCALE = 10**8, 10
"""GEMMs of more stages are sampled so much more."""

NARROWED_STAGES = 4 * FIRST_STAGES
"""Of GEMMs of more stages, mappings are chosen on small samples even where the run is exact."""

HOST_RATIO = 0.25
"""By how much the estimate of another pattern that contains what was asked may exceed the lowest,
for it to be simulated. Five times the spread of the estimate within a problem."""

MASKED_CANDIDATES = 2
"""Mappings that are tried with real non-zeros, each with stages of several depths."""


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
        ``keep:group`` for every layer that has weights; None: as the trace says.
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
    progress : callable, optional
        Called with (layers done, layers in all, name of the next one).
    observe : callable, optional
        Called for every layer with its report, its program and the engine's result, as
        `simulator.timeline.Timeline.add` wants them.

    Raises
    ------
    SimulatorError
        ConfigError, WorkloadError, MappingError or WeightsError, with one clear line.
    """
    if observe is not None and accuracy == "sampled":
        raise ConfigError("accuracy", "a timeline shows every event", got=accuracy, want="exact")
    hardware = load_hardware(hardware)
    workload = load_workload(workload)
    run = _Run(hardware, _engine(engine), mapping, library, accuracy, weights or {}, prune)
    override = parse_pattern(pattern) if pattern is not None else None
    works = [run.lowered(layer, asked_pattern(layer, override)) for layer in workload.layers]
    run.rank(works)
    layers = []
    for number, work in enumerate(works):
        if progress is not None:
            progress(number, len(works), work.layer.name)
        layers.append(run.layer(work, observe))
    if progress is not None:
        progress(len(workload.layers), len(workload.layers), "")
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
        notes=(*workload.notes, *run.notes(works)),
        roof=Roof.of(hardware),
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
    accuracy: str = "exact",
    weights: MappingType[str, Tensor] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Simulate a workload under several patterns; speed-ups are against the first.

    Parameters other than ``patterns`` are those of `simulate`; ``weights`` are pruned by magnitude
    to each pattern.
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
                accuracy=accuracy,
                weights=weights,
                prune=True,
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


@dataclass(frozen=True)
class _Option:
    """One of the problems that a layer may become, and the real non-zeros of its rows."""

    problem: GemmProblem
    mask: Mask | None = None

    @property
    def tie_order(self) -> tuple[Fraction, int]:
        """Equally fast patterns go by metadata, then by group."""
        pattern = self.problem.pattern
        return (
            (Fraction(0), 0) if isinstance(pattern, Unstructured) else pattern.metadata_a_weight()
        )


@dataclass(frozen=True)
class _Outcome:
    """What identical layers share; ``hardware`` has the clock that the power limit left."""

    hardware: Hardware
    estimate: Estimate
    problem: GemmProblem | None
    mapping: Mapping | None
    option: _Option | None = None  # None for a streaming layer

    @property
    def time_ps(self) -> int:
        return self.estimate.result.makespan_ps


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
        self.known: dict[object, _Outcome] = {}
        self.ranked: dict[GemmProblem, Ranked | MappingError] = {}

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
        if self.mapping != "auto":
            return
        alike: dict[tuple[AnyPattern, str], dict[GemmProblem, None]] = {}
        for work in works:
            if work.lowered is not None:
                for problem in work.lowered.problems:
                    alike.setdefault((problem.pattern, problem.dtype), {})[problem] = None
        for (pattern, _), problems in alike.items():
            ranked = rank(self.hardware, self._library(pattern), list(problems))
            self.ranked.update(zip(problems, ranked, strict=True))

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
                options = [_Option(problem) for problem in lowered.problems]
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
        if lowered is not None and outcome.problem is not None:
            note = lowered.note(outcome.problem.pattern)
        report = self._report(layer, outcome, work.asked, note)
        if observe is not None:
            observe(report, outcome.estimate.program, outcome.estimate.result)
        return report

    def _report(
        self, layer: Layer, outcome: _Outcome, asked: AnyPattern, note: str = ""
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

    def _simulated(self, layer: Layer, options: Sequence[_Option]) -> _Outcome:
        return self._stream(layer) if isinstance(layer, Stream) else self._gemm(options)

    def _limited(self, layer: Layer, options: Sequence[_Option] = ()) -> _Outcome:
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

    def _with_weights(self, layer: Gemm | Conv, tensor: Tensor, lowered: Lowered) -> list[_Option]:
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
            if isinstance(pattern, Unstructured):
                return [_Option(with_real_indices(problem, mask, self.hardware), mask)]
            if pattern == sparsest and not pattern.is_dense:
                require_compliance(mask, pattern, layer.name)
            elif not pattern.is_dense and not check_compliance(mask, pattern).complies:
                continue
            matters = self.hardware.sparsity.skip == "nonzeros"
            options.append(_Option(problem, mask if matters else None))
        return options

    def _stream(self, layer: Stream) -> _Outcome:
        program = stream_program(self.hardware, self._library(DENSE), layer)
        return _Outcome(self.hardware, Estimate(program, self.engine(program)), None, None)

    def _gemm(self, options: Sequence[_Option]) -> _Outcome:
        """The fastest of the few best mappings, under whichever pattern."""
        tried = self._given(options) if isinstance(self.mapping, Mapping) else self._tried(options)
        if any(option.mask is not None for option, _ in tried):
            return _first_of_fastest([self._whole(*one) for one in tried])
        if self.accuracy == "sampled":
            return self._sampled(tried)
        if max(mapping.stage_events(option.problem) for option, mapping in tried) > NARROWED_STAGES:
            tried = self._narrowed(tried)
        return _first_of_fastest([self._whole(*one) for one in tried])

    def _given(self, options: Sequence[_Option]) -> list[_Tried]:
        """The user's own mapping, under every pattern under which it fits."""
        mapping = self.mapping
        assert isinstance(mapping, Mapping)
        tried: list[_Tried] = []
        refused: MappingError | None = None
        for option in options:
            pattern = option.problem.pattern
            if mapping.swapped and not (pattern.is_dense and option.mask is None):
                raise MappingError(
                    "mapping.swapped",
                    "only dense GEMMs can be swapped: sparse weights and masks are on the rows",
                    got=str(pattern),
                )
            try:
                check(self.hardware, self._library(pattern), option.problem, mapping)
            except MappingError as error:
                refused = refused or error
            else:
                tried.append((option, mapping))
        return _some(tried, refused)

    def _tried(self, options: Sequence[_Option]) -> list[_Tried]:
        """The best few mappings of each pattern whose estimate comes near the lowest of all."""
        found: list[tuple[_Option, Mapping, float]] = []
        refused: MappingError | None = None
        for option in options:
            try:
                found += [(option, *one) for one in self._candidates(option)]
            except MappingError as error:
                refused = refused or error
        _some(found, refused)
        near = min(cost for *_, cost in found) * (1 + HOST_RATIO)
        near = math.inf if any(option.mask is not None for option in options) else near
        return [(option, mapping) for option, mapping, cost in found if cost <= near]

    def _part(self, tried: _Tried, budget_stages: int, check: bool = True) -> _Outcome:
        """What a sample says of a mapping."""
        option, mapping = tried
        order = option.problem.swapped() if mapping.swapped else option.problem
        library = self._library(order.pattern)
        found = estimate(
            self.hardware, library, order, mapping, self.engine, budget_stages, check=check
        )
        return _Outcome(self.hardware, found, order, mapping, option)

    def _whole(self, option: _Option, mapping: Mapping) -> _Outcome:
        order = option.problem.swapped() if mapping.swapped else option.problem
        library = self._library(order.pattern)
        program = gemm_program(self.hardware, library, order, mapping, option.mask)
        found = Estimate(program, self.engine(program))
        return _Outcome(self.hardware, found, order, mapping, option)

    def _narrowed(self, tried: list[_Tried]) -> list[_Tried]:
        """Without those that look slow on a small sample."""
        if len(tried) == 1:
            return tried
        scale = _sample_scale(tried)
        first = [self._part(one, FIRST_STAGES * scale, check=False) for one in tried]
        close = min(one.time_ps for one in first) * (1 + CLOSE_RATIO)
        return [one for one, seen in zip(tried, first, strict=True) if seen.time_ps <= close]

    def _sampled(self, tried: list[_Tried]) -> _Outcome:
        """The fastest mapping, by larger samples of those that look fastest."""
        budget = FINAL_STAGES * _sample_scale(tried)
        tried = self._narrowed(tried)
        return _first_of_fastest([self._part(one, budget // len(tried)) for one in tried])

    def _candidates(self, option: _Option) -> Ranked:
        """What the library offers; under a mask, also with deeper stages.

        Only the rows operand can be masked, in whole blocks of rows; and a step that skipping
        leaves half empty is filled only if a stage holds more groups.
        """
        problem, mask = option.problem, option.mask
        library = self._library(problem.pattern)
        if mask is None:
            ranked = self.ranked.get(problem)
            if ranked is None:
                (ranked,) = rank(self.hardware, library, [problem])
            if isinstance(ranked, MappingError):
                raise ranked
            return ranked
        lanes = self.hardware.sparsity.lockstep_rows
        tiles = tuple(tile for tile in library.tiles if tile.m % lanes == 0)
        offer = library.model_copy(update={"swap": False, "tiles": tiles or library.tiles})
        found: Ranked = []
        for number, mapping in enumerate(candidates(self.hardware, offer, problem)):
            for factor in (1, 2, 4) if number < MASKED_CANDIDATES else ():
                buffers = max(min(2, mapping.stage_buffers), mapping.stage_buffers // factor)
                deeper = replace(mapping, tile_k=mapping.tile_k * factor, stage_buffers=buffers)
                try:
                    check(self.hardware, library, problem, deeper)
                except MappingError:
                    break
                found.append((deeper, 0.0))
        return found

    def _library(self, pattern: AnyPattern) -> Library:
        choice = self.hardware.library
        name = self.library_name or (choice.dense if pattern.is_dense else choice.sparse)
        return self.hardware.libraries[name]


_Tried = tuple[_Option, Mapping]


def _some(found: list[_Found], refused: MappingError | None) -> list[_Found]:
    """What was found, or why there is nothing."""
    if not found:
        assert refused is not None
        raise refused
    return found


def _sample_scale(tried: Sequence[_Tried]) -> int:
    stages = max(mapping.stage_events(option.problem) for option, mapping in tried)
    return LARGE_SCALE if stages > LARGE_STAGES else 1


def _first_of_fastest(outcomes: Sequence[_Outcome]) -> _Outcome:
    """Of those that take no longer than the fastest, but for `EQUAL_RATIO`, the pattern with the
    least metadata, and the first in the ranking."""
    fastest = min(outcome.time_ps for outcome in outcomes)
    equal = [x for x in outcomes if x.time_ps <= fastest * (1 + EQUAL_RATIO)]
    return min(equal, key=lambda x: x.option.tie_order if x.option else ())


def _engine(name: str) -> Callable[[Program], EngineResult]:
    if name not in ENGINES:
        raise ConfigError("engine", "unknown engine", got=name, hint=did_you_mean(name, ENGINES))
    return ENGINES[name]
