"""What validations pass to their page: data sets, and every figure that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean

from simulator.names import capitalised, words
from simulator.pages import AnswerPage, Bars, Column, Plot, Section, answer_html
from simulator.quantities import count, percent, signed
from simulator.validation import Measurement, Validation
from simulator.validation.summary import BAND, CONSTANTS, constants, lines, name, remarks
from simulator.validation.table import known
from simulator.version import __version__

NOT_COUNTED, UNSEEN, SEEN = "does not count", "not seen", "seen"
"""What fits have to do with a figure."""


def validation_html(
    results: Sequence[Validation], commands: Mapping[str, str] | None = None
) -> str:
    """The page of data sets: their errors, and predicted against measured.

    Parameters
    ----------
    commands : mapping, optional
        Lines for a shell that it shows, by what they are for.
    """
    return answer_html(
        AnswerPage(
            title="Model against published figures",
            facts=(
                count(len(results), "data set"),
                count(sum(len(result.points) for result in results), "figure"),
            ),
            sentences=tuple(_sentences(results)),
            sections=(_sets(results), _figures(results)),
            notes=tuple(
                f"{result.dataset.name}: {'; '.join(remarks(result))}" for result in results
            ),
            made_by=f"nmsim {__version__}",
            commands=tuple((commands or {}).items()),
        )
    )


def _sentences(results: Sequence[Validation]) -> Iterator[str]:
    """How far off it is, apart for rows that decided numbers and for all others."""
    said = {True: "rows that constants were fitted to", False: "rows that no fit has seen"}
    for is_fitted in (False, True):
        points = [
            point for line in lines(results) if line.fitted is is_fitted for point in line.counted
        ]
        if points:
            error = mean(abs(point.error) for point in points)
            bias = mean(point.error for point in points)
            yield (
                f"On {count(len(points), 'figure')} of {said[is_fitted]} the model is off by "
                f"{percent(error)} on average, {signed(bias)} with its sign."
            )
    found = [(line, line.worst) for line in lines(results) if line.worst is not None]
    if found:
        line, worst = max(found, key=lambda pair: abs(pair[1].error))
        yield f"Furthest off: {worst.label} of {line.dataset.name}, {signed(worst.error)}."


def _sets(results: Sequence[Validation]) -> Section:
    """A row a data set, apart for what fits have seen."""
    every = lines(results)
    return Section(
        title="Data sets",
        says=("Bars are mean absolute errors. A click shows the figures of a set.",),
        columns=(
            Column("data set", "text"),
            Column("rows that count", "figure"),
            Column("mean error", "figure", "ratio"),
            Column("median", "figure", "ratio"),
            Column("worst", "figure", "change"),
            Column("roofline", "figure", "ratio"),
            Column("constants", "outcome"),
            Column("of all published rows", "figure", "ratio"),
            Column("mean with its sign", "figure", "change"),
            Column("worst row", "text"),
        ),
        rows=[_set(line) for line in every],
        hidden=(7, 8, 9),
        filters=(6,),
        bars=Bars((2,)),
        details=[tuple(_about(line)) for line in every],
        picks=True,
    )


def _set(line: Validation) -> tuple[str | float | int | None, ...]:
    worst = line.worst
    return (
        name(line),
        len(line.counted),
        known(line.mape),
        known(line.median),
        worst.error if worst else None,
        known(line.roofline_mape),
        constants(line),
        known(line.mape_of_all),
        known(line.bias),
        worst.label if worst else None,
    )


def _about(line: Validation) -> Iterator[str]:
    """What it is, what its constants have to do with it, and what does not count."""
    yield line.dataset.title
    yield capitalised(CONSTANTS[constants(line)])
    for why, rows in line.set_aside().items():
        yield f"{count(rows, 'row')} not counted: {why}"


def _figures(results: Sequence[Validation]) -> Section:
    """Every figure, and which of them decided a number."""
    points = [(line, point) for line in lines(results) for point in line.points]
    units = {line.dataset.unit for line, _ in points}
    outside = [bool(point.set_aside) for _, point in points]
    cut = " Bars of figures that do not count are pale, and cut where the axis ends."
    return Section(
        title="Predicted against measured",
        says=(f"The band is {100 * BAND:.0f} % around equality.{cut if any(outside) else ''}",),
        columns=(
            Column("figure", "text"),
            Column("data set", "choice"),
            Column("measured", "figure"),
            Column("predicted", "figure"),
            Column("unit", "text"),
            Column("error", "figure", "change"),
            Column("by fits", "outcome"),
            Column("bound by", "outcome"),
            Column("mapping", "text"),
            Column("part", "text"),
            Column("MACs", "figure"),
            Column("a roofline", "figure"),
        ),
        rows=[_figure(*both) for both in points],
        hidden=(8, 9, 10, 11),
        filters=(1, 6, 7),
        bars=Bars((5,), 0.0, BAND, f"within {100 * BAND:.0f} %", outside=outside),
        plot=Plot(
            2, 3, 6, agreement=BAND, values=(NOT_COUNTED, UNSEEN, SEEN),
            behind=f", {units.pop()}" if len(units) == 1 else ", in each row's unit",
        ),
        details=[
            (f"Does not count: {point.set_aside}.",) if point.set_aside else ()
            for _, point in points
        ],
    )  # fmt: skip


def _figure(line: Validation, point: Measurement) -> tuple[str | float | int | None, ...]:
    kind = NOT_COUNTED if point.set_aside else SEEN if point.fitted else UNSEEN
    return (
        point.label,
        name(line),
        point.measured,
        point.predicted,
        line.dataset.unit,
        point.error,
        kind,
        " / ".join(map(words, point.bound.split(" / "))) or "–",
        point.mapping,
        point.part,
        point.macs or None,
        point.roofline,
    )
