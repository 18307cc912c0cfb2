"""Commands that keep what they have done in a store: its files, and what Control-C leaves there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.screen import screen

StoreFile = Annotated[
    Path | None,
    typer.Option("--store", metavar="FILE", help="Keep rows here, and compute only missing ones."),
]


def files_of(option: str, store: Path | None) -> dict[str, Path | None]:
    """What a store consists of, by name: nothing else may be written there."""
    from simulator.store.database import SIDE_FILES

    if store is None:
        return {}
    beside = {f"{option}'s {end}": Path(f"{store}{end}") for end in (*SIDE_FILES, ".journal")}
    return {option: store, **beside}


@contextmanager
def interruptible(store: Path | None, what: str) -> Iterator[Callable[..., None]]:
    """A callback for what is done, what there is to do and, if one knows, what is being done.

    Control-C ends with one line.
    """
    from simulator.cli.progress import points_bar

    done = total = 0
    try:
        with points_bar() as bar:

            def report(now: int, all_: int, doing: str = what) -> None:
                nonlocal done, total
                done, total = now, all_
                if bar is not None:
                    bar(now, all_, doing)

            yield report
    except KeyboardInterrupt:
        kept = f"they are kept in {store}, and the same command goes on from there"
        if not done:
            kept = "the same command starts anew"
        elif store is None:
            kept = "they are lost, as no --store was named"
        said = f"stopped after {done} {f'of {total} ' if total else ''}{what}: {kept}"
        raise KeyboardInterrupt(said) from None


def say(notes: Sequence[str]) -> None:
    """Beside the result: to people, whatever becomes of standard output."""
    for note in () if screen.quiet else notes:
        print(f"nmsim: {note}", file=sys.stderr)
