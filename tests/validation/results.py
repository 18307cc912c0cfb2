"""One run of the model on every data set, for all tests that look at it."""

from functools import cache

import pytest

from simulator.validation import DATASETS, Validation, validate

LONG_ROWS = (
    "decisions", "h100", "h20", "h800", "llmcompass", "memory", "networks", "rtx3090", "sparse24",
    "venom",
)  # fmt: skip
"""Beginnings of the names of data sets whose sizes take minutes where kernels are not compiled."""

EVERY_DATA_SET = [
    pytest.param(name, marks=[pytest.mark.slow] * name.startswith(LONG_ROWS)) for name in DATASETS
]


@cache
def result_of(name: str) -> Validation:
    (result,) = validate([name])
    return result
