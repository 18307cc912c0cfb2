"""Is a network faster with sparse weights? What was published, and what the model says."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from typing import Final

from simulator.decisions.trust import Band, Outcome, band_of, outcome
from simulator.hardware import load_hardware
from simulator.validation import tables
from simulator.validation.measurement import Measurement
from simulator.validation.sparse_stacks import SOFTWARE, Row, Times, is_layer

TABLE: Final = "decisions"

FITTED_TOKENS: Final = 256
"""Of FasterTransformer's int8 rows, those of up to so many tokens have been fitted to."""


class Verdict(StrEnum):
    """What comes of deciding by the model."""

    RIGHT = "right"
    TIE = "tie"
    WRONG = "wrong"


def verdict(measured: float, predicted: float, band: Band | None) -> Verdict:
    """Whether a gain is on the side of none that the model says.

    A tie is where the model calls it one: within the band of the machine.

    Examples
    --------
    >>> band = Band("some", 0.04, 8, ("set",))
    >>> verdict(1.20, 1.10, band), verdict(0.80, 1.02, band), verdict(0.97, 1.10, band)
    (<Verdict.RIGHT: 'right'>, <Verdict.TIE: 'tie'>, <Verdict.WRONG: 'wrong'>)
    """
    told = outcome(predicted, band)
    if told is Outcome.TIE:
        return Verdict.TIE
    is_there = measured > 1 if told is Outcome.GAIN else measured < 1
    return Verdict.RIGHT if is_there else Verdict.WRONG


@cache
def band_of_preset(preset: str) -> Band | None:
    """The band of a machine as it is."""
    return band_of(load_hardware(preset))


def decided(points: Iterable[Measurement]) -> dict[Verdict, int]:
    """How many gains come to which verdict."""
    return counted(
        verdict(point.measured, point.predicted, band_of_preset(point.preset)) for point in points
    )


def counted(verdicts: Iterable[Verdict]) -> dict[Verdict, int]:
    """How many there are of each."""
    found = list(verdicts)
    return {one: found.count(one) for one in Verdict}


def measured_gain(row: Row) -> float:
    """Sparse over dense speed."""
    ratio = float(row["dense"]) / float(row["sparse"])
    return 1 / ratio if row["unit"] == "img/s" else ratio


def is_fitted(row: Row) -> bool:
    """Whether a fit has seen the row's sparse time."""
    tokens = int(row["batch"]) * int(row["seq"])
    is_int8 = (row["software"], row["dtype"]) == ("FasterTransformer", "int8")
    return is_int8 and tokens <= FITTED_TOKENS


def fitted_rows() -> list[Row]:
    """The rows that a fit has seen."""
    return [row for row in tables.read(TABLE) if is_fitted(row)]


def host_bound(row: Row) -> str:
    """Why a row says nothing of the device, if so."""
    if is_layer(row):
        return "what Python takes to call a sparse layer is not modelled"
    if row["software"] == "PyTorch eager":
        return "Python issues each operator"
    if row["software"].startswith("PyTorch") and int(row["batch"]) < LEAST_BATCH:
        return "the host is slower than the device"
    return ""


LEAST_BATCH: Final = 16
"""Of PyTorch's BERT: with fewer sequences the time does not fall any more."""


def networks_24() -> Iterable[Measurement]:
    """Gains of whole networks."""
    return [point for point, is_network in _points() if is_network]


def decisions() -> Iterable[Measurement]:
    """Gains of whole networks and of a layer by itself: all that people published."""
    return [point for point, _ in _points()]


@cache
def timed() -> tuple[tuple[Row, Times], ...]:
    """Every row, and its dense and sparse times as the model has them."""
    return tuple((row, SOFTWARE[row["software"]](row)) for row in tables.read(TABLE))


@cache
def _points() -> tuple[tuple[Measurement, bool], ...]:
    """Every row, and whether it is a network."""
    return tuple((_point(row, times), not is_layer(row)) for row, times in timed())


def gain_label(row: Row) -> str:
    """What ran, and which pattern it has over dense."""
    sizes = f"{row['batch']}x{row['seq']}"
    where = "" if row["sparse_layers"] == "all" else f" in {row['sparse_layers']}"
    return f"{row['network']} {row['dtype']} {sizes}, {row['pattern']}{where}, {row['software']}"


def _point(row: Row, times: Times) -> Measurement:
    dense_us, sparse_us = times
    return Measurement(
        gain_label(row),
        measured_gain(row),
        dense_us / sparse_us,
        part=f"{row['software']} {row['dtype']}",
        set_aside=host_bound(row),
        fitted=is_fitted(row),
        preset=row["preset"],
    )
