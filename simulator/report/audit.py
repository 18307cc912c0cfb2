"""No report has an impossible account: nothing negative, sums that hold, shares of at most one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simulator.errors import AccountError
from simulator.traffic import Traffic

Figures = Mapping[str, Any]
"""Numbers by name, or mappings of such: ``{"dram": {"weights": {"read": 5}}}``."""


def audit(
    where: str,
    *,
    counts: Figures,
    sums: Mapping[str, tuple[Sequence[int], int]],
    ratios: Figures,
) -> None:
    """Refuse figures that no run can have.

    Parameters
    ----------
    where : str
        Whose figures they are: ``layer conv1``.
    counts : mapping
        Figures that are never negative, by name: bytes, picoseconds, MACs.
    sums : mapping
        Parts and their whole, by name.
    ratios : mapping
        Figures between 0 and 1: shares of time, utilisations.

    Raises
    ------
    AccountError
        At the first figure that breaks its rule; it is a fault of the model, not of the input.
    """
    if not all(count >= 0 for count in _values(counts)):
        name, count = next((name, count) for name, count in _named(counts) if not count >= 0)
        raise _error(where, f"{name} is negative", count, "at least 0")
    for name, (parts, whole) in sums.items():
        if sum(parts) != whole:
            raise _error(where, f"the parts of {name} do not add up", sum(parts), f"{whole}")
    if not all(0 <= ratio <= 1 for ratio in _values(ratios)):
        name, ratio = next((name, one) for name, one in _named(ratios) if not 0 <= one <= 1)
        raise _error(where, f"{name} is no share", ratio, "0 to 1")


def _values(figures: Figures) -> list[Any]:
    """The numbers alone, in a list, since every layer of every run is audited."""
    found: list[Any] = []
    left: list[Any] = [figures]
    while left:
        for value in left.pop().values():
            if isinstance(value, Traffic):
                found += value.sizes()
            else:
                (left if isinstance(value, dict) else found).append(value)
    return found


def _named(figures: Figures, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Numbers with their dotted names."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from _named(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _error(where: str, what: str, got: float, want: str) -> AccountError:
    return AccountError(
        where, f"its account is impossible: {what}", got=got, want=want,
        hint="this is a fault of nmsim: please report it with the machine and the layer",
    )  # fmt: skip
