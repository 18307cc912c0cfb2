"""``Point -> Row``: one simulation and its figures, as they are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.errors import SimulatorError, SpecError
from simulator.exploration.plan import ORIGIN, Point, Shared
from simulator.exploration.space import Settings
from simulator.hardware import Hardware, load_hardware
from simulator.hardware.area import relative_area
from simulator.report.comparison import Comparison
from simulator.report.report import Report
from simulator.report.total import KEPT
from simulator.run.simulate import simulate
from simulator.store.record import LARGEST
from simulator.units import PS_PER_NS
from simulator.workload.layer import LISTED


@dataclass(frozen=True)
class Row:
    """A point and its figures; those of a point that failed are None, and ``error`` says why.

    Attributes
    ----------
    key : bytes
        SHA-256 of all that decides the figures.
    settings : dict
        Dotted keys that were varied, and their values.
    stack : str
        The software stack whose kernels ran.
    executed_as : str
        Patterns that layers with weights ran as, and how many launches each.
    time_ps : int
        Device time of all layers.
    macs, macs_executed : int
        Useful MACs of the dense network, and what the tensor cores did.
    dram_bytes, l2_bytes : int
        Read and written.
    energy_pj : float or None
        None where the machine states no energies.
    area_mm2 : float
        As `simulator.hardware.area` estimates it.
    power_w, throttled, time_error_ratio, dram_error_ratio
        As in `simulator.report.total.Total`.
    setup : bytes
        SHA-256 of all that decides the figures but the pattern: rows of one setup compare.
    """

    key: bytes
    settings: Settings
    hardware: str
    workload: str
    pattern: str | None
    engine: str
    accuracy: str
    stack: str = LISTED
    executed_as: str | None = None
    time_ps: int | None = None
    cycles: int | None = None
    macs: int | None = None
    macs_executed: int | None = None
    mac_utilization: float | None = None
    bound: str | None = None
    kernels: int | None = None
    dram_bytes: int | None = None
    l2_bytes: int | None = None
    energy_pj: float | None = None
    area_mm2: float | None = None
    power_w: float | None = None
    throttled: bool | None = None
    time_error_ratio: float | None = None
    dram_error_ratio: float | None = None
    error: str | None = None
    setup: bytes = b""

    @property
    def time_ns(self) -> float | None:
        return None if self.time_ps is None else self.time_ps / PS_PER_NS


def evaluate(shared: Shared, points: Sequence[Point]) -> list[Row]:
    """Simulate some points; this is what runs in workers. A point that fails is a row, too."""
    rows = []
    settings: Settings | None = None
    machine: Hardware | SimulatorError
    for point in points:
        if point.settings != settings:
            settings, machine = point.settings, _machine(shared.base, point.settings)
        rows.append(_row(shared, point, machine))
    return rows


def warm() -> None:
    """Compile the kernels and cache them on disk, so that workers load instead of compiling."""
    for pattern in ("1:1", "2:4"):
        simulate("nm-edge", "gemm:64x64x64", pattern)


def _machine(base: Hardware, settings: Settings) -> Hardware | SimulatorError:
    try:
        return load_hardware(base, settings, ORIGIN)
    except SimulatorError as error:
        return error


def _row(shared: Shared, point: Point, machine: Hardware | SimulatorError) -> Row:
    workload = shared.workloads[point.workload]
    name = machine.name if isinstance(machine, Hardware) else shared.base.name
    about = (point.key, point.settings, name, workload.name, point.pattern, shared.engine,
             shared.accuracy, point.stack)  # fmt: skip
    if isinstance(machine, SimulatorError):
        return Row(*about, error=str(machine), setup=point.setup)
    try:
        report = simulate(
            machine,
            workload,
            point.pattern,
            shared.engine,
            library=shared.library,
            accuracy=shared.accuracy,
            stack=point.stack,
        )
        return Row(*about, **_figures(report, machine), setup=point.setup)
    except SimulatorError as error:
        return Row(*about, error=str(error), setup=point.setup)


def _figures(report: Report, machine: Hardware) -> dict[str, Any]:
    """What a row keeps: figures of the total, and those that it does not have."""
    total, ran_as = report.total, Comparison((report,)).executed(report)
    others = {
        "executed_as": ", ".join(f"{pattern} x{count}" for pattern, count in ran_as.items()),
        "dram_bytes": total.traffic_bytes.total("dram"),
        "l2_bytes": total.traffic_bytes.total("l2"),
        "area_mm2": relative_area(machine),
    }
    names = [figure.name for figure in KEPT]
    figures = {name: others[name] if name in others else getattr(total, name) for name in names}
    for name, figure in figures.items():
        if isinstance(figure, int) and figure > LARGEST:
            raise SpecError(report.workload, f"{name} is too large to keep", got=figure)
        if isinstance(figure, float) and not math.isfinite(figure):
            raise SpecError(report.workload, f"{name} is no number", got=figure)
    return figures
