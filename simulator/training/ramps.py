"""Ramps: how far a network is on its way from dense to pruned, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from simulator.sparsity import Pattern, Prunable, Unstructured

SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda done: done,
    "cubic": lambda done: 1 - (1 - done) ** 3,  # Zhu and Gupta 2017, equation 1
}
"""By name: of the share of the ramp that is over, how much is pruned of what will be."""

ROUNDINGS: dict[str, Callable[[float], int]] = {
    "nearest": lambda keep: math.floor(keep + 0.5),  # halves up
    "up": math.ceil,
    "down": math.floor,
}
"""By name: whole weights of a group. What is rounded up loses its last weights at the very end."""


@dataclass(frozen=True)
class Ramp:
    """From dense to pruned.

    Attributes
    ----------
    end : float
        Where it ends, as a share of all steps: above 0, at most 1. With 1 nothing is trained once
        the pattern holds.
    shape, rounding : str
        Names out of `SHAPES` and `ROUNDINGS`.
    """

    end: float
    shape: str = "cubic"
    rounding: str = "nearest"

    def pruned(self, progress: float) -> float:
        """How much is pruned of what will be.

        Parameters
        ----------
        progress : float
            Share of all steps that are over, 0 to 1.

        Returns
        -------
        float
            0 to 1; exactly 1 from the end of the ramp on.
        """
        return SHAPES[self.shape](min(1.0, progress / self.end))

    def pattern(self, progress: float, target: Prunable) -> Prunable:
        """What holds at a step, on the way from dense to ``target``.

        Zeros anywhere know no groups: their density is not rounded.
        """
        pruned = self.pruned(progress)
        if isinstance(target, Unstructured):
            return Unstructured(1 - (1 - target.density) * Fraction(pruned))
        keep = target.group - (target.group - target.keep) * pruned
        whole = ROUNDINGS[self.rounding](keep)
        return Pattern(max(target.keep, min(whole, target.group)), target.group)
