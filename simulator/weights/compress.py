"""Weights in the hardware's layout: slots, and the metadata that says where each came from.

The index code stores ``ceil(log2 group)`` bits a slot. The enumerative code stores the number of
the mask among all C(group, keep) in the combinatorial number system: positions p1 < p2 < ... have
the number C(p1, 1) + C(p2, 2) + ... (Knuth, The Art of Computer Programming 4A, 7.2.1.3). Groups
follow each other row by row, bits from the least significant on; the matrix ends at a whole byte.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.sparsity import MetadataCode, Pattern
from simulator.units import bits_to_bytes
from simulator.weights.masks import row_blocks

STORED: dict[str, Any] = {
    "fp32": np.float32,
    "fp16": np.float16,
    "bf16": np.uint16,  # numpy has no bf16: its bits
    "int8": np.int8,
    "int4": np.int8,  # one a byte, -8 to 7, until they are stored two to a byte
}
"""numpy's type of the weights of a format."""


@dataclass(frozen=True)
class Compressed:
    """A compressed matrix.

    Attributes
    ----------
    k : int
        Weights of a row.
    values : array (rows, groups * keep); int4: (rows, ceil(groups * keep / 2)), low half first
        Slots; those without a weight are zero.
    metadata : array (ceil(rows * groups * metadata bits / 8),), uint8
    """

    pattern: Pattern
    code: MetadataCode
    dtype: str
    k: int
    values: npt.NDArray[Any]
    metadata: npt.NDArray[np.uint8]


def compress(
    weights: npt.NDArray[Any],
    pattern: Pattern,
    dtype: str = "fp32",
    code: MetadataCode = "index",
    mask: npt.NDArray[Any] | None = None,
) -> Compressed:
    """Keep the slots of a matrix that follows ``pattern``.

    Parameters
    ----------
    weights : array (rows, k)
        In numpy's type for ``dtype`` (`STORED`).
    mask : array (rows, k), optional
        What to keep; default: what is not zero (-0.0 is zero, and comes back as 0.0).

    Raises
    ------
    WeightsError
        If a group has more than ``keep`` non-zeros (with row, group and count), or the type or
        range of the weights is not that of ``dtype``, or the number of a mask exceeds 62 bits.
    """
    from simulator.weights.compliance import require_compliance
    from simulator.weights.kernels import compress_groups

    raw = _raw(weights, dtype)
    if mask is not None and mask.shape != weights.shape:
        raise WeightsError("mask", "another shape", want=str(weights.shape), got=mask.shape)
    rows, k = weights.shape

    def kept(top: int, end: int) -> npt.NDArray[np.uint8]:
        if mask is not None:
            part = mask[top:end]
        else:
            part = (raw[top:end] & 0x7FFF if dtype == "bf16" else weights[top:end]) != 0
        return np.ascontiguousarray(part, dtype=np.bool_).view(np.uint8)

    groups, bits = pattern.groups(k), pattern.metadata_bits(code)
    values = np.zeros((rows, groups * pattern.keep), dtype=raw.dtype)
    stream = np.zeros(bits_to_bytes(rows * groups * bits), dtype=np.uint8)
    terms = _terms(pattern, code)
    for top, end in row_blocks(weights.shape):
        start = top * groups * bits
        block = raw[top:end], kept(top, end), *terms, values[top:end], stream, start
        if compress_groups(*block) >= 0:
            require_compliance(kept(0, rows), pattern, "weights")
    if dtype == "int4":
        return Compressed(pattern, code, dtype, k, _halves(values), stream)
    return Compressed(pattern, code, dtype, k, values.view(STORED[dtype]), stream)


def decompress(compressed: Compressed) -> npt.NDArray[Any]:
    """The matrix (rows, k) that was compressed.

    Raises
    ------
    WeightsError
        If the sizes or the metadata are none that `compress` makes.
    """
    from simulator.weights.kernels import decompress_groups

    pattern, k = compressed.pattern, compressed.k
    rows, groups = compressed.values.shape[0], pattern.groups(k)
    values = np.ascontiguousarray(compressed.values)
    if compressed.dtype == "int4":
        values = _whole(values)[:, : groups * pattern.keep]
    size = bits_to_bytes(rows * groups * pattern.metadata_bits(compressed.code))
    if values.shape[1] != groups * pattern.keep or compressed.metadata.size != size:
        raise WeightsError("compressed weights", "slots or metadata of the wrong size")
    values = np.ascontiguousarray(values)
    values = values.view(f"u{values.dtype.itemsize}")
    weights = np.zeros((rows, k), dtype=values.dtype)
    metadata = np.ascontiguousarray(compressed.metadata)
    broken = decompress_groups(values, metadata, *_terms(pattern, compressed.code), weights)
    if broken >= 0:
        row, group = divmod(broken, groups)
        raise WeightsError(f"metadata of row {row}, group {group}", "no mask of this pattern")
    return weights.view(STORED[compressed.dtype])


def _terms(pattern: Pattern, code: MetadataCode) -> tuple[Any, ...]:
    """keep, group, signed bits of `compress_groups`, binomials, and scratch."""
    keep, group = pattern.keep, pattern.group
    bits = 0 if pattern.is_dense else (group - 1).bit_length()
    choose = np.zeros((1, 1), dtype=np.int64)
    if code == "enumerative" and bits:
        bits = -pattern.metadata_bits(code)
        if bits < -62:
            raise WeightsError(f"pattern {pattern}", "too many masks for the enumerative code")
        largest = math.comb(group, keep)
        choose = np.array(
            [[min(math.comb(p, s), largest) for s in range(keep + 1)] for p in range(group + 1)],
            dtype=np.int64,
        )
    return keep, group, bits, choose, np.zeros(keep + 1, dtype=np.int64)


def _raw(weights: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """The bits of weights, as unsigned integers."""
    if dtype not in STORED:
        raise WeightsError("dtype", "cannot be stored", want=" or ".join(STORED), got=dtype)
    if weights.ndim != 2 or weights.dtype != STORED[dtype]:
        got = f"{weights.dtype} of shape {weights.shape}"
        want = f"{np.dtype(STORED[dtype])} (rows, k)"
        raise WeightsError("weights", f"not {dtype}", want=want, got=got)
    if dtype == "int4" and weights.size and (weights.min() < -8 or weights.max() > 7):
        raise WeightsError("weights", "not int4", want="-8 to 7")
    return np.ascontiguousarray(weights).view(f"u{weights.dtype.itemsize}")


def _halves(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Two int4 to a byte, the first in the low half."""
    packed = values[:, ::2] & 15
    packed[:, : values.shape[1] // 2] |= values[:, 1::2] << 4
    return packed


def _whole(packed: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One int4 a byte, sign extended."""
    values = np.empty((packed.shape[0], 2 * packed.shape[1]), dtype=np.uint8)
    values[:, ::2], values[:, 1::2] = packed & 15, packed >> 4
    return (values ^ 8) - np.uint8(8)
