"""What follows of relaxing a machine, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import isinf, sqrt
from typing import TYPE_CHECKING, Final

from simulator.names import words
from simulator.quantities import count, time, whole_percent
from simulator.report.stalls import STALLS
from simulator.sparsity import DENSE

if TYPE_CHECKING:
    from simulator.decisions.limiting.result import Limits, Relaxed, Step

NOTEWORTHY: Final = 1.02
"""Gains below are not named in sentences."""

TOLD: Final = 3
"""Resources that a sentence names at most."""

SLOWER_RATIO: Final = 1.005
"""What is slower by less is not told of."""

EXPLAINED: Final[Mapping[str, tuple[str, ...]]] = {
    "mac": ("mac_useful", "mac_padding"),
    "scratchpad": ("scratchpad_stall",),
    "operand": ("operand_stall",),
    "vector": ("vector_stall",),
    "port": ("memory_stall", "prologue", "epilogue"),
    "l2": ("memory_stall", "prologue", "reduction"),
    "dram": ("memory_stall", "prologue"),
    "launch": ("kernel_start",),
    "latency": (),
}
"""Kinds of core-time that say the same as a bound."""

BUSIEST: Final[Mapping[str, str]] = {
    "mac": "whose multipliers are busiest",
    "scratchpad": "whose scratchpad is busiest",
    "operand": "whose path of operands is busiest",
    "vector": "whose vector lanes are busiest",
    "port": "whose core's port is busiest",
    "l2": "in which L2 is busiest",
    "dram": "in which main memory is busiest",
    "latency": "in which nothing is busy half of the time",
    "launch": "that take longer to launch and start than to work",
}
"""Layers of each bound, in words."""

_Gain = Callable[["Relaxed"], float]


def sentences(limits: Limits) -> Iterable[str]:
    """The verdict first; then dense, the whole machine, what would be left, and what is odd."""
    under = "as the trace says" if limits.report.pattern is None else f"under {limits.pattern}"
    own = f"{limits.report.network} {under} on {limits.report.hardware}"
    yield _limited(limits, own, limits.gain)
    if limits.report.pattern == str(DENSE):
        pass  # that was dense
    elif _is_one(limits):
        yield f"{_capital(limits.pattern)} and dense are one here: both run the same."
    else:
        yield _limited(limits, "Dense", limits.gain_of_dense)
    yield from _whole(limits)
    yield _left(limits)
    yield from _moved_by_dense(limits)
    yield from _slower(limits)
    yield from _slower_in_order(limits)
    yield from _bound_and_slice(limits)
    yield from _clock(limits)
    yield from _sampled(limits)


def next_speedup(limits: Limits) -> float | None:
    """A speed-up over dense to ask for: halfway, as a ratio, to what no limit would give.

    None where there is nothing to reach.
    """
    now = limits.time_of_dense_ps / limits.time_ps
    most = limits.time_of_dense_ps / limits.ideal.total.time_ps
    asked = round(sqrt(max(now, 1.0) * most), 1)
    return asked if now < asked < most else None


def _is_one(limits: Limits) -> bool:
    """Whether the pattern takes as long as dense on every machine that was tried."""
    rows: tuple[Relaxed | Step, ...] = (*limits.relaxed, *limits.steps)
    return all(one.time_ps == one.time_of_dense_ps for one in rows)


def _most(limits: Limits, gain: _Gain, roles: Sequence[str]) -> list[tuple[float, Relaxed]]:
    """What the largest factor gives of each resource of some roles, most first."""
    found = []
    for name in limits.moving:
        one = limits.largest(name)
        if one is not None and limits.resources[name].role in roles:
            found.append((gain(one), one))
    return sorted(found, key=lambda pair: -pair[0])


def _limited(limits: Limits, whose: str, gain: _Gain) -> str:
    """What gives most of the resources that are not the whole chip."""
    ranked = _most(limits, gain, ("feeding", "computing"))
    named = [pair for pair in ranked if pair[0] >= NOTEWORTHY][:TOLD]
    if not named:
        most = f"; {_named(limits, ranked[0][1])} gives most, {ranked[0][0]:.2f}x" if ranked else ""
        return f"{whose}: no single resource limits it, none gives 2 %{most}."
    (best, first), *others = named
    is_less, factor = limits.resources[first.resource].is_less, first.factor
    if factor == 2:
        much = "half of it" if is_less else "twice as much"
    else:
        much = f"1/{factor:g} of it" if is_less else f"{factor:g} times as much"
    text = f"{whose} is limited by the {first.resource}: {much} gives {best:.2f}x"
    if others:
        parts = (f"{_named(limits, one)} {gives:.2f}x" for gives, one in others)
        return f"{text}; next, {' and '.join(parts)}."
    return f"{text}; nothing else gives 2 %."


def _named(limits: Limits, one: Relaxed) -> str:
    """``twice the port``, ``half the epilogue``, ``DRAM without a limit``."""
    if isinf(one.factor):
        return f"{one.resource} without a limit"
    is_less = limits.resources[one.resource].is_less
    if one.factor == 2:
        return f"{'half' if is_less else 'twice'} the {one.resource}"
    return f"{f'1/{one.factor:g} of' if is_less else f'{one.factor:g} times'} the {one.resource}"


def _whole(limits: Limits) -> Iterable[str]:
    """What more of the whole chip gives."""
    parts = [
        f"{_named(limits, one)} {much:.2f}x (dense {limits.gain_of_dense(one):.2f}x)"
        for much, one in _most(limits, limits.gain, ("whole",))
    ]
    if parts:
        yield f"More of the whole chip: {', '.join(parts)}."


def _left(limits: Limits) -> str:
    """What is left where all that feeds the multipliers has no limit."""
    ideal, dense = limits.ideal.total, limits.ideal_of_dense.total
    kept = [name for name, one in limits.resources.items() if not one.can_be_unlimited]
    spent = {kind: t / ideal.time_ns for kind, t in limits.ideal.core_time_ns().items()}
    doing = [("multiplying", spent["mac_useful"] + spent["mac_padding"])]
    doing += [("waiting for vector lanes", spent["vector_stall"]), ("idle", spent["idle"])]
    told = ", ".join(f"{whole_percent(share)} {what}" for what, share in doing if share >= 0.005)
    text = f"With everything but the {', '.join(kept[:-1])} and {kept[-1]} unlimited "
    text += f"{limits.pattern} would take {time(ideal.time_ns)}, "
    text += f"{limits.time_ps / ideal.time_ps:.3g}x faster"
    if not _is_one(limits):
        ratios = limits.time_of_dense_ps / limits.time_ps, dense.time_ps / ideal.time_ps
        text += f" (dense {limits.time_of_dense_ps / dense.time_ps:.3g}x), "
        text += f"and be {ratios[1]:.2f}x dense instead of {ratios[0]:.2f}x"
    return f"{text}; an average core would then be {told or 'waiting'}."


def _moved_by_dense(limits: Limits) -> Iterable[str]:
    """Where the speed-up over dense moves although the pattern's own time hardly does."""
    now = limits.time_of_dense_ps / limits.time_ps
    moved = []
    for name in limits.moving:
        one = limits.largest(name)
        if one is None:
            continue
        ratio = one.time_of_dense_ps / one.time_ps / now
        if abs(limits.gain(one) - 1) < (NOTEWORTHY - 1) / 2 and abs(ratio - 1) > NOTEWORTHY - 1:
            moved.append((ratio, one))
    if not moved:
        return
    ratio, one = max(moved, key=lambda pair: abs(pair[0] - 1))
    verb, why = ("rises", "slower") if ratio > 1 else ("falls", "faster")
    yield (
        f"Mind the ratio: with {_named(limits, one)} the speed-up over dense {verb} from "
        f"{now:.2f}x to {now * ratio:.2f}x, though {limits.pattern} itself hardly moves "
        f"({limits.gain(one):.2f}x): dense gets {why} ({limits.gain_of_dense(one):.2f}x)."
    )


