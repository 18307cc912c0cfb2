"""What came of a trade-off: points, sentences, and what can be written of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.described.qualities import TRADE_OFF
from simulator.quantities import whole_percent
from simulator.tradeoff.front import BEATEN, ESTIMATE, FRONT, LIKE, TIE, Point
from simulator.tradeoff.per_layer import Mix
from simulator.tradeoff.verdict import is_share, sentences, verdict

if TYPE_CHECKING:
    import pandas as pd

    from simulator.pictures import Picture

FEW_PRUNED = 0.5
"""Where pruned layers take less of the time, that is why little is gained."""

STANDINGS = {FRONT: 0, ESTIMATE: 1, TIE: 2, BEATEN: 3, LIKE: 4}
"""In the order of a table's parts."""


@dataclass(frozen=True)
class TradeOff:
    """Quality beside time of one network and task on one machine.

    Attributes
    ----------
    figure : str
        The name of what `Point.figure` is.
    points : tuple of Point
        Measured ones; the dense network first, then the slowest first.
    like : tuple of Point
        The same quality with the times of another network; none takes part in anything.
    like_name : str
    mix : Mix or None
    mix_point : Point or None
        Of a mix whose quality was not measured; one that was is among the points.
    pruned_ratio : float
        Of the dense network's time, what layers take that some network prunes.
    rate : float
        Of the rule in `simulator.tradeoff.verdict`.
    notes : tuple of str
    """

    hardware: str
    network: str
    task: str
    figure: str
    points: tuple[Point, ...]
    like: tuple[Point, ...] = ()
    like_name: str = ""
    mix: Mix | None = None
    mix_point: Point | None = None
    pruned_ratio: float = 1.0
    rate: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def dense(self) -> Point:
        """The dense network, the first of the points."""
        return self.points[0]

    @property
    def title(self) -> str:
        """Network, machine, and what was measured."""
        return f"{self.network} on {self.hardware}: {self.task}"

    @property
    def shown(self) -> list[Point]:
        """All points in the order of a table."""
        every = [*self.points, *filter(None, [self.mix_point]), *self.like]
        return sorted(every, key=lambda point: (STANDINGS[point.standing], -point.time_ns))

    def sentences(self) -> Iterable[str]:
        """What follows of the front."""
        yield from sentences(self.points, self.dense, self.figure, self.hardware, self.rate)
        if self.pruned_ratio < FEW_PRUNED:
            yield (
                f"The layers that are pruned take {whole_percent(self.pruned_ratio)} of the dense "
                f"network's time on {self.hardware}: no pattern can save more."
            )

    def verdict(self, point: Point) -> str:
        """Whether it is worth it; of what is on the front or tied with it, dense apart."""
        is_asked = point.standing in (FRONT, TIE) and point.group is not self.dense.group
        return verdict(point, self.dense, self.rate) if is_asked else ""

    def records(self) -> list[dict[str, Any]]:
        """One mapping a point, with every column."""
        return [self._record(point) for point in self.shown]

    def _record(self, point: Point) -> dict[str, Any]:
        return {
            "hardware": self.hardware,
            "network": self.like_name if point.standing == LIKE else self.network,
            "task": self.task,
            "pattern": point.pattern,
            "method": point.method,
            "dense_layers": point.group.first.dense,
            "seeds": len(point.group.seeds),
            "figure": self.figure,
            "value": point.figure.value,
            "error": point.figure.error,
            "higher_is_better": point.figure.higher_is_better,
            "cost": point.cost.value,
            "cost_error": point.cost.error,
            "time_ns": point.time_ns,
            "speedup": point.speedup,
            "nonzeros": point.nonzeros,
            "weights": point.weights,
            "standing": point.standing,
            "ties": "; ".join(point.ties),
            "verdict": self.verdict(point),
        }

    def to_json(self) -> str:
        """Points, sentences, the mix and the notes."""
        data: dict[str, Any] = {"points": self.records(), "sentences": list(self.sentences())}
        if self.mix is not None:
            data["mix"] = {
                "budget": str(self.mix.budget),
                "method": self.mix.method,
                "costs": self.mix.origin,
                "time_ns": self.mix.time_ns,
                "predicted_drop": self.mix.drop,
                "patterns": self.mix.patterns,
            }
        data["notes"] = list(self.notes)
        return json.dumps(data, indent=2, ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a point."""
        import pandas as pd

        frame = pd.DataFrame(self.records())
        frame.attrs = TRADE_OFF.attrs(frame.columns)
        return frame

    def to_html(self) -> str:
        """A page with every point, its errors and its verdict, as the text of one HTML file."""
        from simulator.tradeoff.paged import tradeoff_html

        return tradeoff_html(self)

    def plot(self) -> Picture:
        """The figure over the speed-up, with error bars: a series a method."""
        from simulator.pictures import new_picture
        from simulator.pictures.fronts import front
        from simulator.tradeoff.drawn import marks_of, words_of

        picture = new_picture(8.6, 5.2)
        front(picture, marks_of(self), words_of(self), shares=is_share(self.figure))
        return picture
