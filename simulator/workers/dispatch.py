"""Items through an executor into a store: what is known is skipped, what is missing computed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

from simulator.errors import SpecError
from simulator.version import __version__
from simulator.workers.pool import Pool

CHUNK_S = 0.25
"""A worker is given about so much work at a time: less costs messages, more costs balance."""
LARGEST_CHUNK = 64
LOOKED_UP = 200
IN_FLIGHT = 3
"""Chunks a worker: one that it works on, and some so that it never waits for this process."""
WAIT_S = 0.5
"""So often stores and workers are looked after while nothing is finished."""


class Keyed(Protocol):
    """An item: its key is the one of its row."""

    @property
    def key(self) -> bytes: ...


Item = TypeVar("Item", bound=Keyed)
Row = TypeVar("Row")


class Keeper(Protocol[Row]):
    """What keeps rows: `simulator.store.store.Store` says what each of these does."""

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Row]: ...

    def add(self, rows: Iterable[Row]) -> None: ...

    def amend(self, items: Mapping[bytes, Item], amended: Callable[[Row, Item], Row]) -> None: ...

    def flush_if_due(self) -> None: ...

    def flush(self) -> None: ...


@dataclass
class Tally:
    """What became of the items."""

    computed: int = 0
    known: int = 0


@dataclass(frozen=True)
class Batch(Generic[Row]):
    """What a worker sends back."""

    rows: list[Row]
    seconds: float
    version: str


class Dispatch(Generic[Item, Row]):
    """Runs items, at most a few chunks in flight.

    Parameters
    ----------
    work : callable
        From some items to a row of each. It travels to the workers, with all that it holds.
    store : Keeper
    pool : Pool
    amended : callable, optional
        What is to be kept of a known row, and of an item that it is the row of, too.
    settled : callable, optional
        Called with the number of items that have just been settled.
    largest : int
        Items that a worker is given at a time, at most.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], list[Row]],
        store: Keeper[Row],
        pool: Pool,
        amended: Callable[[Row, Item], Row] = lambda row, _: row,
        settled: Callable[[int], None] = lambda _: None,
        largest: int = LARGEST_CHUNK,
    ) -> None:
        self.work, self.store, self.pool = work, store, pool
        self.amended, self.settled, self.largest = amended, settled, largest
        self.limit = pool.workers * IN_FLIGHT
        self.size, self.tally = 1, Tally()
        self._running: set[Future[Batch[Row]]] = set()

    def run(self, items: Iterable[Item]) -> None:
        """Settle all items: after it, the store has a row of each.

        Raises
        ------
        StoreError
            If the store cannot be written; what was committed is kept.
        SpecError
            If workers die, or run another nmsim.
        """
        missing = self._missing(items)
        try:
            while chunk := list(islice(missing, self.size)):
                with self.pool.one_line():
                    future = self.pool.executor.submit(timed, self.work, chunk)
                self._running.add(future)
                self._collect(self.limit - 1)
            self._collect(0)
        finally:
            self.store.flush()

    def _missing(self, items: Iterable[Item]) -> Iterator[Item]:
        """Items without a row, each once, although others may be equal."""
        seen: set[bytes] = set()
        items = iter(items)
        while some := list(islice(items, LOOKED_UP)):
            known = self.store.known([item.key for item in some])
            amended = {}
            for item in some:
                if item.key in seen:
                    self.settled(1)
                    continue
                seen.add(item.key)
                if item.key not in known:
                    yield item
                    continue
                if self.amended(known[item.key], item) != known[item.key]:
                    amended[item.key] = item
                self.tally.known += 1
                self.settled(1)
            self.store.amend(amended, self.amended)

    def _collect(self, most: int) -> None:
        """Take in what is finished, and wait until at most so many chunks are left."""
        patience = 0.0
        while self._running:
            done, self._running = wait(self._running, patience, FIRST_COMPLETED)
            for future in sorted(done, key=Future.cancelled):  # what is lost ends the run
                with self.pool.one_line():
                    batch = future.result()
                self._take(batch)
            self.store.flush_if_due()
            self.pool.check()
            if len(self._running) <= most:
                return
            patience = WAIT_S

    def _take(self, batch: Batch[Row]) -> None:
        if batch.version != __version__:
            raise SpecError("workers", "run another nmsim", got=batch.version, want=__version__)
        self.store.add(batch.rows)
        self.tally.computed += len(batch.rows)
        self.settled(len(batch.rows))
        each = batch.seconds / len(batch.rows)
        self.size = max(1, min(self.largest, 2 * self.size, int(CHUNK_S / max(each, 1e-9))))


def timed(work: Callable[[Sequence[Item]], list[Row]], items: Sequence[Item]) -> Batch[Row]:
    """Some items' rows, and how long they took; this is what runs in workers."""
    started = time.perf_counter()
    return Batch(work(items), time.perf_counter() - started, __version__)