def _slower(limits: Limits) -> Iterable[str]:
    """What more of makes the pattern slower."""
    slow = [one for one in limits.relaxed if limits.gain(one) < 1 / SLOWER_RATIO]
    if not slow:
        return
    slow.sort(key=limits.gain)
    names = [name for name in dict.fromkeys(x.resource for x in slow) if name != slow[0].resource]
    others = f", nor is more of {' and '.join(names)} always faster" if names else ""
    why = (
        "what limits the clock then lowers it further."
        if limits.report.total.throttled
        else "cores fall into step, or a mapping is chosen that is fastest from a cold L2 alone. "
        "Such anomalies are no reason to have less."
    )
    gain = f"{limits.gain(slow[0]):.2f}x"
    yield f"With {_named(limits, slow[0])} {limits.pattern} gets slower ({gain}){others}: {why}"


def _slower_in_order(limits: Limits) -> Iterable[str]:
    """Where dense gets slower on the way, which is the pattern's."""
    ratios = {
        after.name: before.time_of_dense_ps / after.time_of_dense_ps
        for before, after in pairwise(limits.steps)
    }
    slow = {name: ratio for name, ratio in ratios.items() if ratio < 1 / SLOWER_RATIO}
    if slow and not _is_one(limits):
        named = " and ".join(f"{name} ({ratio:.2f}x)" for name, ratio in slow.items())
        yield f"In the best order for {limits.pattern} dense gets slower with {named}."


