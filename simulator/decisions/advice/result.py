"""What is advised: a verdict in sentences, a row a layer, and the network with its patterns."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.decisions.advice.breakeven import BreakEven
from simulator.decisions.advice.reasons import Reason
from simulator.decisions.advice.worth import Worth
from simulator.decisions.trust import Band, Outcome
from simulator.described.decisions import ADVICE
from simulator.report.report import Report
from simulator.sparsity import DENSE
from simulator.workload import Workload

if TYPE_CHECKING:
    import pandas as pd

    from simulator.pictures import Picture


@dataclass(frozen=True)
class LayerAdvice:
    """A kernel that has weights.

    Attributes
    ----------
    name : str
    members : tuple of str
        The network's layers with weights that it is the kernel of.
    repeat : int
    m, n, k, count : int
        Sizes of the product.
    pattern : str
        What is advised; ``1:1`` is dense.
    dense_ns : float
        Time of one execution, dense.
    gains : dict of str to float
        By pattern: dense over sparse time, run sparse even where the machine's software would run
        it dense.
    best : str
        The pattern that gains most, or loses least.
    outcomes : dict of str to Outcome
        By pattern: a gain, a tie or a loss. Where the machine runs a pattern dense it is a tie,
        though its neighbours leave another L2 to it.
    reason : Reason or None
        Why it does not gain; None where it does.
    columns, width : BreakEven or None
        From which size on `best` gains; None where it gains already, where that was not asked for,
        and columns where its channels are too few for any.
    """

    name: str
    members: tuple[str, ...]
    repeat: int
    m: int
    n: int
    k: int
    count: int
    pattern: str
    dense_ns: float
    gains: dict[str, float]
    best: str
    outcomes: dict[str, Outcome]
    reason: Reason | None
    columns: BreakEven | None = None
    width: BreakEven | None = None

    @property
    def outcome(self) -> Outcome:
        """Of the best pattern."""
        return self.outcomes[self.best]

    @property
    def layers(self) -> int:
        """How many of the network's layers it stands for."""
        return self.repeat * len(self.members)

    @property
    def is_dense(self) -> bool:
        return self.pattern == str(DENSE)

    def record(self, layer_patterns: Iterable[str]) -> dict[str, Any]:
        """One mapping with every column."""
        return {
            "name": self.name,
            "members": " ".join(self.members),
            "repeat": self.repeat,
            "m": self.m,
            "n": self.n,
            "k": self.k,
            "count": self.count,
            "pattern": self.pattern,
            "dense_ns": self.dense_ns,
            **{f"gain {pattern}": self.gains[pattern] for pattern in layer_patterns},
            "best": self.best,
            "outcome": str(self.outcome),
            "limited_by": self.reason.kind if self.reason else "",
            "reason": self.reason.text if self.reason else "",
            "break_even_columns": _size(self.columns, "n"),
            "break_even_m": _size(self.width, "m"),
            "break_even_k": _size(self.width, "k"),
        }


@dataclass(frozen=True)
class BatchRow:
    """What a network gains at a batch.

    Attributes
    ----------
    gains : dict of str to float
        By pattern, as the machine's software would run it.
    advised : float
        Of the mix that would be advised at that batch.
    bearing_ratio : float
        The share of dense time in layers with weights: any other is the same under all patterns.
    sparse, layers : int
        Layers that the mix runs sparse, of how many with weights.
    """

    batch: int
    dense_ns: float
    gains: dict[str, float]
    advised: float
    bearing_ratio: float
    sparse: int
    layers: int


