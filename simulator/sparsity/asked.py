"""What is asked of weights: patterns of every kind, as they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from simulator.errors import ConfigError
from simulator.sparsity.groups import Pattern
from simulator.sparsity.vectors import VectorPattern


@dataclass(frozen=True)
class Unstructured:
    """Zeros anywhere: the baseline that N:M exists to beat, written ``unstructured:density``.

    What it costs depends on the machine: see `simulator.workload.gathered`.

    Parameters
    ----------
    density : Fraction
        Stored weights over all weights, above 0, at most 1.
    """

    density: Fraction

    is_dense: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not isinstance(self.density, Fraction) or not 0 < self.density <= 1:
            want = "a Fraction above 0 and at most 1"
            raise ConfigError("pattern", "not a density", want=want, got=self.density)

    def __str__(self) -> str:
        billionths = self.density * 10**9
        if billionths.denominator > 1:  # counted on real weights
            return f"unstructured:{float(self.density):g}"
        whole, rest = divmod(billionths.numerator, 10**9)
        return f"unstructured:{whole}.{rest:09}".rstrip("0").rstrip(".")


Prunable = Pattern | Unstructured
"""Patterns that weights can be pruned and held to here."""

AnyPattern = Prunable | VectorPattern


def parse_pattern(text: object, where: str = "pattern") -> AnyPattern:
    """Read ``keep:group``, ``rows:keep:group``, ``dense`` or ``unstructured:density``.

    Raises
    ------
    ConfigError
        If the text is none of these.
    """
    if isinstance(text, Unstructured | VectorPattern):
        return text
    if isinstance(text, str):
        if text.strip().startswith("unstructured"):
            return _unstructured(text, where)
        if re.fullmatch(r"\s*\d{1,5}\s*:\s*\d{1,5}\s*:\s*\d{1,5}\s*", text, re.ASCII):
            return VectorPattern.checked(where, *map(int, text.split(":")))
    return Pattern.parse(text, where)


def parse_prunable(text: object, where: str = "pattern") -> Prunable:
    """Read a pattern that weights can be pruned to: ``keep:group`` or ``unstructured:density``.

    Raises
    ------
    ConfigError
        If the text is neither.
    """
    pattern = parse_pattern(text, where)
    if isinstance(pattern, VectorPattern):
        raise ConfigError(
            where,
            "weights cannot be pruned to rows:keep:group here, only simulated as such",
            want=f"'keep:group', such as '{pattern.of_rows}', or 'unstructured:density'",
            got=str(pattern),
        )
    return pattern


def _unstructured(text: str, where: str) -> Unstructured:
    _, _, number = text.strip().partition(":")
    want = "'unstructured:density', such as 'unstructured:0.5'"
    if not re.fullmatch(r"[0-9]{0,3}\.?[0-9]{1,9}(e-[0-9]{1,3})?", number, re.ASCII):
        raise ConfigError(where, "not a density", want=want, got=text)
    density = Fraction(number)
    if not 0 < density <= 1:
        raise ConfigError(where, "a density is above 0 and at most 1", want=want, got=text)
    return Unstructured(density)


TRACE = "trace"
"""What stands for a pattern where every layer has its own: as the trace says."""

FASTEST = "fastest"
"""What stands among several patterns for a mix: each layer as it ran fastest under the others."""


def parse_asked(text: object, where: str = "pattern") -> AnyPattern | None:
    """Read a pattern for all layers, or ``trace`` or None: as the trace says, which is None.

    Raises
    ------
    ConfigError
        If the text is none of these.
    """
    if text is None or (isinstance(text, str) and text.strip().lower() == TRACE):
        return None
    return parse_pattern(text, where)


def asked_name(pattern: AnyPattern | str | None) -> str:
    """A pattern for all layers as `parse_asked` reads it."""
    return TRACE if pattern is None else str(pattern)
