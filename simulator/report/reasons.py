"""Why a layer takes its time, in sentences that its figures allow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from simulator.names import capitalised, words
from simulator.quantities import count, percent
from simulator.report.layer import LayerReport
from simulator.units import ceil_div

NOTICEABLE_RATIO: Final = 0.05
"""Parts of the time, and of what is executed, that are worth a word."""


def reasons(layer: LayerReport) -> Iterator[str]:
    """What bounds it, what cores do meanwhile, and what its tiles leave unused."""
    if layer.bound == "launch":
        yield "Launching and starting the kernel take longer than its work."
    yield _busiest(layer)
    yield _core_time(layer)
    padded = layer.slots_padded / max(1, layer.macs_executed)
    if padded >= NOTICEABLE_RATIO:
        yield f"Padding takes {percent(padded)} of the slots that are executed."
    yield from _waves(layer)
    if layer.imbalance_ratio >= 1 + NOTICEABLE_RATIO:
        yield f"The busiest core works {layer.imbalance_ratio:.2f} times as long as the mean one."


def _busiest(layer: LayerReport) -> str:
    """The busiest resource, and the next one."""
    (first, most), (second, next_most), *_ = sorted(
        layer.busy_ratio.items(), key=lambda item: -item[1]
    )
    if layer.work_bound == "latency":
        return (
            f"No resource works half of the time: {words(first)} {percent(most)}, "
            f"{words(second)} {percent(next_most)}. What takes the time is waiting."
        )
    others = f"next is {words(second)}, {percent(next_most)}"
    return capitalised(f"{words(first)} is busy {percent(most)} of the time; {others}.")


def _core_time(layer: LayerReport) -> str:
    """What cores do: multiply, and the largest of all else."""
    account = layer.core_time_ps
    others = sorted(
        ((time, kind) for kind, time in account.items() if not kind.startswith("mac_")),
        reverse=True,
    )
    noticed = [
        f"{words(kind)} {percent(time / account.total)}"
        for time, kind in others[:3]
        if time >= NOTICEABLE_RATIO * account.total
    ]
    start = f"Cores multiply {percent(account.mac / account.total)} of their time"
    return f"{start}; the rest is mostly {', '.join(noticed)}." if noticed else f"{start}."


def _waves(layer: LayerReport) -> Iterator[str]:
    """Cores that its tiles leave without work, all along or at the end."""
    if layer.dealt is None:
        return
    tiles, cores = layer.dealt.grid.tiles, layer.dealt.cores
    waves = ceil_div(tiles, cores)
    if 1 - tiles / (waves * cores) < NOTICEABLE_RATIO:
        return
    if waves == 1:
        yield f"There {'is' if tiles == 1 else 'are'} {count(tiles, 'tile')} for {cores} cores."
    else:
        yield f"The last of {waves} waves has {count(tiles % cores, 'tile')} for {cores} cores."
