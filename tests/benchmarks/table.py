"""A table of what is measured, what it should reach, and whether it does."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

HEAD = f"{'what':58} {'reach':>14} {'seen':>14} reached"


def row(what: str, seen: float, reach: str = "", digits: int = 2) -> bool:
    """Print a row; returns whether ``reach``, such as ``<= 8``, is reached."""
    sign, _, bound = reach.partition(" ")
    reached = not reach or (seen <= float(bound) if sign == "<=" else seen >= float(bound))
    said = ("yes" if reached else "NO") if reach else ""
    print(f"{what:58} {reach:>14} {seen:>14,.{digits}f} {said}".rstrip(), flush=True)
    return reached


def timed(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    action()
    return clock() - started


def seconds(action: Callable[[], object], runs: int = 7) -> float:
    """Median wall time of an action, after one run that does not count."""
    action()
    return median(timed(action) for _ in range(runs))


class Child(NamedTuple):
    """A process that has ended: its wall time, and the most memory that it held."""

    seconds: float
    peak_mib: float


MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def child(command: Sequence[str]) -> Child:
    """Run a command in a process of its own, whose parent has no memory to speak of."""
    started = time.perf_counter()
    parent = [sys.executable, "-c", MEASURED, *command]
    done = subprocess.run(parent, check=True, capture_output=True, text=True)
    return Child(time.perf_counter() - started, float(done.stdout))


def peak_mib() -> float:
    """Of this process, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
