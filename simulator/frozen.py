"""Dictionaries that never change, as what a report holds, and records with a few fields changed."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")


class FrozenDict(dict[K, V]):
    """A dictionary to read, for everybody who takes one: json, pandas, ``dataclasses.asdict``.

    Raises
    ------
    TypeError
        If one tries to change it; `copy` and ``|`` give a plain dictionary to change.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


def _refuse(self: FrozenDict[K, V], *_: object, **__: object) -> NoReturn:
    raise TypeError(f"{type(self).__name__} does not change: take a copy() or dict() of it")


for _name in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault",
              "update"):  # fmt: skip
    setattr(FrozenDict, _name, _refuse)


def changed(record: R, **changes: Any) -> R:
    """A frozen dataclass with other values of some fields: as `dataclasses.replace`, which checks
    every field once more, and takes as long as running a small program does."""
    twin: R = object.__new__(type(record))
    twin.__dict__.update(record.__dict__, **changes)
    return twin
