"""Runs of a network that takes no time, and what a difference of two reports is."""

from __future__ import annotations

from typing import Any

from simulator import Report, diff, load_hardware, simulate
from simulator.decisions.difference.of_reports import ReportsDifference
from simulator.workload import Gemm, Workload

MACHINE = load_hardware("nm-edge")
NETWORK = Workload(
    "net",
    [
        Gemm("one", m=128, n=96, k=256),
        Gemm("two", m=64, n=96, k=128, repeat=3),
        Gemm("two", m=256, n=96, k=512),
    ],
)


def run(pattern: str = "1:1", network: Workload = NETWORK, **settings: object) -> Report:
    keys = {key.replace("__", "."): value for key, value in settings.items()}
    return simulate(load_hardware(MACHINE, keys), network, pattern)


def reports(before: Any, after: Any) -> ReportsDifference:
    told = diff(before, after)
    assert isinstance(told, ReportsDifference)
    return told
