"""Which patterns a machine executes, and which of them a layer's pattern may run as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from simulator.sparsity.groups import DENSE, MetadataCode, Pattern


@dataclass(frozen=True)
class Capability:
    """The patterns that a machine executes: a list, or any up to a largest group.

    Dense is always among them.
    """

    patterns: tuple[Pattern, ...] = ()
    largest_group: int = 0

    def executes(self, pattern: Pattern) -> bool:
        """Whether the machine executes it as it is."""
        return pattern in self.patterns or pattern.group <= self.largest_group

    def execute_as(self, asked: Pattern, code: MetadataCode = "index") -> Pattern:
        """The sparsest executable pattern that contains ``asked``, else dense."""
        return next(iter(self.hosts(asked, code)), DENSE)

    def hosts(self, asked: Pattern, code: MetadataCode = "index") -> list[Pattern]:
        """The executable patterns that contain ``asked`` and are worth trying, dense left aside.

        Of the list, all that contain it. Of "any up to a largest group", itself, or the sparsest if
        its group is too large; and of groups that divide its own or are powers of two, the
        sparsest, those that keep twice, four times, ... as many weights, and that of all weights
        but one. Of several as dense the one with the least metadata, since others move as much and
        no less. A denser pattern may be faster: its instructions and stages span less of k, and
        fewer activations wait in registers.

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
        for group in range(2, self.largest_group + 1):
            if asked.group % group == 0 or _is_power(group):
                found |= {Pattern(keep, group) for keep in _keeps(asked.most_in(group), group)}
        least: dict[Fraction, Pattern] = {}
        for pattern in sorted(found, key=_by_density(code)):
            least.setdefault(pattern.density, pattern)
        return {asked, *least.values()} if asked in found else {*least.values()}


def _by_density(code: MetadataCode) -> Callable[[Pattern], tuple[Fraction, Fraction, int]]:
    """Sparsest first, then the fewest metadata bits per weight, then the smaller group."""
    return lambda pattern: (pattern.density, *pattern.metadata_per_weight(code))


def _keeps(least: int, group: int) -> set[int]:
    """The least, twice, four times, ... as many, and all but one; none if the least are all."""
    doubled = {least << power for power in range(group.bit_length())}
    return {keep for keep in doubled | {group - 1} if least <= keep < group}


def _is_power(number: int) -> bool:
    """Of two."""
    return number & (number - 1) == 0


@cache
def _hosts(capability: Capability, asked: Pattern, code: MetadataCode) -> tuple[Pattern, ...]:
    """Remembered, since a sweep asks for the same again and again."""
    return tuple(capability._hosts(asked, code))
