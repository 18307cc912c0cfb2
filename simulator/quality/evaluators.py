"""What a model gets right: evaluators, each of which takes a model's path and names its figures."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any, Final

from simulator.errors import WorkloadError, did_you_mean
from simulator.importers.onnx_model import parse
from simulator.quality.calibration import Calibration, model_inputs
from simulator.quality.drift import drift
from simulator.quality.foreign import Function, function_named, users_code
from simulator.quality.measured import Figure
from simulator.quality.recogniser import Recogniser, character_accuracy
from simulator.quality.text_lines import digest_of, text_lines

WHERE = "--measure"
LOWER_IS_BETTER: Final = re.compile(r"(^|[^a-z])(loss|error|perplexity)([^a-z]|$)", re.IGNORECASE)
"""Names of figures of which less is better, unless a `Figure` says which."""

LINES: Final = 72
"""So many hold the standard error of an accuracy of 99 % below 0.3 points."""
CALIBRATION_LINES: Final = 24
"""One of every font in every size."""
TO_MEASURE, TO_CALIBRATE = 0, 1


@dataclass(frozen=True)
class Question:
    """What an evaluator is made from.

    Attributes
    ----------
    model : Path
        The dense one.
    inputs, calibration : Calibration or None
        What was asked for by ``--inputs`` and by ``--calibrate``.
    seed : int
        Of whatever an evaluator draws.
    """

    model: Path
    inputs: Calibration | None = None
    calibration: Calibration | None = None
    seed: int = 0


@dataclass(frozen=True)
class Evaluator:
    """A way to measure.

    Attributes
    ----------
    name : str
    digest : str
        SHA-256 of all that decides its figures besides the model and this package.
    figures : callable
        From the path of an ONNX model to its figures by name, at least one.
    seed : int or None
        Of what it measures on, where that is drawn.
    calibration : Calibration or None
        What it calibrates on by itself, where nothing else is named.
    notes : tuple of str
    """

    name: str
    digest: str
    figures: Callable[[Path], dict[str, Figure]]
    seed: int | None = None
    calibration: Calibration | None = None
    notes: tuple[str, ...] = ()


def evaluator_of(text: str, question: Question) -> Evaluator:
    """An evaluator of `EVALUATORS` by name, or a function by ``module:function``.

    Raises
    ------
    WorkloadError
        If there is no such evaluator, or it cannot measure this model.
    """
    if text in EVALUATORS:
        return EVALUATORS[text](question)
    if ":" not in text:
        hint = f"{did_you_mean(text, EVALUATORS)}, or module:function"
        raise WorkloadError(WHERE, "no such evaluator", got=text, hint=hint)
    function = function_named(text, WHERE)
    return Evaluator(text, function.digest, partial(_called, function))


def checked_figures(named: object, where: str) -> dict[str, Figure]:
    """What a function returned: finite figures by name, at least one.

    Raises
    ------
    WorkloadError
        If it is anything else.
    """
    if not isinstance(named, Mapping):
        want = "a mapping of names to figures"
        raise WorkloadError(where, "returned no figures", want=want, got=named)
    if not named:
        raise WorkloadError(where, "returned no figures: its mapping is empty")
    return {_checked_name(name, where): _checked(name, it, where) for name, it in named.items()}


def _drift(question: Question) -> Evaluator:
    inputs = question.inputs or question.calibration
    if inputs is None:
        hint = "--inputs INPUTS.npz or module:function, or --calibrate, which serves as both"
        raise WorkloadError(f"{WHERE} drift", "no inputs to measure on", hint=hint)
    notes: tuple[str, ...] = ()
    if question.calibration is not None and question.calibration.digest == inputs.digest:
        notes = (f"drift is measured on what methods calibrate on, {inputs.name}",)

    def figures(path: Path) -> dict[str, Figure]:
        return checked_figures(drift(question.model, path, inputs.feeds()), f"{WHERE} drift")

    return Evaluator("drift", inputs.digest, figures, notes=notes)


def _text_lines(question: Question) -> Evaluator:
    recogniser = Recogniser(question.model)
    measured = text_lines(LINES, recogniser.height, question.seed, TO_MEASURE)
    calibrated = text_lines(CALIBRATION_LINES, recogniser.height, question.seed, TO_CALIBRATE)

    def figures(path: Path) -> dict[str, Figure]:
        return {"character_accuracy": character_accuracy(Recogniser(path).read(measured))}

    own = Calibration(
        f"{CALIBRATION_LINES} other lines of text",
        digest_of(calibrated),
        lambda: recogniser.feeds(calibrated),
        model_inputs(parse(question.model)),
    )
    return Evaluator("text-lines", digest_of(measured), figures, question.seed, own)


EVALUATORS: Final[dict[str, Callable[[Question], Evaluator]]] = {
    "drift": _drift,
    "text-lines": _text_lines,
}
"""Those that come with nmsim."""


def _called(function: Function, path: Path) -> dict[str, Figure]:
    """Somebody's function on a model."""
    where = f"{WHERE} {function.name}"
    with users_code(where, "raised"):
        named = function.call(path)
    return checked_figures(named, where)


def _checked_name(name: object, where: str) -> str:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise WorkloadError(where, "a figure's name is no text in one line", got=name)
    return name


def _checked(name: str, given: object, where: str) -> Figure:
    """A figure from a float, (value, standard error), or a Figure."""
    where = f"{where}: {name}"
    better = not LOWER_IS_BETTER.search(name)
    parts: Any = given if isinstance(given, tuple | list) else (given, 0.0)
    if isinstance(given, Figure):
        parts, better = (given.value, given.error), bool(given.higher_is_better)
    if len(parts) != 2 or not all(isinstance(part, Real) for part in parts):
        want = "a number, or (value, standard error)"
        raise WorkloadError(where, "no figure", want=want, got=given)
    value, error = map(_float, parts)
    if not (math.isfinite(value) and math.isfinite(error) and error >= 0):
        want = "finite numbers, an error of 0 or more"
        raise WorkloadError(where, "no figure", want=want, got=given)
    return Figure(value, error, better)


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf
