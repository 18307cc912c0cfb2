"""The SQLite file of a store: made, checked, or refused in one line."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulator.errors import StoreError
from simulator.store.kind import Kind, R
from simulator.store.record import table_of
from simulator.version import __version__

APPLICATION_ID = 0x6E6D7369  # "nmsi"
SCHEMA = 4
"""The layout; it rises with every change of the tables, since no older store is read."""

ABOUT = "CREATE TABLE about (version TEXT NOT NULL, kind TEXT NOT NULL, remark TEXT)"
"""One row: who wrote the store, of what, and what is remarked on all of its rows."""

SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database."""


def open_database(
    kind: Kind[R], path: Path | None, *, must_exist: bool, patience_s: float
) -> tuple[sqlite3.Connection, str | None]:
    """A connection to the tables of a store, and what it remarks on its rows.

    Parameters
    ----------
    kind : Kind
    path : Path, optional
        Made if missing; None keeps all in memory.
    must_exist : bool
        Only read what is there.
    patience_s : float
        How long to wait for another process that is writing.

    Raises
    ------
    StoreError
        If the file is no store of this kind that this nmsim wrote. It is then left as it was.
    """
    if path is None:
        connection = _connect(":memory:", patience_s)
        _create(connection, kind)
        return connection, None
    existed = _check_path(kind, path, must_exist)
    with one_line(str(path)):
        connection = _connect(f"{path.absolute().as_uri()}?{_mode(path, must_exist)}", patience_s)
    try:
        with one_line(str(path)):
            if must_exist:
                connection.execute("PRAGMA query_only = ON")
            elif _is_empty(connection):
                _create(connection, kind)
            remark = _checked(connection, kind, str(path))
            if not must_exist:
                _prepare(connection)
    except BaseException:
        connection.close()
        if not existed:
            _remove(path)
        raise
    return connection, remark


@contextmanager
def one_line(where: str) -> Iterator[None]:
    """What SQLite raises, as a StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(where, error) from None


def _connect(name: str, patience_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(name, uri=True, timeout=patience_s, isolation_level=None)
    # A text that is no UTF-8 was not written by us: its checksum will tell.
    connection.text_factory = lambda data: data.decode(errors="replace")
    return connection


def _mode(path: Path, must_exist: bool) -> str:
    """How SQLite opens a file: "mode=ro" would leave the files of its log behind."""
    if not must_exist:
        return "mode=rwc"
    has_log = any(Path(f"{path}{end}").exists() for end in SIDE_FILES)
    if has_log or os.access(path.absolute().parent, os.W_OK):
        return "mode=rw"
    return "mode=ro&immutable=1"  # nobody may write there, and no log can be made


def _check_path(kind: Kind[R], path: Path, must_exist: bool) -> bool:
    """Whether there is such a file."""
    where = str(path)
    try:
        if "\0" in where:
            raise ValueError("embedded null byte")
        if path.is_dir():
            raise StoreError(where, "is a folder", want="a file name")
        if path.exists():
            if not path.is_file():
                raise StoreError(where, "is no plain file", want=f"a store of {kind.name}")
            return True
        has_folder = path.absolute().parent.is_dir()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(where[:80], f"not a file name: {reason}") from None
    if must_exist:
        hint = f"{kind.written_by} writes one"
        raise StoreError(where, "no such file", want=f"a store of {kind.name}", hint=hint)
    if not has_folder:
        raise StoreError(where, "its folder does not exist")
    return False


def _create(connection: sqlite3.Connection, kind: Kind[R]) -> None:
    """In one transaction, so that whoever is killed leaves a whole store or an empty one."""
    connection.execute("BEGIN EXCLUSIVE")
    if _is_empty(connection):  # still
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        for table in _tables(kind).values():
            connection.execute(table)
        about = (__version__, kind.name)
        connection.execute("INSERT INTO about VALUES (?, ?, NULL)", about)
    connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection) -> None:
    """Learn now, not at the first commit, whether a store can be written."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")


def _checked(connection: sqlite3.Connection, kind: Kind[R], where: str) -> str | None:
    """Refuse whatever is not a whole store of this kind and version; what it remarks."""
    if _pragma(connection, "application_id") != APPLICATION_ID:
        what = f"is a database, but not a store of {kind.name}"
        raise StoreError(where, what, hint=_ANOTHER_FILE)
    layout = _pragma(connection, "user_version")
    if layout != SCHEMA:
        raise StoreError(
            where,
            "a store of another layout",
            got=layout,
            want=str(SCHEMA),
            hint="start a new one, or read it with the nmsim that wrote it",
        )
    damage = _pragma(connection, "quick_check")
    if damage != "ok":
        raise _damaged(where, str(damage).splitlines()[-1])
    tables = _tables(kind)
    _check_table(connection, "about", tables["about"], where)
    about = connection.execute("SELECT version, kind, remark FROM about").fetchall()
    if len(about) != 1:
        raise _damaged(where, f"its table 'about' has {len(about)} rows, want 1")
    ((version, name, remark),) = about
    if name != kind.name:
        what = "a store of other rows"
        raise StoreError(where, what, got=name, want=kind.name, hint=_ANOTHER_FILE)
    _check_table(connection, kind.table, tables[kind.table], where)
    if version != __version__:
        raise StoreError(
            where,
            "a store of another nmsim, whose figures may differ",
            got=version,
            want=__version__,
            hint="start a new one",
        )
    remark = None if remark is None else str(remark)
    fault = None if remark is None else kind.fault_of(remark)
    if fault is not None:
        raise _damaged(where, fault)
    return remark


def _tables(kind: Kind[R]) -> dict[str, str]:
    """The statements that make the tables of a store, by name."""
    return {kind.table: table_of(kind), "about": ABOUT}


def _check_table(connection: sqlite3.Connection, name: str, made: str, where: str) -> None:
    """Others may have added tables of their own; ours are as we make them."""
    sql = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
    found = connection.execute(sql, (name,)).fetchone()
    if found is None:
        raise _damaged(where, f"no such table: {name}")
    if found != (made,):
        raise _damaged(where, f"its table '{name}' is not as nmsim makes it")


def _damaged(where: str, how: str) -> StoreError:
    return StoreError(where, f"is damaged: {how}", hint="move it away and start a new one")


def _remove(path: Path) -> None:
    for suffix in ("", *SIDE_FILES):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _is_empty(connection: sqlite3.Connection) -> bool:
    """A database without tables: a new file, or one whose first transaction never ended."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and _pragma(connection, "application_id") == 0


def _pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


_ANOTHER_FILE = "name another file for --store"
_KEPT = "what was committed before is kept: make room and run the same command again"
_REASONS = (
    ("SQLITE_BUSY", "is locked by another process", "wait until it has finished"),
    ("SQLITE_LOCKED", "is locked by another process", "wait until it has finished"),
    ("SQLITE_NOTADB", "is not a database", _ANOTHER_FILE),
    ("SQLITE_CORRUPT", "is damaged", "move it away and start a new one"),
    ("SQLITE_FULL", "the disk is full", _KEPT),
    ("SQLITE_IOERR", "cannot be read or written: the disk is full or failing", _KEPT),
    ("SQLITE_READONLY", "is not writable", None),
    ("SQLITE_CANTOPEN", "cannot be opened: no permission for the file or its folder", None),
    ("SQLITE_PERM", "cannot be opened: no permission", None),
)


def _store_error(where: str, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorname", "") or ""
    for start, what, hint in _REASONS:
        if code.startswith(start):
            return StoreError(where, what, hint=hint)
    return StoreError(where, f"cannot be used: {error}")
