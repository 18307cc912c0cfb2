"""What is said of each data set: cells of a line, in the terminal and in the README alike."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan
from typing import Final

from simulator.validation import FAMILY_FACTOR, Validation
from simulator.validation.decisions import decided
from simulator.validation.fitted import READ_OFF, Fitted, is_read_off

BAND: Final = 0.10
"""Half-width, as a share, of the band that pictures and pages have around agreement."""

TITLE = "Model against published figures: absolute errors in per cent"

MARK = " *"
"""Behind the name of a data set where the line is of rows that a fit has seen."""

MARKED = "* rows that constants or conditions were fitted to; rows of other lines no fit has seen"

COLUMNS = ("data set", "rows", "mean", "of all", "median", "worst", "roofline")
"""Of the rows that count, but for `of all`: every published row."""

MORE_COLUMNS = ("data set", "constants", "worst row")

CONSTANTS: Final = {
    "fitted": "numbers were fitted to these rows",
    "read off": "the machine states figures that were read off them",
    "chosen": "a kernel, clock or way to run was chosen after looking at the set",
    "held out": "these rows decided nothing",
}
"""How far rows decided what they are compared with."""


def lines(results: Iterable[Validation]) -> list[Validation]:
    """Of each data set the rows that a fit has seen and those that none has."""
    return [line for result in results for line in result.lines()]


def marked(results: Iterable[Validation]) -> list[str]:
    """What the mark means, where a line has it."""
    return [MARKED] if any(line.fitted for line in lines(results)) else []


def name(line: Validation) -> str:
    """A data set's name, marked where a fit has seen the rows."""
    return line.dataset.name + _mark(line)


def cells(line: Validation) -> tuple[str, ...]:
    """What is said of rows of one kind, in the order of `COLUMNS`."""
    counted, published = len(line.counted), len(line.points)
    worst = line.worst
    return (
        name(line),
        f"{counted}" if counted == published else f"{counted} of {published}",
        _percent(line.mape),
        _percent(line.mape_of_all),
        _percent(line.median),
        "-" if worst is None else f"{100 * worst.error:+.1f}",
        _percent(line.roofline_mape),
    )


def more_cells(line: Validation) -> tuple[str, ...]:
    """What else is said of rows of one kind, in the order of `MORE_COLUMNS`."""
    return name(line), constants(line), "-" if line.worst is None else line.worst.label


def constants(line: Validation) -> str:
    """How far these rows decided what they are compared with: a word of `CONSTANTS`."""
    if line.fitted:
        return "fitted"
    if is_read_off(line.dataset.name):
        return "read off"
    return "chosen" if line.dataset.chosen else "held out"


def explained(results: Iterable[Validation]) -> list[str]:
    """What the words of the column `constants` mean, those that occur."""
    said = {constants(line) for line in lines(results)}
    return [f"{word}: {meaning}" for word, meaning in CONSTANTS.items() if word in said]


def remarks(result: Validation) -> list[str]:
    """What it is, and what else one must know: parts, rows that do not count, and why."""
    made = [result.dataset.title]
    parts = [part for line in result.lines() for part in line.parts().items()]
    if len(parts) > 1:
        made += [
            f"{part}{_mark(rows)} ({_rows(len(rows.points))}) {_percent(rows.mape)} %"
            for part, rows in parts
        ]
    if result.dataset.decides:
        told = ", ".join(f"{rows} {one}" for one, rows in decided(result.points).items())
        made += [f"of {_rows(len(result.points))} {told}"]
    made += [f"{_rows(rows)} not counted ({why})" for why, rows in result.set_aside().items()]
    chosen = result.dataset.chosen
    made += [f"chosen after looking: {chosen}"] if chosen else []
    return made + ([result.dataset.note] if result.dataset.note else [])


FAMILY_COLUMNS = ("data set", "family", "rows", "mean", "bound")


def family_cells(results: Iterable[Validation]) -> list[tuple[str, ...]]:
    """Families that are held to a bound by themselves, in the order of `FAMILY_COLUMNS`."""
    return [
        (name(line), family, str(len(rows.points)), _percent(rows.mape), _family_bound(line))
        for line in lines(results)
        for family, rows in line.families().items()
    ]


def _family_bound(line: Validation) -> str:
    bound = line.dataset.bound
    return "-" if bound is None else _percent(FAMILY_FACTOR * bound)


FITTED_COLUMNS = ("of", "key", "value", "fitted to", "spread", "left out")


def fitted_cells(fitted: Fitted) -> tuple[str, ...]:
    """A fitted number's row, in the order of `FITTED_COLUMNS`; the last two in per cent."""
    return (
        fitted.of,
        fitted.key,
        f"{fitted.value:.10g}",
        ", ".join(f"{rows} of {name}" for name, rows in fitted.seen.items()),
        _percent(fitted.spread_ratio),
        _percent(fitted.left_out_ratio),
    )


def fitted_line(fitted: Fitted) -> str:
    """A fitted number in words."""
    of, key, value, seen, spread, left_out = fitted_cells(fitted)
    kind = fitted.kind.value
    return (
        f"{of} {key} = {value}: a {kind} fitted to rows, {seen}; "
        f"spread {spread} %, leave-one-out error {left_out} %"
    )


READ_OFF_COLUMNS = ("of", "key", "value", "read off")


def all_read_off_cells() -> list[tuple[str, ...]]:
    """Every number of a preset that stands in a data set as well."""
    return [(number.of, number.key, f"{number.value:g}", number.data_set) for number in READ_OFF]


def _rows(rows: int) -> str:
    return f"{rows} row" + "s" * (rows != 1)


def _mark(line: Validation) -> str:
    return MARK if line.fitted else ""


def _percent(ratio: float) -> str:
    """Of what is not a number, a dash."""
    return "-" if isnan(ratio) else f"{100 * ratio:.1f}"
