"""Two machines: the keys that differ, and what that does to a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.decisions.difference.of_reports import ReportsDifference
from simulator.decisions.difference.result import FEW, Difference, listed, moved
from simulator.described.decisions import MACHINES
from simulator.hardware import Hardware
from simulator.names import shortened
from simulator.quantities import count, times

if TYPE_CHECKING:
    from simulator.pictures import Picture

CALLED: Final = ("name", "description")
"""Keys that say what a machine is called, not what it is."""

WIDEST: Final = 40
"""Characters of a value in a sentence."""


@dataclass(frozen=True)
class KeyChange:
    """A dotted key that two machines have different values of; None: one leaves it out."""

    key: str
    before: Any
    after: Any

    @property
    def ratio(self) -> float | None:
        """Of numbers, the second over the first."""
        if not (is_number(self.before) and is_number(self.after) and self.before):
            return None
        return float(self.after / self.before)

    @property
    def texts(self) -> tuple[str, str]:
        """As YAML has the values, nearly."""
        return text_of(self.before), text_of(self.after)

    def __str__(self) -> str:
        before, after = (shortened(text, WIDEST) for text in self.texts)
        ratio = f" ({times(self.ratio)})" if self.ratio is not None else ""
        return f"{self.key} {before} → {after}{ratio}"

    def moved(self) -> float:
        """As `simulator.decisions.difference.moved`; of what is no number, infinite."""
        if is_number(self.before) and is_number(self.after):
            return moved(self.before, self.after)
        return float("inf")


@dataclass(frozen=True)
class MachinesDifference(Difference):
    """Machines, key by key; and, where a workload was named, a run of it on each."""

    described = MACHINES
    keys: tuple[KeyChange, ...]
    run: ReportsDifference | None = None

    def sentences(self) -> Iterable[str]:
        if self.run is not None:
            (run,) = self.run.runs
            ran = f"{run.before.workload}, {run.name}"
            yield from (f"{ran}: {text}" for text in self.run.sentences())
        if not self.keys:
            yield "A and B are the same machine, to the last key but its name and description."
            return
        named = [str(key) for key in self.keys[:FEW]]
        if len(self.keys) > FEW:
            named.append(f"{len(self.keys) - FEW} more")
        yield f"B differs from A in {count(len(self.keys), 'key')}: {listed(named)}."

    def beyond(self, tolerance: float) -> list[str]:
        """Where runs were compared, what moved in them; else keys."""
        if self.run is not None:
            return self.run.beyond(tolerance)
        return [str(key) for key in self.keys if key.moved() > tolerance]

    def records(self) -> list[dict[str, Any]]:
        """A row a key."""
        return [
            {"key": one.key, "a": one.texts[0], "b": one.texts[1], "ratio": one.ratio}
            for one in self.keys
        ]

    def details(self) -> dict[str, Any]:
        if self.run is None:
            return {}
        return {"run": {**self.run.details(), "layers": self.run.records()}}

    def plot(self) -> Picture:
        return super().plot() if self.run is None else self.run.plot()


def machines_difference(
    names: tuple[str, str],
    before: Hardware,
    after: Hardware,
    run: ReportsDifference | None = None,
) -> MachinesDifference:
    """All keys that differ, in the order of the YAML."""
    first, second = (dict(_flat(one.model_dump(mode="json"))) for one in (before, after))
    keys = tuple(
        KeyChange(key, first.get(key), second.get(key))
        for key in first | second
        if key not in CALLED and first.get(key) != second.get(key)
    )
    return MachinesDifference(*names, (), keys, run)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def text_of(value: Any) -> str:
    """A value of a key on one line; ``-`` where there is none."""
    if value is None:
        return "-"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _flat(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; lists are values. What is left out is none."""
    for name, value in tree.items():
        key = f"{before}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{key}.")
        elif value is not None:
            yield key, value
