"""A progress bar on standard error, for runs that take longer than a second on a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DELAY_S = 1.0


@contextmanager
def progress_bar(runs: int = 1) -> Iterator[Callable[[int, int, str], None] | None]:
    """A callback for `simulate`; it draws nothing before ``DELAY_S`` and nothing in a pipe.

    Parameters
    ----------
    runs : int
        Simulations that will report to it, one after the other.
    """
    if not sys.stderr.isatty():
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
    task = bar.add_task("compiling kernels, once", total=None)
    before = finished = 0

    def report(done: int, layers: int, name: str) -> None:
        nonlocal before, finished
        if done == layers:
            finished += 1
            before = finished * layers
        here = before if done == layers else finished * layers + done
        bar.update(task, completed=here, total=runs * layers, description=name or "done")

    timer = threading.Timer(DELAY_S, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield report
    finally:
        timer.cancel()
        if bar.live.is_started:
            bar.stop()
