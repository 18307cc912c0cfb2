"""A store: one SQLite file, rows of one kind, each found by the hash of all that decides it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Generic, Self, TypeVar

from simulator.errors import StoreError
from simulator.store import database
from simulator.store.kind import Kind, R
from simulator.store.record import record_of, row_of

T = TypeVar("T")

COMMIT_S, COMMIT_ROWS = 0.5, 500
"""A commit waits for the disk: rows are committed together, at the latest after so long."""
LOCKED_S = 5.0
LOOKUP = 500
NAMED = 3
"""So many rows that are not as they were written are named."""


class Store(Generic[R]):
    """Rows of one kind, in a file or in memory.

    A row is there whole or not at all, and once: whoever is killed loses what was computed since
    the last commit, which is half a second. A row that is not as it was written is none: to read,
    it is left out; whoever writes drops it, so that it is computed again.

    Parameters
    ----------
    kind : Kind
    path : Path, optional
        Created if missing; None keeps rows in memory.
    must_exist : bool
        Only read what is there.

    Attributes
    ----------
    changed : list of str
        Rows that were not as they were written, by number and key.
    remark : str or None
        What holds for all rows, as it was last said.

    Raises
    ------
    StoreError
        If the file is no store, or one of other rows or another version, is damaged, locked or
        unreadable. It is then left as it was.
    """

    def __init__(
        self, kind: Kind[R], path: str | Path | None = None, *, must_exist: bool = False
    ) -> None:
        self.kind = kind
        self.path = None if path is None else Path(path)
        self.changed: list[str] = []
        self._pending: list[R] = []
        self._committed_at = time.monotonic()
        self._columns = [*(column.name for column in kind.columns), "checksum"]
        self._connection, self.remark = database.open_database(
            kind, self.path, must_exist=must_exist, patience_s=LOCKED_S
        )
        if not must_exist:
            self._drop_changed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.flush()
        finally:
            self.close()

    def known(self, keys: Sequence[bytes]) -> dict[bytes, R]:
        """The rows of some keys, of those that have one."""
        pending = {row.key: row for row in self._pending}
        return {key: pending[key] for key in keys if key in pending} | self._found(keys)

    def add(self, rows: Iterable[R]) -> None:
        """Keep rows; a key that is there already stays as it is."""
        self._pending += rows
        self.flush_if_due()

    def amend(self, items: Mapping[bytes, T], amended: Callable[[R, T], R]) -> None:
        """Change rows, by key: what is to be kept of a row as it is now, and of an item."""
        if not items:
            return
        self.flush()
        values = ", ".join(f"{name} = ?" for name in self._columns)
        update = f"UPDATE {self.kind.table} SET {values} WHERE key = ?"
        with self._errors(), self._transaction():
            for key, row in self._found(list(items)).items():
                record = record_of(self.kind, amended(row, items[key]))
                self._connection.execute(update, (*record, key))

    def say(self, remark: str | None) -> None:
        """Remember what holds for all rows, if anything is said."""
        if remark is None or remark == self.remark:
            return
        with self._errors(), self._transaction():
            self._connection.execute("UPDATE about SET remark = ?", (remark,))
        self.remark = remark

    def flush_if_due(self) -> None:
        waited = time.monotonic() - self._committed_at
        if self._pending and (waited >= COMMIT_S or len(self._pending) >= COMMIT_ROWS):
            self.flush()

    def flush(self) -> None:
        """Commit what is pending."""
        if self._pending:
            marks = ", ".join("?" * len(self._columns))
            insert = f"INSERT OR IGNORE INTO {self.kind.table} VALUES ({marks})"
            records = [record_of(self.kind, row) for row in self._pending]
            with self._errors(), self._transaction():
                self._connection.executemany(insert, records)
            self._pending.clear()
        self._committed_at = time.monotonic()

    def rows(self, keys: Sequence[bytes] | None = None) -> list[R]:
        """The rows of some keys in their order, or all, ordered by what they are."""
        self.flush()
        if keys is None:
            rows, _ = self._sorted_out()
            return sorted(rows, key=self.kind.order)
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

    def _select(self, *more: str) -> str:
        return f"SELECT {', '.join((*more, *self._columns))} FROM {self.kind.table}"

    def _found(self, keys: Sequence[bytes]) -> dict[bytes, R]:
        """The rows of some keys, of those that have one."""
        found: dict[bytes, R] = {}
        with self._errors():
            for start in range(0, len(keys), LOOKUP):
                some = keys[start : start + LOOKUP]
                marks = ", ".join("?" * len(some))
                records = self._connection.execute(f"{self._select()} WHERE key IN ({marks})", some)
                rows = (row_of(self.kind, record) for record in records)
                found |= {row.key: row for row in rows if row is not None}
        return found

    def _sorted_out(self) -> tuple[list[R], list[int]]:
        """All rows that are as they were written; and the numbers of the others, which are told."""
        rows, others = [], []
        self.changed.clear()
        with self._errors():
            for number, *record in self._connection.execute(self._select("rowid")):
                row = row_of(self.kind, record)
                if row is not None:
                    rows.append(row)
                    continue
                key = record[self._columns.index("key")]
                named = f", key {key.hex()[:12]}" if isinstance(key, bytes) else ""
                self.changed.append(f"row {number}{named}")
                others.append(number)
        return rows, others

    def _drop_changed(self) -> None:
        """Make room for rows that are computed again."""
        _, numbers = self._sorted_out()
        if numbers:
            with self._errors(), self._transaction():
                delete = f"DELETE FROM {self.kind.table} WHERE rowid = ?"
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
