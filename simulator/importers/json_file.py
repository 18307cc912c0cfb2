"""JSON as other tools write it: size limited, one line of complaint, nothing but data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simulator import catalog
from simulator.errors import WorkloadError


def read_json(path: Path, limit_bytes: int) -> Any:
    """The value that a JSON file holds.

    Raises
    ------
    WorkloadError
        If it cannot be read, is larger than ``limit_bytes``, or is not JSON.
    """
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise WorkloadError(str(path), f"cannot be read: {error.strerror}") from None
    if size_bytes > limit_bytes:
        raise WorkloadError(str(path), "too large", want=f"at most {limit_bytes >> 20} MiB")
    text = catalog.text_of(path, WorkloadError)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise WorkloadError(where, f"not JSON: {error.msg}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; nested too deep
        raise WorkloadError(str(path), "not JSON that can be read") from None
