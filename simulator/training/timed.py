"""Simulated time of trained networks, each with the patterns that its layers have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from simulator.hardware import Hardware
from simulator.importers import load_workload
from simulator.quality.measured import Measured
from simulator.run.simulate import simulate
from simulator.training.table import Run


def timed(runs: Iterable[tuple[Run, Measured]], machine: Hardware | None) -> list[Run]:
    """Runs with the time that their networks take, for one sample; traces that are alike once.

    Raises
    ------
    SimulatorError
        If a network does not run on the machine.
    """
    if machine is None:
        return [run for run, _ in runs]
    times: dict[str, float] = {}
    found = []
    for run, row in runs:
        trace = row.trace or ""
        if trace not in times:
            times[trace] = _time_ns(trace, machine)
        found.append(replace(run, machine=machine.name, time_ns=times[trace]))
    return found


def _time_ns(trace: str, machine: Hardware) -> float:
    with TemporaryDirectory(prefix="nmsim-") as folder:
        path = Path(folder) / "network.csv"  # what reads traces reads files
        path.write_text(trace, encoding="utf-8")
        workload = load_workload(path)
    return simulate(machine, workload).total.time_ns
