"""How kernels are compiled, in one place for all files that hold some."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Where modules that nobody has imported yet are not found."""
    absent = dict.fromkeys((name for name in names if name not in sys.modules), None)
    sys.modules.update(absent)  # type: ignore[arg-type]  # None: as if it were not installed
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


# Numba imports SciPy to see whether there is a BLAS, and coverage in case that is at work: longer
# than loading the kernels takes. Without the one `np.convolve` is a loop in whatever it compiles,
# and all else asks for BLAS again; the other has been imported where it is at work.
with _without("scipy", "coverage"):
    import numba as numba
    import numba.np.arraymath


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
