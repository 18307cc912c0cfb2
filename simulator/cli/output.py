"""Writing results: one place that knows formats, temporary names and pipes."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from simulator.errors import OutputError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from simulator.pictures import Picture


class Result(Protocol):
    """What can be written: a report, a comparison, rows."""

    def to_json(self) -> str: ...
    def to_frame(self) -> pd.DataFrame: ...


Table = Callable[[], str]
"""Sets a result as text for people."""
Beside = tuple[Path | None, Callable[[Path], object]]
"""A file beside a result, and what writes it; None where it is not asked for."""


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")


def _parquet(result: Result, _: Table) -> bytes:
    frame, buffer = result.to_frame(), io.BytesIO()
    frame.to_parquet(buffer, index=False, schema=_described(frame))
    return buffer.getvalue()


def _described(frame: pd.DataFrame) -> pa.Schema:
    """The types of columns, with what a frame's ``attrs`` say of each: unit, meaning, formula."""
    import pyarrow as pa

    schema = pa.Schema.from_pandas(frame, preserve_index=False)
    for at, column in enumerate(schema):
        said = {
            what: texts[column.name] for what, texts in frame.attrs.items() if column.name in texts
        }
        if said:
            schema = schema.set(at, column.with_metadata(said))
    return schema


FORMATS: Final[dict[str, Callable[[Result, Table], bytes]]] = {
    "table": lambda _, table: _encoded(table()),
    "json": lambda result, _: _encoded(result.to_json() + "\n"),
    "csv": lambda result, _: _encoded(result.to_frame().to_csv(index=False)),
    "parquet": _parquet,
}
SUFFIXES = {".json": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "table"}


def prepare(
    asked: str | None, outputs: Mapping[str, Path | None], *inputs: str | Path | None
) -> str:
    """Refuse, before any work is done, what cannot be written; else the format of ``-o``.

    Parameters
    ----------
    asked : str, optional
        A format by name.
    outputs, *inputs
        As `check_apart` takes them.
    """
    check_target(outputs["-o"])
    for option in ENDINGS:
        check_ending(option, outputs.get(option))
    check_apart(outputs, *inputs)
    return choose_format(asked, outputs["-o"])


def write_result(
    result: Result, kind: str, file: Path | None, table: Table, *beside: Beside
) -> None:
    """A result in one of `FORMATS`, behind the files beside it.

    Files come first, so that none is lost where the reader of standard output has enough; and a
    file that cannot be written costs nobody the result.

    Parameters
    ----------
    table : Table
        Asked only where the result is to be text.
    *beside : Beside
        In the order in which they are written.
    """
    try:
        for name, produce in beside:
            if name is not None:
                produce(name)
    finally:
        write(FORMATS[kind](result, table), file)


def picture(drawn: Callable[[], Picture]) -> Callable[[Path], None]:
    """What writes a picture that is drawn only then."""
    return lambda file: draw(drawn(), file)


def text(said: Callable[[], str]) -> Callable[[Path], None]:
    """What writes a page, a trace or a machine, which is made only then."""
    return lambda file: write(said().encode(), file)


def choose_format(asked: str | None, file: Path | None) -> str:
    """The format asked for, else what the file's name says; on standard output a table.

    Raises
    ------
    OutputError
        If there is no such format, or the file's name says none.
    """
    if asked is None:
        return "table" if file is None or is_stream(file) else check_suffix(file, SUFFIXES)
    if asked not in FORMATS:
        raise OutputError(
            "--format", "unknown format", got=asked, hint=did_you_mean(asked, FORMATS)
        )
    return asked


def check_suffix(file: Path, formats: Mapping[str, str]) -> str:
    """What a file's ending means; one that is not known is refused, not guessed at."""
    suffix = file.suffix.lower()
    if suffix not in formats:
        raise OutputError(
            f"-o {file}", "its ending says no format", got=suffix or None,
            want=" or ".join(formats),
            hint="--format says it for any name" if formats is SUFFIXES else None,
        )  # fmt: skip
    return formats[suffix]


def is_stream(file: Path) -> bool:
    """A pipe or a device, whose name says nothing."""
    try:
        return file.exists() and not file.is_file() and not file.is_dir()
    except (OSError, ValueError):  # no name of a file
        return False


