"""A name out of a table, with parameters: ``rewind``, or ``{iterative: {ramp: 0.25}}``.

Recipes, tasks and networks are all chosen so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from simulator.errors import SpecError, did_you_mean

Value = float | int | str


@dataclass(frozen=True)
class Parameter:
    """What a parameter may be.

    Attributes
    ----------
    default : float, int or str
    want : str
        What is accepted, for errors.
    accepts : callable
        Whether a value of the default's type (a whole number does for a float) is accepted.
    """

    default: Value
    want: str
    accepts: Callable[[Value], bool]

    def read(self, given: object, where: str) -> Value:
        """The value, in the default's type.

        Raises
        ------
        SpecError
            If it is of another type, or not accepted.
        """
        if isinstance(self.default, float) and type(given) is int:
            given = float(given)
        if (
            isinstance(given, float | int | str)
            and type(given) is type(self.default)
            and self.accepts(given)
        ):
            return given
        raise SpecError(where, "not accepted", want=self.want, got=given)


def one_of(*names: str) -> Parameter:
    """One of some words, by default the first."""
    return Parameter(names[0], " or ".join(names), lambda given: given in names)


def share(default: float) -> Parameter:
    """A number above 0 and at most 1."""
    return Parameter(default, "a number above 0 and at most 1", lambda given: 0 < float(given) <= 1)


class Kind(Protocol):
    """An entry of a table that one chooses from."""

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """By name."""


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes
    ----------
    kind : str
        A name of the table, or ``module:function``.
    parameters : tuple of (str, value)
        All that the kind has, sorted by name, those that were left out by their default.
    """

    kind: str
    parameters: tuple[tuple[str, Value], ...] = field(default=())

    def __getitem__(self, name: str) -> Value:
        return dict(self.parameters)[name]

    @property
    def name(self) -> str:
        """``iterative(ramp=0.25, round=nearest, shape=cubic)``: all that it has."""
        told = ", ".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self.parameters
        )
        return f"{self.kind}({told})" if told else self.kind

    @property
    def is_foreign(self) -> bool:
        """A function of the user's, ``module:function``."""
        return ":" in self.kind


def read_choice(
    given: object, table: Mapping[str, Kind], where: str, *, foreign: bool = False
) -> Choice:
    """Read a name, or a mapping of one name to its parameters.

    Parameters
    ----------
    table : mapping of str to Kind
    where : str
        For errors: file, line, column and key.
    foreign : bool
        Whether ``module:function`` is accepted beside the names.

    Raises
    ------
    SpecError
        If the name or a parameter is unknown, or a value is not accepted.
    """
    kind, settings = _parts(given, where)
    if kind not in table:
        if foreign and ":" in kind and not settings:
            return Choice(kind)
        raise SpecError(
            where, "unknown name", got=kind, hint=did_you_mean(kind, table),
            want="a name, or module:function without parameters" if foreign else None,
        )  # fmt: skip
    known = table[kind].parameters
    for name in settings:
        if name not in known:
            hint = did_you_mean(name, known) if known else f"{kind} has no parameters"
            raise SpecError(f"{where}.{kind}", "unknown parameter", got=name, hint=hint)
    values = {name: parameter.default for name, parameter in known.items()}
    for name, value in settings.items():
        values[name] = known[name].read(value, f"{where}.{kind}.{name}")
    return Choice(kind, tuple(sorted(values.items())))


def _parts(given: object, where: str) -> tuple[str, Mapping[str, object]]:
    """The name and the settings."""
    if isinstance(given, str):
        return given, {}
    if isinstance(given, Mapping) and len(given) == 1:
        ((kind, settings),) = given.items()
        if isinstance(kind, str) and (settings is None or isinstance(settings, Mapping)):
            return kind, {str(name): value for name, value in (settings or {}).items()}
    raise SpecError(
        where, "not a choice", want="a name, or one name with its parameters", got=given
    )
