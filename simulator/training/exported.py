"""Trained networks as ONNX files, each with the key of its run, by which it is known again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from simulator.errors import OutputError, TrainingError, writing
from simulator.quality.measured import Measured, Qualities
from simulator.training.plan import Job
from simulator.training.setup import Setup
from simulator.training.train import Outcome, export_onnx

KEY = "nmsim_run"
"""In the metadata of a model."""


class Exported:
    """A store whose rows count only where the network lies in a folder, too.

    A network is not kept in a store, so that a run whose file is missing is trained again, which
    gives the same network.

    Parameters
    ----------
    store : Qualities
    folder : Path
        Made if missing.
    jobs : sequence of Job

    Raises
    ------
    TrainingError
        If a package that exporting needs is missing.
    OutputError
        If the folder cannot be made, or two networks had one name.
    """

    def __init__(self, store: Qualities, folder: Path, jobs: Sequence[Job]) -> None:
        _require_packages()
        self._store = store
        self._files = {job.key: folder / job.file_name for job in jobs}
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise OutputError(f"--export {folder}", "is not writable")

    def known(self, keys: Sequence[bytes]) -> dict[bytes, Measured]:
        rows = self._store.known(keys)
        return {key: row for key, row in rows.items() if _key_of(self._files[key]) == key.hex()}

    def add(self, rows: Iterable[Measured]) -> None:
        self._store.add(rows)

    def amend(self, items: Mapping[bytes, Any], amended: Callable[..., Measured]) -> None:
        self._store.amend(items, amended)

    def flush_if_due(self) -> None:
        self._store.flush_if_due()

    def flush(self) -> None:
        self._store.flush()


def export_network(setup: Setup, outcome: Outcome, folder: Path, job: Job) -> None:
    """Write a network under a name that is its own once it is whole."""
    import onnx

    path = folder / job.file_name
    part = path.with_suffix(f".{os.getpid()}.part.onnx")
    with writing(path):
        export_onnx(setup, outcome, part)
        model = onnx.load(part)
        onnx.helper.set_model_props(model, {KEY: job.key.hex()})
        onnx.save(model, part)
        part.replace(path)


def _require_packages() -> None:
    """Before anything is trained."""
    for package in ("onnx", "onnxscript"):
        try:
            import_module(package)
        except ImportError:
            hint = 'pip install "nmsim[train]"'
            raise TrainingError("--export", f"needs the package {package}", hint=hint) from None


def _key_of(path: Path) -> str | None:
    """Of the run that a file holds the network of; None if it is none."""
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception:  # there is none, or protobuf's DecodeError, and what it does not expect
        return None
    return next((entry.value for entry in model.metadata_props if entry.key == KEY), None)
