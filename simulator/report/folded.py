"""Executions of one layer in different states of L2, as the one layer of a report.

Figures are those of the mean execution. Times and bytes are rounded up to whole ones, so that a
total differs from the sum of all executions by less than one each; idle time closes the account.
What it is called and how it is mapped does not depend on the state; what bounds it is what bounds
the executions that take most of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from simulator.hardware.energy import power_w
from simulator.report.account import Account
from simulator.report.layer import LayerReport, audited, bandwidth
from simulator.traffic import FLOWS, Traffic
from simulator.units import ceil_div, ps_to_cycles

Executions = Sequence[tuple[LayerReport, int]]
"""Reports of a layer, and how many executions each is of."""


def folded(executions: Executions, cores: int) -> LayerReport:
    """The mean execution of a layer that found different states.

    Raises
    ------
    AccountError
        If a figure is one that no run can have.
    """
    if len(executions) == 1:
        return executions[0][0]
    most = max(executions, key=lambda one: one[0].time_ps * one[1])[0]
    time_ps = _whole(executions, attrgetter("time_ps"))
    traffic = _traffic(executions)
    energy_pj = _mean(executions, "energy_pj")
    faster = most.time_ps / time_ps  # than the mean: rates are so much higher
    report = replace(
        most,
        time_ps=time_ps,
        cycles=ps_to_cycles(time_ps, most.clock_hz),
        mac_utilization=most.mac_utilization * faster,
        dense_equivalent_utilization=most.dense_equivalent_utilization * faster,
        busy_ratio={name: _busy(executions, name, time_ps) for name in most.busy_ratio},
        bandwidth_bytes_per_second=bandwidth(traffic, time_ps),
        traffic_bytes=traffic,
        core_time_ps=_account(executions, cores * time_ps),
        imbalance_ratio=_mean(executions, "imbalance_ratio"),
        energy_pj=energy_pj,
        power_w=power_w(energy_pj, time_ps),
        evictions=_whole(executions, attrgetter("evictions")),
        in_flight_hits=_whole(executions, attrgetter("in_flight_hits")),
        time_error_ratio=_mean(executions, "time_error_ratio"),
        dram_error_ratio=_mean(executions, "dram_error_ratio"),
    )
    return audited(report, cores)


def _times(executions: Executions) -> int:
    return sum(times for _, times in executions)


def _whole(executions: Executions, figure: Callable[[LayerReport], int]) -> int:
    """The mean, rounded up."""
    return ceil_div(sum(figure(x) * times for x, times in executions), _times(executions))


def _mean(executions: Executions, name: str) -> Any:
    """The mean; None where one is not known."""
    values = [getattr(x, name) for x, _ in executions]
    if None in values:
        return None
    all_of_it = sum(value * times for value, (_, times) in zip(values, executions, strict=True))
    return all_of_it / _times(executions)


def _busy(executions: Executions, resource: str, time_ps: int) -> float:
    """How long a resource is busy, over the mean time."""
    busy_ps = sum(x.busy_ratio[resource] * x.time_ps * times for x, times in executions)
    return min(1.0, busy_ps / _times(executions) / time_ps)


def _traffic(executions: Executions) -> Traffic:
    return Traffic.of(
        {
            (level, of, way): _whole(executions, lambda x: x.traffic_bytes[level][of][way])  # noqa: B023 - called at once
            for level, of, way in FLOWS
        }
    )


def _account(executions: Executions, whole_ps: int) -> Account:
    """Every kind's mean, rounded down; idle is the rest."""
    kinds: Mapping[str, int] = {
        kind: sum(x.core_time_ps[kind] * times for x, times in executions) // _times(executions)
        for kind in executions[0][0].core_time_ps
    }
    rest = whole_ps - sum(kinds.values())
    return Account({**kinds, "idle": kinds["idle"] + rest})
