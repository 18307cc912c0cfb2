"""``Validations -> bands``: errors of speed-ups by machine, as `simulator.decisions.trust` reads
them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import mean
from typing import Final

from simulator.decisions.trust import Band, fingerprint
from simulator.hardware import load_hardware
from simulator.validation import DATASETS, Measurement, Validation
from simulator.validation.advised import Decision, decisions_told

HEAD: Final = (
    "# Mean absolute error of speed-ups of sparse over dense that were measured on a machine.",
    "# Written by `make figures` from `nmsim validate`: every row that counts, of which no fit has",
    "# seen any where there are such. A machine that is not the one of that fingerprint has none.",
    "# Of plain runs the mean error, with its sign, of gains of networks that a device decides.",
    "machine,error_ratio,rows,fitted,plain_error_ratio,plain_rows,fingerprint,sets",
)

SETS: Final = tuple(
    name for name, data in DATASETS.items() if data.unit == "ratio" and not data.decides
)
"""Sets of speed-ups; what decides holds the rows of another one once more."""


def bands(results: Iterable[Validation]) -> list[Band]:
    """A band for every machine that speed-ups were measured on, by name."""
    rows = [
        (result.dataset.name, point)
        for result in results
        if result.dataset.name in SETS
        for point in result.counted
    ]
    machines = sorted({point.preset for _, point in rows})
    return [_band(one, [row for row in rows if row[1].preset == one]) for one in machines]


def _band(machine: str, rows: Sequence[tuple[str, Measurement]]) -> Band:
    """Of rows that no fit has seen; of all, where there are none."""
    unseen = [row for row in rows if not row[1].fitted]
    used = unseen or rows
    error = mean(abs(point.error) for _, point in used)
    sets = tuple(dict.fromkeys(name for name, _ in used))
    return Band(machine, round(error, 4), len(used), sets, fitted=not unseen)


def with_plain_runs(band: Band, decisions: Iterable[Decision]) -> Band:
    """A band that also knows how far plain runs are off on its machine."""
    errors = [
        one.advised_error
        for one in decisions
        if one.band is not None and one.band.machine == band.machine and not one.host
    ]
    if not errors:
        return band
    return replace(band, plain_error_ratio=round(mean(errors), 4), plain_rows=len(errors))


def table(results: Iterable[Validation]) -> str:
    """The text of the table."""
    made = [with_plain_runs(band, decisions_told()) for band in bands(results)]
    return "\n".join([*HEAD, *map(_line, made)]) + "\n"


def _line(band: Band) -> str:
    fitted = "yes" if band.fitted else "no"
    mark = fingerprint(load_hardware(band.machine))
    plain = f"{band.plain_error_ratio:.4f},{band.plain_rows}"
    return (
        f"{band.machine},{band.error_ratio:.4f},{band.rows},{fitted},{plain},{mark},"
        f"{' '.join(band.sets)}"
    )
