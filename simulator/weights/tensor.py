"""A named array of a weights file, its formats, and where in a file it is."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.weights.masks import all_finite

FORMATS: dict[str, tuple[str, str]] = {
    "F64": ("fp64", "<f8"), "F32": ("fp32", "<f4"), "F16": ("fp16", "<f2"), "BF16": ("bf16", "<u2"),
    "I64": ("int64", "<i8"), "I32": ("int32", "<i4"), "I16": ("int16", "<i2"), "I8": ("int8", "i1"),
    "U64": ("uint64", "<u8"), "U32": ("uint32", "<u4"), "U16": ("uint16", "<u2"),
    "U8": ("uint8", "u1"), "BOOL": ("bool", "?"),
}  # fmt: skip
"""safetensors' names of formats: ours, and numpy's. numpy has no bf16: its bits."""

WEIGHT_DTYPES = ("fp64", "fp32", "fp16", "bf16", "int8")
LARGEST_DIMENSIONS = 32
LARGEST_ELEMENTS = 2**59


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
            values = widened(values, self.dtype)
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


def widened(data: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """What is stored in one of the formats of weights as float32, exactly."""
    if dtype == "bf16":
        wide: npt.NDArray[Any] = np.left_shift(data, 16, dtype=np.uint32).view(np.float32)
        return wide
    return np.ascontiguousarray(data, dtype=np.float32)


class Entry(NamedTuple):
    """A tensor in a file: its format, numpy's name of it, its shape, and what reads its numbers."""

    dtype: str
    kind: str
    shape: tuple[int, ...]
    read: Callable[[], npt.NDArray[Any]]


Entries = tuple[dict[str, Entry], mmap.mmap | None]
"""What a file holds, and the mapping that its numbers lie in, if they do."""


def check_shape(where: str, shape: Sequence[int]) -> None:
    """What numpy refuses: it multiplies the sizes beside a zero, too."""
    if len(shape) > LARGEST_DIMENSIONS:
        raise WeightsError(where, "too many dimensions", got=len(shape))
    if math.prod(size or 1 for size in shape) > LARGEST_ELEMENTS:
        raise WeightsError(where, "sizes too large", got=shape)
