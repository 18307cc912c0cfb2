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
from typing import Literal

from simulator.errors import ConfigError

MetadataCode = Literal["index", "enumerative"]

LARGEST_GROUP = 4096
"""A bound on ``group`` that no hardware proposal comes near; it keeps sizes in int64."""


@dataclass(frozen=True, order=True)
class Pattern:
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

    def fits(self, host: Pattern) -> bool:
        """Whether every mask of this pattern is also a mask of ``host``.

        In every aligned window of ``host.group`` weights, over one period ``lcm`` of both groups,
        the groups that overlap it may put at most ``min(keep, overlap)`` weights each into it.
        """
        for start in range(0, math.lcm(self.group, host.group), host.group):
            end = start + host.group
            worst = 0
            for first in range(start - start % self.group, end, self.group):
                overlap = min(end, first + self.group) - max(start, first)
                worst += min(self.keep, overlap)
            if worst > host.keep:
                return False
        return True


DENSE = Pattern(1, 1)


@dataclass(frozen=True)
class Capability:
    """The patterns that a machine executes: a list, or any up to a largest group.

    Dense is always among them.
    """

    patterns: tuple[Pattern, ...] = ()
    largest_group: int = 0

    def execute_as(self, asked: Pattern, code: MetadataCode = "index") -> Pattern:
        """The sparsest executable pattern that contains ``asked``, else dense.

        Ties go to fewer metadata bits per weight, then to the smaller group.
        """
        if asked.is_dense:
            return DENSE
        if asked.group <= self.largest_group:
            return asked
        hosts = {p for p in self.patterns if not p.is_dense and asked.fits(p)}
        if self.largest_group:
            hosts |= self._containing(asked)
        return min(
            hosts,
            key=lambda p: (p.density, Fraction(p.metadata_bits(code), p.group), p.group),
            default=DENSE,
        )

    def _containing(self, asked: Pattern) -> set[Pattern]:
        """The sparsest containing pattern of every group up to the largest, where one exists."""
        found = set()
        for group in range(2, self.largest_group + 1):
            for keep in range(1, group):
                if asked.fits(Pattern(keep, group)):
                    found.add(Pattern(keep, group))
                    break
        return found
