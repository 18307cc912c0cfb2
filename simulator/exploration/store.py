"""A store of runs: one SQLite file, a row a point, found by the hash of all that decides it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator.errors import StoreError
from simulator.exploration import database
from simulator.exploration.record import COLUMNS, record_of, row_of
from simulator.exploration.row import Row
from simulator.exploration.space import Settings

COMMIT_S, COMMIT_ROWS = 0.5, 500
"""A commit waits for the disk: rows are committed together, at the latest after so long."""
LOCKED_S = 5.0
LOOKUP = 500
NAMED = 3
"""So many rows that are not as they were written are named."""

_RECORD = f"{', '.join(COLUMNS)}, checksum"
_INSERT = f"INSERT OR IGNORE INTO points VALUES ({', '.join('?' * (len(COLUMNS) + 1))})"


class Store:
    """Rows of points, in a file or in memory.

    A row is there whole or not at all, and once: whoever is killed loses what was computed since
    the last commit, which is half a second. A row that is not as it was written is none: to read,
    it is left out; whoever writes drops it, so that it is computed again.

    Parameters
    ----------
    path : Path, optional
        Created if missing; None keeps rows in memory.
    must_exist : bool
        Only read what is there.

    Attributes
    ----------
    changed : list of str
        Rows that were not as they were written, by number and key.
    baseline : str or None
        The pattern that the last spec to name one compares with.

    Raises
    ------
    StoreError
        If the file is no store, or one of another version, is damaged, locked or unreadable. It is
        then left as it was.
    """

    def __init__(self, path: str | Path | None = None, *, must_exist: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self.changed: list[str] = []
        self._pending: list[Row] = []
        self._committed_at = time.monotonic()
        opened = database.open_database(self.path, must_exist=must_exist, patience_s=LOCKED_S)
        self._connection, self.baseline = opened
        if not must_exist:
            self._drop_changed()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.flush()
        finally:
            self.close()

    def known(self, keys: Sequence[bytes]) -> dict[bytes, Settings]:
        """Which keys the store has, and the settings that their rows name."""
        pending = {row.key: row.settings for row in self._pending}
        found = {key: pending[key] for key in keys if key in pending}
        return found | {key: row.settings for key, row in self._found(keys).items()}

    def add(self, rows: Iterable[Row]) -> None:
        """Keep rows; a key that is there already stays as it is."""
        self._pending += rows
        self.flush_if_due()

    def name_settings(self, named: dict[bytes, Settings]) -> None:
        """Add settings to rows of machines that another sweep reached by other keys."""
        if not named:
            return
        self.flush()
        update = "UPDATE points SET settings = ?, checksum = ? WHERE key = ?"
        with self._errors(), self._transaction():
            for key, row in self._found(list(named)).items():
                record = record_of(replace(row, settings=row.settings | named[key]))
                settings = record[COLUMNS.index("settings")]
                self._connection.execute(update, (settings, record[-1], key))

    def name_baseline(self, pattern: str | None) -> None:
        """Remember what a spec compares with, if it says so."""
        if pattern is None or pattern == self.baseline:
            return
        with self._errors(), self._transaction():
            self._connection.execute("UPDATE about SET baseline = ?", (pattern,))
        self.baseline = pattern

    def flush_if_due(self) -> None:
        waited = time.monotonic() - self._committed_at
        if self._pending and (waited >= COMMIT_S or len(self._pending) >= COMMIT_ROWS):
            self.flush()

    def flush(self) -> None:
        """Commit what is pending."""
        if self._pending:
            with self._errors(), self._transaction():
                self._connection.executemany(_INSERT, [record_of(row) for row in self._pending])
            self._pending.clear()
        self._committed_at = time.monotonic()

    def rows(self, keys: Sequence[bytes] | None = None) -> list[Row]:
        """The rows of some keys in their order, or all, ordered by what they are."""
        self.flush()
        if keys is None:
            rows, _ = self._sorted_out()
            return sorted(rows, key=_order)
        found = self._found(keys)
        missing = len(set(keys) - set(found))
        if missing:
            what = f"lost {missing} rows while they were in use"
            raise StoreError(str(self.path), what, hint="run the same command again")
        return [found[key] for key in keys]

    def check_whole(self) -> None:
        """Tell of rows that were not as they were written.

        Raises
        ------
        StoreError
            If there are any; after `rows`, which leaves them out.
        """
        if self.changed:
            hint = "the command that wrote them, run again, computes them anew"
            raise StoreError(str(self.path), f"{self.changes}; left out", hint=hint)

    @property
    def changes(self) -> str:
        """How many rows were not as they were written, and which."""
        count, named = len(self.changed), ", ".join(self.changed[:NAMED])
        more = f" and {count - NAMED} more" if count > NAMED else ""
        if count == 1:
            return f"1 row does not match its checksum: {named}"
        return f"{count} rows do not match their checksums: {named}{more}"

    def close(self) -> None:
        self._connection.close()

    def _found(self, keys: Sequence[bytes]) -> dict[bytes, Row]:
        """The rows of some keys, of those that have one."""
        found: dict[bytes, Row] = {}
        with self._errors():
            for start in range(0, len(keys), LOOKUP):
                some = keys[start : start + LOOKUP]
                marks = ", ".join("?" * len(some))
                sql = f"SELECT {_RECORD} FROM points WHERE key IN ({marks})"
                rows = map(row_of, self._connection.execute(sql, some))
                found |= {row.key: row for row in rows if row is not None}
        return found

    def _sorted_out(self) -> tuple[list[Row], list[int]]:
        """All rows that are as they were written; and the numbers of the others, which are told."""
        rows, others = [], []
        self.changed.clear()
        with self._errors():
            for number, *record in self._connection.execute(f"SELECT rowid, {_RECORD} FROM points"):
                row = row_of(record)
                if row is not None:
                    rows.append(row)
                    continue
                key = record[0]
                named = f", key {key.hex()[:12]}" if isinstance(key, bytes) else ""
                self.changed.append(f"row {number}{named}")
                others.append(number)
        return rows, others

    def _drop_changed(self) -> None:
        """Make room for rows that are computed again."""
        _, numbers = self._sorted_out()
        if numbers:
            with self._errors(), self._transaction():
                delete = "DELETE FROM points WHERE rowid = ?"
                self._connection.executemany(delete, [(number,) for number in numbers])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _errors(self) -> AbstractContextManager[None]:
        return database.one_line(str(self.path))


def _order(row: Row) -> tuple[Any, ...]:
    """By name, pattern and settings; numbers in their order, before texts."""
    settings = [
        (name, (0, value, "") if isinstance(value, int | float) else (1, 0, str(value)))
        for name, value in sorted(row.settings.items())
    ]
    return (
        row.hardware,
        row.workload,
        row.pattern or "",
        settings,
        row.engine,
        row.accuracy,
        row.key,
    )
