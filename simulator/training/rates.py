"""Learning rates over a training, as shares of the highest."""

from __future__ import annotations

import math
from collections.abc import Callable

LAST_SHARE = 0.01
"""Of the highest learning rate: the last one."""


def original(progress: float) -> float:
    """Half a cosine from 1 down to the last rate (Loshchilov and Hutter 2017).

    Parameters
    ----------
    progress : float
        Share of all steps that are over, 0 to 1.
    """
    return LAST_SHARE + (1 - LAST_SHARE) * (1 + math.cos(math.pi * progress)) / 2


def last(progress: float) -> float:  # noqa: ARG001  # every rate is asked for by progress
    """The rate at which the dense training ended."""
    return LAST_SHARE


RATES: dict[str, Callable[[float], float]] = {"original": original, "last": last}
"""``original`` is that of the dense training, and, once more, that of rewinding."""
