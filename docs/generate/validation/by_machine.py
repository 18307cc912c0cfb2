"""Errors by machine and kind of figure, of rows that no number was fitted to.

Beside a mean stands what it is with the rows that were left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import mean
from typing import Final, NamedTuple

from generate.validation.families import Family
from generate.validation.pages import SPACE, table
from simulator.validation import Measurement, Validation
from simulator.validation.bands import bands


class Machine(NamedTuple):
    """A card.

    Attributes
    ----------
    name : str
        What people call it.
    presets : tuple of str
        That stand for it.
    section : str
        Label of the section that speaks of it, and name of the table there.
    """

    name: str
    presets: tuple[str, ...]
    section: str


MACHINES: Final = (
    Machine("V100", ("v100-sxm2",), "v100"),
    Machine("A100", ("a100-sxm4-80gb", "a100-sxm4-40gb"), "a100"),
    Machine("RTX 3090", ("rtx3090",), "rtx-3090"),
    Machine("H100", ("h100-sxm",), "hopper"),
    Machine("H800", ("h800",), "hopper"),
    Machine("H20", ("h20",), "hopper"),
    Machine("RTX 3060", ("rtx3060",), "data-sheets"),
    Machine("RTX 4070 Ti Super", ("rtx4070-ti-super",), "data-sheets"),
    Machine("MI300X", ("mi300x",), "data-sheets"),
)

MOST: Final = 0.9
"""Share of rows whose largest error is shown: nine in ten."""

Rows = Sequence[tuple[str, Measurement]]
"""Figures, each with its data set."""


@dataclass(frozen=True)
class Kind:
    """Figures of a kind on a machine, and how many more were published and left out."""

    name: str
    rows: Rows
    left_out: Rows = ()

    @property
    def published(self) -> list[float]:
        """Absolute errors, those of rows that were left out included."""
        return [abs(point.error) for _, point in (*self.rows, *self.left_out)]

    @property
    def errors(self) -> list[float]:
        """Absolute ones, the smallest first."""
        return sorted(abs(point.error) for _, point in self.rows)

    @property
    def mean(self) -> float:
        """Of the absolute errors."""
        return mean(self.errors)

    @property
    def nine_in_ten(self) -> float:
        """The largest error of the best nine in ten rows."""
        return self.errors[ceil(MOST * len(self.rows)) - 1]

    @property
    def worst(self) -> float:
        """With its sign."""
        return max((point.error for _, point in self.rows), key=abs)


def kinds(
    machine: Machine, pages: Iterable[Family], results: Mapping[str, Validation]
) -> dict[str, Kind]:
    """Of a machine, by name, in the order of the pages."""
    found: dict[str, list[tuple[str, Measurement]]] = {}
    for family in pages:
        for name, about in family.sets.items():
            rows = [
                (name, point)
                for point in results[name].points
                if point.preset in machine.presets and not point.fitted
            ]
            if about.kind and rows:
                found.setdefault(about.kind, []).extend(rows)
    return {name: _kind(name, rows) for name, rows in found.items()}


def _kind(name: str, published: Rows) -> Kind:
    return Kind(
        name,
        [row for row in published if not row[1].set_aside],
        [row for row in published if row[1].set_aside],
    )


COLUMNS: Final = (
    "figures",
    "rows",
    "mean error",
    "with rows left out",
    "nine in ten within",
    "worst",
    "data sets",
)

PERCENT: Final = f"{SPACE}%"


def section_table(section: str, pages: Sequence[Family], results: Mapping[str, Validation]) -> str:
    """Errors on the machines of a section, a row a kind of figure, with links to the data sets."""
    machines = [machine for machine in MACHINES if machine.section == section]
    rows = [
        (machine.name, *_cells(kind, pages))
        for machine in machines
        for kind in kinds(machine, pages, results).values()
    ]
    if len(machines) > 1:
        return table(("machine", *COLUMNS), rows)
    return table(COLUMNS, [cells for _, *cells in rows])


def _cells(kind: Kind, pages: Sequence[Family]) -> tuple[str, ...]:
    return (
        kind.name,
        f"{len(kind.rows)}",
        f"{100 * kind.mean:.1f}{PERCENT}",
        _of(kind.published) if kind.left_out else "-",
        f"{100 * kind.nine_in_ten:.0f}{PERCENT}",
        f"{100 * kind.worst:+.0f}{PERCENT}",
        _links(dict.fromkeys(name for name, _ in (*kind.rows, *kind.left_out)), pages),
    )


def _links(sets: Iterable[str], pages: Sequence[Family]) -> str:
    """To data sets, from a page of another section."""
    page = {name: family.name for family in pages for name in family.sets}
    return ", ".join(f"[{name}](../validation/{page[name]}.md#{name})" for name in sets)


BAND_COLUMNS: Final = ("machine", "mean error of speed-ups", "rows", "data sets")


def bands_table(pages: Sequence[Family], results: Mapping[str, Validation]) -> str:
    """Errors of speed-ups, as decisions know them."""
    rows = [
        (
            f"`{one.machine}`",
            f"{100 * one.error_ratio:.1f}{PERCENT}",
            f"{one.rows}",
            _links(one.sets, pages),
        )
        for one in bands(results.values())
    ]
    return table(BAND_COLUMNS, rows)


SHOWN: Final = {
    "products in fp16 or fp8": ("products",),
    "products in int8": ("int8 products of cuBLAS",),
    "2:4 and V:2:M products": ("2:4 products", "V:2:M products"),
    "speed-ups of sparse over dense": ("speed-ups of 2:4", "speed-ups of V:2:M"),
    "networks and their layers": ("whole networks", "layers of a network"),
}
"""Columns of the first table of all machines, and the kinds that each sums up."""


def overview(pages: Sequence[Family], results: Mapping[str, Validation]) -> str:
    """Mean errors of all machines."""
    rows = []
    for machine in MACHINES:
        of = kinds(machine, pages, results)
        cells = [_cell([of[name] for name in names if name in of]) for names in SHOWN.values()]
        rows.append((f"[{machine.name}](#{machine.section})", *cells))
    return table(("machine", *SHOWN), rows)


def _cell(of: Sequence[Kind]) -> str:
    """The mean error; in brackets that with rows that were left out, where there are some."""
    if not of:
        return "-"
    said = _of([error for kind in of for error in kind.errors])
    if any(kind.left_out for kind in of):
        said += f" ({_of([error for kind in of for error in kind.published])})"
    return said


def _of(errors: Sequence[float]) -> str:
    """Their mean, and of how many rows."""
    return f"{100 * mean(errors):.1f}{PERCENT}{SPACE}of{SPACE}{len(errors)}"
