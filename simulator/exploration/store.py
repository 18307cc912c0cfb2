"""A store of runs: one SQLite file, a row a point, found by the hash of all that decides it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import simulator
from simulator.errors import StoreError
from simulator.exploration.row import COLUMNS, Row
from simulator.exploration.space import Settings

APPLICATION_ID = 0x6E6D7369  # "nmsi"
SCHEMA = 1
COMMIT_S, COMMIT_ROWS = 0.5, 500
"""A commit waits for the disk: rows are committed together, at the latest after so long."""
LOCKED_S = 5.0
LOOKUP = 500

_SQL_TYPES = {
    "key": "BLOB PRIMARY KEY",
    **dict.fromkeys(("time_ps", "cycles", "macs", "macs_executed"), "INTEGER"),
    **dict.fromkeys(("dram_bytes", "l2_bytes"), "INTEGER"),
    **dict.fromkeys(("mac_utilization", "energy_pj", "area_mm2"), "REAL"),
    **dict.fromkeys(("power_w", "time_error_ratio", "dram_error_ratio"), "REAL"),
    "throttled": "INTEGER",
}
_TABLE = ", ".join(f"{name} {_SQL_TYPES.get(name, 'TEXT')}" for name in COLUMNS)
_INSERT = f"INSERT OR IGNORE INTO points VALUES ({', '.join('?' * len(COLUMNS))})"


class Store:
    """Rows of points, in a file or in memory.

    A row is there whole or not at all, and once: whoever is killed loses what was computed since
    the last commit, which is half a second.

    Parameters
    ----------
    path : Path, optional
        Created if missing; None keeps rows in memory.
    must_exist : bool
        Only read what is there.

    Raises
    ------
    StoreError
        If the file is no store, or one of another version, is damaged, locked or unreadable. It is
        then left as it was.
    """

    def __init__(self, path: str | Path | None = None, *, must_exist: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self._pending: list[Row] = []
        self._committed_at = time.monotonic()
        self._connection = self._open(must_exist)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.flush()
        finally:
            self.close()

    def known(self, keys: Sequence[bytes]) -> dict[bytes, Settings]:
        """Which keys the store has, and the settings that their rows name."""
        found: dict[bytes, Settings] = {row.key: row.settings for row in self._pending}
        found = {key: found[key] for key in keys if key in found}
        with self._errors():
            for start in range(0, len(keys), LOOKUP):
                some = keys[start : start + LOOKUP]
                marks = ", ".join("?" * len(some))
                sql = f"SELECT key, settings FROM points WHERE key IN ({marks})"
                for key, settings in self._connection.execute(sql, some):
                    found[key] = json.loads(settings)
        return found

    def add(self, rows: Iterable[Row]) -> None:
        """Keep rows; a key that is there already stays as it is."""
        self._pending += rows
        self.flush_if_due()

    def name_settings(self, named: dict[bytes, Settings]) -> None:
        """Add settings to rows of machines that another sweep reached by other keys."""
        if not named:
            return
        self.flush()
        with self._errors(), self._transaction():
            for key, settings in named.items():
                old = self._connection.execute("SELECT settings FROM points WHERE key = ?", (key,))
                merged = json.loads(old.fetchone()[0]) | settings
                update = "UPDATE points SET settings = ? WHERE key = ?"
                self._connection.execute(update, (_text(merged), key))

    def flush_if_due(self) -> None:
        waited = time.monotonic() - self._committed_at
        if self._pending and (waited >= COMMIT_S or len(self._pending) >= COMMIT_ROWS):
            self.flush()

    def flush(self) -> None:
        """Commit what is pending."""
        if self._pending:
            with self._errors(), self._transaction():
                self._connection.executemany(_INSERT, [_values(row) for row in self._pending])
            self._pending.clear()
        self._committed_at = time.monotonic()

    def rows(self, keys: Sequence[bytes] | None = None) -> list[Row]:
        """The rows of some keys in their order, or all, ordered by what they are."""
        self.flush()
        sql = f"SELECT {', '.join(COLUMNS)} FROM points"
        if keys is None:
            with self._errors():
                return sorted(map(_row, self._connection.execute(sql)), key=_order)
        found: dict[bytes, Row] = {}
        with self._errors():
            for start in range(0, len(keys), LOOKUP):
                some = keys[start : start + LOOKUP]
                where = f" WHERE key IN ({', '.join('?' * len(some))})"
                rows = map(_row, self._connection.execute(sql + where, some))
                found |= {row.key: row for row in rows}
        return [found[key] for key in keys]

    def close(self) -> None:
        self._connection.close()

    def _open(self, must_exist: bool) -> sqlite3.Connection:
        if self.path is None:
            connection = self._connect(":memory:")
            self._create(connection)
            return connection
        existed = self._check_path(must_exist)
        mode = "rw" if must_exist else "rwc"  # "ro" would leave the files of its log behind
        with self._errors():
            connection = self._connect(f"{self.path.absolute().as_uri()}?mode={mode}")
        try:
            with self._errors():
                if must_exist:
                    connection.execute("PRAGMA query_only = ON")
                    self._check(connection)
                else:
                    self._prepare(connection)
        except BaseException:
            connection.close()
            if not existed:
                self._remove()
            raise
        return connection

    @staticmethod
    def _connect(name: str) -> sqlite3.Connection:
        return sqlite3.connect(name, uri=True, timeout=LOCKED_S, isolation_level=None)

    def _check_path(self, must_exist: bool) -> bool:
        """Whether there is such a file."""
        assert self.path is not None
        try:
            if self.path.is_dir():
                raise StoreError(str(self.path), "is a folder", want="a file name")
            if self.path.exists():
                return True
            has_folder = self.path.absolute().parent.is_dir()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreError(str(self.path)[:80], f"not a file name: {reason}") from None
        if must_exist:
            hint = "nmsim sweep SPEC --store writes one"
            raise StoreError(str(self.path), "no such file", want="a store of runs", hint=hint)
        if not has_folder:
            raise StoreError(str(self.path), "its folder does not exist")
        return False

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Check a store and learn now, not at the first commit, whether it can be written."""
        if _is_empty(connection):
            self._create(connection)
        self._check(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")

    @staticmethod
    def _create(connection: sqlite3.Connection) -> None:
        """In one transaction, so that whoever is killed leaves a whole store or an empty one."""
        connection.execute("BEGIN EXCLUSIVE")
        if _is_empty(connection):  # still
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.execute(f"CREATE TABLE points ({_TABLE})")
            connection.execute("CREATE TABLE about (version TEXT NOT NULL)")
            connection.execute("INSERT INTO about VALUES (?)", (simulator.__version__,))
        connection.execute("COMMIT")

    def _check(self, connection: sqlite3.Connection) -> None:
        """Refuse whatever is not a whole store of this version."""
        where = str(self.path)
        if _pragma(connection, "application_id") != APPLICATION_ID:
            hint = "name another file for --store"
            raise StoreError(where, "is a database, but not a store of runs", hint=hint)
        schema = _pragma(connection, "user_version")
        if schema != SCHEMA:
            raise StoreError(
                where,
                "a store of another layout",
                got=schema,
                want=str(SCHEMA),
                hint="start a new one, or read it with the nmsim that wrote it",
            )
        version = connection.execute("SELECT version FROM about").fetchone()[0]
        if version != simulator.__version__:
            raise StoreError(
                where,
                "a store of another nmsim, whose figures may differ",
                got=version,
                want=simulator.__version__,
                hint="start a new one",
            )
        damage = _pragma(connection, "quick_check")
        if damage != "ok":
            raise StoreError(where, f"is damaged: {str(damage).splitlines()[-1]}")

    def _remove(self) -> None:
        assert self.path is not None
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

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

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _store_error(str(self.path), error) from None


def _store_error(where: str, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorname", "") or ""
    for start, what, hint in _REASONS:
        if code.startswith(start):
            return StoreError(where, what, hint=hint)
    return StoreError(where, f"cannot be used: {error}")


_KEPT = "what was committed before is kept: make room and run the same command again"
_REASONS = (
    ("SQLITE_BUSY", "is locked by another process", "wait until it has finished"),
    ("SQLITE_LOCKED", "is locked by another process", "wait until it has finished"),
    ("SQLITE_NOTADB", "is not a database", "name another file for --store"),
    ("SQLITE_CORRUPT", "is damaged", "move it away and start a new one"),
    ("SQLITE_FULL", "the disk is full", _KEPT),
    ("SQLITE_IOERR", "cannot be read or written: the disk is full or failing", _KEPT),
    ("SQLITE_READONLY", "is not writable", None),
    ("SQLITE_CANTOPEN", "cannot be opened: no permission for the file or its folder", None),
    ("SQLITE_PERM", "cannot be opened: no permission", None),
)


def _is_empty(connection: sqlite3.Connection) -> bool:
    """A database without tables: a new file, or one whose first transaction never ended."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and _pragma(connection, "application_id") == 0


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _values(row: Row) -> tuple[Any, ...]:
    values = {name: getattr(row, name) for name in COLUMNS}
    values["settings"] = _text(row.settings)
    return tuple(values.values())


def _row(values: Sequence[Any]) -> Row:
    named = dict(zip(COLUMNS, values, strict=True))
    named["settings"] = json.loads(named["settings"])
    if named["throttled"] is not None:
        named["throttled"] = bool(named["throttled"])
    return Row(**named)


def _text(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))


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
