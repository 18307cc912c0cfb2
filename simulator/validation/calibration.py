"""Physical constants of a machine, fitted to a user's own measurements.

The measure is the mean absolute error. A sketch of all times around a setting is searched for its
best setting; there the next sketch is made, until nothing moves. The last one also says what would
be fitted without each row in turn. A constant stays as it is if too few rows show it, if it comes
out at an end of its range, or if it moves too much when a row is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulator.errors import ConfigError, did_you_mean
from simulator.hardware import Hardware
from simulator.quantities import count
from simulator.validation.constants import Constant, constants_of, value_of
from simulator.validation.fitting import Array, Fit
from simulator.validation.measured import MeasuredGemm
from simulator.validation.sketch import Model, Progress, Sketch, sketch

LEAST_ROWS: Final = 4
"""Rows that must show a constant."""
MOST_SPREAD: Final = 0.20
"""A constant that moves by more when a row is left out is not identified. One whose standard error
is larger is doubtful."""
MOST_SKETCHES: Final = 5


@dataclass(frozen=True)
class Calibrated:
    """A constant that was fitted.

    Attributes
    ----------
    value, before : float
        As fitted, and as the machine had it.
    shown_by : int
        Rows that show it.
    spread_ratio, uncertainty_ratio : float
        As `Fit` has them.
    """

    key: str
    constant: Constant
    value: float
    before: float
    shown_by: int
    spread_ratio: float
    uncertainty_ratio: float


@dataclass(frozen=True)
class Calibration:
    """What was fitted to measurements, what was not and why, and how far off the machine is.

    Attributes
    ----------
    left_out_ratio : float
        Mean absolute error on each row of all that is fitted without it.
    kept : dict
        Of constants that stay as they are: why.
    before_ns, after_ns : array (rows,)
        Predicted by the machine as it was, and with what was fitted.
    """

    hardware: Hardware
    rows: tuple[MeasuredGemm, ...]
    fitted: tuple[Calibrated, ...]
    left_out_ratio: float
    kept: dict[str, str]
    before_ns: Array
    after_ns: Array

    def errors(self, predicted_ns: Array) -> Array:
        """Predicted over measured, less one."""
        measured_ns: Array = np.array([row.time_ns for row in self.rows])
        return predicted_ns / measured_ns - 1

    @property
    def doubts(self) -> list[str]:
        """What is not firm, and which rows would make it so."""
        return [
            f"{one.key} may be {100 * one.uncertainty_ratio:.0f} % off (standard error): more rows "
            f"would tell, best {one.constant.shown_by}"
            for one in self.fitted
            if one.uncertainty_ratio > MOST_SPREAD
        ]

    @property
    def before_ratio(self) -> float:
        """Mean absolute error of the machine as it was."""
        return float(np.abs(self.errors(self.before_ns)).mean())

    @property
    def after_ratio(self) -> float:
        """Mean absolute error with what was fitted."""
        return float(np.abs(self.errors(self.after_ns)).mean())


def calibrate(
    hardware: Hardware,
    rows: Sequence[MeasuredGemm],
    keys: Sequence[str] = (),
    progress: Progress | None = None,
) -> Calibration:
    """Fit constants to measurements.

    Parameters
    ----------
    keys : sequence of str
        Constants to fit, as `constants_of` names them; by default all that the rows identify.
    progress : callable, optional
        Called with (settings simulated, 0, what is being done).

    Raises
    ------
    ConfigError
        If a constant is not among them, if the rows do not identify one that was asked for, or
        identify none.
    WorkloadError
        If a row cannot be simulated.
    """
    offered = constants_of(hardware, rows)
    for key in keys:
        if key not in offered:
            hint = did_you_mean(key, offered) or f"there are {', '.join(offered)}"
            raise ConfigError(f"--fit {key}", "not a constant that is fitted", hint=hint)
    model = Model(hardware, rows, progress)
    if keys:
        return _asked(model, {key: offered[key] for key in keys})
    return _default(model, {key: one for key, one in offered.items() if one.by_default})


def _asked(model: Model, constants: Mapping[str, Constant]) -> Calibration:
    """All of them, or an error that says which the rows do not identify."""
    last, fit = _settled(model, constants)
    for key, why in _not_identified(constants, last, fit):
        raise ConfigError(f"--fit {key}", f"these rows do not identify it: {why}")
    return _result(model, constants, last, fit, {})


def _default(model: Model, constants: Mapping[str, Constant]) -> Calibration:
    """Those that rows show where the machine has them, and that then come out firm."""
    start = _values(model, constants)
    first = sketch(model, constants, start)
    kept = dict(_not_shown(constants, first))
    while active := {key: one for key, one in constants.items() if key not in kept}:
        last, fit = _settled(model, active)
        found = dict(_not_identified(active, last, fit))
        if not found:
            return _result(model, active, last, fit, kept)
        key = max(found, key=fit.spread_ratio)
        kept[key] = found[key]
    key, why = next(iter(kept.items()))
    path = model.rows[0].where.rpartition(":")[0]
    raise ConfigError(path, f"these rows identify no constant; {key}: {why}")


def _values(model: Model, constants: Mapping[str, Constant]) -> dict[str, float]:
    return {key: value_of(model.hardware, key) for key in constants}


def _settled(model: Model, constants: Mapping[str, Constant]) -> tuple[Sketch, Fit]:
    """Sketches until the best setting stays where it is, and what the last one says of each row."""
    values = _values(model, constants)
    for _ in range(MOST_SKETCHES):
        last = sketch(model, constants, values)
        found = zip(constants.items(), last.best(), strict=True)
        best = {key: constant.rounded(value) for (key, constant), value in found}
        moved = any(abs(best[key] - values[key]) > 2 * constants[key].step for key in constants)
        better = model.error_ratio(best) < model.error_ratio(values)
        values = best if better else values
        if not (moved and better):
            break
    grid = last.around(np.array(list(values.values()), dtype=float))
    settings = [tuple(setting) for setting in grid.tolist()]
    return last, Fit(model.hardware.name, tuple(constants), settings, last.errors(grid))


def _not_shown(constants: Mapping[str, Constant], of: Sketch) -> Iterable[tuple[str, str]]:
    for number, (key, constant) in enumerate(constants.items()):
        shown = of.shown_by(number)
        if shown < LEAST_ROWS:
            said = count(shown, "row shows it", "rows show it")
            yield key, f"{said}, want {LEAST_ROWS}; wanted are {constant.shown_by}"


def _not_identified(
    constants: Mapping[str, Constant], last: Sketch, fit: Fit
) -> Iterable[tuple[str, str]]:
    """Which constants the rows do not identify, and why."""
    yield from _not_shown(constants, last)
    for key, constant in constants.items():
        value = constant.rounded(fit.best_value(key))
        spread = fit.spread_ratio(key)
        wanted = f"wanted are {constant.shown_by}"
        if not constant.low < value < constant.high:
            yield key, f"it comes out at {value:g}, an end of its range; {wanted}"
        elif spread > MOST_SPREAD:
            said = f"it moves by {100 * spread:.0f} % where a row is left out"
            yield key, f"{said}, want at most {100 * MOST_SPREAD:.0f} %; {wanted}"


def _result(
    model: Model, constants: Mapping[str, Constant], last: Sketch, fit: Fit, kept: dict[str, str]
) -> Calibration:
    before = _values(model, constants)
    values = {key: constant.rounded(fit.best_value(key)) for key, constant in constants.items()}
    fitted = tuple(
        Calibrated(
            key=key,
            constant=constant,
            value=values[key],
            before=before[key],
            shown_by=last.shown_by(number),
            spread_ratio=fit.spread_ratio(key),
            uncertainty_ratio=fit.uncertainty_ratio(key),
        )
        for number, (key, constant) in enumerate(constants.items())
    )
    return Calibration(
        hardware=model.hardware,
        rows=tuple(model.rows),
        fitted=fitted,
        left_out_ratio=fit.left_out_ratio,
        kept=kept,
        before_ns=model.times_ns({}),
        after_ns=model.times_ns(values),
    )
