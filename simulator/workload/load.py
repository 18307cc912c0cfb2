"""``name or file -> Workload``: presets, traces in any known format, and GEMMs in a word."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from simulator import catalog
from simulator.errors import WorkloadError
from simulator.workload.layer import Gemm, Workload
from simulator.workload.scalesim import read_scalesim
from simulator.workload.table import Table, read_table
from simulator.workload.trace import read_trace

FORMATS: dict[str, Callable[[Table, Mapping[str, int]], Workload]] = {
    "native": read_trace,
    "scalesim": read_scalesim,
}


def load_workload(name: str | Path | Workload, /, **parameters: int) -> Workload:
    """Read a workload.

    Parameters
    ----------
    name : str or Path
        A preset of ``workloads/``, the path of a CSV (native or SCALE-Sim topology), or
        ``gemm:MxNxK`` with an optional ``:dtype``. A ``Workload`` is taken as it is.
    **parameters : int
        Parameters that the trace declares: ``batch=8, seq=384``.

    Raises
    ------
    WorkloadError
        With file, line and column of the first thing that is wrong.
    """
    for key, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 2**31:
            raise WorkloadError(f"{name} {key}", "out of range", got=value, want="1 to 2147483648")
    if isinstance(name, Workload) or str(name).startswith("gemm:"):
        if parameters:
            raise WorkloadError(str(getattr(name, "name", name)), "has no parameters")
        return name if isinstance(name, Workload) else _gemm(str(name))
    table = read_table(catalog.find(name, "workloads", ".csv", WorkloadError))
    return FORMATS[detect(table)](table, parameters)


def detect(table: Table) -> str:
    """A header with a column ``kind`` is native; anything else is read as SCALE-Sim's."""
    header = [cell.text for cell in table.rows[0].cells]
    return "native" if "kind" in header else "scalesim"


def _gemm(text: str) -> Workload:
    match = re.fullmatch(r"gemm:(\d{1,13})x(\d{1,13})x(\d{1,13})(?::(\w+))?", text, re.ASCII)
    if match is None:
        raise WorkloadError(text, "not a GEMM", want="gemm:MxNxK or gemm:MxNxK:dtype")
    m, n, k = (int(size) for size in match.groups()[:3])
    return Workload(text, [Gemm("gemm", m=m, n=n, k=k, dtype=match[4] or "fp16")])
