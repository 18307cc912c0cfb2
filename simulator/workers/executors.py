"""Where work is done: in this process, threads, spawned processes, or the workers of Dask."""

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
from simulator.workers.dask import dask_pool
from simulator.workers.pool import Pool


class Serial(Executor):
    """Runs what is submitted at once, here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class _Processes(ProcessPoolExecutor):
    """Spawns its workers where Ctrl-C waits: one that is still starting would die with a trace."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if not hasattr(signal, "pthread_sigmask"):  # not a POSIX system
            return super().submit(fn, *args, **kwargs)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serial(_workers: int) -> Executor:
    return Serial()


def _threads(workers: int) -> Executor:
    return ThreadPoolExecutor(workers)


def _processes(workers: int) -> Executor:
    """Spawned: a fork would copy the threads and locks of a notebook."""
    context = multiprocessing.get_context("spawn")
    return _Processes(workers, mp_context=context, initializer=_in_worker)


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
def pool_of(kind: str, workers: int | None, scheduler: str | None) -> Iterator[Pool]:
    """Workers, as long as they are needed.

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
        with dask_pool(scheduler) as pool:
            yield pool
        return
    if kind not in EXECUTORS:
        hint = did_you_mean(kind, EXECUTORS)
        raise SpecError("--executor", "unknown executor", got=kind, hint=hint)
    count = _cores() if workers is None else workers
    if not 1 <= count <= 1024:
        raise SpecError("--workers", "out of range", got=count, want="1 to 1024")
    executor = EXECUTORS[kind](count)
    try:
        yield Pool(executor, count)
    finally:
        executor.shutdown(cancel_futures=True)


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
