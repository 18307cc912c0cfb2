"""What layers gain by patterns: bars beside 1, solid where advised, and the band of ties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from simulator.names import shortened
from simulator.pictures.style import INK, styled
from simulator.quantities import times, whole_percent

COLOURS: Final = ("#0a4f86", "#d55e00", "#007a5a", "#b0569a", "#eea236", "#56a9e0")
PALE: Final = 0.35


@dataclass(frozen=True)
class GainBar:
    """A layer: dense over sparse time by pattern, the number of the advised one, its share."""

    label: str
    gains: tuple[float, ...]
    advised: int | None
    share: float


@styled
def gains(
    panel: FigureBase,
    bars: Sequence[GainBar],
    patterns: Sequence[str],
    *,
    title: str,
    error_ratio: float | None,
) -> Axes:
    """Bars from 1 to the right where a layer gains, to the left where it loses.

    Parameters
    ----------
    error_ratio : float, optional
        Gains as near to 1 are ties.
    """
    axes = panel.subplots()
    height = 0.8 / len(patterns)
    if error_ratio:
        axes.axvspan(1 - error_ratio, 1 + error_ratio, color="#eeeeee", zorder=0)
    for row, bar in enumerate(bars):
        for number, gain in enumerate(bar.gains):
            place = row - 0.4 + (number + 0.5) * height
            is_advised = number == bar.advised
            axes.barh(place, gain - 1, 0.92 * height, 1, color=COLOURS[number % len(COLOURS)],
                      alpha=1 if is_advised else PALE)  # fmt: skip
            axes.annotate(times(gain), (gain, place), (3 if gain >= 1 else -3, 0),
                          textcoords="offset points", va="center", fontsize=8,
                          ha="left" if gain >= 1 else "right")  # fmt: skip
    labels = [f"{shortened(bar.label, 30)}, {whole_percent(bar.share)}" for bar in bars]
    axes.set_yticks(range(len(bars)), labels)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(1, len(bars)) - 0.5, -0.5)
    every = [gain for bar in bars for gain in bar.gains] or [1.0]
    least, most = min(*every, 1.0), max(*every, 1.0)
    room = 0.12 * max(0.1, most - least)
    axes.set_xlim(least - room * (least < 1) - 0.01, most + room)
    axes.axvline(1, color=INK, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.set_xlabel("gain: dense over sparse time, ratio")
    axes.set_ylabel("layer, share of dense time")
    axes.grid(axis="x")
    axes.set_title(title)
    handles = [
        Patch(facecolor=COLOURS[number % len(COLOURS)], label=pattern)
        for number, pattern in enumerate(patterns)
    ]
    handles.append(
        Patch(facecolor=COLOURS[0], alpha=PALE, label="pale: stay dense,\nor another pattern")
    )
    if error_ratio:
        handles.append(Patch(facecolor="#eeeeee", label="tie"))
    panel.legend(handles=handles, loc="outside right upper", alignment="left")
    return axes
