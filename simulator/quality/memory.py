"""How much memory there is, and a refusal of what needs more."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import WeightsError

MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int | None:
    """What can be taken without swapping; None where the system does not say."""
    try:
        lines = MEMINFO.read_text().splitlines()
    except OSError:
        return None
    kibibytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return None if kibibytes is None else int(kibibytes) << 10


def require_memory(where: str, what: str, needed_bytes: int, hint: str) -> None:
    """Refuse what does not fit.

    Raises
    ------
    WeightsError
        With what is needed and what is there.
    """
    there = available_bytes()
    if there is not None and needed_bytes > there:
        want = f"at most {megabytes(there)}"
        raise WeightsError(where, f"{what} do not fit in memory: {megabytes(needed_bytes)}",
                           want=want, hint=hint)  # fmt: skip


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
