"""Where presets lie: `configs/` and `workloads/`, in a checkout or in the installed wheel."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import SimulatorError, did_you_mean


def folder(kind: str) -> Path:
    """The folder of presets of one kind, ``configs`` or ``workloads``."""
    package = Path(__file__).resolve().parent
    installed = package / kind
    return installed if installed.is_dir() else package.parent / kind


def presets(kind: str, suffix: str) -> dict[str, Path]:
    """Preset names and their files, sorted by name."""
    return {path.stem: path for path in sorted(folder(kind).glob(f"*{suffix}"))}


def find(name: str | Path, kind: str, suffix: str, error: type[SimulatorError]) -> Path:
    """The file that a preset name or a path means.

    Raises
    ------
    SimulatorError
        Of class ``error``, if there is neither such a preset nor such a file.
    """
    known = presets(kind, suffix)
    if str(name) in known:
        return known[str(name)]
    path = Path(name)
    try:
        if path.is_file():
            return path
        folder_given = path.is_dir()
    except OSError:
        folder_given = False
    if folder_given:
        raise error(str(name), "is a folder", want=f"a preset name or a {suffix} file")
    raise error(
        str(name),
        "no such preset and no such file",
        want=f"a preset name or a {suffix} file",
        hint=did_you_mean(path.stem, known),
    )
