"""Dense networks, a file each, that all recipes of a seed start from; trained once and kept."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import OutputError, writing
from simulator.training.plan import Start
from simulator.training.shrinking import State

_DAMAGED = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)
"""What reading raises where a file is not there or not as it was written."""


class Starts:
    """A folder of networks by key, as `simulator.workers.dispatch.Keeper` wants it.

    A network is there whole or not at all: its file takes its name once it is written. One that is
    not as it was written is none, and trained again.

    Parameters
    ----------
    folder : Path
        Made if missing.

    Raises
    ------
    OutputError
        If the folder cannot be made, or a network not be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with writing(folder):
            folder.mkdir(exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise OutputError(str(folder), "is not writable")

    def read(self, key: bytes) -> State | None:
        """A network; None if it is not there."""
        try:
            with np.load(self._path(key), allow_pickle=False) as file:
                return dict(file)
        except _DAMAGED:
            return None

    def write(self, key: bytes, state: State) -> None:
        """Keep a network."""
        path = self._path(key)
        part = path.with_suffix(f".{os.getpid()}.part")
        with writing(path):
            with part.open("wb") as file:
                np.savez(file, **state)  # type: ignore[arg-type]  # names are not its options
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileNotFoundError):  # another process has just kept the same network
                part.replace(path)
        for killed in self.folder.glob(f"{path.stem}.*.part"):  # of processes before this one
            killed.unlink(missing_ok=True)

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Start]:
        return {key: Start(0, key) for key in keys if self.read(key) is not None}

    def add(self, rows: Iterable[Start]) -> None:
        """Nothing is left to do: workers write the files."""

    def amend(self, items: Mapping[bytes, Any], amended: Callable[..., Start]) -> None:
        """Nothing is ever changed."""

    def flush_if_due(self) -> None:
        """Nothing waits."""

    def flush(self) -> None:
        """Nothing waits."""

    def _path(self, key: bytes) -> Path:
        return self.folder / f"{key.hex()}.npz"
