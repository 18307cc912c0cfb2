"""Patterns ``keep:group``: what they store, what their metadata costs, which contains which.

A pattern keeps at most ``keep`` non-zero weights in every ``group`` consecutive weights of one
row along k. The hardware stores ``keep`` slots a group, whatever the weights are, and for each
slot where in the group it came from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import ClassVar, Literal

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


@dataclass(frozen=True)
class Unstructured:
    """Zeros anywhere: the baseline that N:M exists to beat, written ``unstructured:density``.

    What it costs depends on the machine: see `simulator.workload.gathered`.

    Parameters
    ----------
    density : Fraction
        Stored weights over all weights, above 0, at most 1.
    """

    density: Fraction

    is_dense: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not isinstance(self.density, Fraction) or not 0 < self.density <= 1:
            want = "a Fraction above 0 and at most 1"
            raise ConfigError("pattern", "not a density", want=want, got=self.density)

    def __str__(self) -> str:
        billionths = self.density * 10**9
        if billionths.denominator > 1:  # counted on real weights
            return f"unstructured:{float(self.density):g}"
        whole, rest = divmod(billionths.numerator, 10**9)
        return f"unstructured:{whole}.{rest:09}".rstrip("0").rstrip(".")


AnyPattern = Pattern | Unstructured


def parse_pattern(text: object, where: str = "pattern") -> AnyPattern:
    """Read ``keep:group``, ``dense`` or ``unstructured:density``.

    Raises
    ------
    ConfigError
        If the text is none of these.
    """
    if isinstance(text, Unstructured):
        return text
    if isinstance(text, str) and text.strip().startswith("unstructured"):
        _, _, number = text.strip().partition(":")
        want = "'unstructured:density', such as 'unstructured:0.5'"
        if not re.fullmatch(r"[0-9]{0,3}\.?[0-9]{1,9}", number, re.ASCII):
            raise ConfigError(where, "not a density", want=want, got=text)
        density = Fraction(number)
        if not 0 < density <= 1:
            raise ConfigError(where, "a density is above 0 and at most 1", want=want, got=text)
        return Unstructured(density)
    return Pattern.parse(text, where)


TRACE = "trace"
"""What stands for a pattern where every layer has its own: as the trace says."""


def parse_asked(text: object, where: str = "pattern") -> AnyPattern | None:
    """Read a pattern for all layers, or ``trace`` or None: as the trace says, which is None.

    Raises
    ------
    ConfigError
        If the text is none of these.
    """
    if text is None or (isinstance(text, str) and text.strip().lower() == TRACE):
        return None
    return parse_pattern(text, where)


def asked_name(pattern: AnyPattern | str | None) -> str:
    """A pattern for all layers as `parse_asked` reads it."""
    return TRACE if pattern is None else str(pattern)


@dataclass(frozen=True)
class Capability:
    """The patterns that a machine executes: a list, or any up to a largest group.

    Dense is always among them.
    """

    patterns: tuple[Pattern, ...] = ()
    largest_group: int = 0

    def execute_as(self, asked: Pattern, code: MetadataCode = "index") -> Pattern:
        """The sparsest executable pattern that contains ``asked``, else dense."""
        return next(iter(self.hosts(asked, code)), DENSE)

    def hosts(self, asked: Pattern, code: MetadataCode = "index") -> list[Pattern]:
        """The executable patterns that contain ``asked`` and are worth trying, dense left aside.

        Of the list, all that contain it. Of "any up to a largest group", itself, or the sparsest if
        its group is too large, and those whose group is a power of two and whose ``keep`` is one,
        too, or one less than the group; of several as dense the one with the least metadata, since
        others move as much and no less, and are padded no less. A denser pattern may be faster: its
        instructions and stages span less of k, and fewer activations wait in registers.

        Returns
        -------
        list of Pattern
            Sparsest first; ties go to fewer metadata bits per weight, then to the smaller group.
        """
        return list(_hosts(self, asked, code))

    def _hosts(self, asked: Pattern, code: MetadataCode) -> list[Pattern]:
        if asked.is_dense:
            return []
        found = {p for p in self.patterns if not p.is_dense and asked.fits(p)}
        found |= self._containing(asked, code)
        return sorted(found, key=_by_density(code))

    def _containing(self, asked: Pattern, code: MetadataCode) -> set[Pattern]:
        """Those of any group up to the largest that `hosts` names."""
        if asked.group <= self.largest_group:
            found = {asked}
        else:
            groups = range(2, self.largest_group + 1)
            sparsest = [Pattern(asked.most_in(group), group) for group in groups]
            sparsest = sorted((p for p in sparsest if not p.is_dense), key=_by_density(code))
            found = set(sparsest[:1])
        for group in (2**power for power in range(1, self.largest_group.bit_length())):
            keeps = {keep for keep in range(1, group) if _is_power(keep)} | {group - 1}
            found |= {Pattern(keep, group) for keep in keeps if keep >= asked.most_in(group)}
        least: dict[Fraction, Pattern] = {}
        for pattern in sorted(found, key=_by_density(code)):
            least.setdefault(pattern.density, pattern)
        return {asked, *least.values()} if asked in found else {*least.values()}


def _by_density(code: MetadataCode) -> Callable[[Pattern], tuple[Fraction, Fraction, int]]:
    """Sparsest first, then the fewest metadata bits per weight, then the smaller group."""
    return lambda pattern: (pattern.density, *pattern.metadata_per_weight(code))


def _is_power(number: int) -> bool:
    """Of two."""
    return number & (number - 1) == 0


@cache
def _hosts(capability: Capability, asked: Pattern, code: MetadataCode) -> tuple[Pattern, ...]:
    """Remembered, since a sweep asks for the same again and again."""
    return tuple(capability._hosts(asked, code))
