"""How far a gain is to be trusted: the error of gains that were measured on this very machine."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from simulator.hardware import Hardware

TABLE: Final = Path(__file__).with_name("trust.csv")
"""Bands by machine: ``make figures`` writes it, a test holds it to `nmsim validate`."""

EQUAL_RATIO: Final = 0.001
"""Without a band only gains are ties that print as none."""


@dataclass(frozen=True)
class Band:
    """How near to 1 a gain on a machine decides nothing.

    Attributes
    ----------
    machine : str
        The preset that was measured.
    error_ratio : float
        Mean absolute error of its speed-ups of sparse over dense.
    rows : int
        How many were measured.
    sets : tuple of str
        The data sets that they are of.
    fitted : bool
        Whether fits have seen these rows: only where there are no others.
    plain_error_ratio : float
        Mean error, with its sign, of the gains of whole networks by plain runs of preset and trace,
        which know nothing of the software that was measured.
    plain_rows : int
        Of how many networks; 0 where none was measured.
    """

    machine: str
    error_ratio: float
    rows: int
    sets: tuple[str, ...]
    fitted: bool = False
    plain_error_ratio: float = 0.0
    plain_rows: int = 0


class Outcome(StrEnum):
    """What a gain amounts to."""

    GAIN = "gain"
    TIE = "tie"
    LOSS = "loss"


def band_of(hardware: Hardware) -> Band | None:
    """The band of a machine; None: unvalidated.

    A machine has the band of the preset that it is, to the last key but its name and description,
    and no other's, however near: what was measured is the whole of it.
    """
    return _bands().get(fingerprint(hardware))


def outcome(gain: float, band: Band | None) -> Outcome:
    """Whether a gain is one.

    Parameters
    ----------
    gain : float
        Dense over sparse time.
    band : Band or None
        Without one, a tie is only what is equal to 0.1 %.

    Examples
    --------
    >>> band = Band("some", 0.05, 8, ("set",))
    >>> outcome(1.04, band), outcome(1.04, None), outcome(0.9, band)
    (<Outcome.TIE: 'tie'>, <Outcome.GAIN: 'gain'>, <Outcome.LOSS: 'loss'>)
    """
    if abs(gain - 1) <= (EQUAL_RATIO if band is None else band.error_ratio):
        return Outcome.TIE
    return Outcome.GAIN if gain > 1 else Outcome.LOSS


def fingerprint(hardware: Hardware) -> str:
    """Of all that a machine is, but for what it is called."""
    keys = hardware.model_dump(mode="json", exclude={"name", "description"})
    text = json.dumps(keys, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _bands() -> dict[str, Band]:
    """The rows of the table, by fingerprint."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {
        row["fingerprint"]: Band(
            row["machine"],
            float(row["error_ratio"]),
            int(row["rows"]),
            tuple(row["sets"].split()),
            row["fitted"] == "yes",
            float(row["plain_error_ratio"]),
            int(row["plain_rows"]),
        )
        for row in rows
    }
