"""``QualityStudy -> points``: which layers are to be pruned how, point by point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulator.errors import SpecError, WorkloadError, did_you_mean
from simulator.importers import import_workload
from simulator.quality.calibration import Calibration
from simulator.quality.model import PrunableModel
from simulator.quality.spec import AS_ASKED, Asked, PruneSpec, asked_of
from simulator.sparsity import DENSE, AnyPattern, parse_pattern, parse_prunable
from simulator.weights.methods import DAMPING, method_named
from simulator.workload import Conv, Gemm

DENSE_METHOD, MIXED = "dense", "mixed"
"""The method of a network of which nothing is pruned, and the pattern of layers that differ."""

Patterns = Mapping[str, str]
"""Of layers, by name."""


@dataclass(frozen=True)
class QualityStudy:
    """What to prune how, and what to measure.

    Parameters
    ----------
    model : str or Path
        An ONNX file.
    patterns : sequence of str
        ``2:4`` or ``unstructured:0.5``; the dense network is measured in any case.
    methods : sequence of str
        ``magnitude``, ``wanda``, ``sparsegpt``.
    measure : str
        ``drift``, ``text-lines``, or ``module:function``: from a path to named figures.
    calibrate, inputs : str, optional
        ``INPUTS.npz`` or ``module:function``. What methods calibrate on; by default what
        ``text-lines`` draws for it. What ``drift`` measures on; by default what calibrates.
    layers, dense : str, optional
        Regular expressions of layers to prune (default all), and of those that stay dense.
    layers_at_once : int
        Layers that are pruned on the same inputs; 0: all, on those of the dense model.
    damping : float
        Of the diagonal of Gram matrices, over its mean.
    mix : str or Path, optional
        A native trace whose patterns, layer by layer, are measured together.
    each_layer : bool
        Prune one layer at a time, with all others dense.
    parameters : mapping
        Sizes of symbolic dimensions of the model, as its import needs them.
    seed : int
        Of what ``text-lines`` draws, 0 or more.
    """

    model: str | Path
    patterns: Sequence[str] = ()
    methods: Sequence[str] = ("magnitude",)
    measure: str = "drift"
    calibrate: str | None = None
    inputs: str | None = None
    layers: str | None = None
    dense: str | None = None
    layers_at_once: int = 1
    damping: float = DAMPING
    mix: str | Path | None = None
    each_layer: bool = False
    parameters: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Point:
    """A row to be: what is pruned of the model, and how the row calls it.

    Attributes
    ----------
    method, pattern : str
    patterns : mapping of str to str
        Of every layer that could be pruned, ``1:1`` where it stays dense.
    calibration : Calibration or None
        Where the method needs one.
    """

    method: str
    pattern: str
    patterns: Patterns
    calibration: Calibration | None = None

    @property
    def name(self) -> str:
        """``2:4 by sparsegpt``, and the layer where only one is pruned."""
        pruned = [name for name, pattern in self.patterns.items() if pattern != str(DENSE)]
        alone = f" of {pruned[0]}" if len(pruned) == 1 < len(self.patterns) else ""
        return f"{self.pattern} by {self.method}{alone}" if pruned else "dense"


def points_of(
    study: QualityStudy, model: PrunableModel, calibration: Calibration | None
) -> list[Point]:
    """The dense network, then every pattern by every method.

    Parameters
    ----------
    calibration : Calibration, optional
        What methods that need one get.

    Raises
    ------
    SimulatorError
        If a pattern or a method is none, or nothing is left to prune, or calibration is missing.
    """
    points = [Point(DENSE_METHOD, str(DENSE), _patterns(model, study, {}))]
    asked = list(_asked(study, model))
    for name in dict.fromkeys(study.methods):
        method = method_named(name, "--methods")
        if method.needs_gram and asked and calibration is None:
            hint = "--calibrate INPUTS.npz or module:function"
            raise SpecError(f"--methods {name}", "looks at the inputs of layers", hint=hint)
        fed = calibration if method.needs_gram else None
        points += [Point(name, pattern, patterns, fed) for pattern, patterns in asked]
    return points


def _asked(study: QualityStudy, model: PrunableModel) -> Iterator[tuple[str, Patterns]]:
    """What rows call a pattern, and the pattern of every layer."""
    parsed = (parse_prunable(text, "--patterns") for text in study.patterns)
    for pattern in dict.fromkeys(one for one in parsed if one.density != 1):
        patterns = _patterns(model, study, str(pattern))
        for some in _one_by_one(model, patterns) if study.each_layer else [patterns]:
            yield str(pattern), some
    if study.mix is not None:
        yield MIXED, _patterns(model, study, _mixed(Path(study.mix), model))


def notes_of(study: QualityStudy, model: PrunableModel) -> Iterator[str]:
    """Layers that are too small for a pattern."""
    for pattern in dict.fromkeys(study.patterns):
        asked = _settled(model, study, pattern)
        if small := sum(one.note not in ("", AS_ASKED) for one in asked):
            stay = "stays" if small == 1 else "stay"
            layers = f"{small} of {len(asked)} layers {stay} dense"
            yield f"{pattern}: {layers}, with fewer inputs than a group"


def _patterns(model: PrunableModel, study: QualityStudy, given: str | Patterns) -> Patterns:
    """Of every layer."""
    return {one.layer.name: str(one.pattern) for one in _settled(model, study, given)}


def _settled(model: PrunableModel, study: QualityStudy, given: str | Patterns) -> tuple[Asked, ...]:
    return asked_of(model, PruneSpec(given, layers=study.layers, dense=study.dense))


def _one_by_one(model: PrunableModel, patterns: Patterns) -> Iterator[Patterns]:
    """Each layer alone, but for layers that share its weights."""
    dense = dict.fromkeys(patterns, str(DENSE))
    for layer in model.layers:
        same = [one.name for one in model.layers if layer.name in (one.name, one.twin)]
        if not layer.twin and patterns[layer.name] != str(DENSE):
            yield dense | {name: patterns[name] for name in same}


def _mixed(path: Path, model: PrunableModel) -> Patterns:
    """What a trace says of each layer by its name; those that it does not prune are dense.

    Raises
    ------
    WorkloadError
        If it is no trace of this model, prunes what cannot be pruned here, or nothing.
    """
    where, known = f"--mix {path}", [layer.name for layer in model.layers]
    layers = [
        layer
        for layer in import_workload(path, {}).workload.layers
        if isinstance(layer, Gemm | Conv)
    ]
    pruned = {layer.name: str(layer.pattern) for layer in layers if _is_sparse(layer.pattern)}
    if not pruned:
        raise WorkloadError(where, "prunes no layer: it has no pattern but dense ones")
    for name in pruned:
        if name not in known:
            what = f"prunes '{name}', which {model.path.name} cannot"
            raise WorkloadError(where, what, hint=did_you_mean(name, known))
    return pruned


def _is_sparse(pattern: AnyPattern | str | None) -> bool:
    return pattern is not None and parse_pattern(pattern).density != 1
