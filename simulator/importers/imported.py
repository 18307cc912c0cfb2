"""What an importer returns: a workload, and an account of what it could not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from simulator.errors import SimulatorError, WorkloadError
from simulator.workload import Layer, Stream, Workload

INPUT = "input"
"""What layers read of the network's own inputs, among the names of others."""

LONGEST_NAME = 200
"""Characters of an operator's name and why it is missing; files may hold any."""


@dataclass(frozen=True)
class Stored:
    """Which tensors of a weights file hold the weights of a layer.

    Attributes
    ----------
    names : tuple of str
        Tensors whose output features follow each other, as of a fused query, key and value. In the
        names of a layer that stands for several, ``{}`` is the number of the block.
    inputs_first : bool
        Stored (k, m) instead of (m, k), as GPT-2's Conv1D.
    tied : str
        The tensor to take where those are missing, such as an embedding that is the head, too.
    experts : range
        Experts whose tensors follow each other; ``{expert}`` in the names is the number of one.
    """

    names: tuple[str, ...]
    inputs_first: bool = False
    tied: str = ""
    experts: range = range(0)

    def of(self, block: int) -> Stored:
        """With the names that the tensors of one block have."""
        experts = self.experts or range(1)
        names = (name.format(block, expert=one) for one in experts for name in self.names)
        return replace(self, names=tuple(names), experts=range(0))


@dataclass(frozen=True)
class Blocks:
    """The blocks of a model that a layer stands for: their numbers, of so many in all.

    Attributes
    ----------
    name : str
        The layer's name within its block.
    """

    name: str
    numbers: tuple[int, ...]
    depth: int

    def name_in(self, block: int) -> str:
        """The name of the layer of one block."""
        return self.name if self.depth == 1 else f"{block}.{self.name}"


@dataclass(frozen=True)
class Imported:
    """A workload read from a model, and how much of the model it is.

    Attributes
    ----------
    workload : Workload
        Its notes repeat the summary and what was assumed.
    macs_bearing : int
        Operators of the model that multiply and accumulate, or may.
    imported : int
        How many of them are layers of the workload.
    skipped : dict of str to int
        Those that are not, by operator and reason.
    stored : dict of str to Stored
        Layer name to the tensors that hold its weights, where the model says.
    blocks : dict of str to Blocks
        Layer name to the blocks that it stands for, where there are some.
    """

    workload: Workload
    macs_bearing: int
    imported: int
    skipped: dict[str, int] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    blocks: dict[str, Blocks] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """Such as ``12 of 14 MAC-bearing operators imported; skipped: LSTM x2``."""
        return _summary(self.imported, self.macs_bearing, self.skipped)

    @classmethod
    def whole(cls, workload: Workload) -> Imported:
        """A layer trace: it holds layers and nothing else."""
        count = sum(not isinstance(layer, Stream) for layer in workload.layers)
        return cls(workload, macs_bearing=count, imported=count)


class Producers:
    """Which layers made each tensor of a graph, through whatever moves data only."""

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, ...]] = {}

    def note(self, tensors: Iterable[str], names: Iterable[str]) -> None:
        """Say which layers made some tensors."""
        self._names.update(dict.fromkeys(tensors, tuple(names)))

    def of(self, tensors: Iterable[str]) -> tuple[str, ...]:
        """Those who made some tensors, each once; nobody makes a constant."""
        return tuple(dict.fromkeys(name for one in tensors for name in self._names.get(one, ())))


class Tally:
    """Collects layers of one model under unique names, and counts what cannot be one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layers: list[Layer] = []
        self.notes: list[str] = []
        self.skipped: Counter[str] = Counter()
        self.stored: dict[str, Stored] = {}
        self.blocks: dict[str, Blocks] = {}
        self.imported = 0
        self._names: Counter[str] = Counter([INPUT])
        self._places: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """A name that a CSV can hold and no other layer has: ``fc``, then ``fc.2``."""
        clean = _printable(wanted) or "layer"
        unique = clean
        while unique in self._names:
            self._names[clean] += 1
            unique = f"{clean}.{self._names[clean]}"
        self._names[unique] = 1
        return unique

    def add(self, layer: Layer, *, counts: bool = True) -> None:
        """Append a layer; one that bears MACs counts as imported, unless its operator has."""
        self._places[layer.name] = len(self.layers)
        self.layers.append(layer)
        if counts and not isinstance(layer, Stream):
            self.imported += 1

    def __getitem__(self, name: str) -> Layer:
        """A layer by its name."""
        return self.layers[self._places[name]]

    def follow(self, name: str, operator: str) -> None:
        """Note an operator that follows a product."""
        place = self._places[name]
        layer = self.layers[place]
        assert not isinstance(layer, Stream)
        self.layers[place] = replace(layer, epilogue=(*layer.epilogue, operator))

    def is_before(self, name: str, other: str) -> bool:
        """Whether one layer comes before another."""
        return self._places.get(name, -1) < self._places.get(other, -1)

    def skip(self, what: str) -> None:
        """Count an operator that bears MACs, or may, and is not imported."""
        self.skipped[_short(_printable(what))] += 1

    def result(self, name: str, stack: str, hint: str | None = None) -> Imported:
        """The workload with its account.

        Parameters
        ----------
        stack : str
            The software that runs it unless another is asked for.
        hint : str, optional
            What to do about a model of which nothing can be read.

        Raises
        ------
        WorkloadError
            If nothing could be read.
        """
        skipped = dict(sorted(self.skipped.items()))
        total = self.imported + sum(skipped.values())
        text = _summary(self.imported, total, skipped)
        if not self.layers or (skipped and not self.imported):
            what = f"holds no layer that can be read: {text}"
            raise WorkloadError(str(self.path), what, hint=hint)
        notes = map(_printable, (f"{self.path.name}: {text}", *self.notes))
        workload = Workload(name, self.layers, notes, stack=stack)
        return Imported(workload, total, self.imported, skipped, self.stored, self.blocks)


def located(path: Path, name: str, error: SimulatorError, hint: str | None = None) -> WorkloadError:
    """An error of one layer, with the file that it came from."""
    where = error.where if error.where.startswith(name) else name
    return WorkloadError(f"{path} {where}", str(error).removeprefix(f"{where}: "), hint=hint)


def renamed(layer: Layer, name: str) -> Layer:
    """The same layer under another name: what has been checked is not checked again."""
    twin = copy(layer)
    object.__setattr__(twin, "name", name)
    return twin


@lru_cache(maxsize=4096)
def _printable(text: str) -> str:
    """One line without what a terminal would obey; names come from files."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _short(text: str) -> str:
    """A name from a file in a line for people: cut in the middle, since its ends say most."""
    half = LONGEST_NAME // 2
    return text if len(text) <= LONGEST_NAME else f"{text[:half]}...{text[-half:]}"


def _summary(imported: int, total: int, skipped: Mapping[str, int]) -> str:
    text = f"{imported} of {total} MAC-bearing operators imported"
    if skipped:
        text += "; skipped: " + ", ".join(f"{kind} x{count}" for kind, count in skipped.items())
    return text
