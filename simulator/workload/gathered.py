"""Zeros anywhere on a machine: what a slot costs where no group says which activation it needs.

Every slot fetches its own activations from the scratchpad, and its index spans all of k.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from simulator.hardware import Hardware
from simulator.sparsity import EveryColumn, MetadataCode, Unstructured
from simulator.units import DTYPE_BITS, ceil_div

SAMPLED_FETCHES = 1 << 15
"""Fetches on which bank conflicts are counted; the ratio is good to 1 %."""


@dataclass(frozen=True)
class Gathered(EveryColumn):
    """How weights of a density are stored and fetched, of one layer on one machine.

    Counts answer what `simulator.sparsity.Pattern` answers of groups.

    Parameters
    ----------
    pattern : Unstructured
        The density that is executed.
    index_bits : int
        Of one slot: ``ceil(log2 k)``.
    conflict_ratio : Fraction
        Cycles that a wave of fetches takes because of bank conflicts, >= 1.
    """

    pattern: Unstructured
    index_bits: int
    conflict_ratio: Fraction

    @classmethod
    def seeded(cls, pattern: Unstructured, k: int, ways: int) -> Gathered:
        """With the bank conflicts of random rows of ``k`` weights, ``ways`` fetches at a time."""
        conflict = bank_conflicts(pattern.density, k, ways)
        return cls(pattern, max(1, (k - 1).bit_length()), conflict)

    def __str__(self) -> str:
        return str(self.pattern)

    @property
    def is_dense(self) -> bool:
        """Never: indices are stored at any density."""
        return False

    @property
    def density(self) -> Fraction:
        """Stored weights over all weights."""
        return self.pattern.density

    def padded(self, weights: int) -> int:
        """No group needs to be whole: as many weights."""
        return weights

    def slots(self, weights: int) -> int:
        """Slots of ``weights`` consecutive weights, on average, rounded up."""
        return -(-weights * self.density.numerator // self.density.denominator)

    useful_slots = slots

    def stored_metadata_bits(self, weights: int, _: MetadataCode = "index") -> int:
        """Index bits stored for ``weights`` consecutive weights."""
        return self.slots(weights) * self.index_bits

    def slot_metadata_bits(self, slots: int, _: MetadataCode = "index") -> int:
        """Index bits that go with ``slots`` slots."""
        return slots * self.index_bits

    def span(self, slots: int) -> int:
        """Weights along k that ``slots`` slots stand for."""
        return -(-slots * self.density.denominator // self.density.numerator)

    def weights_of(self, slots: int) -> int:
        """Weights along k whose slots fit in ``slots``."""
        return max(1, math.floor(slots / self.density))


def fetch_ways(hardware: Hardware, dtype: str) -> int:
    """Fetches of one instruction's columns that the scratchpad's banks could serve in a cycle."""
    pad = hardware.core.scratchpad
    step = hardware.core.tensor_cores.instructions[dtype].column_step
    banks_per_fetch = ceil_div(step * DTYPE_BITS[dtype], 8 * pad.bank_bytes)
    return max(1, pad.banks // banks_per_fetch)


@cache
def bank_conflicts(density: Fraction, k: int, ways: int) -> Fraction:
    """Mean cycles of a wave of ``ways`` simultaneous fetches of random rows of X.

    Row ``i`` of X lies in bank group ``i mod ways``; a wave takes as many cycles as its fullest
    bank group has fetches. Counted on the non-zeros of seeded random rows, in the order in which
    an instruction takes them: one slot of ``ways`` rows of W at a time.

    Parameters
    ----------
    ways : int
        Fetches that the scratchpad could serve in a cycle if all banks were distinct.
    """
    if ways == 1:
        return Fraction(1)
    generator = random.Random(k)
    slots = max(1, math.floor(k * density))
    waves = cycles = 0
    while waves * ways < SAMPLED_FETCHES:
        rows = [sorted(generator.sample(range(k), slots)) for _ in range(ways)]
        for slot in range(min(slots, SAMPLED_FETCHES // ways)):
            banks = [row[slot] % ways for row in rows]
            cycles += max(banks.count(bank) for bank in banks)
            waves += 1
    return Fraction(cycles, waves)
