"""The workers of a Dask scheduler elsewhere."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from asyncio import CancelledError as CancelledTask
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from simulator.errors import SpecError
from simulator.workers.pool import Pool

CONNECT_S = 4
FIRST_WORKER_S = 6
"""A scheduler that is there answers at once; a worker that is being started takes some seconds."""
LOST_S = 6
"""So long may a cluster be silent or without a worker, which a nanny starts again in three."""
CHECK_S = 1.0
CLOSE_S = 2
SCHEMES = ("tcp", "tls")

KEPT = "with --store, what is finished is kept, and the same command goes on"


class _DaskPool(Pool):
    """The workers of a scheduler elsewhere, any of which may go away."""

    is_local = False

    def __init__(self, client: Any, where: str) -> None:
        self.client, self.where = client, where
        self.checked = self.seen = time.monotonic()
        # Not pure: else Dask hashes the machine and all layers with every chunk.
        super().__init__(client.get_executor(pure=False), self._threads(LOST_S) or 1)

    def check(self) -> None:
        now = time.monotonic()
        if now - self.checked < CHECK_S:
            return
        self.checked = now
        if self.client.status != "running":
            raise self._lost("the scheduler is gone")
        if self._threads(LOST_S):
            self.seen = time.monotonic()
        elif now - self.seen > LOST_S:
            raise self._lost(f"no worker is left, for {LOST_S} s")

    def _threads(self, patience_s: float) -> int:
        """Of all workers, as the scheduler says now."""
        with self.one_line():
            found = self.client.sync(self.client.scheduler.ncores, callback_timeout=patience_s)
        return sum(found.values())

    @contextmanager
    def one_line(self) -> Iterator[None]:
        from distributed import KilledWorker
        from distributed.client import ClosedClientError

        try:
            yield
        except (CancelledError, CancelledTask, ClosedClientError, OSError, TimeoutError):
            raise self._lost("the scheduler is gone") from None
        except KilledWorker as error:
            deaths = error.allowed_failures + 1
            raise self._lost(f"{deaths} workers died of the same points, is memory short") from None
        except (ImportError, RuntimeError) as error:  # what was sent cannot be read
            hint = "they need this nmsim and its Python"
            raise SpecError(self.where, f"its workers fail: {error}", hint=hint) from None

    def _lost(self, how: str) -> SpecError:
        return SpecError(self.where, how, hint=KEPT)


@contextmanager
def dask_pool(address: str) -> Iterator[Pool]:
    """The workers of a scheduler, which goes on when we leave.

    Raises
    ------
    SpecError
        If Dask is not installed, the scheduler cannot be reached, or has no workers.
    """
    where = f"--scheduler {address!r}" if address.split() != [address] else f"--scheduler {address}"
    with _quiet_dask():
        _check_address(address, where)
        client = _connected(address, where)
        try:
            yield _DaskPool(client, where)
        finally:
            _close(client)


def _check_address(address: str, where: str) -> None:
    """Refuse what Dask would puzzle over, or take for a wish to start a cluster of its own."""
    want = "tcp://host:port"
    try:
        parts = urlsplit(address if "://" in address else f"tcp://{address}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SpecError(where, f"not an address: {error}", want=want) from None
    is_plain = address.split() == [address] and "@" not in parts.netloc
    if not is_plain or parts.path.strip("/") or parts.query or parts.fragment or not host:
        raise SpecError(where, "not an address", want=want)
    if parts.scheme not in SCHEMES:
        hint = f"valid: {', '.join(SCHEMES)}"
        raise SpecError(where, f"not an address of Dask: {parts.scheme}://", want=want, hint=hint)
    if not port:
        raise SpecError(where, "names no port", want=want, hint="Dask's is 8786")


def _connected(address: str, where: str) -> Any:
    """A client of a scheduler that has a worker."""
    import distributed

    dask: Any = distributed  # its annotations are partial
    # One that cannot connect would be closed when it is forgotten, and wait for that.
    client_class = type("Client", (dask.Client,), {"__del__": lambda _: None})
    started = time.monotonic()
    attempt = _in_thread(
        lambda: client_class(address, timeout=CONNECT_S, set_as_default=False), CONNECT_S
    )
    if not attempt.done():
        how = f"cannot be reached: no scheduler answers within {CONNECT_S} s"
        raise SpecError(where, how)
    # Whatever listens there may answer anything, and be read as anything.
    if (error := attempt.exception()) is not None:
        raise SpecError(where, f"cannot be reached: {error}")
    client = attempt.result()
    try:
        client.wait_for_workers(1, timeout=max(1.0, started + FIRST_WORKER_S - time.monotonic()))
    except (OSError, TimeoutError):
        _close(client)
        raise SpecError(where, f"has no workers after {FIRST_WORKER_S} s") from None
    return client


def _close(client: Any) -> None:
    """Leave a scheduler alone that may be gone, and may not answer."""
    _in_thread(lambda: client.close(timeout=CLOSE_S), 2 * CLOSE_S)


def _in_thread(call: Callable[[], Any], patience_s: float) -> Future[Any]:
    """What a call gave or raised, or a future still open: one that never returns is left alone."""
    future: Future[Any] = Future()

    def answer() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # all: it goes to whoever asks
            future.set_exception(error)

    threading.Thread(target=answer, daemon=True).start()
    wait([future], patience_s)
    return future


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """Dask and what it stands on tell of a lost connection in many lines; we in one."""
    try:
        import distributed  # makes its loggers
    except ImportError:
        raise SpecError(
            "--scheduler",
            "Dask is not installed",
            hint="install the extra: pip install 'nmsim[cluster]'",
        ) from None
    assert distributed is not None
    names = ("distributed", "tornado", "asyncio", "concurrent.futures")
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    silenced = [x for x in loggers if x.name.startswith(names) and not x.disabled]
    for logger in silenced:
        logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in silenced:
            logger.disabled = False
