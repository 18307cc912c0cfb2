"""Tables of descriptions, and the forms in which frames and files carry them."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property


@dataclass(frozen=True)
class Described:
    """A figure.

    Attributes
    ----------
    name : str
        Of a column, or dotted of a nested figure; ``*`` stands for names of the user's.
    unit : str
        Empty for counts, ratios and names.
    meaning : str
        A sentence or two.
    formula : str
        By the names of other figures and of a machine's keys; empty where there is none to give.
    """

    name: str
    unit: str
    meaning: str
    formula: str = ""

    def under(self, prefix: str) -> Described:
        """The same figure, where it lies deeper."""
        return replace(self, name=f"{prefix}.{self.name}")


Attrs = dict[Hashable | None, dict[str, str]]  # of keys what pandas says of them
"""Units, meanings and formulas by column: plain texts, so that frames stay cheap to copy, and may
be compared, pickled and written."""


@dataclass(frozen=True)
class Table:
    """The figures of one kind of row.

    Attributes
    ----------
    name : str
    about : str
        What a row is, and what is true of all figures.
    figures : tuple of Described
        In the order in which they are exported.
    """

    name: str
    about: str
    figures: tuple[Described, ...]

    @cached_property
    def _by_name(self) -> dict[str, Described]:
        return {figure.name: figure for figure in self.figures}

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], Described]]:
        named = [figure for figure in self.figures if "*" in figure.name]
        return [(re.compile(re.escape(x.name).replace(r"\*", ".+")), x) for x in named]

    def find(self, name: str) -> Described | None:
        """What a name means; None if the table does not say."""
        found = self._by_name.get(name)
        if found is None:
            found = next((x for form, x in self._patterns if form.fullmatch(name)), None)
        return found

    def attrs(
        self, names: Iterable[str], others: Callable[[str], Described | None] = lambda _: None
    ) -> Attrs:
        """What ``DataFrame.attrs`` says of columns: ``attrs["meaning"]["time_ps"]``.

        Parameters
        ----------
        others : callable
            What names mean that the table does not know.
        """
        found = {name: self.find(name) or others(name) for name in names}
        known = {name: figure for name, figure in found.items() if figure is not None}
        return {
            "unit": {name: figure.unit for name, figure in known.items() if figure.unit},
            "meaning": {name: figure.meaning for name, figure in known.items()},
            "formula": {name: figure.formula for name, figure in known.items() if figure.formula},
        }
