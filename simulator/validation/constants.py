"""The physical constants that `calibrate` may fit: what each means, and which rows show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from simulator.hardware import Hardware
from simulator.sparsity import DENSE, VectorPattern
from simulator.validation.measured import MeasuredGemm
from simulator.workload import Gemm

KERNEL_START: Final = "kernel_start_ns"


@dataclass(frozen=True)
class Constant:
    """A number of a machine that data sheets do not state.

    Attributes
    ----------
    key : str
        Dotted key.
    means : str
        What the hardware does in that time, or with that bandwidth.
    shown_by : str
        Products whose times depend on it.
    low, high : float
        Where it is looked for; what comes out at an end was not found.
    step : float
        To what it is rounded.
    by_default : bool
        Whether it is fitted where nothing was asked for.
    """

    key: str
    means: str
    shown_by: str
    low: float
    high: float
    step: float
    by_default: bool = True

    def rounded(self, value: float) -> float:
        """A multiple of the step; a whole one as an integer, as YAML has it."""
        number = round(round(value / self.step) * self.step, 9)
        return int(number) if number == int(number) else number


CONSTANTS: Final = (
    Constant(
        KERNEL_START,
        "device time of a kernel besides its work",
        "short products, such as 512x512x512",
        0,
        20_000,
        50,
    ),
    Constant(
        "core.barrier_cycles",
        "warps meet between stages",
        "products with long k that the MACs bound, such as 4096x4096x4096",
        0,
        400,
        1,
    ),
    Constant(
        "core.scratchpad.efficiency_ratio",
        "bank conflicts of fragment reads",
        "large 2:4 products, which the scratchpad bounds, such as 8192x8192x8192 at 2:4",
        0.4,
        1,
        0.005,
    ),
    Constant(
        "memory.dram.efficiency_ratio",
        "refresh, turnaround and open pages",
        "products with few columns and weights larger than L2, such as 16384x16x16384",
        0.4,
        1,
        0.005,
    ),
    Constant(
        "clock_hz",
        "clock under load; rather read it off nvidia-smi and --set it",
        "products of many sizes that the MACs bound, from 2048x2048x2048 on",
        500_000_000,
        3_000_000_000,
        5_000_000,
        by_default=False,
    ),
)
"""Few, and each with a cause: there is no factor here that a kernel or a size could hide behind.
Bandwidths and latencies of L2 are read off microbenchmarks, which show them better than products.
"""


def constants_of(hardware: Hardware, rows: Iterable[MeasuredGemm]) -> dict[str, Constant]:
    """The constants by the key under which the machine has them, for the libraries of these rows.

    A library may have a barrier of its own. What a machine has is within the range.
    """
    names = {_library(hardware, row.gemm) for row in rows}
    found = {}
    for constant in CONSTANTS:
        for key in _keys(constant, hardware, sorted(names)):
            value = value_of(hardware, key)
            low, high = min(constant.low, value), max(constant.high, value)
            found[key] = replace(constant, low=low, high=high)
    return found


def _library(hardware: Hardware, gemm: Gemm) -> str:
    """The library that runs a product in its own pattern."""
    name = hardware.library.of(is_dense=gemm.pattern == DENSE, dtype=gemm.dtype)
    pattern = gemm.pattern
    together = pattern.rows if isinstance(pattern, VectorPattern) else 0
    return hardware.vector_library(together) or name


def _keys(constant: Constant, hardware: Hardware, names: Sequence[str]) -> list[str]:
    own = OWNED.get(constant.key)
    if own is None:
        return [constant.key]
    keys = [
        constant.key if own(hardware, name) is None else f"libraries.{name}.{_last(constant.key)}"
        for name in names
    ]
    return list(dict.fromkeys(keys))


OWNED: Final[dict[str, Callable[[Hardware, str], float | None]]] = {
    "core.barrier_cycles": lambda hardware, name: hardware.libraries[name].barrier_cycles,
}
"""What a library may have of its own instead of the machine's."""


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def value_of(hardware: Hardware, key: str) -> float:
    """What a machine says under a dotted key."""
    value: Any = hardware
    for name in key.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value if isinstance(value, int) else float(value)
