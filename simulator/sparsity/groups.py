"""Patterns ``keep:group``: what they store, what their metadata costs, which contains which.

A pattern keeps at most ``keep`` non-zero weights in every ``group`` consecutive weights of one
row along k. The hardware stores ``keep`` slots a group, whatever the weights are, and for each
slot where in the group it came from.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, ClassVar, Literal

from simulator.errors import ConfigError

MetadataCode = Literal["index", "enumerative"]

LARGEST_GROUP = 4096
"""A bound on ``group`` that no hardware proposal comes near; it keeps sizes in int64."""


class EveryColumn:
    """What of X the tensor cores need where no rows choose columns: all of k, for every row."""

    chooses: ClassVar[bool] = False
    """Whether rows choose columns of X together."""

    def columns(self, weights: Any) -> Any:
        """Rows of X (columns of W) that a tile reads for ``weights`` consecutive weights."""
        return weights

    def distinct_ratio(self, rows: int) -> Fraction:
        """How many of them ``rows`` rows read between them, over those that one tile reads."""
        del rows
        return Fraction(1)

    def shared_metadata_bits(self, rows: int, weights: Any) -> Any:
        """Metadata bits besides those of single rows."""
        del rows, weights
        return 0

    def takes_rows(self, rows: int) -> bool:
        """Whether tiles of so many rows can hold it."""
        return rows >= 1


@dataclass(frozen=True, order=True)
class Pattern(EveryColumn):
    """An N:M pattern, written ``keep:group``.

    Parameters
    ----------
    keep : int
        Non-zero weights allowed in a group, >= 1.
    group : int
        Consecutive weights along k, >= keep.
    """

    keep: int
    group: int

    def __post_init__(self) -> None:
        for value in (self.keep, self.group):
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigError("pattern", "keep and group are whole numbers", got=value)
        if not 1 <= self.keep <= self.group <= LARGEST_GROUP:
            raise ConfigError("pattern", "want 1 <= keep <= group", got=f"{self.keep}:{self.group}")

    @classmethod
    def parse(cls, text: object, where: str = "pattern") -> Pattern:
        """Read ``"2:4"``; ``"dense"`` is 1:1.

        Raises
        ------
        ConfigError
            If the text is not ``keep:group`` with 1 <= keep <= group.
        """
        want = "'keep:group', such as '2:4'"
        if isinstance(text, Pattern):
            return text
        if isinstance(text, int):
            minutes, seconds = divmod(text, 60)
            hint = "write it in quotes"
            if 0 < minutes <= seconds:
                hint = f"YAML 1.1 reads {minutes}:{seconds} as {text}: write '{minutes}:{seconds}'"
            raise ConfigError(where, "not a pattern", want=want, got=text, hint=hint)
        if not isinstance(text, str):
            raise ConfigError(where, "not a pattern", want=want, got=text)
        if text.strip().lower() == "dense":
            return DENSE
        match = re.fullmatch(r"\s*(\d{1,5})\s*:\s*(\d{1,5})\s*", text, re.ASCII)
        if match is None:
            raise ConfigError(where, "not a pattern", want=want, got=text)
        keep, group = int(match[1]), int(match[2])
        if not 1 <= keep <= group:
            raise ConfigError(
                where,
                "a group cannot keep more weights than it has, or none",
                want="1 <= keep <= group",
                got=text,
                hint=f"did you mean '{min(keep, group) or 1}:{max(keep, group)}'?"
                if group
                else None,
            )
        if group > LARGEST_GROUP:
            raise ConfigError(where, "group too large", want=f"<= {LARGEST_GROUP}", got=text)
        return cls(keep, group)

    def __str__(self) -> str:
        return f"{self.keep}:{self.group}"

    @property
    def is_dense(self) -> bool:
        """Every weight is stored: 1:1, 4:4, ..."""
        return self.keep == self.group

    @property
    def density(self) -> Fraction:
        """Stored weights over all weights."""
        return Fraction(self.keep, self.group)

    @property
    def expansion(self) -> Fraction:
        """Weights along k that one slot stands for: group / keep."""
        return Fraction(self.group, self.keep)

    def groups(self, weights: int) -> int:
        """Groups that cover ``weights`` consecutive weights, the last one perhaps in part."""
        return -(-weights // self.group)

    def padded(self, weights: int) -> int:
        """Weights of the whole groups that cover ``weights`` consecutive ones."""
        return self.groups(weights) * self.group

    def slots(self, weights: int) -> int:
        """Slots stored for ``weights`` consecutive weights: ``keep`` a group, always."""
        return self.groups(weights) * self.keep

    def useful_slots(self, weights: int) -> int:
        """Slots that can hold a weight: in a partial last group no more than it has weights."""
        whole, rest = divmod(weights, self.group)
        return whole * self.keep + min(rest, self.keep)

    def metadata_bits(self, code: MetadataCode = "index") -> int:
        """Metadata bits of one group; a dense group needs none.

        ``index``: ``keep * ceil(log2 group)``, an index a slot (2:4: 4 bits, as NVIDIA's).
        ``enumerative``: ``ceil(log2 C(group, keep))``, the number of the mask (2:4: 3 bits).
        """
        if self.is_dense:
            return 0
        if code == "index":
            return self.keep * (self.group - 1).bit_length()
        return (math.comb(self.group, self.keep) - 1).bit_length()

    def stored_metadata_bits(self, weights: int, code: MetadataCode = "index") -> int:
        """Metadata bits stored for ``weights`` consecutive weights."""
        return self.groups(weights) * self.metadata_bits(code)

    def slot_metadata_bits(self, slots: int, code: MetadataCode = "index") -> int:
        """Metadata bits that go with ``slots`` slots of one row."""
        return -(-slots // self.keep) * self.metadata_bits(code)

    def span(self, slots: int) -> int:
        """Weights along k that ``slots`` slots of one row stand for, rounded up to one."""
        return -(-slots * self.group // self.keep)

    def held(self, slots: int) -> int:
        """Activations of the whole groups that ``slots`` slots of one row are taken from."""
        return -(-slots // self.keep) * self.group

    def weights_of(self, slots: int) -> int:
        """Whole groups along k, one at least, whose slots fit in ``slots``."""
        return max(1, slots // self.keep) * self.group

    def fits(self, host: Pattern) -> bool:
        """Whether every mask of this pattern is also a mask of ``host``.

        In every aligned window of ``host.group`` weights, over one period ``lcm`` of both groups,
        the groups that overlap it may put at most ``min(keep, overlap)`` weights each into it.
        """
        return self.most_in(host.group) <= host.keep

    def most_in(self, window: int) -> int:
        """The most weights that an aligned window of ``window`` weights can hold."""
        return _most_in(self.keep, self.group, window)

    def metadata_per_weight(self, code: MetadataCode = "index") -> tuple[Fraction, int]:
        """What ties between equal densities go by: metadata bits per weight, then the group."""
        return Fraction(self.metadata_bits(code), self.group), self.group


DENSE = Pattern(1, 1)


@cache
def _most_in(keep: int, group: int, window: int) -> int:
    most = 0
    for start in range(0, math.lcm(group, window), window):
        end = start + window
        found = 0
        for first in range(start - start % group, end, group):
            overlap = min(end, first + group) - max(start, first)
            found += min(keep, overlap)
        most = max(most, found)
    return most
