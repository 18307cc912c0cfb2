"""Do ramps follow their closed forms, and end where they say?"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.sparsity import Pattern, Unstructured
from simulator.training.ramps import ROUNDINGS, SHAPES, Ramp


@pytest.mark.parametrize(
    ("shape", "progress", "pruned"),
    [("linear", 0.0, 0.0), ("linear", 0.1, 0.2), ("linear", 0.5, 1.0), ("linear", 0.9, 1.0),
     ("cubic", 0.0, 0.0), ("cubic", 0.25, 0.875), ("cubic", 0.5, 1.0), ("cubic", 1.0, 1.0)],
)  # fmt: skip
def test_how_much_is_pruned(shape: str, progress: float, pruned: float) -> None:
    """A half of the steps: s and 1 - (1 - s)^3 of twice the progress."""
    assert Ramp(0.5, shape).pruned(progress) == pytest.approx(pruned)


@pytest.mark.parametrize(
    ("rounding", "keeps"),
    [("up", [8, 7, 7, 6, 5, 4, 3, 3, 2, 1]), ("down", [8, 6, 6, 5, 4, 3, 2, 2, 1, 1]),
     ("nearest", [8, 7, 6, 6, 5, 4, 3, 2, 1, 1])],
)  # fmt: skip
def test_how_keep_is_rounded(rounding: str, keeps: list[int]) -> None:
    """8 - 7s for s = 0, 0.15, 0.25, 0.35, 0.5, 0.6, 0.75, 0.85, 0.95, 1."""
    ramp = Ramp(1.0, "linear", rounding)
    steps = (0.0, 0.15, 0.25, 0.35, 0.5, 0.6, 0.75, 0.85, 0.95, 1.0)
    found = [ramp.pattern(step, Pattern(1, 8)) for step in steps]
    assert found == [Pattern(keep, 8) for keep in keeps]


def test_what_is_rounded_up_is_halved_at_the_very_end() -> None:
    """A small group has two weights left until the last step of the ramp."""
    up, nearest = Ramp(0.5, rounding="up"), Ramp(0.5, rounding="nearest")
    assert str(up.pattern(0.499, Pattern(1, 4))) == "2:4"
    assert str(up.pattern(0.5, Pattern(1, 4))) == "1:4"
    assert str(nearest.pattern(0.24, Pattern(1, 4))) == "1:4"


def test_zeros_anywhere_are_not_rounded() -> None:
    found = Ramp(1.0, "linear").pattern(0.5, Unstructured(Fraction(1, 4)))
    assert found == Unstructured(Fraction(5, 8))


@given(
    st.floats(0.01, 1), st.sampled_from(sorted(SHAPES)), st.sampled_from(sorted(ROUNDINGS)),
    st.integers(1, 16), st.integers(0, 16), st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip
def test_ramps_begin_dense_end_exact_and_never_turn(
    end: float, shape: str, rounding: str, keep: int, more: int, one: float, other: float
) -> None:
    ramp, target = Ramp(end, shape, rounding), Pattern(keep, keep + more)
    assert ramp.pattern(0.0, target) == Pattern(target.group, target.group)
    for progress in (end, 1.0):
        assert ramp.pattern(progress, target) == target
    first, second = (ramp.pattern(step, target) for step in sorted((one, other)))
    assert isinstance(first, Pattern)
    assert isinstance(second, Pattern)
    assert target.keep <= second.keep <= first.keep
