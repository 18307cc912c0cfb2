"""How kernels are compiled, in one place for all files that hold some."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numba


def _probe() -> int:
    return 0


def _can_cache() -> bool:
    """False where neither the package's folder nor the user's cache can be written."""
    try:
        numba.njit(cache=True)(_probe)
    except RuntimeError:
        return False
    return True


# Kernels allocate nothing, so that they need no reference counts: without `_nrt: False` numba
# counts references to every array at every call, which makes an event several times as slow.
OPTIONS: dict[str, Any] = {
    "cache": _can_cache(),
    "nogil": True,
    "boundscheck": False,
    "_nrt": False,
}


def waiting(kernel: Callable[..., Any], *arguments: Any) -> Any:
    """Run a long kernel in a thread of its own, and wait for what it returns.

    A compiled loop hears no signal, but a wait does: Control-C raises ``KeyboardInterrupt`` here at
    once. The thread does not outlive the process.
    """
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(kernel(*arguments)), daemon=True)
    thread.start()
    thread.join()
    return found.pop()
