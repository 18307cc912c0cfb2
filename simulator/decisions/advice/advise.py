"""``machine, network, patterns -> Advice``: does sparsity pay, where, and from what size on?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from simulator.decisions.advice.breakeven import (
    BATCH_DOUBLINGS,
    Probe,
    Prober,
    Question,
    break_even_batch,
    break_evens,
)
from simulator.decisions.advice.case import ASKED, QUALITY, Case, How
from simulator.decisions.advice.reasons import CHANNELS, PATTERN
from simulator.decisions.advice.result import Advice, BatchRow, LayerAdvice
from simulator.decisions.advice.worth import Store, Worth, worth_of
from simulator.decisions.trust import Outcome, band_of, outcome
from simulator.errors import ConfigError, MappingError, SimulatorError, WorkloadError
from simulator.hardware import Hardware, load_hardware
from simulator.importers import load_workload
from simulator.run.simulate import LayerProgress
from simulator.sparsity import AnyPattern, Pattern, parse_pattern
from simulator.workload import Conv, Gemm, Workload
from simulator.workload.patterned import under
from simulator.workload.stack import Stack

BATCH: Final = "batch"
NO_SIZE_HELPS: Final = (ASKED, QUALITY, PATTERN)
PROBED: Final = 5


def advise(
    hardware: Hardware | str | Path,
    workload: Workload | str | Path,
    patterns: Sequence[AnyPattern | str] = ("2:4", "1:8"),
    *,
    batches: Sequence[int] = (),
    parameters: Mapping[str, int] | None = None,
    quality: Store | None = None,
    library: str | None = None,
    stack: Stack | str | None = None,
    dense: str | None = None,
    accuracy: str = "exact",
    allow_overflow: bool = False,
    break_even: int = PROBED,
    progress: LayerProgress | None = None,
) -> Advice:
    """Which layers to run under which pattern, why not the others, and what it would take.

    Every figure is that of `simulate`. Each layer is advised the pattern under which it is fastest,
    run sparse throughout; dense where that is no gain, or one within the error of the speed-ups
    that were measured on this very machine. Then the network is simulated whole as advised.
    Patterns of the trace are set aside.

    Parameters
    ----------
    hardware, library, stack, dense, accuracy, allow_overflow, progress
        As `simulate` takes them.
    workload : Workload, str or Path
        As `load_workload` takes it.
    patterns : sequence of Pattern or str
        Dense is always among the choices.
    batches : sequence of int
        Values of the trace's parameter ``batch``: the advice is for the first, and says what is
        gained at all of them.
    parameters : mapping of str to int, optional
        Of the trace.
    quality : rows of a store, str or Path, optional
        What `nmsim quality` or `train` stored of this network: only patterns that are worth what
        they cost are advised.
    break_even : int
        Look for the batch from which on the network gains, and for the columns and the width from
        which on layers do that should stay dense: so many unlike ones, that take most of the time.
        0: for neither.

    Raises
    ------
    SimulatorError
        ConfigError, WorkloadError, MappingError or StoreError, with one clear line.

    Examples
    --------
    >>> from simulator import advise
    >>> advice = advise("h100-sxm", "gemm:8192x8192x8192", ["2:4"])
    >>> advice.pattern_of, round(advice.gain, 1)
    ({'gemm': '2:4'}, 1.8)
    """
    asked = patterns_of(patterns)
    machine = load_hardware(hardware)
    given = dict(parameters or {})
    if batches and BATCH in given:
        raise WorkloadError("batches", "is a parameter, too", got=given[BATCH])
    if quality is not None and (library, stack, dense) != (None, None, None):
        what = "is weighed for the network as its trace says, without library, stack and dense"
        raise ConfigError("quality", what)
    sizes = _batches(batches)
    given |= {BATCH: sizes[0]} if sizes else {}
    network = under(load_workload(workload, **given), {})
    how = How(machine, library, stack, dense, accuracy, allow_overflow)
    worth: dict[str, Worth] = {}
    notes: tuple[str, ...] = ()
    if quality is not None:
        worth, notes = worth_of(quality, machine, network, asked, accuracy)
    case = Case(how, network, asked, band_of(machine), worth, progress)
    advice = replace(case.advice(), notes=(*notes, *case.dense.notes))
    if break_even:
        advice = replace(advice, layers=_with_break_evens(case, advice.layers, break_even))
    if len(sizes) > 1:
        others = [_case_at(case, workload, given | {BATCH: size}) for size in sizes[1:]]
        return _with_rows(advice, dict(zip(sizes, [case, *others], strict=True)))
    return _with_batch(case, advice, workload, given) if break_even and advice.layers else advice


def patterns_of(texts: Sequence[AnyPattern | str], where: str = "patterns") -> tuple[str, ...]:
    """Patterns to choose from beside dense.

    Raises
    ------
    ConfigError
        If one is none, is dense, or comes twice.
    """
    patterns = [parse_pattern(text, where) for text in texts]
    if not patterns:
        raise ConfigError(where, "name at least one", want="such as 2:4,1:8")
    names = tuple(map(str, patterns))
    if any(pattern.is_dense for pattern in patterns):
        raise ConfigError(where, "dense is always among the choices", got=",".join(names))
    if len(set(patterns)) < len(patterns):
        raise ConfigError(where, "the same pattern twice", got=",".join(names))
    return names


def _batches(sizes: Sequence[int]) -> list[int]:
    if len(set(sizes)) < len(sizes):
        raise WorkloadError("batches", "the same batch twice", got=list(sizes))
    return list(sizes)


def _with_break_evens(
    case: Case, layers: Sequence[LayerAdvice], most: int
) -> tuple[LayerAdvice, ...]:
    """What it would take, of so many unlike layers that do not gain and take most of the time."""
    kernels = [layer for layer in case.kernels.layers if isinstance(layer, Gemm | Conv)]
    probes = {
        at: Probe(replace(kernel, name="", repeat=1, inputs=(), epilogue=()), layer.best)
        for at, (kernel, layer) in enumerate(zip(kernels, layers, strict=True))
        if layer.reason is not None and layer.reason.kind not in NO_SIZE_HELPS
    }
    spent: Counter[Probe] = Counter()
    for at, probe in probes.items():
        spent[probe] += round(layers[at].dense_ns * layers[at].repeat)
    longest = [probe for probe, _ in spent.most_common(most)]
    too_few = {probes[at] for at in probes if _kind(layers[at]) == CHANNELS}
    prober = Prober.of(case.how.machine, case.band, case.how.library)
    questions = [Question(probe, "columns") for probe in longest if probe not in too_few]
    questions += [Question(probe, "width") for probe in longest]
    found = dict(zip(questions, break_evens(prober, questions), strict=True))
    return tuple(
        replace(
            layer,
            columns=found.get(Question(probes[at], "columns")),
            width=found.get(Question(probes[at], "width")),
        )
        if at in probes
        else layer
        for at, layer in enumerate(layers)
    )


def _kind(layer: LayerAdvice) -> str:
    return layer.reason.kind if layer.reason else ""


def _case_at(case: Case, workload: Workload | str | Path, given: Mapping[str, int]) -> Case:
    """The same network at other parameters."""
    return replace(case, network=under(load_workload(workload, **given), {}))


def _with_rows(advice: Advice, cases: Mapping[int, Case]) -> Advice:
    """With what is gained at every batch that memory holds; a note of every other one."""
    rows, notes = [], []
    for batch, case in cases.items():
        try:
            rows.append(_batch_row(case, batch))
        except MappingError as error:
            notes.append(f"batch {batch:,} is left out: {error.what}")
    return replace(advice, batches=tuple(rows), notes=(*advice.notes, *notes))


def _batch_row(case: Case, batch: int) -> BatchRow:
    every = sum(layer.layers for layer in case.layers)
    sparse = sum(layer.layers for layer in case.layers if not layer.is_dense)
    advice = case.advice()
    gains = {pattern: advice.gain_of(pattern) for pattern in case.patterns}
    dense_ns = case.dense.total.time_ns
    return BatchRow(batch, dense_ns, gains, advice.gain, advice.bearing_ratio, sparse, every)


def _with_batch(
    case: Case, advice: Advice, workload: Workload | str | Path, given: Mapping[str, int]
) -> Advice:
    """With the batch from which on the network gains, where it has such a parameter."""
    start = given.get(BATCH, 1)
    first = None if isinstance(workload, Workload) else _at(workload, given, start)
    if first is None:
        note = f"its break-even batch is not known: {case.network.name} has no parameter '{BATCH}'"
        return replace(advice, notes=(*advice.notes, note))
    fewer = _unlike(case)
    quick = replace(case, how=replace(case.how, accuracy="sampled"), patterns=fewer, progress=None)
    gains = _gains_at(case, quick, lambda batch: _at(workload, given, batch))
    found = break_even_batch(gains, start, fewer)
    hosts = {_hosts(case.how.machine, one): found[one] for one in fewer}
    from_batch = {one: hosts[_hosts(case.how.machine, one)] for one in case.patterns}
    return replace(advice, from_batch=from_batch, most_batch=start << BATCH_DOUBLINGS)


def _gains_at(
    case: Case, quick: Case, network_at: Callable[[int], Workload | None]
) -> Callable[[int], dict[str, bool]]:
    """Of a batch: whether each pattern gains; where nothing can run, none does."""

    def gains(batch: int) -> dict[str, bool]:
        network = network_at(batch)
        if network is None:
            return dict.fromkeys(quick.patterns, False)
        here = case if network == case.network else replace(quick, network=network)
        try:
            dense_ps = here.dense.total.time_ps
            ratios = {one: dense_ps / here.reports[one].total.time_ps for one in quick.patterns}
        except SimulatorError:  # a batch that memory does not hold
            return dict.fromkeys(quick.patterns, False)
        return {one: outcome(gain, case.band) is Outcome.GAIN for one, gain in ratios.items()}

    return gains


def _at(workload: str | Path | Workload, given: Mapping[str, int], batch: int) -> Workload | None:
    """The network at a batch; None where it has no such parameter, or no such size."""
    try:
        return under(load_workload(workload, **{**given, BATCH: batch}), {})
    except WorkloadError:
        return None


def _unlike(case: Case) -> tuple[str, ...]:
    """Patterns, without those that the machine runs as it runs one before."""
    first: dict[object, str] = {}
    for pattern in case.patterns:
        first.setdefault(_hosts(case.how.machine, pattern), pattern)
    return tuple(first.values())


def _hosts(machine: Hardware, pattern: str) -> object:
    """What decides how a machine runs a pattern."""
    asked, sparsity = parse_pattern(pattern), machine.sparsity
    if not isinstance(asked, Pattern):
        return asked
    return tuple(sparsity.capability.hosts(asked, sparsity.metadata))
