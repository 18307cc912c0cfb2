"""``JSON of a report -> what a difference needs of it``: checked, since files may hold anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from simulator.catalog import CONTROL, text_of
from simulator.errors import ReportError
from simulator.hardware.checked import validated
from simulator.hardware.yaml_file import Document
from simulator.report.account import CORE_TIME
from simulator.sparsity import asked_name
from simulator.traffic import DIRECTIONS, LEVELS
from simulator.workload.layer import LISTED

if TYPE_CHECKING:
    from simulator.report.comparison import Comparison
    from simulator.report.report import Report

WANTED: Final = "what nmsim run or compare -o FILE.json wrote"
ANOTHER: Final = "is the report of another nmsim?"


def _plain(text: str) -> str:
    if CONTROL.search(text) or "\n" in text or "\t" in text:
        raise ValueError("must be text of one line")
    return text


def _kinds(times: dict[str, int]) -> dict[str, int]:
    """All kinds of core-time, in their order, and no others."""
    for name in times.keys() ^ set(CORE_TIME):
        what = "holds a kind of time that is not known" if name in times else "lacks a kind of time"
        raise ValueError(f"{what}, '{name[:40]}': {ANOTHER}")
    return {kind: times[kind] for kind in CORE_TIME}


Text = Annotated[str, Field(strict=True), AfterValidator(_plain)]
Count = Annotated[int, Field(ge=0, strict=True)]
Duration = Annotated[int, Field(ge=1, strict=True)]
Account = Annotated[dict[str, Count], AfterValidator(_kinds)]
Traffic = dict[str, dict[str, dict[str, Count]]]


class Spent(BaseModel):
    """A time, and what cores spent it on.

    Attributes
    ----------
    core_time_ps : dict of str to int
        Of all cores; every kind of `simulator.report.account.CORE_TIME`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    time_ps: Duration
    core_time_ps: Account
    traffic_bytes: Traffic

    @model_validator(mode="after")
    def _adds_up(self) -> Spent:
        if sum(self.core_time_ps.values()) % self.time_ps:
            raise ValueError("its core-time is not that of whole cores")
        if not all(ways.keys() >= set(DIRECTIONS) for ways in self._flows()):
            raise ValueError(f"its traffic is not by {' and '.join(DIRECTIONS)}")
        return self

    @cached_property
    def cores(self) -> int:
        return sum(self.core_time_ps.values()) // self.time_ps

    def moved_bytes(self) -> dict[tuple[str, str], int]:
        """By level and direction."""
        return {
            (level, way): sum(ways[way] for ways in self.traffic_bytes.get(level, {}).values())
            for level in LEVELS
            for way in DIRECTIONS
        }

    def _flows(self) -> list[dict[str, int]]:
        return [ways for operands in self.traffic_bytes.values() for ways in operands.values()]


class ToldLayer(Spent):
    """A layer, once."""

    name: Text
    repeat: Duration
    executed_as: Text
    mapping: Text
    bound: Text


class ToldReport(BaseModel):
    """A run: what `Report.to_json` says of it that a difference needs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hardware: Text
    workload: Text
    pattern: Text | None
    engine: Text
    accuracy: Text
    stack: Text = LISTED
    total: Spent
    layers: Annotated[tuple[ToldLayer, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _adds_up(self) -> ToldReport:
        if sum(layer.time_ps * layer.repeat for layer in self.layers) != self.total.time_ps:
            raise ValueError("the times of its layers do not add up to its total")
        return self

    @property
    def pattern_name(self) -> str:
        return asked_name(self.pattern)

    @property
    def title(self) -> str:
        """Network and machine."""
        return f"{self.workload} on {self.hardware}"


KEYS: Final = ("hardware", "workload", "total", "layers")
"""What every report has; a file without them is something else."""


def told_of(given: Report | Comparison) -> tuple[ToldReport, ...]:
    """What reports say, as if they had been written and read."""
    data = json.loads(given.to_json())
    return _told(data, "report")


def read_reports(path: Path) -> tuple[ToldReport, ...]:
    """The reports in a file: one, or a list, as of patterns that were compared.

    Raises
    ------
    ReportError
        With the file and the key of the first thing that is wrong.
    """
    text = text_of(path, ReportError)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise ReportError(where, f"not JSON: {error.msg}", want=WANTED) from None
    except (ValueError, RecursionError):  # a number of thousands of digits; nested too deep
        raise ReportError(str(path), "not JSON that can be read", want=WANTED) from None
    return _told(data, str(path))


def _told(data: Any, where: str) -> tuple[ToldReport, ...]:
    is_list = isinstance(data, list)
    items: list[Any] = data if is_list else [data]
    if not items or not all(isinstance(one, Mapping) and one.keys() >= set(KEYS) for one in items):
        raise ReportError(where, "JSON, but no report", want=WANTED)
    return tuple(
        validated(ToldReport, Document(one), f"{where} [{at}]" if is_list else where, ReportError)
        for at, one in enumerate(items)
    )
