"""``a group of rows, a network -> the workload that was measured``: patterns by layer name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from simulator.errors import WorkloadError
from simulator.hardware import Hardware
from simulator.quality.traced import own_network
from simulator.report.report import Report
from simulator.run.simulate import simulate
from simulator.tradeoff.groups import Group
from simulator.workload import Conv, Gemm, Workload
from simulator.workload.patterned import bearing, under

NAMED = 3
"""So many layers are named where some do not join."""


Progress = Callable[[int, int, str], None]
"""Called with the networks that are simulated, how many there will be, and what they are."""


@dataclass
class Clock:
    """Simulates workloads on one machine, equal ones once."""

    hardware: Hardware
    accuracy: str = "exact"
    progress: Progress | None = None
    _known: dict[Workload, Report] = field(default_factory=dict)
    _expected: set[Workload] = field(default_factory=set)

    def expect(self, workloads: Iterable[Workload]) -> None:
        """Count these among what there is to do."""
        self._expected.update(workloads)

    def report(self, workload: Workload) -> Report:
        """Of the workload as its layers say."""
        if workload not in self._known:
            self._known[workload] = simulate(self.hardware, workload, accuracy=self.accuracy)
            if self.progress is not None:
                every = len(self._expected | self._known.keys())
                self.progress(len(self._known), every, "networks")
        return self._known[workload]

    def time_ns(self, workload: Workload) -> float:
        """Device time."""
        return self.report(workload).total.time_ns


@dataclass(frozen=True)
class Networks:
    """Where the layers of measured networks come from.

    Attributes
    ----------
    model : Workload or None
        Of rows that bring no trace of their own.
    samples : int
        That run at once in rows' own traces, which are of one.
    """

    model: Workload | None
    samples: int = 1

    def of(self, group: Group) -> Workload:
        """The network of a group, each layer with the pattern that its rows say, others dense.

        Raises
        ------
        WorkloadError
            If it needs a model and there is none, or the model is another one.
        """
        network = own_network(group.first, self.samples) or self.model
        if network is None:
            raise WorkloadError(
                "MODEL", f"must be named: rows of {group.first.network} bring no trace",
                hint="the model that nmsim quality was given",
            )  # fmt: skip
        check_same(network, group)
        return under(network, group.patterns)


def weights_of(layer: Gemm | Conv) -> int:
    """Weights of a layer, once."""
    if isinstance(layer, Gemm):
        return layer.m * layer.k * layer.batch
    return layer.out_channels * (layer.in_channels // layer.groups) * layer.positions


def unjoined(network: Workload, group: Group) -> list[str]:
    """Layers that a group's rows prune and the network lacks."""
    there = bearing(network)
    return [name for name in group.pruned if name not in there]


def check_names(network: Workload, group: Group) -> None:
    """Refuse a network of which no layer is named as in the rows.

    Raises
    ------
    WorkloadError
        With names that were found and one that would have been.
    """
    there = bearing(network)
    if not any(name in there for name in group.layers):
        raise WorkloadError(
            network.name, "no layer is named as in the rows", got=", ".join(list(there)[:NAMED]),
            want=f"names such as {', '.join(list(group.layers)[:1])}",
        )  # fmt: skip


def check_same(network: Workload, group: Group) -> None:
    """Refuse a network that is not the one whose quality was measured.

    Raises
    ------
    WorkloadError
        If no layer joins by its name, or one that does has another number of weights.
    """
    check_names(network, group)
    there = bearing(network)
    for name, cost in group.layers.items():
        if name in there and weights_of(there[name]) != cost.weights:
            raise WorkloadError(
                f"{network.name} {name}", "is not the layer whose quality was measured",
                got=f"{weights_of(there[name]):,} weights", want=f"{cost.weights:,}",
                hint="--like times another network",
            )  # fmt: skip


def join_note(networks: Sequence[tuple[Workload, Group]]) -> str | None:
    """How many of the layers that some row prunes join, where not all do."""
    pruned = {name: None for _, group in networks for name in group.pruned}
    missing = {name: None for network, group in networks for name in unjoined(network, group)}
    if not missing:
        return None
    names = ", ".join(list(missing)[:NAMED]) + (", ..." if len(missing) > NAMED else "")
    model = networks[0][0].name
    joined = len(pruned) - len(missing)
    return f"WARNING: {joined} of {len(pruned)} pruned layers are layers of {model}; not {names}"
