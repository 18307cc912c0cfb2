"""What came of looking for a machine: its changes, sentences, and what can be written of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.described.decisions import REQUIREMENT
from simulator.hardware.laid_over import machine_lines
from simulator.names import words
from simulator.quantities import count, is_bytes, memory_size, number, time, times, whole_percent

if TYPE_CHECKING:
    import pandas as pd

    from simulator.pictures import Picture

NAMED = 3
"""So many resources are named in a sentence."""
ROW_INCHES = 0.55
"""Of a picture."""


@dataclass(frozen=True)
class Change:
    """A resource of which the machine has more.

    Attributes
    ----------
    resource : str
    values : mapping
        Of dotted keys: before and after.
    factor : float
        By which the first of them changes: quarter doublings, rounded as values are written.
    is_less : bool
        Its values fall by the factor.
    price : float
        What the change would cost less without it.
    without : float or None
        What the speed-up falls to without it; None where nothing is reached.
    """

    resource: str
    values: Mapping[str, tuple[float, float]]
    factor: float
    is_less: bool
    price: float
    without: float | None

    @property
    def name(self) -> str:
        """The key, or what several are called together."""
        return next(iter(self.values)) if len(self.values) == 1 else self.resource

    @property
    def text(self) -> str:
        """``2.38x memory.dram.bytes_per_second``."""
        return f"{self.name} / {self.factor:.2f}" if self.is_less else f"{self.times} {self.name}"

    @property
    def times(self) -> str:
        return f"{self.factor:.2f}x"


@dataclass(frozen=True)
class Tried:
    """A machine that was simulated: what its changes cost, and the speed-up on it."""

    price: float
    gain: float
    is_reached: bool
    is_best: bool = False


@dataclass(frozen=True)
class Stop:
    """Why a target is out of reach.

    Attributes
    ----------
    gain : float
        The highest speed-up that was found.
    bound : str
        What bounds the machine on which it was.
    helping : tuple of (str, float)
        Resources of which twice as much again would give more, and how much; the most first.
    """

    gain: float
    bound: str
    helping: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Requirement:
    """The cheapest change that reaches a speed-up; or, if none does, nearly the highest.

    Attributes
    ----------
    speedup : float
        The target.
    of : {"as-is", "changed"}
        The machine whose dense time it is over.
    most : float
        No resource grows by more.
    changes : tuple of Change
    price : float
    floor : float
        If more of anything never makes slower, no machine that is cheaper than this reaches.
    time_before_ns, time_after_ns, dense_before_ns, dense_after_ns : float
        Device times of the pattern and of dense, before and after the change.
    tried : tuple of Tried
    contradictions : int
        Machines that missed although others with no more of anything reached.
    computed : int
        Runs that no store knew.
    stop : Stop or None
        Where nothing reaches.
    """

    hardware: str
    workload: str
    pattern: str
    speedup: float
    of: str
    most: float
    changes: tuple[Change, ...]
    price: float
    floor: float
    time_before_ns: float
    time_after_ns: float
    dense_before_ns: float
    dense_after_ns: float
    tried: tuple[Tried, ...] = field(repr=False)
    contradictions: int
    computed: int
    stop: Stop | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_reached(self) -> bool:
        """Whether the changes reach the target."""
        return self.stop is None

    @property
    def settings(self) -> dict[str, float]:
        """Dotted keys and what they become."""
        return {key: after for one in self.changes for key, (_, after) in one.values.items()}

    @property
    def reached(self) -> float:
        """The speed-up with the changes."""
        over = self.dense_before_ns if self.of == "as-is" else self.dense_after_ns
        return over / self.time_after_ns

    @property
    def gain_before(self) -> float:
        """The speed-up over dense of the machine as it is."""
        return self.dense_before_ns / self.time_before_ns

    @property
    def title(self) -> str:
        """Network, machine, pattern, and whether the target is reached."""
        verb = "at" if self.is_reached else "does not reach"
        target = f"{verb} {times(self.speedup)} dense"
        return f"{self.workload} on {self.hardware}: {self.pattern} {target}"

    def sentences(self) -> Iterable[str]:
        """What it takes, what that gives, and how sure it is."""
        if self.is_reached and not self.changes:
            yield (
                f"{self.pattern} is {times(self.gain_before)} dense on {self.hardware} as it is: "
                "nothing needs to change."
            )
            return
        yield self._verdict()
        yield (
            f"The pattern takes {time(self.time_before_ns)} as it is and "
            f"{time(self.time_after_ns)} after; dense {time(self.dense_before_ns)} and "
            f"{time(self.dense_after_ns)}, where the pattern is "
            f"{times(self.dense_after_ns / self.time_after_ns)} dense."
        )
        if self._is_dense:
            yield (
                f"{self.pattern} takes as long as dense on both machines: what is bought is a "
                "faster machine, not a gain of sparsity."
            )
        yield self._certainty() if self.stop is None else self._stopped(self.stop)

    @property
    def _is_dense(self) -> bool:
        """Whether the pattern gains nothing before nor after, as where machines run it dense."""
        before, after = self.time_before_ns, self.time_after_ns
        return (before, after) == (self.dense_before_ns, self.dense_after_ns)

    def _verdict(self) -> str:
        over = "dense" if self.of == "changed" else "dense as it is"
        named = [one.text for one in self.changes]
        changes = _listed(named) if named else "nothing more"
        if self.stop is not None and len(named) > NAMED:
            changes = f"{count(len(named), 'change')}, as listed"
        if self.stop is None:
            return (
                f"{self.pattern} reaches {times(self.reached)} {over} on {self.hardware} with "
                f"{changes}: price {self.price:.3g} of the machine's area; without any one step it "
                f"misses {times(self.speedup)}."
            )
        return (
            f"{self.pattern} does not reach {times(self.speedup)} {over} on {self.hardware}: "
            f"{times(self.stop.gain)} is the most that was found, with up to {self.most:g}x of "
            f"what has a price or is free. {times(self.reached)} takes {changes}: price "
            f"{self.price:.3g} times the machine's area."
        )

    def _certainty(self) -> str:
        tried = f"{count(len(self.tried), 'machine')} of the grid were tried. "
        doubt = ""
        if self.contradictions:
            doubt = f" More did make slower, in {count(self.contradictions, 'of them', 'of them')}."
        if self.floor >= self.price * (1 - 1e-9):
            return f"{tried}If more never makes slower, none that is cheaper reaches it.{doubt}"
        if self.floor <= 0:
            return f"{tried}Cheaper ones are not ruled out: more tries would tell.{doubt}"
        share = whole_percent(1 - self.floor / self.price)
        return (
            f"{tried}If more never makes slower, none below {self.floor:.3g} reaches it; one that "
            f"is cheaper by up to {share} is not ruled out: more tries would tell.{doubt}"
        )

    def _stopped(self, stop: Stop) -> str:
        there = f"At most it is bound by {words(stop.bound)}"
        if not stop.helping:
            return f"{there}, and twice as much again of any one thing gives less than 1 %."
        helping = [f"{name} ({times(gain)})" for name, gain in stop.helping[:NAMED]]
        return f"{there}; more comes of twice as much again of {_listed(helping)}."

    def machine_yaml(self, base: str, name: str, given: Mapping[str, object] | None = None) -> str:
        """The changed machine as a file that names its base and lists what differs.

        Parameters
        ----------
        base : str
            Preset or file that it is laid over.
        name : str
            What the machine is called.
        given : mapping, optional
            What else it differs from its base in, by dotted key.
        """
        differences: dict[str, tuple[str, object, str]] = {
            key: (key, value, "given with --set") for key, value in (given or {}).items()
        }
        for one in self.changes:
            for key, (before, after) in one.values.items():
                size = f"{memory_size(after)}; " if is_bytes(key) else ""
                change = f"{one.factor:.2f} times {'less' if one.is_less else 'more'}"
                note = f"{size}was {number(before)}, {change} {one.resource}"
                differences[key] = (key, after, note)
        head = next(iter(self.sentences()))
        lines = [f"# {self.workload}: {head}", *machine_lines(base, name, differences.values())]
        return "\n".join(lines) + "\n"

    def records(self) -> list[dict[str, Any]]:
        """One mapping a key that changes."""
        return [
            {
                "resource": one.resource,
                "key": key,
                "before": before,
                "after": after,
                "factor": one.factor,
                "price": one.price,
                "speedup_without": one.without,
            }
            for one in self.changes
            for key, (before, after) in one.values.items()
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row a key that changes; a price is of a resource and stands with each of its keys."""
        import pandas as pd

        columns = [figure.name for figure in REQUIREMENT.figures]
        frame = pd.DataFrame(self.records(), columns=columns)
        frame.attrs = REQUIREMENT.attrs(columns)
        return frame

    def to_json(self) -> str:
        """The changes, the figures, the sentences and the notes."""
        names = ("hardware", "workload", "pattern", "speedup", "of", "most", "is_reached", "price",
                 "floor", "reached", "time_before_ns", "time_after_ns", "dense_before_ns",
                 "dense_after_ns", "contradictions", "settings")  # fmt: skip
        data = {name: getattr(self, name) for name in names}
        data["floor"] = self.floor if self.is_reached else None
        data |= {"machines_tried": len(self.tried), "changes": self.records()}
        if self.stop is not None:
            data["stop"] = asdict(self.stop) | {"helping": dict(self.stop.helping)}
        data |= {"sentences": list(self.sentences()), "notes": list(self.notes)}
        return json.dumps(data, indent=2, ensure_ascii=False)

    def to_html(self, commands: Mapping[str, str] | None = None) -> str:
        """One HTML file to click through, which needs nothing but itself.

        Parameters
        ----------
        commands : mapping, optional
            Lines for a shell that it shows, by what they are for.
        """
        from simulator.decisions.requirement.paged import requirement_html

        return requirement_html(self, commands or {})

    def _repr_html_(self) -> str:
        table: str = self.to_frame().to_html(index=False)
        return table

    def plot(self) -> Picture:
        """What each change costs, and every machine that was tried: price beside speed-up."""
        from simulator.pictures import new_picture
        from simulator.pictures.purchases import Bought, purchases

        picture = new_picture(10, max(5.2, 1 + ROW_INCHES * len(self.changes)), self.title)
        bought = [Bought(one.resource, one.price, one.times, one.without) for one in self.changes]
        points = [(one.price, one.gain) for one in self.tried]
        best = next(at for at, one in enumerate(self.tried) if one.is_best)
        purchases(picture, bought, points, best, self.speedup, is_reached=self.is_reached)
        return picture


def _listed(texts: list[str]) -> str:
    return ", ".join(texts[:-1]) + (" and " if len(texts) > 1 else "") + texts[-1]
