"""No report has an impossible account: nothing negative, sums that hold, shares of at most one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.errors import AccountError


def audit(
    where: str,
    *,
    counts: Mapping[str, int],
    sums: Mapping[str, tuple[Sequence[int], int]],
    ratios: Mapping[str, float],
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
    for name, count in counts.items():
        if count < 0:
            raise _error(where, f"{name} is negative", count, "at least 0")
    for name, (parts, whole) in sums.items():
        if sum(parts) != whole:
            raise _error(where, f"the parts of {name} do not add up", sum(parts), f"{whole}")
    for name, ratio in ratios.items():
        if not 0 <= ratio <= 1:
            raise _error(where, f"{name} is no share", ratio, "0 to 1")


def _error(where: str, what: str, got: float, want: str) -> AccountError:
    return AccountError(
        where, f"its account is impossible: {what}", got=got, want=want,
        hint="this is a fault of nmsim: please report it with the machine and the layer",
    )  # fmt: skip
