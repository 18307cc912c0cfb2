"""Patterns ``rows:keep:group``: rows choose columns together, on which 2:4 hardware runs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

from simulator.errors import ConfigError
from simulator.sparsity.groups import LARGEST_GROUP, MetadataCode, Pattern

CHOSEN = Pattern(2, 4)
"""What runs on the columns that rows chose together: 4 of every group, of which a row keeps 2."""

PARTS = 2**32
"""Into how many parts shares of columns are rounded."""


@dataclass(frozen=True)
class VectorPattern:
    """Rows choose columns together, written ``rows:keep:group``: V:N:M.

    Every ``rows`` consecutive rows of W (a *block*; the last may have fewer) choose 4 of every
    ``group`` columns together, and each of them keeps 2 of those 4. So hardware for 2:4 runs it:
    k shrinks to ``4 k / group``, and X is gathered by an index a block and chosen column. Source:
    Castro et al., "VENOM: A Vectorized N:M Format for Unleashing the Power of Sparse Tensor
    Cores", SC 2023.

    Model: blocks choose independently and evenly. A partial last group chooses what it has, up to
    4, and stores whole slots. Rows of a tile share their columns: tiles lie within a block.

    Parameters
    ----------
    rows : int
        Rows of a block, >= 1.
    keep : int
        Non-zero weights of a row in a group: 2.
    group : int
        Columns of which a block chooses 4, >= 4.
    """

    rows: int
    keep: int
    group: int

    is_dense: ClassVar[bool] = False
    chooses: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check("pattern", self.rows, self.keep, self.group)

    @classmethod
    def checked(cls, where: str, rows: int, keep: int, group: int) -> VectorPattern:
        """The same, with what is to blame if there is none such.

        Raises
        ------
        ConfigError
        """
        _check(where, rows, keep, group)
        return cls(rows, keep, group)

    def __str__(self) -> str:
        return f"{self.rows}:{self.keep}:{self.group}"

    @property
    def of_rows(self) -> Pattern:
        """What every row follows by itself."""
        return Pattern(self.keep, self.group)

    @property
    def density(self) -> Fraction:
        """Stored weights over all weights."""
        return self.of_rows.density

    def hosts(self, rows: Iterable[int], weights: int) -> list[VectorPattern]:
        """Patterns that contain it, of those numbers of rows that are equal parts of its own.

        Parts of the rows may choose alike. Of groups that divide its own, which are contained, too,
        the largest that ``weights`` weights fill: a larger one chooses no more columns.
        """
        sizes = range(CHOSEN.group, min(self.group, weights) + 1)
        group = max((size for size in sizes if self.group % size == 0), default=self.group)
        parts = [one for one in rows if self.rows % one == 0]
        return [VectorPattern(one, self.keep, group) for one in parts]

    def padded(self, weights: int) -> int:
        """Weights of the whole groups that cover ``weights`` consecutive ones."""
        return self.of_rows.padded(weights)

    def slots(self, weights: int) -> int:
        """Slots stored for ``weights`` consecutive weights of a row."""
        return self.of_rows.slots(weights)

    def useful_slots(self, weights: int) -> int:
        """Slots that can hold a weight."""
        return self.of_rows.useful_slots(weights)

    def weights_of(self, slots: int) -> int:
        """Whole groups along k, one at least, whose slots fit in ``slots``."""
        return self.of_rows.weights_of(slots)

    def stored_metadata_bits(self, weights: int, code: MetadataCode = "index") -> int:
        """Metadata bits of a row: which of the chosen columns its slots are of."""
        return self.of_rows.groups(weights) * CHOSEN.metadata_bits(code)

    def slot_metadata_bits(self, slots: int, code: MetadataCode = "index") -> int:
        """Metadata bits that go with ``slots`` slots of one row."""
        return CHOSEN.slot_metadata_bits(slots, code)

    def span(self, slots: int) -> int:
        """Chosen columns that ``slots`` slots of one row stand for."""
        return CHOSEN.span(slots)

    def held(self, slots: int) -> int:
        """Activations of the whole groups of chosen columns that ``slots`` slots are taken from."""
        return CHOSEN.held(slots)

    def columns(self, weights: Any) -> Any:
        """Columns that a block chooses of ``weights`` consecutive ones; of arrays, too."""
        whole, rest = divmod(weights, self.group)
        return whole * CHOSEN.group + rest - (rest > CHOSEN.group) * (rest - CHOSEN.group)

    def distinct_ratio(self, rows: int) -> Fraction:
        """How many columns all blocks choose between them, over those that one block chooses.

        Of independent choices, ``1 - (1 - p)**blocks`` of all columns are chosen by some block,
        with ``p = 4 / group``: in decimals, so that every machine computes the same, and rounded
        down, so that sizes are whole where they should be.
        """
        if rows <= self.rows:
            return Fraction(1)
        share = Decimal(CHOSEN.group) / self.group
        chosen_by_some = 1 - (1 - share) ** -(-rows // self.rows)
        of_all = Fraction(math.floor(chosen_by_some * PARTS), PARTS)
        return of_all * self.group / CHOSEN.group

    def shared_metadata_bits(self, rows: int, weights: Any) -> Any:
        """An index a block and chosen column, ``ceil(log2 group)`` bits; none where all are chosen.

        Model: a tile stores the indices of its block, whether or not the block has other tiles.
        """
        bits = (self.group - 1).bit_length() if self.group > CHOSEN.group else 0
        return -(-rows // self.rows) * self.columns(weights) * bits

    def takes_rows(self, rows: int) -> bool:
        """Whether tiles of so many rows lie within a block."""
        return self.rows % rows == 0

    def metadata_per_weight(self, code: MetadataCode = "index") -> tuple[Fraction, int]:
        """What ties between equal densities go by: metadata bits per weight, then the group."""
        row = self.stored_metadata_bits(self.group, code)
        block = self.shared_metadata_bits(self.rows, self.group)
        return Fraction(row * self.rows + block, self.rows * self.group), self.group


def _check(where: str, rows: int, keep: int, group: int) -> None:
    got = f"{rows}:{keep}:{group}"
    if any(isinstance(value, bool) or not isinstance(value, int) for value in (rows, keep, group)):
        raise ConfigError(where, "rows, keep and group are whole numbers", got=got)
    if keep != CHOSEN.keep or not CHOSEN.group <= group <= LARGEST_GROUP:
        what = f"rows choose {CHOSEN.group} columns of every group, and {CHOSEN} runs on those"
        want = f"keep {CHOSEN.keep} of a group of {CHOSEN.group} to {LARGEST_GROUP}"
        raise ConfigError(where, what, want=f"{want}, such as '128:2:20'", got=got)
    if not 1 <= rows <= LARGEST_GROUP:
        what = "no such number of rows chooses together"
        raise ConfigError(where, what, want=f"1 to {LARGEST_GROUP} rows", got=got)
