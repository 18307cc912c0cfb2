"""``A, B -> Difference``: two reports, two machines, or two stores of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from simulator import catalog
from simulator.decisions.difference.of_machines import machines_difference
from simulator.decisions.difference.of_reports import ReportsDifference, reports_difference
from simulator.decisions.difference.result import Difference
from simulator.decisions.difference.told import ToldReport, read_reports, told_of
from simulator.errors import ReportError, did_you_mean
from simulator.hardware import Hardware, load_hardware
from simulator.report.comparison import Comparison
from simulator.report.report import Report
from simulator.workload import Workload

Given = str | Path | Hardware | Report | Comparison
"""A file, a preset, or what a run gave."""

SQLITE: Final = b"SQLite format 3\0"
YAML: Final = (".yaml", ".yml")
WANTED: Final = (
    "a report (nmsim run -o FILE.json), a machine (a preset or FILE.yaml), or a store (nmsim sweep)"
)


class Side(NamedTuple):
    """One of the two: its kind, what it is called, and what it holds."""

    kind: str
    name: str
    holds: Any


def diff(
    before: Given,
    after: Given,
    *,
    workload: str | Path | Workload | None = None,
    pattern: str | None = None,
) -> Difference:
    """What is different in B from A.

    Parameters
    ----------
    before, after : str, Path, Hardware, Report or Comparison
        A and B: two reports (as `simulate` and `compare` give them, or as ``nmsim run`` and
        ``compare`` write them as JSON), two machines (presets or YAML files), or two stores of
        runs. Comparisons are compared pattern by pattern, stores point by point.
    workload : str, Path or Workload, optional
        Of two machines: what both are to run.
    pattern : str, optional
        Of the weights in that run; by default as the trace says.

    Returns
    -------
    Difference
        Whose ``sentences()`` say what moved.

    Raises
    ------
    ReportError
        If A and B are of different kinds, or one is none.
    SimulatorError
        If a file cannot be read.

    Examples
    --------
    >>> told = diff("nm-flex", "nm-flex-wide")
    >>> [key.key for key in told.keys]
    ['core.register_file.operand_bytes_per_cycle']
    """
    first, second = _side(before), _side(after)
    if first.kind != second.kind:
        what = f"is a {second.kind}, but {first.name} is a {first.kind}"
        raise ReportError(second.name, what, hint="compare two of one kind")
    if first.kind != MACHINE and (workload is not None or pattern is not None):
        raise ReportError(first.name, f"is a {first.kind}: only machines run a workload")
    if pattern is not None and workload is None:
        raise ReportError("pattern", "is of a workload, and none is named", got=pattern)
    names = first.name, second.name
    if first.kind == MACHINE:
        run = (
            None if workload is None else _run(names, first.holds, second.holds, workload, pattern)
        )
        return machines_difference(names, first.holds, second.holds, run)
    return _COMPARED[first.kind](names, first.holds, second.holds)


MACHINE, REPORT, STORE = "machine", "report", "store of runs"


def _side(given: Given) -> Side:
    """What was given, read."""
    if isinstance(given, Hardware):
        return Side(MACHINE, given.name, given)
    if isinstance(given, Report | Comparison):
        reports = told_of(given)
        return Side(REPORT, reports[0].title, reports)
    kind = _kind_of(given)
    return Side(kind, str(given), _READ[kind](given))


def _kind_of(name: str | Path) -> str:
    """By the beginning of a file, and by its ending where that says nothing."""
    presets, path = catalog.presets("configs", ".yaml"), Path(name)
    if str(name) in presets:
        return MACHINE
    try:
        if path.is_dir():
            raise ReportError(str(name), "is a folder", want=WANTED)
        if not path.exists():
            hint = did_you_mean(path.stem, presets) if not path.suffix else None
            raise ReportError(str(name), "no such file and no such preset", want=WANTED, hint=hint)
        if not path.is_file():  # a pipe, which can be read but once
            return REPORT
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise ReportError(str(name)[:80], f"cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ReportError(str(name)[:80], f"not a file name: {error}") from None
    if start.startswith(SQLITE):
        return STORE
    if path.suffix.lower() in YAML:
        return MACHINE
    if path.suffix.lower() == ".json" or start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return REPORT
    raise ReportError(str(name), "is nothing that can be compared", want=WANTED)


def _read_store(path: str | Path) -> Sequence[Any]:
    """All rows of a store.

    Raises
    ------
    StoreError
        If it holds none, or one that is not as it was written.
    """
    from simulator.exploration.runs import Runs

    with Runs(path, must_exist=True) as store:
        rows = store.rows()
        store.check_whole()
    if not rows:
        raise ReportError(str(path), "holds no rows", hint="nmsim sweep SPEC --store writes some")
    return rows


def _run(
    names: tuple[str, str],
    before: Hardware,
    after: Hardware,
    workload: str | Path | Workload,
    pattern: str | None,
) -> ReportsDifference:
    """One network on both machines."""
    from simulator.importers import load_workload
    from simulator.run.simulate import simulate

    network = workload if isinstance(workload, Workload) else load_workload(workload)
    told: list[tuple[ToldReport, ...]] = [
        told_of(simulate(machine, network, pattern)) for machine in (before, after)
    ]
    return reports_difference(names, told[0], told[1])


def _stores(names: tuple[str, str], before: Sequence[Any], after: Sequence[Any]) -> Difference:
    from simulator.decisions.difference.of_stores import stores_difference

    return stores_difference(names, before, after)


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    MACHINE: load_hardware,
    REPORT: lambda name: read_reports(Path(name)),
    STORE: _read_store,
}
_COMPARED: Final[dict[str, Callable[[tuple[str, str], Any, Any], Difference]]] = {
    REPORT: reports_difference,
    STORE: _stores,
}
"""How what is of a kind is read, and compared."""
