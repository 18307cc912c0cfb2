"""What a store keeps rows of, as whoever keeps them says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from types import NoneType, UnionType
from typing import Any, Generic, Protocol, TypeVar, get_args, get_origin, get_type_hints


class Keyed(Protocol):
    """A row: a frozen dataclass with a key, the hash of all that decides its other fields."""

    @property
    def key(self) -> bytes: ...


R = TypeVar("R", bound=Keyed)


@dataclass(frozen=True)
class Column:
    """One field of a row.

    Attributes
    ----------
    kind : type
        bytes, int, float, bool, str, or dict (of whatever JSON can say).
    always : bool
        No row lacks it.
    """

    name: str
    kind: type
    always: bool


@dataclass(frozen=True)
class Kind(Generic[R]):
    """A kind of row.

    Parameters
    ----------
    name : str
        What a store is a store of; a file of another name is refused.
    table : str
    row : type
        A dataclass: its fields are the columns, those that cannot be None are always there, and
        ``key`` finds a row.
    order : callable
        By what rows are sorted.
    written_by : str
        The command that makes such a store, for whoever looks for one.
    fault_of : callable
        Why a text cannot be what a store remarks on all of its rows; None if it can.
    """

    name: str
    table: str
    row: Callable[..., R]
    order: Callable[[R], Any]
    written_by: str
    fault_of: Callable[[str], str | None]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        row: Any = self.row
        hints = get_type_hints(row)
        return tuple(_column(field.name, hints[field.name]) for field in fields(row))


def _column(name: str, hint: Any) -> Column:
    said = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    (kind,) = (one for one in said if one is not NoneType)
    return Column(name, get_origin(kind) or kind, NoneType not in said)
