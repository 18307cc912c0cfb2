"""Is the front exactly what no other point dominates?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from specs import small

from simulator import pareto_front, sweep
from simulator.errors import SpecError
from simulator.exploration.pareto import front

COSTS = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.tuples(*[st.integers(0, 6)] * width), min_size=1, max_size=40)
)


@given(COSTS)
def test_the_front_is_what_nobody_dominates(costs: list[tuple[int, ...]]) -> None:
    def dominated(one: tuple[int, ...]) -> bool:
        return any(
            other != one and all(a <= b for a, b in zip(other, one, strict=True)) for other in costs
        )

    kept = front(np.array(costs, dtype=float))
    assert sorted(kept) == [i for i, cost in enumerate(costs) if not dominated(cost)]
    assert [costs[i] for i in kept] == sorted(costs[i] for i in kept)


FRAME = pd.DataFrame(
    {
        "workload": ["a", "a", "a", "b", "b"],
        "time_ns": [1.0, 2.0, 3.0, 9.0, None],
        "energy_pj": [5.0, 4.0, 4.5, 9.0, 1.0],
        "mac_utilization": [0.1, 0.2, 0.9, 0.5, 0.5],
        "area_mm2": [None] * 5,
    }
)


def test_a_front_a_workload_without_failed_rows() -> None:
    assert list(pareto_front(FRAME)["time_ns"]) == [1.0, 2.0, 9.0]
    assert list(pareto_front(FRAME, by=())["time_ns"]) == [1.0, 2.0]


def test_what_is_to_be_large() -> None:
    found = pareto_front(FRAME, ["energy_pj"], ["mac_utilization"])
    assert list(found["energy_pj"]) == [4.0, 4.5, 1.0]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["time_n"], "did you mean 'time_ns'"),
        (["area_mm2"], "no row has a number"),
        (["workload"], "no row has a number"),
        ([], "at least one"),
    ],
)
def test_figures_that_are_none(names: list[str], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        pareto_front(FRAME, names)


def test_names_may_be_one_text_and_frames_may_be_put_together() -> None:
    first = sweep(small()).to_frame()
    both = pd.concat([first, first])
    front = pareto_front(both, "time_ns", by="workload")
    alone = pareto_front(first, ["time_ns"])
    assert list(front["time_ns"]) == [time for time in alone["time_ns"] for _ in range(2)]
    assert set(pareto_front(first, maximize="mac_utilization")["mac_utilization"]) == {
        group["mac_utilization"].max() for _, group in first.groupby("workload")
    }
    with pytest.raises(SpecError, match="the same figure twice"):
        pareto_front(first, "time_ns", "time_ns")
