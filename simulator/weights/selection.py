"""Which weights of every group are the largest, and what they sum to, part by part.

Weights are looked at as (outer, channels, inner), groups along the channels, a part at a time: no
array but a part's is made. The magnitudes of float32 are ordered as the integers of their bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.errors import WeightsError
from simulator.sparsity import Pattern
from simulator.weights.largest import SUMS, add_up, count_digits, keep_largest
from simulator.weights.masks import BLOCK_WEIGHTS, rounded_count
from simulator.weights.tensor import Tensor, widened

Raw = npt.NDArray[np.generic]

INFINITE = 0x7F800000
"""Bits of magnitudes from here on are no finite numbers."""


@dataclass
class Selection:
    """The largest of every group of one tensor.

    Parameters
    ----------
    tensor : Tensor
        Of whose data parts are read.
    shape : (outer, channels, inner)
        As which its data is seen.

    Attributes
    ----------
    kept : int
        Weights that are kept and not zero, once `parts` has been gone through; ``sums`` as well.
    """

    tensor: Tensor
    shape: tuple[int, int, int]
    pattern: Pattern

    def __post_init__(self) -> None:
        self.data = self.tensor.data.reshape(self.shape)
        self.kept, self.sums = 0, np.zeros(SUMS)
        self.least, self.ties = self._least()

    def parts(self) -> Iterator[Raw]:
        """The weights that are kept, and zeros, as they are stored and in their order."""
        keep, group = self.pattern.keep, self.pattern.group
        for raw in self._parts():
            values = widened(raw, self.tensor.dtype)
            kept = np.empty(values.shape, dtype=np.bool_)
            keep_largest(values.view(np.uint32), keep, group, kept)
            self.kept += add_up(values.ravel(), kept.ravel(), self.least, self.sums)
            yield np.where(kept, raw, raw.dtype.type(0))
        for power in (1, 2):
            self.sums[3 * power - 1] += self.ties * self.least**power

    def _parts(self) -> Iterator[Raw]:
        """Whole groups of about `BLOCK_WEIGHTS` weights, in the order of the file."""
        outer, channels, inner = self.shape
        group = self.pattern.group
        high = max(1, BLOCK_WEIGHTS // (channels * inner))
        deep = channels if outer > 1 else group * max(1, BLOCK_WEIGHTS // (group * inner))
        for top in range(0, outer, high):
            for left in range(0, channels, deep):
                yield self.data[top : top + high, left : left + deep]

    def _least(self) -> tuple[float, int]:
        """The least magnitude that the density keeps wherever it is, and how many equal to it.

        Radix selection, 16 bits a pass.
        """
        count, prefix = rounded_count(self.pattern.density, self.data.size), 0
        for high in (True, False):
            frequency = np.zeros(1 << 16, dtype=np.int64)
            for raw in self._parts():
                bits = widened(raw, self.tensor.dtype).ravel().view(np.uint32)
                if count_digits(bits, high, np.uint32(prefix), frequency) >= INFINITE:
                    where = f"{self.tensor.source} tensor {self.tensor.name}".lstrip()
                    raise WeightsError(where, "has weights that are NaN or infinite")
            at_least = np.cumsum(frequency[::-1])[::-1]
            digit = int(np.flatnonzero(at_least >= max(count, 1))[-1])
            count -= int(at_least[digit] - frequency[digit])
            prefix = prefix << 16 | digit
        return float(np.uint32(prefix).view(np.float32)), max(count, 0)
