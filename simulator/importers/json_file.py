"""JSON as other tools write it: size limited, one line of complaint, nothing but data.

A file may be compressed with gzip, whatever its ending.
"""

from __future__ import annotations

import gc
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulator import catalog
from simulator.errors import WorkloadError

GZIP = b"\x1f\x8b"

SMALL_BYTES = 2**24
EXPANSION = 200
"""What a compressed file may expand to: 16 MiB, or 200 times its size. Profiler traces of one step
expand 10 to 40 times; gzip reaches 1032."""

CHUNK_BYTES = 2**20


@contextmanager
def uncollected() -> Iterator[None]:
    """Without looking for cycles, of which data has none: most of the time of a large file."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_json(path: Path, limit_bytes: int) -> Any:
    """The value that a JSON file holds, compressed or not.

    Raises
    ------
    WorkloadError
        If it cannot be read, is larger than ``limit_bytes``, or is not JSON.
    """
    text = catalog.decoded(path, read_bytes(path, limit_bytes), WorkloadError)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise WorkloadError(where, f"not JSON: {error.msg}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits; nested too deep
        raise WorkloadError(str(path), "not JSON that can be read") from None


def read_bytes(path: Path, limit_bytes: int) -> bytes:
    """What a file holds, decompressed where it is gzip's.

    Raises
    ------
    WorkloadError
        If it cannot be read, is not whole, or is or becomes larger than ``limit_bytes``.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > limit_bytes:
            raise WorkloadError(str(path), "too large", want=f"at most {limit_bytes >> 20} MiB")
        with path.open("rb") as file:
            if file.read(len(GZIP)) != GZIP:
                file.seek(0)
                return file.read()
    except OSError as error:
        raise WorkloadError(str(path), f"cannot be read: {error.strerror}") from None
    return _expanded(path, min(limit_bytes, max(SMALL_BYTES, EXPANSION * size_bytes)))


def _expanded(path: Path, limit_bytes: int) -> bytes:
    """Chunk by chunk, so that what expands without end is given up early."""
    data = bytearray()
    try:
        with gzip.open(path) as file:
            while chunk := file.read(CHUNK_BYTES):
                data += chunk
                if len(data) > limit_bytes:
                    want = f"at most {limit_bytes >> 20} MiB, as its size lets expect"
                    raise WorkloadError(str(path), "expands to too much", want=want)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise WorkloadError(str(path), "not gzip that can be read") from None
    except OSError as error:
        raise WorkloadError(str(path), f"cannot be read: {error.strerror}") from None
    return bytes(data)
