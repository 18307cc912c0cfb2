"""What a terminal is asked to show: options that all commands share, and its width."""

from __future__ import annotations

import inspect
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Final, get_type_hints

import typer

LEAST_WIDTH: Final = 20
"""Narrower terminals wrap what is printed for this width."""

Wide = Annotated[
    bool, typer.Option("--wide", help="All columns in full, however narrow the terminal is.")
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Results and errors only: no progress, no notes.")
]


WARNING: Final = "WARNING: "
"""How a note begins that says why figures may not be what was meant."""


def warnings_first(notes: Iterable[str]) -> list[str]:
    """Notes in their order, but behind those that a reader must not overlook."""
    return sorted(notes, key=lambda note: not note.startswith(WARNING))


def note_lines(notes: Iterable[str]) -> list[str]:
    """Notes as results show them: warnings first, and all others marked; none if all is quiet."""
    if screen.quiet:
        return []
    return [note if note.startswith(WARNING) else f"Note: {note}" for note in warnings_first(notes)]


class InterruptedCommandError(Exception):
    """Control-C in a command; the text says what is kept and how to go on."""


NOTHING_KEPT: Final = "interrupted: nothing was written; run the command again"


@dataclass
class Screen:
    """How to show what a command prints; set anew by every command line."""

    wide: bool = False
    quiet: bool = False

    @property
    def is_terminal(self) -> bool:
        return sys.stdout is not None and sys.stdout.isatty()

    @property
    def width(self) -> int | None:
        """Columns that a line may take; None in a pipe, and where all is to be shown."""
        if self.wide or not self.is_terminal:
            return None
        return max(LEAST_WIDTH, shutil.get_terminal_size().columns)


screen: Final = Screen()
"""Of this process, which runs one command at a time."""


def begin(quiet: Quiet = False) -> None:
    """Forget what an earlier command line of this process asked for."""
    screen.wide, screen.quiet = False, quiet


def on_screen(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--wide`` and ``-q``, and let Control-C say what it leaves behind.

    A command that keeps something raises ``KeyboardInterrupt(text)``; otherwise nothing is kept.
    """

    @wraps(command)
    def shown(*args: Any, wide: bool, quiet: bool, **kwargs: Any) -> None:
        screen.wide |= wide
        screen.quiet |= quiet
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt as error:
            raise InterruptedCommandError(str(error) or NOTHING_KEPT) from None

    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in signature.parameters.items()
    ]
    added = {"wide": Wide, "quiet": Quiet}
    own += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in added.items()
    ]
    shown.__annotations__ = hints | added
    shown.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]  # typer reads it
    return shown
