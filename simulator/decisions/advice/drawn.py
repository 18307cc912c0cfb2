"""What an advice passes to its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.pictures import Picture, new_picture
from simulator.pictures.gains import GainBar, gains

if TYPE_CHECKING:
    from simulator.decisions.advice.result import Advice

PLOTTED: Final = 24
"""Layers, those that take most of the time."""


def advice_picture(advice: Advice) -> Picture:
    """Bars of gains, a group a layer."""
    whole = advice.dense.total.time_ns
    share = {id(layer): layer.dense_ns * layer.repeat / whole for layer in advice.layers}
    longest = sorted(advice.layers, key=lambda layer: -share[id(layer)])[:PLOTTED]
    shown = [layer for layer in advice.layers if layer in longest]
    bars = [
        GainBar(
            layer.name,
            tuple(layer.gains[pattern] for pattern in advice.patterns),
            advice.patterns.index(layer.pattern) if layer.pattern in advice.patterns else None,
            share[id(layer)],
        )
        for layer in shown
    ]
    height = 2.2 + (0.16 + 0.17 * len(advice.patterns)) * max(2, len(bars))
    picture = new_picture(9.2, height, f"Does it pay? {advice.title}")
    more = len(advice.layers) - len(shown)
    title = "What each layer gains" + (f" ({more} shorter ones left out)" if more else "")
    error = advice.band.error_ratio if advice.band else None
    gains(picture, bars, advice.patterns, title=title, error_ratio=error)
    return picture
