"""What may be needed again soon, of so much that not all can be kept."""

from __future__ import annotations

from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST: Final = 256
"""Layers that are unlike each other: most networks have far fewer. With all of them, 20 MiB."""


class Latest(dict[K, V]):
    """A dictionary of the latest few: what was put in first leaves first."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > MOST:
            del self[next(iter(self))]
