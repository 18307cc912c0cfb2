"""A host that issues kernels one after another, and a device that runs them as they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Call(NamedTuple):
    """One kernel.

    Attributes
    ----------
    host_us : float
        That the host takes until it has issued it.
    device_us : float
        That the device takes for it.
    """

    host_us: float
    device_us: float


def paced_us(calls: Iterable[Call]) -> float:
    """Until the device is done with all calls, the host and the device starting together.

    A kernel starts once it is issued and the one before it is done: launches hide behind work, and
    where they take longer than the work, the device waits for each.

    Examples
    --------
    >>> paced_us([Call(5, 2), Call(5, 2)])
    12.0
    >>> paced_us([Call(5, 20), Call(5, 20)])
    45.0
    """
    issued = done = 0.0
    for call in calls:
        issued += call.host_us
        done = max(issued, done) + call.device_us
    return done
