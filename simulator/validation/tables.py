"""The published figures that this package is validated against, as small tables with sources."""

from __future__ import annotations

import csv
from pathlib import Path

FOLDER = Path(__file__).parent / "tables"


def names() -> list[str]:
    """All tables."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))


def read(name: str) -> list[dict[str, str]]:
    """Rows of one table; its ``#`` lines are its sources."""
    lines = (FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def sources(name: str) -> list[str]:
    """The ``#`` lines of one table."""
    lines = (FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    return [line.lstrip("# ") for line in lines if line.startswith("#")]
