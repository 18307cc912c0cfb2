"""Are grids complete, samples even, and constraints arithmetic and nothing else?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import SpecError
from simulator.exploration.constraints import Constraint
from simulator.exploration.space import Space, few_of, length_of, values_of
from simulator.exploration.spec import Axis, Sample


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        (Axis(values=(4, 8)), [4, 8]),
        (Axis(start=1, stop=4, step=1), [1, 2, 3, 4]),
        (Axis(start=1, stop=4, step=2), [1, 3]),
        (Axis(start=0.1, stop=0.5, step=0.1), [0.1, 0.2, 0.3, 0.4, 0.5]),
        (Axis(start=64, stop=512, factor=2), [64, 128, 256, 512]),
        (Axis(start=10, stop=12.1, factor=1.1), [10.0, 11.0, 12.1]),
        (Axis(start=7, stop=7, step=3), [7]),
    ],
)
def test_the_values_of_an_axis(axis: Axis, values: list[float]) -> None:
    assert values_of(axis) == values
    assert [type(value) for value in values_of(axis)] == [type(value) for value in values]
    assert length_of(axis) == len(values)


def test_a_long_axis_is_counted_without_listing_it() -> None:
    assert length_of(Axis(start=1, stop=10**15, step=1)) == 10**15
    assert few_of(Axis(start=1, stop=10**15, step=1), 1000) == [1, 10**15]


@given(start=st.integers(1, 1000), span=st.integers(0, 1000), step=st.integers(1, 50))
def test_a_stepped_range_is_python_s_with_its_end(start: int, span: int, step: int) -> None:
    axis = Axis(start=start, stop=start + span, step=step)
    assert values_of(axis) == list(range(start, start + span + 1, step))


def test_a_grid_has_every_combination_once() -> None:
    space = Space({"a": Axis(values=(1, 2)), "b": Axis(values=("x", "y", "z"))})
    found = [tuple(settings.values()) for settings in space]
    assert found == [(1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z")]
    assert space.size == len(found)


def test_a_space_without_axes_is_the_base_itself() -> None:
    assert list(Space({})) == [{}]


@given(points=st.integers(1, 60), seed=st.integers(0, 2**32 - 1))
def test_a_latin_hypercube_uses_every_stratum_once(points: int, seed: int) -> None:
    axes = {"a": Axis(start=0, stop=1000 * points - 1), "b": Axis(start=0.0, stop=1.0)}
    drawn = list(Space(axes, sample=Sample(points=points, seed=seed)))
    assert sorted(settings["a"] // 1000 for settings in drawn) == list(range(points))
    assert sorted(int(settings["b"] * points - 1e-9) for settings in drawn) == list(range(points))
    assert drawn == list(Space(axes, sample=Sample(points=points, seed=seed)))


def test_a_sample_uses_the_values_of_a_list_evenly() -> None:
    space = Space({"a": Axis(values=(1, 2, 4))}, sample=Sample(points=30, seed=5))
    drawn = [settings["a"] for settings in space]
    assert {value: drawn.count(value) for value in (1, 2, 4)} == {1: 10, 2: 10, 4: 10}


def test_constraints_drop_points() -> None:
    constraint = Constraint.parse("core.count * a <= 8 and not a == 1", "c")
    space = Space({"a": Axis(values=(1, 2, 4))}, (constraint,), base={"core.count": 4})
    assert list(space) == [{"a": 2}]


VALUES = {"core.count": 4, "core.register_file.bytes": 1024, "sparsity.skip": "slots", "e": None}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("core.count <= 4", True),
        ("2 < core.count < 4", False),
        ("core.register_file.bytes // core.count == 256", True),
        ("core.register_file.bytes % 1000 - 24 == -(1 - 1)", True),
        ("core.count > 5 or core.count / 8 == 0.5", True),
        ("sparsity.skip == 'slots'", True),
        ("sparsity.skip != 'none' and not core.count > 4", True),
    ],
)
def test_what_a_constraint_can_say(text: str, holds: bool) -> None:
    assert Constraint.parse(text, "here").holds(VALUES.__getitem__) is holds


@pytest.mark.parametrize(
    "text",
    [
        "", "core.count", "core.count +", "__import__('os').system('true')", "core.count.real()",
        "core.count ** 99999999 > 1", "[1][0] < core.count", "core.count if 1 else 2",
        "(lambda: 1)() < core.count", "1 < 2", "core.count < 1j", "'a' * 10", "x := 3",
        "core.count in (1, 2)", "(" * 300 + "core.count" + ")" * 300 + " < 1", "a < " + "1" * 600,
        "f'{core.count}' == 'a'", "\0",
    ],
)  # fmt: skip
def test_what_is_no_constraint(text: str) -> None:
    with pytest.raises(SpecError, match=r"^here: "):
        Constraint.parse(text, "here")


@pytest.mark.parametrize(
    "text",
    ["core.count / 0 > 1", "core.count < sparsity.skip", "e * 2 < 1", "core.count * 'a' == 'a'"],
)
def test_a_constraint_that_cannot_be_decided_shows_its_values(text: str) -> None:
    constraint = Constraint.parse(text, "here")
    with pytest.raises(SpecError, match=r"here: cannot be decided: .* = "):
        constraint.holds(VALUES.__getitem__)
