"""Quantities as people read them: three digits and the unit that suits, in text and in columns.

Whatever is printed, drawn or shown in a notebook gets its figures here. Sizes are decimal, as data
sheets state them: 1 GB is 10^9 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Unit:
    """A unit by its name, and how many of the quantity's base unit it is."""

    size: float
    name: str


def _units(base: str, least: int, most: int, of: int = 0) -> tuple[Unit, ...]:
    """Powers of 1000 of a base unit, largest first; quantities are in 1000 ** ``of`` of it."""
    prefixes = {-4: "p", -3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P"}
    return tuple(
        Unit(10.0 ** (3 * (power - of)), prefixes[power] + base)
        for power in range(most, least - 1, -1)
    )


TIME: Final = _units("s", -3, 0, of=-3)
"""Of times in nanoseconds."""
ENERGY: Final = _units("J", -4, 1, of=-4)
"""Of energies in picojoules."""
POWER: Final = _units("W", -1, 1)
SIZE: Final = (*_units("B", 1, 5), Unit(1.0, "B"))
MACS: Final = (*_units("MAC", 1, 5), Unit(1.0, "MAC"))
MAC_RATE: Final = _units("MAC/s", 2, 5)

COLUMN_TIME: Final = TIME[:-1]
"""Of columns of times, which are never finer than microseconds."""


def time(time_ns: float) -> str:
    """``1.90 s``, ``602 µs``, ``0 ns``."""
    return _text(time_ns, TIME)


def energy(energy_pj: float) -> str:
    """``602 mJ``."""
    return _text(energy_pj, ENERGY)


def power(power_w: float) -> str:
    """``317 W``."""
    return _text(power_w, POWER)


def size(size_bytes: float) -> str:
    """``28.9 GB``; fewer than a thousand bytes as they are."""
    return _text(size_bytes, SIZE)


def macs(count: float) -> str:
    """``4.09 GMAC``."""
    return _text(count, MACS)


def mac_rate(per_second: float) -> str:
    """``156 TMAC/s``."""
    return _text(per_second, MAC_RATE)


def count(number: int, one: str, many: str = "") -> str:
    """``1 launch``, ``2 launches``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(ratio: float) -> str:
    """``12.4 %``; what is more than nothing is never shown as nothing."""
    if 0 < abs(ratio) < 0.0005:
        return "<0.1 %"
    return f"{100 * ratio:.1f} %"


def signed(ratio: float) -> str:
    """A change, with its sign: ``+3.1 %``; what is more than nothing is never shown as nothing."""
    return percent(abs(ratio)) if abs(ratio) < 0.0005 else f"{100 * ratio:+,.1f} %"


def whole_percent(ratio: float) -> str:
    """A share for a label or a sentence: ``12%``, ``<1%``."""
    return "<1%" if 0 < ratio < 0.005 else f"{ratio:.0%}"


def times(ratio: float) -> str:
    """A speed-up: ``1.36x``."""
    return f"{ratio:.2f}x" if ratio < 100 else f"{ratio:,.0f}x"


def axis_unit(most: float, units: tuple[Unit, ...]) -> Unit:
    """The unit that suits an axis or a column of bars up to ``most``."""
    return next((unit for unit in units if most >= 2 * unit.size), units[-1])


@dataclass(frozen=True)
class Scale:
    """One unit and one number of decimals for figures that stand below each other."""

    unit: Unit
    decimals: int

    @classmethod
    def of(cls, values: Iterable[float], units: tuple[Unit, ...]) -> Scale:
        """The largest unit in which no value but 0 is below 1, with three digits for the smallest.

        Where values span much, a larger unit, so that none has more than six digits before its
        point.

        Parameters
        ----------
        values : iterable
            In the base unit of ``units``.
        """
        sizes = [abs(value) for value in values if value]
        least = min(sizes, default=units[-1].size)
        fine = next((unit for unit in units if least >= unit.size), units[-1])
        short = next((u for u in reversed(units) if max(sizes, default=0) < 1e6 * u.size), units[0])
        unit = max(fine, short, key=lambda unit: unit.size)
        return cls(unit, _decimals(least / unit.size, most=2))

    def text(self, value: float) -> str:
        """The figure, without its unit; what is more than nothing is never ``0.00``."""
        scaled = value / self.unit.size
        if 0 < abs(scaled) < 0.5 * 10.0**-self.decimals:
            return f"<{10.0**-self.decimals:.{self.decimals}f}"
        return f"{scaled:,.{self.decimals}f}"


def _text(value: float, units: tuple[Unit, ...]) -> str:
    """Three digits; a value that rounds up to 1000 of a unit is 1.00 of the next."""
    if not value:
        return f"0 {units[-1].name}"
    rounded = float(f"{value:.3g}")
    unit = next((unit for unit in units if abs(rounded) >= unit.size), units[-1])
    scaled = value / unit.size
    decimals = 0 if scaled == round(scaled) and unit is units[-1] else _decimals(scaled, most=6)
    return f"{scaled:,.{decimals}f} {unit.name}"


def _decimals(value: float, most: int) -> int:
    """Decimals that give three digits."""
    if not value:
        return 0
    digits = math.floor(math.log10(abs(float(f"{value:.3g}"))))
    return min(most, max(0, 2 - digits))


KIB, MIB = 1024, 1024**2


def memory_size(size_bytes: float) -> str:
    """Bytes as memories are counted: ``196 KiB``."""
    if size_bytes < KIB:
        return f"{size_bytes:g} bytes"
    return f"{size_bytes / MIB:.4g} MiB" if size_bytes >= MIB else f"{size_bytes / KIB:.4g} KiB"


def number(value: float) -> str:
    """A value of a machine's key, in its own unit."""
    return f"{value:,.5g}" if value < 1e6 else f"{value:.4g}"


def is_bytes(key: str) -> bool:
    """Whether a dotted key of a machine is a size of a memory."""
    return key.endswith(".bytes")


def written_value(key: str, value: float) -> str:
    """A value of a dotted key: a size as memories are counted, anything else as it is."""
    return memory_size(value) if is_bytes(key) else number(value)
