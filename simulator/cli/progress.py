"""A progress bar on standard error, for runs that take longer than a second on a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from simulator.cli.screen import screen

if TYPE_CHECKING:
    from rich.progress import Progress

    from simulator.run.simulate import LayerProgress

DELAY_S = 1.0


@contextmanager
def layers_bar(
    runs: int = 1, first: str = ", after kernels are compiled (once)"
) -> Iterator[LayerProgress | None]:
    """A callback for `simulate` or `prune_model`.

    It draws nothing before ``DELAY_S`` and nothing in a pipe.

    Parameters
    ----------
    runs : int
        Simulations that will report to it, one after the other.
    first : str
        What the first layer waits for: in a fresh installation, the compiler.
    """
    if screen.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("reading", total=None)
    before = finished = 0

    def report(done: int, layers: int, name: str) -> None:
        nonlocal before, finished
        if done == layers:
            finished += 1
            before = finished * layers
        here = before if done == layers else finished * layers + done
        note = "" if here else first
        bar.update(task, completed=here, total=runs * layers, description=(name or "done") + note)

    with _shown_late(bar):
        yield report


@contextmanager
def points_bar() -> Iterator[Callable[[int, int, str], None] | None]:
    """A callback for points done, points in all and what is being done: rate and time left.

    In all may be 0: nobody knows yet.
    """
    if screen.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("starting", total=None, rate="")

    def report(done: int, points: int, what: str) -> None:
        speed = bar.tasks[task].speed
        rate = f"{speed:,.1f}/s" if speed else ""
        bar.update(task, completed=done, total=points or None, description=what, rate=rate)

    with _shown_late(bar):
        yield report


@contextmanager
def _shown_late(bar: Progress) -> Iterator[None]:
    """Draw a bar once the work has taken ``DELAY_S``."""
    timer = threading.Timer(DELAY_S, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if bar.live.is_started:
            bar.stop()
