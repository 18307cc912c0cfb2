"""Dictionaries that never change, as what a report holds."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

K = TypeVar("K")
V = TypeVar("V")


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
