"""What every difference can be asked: in words, as rows, as a file, and whether it is too large."""

from __future__ import annotations

import html
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from simulator.described import Table
from simulator.errors import OutputError
from simulator.quantities import percent, time, times

if TYPE_CHECKING:
    import pandas as pd

    from simulator.pictures import Picture

LEAST_SHARE: Final = 0.01
"""Layers that take a smaller share of the time, before and after, are not held to a tolerance."""

FEW: Final = 3
"""So many parts, layers or keys are named in a sentence."""

SHOWN: Final = 0.0005
"""Shares that print as less than a tenth of a per cent are not named in a sentence."""


@dataclass(frozen=True)
class Difference(ABC):
    """What is different in B from A.

    Attributes
    ----------
    before, after : str
        What A and B are called: file, preset, or title.
    notes : tuple of str
        What a reader must know of the two before comparing them.
    """

    before: str
    after: str
    notes: tuple[str, ...]

    described: ClassVar[Table]
    """What the columns of its rows mean."""

    @abstractmethod
    def sentences(self) -> Iterable[str]:
        """What moved, by how much, and through what."""

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """One mapping of plain values a row."""

    @abstractmethod
    def beyond(self, tolerance: float) -> list[str]:
        """What moved by more than a share ``tolerance`` of what it was, or is only in one."""

    def details(self) -> dict[str, Any]:
        """What else a file holds."""
        return {}

    def to_json(self) -> str:
        """Sentences, notes and rows."""
        data = {
            "a": self.before,
            "b": self.after,
            "sentences": list(self.sentences()),
            "notes": list(self.notes),
            **self.details(),
            "rows": self.records(),
        }
        return json.dumps(data, indent=2, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """A row a layer, key or run."""
        import pandas as pd

        columns = [figure.name for figure in self.described.figures]
        frame = pd.DataFrame(self.records(), columns=columns)
        frame.attrs = self.described.attrs(columns)
        return frame

    def to_html(self, commands: Mapping[str, str] | None = None) -> str:
        """One HTML file to click through, which needs nothing but itself.

        Parameters
        ----------
        commands : mapping, optional
            Lines for a shell that it shows, by what they are for.
        """
        from simulator.decisions.difference.paged import difference_html

        return difference_html(self, commands or {})

    def plot(self) -> Picture:
        """Bars of the parts of the difference.

        Raises
        ------
        OutputError
            If it has no parts.
        """
        raise OutputError(
            "picture", "shows the parts of a time",
            want="two reports, or two machines and a workload",
        )  # fmt: skip

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(text)}</p>" for text in (*self.sentences(), *self.notes))
        table: str = self.to_frame().to_html(index=False, max_rows=30)
        return said + table


def longer(before_ns: float, after_ns: float, who: str = "B takes") -> str:
    """``B takes 4.2 % longer (1.20 ms, was 1.15 ms)``."""
    ratio = after_ns / before_ns
    if ratio == 1:
        return f"{who} as long as A ({time(after_ns)})"
    said = f"{times(ratio)} as long"
    if ratio < 2:
        said = f"{percent(abs(ratio - 1))} {'longer' if ratio > 1 else 'less time'}"
    return f"{who} {said} ({time(after_ns)}, was {time(before_ns)})"


def listed(texts: Sequence[str]) -> str:
    """``a, b and c``."""
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last


def some(texts: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    if len(texts) <= FEW:
        return listed(texts)
    return f"{', '.join(texts[:FEW])} and {len(texts) - FEW} more"


def moved(before: float | None, after: float | None) -> float:
    """The share of what was by which something changed; infinite where one is not there."""
    if before is None or after is None:
        return 0.0 if before == after else float("inf")
    if before == after:
        return 0.0
    return abs(after - before) / abs(before) if before else float("inf")
