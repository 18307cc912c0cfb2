"""Arrays of .npz files; nothing is ever unpickled."""

from __future__ import annotations

import lzma
import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.weights.tensor import FORMATS, Entries, Entry, check_shape

ARRAY_HEADER = re.compile(
    r"\{ *'descr': *'([<>=|]?)([^']{1,20})', *'fortran_order': *(True|False),"
    r" *'shape': *\(([0-9L, ]*)\),? *\}\s*"
)
"""Of an .npy file, as numpy and those who follow it write it."""

LARGEST_ARRAY_HEADER_BYTES = 10_000
"""As in numpy."""

BLOCK_BYTES = 1 << 20
ZIP_FREE_BYTES, ZIP_RATIO = 1 << 30, 64
"""An .npz may declare 1 GiB, or 64 times its size; zip bombs expand a thousandfold."""


def read_npz(path: Path) -> Entries:
    with _whole(path), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        allowed = max(ZIP_FREE_BYTES, ZIP_RATIO * path.stat().st_size)
        declared = sum(member.file_size for member in members)
        if declared > allowed:
            want = f"<= {allowed} bytes"
            raise WeightsError(str(path), "expands too far", want=want, got=declared)
        entries = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in entries:
                raise WeightsError(str(path), "has two arrays of one name")
            entries[name] = _member(path, name, archive, member)
        return entries, None


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """What zipfile finds wrong with an .npz, as one error of ours."""
    try:
        yield
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError,
        NotImplementedError,
    ) as error:  # fmt: skip
        raise WeightsError(str(path), f"not a whole .npz file: {error}") from None


def _member(path: Path, name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Entry:
    """One array of an .npz; its header is never evaluated, as numpy would."""
    where = f"{path} {name}"
    with archive.open(member) as stream:
        endian, kind, order, shape, header_bytes = _array_header(where, stream)
    if "O" in kind:
        raise WeightsError(where, "holds pickled objects", want="numbers")
    kinds = {code.lstrip("<"): ours for ours, code in FORMATS.values() if ours != "bf16"}
    kind = "?" if kind == "b1" else kind
    if kind not in kinds:
        want = " or ".join(kinds.values())
        raise WeightsError(where, "unknown format", want=want, got=kind)
    dtype = np.dtype(endian + kind)
    if math.prod(shape) * dtype.itemsize != member.file_size - header_bytes:
        raise WeightsError(where, "size and shape disagree", got=shape)

    def read() -> npt.NDArray[Any]:
        data = _expanded(path, where, member, header_bytes)
        return np.ndarray(shape, dtype, data, order=order)

    return Entry(kinds[kind], endian + kind, shape, read)


def _expanded(path: Path, where: str, member: zipfile.ZipInfo, header_bytes: int) -> bytearray:
    """What follows the header of one array."""
    data, at = bytearray(member.file_size - header_bytes), 0
    with _whole(path), zipfile.ZipFile(path) as archive, archive.open(member) as stream:
        stream.read(header_bytes)
        while block := stream.read(BLOCK_BYTES):
            data[at : at + len(block)] = block
            at += len(block)
    if at < len(data):
        raise WeightsError(where, "is cut off")
    return data


def _array_header(
    where: str, stream: IO[bytes]
) -> tuple[str, str, Literal["C", "F"], tuple[int, ...], int]:
    """Byte order, format, order, shape and header bytes of an .npy stream."""
    start = stream.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise WeightsError(where, "not an .npy of a known version", got=start)
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > LARGEST_ARRAY_HEADER_BYTES:
        raise WeightsError(where, "header too large", want=f"<= {LARGEST_ARRAY_HEADER_BYTES}")
    match = ARRAY_HEADER.fullmatch(stream.read(length).decode("latin1"))
    if match is None:
        want = "a plain array of numbers"
        raise WeightsError(where, "header is not one that can be read", want=want)
    endian, kind, is_fortran, sizes = match.groups()
    sizes = sizes.replace("L", "").strip(", ")
    shape = tuple(int(size) for size in sizes.split(",")) if sizes else ()
    check_shape(where, shape)
    return endian, kind, "F" if is_fortran == "True" else "C", shape, 8 + width + length
