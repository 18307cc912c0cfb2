"""Where presets lie: `configs/` and `workloads/`, in a checkout or in the installed wheel."""

from __future__ import annotations

import re
from pathlib import Path

from simulator.errors import SimulatorError, did_you_mean

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Characters that a terminal would obey, other than tabs and line ends."""


def folder(kind: str) -> Path:
    """The folder of presets of one kind, ``configs`` or ``workloads``."""
    package = Path(__file__).resolve().parent
    installed = package / kind
    return installed if installed.is_dir() else package.parent / kind


def presets(kind: str, suffix: str) -> dict[str, Path]:
    """Preset names and their files, sorted by name."""
    paths = sorted(folder(kind).glob(f"*{suffix}"), key=lambda path: path.stem)
    return {path.stem: path for path in paths}


def text_of(path: Path, error: type[SimulatorError]) -> str:
    """The text of a file, whatever its byte order mark.

    Raises
    ------
    SimulatorError
        Of class ``error``, if it cannot be read, is not UTF-8, or holds control characters.
    """
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise error(str(path), f"cannot be read: {problem.strerror}") from None
    return decoded(path, data, error)


def decoded(path: Path, data: bytes, error: type[SimulatorError]) -> str:
    """What a file holds as text, with lines that end in ``\\n``, as `text_of`."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as problem:
        is_utf16 = problem.object[:2] in (b"\xff\xfe", b"\xfe\xff")
        hint = "looks like UTF-16: save it as UTF-8" if is_utf16 else None
        raise error(str(path), f"not UTF-8 text: byte {problem.start}", hint=hint) from None
    found = CONTROL.search(text)
    if found is not None:
        line, start = text.count("\n", 0, found.start()) + 1, text.rfind("\n", 0, found.start())
        where = f"{path}:{line}:{found.start() - start}"
        raise error(where, "not text: a control character", got=found[0])
    return text


def find(name: str | Path, kind: str, suffix: str, error: type[SimulatorError]) -> Path:
    """The file that a preset name or a path means.

    Raises
    ------
    SimulatorError
        Of class ``error``, if there is neither such a preset nor such a file.
    """
    if not isinstance(name, str | Path) or not str(name):
        raise error(kind, "not a name", want=f"a preset name or a {suffix} file", got=name)
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