def _bound_and_slice(limits: Limits) -> Iterable[str]:
    """Why the bound by share of time and the biggest slice of core-time differ, where they do."""
    total = limits.report.total
    spent = {kind: t / total.time_ns for kind, t in limits.report.core_time_ns().items()}
    kind = max(spent, key=lambda name: spent[name])
    bound, share = total.bound, total.bound_ratio[total.bound]
    if kind in EXPLAINED[bound]:
        return
    means = STALLS[kind].means[0].lower() + STALLS[kind].means[1:].rstrip(".")
    yield (
        f"By share of time {limits.pattern} is bound by {words(bound)} ({whole_percent(share)}: "
        f"layers {BUSIEST[bound]}), yet the biggest slice of core-time is {words(kind)} "
        f"({whole_percent(spent[kind])}: {means}). A bound names what is busiest over a whole "
        f"layer, core-time what cores do or wait for; {_in_those_layers(limits, kind)} of that "
        "slice is in those layers."
    )


def _in_those_layers(limits: Limits, kind: str) -> str:
    """Which share of a kind of core-time layers of the run's bound have."""
    spent = [(x.bound, x.core_time_ps[kind] * x.repeat) for x in limits.report.layers]
    own = sum(time_ps for bound, time_ps in spent if bound == limits.report.total.bound)
    return whole_percent(own / sum(time_ps for _, time_ps in spent))


def _clock(limits: Limits) -> Iterable[str]:
    """Where a power limit or load lowers the clock."""
    slow = sum(layer.throttled for layer in limits.report.layers)
    slow_ideal = sum(layer.throttled for layer in limits.ideal.layers)
    if slow or slow_ideal:
        kernels = len(limits.report.layers)
        yield (
            f"Power or load lowers the clock in {slow} of {count(kernels, 'layer')}, and in "
            f"{slow_ideal} where nothing else limits: gains are what that leaves of them."
        )


def _sampled(limits: Limits) -> Iterable[str]:
    errors = [one.total.time_error_ratio for one in (limits.report, limits.dense)]
    if max(errors):
        yield (
            f"Sampled: times may be off by {100 * max(errors):.1f} %; gains that are smaller say "
            "nothing."
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
