"""What the comments of a native layer trace say: version, parameters, blocks, stack and notes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from simulator.errors import WorkloadError, did_you_mean
from simulator.workload.expressions import evaluate
from simulator.workload.layer import LISTED
from simulator.workload.stack import stack_of
from simulator.workload.table import Cell, Table

VERSION = 3
VERSION_LINE = f"# nmsim trace {VERSION}"
"""What a written trace begins with; a comment to whoever reads CSV."""
_VERSION = re.compile(r"#\s*nmsim\s+trace\s+([0-9]{1,9})", re.IGNORECASE)
_GARBLED_VERSION = re.compile(r"#+\s*nmsim\s+trace\W*(v(ersion)?\W*)?[0-9]\S*", re.IGNORECASE)


def versions(table: Table) -> list[tuple[Cell, int]]:
    """The lines that say a version, and which: one at most, if nothing is wrong."""
    found = ((cell, _VERSION.fullmatch(cell.text)) for cell in table.comments)
    return [(cell, int(match[1])) for cell, match in found if match]


def description(table: Table) -> str:
    """What the first comment says, the version apart."""
    said = [cell for cell, _ in versions(table)]
    return next((c.text.lstrip("# ") for c in table.comments if c not in said), "")


def check_version(table: Table) -> None:
    """Refuse a version that is unknown, garbled or said twice.

    Raises
    ------
    WorkloadError
    """
    for cell in table.comments:
        if _GARBLED_VERSION.fullmatch(cell.text) and not _VERSION.fullmatch(cell.text):
            raise WorkloadError(cell.where, "not a version", got=cell.text, want=VERSION_LINE)
    said = versions(table)
    if len(said) > 1:
        raise WorkloadError(said[1][0].where, "the version is said twice", got=said[1][0].text)
    for cell, version in said:
        if not 1 <= version <= VERSION:
            raise WorkloadError(
                cell.where, "a version of traces that this nmsim does not know", got=version,
                want=f"1 to {VERSION}", hint="a newer nmsim may read it",
            )  # fmt: skip


def notes_in(table: Table) -> list[str]:
    """What an importer noted; printable, since reports show it."""
    found = (re.fullmatch(r"#\s*note:\s*(.+)", c.text, re.IGNORECASE) for c in table.comments)
    return ["".join(c if c.isprintable() else " " for c in match[1]) for match in found if match]


PARAMETER = re.compile(r"#\s*parameter:\s*([a-z_]+)\s*=\s*([^#]+?)\s*")
GARBLED_PARAMETER = re.compile(r"#\s*(parameters?\b|param\s*:)", re.IGNORECASE)


def parameters_in(table: Table, given: Mapping[str, int]) -> dict[str, int]:
    """Declared parameters with their defaults, overridden by those given."""
    values: dict[str, int] = {}
    for cell in table.comments:
        match = PARAMETER.fullmatch(cell.text)
        if match is None:
            if GARBLED_PARAMETER.match(cell.text):
                raise WorkloadError(
                    cell.where,
                    "want '# parameter: name = value'",
                    got=cell.text,
                    hint="a name is lower-case letters and _",
                )
            continue
        name = match[1]
        if name in values:
            raise WorkloadError(cell.where, f"parameter '{name}' is declared twice", got=cell.text)
        values[name] = given[name] if name in given else evaluate(match[2], values, cell.where)
    for name in given:
        if name not in values:
            raise WorkloadError(
                f"{table.path} {name}",
                "the trace has no such parameter",
                hint=did_you_mean(name, values) if values else "it declares none",
            )
    return values


def blocks_in(table: Table, values: Mapping[str, int]) -> int:
    """What ``# blocks: 32`` says; 1 where nothing does."""
    said = [cell for cell in table.comments if re.match(r"#\s*blocks\s*:", cell.text)]
    if not said:
        return 1
    if len(said) > 1:
        raise WorkloadError(said[1].where, "blocks are said twice", got=said[1].text)
    count = evaluate(said[0].text.partition(":")[2], values, said[0].where)
    if not count:
        raise WorkloadError(said[0].where, "out of range", got=count, want="1 block or more")
    return count


def stack_in(table: Table) -> str:
    """What ``# stack: fused`` says; each layer is a kernel where nothing does."""
    said = [cell for cell in table.comments if re.match(r"#\s*stack\s*:", cell.text)]
    if not said:
        return LISTED
    if len(said) > 1:
        raise WorkloadError(said[1].where, "the stack is said twice", got=said[1].text)
    name = said[0].text.partition(":")[2].strip()
    stack_of(name, said[0].where, WorkloadError)
    return name
