"""What `nmsim validate` says of every published figure, as a file keeps it.

`make figures` writes the file and a test holds it to what the model says today, so that building
the site need not run the model.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Final

from simulator.validation import DATASETS, Measurement, Validation
from simulator.validation.table import every, figure_records

FILE: Final = Path(__file__).with_name("figures.csv")


def text(results: Iterable[Validation]) -> str:
    """A line a figure, as `nmsim validate --rows --format csv` has them, to six digits."""
    records = figure_records(every(results)).records
    out = StringIO()
    writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: _short(value) for key, value in record.items()})
    return out.getvalue()


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def kept() -> list[Validation]:
    """All data sets, in the program's order, with the figures in the file."""
    points = defaultdict(list)
    for row in csv.DictReader(StringIO(FILE.read_text(encoding="utf-8"))):
        points[row["data_set"]].append(_point(row))
    return [Validation(data_set, tuple(points[name])) for name, data_set in DATASETS.items()]


def _point(row: dict[str, str]) -> Measurement:
    return Measurement(
        row["figure"],
        float(row["measured"]),
        float(row["predicted"]),
        float(row["roofline"]) if row["roofline"] else None,
        part=row["part"],
        set_aside=row["set_aside"],
        family=row["family"],
        fitted=row["fitted"] == "True",
        mapping=row["mapping"],
        bound=row["bound"],
        macs=int(row["macs"] or 0),
        preset=row["machine"],
    )
