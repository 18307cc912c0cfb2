"""One run of the model on every data set, for all tests that look at it."""

from dataclasses import replace
from functools import cache, partial

import pytest

from simulator.validation import DATASETS, Measurement, Validation

LONG_ROWS = (
    "decisions", "h100", "h20", "h800", "llmcompass", "memory", "networks", "rtx3090", "sparse24",
    "venom",
)  # fmt: skip
"""Beginnings of the names of data sets whose sizes take minutes where kernels are not compiled."""

EVERY_DATA_SET = [
    pytest.param(name, marks=[pytest.mark.slow] * name.startswith(LONG_ROWS)) for name in DATASETS
]


_PREDICT = {name: dataset.predict for name, dataset in DATASETS.items()}


@cache
def result_of(name: str) -> Validation:
    return Validation(DATASETS[name], tuple(_PREDICT[name]()))


def _points_of(name: str) -> list[Measurement]:
    return list(result_of(name).points)


def remember(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every data set that is asked for be predicted once in this process."""
    for name, dataset in list(DATASETS.items()):
        remembered = replace(dataset, predict=partial(_points_of, name))
        monkeypatch.setitem(DATASETS, name, remembered)
