"""What the fields of every layer must hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from simulator.errors import WorkloadError, did_you_mean
from simulator.hardware import Hardware
from simulator.units import DTYPE_BITS

MAX_SIZE = 2**40
"""Largest size of one dimension; products are checked where they are formed."""


class Named(Protocol):
    """A layer, as far as its checks know it."""

    @property
    def name(self) -> str: ...

    @property
    def dtype(self) -> str: ...


def check_fields(layer: Named, counts: Iterable[str]) -> None:
    """Refuse counts that are no whole numbers in range, and unknown dtypes.

    Raises
    ------
    WorkloadError
    """
    for name in counts:
        value = getattr(layer, name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise WorkloadError(f"{layer.name}.{name}", "must be a whole number", got=value)
        if not 1 <= value <= MAX_SIZE:
            raise WorkloadError(
                f"{layer.name}.{name}", "out of range", got=value, want=f"1 to {MAX_SIZE}"
            )
    if not isinstance(layer.dtype, str) or layer.dtype not in DTYPE_BITS:
        raise WorkloadError(
            f"{layer.name}.dtype",
            "unknown dtype",
            got=layer.dtype,
            hint=did_you_mean(layer.dtype, DTYPE_BITS),
        )


def check_switches(layer: Named, switches: Iterable[str]) -> None:
    """Refuse what is neither True nor False.

    Raises
    ------
    WorkloadError
    """
    for name in switches:
        value = getattr(layer, name)
        if type(value) is not bool:
            raise WorkloadError(f"{layer.name}.{name}", "must be True or False", got=value)


def require_dtype(layer: Named, hardware: Hardware) -> None:
    """Refuse a dtype in which the machine does not compute.

    Raises
    ------
    WorkloadError
    """
    if layer.dtype not in hardware.dtypes:
        raise WorkloadError(
            f"layer {layer.name}",
            f"{hardware.name} does not compute in this dtype",
            got=layer.dtype,
            want=" or ".join(hardware.dtypes),
        )


def is_count(value: object, low: int, high: int) -> bool:
    """Whether it is a whole number in range."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
