"""Weights from .safetensors and .npz files, and to .safetensors; nothing is ever unpickled."""

from __future__ import annotations

import json
import lzma
import math
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError, writing
from simulator.weights.masks import all_finite

FORMATS: dict[str, tuple[str, str]] = {
    "F64": ("fp64", "<f8"), "F32": ("fp32", "<f4"), "F16": ("fp16", "<f2"), "BF16": ("bf16", "<u2"),
    "I64": ("int64", "<i8"), "I32": ("int32", "<i4"), "I16": ("int16", "<i2"), "I8": ("int8", "i1"),
    "U64": ("uint64", "<u8"), "U32": ("uint32", "<u4"), "U16": ("uint16", "<u2"),
    "U8": ("uint8", "u1"), "BOOL": ("bool", "?"),
}  # fmt: skip
"""safetensors' names of formats: ours, and numpy's. numpy has no bf16: its bits."""

PARAMETRIZED = "parametrizations."
"""In the names of torch's tensors that masks or other functions still lie over."""

WEIGHT_DTYPES = ("fp64", "fp32", "fp16", "bf16", "int8")
LARGEST_HEADER_BYTES = 100_000_000
"""As in the safetensors library."""
LARGEST_DIMENSIONS = 32
LARGEST_ELEMENTS = 2**59
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


@dataclass(frozen=True)
class Tensor:
    """A named array of a weights file.

    Attributes
    ----------
    dtype : str
        Format: fp64, fp32, fp16, bf16, int8, or another that is no format of weights.
    data : array
        As stored, and mapped from the file where it can be; bf16 as raw uint16.
    source : str
        The file that it came from, for errors.
    """

    name: str
    dtype: str
    data: npt.NDArray[Any]
    source: str = ""

    @property
    def is_weights(self) -> bool:
        """Whether the tensor is a matrix or the weights of a convolution."""
        return self.dtype in WEIGHT_DTYPES and self.data.ndim in (2, 4) and self.data.size > 0

    def values(self) -> npt.NDArray[Any]:
        """Numbers that numpy calculates with: bf16 becomes float32, exactly; others stay.

        Raises
        ------
        WeightsError
            If one of them is not finite.
        """
        values = self.data
        if self.dtype == "bf16":
            values = np.left_shift(values, 16, dtype=np.uint32).view(np.float32)
        if not all_finite(values):
            where = f"{self.source} tensor {self.name}".lstrip()
            raise WeightsError(where, "has weights that are NaN or infinite")
        return values

    def with_values(self, values: npt.NDArray[Any]) -> Tensor:
        """The same tensor with other numbers, rounded to what its format holds.

        Raises
        ------
        WeightsError
            If one of them is too large for the format.
        """
        kind = self.data.dtype
        if self.dtype == "bf16":  # to nearest, halves to even
            bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
            data = ((bits + (bits >> 16 & 1) + 0x7FFF) >> 16).astype(kind)
        elif kind.kind in "iu":
            limits = np.iinfo(kind)
            data = np.clip(np.rint(values), limits.min, limits.max).astype(kind)
        else:
            with np.errstate(over="ignore"):  # found below
                data = values.astype(kind)
        changed = replace(self, data=data)
        changed.values()
        return changed


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """Read all tensors of a file.

    Raises
    ------
    WeightsError
        If there is no such file, or it is not whole, not what it claims, or not safe to read.
    """
    path = Path(path)
    readers = {".safetensors": _read_safetensors, ".npz": _read_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        hint = "of an ONNX model, give the model itself" if path.suffix == ".json" else None
        raise WeightsError(str(path), "unknown format", want=" or ".join(readers), hint=hint)
    try:
        if path.is_dir():
            raise WeightsError(str(path), "is a folder", want="a file")
        tensors = reader(path)
    except OSError as error:
        raise WeightsError(str(path), f"cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise WeightsError(str(path), "does not fit in memory") from None
    check_baked(str(path), tensors)
    return tensors


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


def write_safetensors(path: Path | str, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors under a temporary name, and rename the file once it is whole.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    codes = {ours: code for code, (ours, _) in FORMATS.items()}
    ordered = sorted(tensors.values(), key=lambda t: (-t.data.dtype.itemsize, t.name))
    header: dict[str, Any] = {}
    offset = 0
    for tensor in ordered:
        end = offset + tensor.data.nbytes
        header[tensor.name] = {
            "dtype": codes[tensor.dtype],
            "shape": list(tensor.data.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path = Path(path).resolve()
    with writing(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(len(text).to_bytes(8, "little") + text)
                for tensor in ordered:
                    kind = FORMATS[codes[tensor.dtype]][1]
                    stream.write(np.ascontiguousarray(tensor.data, dtype=kind).data)
            mode = os.umask(0)
            os.umask(mode)
            os.chmod(name, 0o666 & ~mode)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _read_safetensors(path: Path) -> dict[str, Tensor]:
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
    data = np.memmap(path, mode="r", offset=8 + length, shape=(at,), dtype="u1") if at else b""
    tensors = {}
    for name, (code, shape, begin, end) in entries.items():
        ours, kind = FORMATS[code]
        array = (
            np.frombuffer(data, dtype=kind, count=math.prod(shape), offset=begin)
            if (end > begin)
            else np.zeros(0, dtype=kind)
        )
        tensors[name] = Tensor(name, ours, array.reshape(shape), str(path))
    return tensors


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
    _check_shape(where, shape)
    size = math.prod(shape) * np.dtype(FORMATS[code][1]).itemsize
    if offsets[1] - offsets[0] != size:
        got = f"{offsets[1] - offsets[0]}"
        raise WeightsError(where, "shape and data_offsets disagree", want=f"{size} bytes", got=got)
    return code, tuple(shape), offsets[0], offsets[1]


def _check_shape(where: str, shape: Sequence[int]) -> None:
    """What numpy refuses: it multiplies the sizes beside a zero, too."""
    if len(shape) > LARGEST_DIMENSIONS:
        raise WeightsError(where, "too many dimensions", got=len(shape))
    if math.prod(size or 1 for size in shape) > LARGEST_ELEMENTS:
        raise WeightsError(where, "sizes too large", got=shape)


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


def _read_npz(path: Path) -> dict[str, Tensor]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            allowed = max(ZIP_FREE_BYTES, ZIP_RATIO * path.stat().st_size)
            declared = sum(member.file_size for member in members)
            if declared > allowed:
                want = f"<= {allowed} bytes"
                raise WeightsError(str(path), "expands too far", want=want, got=declared)
            names = [member.filename.removesuffix(".npy") for member in members]
            if len(set(names)) < len(names):
                raise WeightsError(str(path), "has two arrays of one name")
            return {
                name: _member(path, name, archive, member)
                for name, member in zip(names, members, strict=True)
            }
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError,
        NotImplementedError,
    ) as error:  # fmt: skip
        raise WeightsError(str(path), f"not a whole .npz file: {error}") from None


def _member(path: Path, name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Tensor:
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
        size_bytes = math.prod(shape) * dtype.itemsize
        if size_bytes != member.file_size - header_bytes:
            raise WeightsError(where, "size and shape disagree", got=shape)
        data, at = bytearray(size_bytes), 0
        while block := stream.read(BLOCK_BYTES):
            data[at : at + len(block)] = block
            at += len(block)
        if at < size_bytes:
            raise WeightsError(where, "is cut off")
    array = np.ndarray(shape, dtype, data, order=order)
    return Tensor(name, kinds[kind], array, str(path))


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
    _check_shape(where, shape)
    return endian, kind, "F" if is_fortran == "True" else "C", shape, 8 + width + length