@dataclass(frozen=True)
class Advice:
    """The result of `advise`.

    Attributes
    ----------
    patterns : tuple of str
    band : Band or None
        How near to 1 a gain decides nothing; None: the machine is unvalidated.
    dense : Report
    reports, forced : dict of str to Report
        By pattern: as the machine's software would run it, and with every layer sparse.
    mix : Report
        Of what is advised, simulated whole.
    workload : Workload
        The network with the advised pattern of every layer: what ``-o`` writes.
    layers : tuple of LayerAdvice
        The kernels that have weights.
    batches : tuple of BatchRow
        Where several were asked for.
    from_batch : dict of str to int or None
        By pattern: the smallest batch at which the network gains, of doublings and halvings; None:
        none up to `most_batch`. Empty where the workload has no parameter ``batch``, or it was not
        asked for.
    most_batch : int
    worth : dict of str to Worth
        By pattern, what it costs in measured quality; empty without a store of qualities.
    """

    hardware: str
    network: str
    patterns: tuple[str, ...]
    band: Band | None
    dense: Report = field(repr=False)
    reports: Mapping[str, Report] = field(repr=False)
    forced: Mapping[str, Report] = field(repr=False)
    mix: Report = field(repr=False)
    workload: Workload = field(repr=False)
    layers: tuple[LayerAdvice, ...] = field(repr=False)
    batches: tuple[BatchRow, ...] = ()
    from_batch: Mapping[str, int | None] = field(default_factory=dict)
    most_batch: int = 0
    worth: Mapping[str, Worth] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Network and machine; of several batches, the one that this is for."""
        batch = f", batch {self.batches[0].batch:,}" if self.batches else ""
        return f"{self.network} on {self.hardware}{batch}"

    @property
    def bearing_ratio(self) -> float:
        """The share of dense time in layers with weights, the only ones that patterns touch."""
        bearing_ns = sum(layer.dense_ns * layer.repeat for layer in self.layers)
        return bearing_ns / self.dense.total.time_ns

    @property
    def gain(self) -> float:
        """Of what is advised, over dense."""
        return self.dense.total.time_ps / self.mix.total.time_ps

    def gain_of(self, pattern: str, *, forced: bool = False) -> float:
        """Of one pattern in all layers, as the machine's software runs it, or sparse throughout."""
        report = (self.forced if forced else self.reports)[pattern]
        return self.dense.total.time_ps / report.total.time_ps

    @property
    def pattern_of(self) -> dict[str, str]:
        """What is advised, by name of a layer."""
        return {name: layer.pattern for layer in self.layers for name in layer.members}

    @property
    def counts(self) -> Counter[str]:
        """How many of the network's layers are advised to run as what."""
        counts: Counter[str] = Counter()
        for layer in self.layers:
            counts[layer.pattern] += layer.layers
        return counts

    def sentences(self) -> Iterable[str]:
        """The verdict a pattern, what is advised, and how far to trust it."""
        from simulator.decisions.advice.told import sentences

        return sentences(self)

    def to_frame(self) -> pd.DataFrame:
        """One row a kernel that has weights."""
        import pandas as pd

        frame = pd.DataFrame([layer.record(self.patterns) for layer in self.layers])
        sizes = [f"break_even_{size}" for size in ("columns", "m", "k") if self.layers]
        frame = frame.astype(dict.fromkeys(sizes, "Int64"))  # missing where nothing gains
        frame.attrs = ADVICE.attrs(frame.columns)
        return frame

    def to_json(self) -> str:
        """The sentences, gains in all and by batch, and the rows of `to_frame`."""
        data = {
            "hardware": self.hardware,
            "network": self.network,
            "verdict": list(self.sentences()),
            "validated": self.band is not None,
            "band_ratio": None if self.band is None else self.band.error_ratio,
            "dense_ns": self.dense.total.time_ns,
            "advised_ns": self.mix.total.time_ns,
            "gain": self.gain,
            "gains": {pattern: self.gain_of(pattern) for pattern in self.patterns},
            "forced": {pattern: self.gain_of(pattern, forced=True) for pattern in self.patterns},
            "break_even_batch": dict(self.from_batch),
            "worth": {pattern: worth.text for pattern, worth in self.worth.items()},
            "batches": [
                {"batch": row.batch, "dense_ns": row.dense_ns, "gains": row.gains,
                 "advised": row.advised, "bearing_ratio": row.bearing_ratio,
                 "sparse": row.sparse, "layers": row.layers}
                for row in self.batches
            ],
            "layers": [layer.record(self.patterns) for layer in self.layers],
            "notes": list(self.notes),
        }  # fmt: skip
        return json.dumps(data, indent=2, ensure_ascii=False)

    def to_html(self, commands: Mapping[str, str] | None = None) -> str:
        """One HTML file to click through, which needs nothing but itself.

        Parameters
        ----------
        commands : mapping, optional
            Lines for a shell that it shows, by what they are for.
        """
        from simulator.decisions.advice.paged import advice_html

        return advice_html(self, commands or {})

    def _repr_html_(self) -> str:
        said = "<br>".join(map(html.escape, self.sentences()))
        head = f"<p><b>{html.escape(self.title)}</b><br>{said}</p>"
        if not self.layers:
            return head
        columns = ["name", "repeat", "pattern", *(f"gain {one}" for one in self.patterns)]
        frame = self.to_frame()[[*columns, "limited_by", "reason"]]
        table: str = frame.to_html(index=False, float_format="{:.2f}".format)
        return head + table

    def plot(self) -> Picture:
        """What each layer gains by each pattern, and what is advised."""
        from simulator.decisions.advice.drawn import advice_picture

        return advice_picture(self)


def _size(found: BreakEven | None, side: str) -> int | None:
    """The size from which on a layer gains; None where that is not known."""
    return None if found is None else found.size(side)
