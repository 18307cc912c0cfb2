"""Does the slower of host and device decide, kernel by kernel?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.validation.pacing import Call, paced_us

US = st.integers(0, 100)
CALLS = st.lists(st.builds(Call, US, US), max_size=20)


def test_launches_hide_behind_work() -> None:
    assert paced_us([Call(3, 20)] * 10) == 3 + 10 * 20


def test_work_hides_behind_launches() -> None:
    assert paced_us([Call(20, 3)] * 10) == 10 * 20 + 3


def test_a_slow_call_is_hidden_by_what_was_queued_before() -> None:
    assert paced_us([Call(1, 50), Call(30, 5)]) == 1 + 50 + 5
    assert paced_us([Call(1, 10), Call(30, 5)]) == 1 + 30 + 5


@given(CALLS)
def test_it_lies_between_the_longer_of_both_and_their_sum(calls: list[Call]) -> None:
    host, device = sum(call.host_us for call in calls), sum(call.device_us for call in calls)
    assert max(host, device) <= paced_us(calls) <= host + device
