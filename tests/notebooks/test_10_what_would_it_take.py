"""What `notebooks/10_what_would_it_take` shows, and what its prose says of it."""

from __future__ import annotations

import pytest
from kept import rerun

from simulator import simulate


def test_twice_as_fast_takes_several_changes_and_is_less_over_the_changed_machines_dense() -> None:
    found = rerun("10_what_would_it_take")
    needed, limited = found.needed, found.found
    assert limited.time_of_dense_ps / limited.time_ps == pytest.approx(1.4, abs=0.05)
    assert needed.is_reached
    factors = needed.to_frame().set_index("key").factor
    assert factors["core.scratchpad.bytes_per_cycle"] == 4
    assert factors["core.port_bytes_per_cycle"] > 1
    assert factors["core.vector.macs_per_cycle.fp16"] > 1
    assert len(needed.changes) == 3
    assert round(100 * needed.price) == 9
    assert all(change.without < needed.speedup for change in needed.changes)
    dense = simulate("nm-flex", "bert-base", "1:1").total.time_ns
    assert dense / found.after.total.time_ns >= 2.0
    assert needed.dense_after_ns < needed.dense_before_ns
    over = found.over["1:8 over it"]
    assert over["changed"] < 2.0 <= over["as it is"]
