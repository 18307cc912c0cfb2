"""Errors that a user can act on: where, what, got, want and a hint, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

LONGEST_TEXT = 400
"""Characters of an error, before some are escaped."""


class SimulatorError(Exception):
    """Base of every error that bad input can cause; the command prints it and exits with 2.

    Parameters
    ----------
    where : str
        File with line and column, option, or dotted key: ``configs/a100.yaml:12:9 core.count``.
    what : str
        What is wrong: ``must be >= 1``.
    got : object, optional
        The offending value.
    want : str, optional
        What would be accepted.
    hint : str, optional
        What the user can do about it.
    """

    def __init__(
        self,
        where: str,
        what: str,
        *,
        got: object = None,
        want: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.where, self.what, self.got, self.want, self.hint = where, what, got, want, hint
        text = f"{where}: {what}"
        if want is not None:
            text += f", want {want}"
        if got is not None:
            text += f", got {_short(got)}"
        if hint is not None:
            text += f" ({hint})"
        super().__init__(_one_line(text))

    def __reduce__(self) -> tuple[Callable[..., SimulatorError], tuple[str, str]]:
        """As its parts, so that what a worker raises reaches whoever gave it the work."""
        made = partial(type(self), got=self.got, want=self.want, hint=self.hint)
        return made, (self.where, self.what)


class ConfigError(SimulatorError):
    """A machine is described wrongly: its YAML, an override, or a name that none has."""


class CombinationError(ConfigError):
    """Values that a machine may have, but not beside its others."""


class WorkloadError(SimulatorError):
    """A workload is wrong: a layer trace, a file of another tool, or a parameter."""


class MappingError(SimulatorError):
    """The work does not fit on the machine: into its memory, or with the mapping asked for."""


class WeightsError(SimulatorError):
    """Weights cannot be read, or are not what the layer or the pattern asks for."""


class AccountError(SimulatorError):
    """A figure of a report is impossible: the model is wrong, not the input."""


class ReportError(SimulatorError):
    """What is to be compared is no report, or of another kind than what it is compared with."""


class OutputError(SimulatorError):
    """The result cannot be written where it was asked for."""


class SpecError(SimulatorError):
    """The description of a sweep or a search is wrong, or cannot be run as asked."""


class TrainingError(SimulatorError):
    """A network cannot be trained as asked: its task, the network itself, or what is missing."""


class StoreError(SimulatorError):
    """A store of runs cannot be opened, read or written."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """A hint that names the closest valid spelling, or all of them."""
    names = sorted(valid)
    return closest(name, names) or "valid: " + ", ".join(names)


def closest(name: str, valid: Iterable[str]) -> str | None:
    """A hint that names the closest valid spelling, if any is close: for errors that name all."""
    close = difflib.get_close_matches(str(name)[:80], sorted(valid), n=1, cutoff=0.55)
    return f"did you mean '{close[0]}'?" if close else None


@contextmanager
def writing(path: object) -> Iterator[None]:
    """A file that cannot be written, as one error of ours."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(str(path), f"cannot be written: {reason}") from None


def _one_line(text: str) -> str:
    """Names come from files: what a terminal would obey is escaped, and the middle left out."""
    text = " ".join(text.split())
    if len(text) > LONGEST_TEXT:
        text = f"{text[: LONGEST_TEXT - 140]} ... {text[-100:]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    except RecursionError:
        return "lists in lists in lists"
    return text if len(text) <= 80 else text[:77] + "..."
