"""An executor as whoever gives it work sees it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from simulator.errors import SpecError


class Pool:
    """An executor, and how one learns that it will never answer.

    Parameters
    ----------
    executor : Executor
    workers : int
        Items that it works on at a time.

    Attributes
    ----------
    is_local : bool
        It works on this machine.
    """

    is_local = True

    def __init__(self, executor: Executor, workers: int) -> None:
        self.executor, self.workers = executor, workers

    def check(self) -> None:
        """Called between what is finished, and a few times a second while nothing is.

        Raises
        ------
        SpecError
            If nothing will be.
        """

    @contextmanager
    def one_line(self) -> Iterator[None]:
        """What the executor raises when it breaks, as a SpecError."""
        try:
            yield
        except BrokenProcessPool:
            raise SpecError(
                "workers",
                "a worker process died",
                hint="is memory short? A script that starts workers needs "
                "`if __name__ == '__main__':`",
            ) from None
