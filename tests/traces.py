"""Profiler traces for tests, written event by event."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulator.importers import Imported, import_workload

Event = dict[str, Any]
Read = Callable[..., Imported]

CONVOLUTION = ["", "", "", "[2, 2]", "[3, 3]", "[1, 1]", "1"]
"""Stride, padding, dilation and groups, at their places."""


def event(name: str, start: float, length: float, *dims: list[int], **more: Any) -> Event:
    """A complete event as PyTorch's profiler writes it, on one thread unless told."""
    args = {"Input Dims": list(dims), "Input type": more.pop("types", ["c10::Half"] * len(dims))}
    if "values" in more:
        args["Concrete Inputs"] = more.pop("values")
    name = name if more.pop("bare", "::" in name) else f"aten::{name}"
    return {"ph": "X", "cat": "cpu_op", "name": name, "pid": 1, "tid": 7, "ts": start,
            "dur": length, "args": args, **more}  # fmt: skip


def reader(folder: Path) -> Read:
    """What is imported of a trace that holds the given events."""

    def read(*events: Event) -> Imported:
        path = folder / "step.pt.trace.json"
        path.write_text(json.dumps({"schemaVersion": 1, "traceEvents": list(events)}))
        return import_workload(path, {})

    return read
