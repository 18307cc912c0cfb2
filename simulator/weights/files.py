"""Weights from .safetensors and .npz files, and to .safetensors; nothing is ever unpickled."""

from __future__ import annotations

import json
import math
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError, writing
from simulator.weights.npz import read_npz
from simulator.weights.tensor import FORMATS, Entries, Entry, Tensor, check_shape

__all__ = ["FORMATS", "SafetensorsFile", "Stored", "Tensor", "read_weights", "write_safetensors"]

PARAMETRIZED = "parametrizations."
"""In the names of torch's tensors that masks or other functions still lie over."""

LARGEST_HEADER_BYTES = 100_000_000
"""As in the safetensors library."""


class Stored(Mapping[str, Tensor]):
    """The tensors of a file, each read anew when it is asked for: none is held.

    Attributes
    ----------
    outlines : dict of str to Tensor
        Names, formats and shapes; all their numbers are one zero.

    Raises
    ------
    WeightsError
        If there is no such file, or it is not whole, not what it claims, or not safe to read.
    """

    def __init__(self, path: Path | str) -> None:
        path = Path(path)
        readers = {".safetensors": _read_safetensors, ".npz": read_npz}
        if path.suffix.lower() not in readers:
            hint = "of an ONNX model, give the model itself" if path.suffix == ".json" else None
            raise WeightsError(str(path), "unknown format", want=" or ".join(readers), hint=hint)
        if path.is_dir():
            raise WeightsError(str(path), "is a folder", want="a file")
        self._path = path
        with _reading(path):
            self._entries, self._mapped = readers[path.suffix.lower()](path)
        self.outlines = {
            name: Tensor(name, one.dtype, np.broadcast_to(np.zeros((), one.kind), one.shape))
            for name, one in self._entries.items()
        }
        check_baked(str(path), self.outlines)

    def __getitem__(self, name: str) -> Tensor:
        entry = self._entries[name]
        with _reading(self._path):
            return Tensor(name, entry.dtype, entry.read(), str(self._path))

    def forget(self) -> None:
        """Let go of what memory holds of the file; what is needed again is read again."""
        if self._mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._mapped.madvise(mmap.MADV_DONTNEED)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """Read all tensors of a file.

    Raises
    ------
    WeightsError
        As `Stored`.
    """
    return dict(Stored(path))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What cannot be read, as one error of ours."""
    try:
        yield
    except OSError as error:
        raise WeightsError(str(path), f"cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise WeightsError(str(path), "does not fit in memory") from None


def check_baked(source: str, names: Iterable[str]) -> None:
    """Refuse tensors of which torch makes the weights only when the network runs.

    Raises
    ------
    WeightsError
        If a name is one of `torch.nn.utils.parametrize`.
    """
    found = next((name for name in names if PARAMETRIZED in name), None)
    if found is not None:
        raise WeightsError(
            f"{source} tensor {found}", "is what a parametrisation makes weights of",
            hint="bake them: torch.nn.utils.parametrize.remove_parametrizations, then save",
        )  # fmt: skip


class SafetensorsFile:
    """A file that tensors are written to in any order, part by part: as ``with`` opens it.

    It has a temporary name, and its own once it is whole.

    Parameters
    ----------
    outlines : iterable of Tensor
        What it will hold; of their data, shapes alone matter.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """

    def __init__(self, path: Path | str, outlines: Iterable[Tensor]) -> None:
        self._path = Path(path).resolve()
        codes = {ours: code for code, (ours, _) in FORMATS.items()}
        header: dict[str, Any] = {}
        offset = 0
        for tensor in sorted(outlines, key=lambda t: (-t.data.dtype.itemsize, t.name)):
            end = offset + tensor.data.nbytes
            header[tensor.name] = {
                "dtype": codes[tensor.dtype],
                "shape": list(tensor.data.shape),
                "data_offsets": [offset, end],
            }
            offset = end
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        self._start = len(text).to_bytes(8, "little") + text
        self._places = {
            name: (len(self._start) + one["data_offsets"][0], FORMATS[one["dtype"]][1])
            for name, one in header.items()
        }

    def __enter__(self) -> SafetensorsFile:
        with writing(self._path):
            handle, self._name = tempfile.mkstemp(dir=self._path.parent, prefix=".nmsim.")
            self._stream = os.fdopen(handle, "wb")
            self._stream.write(self._start)
        return self

    def put(self, name: str, parts: Iterable[npt.NDArray[Any]]) -> None:
        """All of one tensor, in the order of its numbers."""
        at, kind = self._places[name]
        with writing(self._path):
            self._stream.seek(at)
        for part in parts:
            with writing(self._path):
                self._stream.write(np.ascontiguousarray(part, dtype=kind).data)

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        try:
            with writing(self._path), self._stream:
                if failed is None:
                    self._stream.flush()
                    os.fsync(self._stream.fileno())
            if failed is None:
                mode = os.umask(0)
                os.umask(mode)
                with writing(self._path):
                    os.chmod(self._name, 0o666 & ~mode)
                    os.replace(self._name, self._path)
        finally:
            Path(self._name).unlink(missing_ok=True)


def write_safetensors(path: Path | str, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors under a temporary name, and rename the file once it is whole.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with SafetensorsFile(path, tensors.values()) as file:
        for tensor in tensors.values():
            file.put(tensor.name, [tensor.data])


def _read_safetensors(path: Path) -> Entries:
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            raise WeightsError(str(path), "header is longer than the file", got=f"{size} bytes")
        if length > LARGEST_HEADER_BYTES:
            raise WeightsError(str(path), "header too large", want=f"<= {LARGEST_HEADER_BYTES}")
        text = stream.read(length)
    try:
        header = json.loads(text.decode(), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise WeightsError(str(path), f"header is not valid: {error}") from None
    if not isinstance(header, dict):
        raise WeightsError(str(path), "header is not a table of tensors")
    header.pop("__metadata__", None)
    entries = {name: _entry(f"{path} {name}", entry) for name, entry in header.items()}
    at = 0
    for name, (_, _, begin, end) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if begin != at:
            what = "overlaps another tensor" if begin < at else "leaves a hole before it"
            raise WeightsError(f"{path} {name}", what, want=f"offset {at}", got=begin)
        at = end
    if at != size - 8 - length:
        got = f"{size - 8 - length} bytes of data"
        raise WeightsError(str(path), "tensors do not fill the file", want=str(at), got=got)
    mapped = _mapped(path)
    return {
        name: Entry(
            *FORMATS[code], shape, partial(_numbers, mapped, 8 + length + begin, code, shape)
        )
        for name, (code, shape, begin, _) in entries.items()
    }, mapped


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _numbers(mapped: mmap.mmap, at: int, code: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A tensor's numbers, which stay in the file; numpy makes no array of no bytes there."""
    kind, count = FORMATS[code][1], math.prod(shape)
    flat = np.frombuffer(mapped, kind, count, at) if count else np.zeros(0, dtype=kind)
    return flat.reshape(shape)


def _entry(where: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    """Format, shape, begin and end of one tensor, checked."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise WeightsError(where, "not a tensor", want="dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in FORMATS:
        is_short = isinstance(code, str) and code.startswith(("F8", "F6", "F4"))
        raise WeightsError(
            where, "unknown format", want=" or ".join(FORMATS), got=code,
            hint="dequantise such weights first" if is_short else None,
        )  # fmt: skip
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise WeightsError(where, "shape and data_offsets must be lists of counts")
    check_shape(where, shape)
    size = math.prod(shape) * np.dtype(FORMATS[code][1]).itemsize
    if offsets[1] - offsets[0] != size:
        got = f"{offsets[1] - offsets[0]}"
        raise WeightsError(where, "shape and data_offsets disagree", want=f"{size} bytes", got=got)
    return code, tuple(shape), offsets[0], offsets[1]


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 2**63 for v in value)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table, in one pass: headers have tens of thousands of names."""
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            raise ValueError(f"'{name[:40]}' is there twice")
        table[name] = value
    return table
