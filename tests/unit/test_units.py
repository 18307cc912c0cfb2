"""Are rates exact, rounded up once, and safe in int64?"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.units import (
    ACCUMULATOR_BITS,
    DTYPE_BITS,
    PS_PER_SECOND,
    Rate,
    bits_to_bytes,
    ceil_div,
    cycles_to_ps,
    exact,
    ns_to_ps,
    output_bits,
    ps_to_cycles,
)


@pytest.mark.parametrize(
    ("a", "b", "quotient"), [(0, 4, 0), (1, 4, 1), (4, 4, 1), (5, 4, 2), (-1, 4, 0), (2**70, 3, 0)]
)
def test_ceil_div_rounds_up(a: int, b: int, quotient: int) -> None:
    expected = quotient or -((-a) // b)
    assert ceil_div(a, b) == expected
    assert (ceil_div(a, b) - 1) * b < a <= ceil_div(a, b) * b


def test_bits_round_up_to_bytes_and_accumulators_take_four() -> None:
    assert [bits_to_bytes(bits) for bits in (0, 1, 8, 9, 4096)] == [0, 1, 1, 2, 512]
    assert ACCUMULATOR_BITS == 32


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (0.85, Fraction(17, 20)),
        ("0.85", Fraction(17, 20)),
        (0.1, Fraction(1, 10)),
        (24.7, Fraction(247, 10)),
        (3, Fraction(3)),
        (1e-07, Fraction(1, 10**7)),
        (1.555e12, Fraction(1_555_000_000_000)),
    ],
)
def test_exact_is_the_decimal_that_was_written(written: float | str, value: Fraction) -> None:
    assert exact(written) == value


@pytest.mark.parametrize(
    ("bytes_per_second", "num", "den"),
    [
        (10**12, 1, 1),
        (4 * 10**12, 1, 4),
        (3 * 10**9, 1000, 3),
        (Fraction(2039 * 10**9) * Fraction(85, 100), 20000, 34663),  # 1e6 / (2039 * 850)
        (64 * 1_410_000_000, 3125, 282),  # 1e12 / (64 * 1.41e9)
    ],
)
def test_a_rate_is_exact(bytes_per_second: Fraction | int, num: int, den: int) -> None:
    rate = Rate.from_bytes_per_second(Fraction(bytes_per_second))
    assert (rate.num, rate.den) == (num, den)
    assert Fraction(rate.num, rate.den) * bytes_per_second == PS_PER_SECOND


def test_a_transfer_is_rounded_up_once() -> None:
    rate = Rate(1000, 3)
    assert [rate.ps(size) for size in (0, 1, 2, 3, 4)] == [0, 334, 667, 1000, 1334]
    assert Rate(1, 4096).ps(1) == 1
    assert Rate(1, 4096).ps(4096) == 1
    assert Rate(1, 4096).ps(4097) == 2


@given(
    st.fractions(min_value=Fraction(1, 1000), max_value=10**25, max_denominator=10**9),
    st.integers(1, 2**40),
)
def test_a_transfer_takes_its_exact_time_and_at_least_a_picosecond(
    bytes_per_second: Fraction, size: int
) -> None:
    """However fast or slow: never rounded but up to the next picosecond."""
    rate = Rate.from_bytes_per_second(bytes_per_second)
    wanted = size * PS_PER_SECOND / bytes_per_second
    assert rate.ps(size) >= 1
    assert 0 <= rate.ps(size) - wanted < 1


@pytest.mark.parametrize(
    ("cycles", "hz", "ps"),
    [
        (1, 10**9, 1000),
        (1, 1_410_000_000, 710),  # 709.2
        (141, 1_410_000_000, 100_000),
        (3, 333_333_333, 9001),  # 9000.000009
        (Fraction(1, 3), 10**9, 334),
        (0, 10**9, 0),
    ],
)
def test_cycles_become_picoseconds_rounded_up(cycles: Fraction | int, hz: int, ps: int) -> None:
    assert cycles_to_ps(cycles, hz) == ps


@pytest.mark.parametrize(
    ("ps", "hz", "cycles"),
    [
        (0, 10**9, 0),
        (1, 10**9, 1),
        (1000, 10**9, 1),
        (1001, 10**9, 2),
        (100_000, 1_410_000_000, 141),
        (100_001, 1_410_000_000, 142),
    ],
)
def test_picoseconds_become_cycles_rounded_up(ps: int, hz: int, cycles: int) -> None:
    assert ps_to_cycles(ps, hz) == cycles


@given(st.integers(0, 10**12), st.integers(10**6, 10**11))
def test_whole_cycles_survive_the_way_to_picoseconds_and_back(cycles: int, hz: int) -> None:
    """Up to a clock of 1 THz a cycle is longer than the picosecond that rounding can add."""
    there_and_back = ps_to_cycles(cycles_to_ps(cycles, hz), hz)
    assert there_and_back - cycles in (0, 1)
    assert there_and_back == cycles or PS_PER_SECOND % hz


@pytest.mark.parametrize(
    ("ns", "ps"), [(0, 0), (1, 1000), (1.5, 1500), (405.7, 405_700), (0.0001, 1), (120, 120_000)]
)
def test_nanoseconds_become_picoseconds_rounded_up(ns: float, ps: int) -> None:
    assert ns_to_ps(ns) == ps


@pytest.mark.parametrize(
    ("dtype", "bits", "stored"),
    [
        ("fp32", 32, 32),
        ("tf32", 32, 32),
        ("fp16", 16, 16),
        ("bf16", 16, 16),
        ("fp8", 8, 16),
        ("int8", 8, 8),
        ("int4", 4, 4),
    ],
)
def test_bits_of_inputs_and_outputs(dtype: str, bits: int, stored: int) -> None:
    assert DTYPE_BITS[dtype] == bits
    assert output_bits(dtype) == stored
