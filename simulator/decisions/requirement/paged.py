"""What a requirement passes to its page: what to buy, and every machine that was tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from simulator.pages import AnswerPage, Bars, Column, Plot, Section, answer_html
from simulator.quantities import count, times, written_value
from simulator.version import __version__

if TYPE_CHECKING:
    from simulator.decisions.requirement.result import Change, Requirement, Tried


def requirement_html(found: Requirement, commands: Mapping[str, str]) -> str:
    """The page of a requirement; ``commands`` are lines for a shell, by what they are for."""
    sections = [_changes(found)] if found.changes else []
    return answer_html(
        AnswerPage(
            title=found.title,
            facts=tuple(_facts(found)),
            sentences=tuple(found.sentences()),
            sections=(*sections, _tried(found)),
            notes=found.notes,
            made_by=f"nmsim {__version__}",
            commands=tuple(commands.items()),
        )
    )


def _facts(found: Requirement) -> Iterator[str]:
    yield f"over dense {'as it is' if found.of == 'as-is' else 'on the changed machine'}"
    yield f"{times(found.gain_before)} as it is"
    yield f"nothing grows by more than {found.most:g}x"
    yield f"{count(len(found.tried), 'machine')} tried"


def _changes(found: Requirement) -> Section:
    """The dearest change first."""
    changes = sorted(found.changes, key=lambda one: -one.price)
    what = "it" if found.is_reached else times(found.reached)
    return Section(
        title=f"What {what} takes, the dearest first",
        says=("Bars are prices, as shares of the machine's area.",),
        columns=(
            Column("resource", "text"),
            Column("factor", "text"),
            Column("from", "text"),
            Column("to", "text"),
            Column("price", "figure"),
            Column("speed-up without it", "figure", "times", True),
        ),
        rows=[_row(one) for one in changes],
        bars=Bars((4,)),
        details=[tuple(_keys(one)) for one in changes],
    )


def _row(one: Change) -> tuple[str | float | None, ...]:
    key, (before, after) = next(iter(one.values.items()))
    values = written_value(key, before), written_value(key, after)
    factor = f"/ {one.factor:.2f}" if one.is_less else one.times
    return one.resource, factor, *values, one.price, one.without


def _keys(one: Change) -> Iterator[str]:
    for key, (before, after) in one.values.items():
        yield f"{key}: {written_value(key, before)} → {written_value(key, after)}"


def _tried(found: Requirement) -> Section:
    """Price and speed-up of all, beside the target; the best is first, for lists are cut."""
    tried = sorted(enumerate(found.tried, 1), key=lambda pair: not pair[1].is_best)
    return Section(
        title="Machines that were tried",
        says=(f"The broken line is the target, {times(found.speedup)} dense.",),
        columns=(
            Column("machine", "text"),
            Column("which", "outcome"),
            Column("price of all changes", "figure"),
            Column("speed-up over dense", "figure", "times", True),
        ),
        rows=[(f"{number}", _which(found, one), one.price, one.gain) for number, one in tried],
        filters=(1,),
        plot=Plot(2, 3, 1, target=found.speedup),
        details=[()] * len(tried),
    )


def _which(found: Requirement, one: Tried) -> str:
    if one.is_best:
        return "the cheapest" if found.is_reached else "within 1 % of the most"
    return "reaches it" if one.is_reached else "misses"