def check_target(file: Path | None, option: str = "-o") -> None:
    """Refuse a file that cannot be written before any work is done."""
    if file is None:
        return
    try:
        is_folder, has_folder = file.is_dir(), file.parent.is_dir()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{option} {str(file)[:40]}", f"not a file name: {reason}") from None
    if is_folder:
        raise OutputError(f"{option} {file}", "is a folder", want="a file name")
    if not has_folder:
        raise OutputError(f"{option} {file}", "its folder does not exist")
    if is_stream(file):  # written as it is, so that its folder does not matter
        if not os.access(file, os.W_OK):
            raise OutputError(f"{option} {file}", "is not writable")
    elif not os.access(file.parent, os.W_OK):
        raise OutputError(f"{option} {file}", "its folder is not writable")


def check_folder(folder: Path, option: str) -> None:
    """Refuse a folder in which no file can be written, before any work is done."""
    try:
        is_folder, is_there = folder.is_dir(), folder.exists()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{option} {str(folder)[:40]}", f"not a folder: {reason}") from None
    if not is_folder:
        what = "is a file" if is_there else "no such folder"
        raise OutputError(f"{option} {folder}", what, want="a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{option} {folder}", "is not writable")


def check_apart(outputs: Mapping[str, Path | None], *inputs: str | Path | None) -> None:
    """Refuse to write one file twice, or over what is read, before any work is done.

    Parameters
    ----------
    outputs : mapping of str to Path
        Files to write, by option; None where nothing is.
    *inputs : str or Path
        Names that a command reads; what is no file, such as a preset, is none of them.
    """
    taken: dict[Path, str] = {}
    for option, file in outputs.items():
        if file is None or (file.exists() and not file.is_file()):  # a pipe may be named twice
            continue
        other = taken.setdefault(file.resolve(), option)
        if other != option:
            raise OutputError(f"{option} {file}", f"is the file of {other}, too")
    for name in inputs:
        path = None if name is None else _file(name)
        if path in taken:
            raise OutputError(f"{taken[path]} {name}", "is read by this command, and would be lost")


def _file(name: str | Path) -> Path | None:
    try:
        return Path(name).resolve() if Path(name).is_file() else None
    except (OSError, ValueError):  # no name of a file
        return None


ENDINGS: Final = {
    "--plot": (".png", ".svg", ".pdf"),
    "--timeline": (".json", ".html"),
    "--html": (".html",),
}
"""What names of files end in, by the option that names them."""


def check_ending(option: str, file: Path | None) -> None:
    """Refuse a file that cannot be written, or is named otherwise, before any work is done."""
    check_target(file, option)
    if file is not None and file.suffix.lower() not in ENDINGS[option]:
        want = " or ".join(ENDINGS[option])
        raise OutputError(f"{option} {file}", "unknown format", want=want)


def draw(picture: Picture, file: Path) -> None:
    """A picture into its file, under a temporary name until it is whole."""
    from simulator.pictures import save

    write_through(file, lambda temporary: save(picture, temporary))


def write(data: bytes, file: Path | None) -> None:
    """To a file, under a temporary name until it is whole; or to standard output."""
    if file is None:
        if sys.stdout is None:
            raise OutputError("standard output", "is closed", hint="name a file with -o")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    write_through(file, lambda temporary: temporary.write_bytes(data))


def write_through(file: Path, produce: Callable[[Path], object]) -> None:
    """Let ``produce`` write a temporary file beside ``file`` and rename it once it is whole.

    What is not a plain file, such as a pipe, is written as it is. The temporary name does not grow
    with the file's, which may be as long as names can be.
    """
    try:
        if file.exists() and not file.is_file():
            produce(file)
            return
        file = file.resolve()  # what a link points to, not the link
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".nmsim.", suffix=file.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            produce(temporary)
            mode = os.umask(0)
            os.umask(mode)
            os.chmod(temporary, 0o666 & ~mode)
            os.replace(temporary, file)
        except BaseException:
            temporary.unlink()
            raise
    except OSError as error:
        raise OutputError(str(file), f"cannot be written: {error.strerror}") from None
