"""The verdict of an advice in sentences: each pattern, what is advised, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from simulator.decisions.advice.case import ASKED
from simulator.decisions.trust import Band, Outcome, outcome
from simulator.quantities import count, percent, times, whole_percent
from simulator.report.comparison import mix_text
from simulator.sparsity import DENSE

if TYPE_CHECKING:
    from simulator.decisions.advice.result import Advice

ADVISED: Final = "Advised:"
"""How the sentence begins that says what every layer should run as."""


def sentences(advice: Advice) -> Iterable[str]:
    """What follows, the most important first."""
    if not advice.layers:
        yield f"No layer of {advice.network} has weights: there is nothing to prune."
        return
    for pattern in advice.patterns:
        yield _of_pattern(advice, pattern)
    yield _advised(advice)
    yield _bearing(advice)
    yield trust_line(advice.hardware, advice.band)


def trust_line(machine: str, band: Band | None) -> str:
    """How far gains on a machine are to be trusted."""
    if band is None:
        return (
            f"{machine} is unvalidated: no published speed-up was compared with it as it is, and "
            "only equal times are called a tie."
        )
    fitted = ", which fits have seen" if band.fitted else ""
    return (
        f"Validated: {count(band.rows, 'measured speed-up')} of {machine} ({', '.join(band.sets)}"
        f"{fitted}) are met within {percent(band.error_ratio)} on average, each by its software's "
        f"own kernels; what is nearer to 1 is called a tie.{_plain(band)}"
    )


def _plain(band: Band) -> str:
    """How much more a run that knows nothing of that software promises than was measured."""
    if not band.plain_rows:
        return ""
    more = "more" if band.plain_error_ratio > 0 else "less"
    by = percent(abs(band.plain_error_ratio))
    return (
        f" A plain run, as this is one, says {by} {more} than was measured, on average of "
        f"{count(band.plain_rows, 'gain')} of networks."
    )


def _of_pattern(advice: Advice, pattern: str) -> str:
    """One pattern in all layers."""
    gain, ran_as = advice.gain_of(pattern), _ran_as(advice, pattern)
    if all(layer.reason is not None and layer.reason.kind == ASKED for layer in advice.layers):
        return f"{pattern} is not tried: every layer stays dense, as asked."
    if ran_as == [str(DENSE)]:
        return f"{pattern} gains nothing: {advice.hardware} runs every layer dense."
    other = f" (run as {' and '.join(ran_as)})" if pattern not in ran_as else ""
    text = f"{pattern}{other} {_gains(gain, advice.band)} in all; {_layers(advice, pattern)}"
    return f"{text}{_batches(advice, pattern)}.{_forced(advice, pattern)}{_worth(advice, pattern)}"


def _gains(gain: float, band: Band | None) -> str:
    """``gains 1.21x``; a tie is said to be one."""
    return {
        Outcome.GAIN: f"gains {times(gain)}",
        Outcome.LOSS: f"loses ({times(gain)})",
        Outcome.TIE: f"is a tie ({times(gain)})",
    }[outcome(gain, band)]


def _ran_as(advice: Advice, pattern: str) -> list[str]:
    """Patterns that layers ran as where they were to run sparse; dense only if nothing else."""
    layers = [one for one in advice.forced[pattern].layers if one.kind in ("gemm", "conv")]
    names = dict.fromkeys(one.executed_as for one in layers if one.asked != str(DENSE))
    return [name for name in names if name != str(DENSE)] or [str(DENSE)]


def _layers(advice: Advice, pattern: str) -> str:
    """How many layers gain by it, and how many should stay dense."""
    every = sum(layer.layers for layer in advice.layers)
    gaining = sum(
        layer.layers for layer in advice.layers if layer.outcomes[pattern] is Outcome.GAIN
    )
    if gaining == every:
        return "every layer gains" if every > 1 else "its one layer gains"
    if not gaining:
        one = "its one layer does not gain"
        return f"none of {count(every, 'layer')} gains" if every > 1 else one
    verb = "gains" if gaining == 1 else "gain"
    return f"{gaining:,} of {every:,} layers {verb}, {every - gaining:,} should stay dense"


def _batches(advice: Advice, pattern: str) -> str:
    """From which batch on the network gains."""
    if pattern not in advice.from_batch:
        return ""
    batch = advice.from_batch[pattern]
    if batch is None:
        return f"; at no batch up to {advice.most_batch:,} does the network gain"
    if batch == 1:
        return "; it gains from batch 1 on"
    return f"; from batch {batch:,} on the network gains, below it does not"


def _forced(advice: Advice, pattern: str) -> str:
    """What it would be without dense kernels where those are faster, if that is another gain."""
    gain = times(advice.gain_of(pattern, forced=True))
    is_told = gain == times(advice.gain_of(pattern))
    return "" if is_told else f" Run sparse everywhere, it would be {gain}."


def _worth(advice: Advice, pattern: str) -> str:
    """What it costs in quality."""
    worth = advice.worth.get(pattern)
    if worth is None:
        return ""
    if not worth.layers:
        return f" {worth.text[0].upper()}{worth.text[1:]}, so that it is not advised."
    return f" It {worth.text}: {worth.verdict}."


def _advised(advice: Advice) -> str:
    """What the written trace holds."""
    counts = advice.counts
    if set(counts) == {str(DENSE)}:
        patterns = " or ".join(advice.patterns)
        why = f"no layer gains by {patterns}"
        if any(layer.outcome is Outcome.GAIN for layer in advice.layers):
            why = f"{patterns} is not known to be worth its cost"
        return f"{ADVISED} all layers dense; {why}."
    is_one = len(counts) == 1
    mix = f"every layer {next(iter(counts))}" if is_one else mix_text(counts)
    return f"{ADVISED} {mix}: {times(advice.gain)}{_tied(advice)}.{_unmeasured(advice)}"


def _unmeasured(advice: Advice) -> str:
    """Where qualities are known, but not that of what is advised."""
    by_pattern: dict[str, set[str]] = {}
    for name, pattern in advice.pattern_of.items():
        by_pattern.setdefault(pattern, set()).add(name)
    by_pattern.pop(str(DENSE), None)
    measured = (
        advice.worth[one].layers == names for one, names in by_pattern.items() if advice.worth
    )
    if not advice.worth or (len(by_pattern) == 1 and all(measured)):
        return ""
    return " Its quality was not measured: nmsim quality --mix does."


def _tied(advice: Advice) -> str:
    return ", a tie" if outcome(advice.gain, advice.band) is Outcome.TIE else ""


def _bearing(advice: Advice) -> str:
    """The share of time that any pattern can touch."""
    share = whole_percent(advice.bearing_ratio)
    return f"Layers with weights take {share} of the dense network's time."
