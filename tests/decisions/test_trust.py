"""Is a gain called one only where it is beyond the error of that very machine?"""

from __future__ import annotations

import pytest

from simulator import load_hardware
from simulator.catalog import presets
from simulator.decisions import trust
from simulator.decisions.advice.told import trust_line
from simulator.decisions.trust import Band, Outcome, band_of, outcome
from simulator.validation import DATASETS, Measurement, Validation, bands
from simulator.validation.advised import Decision

BAND = Band("some", 0.05, 8, ("set",))


def test_presets_that_speed_ups_were_measured_on_have_a_band() -> None:
    found = {name: band_of(load_hardware(name)) for name in presets("configs", ".yaml")}
    validated = {name: band for name, band in found.items() if band is not None}
    assert set(validated) == {"a100-sxm4-80gb", "rtx3090", "rtx3060", "rtx4070-ti-super", "mi300x"}
    for name, band in validated.items():
        assert band.machine == name
        assert band.rows >= 1
        assert set(band.sets) <= set(DATASETS)
        assert not band.fitted
        assert 0 < band.error_ratio < 0.5


@pytest.mark.parametrize(
    "settings",
    [{"core.count": 107}, {"library.sparse": "cutlass"}, {"memory.l2.start": "cold"}],
)
def test_a_machine_with_another_key_is_unvalidated(settings: dict[str, object]) -> None:
    assert band_of(load_hardware("a100-sxm4-80gb", settings)) is None


def test_a_name_is_no_key() -> None:
    named = load_hardware("a100-sxm4-80gb", {"name": "mine", "description": "of the lab"})
    assert band_of(named) == band_of(load_hardware("a100-sxm4-80gb"))
    other = load_hardware("nm-flex", {"name": "a100-sxm4-80gb"})
    assert band_of(other) is None


@pytest.mark.parametrize(
    ("gain", "band", "told"),
    [
        (1.049, BAND, Outcome.TIE),
        (0.951, BAND, Outcome.TIE),
        (1.051, BAND, Outcome.GAIN),
        (0.949, BAND, Outcome.LOSS),
        (1.0009, None, Outcome.TIE),
        (1.002, None, Outcome.GAIN),
        (0.998, None, Outcome.LOSS),
        (1.0, None, Outcome.TIE),
    ],
)
def test_a_tie_is_within_the_band(gain: float, band: Band | None, told: Outcome) -> None:
    assert outcome(gain, band) is told


def _set(*points: Measurement) -> Validation:
    return Validation(DATASETS["venom"], points)


def _row(machine: str, error: float, fitted: bool = False, aside: str = "") -> Measurement:
    return Measurement("row", 1, 1 + error, fitted=fitted, set_aside=aside, preset=machine)


def test_a_band_is_of_rows_that_count_and_that_no_fit_has_seen() -> None:
    rows = (_row("a", 0.1), _row("a", -0.3), _row("a", 0.9, fitted=True), _row("a", 5, aside="no"))
    only_seen = (_row("b", 0.2, fitted=True), _row("c", 0.1, aside="no"))
    made = bands.bands([_set(*rows, *only_seen)])
    assert made == [Band("a", 0.2, 2, ("venom",)), Band("b", 0.2, 1, ("venom",), fitted=True)]


def _told(advised: float, host: str = "", machine: str = "some") -> Decision:
    band = Band(machine, 0.05, 8, ("set",))
    return Decision("a gain", 1.25, 1.25, advised, band, host, None)


def test_a_band_says_how_far_plain_runs_are_off() -> None:
    """With its sign, of rows that a device decides, on this machine."""
    rows = [_told(1.5), _told(1.25), _told(9.0, host="Python"), _told(9.0, machine="other")]
    known = bands.with_plain_runs(BAND, rows)
    assert (known.plain_error_ratio, known.plain_rows) == (pytest.approx(0.1), 2)
    assert bands.with_plain_runs(BAND, rows[2:]) == BAND
    assert "A plain run, as this is one, says 10.0 % more than was measured, on average of 2" in (
        trust_line("some", known)
    )
    assert "plain" not in trust_line("some", BAND)


def test_other_figures_make_no_band() -> None:
    times = Validation(DATASETS["venom-dense"], (_row("a", 0.1),))
    assert bands.bands([times]) == []


def test_no_row_is_counted_twice() -> None:
    """`decisions` holds the rows of networks-24 once more."""
    assert "networks-24" in bands.SETS
    assert "decisions" not in bands.SETS


@pytest.mark.slow
def test_every_speed_up_names_its_machine() -> None:
    assert {point.preset for point in DATASETS["sparse24"].predict()} == {"a100-sxm4-80gb"}


def test_the_table_is_read_whole() -> None:
    lines = trust.TABLE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if not line.startswith("#")][1:]
    assert len(rows) == len(trust._bands()) == 5
