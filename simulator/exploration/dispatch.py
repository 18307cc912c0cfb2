"""Points through an executor into a store: what is known is skipped, what is missing computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import islice

from simulator.errors import SpecError
from simulator.exploration.executors import Pool
from simulator.exploration.plan import Point, Shared
from simulator.exploration.row import Batch, evaluate
from simulator.exploration.store import COMMIT_S, Store
from simulator.version import __version__

Settled = Callable[[int], None]

CHUNK_S = 0.25
"""A worker is given about so much work at a time: less costs messages, more costs balance."""
LARGEST_CHUNK = 64
LOOKED_UP = 200
IN_FLIGHT = 3
"""Chunks a worker: one that it works on, and some so that it never waits for this process."""


@dataclass
class Tally:
    """What became of the points."""

    computed: int = 0
    known: int = 0


class Dispatch:
    """Runs points of one plan, at most a few chunks in flight.

    Parameters
    ----------
    progress : callable, optional
        Called with the number of points that have just been settled.
    """

    def __init__(
        self,
        shared: Shared,
        store: Store,
        pool: Pool,
        progress: Settled | None = None,
    ) -> None:
        self.shared, self.store, self.pool = shared, store, pool
        self.progress = progress or (lambda _: None)
        self.limit = pool.workers * IN_FLIGHT
        self.size, self.tally = 1, Tally()
        self._running: set[Future[Batch]] = set()

    def run(self, points: Iterable[Point]) -> None:
        """Settle all points: after it, the store has a row of each.

        Raises
        ------
        StoreError
            If the store cannot be written; what was committed is kept.
        SpecError
            If workers die, or run another nmsim.
        """
        missing = self._missing(points)
        try:
            while chunk := list(islice(missing, self.size)):
                with self.pool.one_line():
                    future = self.pool.executor.submit(evaluate, self.shared, chunk)
                self._running.add(future)
                self._collect(self.limit - 1)
            self._collect(0)
        finally:
            self.store.flush()

    def _missing(self, points: Iterable[Point]) -> Iterator[Point]:
        """Points without a row, each once, although others may be equal."""
        seen: set[bytes] = set()
        points = iter(points)
        while some := list(islice(points, LOOKED_UP)):
            known = self.store.known([point.key for point in some])
            renamed = {}
            for point in some:
                if point.key in seen:
                    self.progress(1)
                    continue
                seen.add(point.key)
                if point.key not in known:
                    yield point
                    continue
                if not point.settings.items() <= known[point.key].items():
                    renamed[point.key] = point.settings
                self.tally.known += 1
                self.progress(1)
            self.store.name_settings(renamed)

    def _collect(self, most: int) -> None:
        """Take in what is finished, and wait until at most so many chunks are left."""
        patience = 0.0
        while self._running:
            done, self._running = wait(self._running, patience, FIRST_COMPLETED)
            for future in sorted(done, key=Future.cancelled):  # what is lost ends the sweep
                with self.pool.one_line():
                    batch = future.result()
                self._take(batch)
            self.store.flush_if_due()
            self.pool.check()
            if len(self._running) <= most:
                return
            patience = COMMIT_S

    def _take(self, batch: Batch) -> None:
        if batch.version != __version__:
            raise SpecError("workers", "run another nmsim", got=batch.version, want=__version__)
        self.store.add(batch.rows)
        self.tally.computed += len(batch.rows)
        self.progress(len(batch.rows))
        each = batch.seconds / len(batch.rows)
        self.size = max(1, min(LARGEST_CHUNK, 2 * self.size, int(CHUNK_S / max(each, 1e-9))))
