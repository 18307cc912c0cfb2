"""Where a search keeps its trials: Optuna's journal, a line of JSON an event."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from simulator.errors import StoreError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None


FIRST = b'{"op_code"'
"""How every journal starts."""


class _HeldByProcess(JournalFileOpenLock):
    """A lock that goes with its process; Optuna's are files, and stay when it is killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[bytes] | None = None

    def acquire(self) -> bool:
        assert fcntl is not None
        self.file = self.path.open("ab")
        fcntl.flock(self.file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        assert self.file is not None
        self.file.close()


def open_study(path: Path | None, name: str, objectives: int) -> optuna.Study:
    """A new study or the one of this name; in memory without a path.

    Raises
    ------
    StoreError
        If the file cannot be written, or is no journal.
    """
    storage: BaseStorage
    with reading(path):
        storage = InMemoryStorage() if path is None else _journal(path)
        return optuna.create_study(
            storage=storage,
            study_name=name,
            directions=["minimize"] * objectives,
            load_if_exists=True,
        )


@contextmanager
def reading(path: Path | None) -> Iterator[None]:
    """What Optuna raises when it reads a journal, as a StoreError: it checks nothing."""
    try:
        yield
    except OSError as error:
        raise StoreError(str(path), f"cannot be read or written: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RuntimeError,
            OptunaError):  # fmt: skip
        hint = "move it away to search anew"
        raise StoreError(str(path), "is not a journal of this search", hint=hint) from None


def _journal(path: Path) -> BaseStorage:
    _drop_half_a_line(path)
    lock = None if fcntl is None else _HeldByProcess(path)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _drop_half_a_line(path: Path) -> None:
    """What a killed search was writing; whatever came next would be added to it."""
    if not path.exists():
        return
    content = path.read_bytes()
    if content and not content.startswith(FIRST):
        raise ValueError("not a journal")
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
