"""Small sweeps that the tests share; `from specs import small`."""

from __future__ import annotations

from typing import Any


def small(**changes: Any) -> dict[str, Any]:
    """Sixteen points of two GEMMs, two of which fail: the scratchpad is too small."""
    return {
        "hardware": "nm-edge",
        "workloads": ["gemm:64x48x96", "gemm:32x32x64"],
        "patterns": ["1:1", "2:4"],
        "parameters": {"core.count": [1, 4], "core.scratchpad.bytes": [100, 65536]},
        **changes,
    }
