"""Are quantities printed with three digits and the unit that a person would choose?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import quantities
from simulator.quantities import COLUMN_TIME, ENERGY, SIZE, TIME, Scale


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (quantities.time(1.9e9), "1.90 s"),
        (quantities.time(602_000), "602 µs"),
        (quantities.time(999_960), "1.00 ms"),
        (quantities.time(999_400), "999 µs"),
        (quantities.time(0.25), "0.250 ns"),
        (quantities.time(0), "0 ns"),
        (quantities.time(7200e9), "7,200 s"),
        (quantities.energy(602e9), "602 mJ"),
        (quantities.energy(3.09e12), "3.09 J"),
        (quantities.power(317.4), "317 W"),
        (quantities.power(0.2), "200 mW"),
        (quantities.size(28.9e9), "28.9 GB"),
        (quantities.size(999), "999 B"),
        (quantities.size(0), "0 B"),
        (quantities.macs(4.089e9), "4.09 GMAC"),
        (quantities.mac_rate(155.9e12), "156 TMAC/s"),
        (quantities.count(1, "launch", "launches"), "1 launch"),
        (quantities.count(2, "launch", "launches"), "2 launches"),
        (quantities.count(0, "layer"), "0 layers"),
        (quantities.count(1200, "layer"), "1,200 layers"),
        (quantities.percent(0.1236), "12.4 %"),
        (quantities.percent(0.00001), "<0.1 %"),
        (quantities.percent(0), "0.0 %"),
        (quantities.signed(-0.0001), "<0.1 %"),
        (quantities.signed(-0.0), "0.0 %"),
        (quantities.signed(-0.0305), "-3.0 %"),
        (quantities.whole_percent(0.004), "<1%"),
    ],
)
def test_texts(text: str, want: str) -> None:
    assert text == want


@given(st.floats(1e-3, 1e15))
def test_a_text_is_right_to_three_digits(time_ns: float) -> None:
    number, unit = quantities.time(time_ns).split()
    size = next(known.size for known in TIME if known.name == unit)
    assert float(number.replace(",", "")) * size == pytest.approx(time_ns, rel=0.0051)


def test_a_column_has_one_unit_and_three_digits_for_its_smallest() -> None:
    scale = Scale.of([4110, 812, 24_664_384, 0], COLUMN_TIME)
    assert scale.unit.name == "µs"
    assert [scale.text(x) for x in (4110, 812, 24_664_384, 0)] == [
        "4.11", "0.81", "24,664.38", "0.00",
    ]  # fmt: skip
    assert Scale.of([13.4e6, 7.87e6], COLUMN_TIME).text(13.421e6) == "13.42"
    assert Scale.of([150e6, 300e6], COLUMN_TIME).text(150.4e6) == "150"
    assert Scale.of([], SIZE).unit.name == "B"


def test_a_column_that_spans_much_takes_a_larger_unit() -> None:
    """Not ten digits because one figure is small; but what is small is never nothing."""
    scale = Scale.of([2e3, 9.7e12], SIZE)
    assert scale.unit.name == "GB"
    assert scale.text(9.7e12) == "9,700.00"
    assert scale.text(2e3) == "<0.01"
    assert Scale.of([1.0, 3e12], ENERGY).text(1.0) == "<0.01"


@given(st.lists(st.floats(0, 1e16), min_size=1))
def test_a_column_is_right_to_half_of_its_last_digit(values: list[float]) -> None:
    scale = Scale.of(values, COLUMN_TIME)
    for value in values:
        text = scale.text(value)
        if not text.startswith("<"):
            shown = float(text.replace(",", "")) * scale.unit.size
            assert (
                abs(shown - value) <= 0.51 * scale.unit.size * 10.0**-scale.decimals + value / 1e9
            )
        else:
            assert value > 0
