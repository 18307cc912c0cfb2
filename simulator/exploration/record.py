"""``Row <-> record``: a row as the table of a store holds it, with a checksum."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from hashlib import blake2b
from typing import Any

from simulator.exploration.row import Row
from simulator.exploration.space import Settings

COLUMNS = tuple(field.name for field in fields(Row))

_SQL_TYPES = {
    "key": "BLOB PRIMARY KEY",
    "setup": "BLOB",
    **dict.fromkeys(("time_ps", "cycles", "macs", "macs_executed"), "INTEGER"),
    **dict.fromkeys(("dram_bytes", "l2_bytes"), "INTEGER"),
    **dict.fromkeys(("mac_utilization", "energy_pj", "area_mm2"), "REAL"),
    **dict.fromkeys(("power_w", "time_error_ratio", "dram_error_ratio"), "REAL"),
    "throttled": "INTEGER",
}
_PYTHON_TYPES: dict[str, type] = {"BLOB": bytes, "INTEGER": int, "REAL": float, "TEXT": str}
_KINDS = {name: _PYTHON_TYPES[_SQL_TYPES.get(name, "TEXT").split()[0]] for name in COLUMNS}
_ALWAYS = ("key", "setup", "settings", "hardware", "workload", "engine", "accuracy")
"""Columns that no row lacks."""

TABLE = ", ".join(f"{name} {_SQL_TYPES.get(name, 'TEXT')}" for name in COLUMNS)
TABLE += ", checksum BLOB"
CHECKSUM_BYTES = 16


def record_of(row: Row) -> tuple[Any, ...]:
    """What the table holds of a row: a value a column, and their checksum."""
    values = {name: getattr(row, name) for name in COLUMNS}
    values["settings"] = _text(row.settings)
    record = tuple(_stored(_KINDS[name], value) for name, value in values.items())
    return (*record, checksum_of(record))


def row_of(record: Sequence[Any]) -> Row | None:
    """The row of a record; None if it is not what was once written."""
    *values, checksum = record
    if checksum != checksum_of(values):
        return None
    named = dict(zip(COLUMNS, values, strict=True))
    if any(type(value) is not _KINDS[name] for name, value in named.items() if value is not None):
        return None
    if None in (named[name] for name in _ALWAYS):
        return None
    try:
        named["settings"] = json.loads(named["settings"])
    except (ValueError, RecursionError):
        return None
    if not isinstance(named["settings"], dict):
        return None
    if named["throttled"] is not None:
        named["throttled"] = bool(named["throttled"])
    return Row(**named)


def checksum_of(values: Sequence[Any]) -> bytes:
    """Of all values with their types, the key among them: rows that swap figures fail it, too."""
    text = ascii(tuple(values))  # the same under every version of Python, and quick
    return blake2b(text.encode(), digest_size=CHECKSUM_BYTES).digest()


def _stored(kind: type, value: Any) -> Any:
    """A value as SQLite gives it back: no truth values, no integers among floats, no -0.

    Names of files may hold bytes that are no UTF-8, and no text: they are escaped.
    """
    if value is None:
        return None
    if kind is str:
        return str(value).encode(errors="backslashreplace").decode()
    return float(value) + 0.0 if kind is float else kind(value)


def _text(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True, separators=(",", ":"), default=str)
