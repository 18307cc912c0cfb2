"""Is every fitted number declared, once, and does it move when a row is left out?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from leave_one_out import FITS, declared
from results import EVERY_DATA_SET, result_of

from simulator import load_hardware
from simulator.validation import DATASETS
from simulator.validation.fitted import (
    FITTED,
    MOST_CONDITIONS,
    READ_OFF,
    Fitted,
    Kind,
    ReadOff,
    rows_seen,
)
from simulator.validation.fitting import Fit

CONFIGS = Path(__file__).parents[2] / "configs"
CONSTANTS = [fitted for fitted in FITTED if fitted.kind is Kind.CONSTANT]
CONDITIONS = [fitted for fitted in FITTED if fitted.kind is Kind.CONDITION]


@pytest.mark.parametrize("number", [*CONSTANTS, *READ_OFF], ids=lambda n: f"{n.of} {n.key}")
def test_presets_have_the_declared_values(number: Fitted | ReadOff) -> None:
    value: object = load_hardware(number.of)
    for name in number.key.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    assert float(value) == pytest.approx(number.value, rel=1e-12)  # type: ignore[arg-type]  # a number


def _commented(words: str) -> Iterator[tuple[str, str]]:
    """Presets and last parts of keys whose comments have those words, where no model says so."""
    for path in CONFIGS.glob("*.yaml"):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.match(rf"\s*(\w+): .*#(?! Model).*\b(?:{words})\b", line)
            if found:
                yield path.stem, found[1]


def test_what_a_preset_calls_fitted_is_declared() -> None:
    declared = Counter((fitted.of, fitted.key.split(".")[-1]) for fitted in CONSTANTS)
    assert Counter(_commented("fitted")) == declared


def test_what_a_preset_reads_off_the_curves_is_declared() -> None:
    """Comparisons with plain reads beside another number are none of them."""
    read = Counter((number.of, number.key.split(".")[-1]) for number in READ_OFF)
    found = Counter(
        item for item in _commented("gpu-benches") if not item[1].endswith("efficiency_ratio")
    )
    assert found <= read
    assert sum(found.values()) == sum(
        number.data_set.startswith("memory") and "efficiency" not in number.key
        for number in READ_OFF
    )


def test_conditions_are_few_and_belong_to_data_sets() -> None:
    counts = Counter(condition.of for condition in CONDITIONS)
    assert set(counts) <= set(DATASETS)
    assert max(counts.values()) <= MOST_CONDITIONS


@pytest.mark.slow
@pytest.mark.parametrize("fitted", FITTED, ids=lambda fitted: f"{fitted.of} {fitted.key}")
def test_a_fit_saw_rows_that_count(fitted: Fitted) -> None:
    for name, rows in fitted.seen.items():
        assert 0 < rows <= len(result_of(name).counted)


@pytest.mark.parametrize("name", EVERY_DATA_SET)
def test_rows_that_are_marked_are_those_that_fits_saw(name: str) -> None:
    marked = [point for point in result_of(name).points if point.fitted]
    assert len(marked) == rows_seen(name)
    assert not any(point.set_aside for point in marked)


@pytest.fixture(scope="module")
def fits() -> list[Fit]:
    return [fit() for fit in FITS]


@pytest.mark.slow
def test_every_fitted_number_is_fitted_again(fits: list[Fit]) -> None:
    again = Counter((fit.of, key) for fit in fits for key in fit.keys)
    assert again == Counter((fitted.of, fitted.key) for fitted in FITTED)


@pytest.mark.slow
def test_spread_and_error_are_those_of_leave_one_out(fits: list[Fit]) -> None:
    """To the digit that the documents print."""
    for fit in fits:
        for fitted in declared(fit):
            assert f"{fit.spread_ratio(fitted.key):.3f}" == f"{fitted.spread_ratio:.3f}", fitted
            assert f"{fit.left_out_ratio:.3f}" == f"{fitted.left_out_ratio:.3f}", fitted


@pytest.mark.slow
def test_declared_values_are_about_as_good_as_the_best(fits: list[Fit]) -> None:
    """Within a quarter of a per cent of error: set after looking at all six fits."""
    for fit in fits:
        values = np.array([fitted.value for fitted in declared(fit)])
        distances = np.abs(np.array(fit.settings) / values - 1).max(axis=1)
        assert distances.min() < 1e-9
        assert fit.errors[distances.argmin()].mean() - fit.fitted_ratio < 0.0025
