"""Validation as records, for files: of lines of the summary, or of every figure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from simulator.described import Table
from simulator.described.validations import DECIDED, VALIDATED, VALIDATION
from simulator.validation import Measurement, Validation
from simulator.validation.advised import Decision
from simulator.validation.summary import constants, lines

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, str | float | int | bool | None]
Figure = tuple[Validation, Measurement]
"""A figure, and the line of its data set that it is of."""


@dataclass(frozen=True)
class Records:
    """What `validate` writes into a file.

    Attributes
    ----------
    records : list of dict
        Equal keys throughout; ratios where the screen has per cent.
    described : Table
        What the keys mean.
    """

    records: list[Record]
    described: Table

    def to_frame(self) -> pd.DataFrame:
        """A row a record."""
        import pandas as pd

        frame = pd.DataFrame.from_records(self.records)
        frame.attrs = self.described.attrs(frame.columns)
        return frame

    def to_json(self) -> str:
        """A list of objects."""
        return json.dumps(self.records, indent=2, ensure_ascii=False)


def worst(results: Iterable[Validation], most: int) -> list[Figure]:
    """The figures with the largest absolute errors of all data sets, of those that count."""
    figures = [(line, point) for line in lines(results) for point in line.counted]
    return sorted(figures, key=lambda figure: -abs(figure[1].error))[:most]


def every(results: Iterable[Validation]) -> list[Figure]:
    """All figures, those that do not count included."""
    return [(line, point) for line in lines(results) for point in line.points]


def line_records(results: Iterable[Validation]) -> Records:
    """A record a line of the summary."""
    return Records([_line_record(line) for line in lines(results)], VALIDATION)


def figure_records(figures: Sequence[Figure]) -> Records:
    """A record a figure."""
    return Records([_figure_record(*figure) for figure in figures], VALIDATED)


def decision_records(told: Iterable[Decision]) -> Records:
    """A record a published gain."""
    return Records([_decision_record(one) for one in told], DECIDED)


def _decision_record(one: Decision) -> Record:
    return {
        "gain": one.label,
        "published": one.published,
        "predicted": one.predicted,
        "verdict_of_predicted": one.of_predicted.value,
        "advised": one.advised,
        "verdict_of_advised": one.of_advised.value,
        "band_ratio": None if one.band is None else one.band.error_ratio,
        "reason": one.reason or None,
    }


def _line_record(line: Validation) -> Record:
    data, worst_point = line.dataset, line.worst
    return {
        "data_set": data.name,
        "title": data.title,
        "fitted": line.fitted,
        "constants": constants(line),
        "counted": len(line.counted),
        "published": len(line.points),
        "mean_error_ratio": known(line.mape),
        "mean_error_of_all_ratio": known(line.mape_of_all),
        "median_error_ratio": known(line.median),
        "signed_error_ratio": known(line.bias),
        "worst_error_ratio": None if worst_point is None else worst_point.error,
        "worst_row": None if worst_point is None else worst_point.label,
        "roofline_error_ratio": known(line.roofline_mape),
        "bound_ratio": data.bound,
    }


def _figure_record(line: Validation, point: Measurement) -> Record:
    return {
        "data_set": line.dataset.name,
        "figure": point.label,
        "machine": point.preset,
        "unit": line.dataset.unit,
        "measured": point.measured,
        "predicted": point.predicted,
        "error_ratio": point.error,
        "roofline": point.roofline,
        "mapping": point.mapping or None,
        "bound": point.bound or None,
        "macs": point.macs or None,
        "family": point.family or None,
        "part": point.part or None,
        "fitted": point.fitted,
        "set_aside": point.set_aside or None,
    }


def known(ratio: float) -> float | None:
    """None for what is not a number."""
    return None if isnan(ratio) else ratio
