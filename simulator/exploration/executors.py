"""Where points run: in this process, threads, spawned processes, or the workers of Dask."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from simulator.errors import SpecError, did_you_mean

CONNECT_S = 10


class Serial(Executor):
    """Runs what is submitted at once, here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _serial(_workers: int) -> Executor:
    return Serial()


def _threads(workers: int) -> Executor:
    return ThreadPoolExecutor(workers)


def _processes(workers: int) -> Executor:
    """Spawned: a fork would copy the threads and locks of a notebook."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_in_worker)


EXECUTORS: dict[str, Callable[[int], Executor]] = {
    "processes": _processes,
    "threads": _threads,
    "serial": _serial,
}


def _cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def executor_of(
    kind: str, workers: int | None, scheduler: str | None
) -> Iterator[tuple[Executor, int]]:
    """An executor and how many points it runs at a time.

    Parameters
    ----------
    kind : {"processes", "threads", "serial"}
    workers : int, optional
        Default: one a core that this process may use.
    scheduler : str, optional
        Address of a Dask scheduler, which then takes the place of ``kind``.

    Raises
    ------
    SpecError
        If there is no such kind, or the scheduler cannot be reached.
    """
    if scheduler is not None:
        with _dask(scheduler) as pair:
            yield pair
        return
    if kind not in EXECUTORS:
        hint = did_you_mean(kind, EXECUTORS)
        raise SpecError("--executor", "unknown executor", got=kind, hint=hint)
    count = _cores() if workers is None else workers
    if not 1 <= count <= 1024:
        raise SpecError("--workers", "out of range", got=count, want="1 to 1024")
    executor = EXECUTORS[kind](count)
    try:
        yield executor, count
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _dask(address: str) -> Iterator[tuple[Executor, int]]:
    try:
        import distributed
    except ImportError:
        raise SpecError(
            f"--scheduler {address}",
            "Dask is not installed",
            hint="install the extra: pip install 'nmsim[cluster]'",
        ) from None
    where = f"--scheduler {address}"
    dask: Any = distributed  # its annotations are partial
    try:
        client = dask.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise SpecError(where, f"cannot be reached: {error}", want="tcp://host:port") from None
    try:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            raise SpecError(where, f"has no workers after {CONNECT_S} s") from None
        yield client.get_executor(), sum(client.nthreads().values())
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "distributed":
            raise
        raise SpecError(where, f"gave up: {type(error).__name__}: {error}") from None
    finally:
        client.close()


def _in_worker() -> None:
    """The parent handles Ctrl-C; and where it is killed, its workers end, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
