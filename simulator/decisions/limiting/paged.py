"""What limits of a machine pass to their page: the best order, every resource alone, stalls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from simulator.names import capitalised, words
from simulator.pages import AnswerPage, Bars, Column, Section, answer_html
from simulator.quantities import count, times, written_value
from simulator.units import PS_PER_NS
from simulator.version import __version__

if TYPE_CHECKING:
    from simulator.decisions.limiting.result import Limits, Relaxed, Step

BOUNDLESS_RATIO: Final = 1024
"""What grows by more has no limit."""


def limits_html(limits: Limits, commands: Mapping[str, str]) -> str:
    """The page of limits; ``commands`` are lines for a shell, by what they are for."""
    return answer_html(
        AnswerPage(
            title=f"What limits {limits.pattern}: {limits.title}",
            facts=tuple(_facts(limits)),
            sentences=tuple(limits.sentences()),
            sections=(_order(limits), _alone(limits), _stalls(limits)),
            notes=limits.report.notes,
            made_by=f"nmsim {__version__}",
            commands=tuple(commands.items()),
        )
    )


def _facts(limits: Limits) -> Iterator[str]:
    yield limits.pattern
    yield f"{times(limits.time_of_dense_ps / limits.time_ps)} dense as it is"
    yield count(len(limits.resources), "resource")
    yield f"{limits.report.accuracy} on the {limits.report.engine} engine"


def _order(limits: Limits) -> Section:
    """The waterfall of both."""
    return Section(
        title="In the best order, one more resource without a limit at every step",
        says=("The first and the last bar are times; those between are what a step takes away.",),
        columns=(
            Column("without a limit", "text"),
            Column(limits.pattern, "figure", "time"),
            Column("dense", "figure", "time"),
            Column("gain so far", "figure", "times", True),
            Column("dense so far", "figure", "times", True),
            Column("over dense", "figure", "times", True),
        ),
        rows=[
            (step.name, step.time_ps / PS_PER_NS, step.time_of_dense_ps / PS_PER_NS,
             limits.gain(step), limits.gain_of_dense(step), step.time_of_dense_ps / step.time_ps)
            for step in limits.steps
        ],
        bars=Bars((1, 2), is_falling=True),
        details=[tuple(_freed(limits, step)) for step in limits.steps],
    )  # fmt: skip


def _freed(limits: Limits, step: Step) -> Iterator[str]:
    """From what to what keys go at a step."""
    if not step.resources:
        yield "The machine as it is."
    for name in step.resources:
        yield f"{capitalised(name)}: {_from_to(limits, limits.by_factor(name)[inf])}."


def _from_to(limits: Limits, one: Relaxed) -> str:
    """``memory.dram.bytes_per_second 2.04e+12 → no limit``."""
    changes = (
        f"{key} {written_value(key, limits.values[key])} → {_after(key, limits.values[key], new)}"
        for key, new in one.settings.items()
    )
    return ", ".join(changes)


def _after(key: str, old: float, new: object) -> str:
    assert isinstance(new, int | float)
    return "no limit" if new > BOUNDLESS_RATIO * old else written_value(key, new)


def _alone(limits: Limits) -> Section:
    """Elasticities, and gains by every factor."""
    factors = (*limits.factors, inf)
    both = (limits.pattern, "dense")
    gains = (
        Column(f"{name} {_named(x)}", "figure", "times", True) for name in both for x in factors
    )
    moving = limits.moving
    says = ["Bars are elasticities: by how many per cent speed rises for 1 % more of a resource."]
    if limits.unmoving:
        says.append(f"Without a limit these move nothing: {', '.join(limits.unmoving)}.")
    first = 3 + len(factors)
    return Section(
        title="Every resource alone",
        says=tuple(says),
        columns=(
            Column("resource", "text"),
            *(Column(f"elasticity, {name}", "figure", "decimal", True) for name in both),
            *gains,
        ),
        rows=[_resource(limits, name, factors) for name in moving],
        hidden=tuple(range(first, first + len(factors))),
        bars=Bars((1, 2)),
        details=[tuple(_relaxed(limits, name)) for name in moving],
    )


def _named(factor: float) -> str:
    return "no limit" if factor == inf else f"×{factor:g}"


def _resource(
    limits: Limits, name: str, factors: Sequence[float]
) -> tuple[str | float | None, ...]:
    rows = limits.by_factor(name)
    elastic = next((one for one in limits.elasticities if one.resource == name), None)
    return (
        name,
        elastic.of_pattern if elastic else None,
        elastic.of_dense if elastic else None,
        *(limits.gain(rows[factor]) if factor in rows else None for factor in factors),
        *(limits.gain_of_dense(rows[factor]) if factor in rows else None for factor in factors),
    )


def _relaxed(limits: Limits, name: str) -> Iterator[str]:
    """From what to what keys go, by every factor."""
    for factor, one in limits.by_factor(name).items():
        yield f"{capitalised(_named(factor))}: {_from_to(limits, one)}."


def _stalls(limits: Limits) -> Section:
    """Where core-time goes, and what lowers it."""
    return Section(
        title="Where core-time goes as it is, and what lowers it",
        columns=(
            Column("core-time", "text"),
            Column(limits.pattern, "figure", "ratio"),
            Column("dense", "figure", "ratio"),
            Column("lowered by", "text"),
        ),
        rows=[
            (words(stall.kind), own, dense, ", ".join(names) or "nothing that the machine has")
            for stall, own, dense, names in limits.stalls
        ],
        bars=Bars((1, 2)),
        details=[
            (stall.means, *(_keys(limits, name) for name in names))
            for stall, _, _, names in limits.stalls
        ],
    )


def _keys(limits: Limits, name: str) -> str:
    return f"{capitalised(name)}: {', '.join(key for key, _ in limits.resources[name].keys)}."
