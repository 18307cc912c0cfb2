"""One run of the model on every data set, for all tests that look at it."""

from functools import cache

from simulator.validation import Validation, validate


@cache
def result_of(name: str) -> Validation:
    (result,) = validate([name])
    return result
