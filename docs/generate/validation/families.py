"""What is written by hand of the data sets: a file a page, `families/NAME.yaml`.

Texts may cite figures, which are then today's: ``{error[SET][ROW]}``, ``{mean[SET][PART]}`` and
``{span[SET][PART]}``, from the lowest to the highest error; a part is that of `Measurement.part`,
or ``fitted`` or ``unseen``. ``{fitted[SET][KEY]}`` is a ratio that was fitted, in per cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from simulator.validation import Measurement, Validation
from simulator.validation.fitted import FITTED

FOLDER: Final = Path(__file__).with_name("families")

ORDER: Final = (
    "a100-products",
    "a100-24",
    "a100-instructions",
    "v100",
    "rtx3090-24",
    "rtx3090-vnm",
    "hopper",
    "transformers",
    "gains-24",
    "resnet50",
    "data-sheets",
    "memory",
    "sparseloop",
)
"""Pages, as the index lists them."""

SEEN: Final = {True: "fitted", False: "unseen"}
"""What rows that a fit has seen are called in the files, and what others are."""


@dataclass(frozen=True)
class Explained:
    """The worst row of some rows of a data set, and why the model is off there."""

    row: str
    why: str


@dataclass(frozen=True)
class About:
    """What is written of one data set.

    Attributes
    ----------
    kind : str
        Of figures; those of a kind and machine are summed up together. Empty: of none.
    text : str
        What a reader must know besides.
    worst : dict of str to Explained
        By `SEEN`.
    """

    kind: str
    text: str
    worst: dict[str, Explained]


@dataclass(frozen=True)
class Family:
    """A page: data sets that belong together."""

    name: str
    title: str
    text: str
    sets: dict[str, About]


def families(results: Iterable[Validation]) -> list[Family]:
    """All pages, figures filled in."""
    figures = cited(results)
    return [_family(name, figures) for name in ORDER]


def _family(name: str, figures: Mapping[str, object]) -> Family:
    read = YAML(typ="safe").load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    sets = {data_set: _about(given, figures) for data_set, given in read["sets"].items()}
    return Family(name, read["title"], _filled(read["text"], figures), sets)


def _about(given: Mapping[str, Any], figures: Mapping[str, object]) -> About:
    worst = {
        seen: Explained(worst["row"], _filled(worst["why"], figures))
        for seen, worst in given["worst"].items()
    }
    return About(given["kind"] or "", _filled(given.get("text", ""), figures), worst)


def _filled(text: str, figures: Mapping[str, object]) -> str:
    return text.strip().format(**figures)


def cited(results: Iterable[Validation]) -> dict[str, dict[str, dict[str, str]]]:
    """What texts may cite, by kind of figure, data set, and row or part.

    Of rows with one label the worst is cited, of parts the rows that count.
    """
    found: dict[str, dict[str, dict[str, str]]] = {"error": {}, "mean": {}, "span": {}}
    found["fitted"] = {
        of: {one.key: f"{100 * one.value:g} %" for one in FITTED if one.of == of}
        for of in {one.of for one in FITTED}
    }
    for result in results:
        name = result.dataset.name
        by_error = sorted(result.points, key=lambda point: abs(point.error))
        found["error"][name] = {point.label: _signed(point.error) for point in by_error}
        lines = {SEEN[line.fitted]: line for line in result.lines() if line.counted}
        parts = lines | result.parts()
        found["mean"][name] = {part: f"{100 * rows.mape:.1f} %" for part, rows in parts.items()}
        found["span"][name] = {part: _span(rows.counted) for part, rows in parts.items()}
    return found


def _signed(ratio: float) -> str:
    return f"{100 * ratio:+.1f} %"


def _span(points: Iterable[Measurement]) -> str:
    errors = [point.error for point in points]
    return f"{_signed(min(errors))[:-2]} to {_signed(max(errors))}"
