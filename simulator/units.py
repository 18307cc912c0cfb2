"""Units: exact rates, integer picoseconds, and the widths of number formats.

Inside an engine time is an integer count of picoseconds and every rate is a rational number of
picoseconds per byte, so that no result depends on rounding modes or on the order of additions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

PS_PER_SECOND: Final = 10**12
PS_PER_NS: Final = 1000
PS_PER_MS: Final = 10**9

DTYPE_BITS: Final[dict[str, int]] = {
    "fp32": 32,
    "tf32": 32,
    "fp16": 16,
    "bf16": 16,
    "fp8": 8,
    "int8": 8,
    "int4": 4,
    "b1": 1,
    "int32": 32,
}
"""Bits of one stored element. tf32 is stored as fp32 (NVIDIA A100 whitepaper, p. 27)."""

ACCUMULATOR_BITS: Final = 32
"""Bits of one accumulator and of one partial sum: fp32 for floats, int32 for integers."""

OUTPUT_DTYPE: Final[dict[str, str]] = {"fp8": "fp16", "b1": "int32"}
"""Format in which a layer's output is stored, where it is not the format of its inputs.
Model: integer layers requantise in their epilogue; fp8 GEMMs return fp16."""


def ceil_div(a: int, b: int) -> int:
    """``ceil(a / b)`` for integers, b > 0."""
    return -(-a // b)


def ceil_share(count: int, ratio: Fraction) -> int:
    """``ceil(count * ratio)``, exact."""
    return ceil_div(count * ratio.numerator, ratio.denominator)


def bits_to_bytes(bits: int) -> int:
    """Bytes that hold ``bits`` bits."""
    return ceil_div(bits, 8)


def output_bits(dtype: str) -> int:
    """Bits of one stored output element of a layer computed in ``dtype``."""
    return DTYPE_BITS[OUTPUT_DTYPE.get(dtype, dtype)]


@lru_cache(maxsize=4096)
def exact(value: float | int | str) -> Fraction:
    """The decimal number that a person wrote, exactly: 0.85 is 17/20."""
    return Fraction(str(value))


@dataclass(frozen=True)
class Rate:
    """Picoseconds per byte as the fraction ``num / den``, exactly.

    Engines see only the times that follow, computed here in unbounded integers and checked against
    int64 where they enter a table.
    """

    num: int
    den: int

    @classmethod
    def from_bytes_per_second(cls, bytes_per_second: Fraction) -> Rate:
        ps_per_byte = Fraction(PS_PER_SECOND) / bytes_per_second
        return cls(ps_per_byte.numerator, ps_per_byte.denominator)

    def ps(self, size_bytes: int) -> int:
        """Time of one transfer, rounded up once: ``(bytes * num + den - 1) // den``."""
        return -(-size_bytes * self.num // self.den)


@lru_cache(maxsize=4096)
def cycles_to_ps(cycles: Fraction | float, clock_hz: int) -> int:
    """Picoseconds of a count of clock cycles, as written or exact, rounded up once."""
    count = cycles if isinstance(cycles, Fraction) else exact(cycles)
    ps = count * PS_PER_SECOND / clock_hz
    return ceil_div(ps.numerator, ps.denominator)


def ps_to_cycles(time_ps: int, clock_hz: int) -> int:
    """``ceil(time_ps * hz / 10**12)``: time is primary, cycles are derived."""
    return ceil_div(time_ps * clock_hz, PS_PER_SECOND)


@lru_cache(maxsize=4096)
def ns_to_ps(time_ns: float | int) -> int:
    """Picoseconds of a time written in nanoseconds, rounded up."""
    ps = exact(time_ns) * PS_PER_NS
    return ceil_div(ps.numerator, ps.denominator)
