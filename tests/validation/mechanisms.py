"""What is each mechanism worth? Errors without it and with it: `make mechanisms`, minutes.

Nothing else changes: constants are not fitted again without it. The table goes into ARCHITECTURE.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

from documents import ARCHITECTURE, replace

from simulator import Gemm
from simulator.hardware import Hardware, load_hardware
from simulator.validation import gemms, gpt3, hopper, primitives, spatha, streams, validate

MODULES = (gemms, gpt3, hopper, primitives, spatha, streams)
COLUMNS = ("mechanism", "data set", "rows", "without", "with")

FP8 = ("h100-fp8", "h800-fp8", "h20-fp8")
V100 = ("v100-deepbench",)
MAGICUBE = ("magicube-fp16", "magicube-fp16-more")
ALONE = {"m": 1, "n": 1}
DEEPGEMM = "libraries.deepgemm."


@dataclass(frozen=True)
class Mechanism:
    """A mechanism, the data sets that it is there for, and how it is turned off."""

    name: str
    data_sets: tuple[str, ...]
    off: Mapping[str, object] = field(default_factory=dict)
    adds: bool = True  # false: products do not add to what Y holds


PROMOTION_OFF, MULTICAST_OFF = {DEEPGEMM + "promotion": None}, {DEEPGEMM + "cluster": ALONE}
SLICES_OFF = {"libraries.tensorop.epilogue_slice_bytes": None}

MECHANISMS = (
    Mechanism("accumulation into C, in slices", V100, SLICES_OFF, adds=False),
    Mechanism("slices of C", V100, SLICES_OFF),
    Mechanism("loads through registers", V100, {"core.async_copies": True}),
    Mechanism("a kernel for split sums", V100, {"libraries.tensorop.reduction_kernel": False}),
    Mechanism("L2 as its loop leaves it", V100, {"memory.l2.start": "cold"}),
    Mechanism("whole tiles at edges", V100, {"core.whole_tiles": False}),
    Mechanism("base clock", ("rtx3090-cusparselt", "rtx3090-dense"), {"clock_hz": 1_695_000_000}),
    Mechanism(
        "all rows of tiles before the next column",
        ("rtx3090-spatha-128", "rtx3090-spatha-64"),
        {"libraries.spatha.swizzle": 8, "libraries.spatha-64.swizzle": 8},
    ),
    Mechanism("no k-splits where cores are busy", MAGICUBE, {"libraries.cublas.busy_ratio": None}),
    Mechanism("DRAM writes apart", ("gpt3-gemm",), {"memory.dram.write_efficiency_ratio": None}),
    Mechanism("clock under load", ("llmcompass", "h100-fp8"), {"sustained.applies": False}),
    Mechanism("promotion and multicast", FP8, PROMOTION_OFF | MULTICAST_OFF),
    Mechanism("promotion, beside multicast", FP8, PROMOTION_OFF),
    Mechanism("multicast, beside promotion", FP8, MULTICAST_OFF),
    Mechanism("L2 left dirty", FP8, {"memory.l2.foreign_dirty_ratio": 0}),
    Mechanism("staged epilogues", FP8, {DEEPGEMM + "epilogue_staged": False}),
    Mechanism("tiles by waves, not by time", FP8, {DEEPGEMM + "choice": "time"}),
    Mechanism("a start of their own", ("gpt3-streams",), {"stream_start_ns": None}),
    Mechanism(
        "least interval of mma.sp",
        ("mma-sp",),
        {"core.tensor_cores.issue.sparse_interval_cycles": 0},
    ),
)


def _loaded(off: Mapping[str, object], name: str, overrides: Any = None) -> Hardware:
    """A machine without a mechanism, if it has it."""
    settings = {**(overrides or {}), **off}
    whole = load_hardware(name, overrides)
    known = {
        key: value
        for key, value in settings.items()
        if not key.startswith("libraries.") or key.split(".")[1] in whole.libraries
    }
    return load_hardware(name, known)


def _not_added(*sizes: Any, **settings: Any) -> Gemm:
    """A product that is written over what Y holds."""
    return Gemm(*sizes, **{**settings, "accumulate": False})


@contextmanager
def without(mechanism: Mechanism) -> Iterator[None]:
    """Data sets are predicted as if there were no such mechanism."""
    _forget()
    with ExitStack() as changed:
        for module in MODULES:
            load = partial(_loaded, mechanism.off)
            if hasattr(module, "load_hardware"):
                changed.enter_context(patch.object(module, "load_hardware", load))
        if not mechanism.adds:
            changed.enter_context(patch.object(gemms, "Gemm", _not_added))
        yield
    _forget()


def _forget() -> None:
    """What was computed with other machines."""
    for module in MODULES:
        for function in vars(module).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()


def errors(names: tuple[str, ...]) -> list[tuple[str, int, float]]:
    """Data set, rows that count, and their mean error in per cent."""
    return [(r.dataset.name, len(r.counted), 100 * r.mape) for r in validate(names)]


def rows(mechanism: Mechanism) -> Iterator[tuple[str, ...]]:
    """Lines of the table."""
    with without(mechanism):
        off = errors(mechanism.data_sets)
    for (name, count, worse), (_, _, better) in zip(off, errors(mechanism.data_sets), strict=True):
        yield mechanism.name, name, f"{count}", f"{worse:.1f}", f"{better:.1f}"


def main() -> None:
    lines: list[tuple[str, ...]] = []
    for mechanism in MECHANISMS:
        for line in rows(mechanism):
            print(*line, sep=" | ", file=sys.stderr)
            lines.append(line)
    replace(ARCHITECTURE, COLUMNS, lines)


if __name__ == "__main__":
    main()
