"""What changes of a machine cost: a bar each, beside price and speed-up of all that was tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import MaxNLocator

from simulator.names import shortened
from simulator.pictures.style import ACCENT, INK, QUIET, styled

FAR = 1.5
"""A target that is so many times the highest speed-up is not drawn, or nothing else would show."""
BAR = 0.45
"""Of the height of a row, the rest of which is for words."""
GREEN, ORANGE = "#007a5a", "#d55e00"
ROOM = 1.15
"""Of the scale of prices, beyond the best or the dearest bar."""
DEAR = 2.5
"""Machines that cost more times the best one are left out of the picture."""


@dataclass(frozen=True)
class Bought:
    """A change: what of, at which price, by how much, and what the speed-up is without it."""

    name: str
    price: float
    times: str
    without: float | None


@styled
def purchases(
    panel: FigureBase,
    bought: Sequence[Bought],
    tried: Sequence[tuple[float, float]],
    best: int,
    target: float,
    *,
    is_reached: bool,
) -> None:
    """Draw the price of every change, and price beside speed-up of all machines.

    Parameters
    ----------
    tried : sequence of (float, float)
        Price and speed-up.
    best : int
        Which of them was taken.
    """
    if bought:
        left, right = panel.subplots(1, 2, width_ratios=(1, 1.15))
        _bars(left, bought, "it" if is_reached else f"{tried[best][1]:.2f}x")
    else:
        right = panel.subplots()
    _points(right, tried, best, target, is_reached=is_reached)


def _bars(axes: Axes, bought: Sequence[Bought], what: str) -> None:
    prices = [one.price for one in bought]
    axes.barh(range(len(bought)), prices, BAR, color=ACCENT)
    for row, one in enumerate(bought):
        note = one.times
        note += "" if one.without is None else f"; without: {one.without:.2f}x dense"
        axes.annotate(note, (0, row + BAR / 2), (2, -3), textcoords="offset points", va="top")
    axes.set_yticks(range(len(bought)), [shortened(one.name, 22) for one in bought])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(bought) - 0.3, -0.4)
    axes.set_xlim(0, ROOM * max(prices) or 1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("price, share of the machine's area")
    axes.grid(axis="x")
    axes.set_title(f"What {what} takes")


def _points(
    axes: Axes,
    tried: Sequence[tuple[float, float]],
    best: int,
    target: float,
    *,
    is_reached: bool,
) -> None:
    """Those that are not much dearer than the best, which lies at the target's line."""
    price, gain = tried[best]
    most = DEAR * price if is_reached and price else max(one for one, _ in tried)
    shown = [one for at, one in enumerate(tried) if at != best and one[0] <= most]
    misses = [one for one in shown if one[1] < target]
    reaches = [one for one in shown if one[1] >= target]
    for some, colour, label in (
        (misses, QUIET, "misses"),
        (reaches, GREEN, "reaches it"),
    ):
        if some:
            axes.plot(*zip(*some, strict=True), "o", color=colour, markersize=5, label=label,
                      markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
    axes.plot(price, gain, "D", color=ORANGE, markersize=9, markeredgecolor="white",
              label="the cheapest" if is_reached else "within 1% of the most")  # fmt: skip
    most_gain = max(one[1] for one in [*shown, tried[best]])
    is_far = target > FAR * most_gain
    axes.axhline(
        most_gain if is_far else target, color=INK, linewidth=0 if is_far else 0.9, linestyle=":",
        label=f"target, {target:g}x" + ", far above" * is_far,
    )  # fmt: skip
    axes.set_xlim(-0.04 * most or -0.1, most * 1.04 or 1)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter("{x:g}x")
    axes.set_xlabel("price of all changes")
    axes.set_ylabel("speed-up over dense, ratio")
    axes.grid()
    axes.set_title("Machines that were tried")
    axes.legend(loc="best", frameon=True, facecolor="white", edgecolor="none")
