"""Simulated time of trained networks, each with the patterns that its layers have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from simulator.hardware import Hardware
from simulator.quality.measured import Measured
from simulator.quality.traced import own_network
from simulator.run.simulate import simulate
from simulator.training.table import Run


@dataclass(frozen=True)
class Timing:
    """On what networks are timed.

    Attributes
    ----------
    samples : int
        That run at once.
    """

    machine: Hardware
    samples: int = 1


def timed(runs: Iterable[tuple[Run, Measured]], timing: Timing | None) -> list[Run]:
    """Runs with the time that their networks take; traces that are alike once.

    Raises
    ------
    SimulatorError
        If a network does not run on the machine.
    """
    if timing is None:
        return [run for run, _ in runs]
    machine, samples = timing.machine, timing.samples
    times: dict[str | None, float] = {}
    found = []
    for run, row in runs:
        if row.trace not in times:
            network = own_network(row, samples)
            assert network is not None, "trained networks bring their trace"
            times[row.trace] = simulate(machine, network).total.time_ns
        time_ns = times[row.trace]
        found.append(replace(run, machine=machine.name, samples=samples, time_ns=time_ns))
    return found
