"""``Row <-> record``: a row as the table of a store holds it, with a checksum."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from simulator.store.kind import Column, Kind, R

LARGEST = 2**63 - 1
"""What a store's integers hold."""
CHECKSUM_BYTES = 16

_STORED: dict[type, tuple[type, str]] = {
    bytes: (bytes, "BLOB"),
    int: (int, "INTEGER"),
    bool: (int, "INTEGER"),
    float: (float, "REAL"),
    str: (str, "TEXT"),
    dict: (str, "TEXT"),
}
"""As what a value is stored, in Python and in SQL."""


def table_of(kind: Kind[R]) -> str:
    """The statement that makes the table of a kind of row."""
    types = {column.name: _STORED[column.kind][1] for column in kind.columns}
    types["key"] += " PRIMARY KEY"
    columns = ", ".join(f"{name} {type_}" for name, type_ in types.items())
    return f"CREATE TABLE {kind.table} ({columns}, checksum BLOB)"


def record_of(kind: Kind[R], row: R) -> tuple[Any, ...]:
    """What the table holds of a row: a value a column, and their checksum."""
    record = tuple(_stored(column, getattr(row, column.name)) for column in kind.columns)
    return (*record, checksum_of(record))


def row_of(kind: Kind[R], record: Sequence[Any]) -> R | None:
    """The row of a record; None if it is not what was once written."""
    *values, checksum = record
    if checksum != checksum_of(values):
        return None
    try:
        return kind.row(*(_read(*pair) for pair in zip(kind.columns, values, strict=True)))
    except (ValueError, RecursionError):
        return None


def checksum_of(values: Sequence[Any]) -> bytes:
    """Of all values with their types, the key among them: rows that swap figures fail it, too."""
    text = ascii(tuple(values))  # the same under every version of Python, and quick
    return blake2b(text.encode(), digest_size=CHECKSUM_BYTES).digest()


def _stored(column: Column, value: Any) -> Any:
    """A value as SQLite gives it back: no truth values, no integers among floats, no -0.

    Names of files may hold bytes that are no UTF-8, and no text: they are escaped.
    """
    if value is None:
        return None
    if column.kind is dict:
        value = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    kind, _ = _STORED[column.kind]
    if kind is str:
        return str(value).encode(errors="backslashreplace").decode()
    return float(value) + 0.0 if kind is float else kind(value)


def _read(column: Column, value: Any) -> Any:
    """A value as it was before it was stored; ValueError if it cannot have been one."""
    if value is None and not column.always:
        return None
    if type(value) is not _STORED[column.kind][0]:
        raise ValueError("of another type")
    if column.kind is dict:
        value = json.loads(str(value))
        if not isinstance(value, dict):
            raise ValueError("no mapping")
    return bool(value) if column.kind is bool else value
