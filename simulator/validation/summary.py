"""What is said of each data set: one row of cells, in the terminal and in the README alike."""

from __future__ import annotations

from simulator.validation import Validation
from simulator.validation.fitted import READ_OFF, Fitted, is_read_off, rows_seen

TITLE = "Model against published figures: absolute errors in per cent"

COLUMNS = ("data set", "rows", "mean", "of all", "median", "worst", "roofline")
"""Of the rows that count, but for `of all`: every published row."""

MORE_COLUMNS = ("data set", "constants", "worst row")
"""`constants` says whether any were fitted to the data set, or to how many of its rows, and `read
off` where the machine states its figures."""


def cells(result: Validation) -> tuple[str, ...]:
    """A data set's row, in the order of `COLUMNS`."""
    counted, published = len(result.counted), len(result.points)
    roofline = result.roofline_mape
    return (
        result.dataset.name,
        f"{counted}" if counted == published else f"{counted} of {published}",
        _percent(result.mape),
        _percent(result.mape_of_all),
        _percent(result.median),
        f"{100 * result.worst.error:+.1f}",
        "-" if roofline is None else _percent(roofline),
    )


def more_cells(result: Validation) -> tuple[str, ...]:
    """A data set's row, in the order of `MORE_COLUMNS`."""
    return result.dataset.name, constants(result), result.worst.label


def constants(result: Validation) -> str:
    """Whether fitted numbers have seen the rows that count."""
    name = result.dataset.name
    seen = rows_seen(name)
    if seen == len(result.counted):
        return "fitted"
    if seen:
        return f"{seen} rows"
    return "read off" if is_read_off(name) else "held out"


def remarks(result: Validation) -> list[str]:
    """What it is, and what else one must know: parts, rows that do not count, and why."""
    made = [result.dataset.title]
    made += [
        f"{part} ({_rows(rows)}) {_percent(error)} %"
        for part, (rows, error) in result.parts().items()
    ]
    made += [f"{_rows(rows)} not counted ({why})" for why, rows in result.set_aside().items()]
    return made + ([result.dataset.note] if result.dataset.note else [])


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


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f}"
